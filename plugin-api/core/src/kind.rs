//! The kinds of components.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// The kinds of components that are resolved by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// All kinds, in the order in which the pipeline uses them.
            pub const ALL: [Kind; [$($word,)*].len()] = [$(Kind::$variant,)*];

            /// The word used on the command line and in configuration files.
            ///
            /// ```
            /// use nnunet_plugin_api::Kind;
            ///
            /// assert_eq!(Kind::Postprocessor.as_str(), "postprocessor");
            /// assert_eq!(Kind::from_word("loss"), Some(Kind::Loss));
            /// assert!(Kind::ALL.iter().all(|kind| Kind::from_word(kind.as_str()) == Some(*kind)));
            /// ```
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Kind::$variant => $word,)*
                }
            }
        }
    };
}

kinds! {
    /// Reads and writes image files.
    Format = "format",
    /// Turns a fingerprint into plans.
    Planner = "planner",
    /// Resamples and normalizes a case.
    Preprocessor = "preprocessor",
    /// Normalizes the intensities of a channel.
    Normalization = "normalization",
    /// Brings images, labels and scores from one grid to another.
    Resampler = "resampler",
    /// Divides cases into folds of a cross-validation.
    Splitter = "splitter",
    /// Chooses the cases and patches of batches.
    Sampler = "sampler",
    /// One step of an augmentation.
    Transform = "transform",
    /// Changes training samples at random.
    Augmentation = "augmentation",
    /// Builds a network.
    Architecture = "architecture",
    /// Builds a part of a network: a block of a stage, a normalization or a nonlinearity.
    Block = "block",
    /// Says what the outputs of a network mean: targets, scores and what is written.
    Head = "head",
    /// Computes the loss of one network output and its target.
    Loss = "loss",
    /// Changes parameters against their gradients.
    Optimizer = "optimizer",
    /// Determines the learning rate of epochs and steps.
    Schedule = "schedule",
    /// Measures a network in the validation of every epoch.
    Metric = "metric",
    /// Determines how a network is trained.
    Trainer = "trainer",
    /// Records a training.
    Logger = "logger",
    /// Changes a label map after prediction.
    Postprocessor = "postprocessor",
}

impl Kind {
    /// The kind with this name (see [`Kind::as_str`]).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether its components work on tensors, so that only a program with libtorch can make them.
    ///
    /// ```
    /// use nnunet_plugin_api::Kind;
    ///
    /// let with_tensors = Kind::ALL.into_iter().filter(|kind| kind.needs_tensors());
    /// assert_eq!(with_tensors.collect::<Vec<_>>(), [
    ///     Kind::Architecture, Kind::Block, Kind::Head, Kind::Loss, Kind::Optimizer, Kind::Metric, Kind::Trainer,
    /// ]);
    /// ```
    #[must_use]
    pub const fn needs_tensors(self) -> bool {
        matches!(
            self,
            Kind::Architecture
                | Kind::Block
                | Kind::Head
                | Kind::Loss
                | Kind::Optimizer
                | Kind::Metric
                | Kind::Trainer
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
