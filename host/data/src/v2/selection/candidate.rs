//! Models and ensembles that are compared.

use std::path::PathBuf;

use super::ModelName;

/// What is compared.
#[derive(Debug, Clone)]
pub struct Search {
    /// Name of the data set.
    pub dataset: String,
    /// Models. Those of configurations that their plans lack are left out.
    pub models: Vec<ModelName>,
    /// Folds.
    pub folds: Vec<String>,
    /// Ensembles of every two models too.
    pub ensembles: bool,
    /// What earlier runs have written is made again.
    pub overwrite: bool,
    /// Processes, for the commands that use the best.
    pub processes: usize,
}

/// A model or an ensemble, with what was measured.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Name of its folder.
    pub name: String,
    /// Its label maps.
    pub folder: PathBuf,
    /// The model, or both.
    pub members: Vec<ModelName>,
    /// Mean Dice of the foreground.
    pub score: f64,
}
