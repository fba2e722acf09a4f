//! Probabilities that are collected for an npz archive.

use std::path::Path;

use anyhow::Result;
use nnunet_formats::temp_array::{TempArray, TempArrayType};
use nnunet_inference::Slab;
use nnunet_plugin_api::vocabulary::CaseProperties;

use crate::case::ProbabilityFormat;

/// Slabs of probabilities in a temporary file.
pub(crate) struct Probabilities {
    array: TempArray,
    format: ProbabilityFormat,
    offset: [usize; 3],
}

impl Probabilities {
    /// For so many outputs; whether the first one is background, which is certain outside of the crop.
    pub(crate) fn new(
        folder: &Path,
        format: ProbabilityFormat,
        (outputs, has_background): (usize, bool),
        case: &CaseProperties,
    ) -> Result<Self> {
        let (kind, size, offset) = match format {
            ProbabilityFormat::Cropped => (TempArrayType::Half, case.size_after_cropping, [0; 3]),
            ProbabilityFormat::WholeImage => {
                (TempArrayType::Single, case.original_size_of_raw_data, case.crop_bbox.map(|[low, _]| low))
            }
        };
        let mut array = TempArray::new(folder, kind, [outputs, size[0], size[1], size[2]])?;
        if size != case.size_after_cropping && has_background {
            array.fill(0, 1.0)?;
        }
        Ok(Self { array, format, offset })
    }

    pub(crate) fn put(&mut self, slab: &Slab) -> Result<()> {
        let mut at = self.offset;
        at[slab.axis] += slab.first;
        Ok(self.array.put(at, slab.scores.view())?)
    }

    pub(crate) fn save(self, path: &Path) -> Result<()> {
        let key = if self.format == ProbabilityFormat::Cropped { "softmax" } else { "probabilities" };
        Ok(self.array.save(path, key)?)
    }
}
