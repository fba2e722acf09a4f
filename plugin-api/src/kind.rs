//! The kinds of components.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of components that are resolved by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// Turns a fingerprint into plans.
    Planner,
    /// Resamples and normalises a case.
    Preprocessor,
    /// Changes training samples at random.
    Augmentation,
    /// A network.
    Architecture,
    /// A loss of one output against one target.
    Loss,
    /// Blueprint and hooks of a training.
    Trainer,
    /// Changes a label map after prediction.
    Postprocessor,
}

impl Kind {
    /// All kinds, in the order in which data meets them.
    pub const ALL: [Kind; 7] = [
        Kind::Planner,
        Kind::Preprocessor,
        Kind::Augmentation,
        Kind::Architecture,
        Kind::Loss,
        Kind::Trainer,
        Kind::Postprocessor,
    ];

    /// The word used on the command line and in configuration files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Planner => "planner",
            Kind::Preprocessor => "preprocessor",
            Kind::Augmentation => "augmentation",
            Kind::Architecture => "architecture",
            Kind::Loss => "loss",
            Kind::Trainer => "trainer",
            Kind::Postprocessor => "postprocessor",
        }
    }

    /// Whether components of this kind work on tensors, so that only a program with libtorch can make them.
    #[must_use]
    pub const fn needs_tensors(self) -> bool {
        matches!(self, Kind::Architecture | Kind::Loss | Kind::Trainer)
    }

    /// The kind a word names, if any.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
