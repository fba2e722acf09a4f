//! What a summary is made of.

use std::path::PathBuf;

/// A prediction and its reference.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Prediction.
    pub test: PathBuf,
    /// Reference.
    pub reference: PathBuf,
}

/// Texts at the beginning of a summary.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'a> {
    /// Name of the evaluation.
    pub name: &'a str,
    /// Task.
    pub task: &'a str,
    /// Description.
    pub description: &'a str,
}
