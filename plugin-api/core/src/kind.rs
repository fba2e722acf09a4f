//! The kinds of components.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($count:literal: $($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// The kinds of components that are resolved by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// All kinds, in the order in which data meets them.
            pub const ALL: [Kind; $count] = [$(Kind::$variant,)*];

            /// The word used on the command line and in configuration files.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Kind::$variant => $word,)*
                }
            }
        }
    };
}

kinds! { 10:
    /// Reads and writes image files.
    Format = "format",
    /// Turns a fingerprint into plans.
    Planner = "planner",
    /// Resamples and normalizes a case.
    Preprocessor = "preprocessor",
    /// Brings the intensities of a channel into the network's range.
    Normalization = "normalization",
    /// Changes training samples at random.
    Augmentation = "augmentation",
    /// A network.
    Architecture = "architecture",
    /// A loss of one output against one target.
    Loss = "loss",
    /// Blueprint and hooks of a training.
    Trainer = "trainer",
    /// Is told what happens in a training.
    Logger = "logger",
    /// Changes a label map after prediction.
    Postprocessor = "postprocessor",
}

impl Kind {
    /// The kind a word names, if any.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether its components work on tensors, so that only a program with libtorch can make them.
    #[must_use]
    pub const fn needs_tensors(self) -> bool {
        matches!(self, Kind::Architecture | Kind::Loss | Kind::Trainer)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
