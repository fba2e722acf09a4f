//! What the images of a training look like: orientation, spacing and intensities. They are kept beside plans and models,
//! in a file that Python nnU-Net does not know, so that a prediction can name images that are unlike them.

mod compare;
mod intensities;
mod range;
mod record;
mod sources;

use std::collections::BTreeMap;
use std::path::Path;

use nnunet_formats::json::{self, Json};
use nnunet_plugin_core::vocabulary::Plans;
use serde::{Deserialize, Serialize};

pub use compare::{Difference, Image};
pub use intensities::Band;
pub use range::Range;
pub use record::{Source, keep, record};

/// The file in the folder of preprocessed data, and in that of a model.
pub const FILE: &str = "training_images.json";

/// The file in which v2 keeps the fingerprint, in the same folders.
const FINGERPRINT: &str = "dataset_fingerprint.json";

/// Orientation, spacing and intensities of training images. What is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingImages {
    /// Number of cases by the directions of their axes, such as `LPS`.
    pub orientations: BTreeMap<String, usize>,
    /// mm: from left to right, from back to front, and upwards; by the axes of the file, x, y and z, if orientations are
    /// not known.
    pub spacings: Option<[Range; 3]>,
    /// By channel.
    pub channels: Vec<Channel>,
    /// Intensities of the labeled voxels by channel, from a fingerprint: all that other files say of intensities.
    #[serde(skip)]
    pub foreground: Vec<Option<Range>>,
}

/// Intensities of a channel. Percentiles are those of whole images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Name, as in `dataset.json`.
    pub name: String,
    /// Percentile 0.5 of every image.
    pub percentile_00_5: Range,
    /// Percentile 99.5 of every image.
    pub percentile_99_5: Range,
    /// Difference of the two percentiles of every image.
    pub width: Range,
}

impl TrainingImages {
    /// The record in a folder; none if there is no such file, or if it is damaged.
    #[must_use]
    pub fn load(folder: &Path) -> Option<Self> {
        let path = folder.join(FILE);
        let text = std::fs::read(&path).ok()?;
        match serde_json::from_slice(&text) {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::warn!("{} is not used: {error}", path.display());
                None
            }
        }
    }

    /// Writes the record into a folder.
    ///
    /// # Errors
    /// Returns an I/O error.
    pub fn save(&self, folder: &Path) -> anyhow::Result<()> {
        Ok(json::save(&folder.join(FILE), &Json::from(serde_json::to_value(self)?))?)
    }

    /// What plans of v1 say: the spacings, and the intensities of the labeled voxels where a channel is CT.
    #[must_use]
    pub fn of_plans(plans: &Plans) -> Self {
        let properties = &plans.dataset_properties;
        let channels = properties.intensity_properties.iter().flatten().map(|channel| {
            let found = &channel.global;
            Range::of([found.percentile_00_5, found.percentile_99_5])
        });
        Self {
            spacings: spacings(&properties.all_spacings),
            foreground: channels.collect(),
            ..Self::default()
        }
    }

    /// What the fingerprint in a folder of v2 says: the spacings, and the intensities of the labeled voxels.
    #[must_use]
    pub fn of_fingerprint(folder: &Path) -> Self {
        let read = || -> Option<nnunet_planning::v2::Fingerprint> {
            serde_json::from_slice(&std::fs::read(folder.join(FINGERPRINT)).ok()?).ok()
        };
        let Some(found) = read() else { return Self::default() };
        let channel = |number: usize| {
            let channel = found.intensities.get(&number.to_string())?;
            let percentile = |name: &str| channel.get(name)?.as_f64();
            Range::of([percentile("percentile_00_5")?, percentile("percentile_99_5")?])
        };
        Self {
            spacings: spacings(&found.spacings),
            foreground: (0..found.intensities.len()).map(channel).collect(),
            ..Self::default()
        }
    }

    /// The orientation of most images.
    #[must_use]
    pub fn main_orientation(&self) -> Option<&str> {
        self.orientations.iter().max_by_key(|(_, cases)| **cases).map(|(letters, _)| letters.as_str())
    }
}

/// Of spacings in the order z, y, x.
fn spacings(all: &[[f64; 3]]) -> Option<[Range; 3]> {
    let axis = |axis: usize| Range::of(all.iter().map(|spacing| spacing[2 - axis]));
    Some([axis(0)?, axis(1)?, axis(2)?])
}
