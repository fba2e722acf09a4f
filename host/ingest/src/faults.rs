//! All that is wrong with the images and masks of a data set, so that it can be said together.

use anyhow::{Result, bail};
use nnunet_data::failures;
use rayon::prelude::*;

use crate::cases::{Found, Source};
use crate::image::{self, Form};

/// What is wrong, a line each.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) all: Vec<String>,
    /// What the check of a new data set finds, too: it is only said where there will be none.
    pub(crate) minor: Vec<String>,
}

impl Faults {
    /// Those of cases that were not found.
    pub(crate) fn of<const N: usize>(found: [&Found; N]) -> Self {
        Self { all: found.into_iter().flat_map(Found::faults).collect(), minor: Vec::new() }
    }

    /// The value of a result; an error becomes a fault.
    pub(crate) fn without<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.all.push(format!("{error:#}"))).ok()
    }

    /// What the images of all cases have in common.
    pub(crate) fn form<'a>(&mut self, cases: impl Iterator<Item = (&'a String, &'a Vec<Source>)>) -> Form {
        let colors = each(cases, image::has_colors);
        let colors: Vec<bool> = colors.into_iter().filter_map(|found| self.without(found)).collect();
        Form { has_colors: colors.contains(&true) }
    }

    /// Checks that there are none. Where there are some, the voxels of all images are read, too, which otherwise happens
    /// while they are written: a fault that costs nothing to find must not hide one that does.
    ///
    /// # Errors
    /// Returns one error with all of them.
    pub(crate) fn none<'a>(
        mut self,
        cases: impl Iterator<Item = (&'a String, &'a Vec<Source>)>,
    ) -> Result<()> {
        if self.all.is_empty() {
            return Ok(());
        }
        for found in each(cases, image::check) {
            self.without(found);
        }
        self.all.append(&mut self.minor);
        // What was found twice is the same file.
        let mut seen = std::collections::BTreeSet::new();
        self.all.retain(|fault| seen.insert(fault.clone()));
        match &self.all[..] {
            [one] => bail!("{one}"),
            all => bail!("{} faults:\n  {}", all.len(), all.join("\n  ")),
        }
    }
}

/// Does something with every source of every case; errors name the case.
fn each<'a, T: Send>(
    cases: impl Iterator<Item = (&'a String, &'a Vec<Source>)>,
    work: impl Fn(&Source) -> Result<T> + Sync,
) -> Vec<Result<T>> {
    let sources: Vec<(&String, &Source)> =
        cases.flat_map(|(case, sources)| sources.iter().map(move |source| (case, source))).collect();
    let one = |(case, source): &(&String, &Source)| {
        failures::catching(|| work(source)).map_err(|error| error.context((*case).clone()))
    };
    sources.par_iter().map(one).collect()
}
