//! The cases of a run, for what hooks and losses ask about them.

use std::sync::Arc;

use nnunet_plugin_api::{Config, Error, Result};

use crate::case_source::CaseSource;

/// Training and validation cases; none before a run.
#[derive(Clone, Default)]
pub struct Cases(Vec<Arc<dyn CaseSource>>);

impl std::fmt::Debug for Cases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|source| source.len())).finish()
    }
}

impl Cases {
    pub(crate) fn of(sources: [&Arc<dyn CaseSource>; 2]) -> Self {
        Self(sources.map(Arc::clone).to_vec())
    }

    /// What is known of a case.
    pub(crate) fn properties(&self, name: &str) -> Result<Config> {
        let found = self.0.iter().find_map(|source| {
            let case = (0..source.len()).find(|case| source.name(*case) == name)?;
            Some(source.properties(case))
        });
        found.ok_or_else(|| Error::message(format!("there is no case `{name}`")))
    }
}
