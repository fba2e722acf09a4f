//! The findings of a check.

use nnunet_cli::report;
use nnunet_plugin_api::{Error, Result as ComponentResult};
use serde_json::json;

/// Failures that a check finds.
pub(super) type Finding = Result<(), String>;

/// Prints findings and counts the bad ones.
pub(super) struct Report {
    /// The component that is checked.
    pub(super) component: String,
    /// Checks that failed.
    pub(super) failed: usize,
}

impl Report {
    /// Prints a finding.
    pub(super) fn note(&mut self, what: &str, finding: Finding) {
        let error = finding.err();
        self.failed += usize::from(error.is_some());
        let object = json!({ "component": self.component, "check": what, "error": error });
        let text = match error {
            None => format!("ok   {}: {what}", self.component),
            Some(error) => format!("FAIL {}: {what}: {error}", self.component),
        };
        report::record("check", &object, &text);
    }

    /// A step that others need: its value, if it went well.
    pub(super) fn made<T>(&mut self, what: &str, made: ComponentResult<T>) -> Option<T> {
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
pub(super) fn same<T: PartialEq>(a: &T, b: &T) -> Finding {
    if a == b { Ok(()) } else { Err("the same input gave a different result".to_owned()) }
}

/// An error as a finding.
pub(super) fn text(error: Error) -> String {
    error.to_string()
}
