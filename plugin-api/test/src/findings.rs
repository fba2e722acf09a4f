//! The findings of a check.

use nnunet_plugin_core::{Error, Result as ComponentResult};

/// One check and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Kind and name of the component.
    pub component: String,
    /// What was checked.
    pub check: String,
    /// Why it failed; none: it passed.
    pub error: Option<String>,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.error {
            None => write!(f, "ok   {}: {}", self.component, self.check),
            Some(error) => write!(f, "FAIL {}: {}: {error}", self.component, self.check),
        }
    }
}

/// Failures that a check finds.
pub(crate) type Checked = Result<(), String>;

/// Passes on findings.
pub(crate) struct Report<'a> {
    /// The component that is checked.
    pub(crate) component: String,
    /// Takes the findings.
    pub(crate) found: &'a mut dyn FnMut(Finding),
}

impl Report<'_> {
    /// Passes on a finding.
    pub(crate) fn note(&mut self, check: &str, finding: Checked) {
        let (component, check) = (self.component.clone(), check.to_owned());
        (self.found)(Finding { component, check, error: finding.err() });
    }

    /// A step that others need: its value, if it succeeded.
    pub(crate) fn made<T>(&mut self, what: &str, made: ComponentResult<T>) -> Option<T> {
        match made {
            Ok(value) => {
                self.note(what, Ok(()));
                Some(value)
            }
            Err(error) => {
                self.note(what, Err(error.to_string()));
                None
            }
        }
    }
}

/// Whether two results of the same input are the same.
pub(crate) fn same<T: PartialEq>(a: &T, b: &T) -> Checked {
    if a == b { Ok(()) } else { Err("the same input gave a different result".to_owned()) }
}

/// An error as a finding.
pub(crate) fn text(error: Error) -> String {
    error.to_string()
}
