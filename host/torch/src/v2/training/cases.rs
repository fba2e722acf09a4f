//! Preprocessed cases of v2, read by crop.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use ndarray::{ArrayViewMut4, Axis};
use nnunet_data::v2::{load_labels, unpack_case};
use nnunet_formats::b2nd::CompressedArray;
use nnunet_formats::npy::{self, MappedVolume};
use nnunet_formats::pickle::{self, Value};
use nnunet_plugin_api::Config;
use nnunet_training::CaseSource;
use rayon::prelude::*;
use serde_json::json;

use super::job::Job;
use crate::v2::plans::Configuration;

/// An array that is read by crop.
enum Volume {
    /// `.b2nd`.
    Blocks(CompressedArray),
    /// `.npy`, mapped into memory.
    Mapped(MappedVolume),
}

struct Case {
    name: String,
    image: Volume,
    labels: Volume,
    /// The previous stage's labels, in a cascade.
    previous: Option<Volume>,
    /// Of the preprocessed image, (z, y, x) in transposed order; none where the case does not say.
    spacing: Option<[f64; 3]>,
    /// Labels and regions that the case has, as Python writes them.
    classes: Vec<serde_json::Value>,
    locations: Vec<Vec<[i64; 3]>>,
    annotated: Option<Vec<[i64; 3]>>,
}

/// Cases of a configuration.
pub(super) struct PreprocessedCases {
    cases: Vec<Case>,
    label_channels: usize,
}

impl PreprocessedCases {
    /// Opens cases; in a cascade with the labels of the previous stage.
    pub(super) fn open(job: &Job<'_>, names: &[String]) -> Result<Self> {
        // Where some voxels are to be ignored, positions of the others are stored under all other labels.
        let annotated = job.dataset.ignore_label().map(|_| job.dataset.annotated_labels());
        let channels = job.dataset.channel_names.len();
        let open = |name: &String| {
            let case = Case::open(job, name, annotated.as_deref())?;
            let found = case.image.shape()[0];
            ensure!(
                found == channels,
                "the case {name} in {} has {found} channels, and dataset.json has {channels}; run \
                 nnUNetv2_preprocess again",
                job.data.display()
            );
            Ok(case)
        };
        let cases = names.par_iter().map(open).collect::<Result<_>>()?;
        Ok(Self { cases, label_channels: 1 + usize::from(job.previous.is_some()) })
    }
}

impl Case {
    fn open(job: &Job<'_>, name: &str, annotated: Option<&[i64]>) -> Result<Self> {
        let (folder, previous) = (&job.data, job.previous.as_deref());
        let image = Volume::of_case(folder, name, "")?;
        let labels = Volume::of_case(folder, name, "_seg")?;
        ensure!(
            labels.shape()[1..] == image.shape()[1..],
            "{}: the image and the label map of {name} differ in size; run nnUNetv2_preprocess again",
            folder.display()
        );
        let properties = folder.join(format!("{name}.pkl"));
        let kept = pickle::load(&properties)?;
        let all = kept.get("class_locations").and_then(Value::entries).with_context(|| {
            format!("{}: no class_locations; run nnUNetv2_preprocess again", properties.display())
        })?;
        let is_annotated =
            |key: &Value| annotated.is_some_and(|labels| region(key).as_deref() == Some(labels));
        let (others, all): (Vec<_>, Vec<_>) = all.iter().partition(|(key, _)| !is_annotated(key));
        let read = |(_, at): &(Value, Value)| {
            positions(at).with_context(|| format!("{}: unreadable positions", properties.display()))
        };
        let locations =
            others.into_iter().map(|entry| Ok((&entry.0, read(entry)?))).collect::<Result<Vec<_>>>()?;
        let present = locations.iter().filter(|(_, at)| !at.is_empty());
        Ok(Self {
            name: name.to_owned(),
            spacing: spacing(&kept, job.plans.transpose_forward, &job.configuration),
            classes: present.filter_map(|(key, _)| class(key)).collect(),
            previous: previous.map(|folder| Volume::of_previous(folder, name)).transpose()?,
            image,
            labels,
            locations: locations.into_iter().map(|(_, at)| at).collect(),
            annotated: all.first().map(|entry| read(entry)).transpose()?.filter(|at| !at.is_empty()),
        })
    }
}

/// The spacing of a case's preprocessed image.
fn spacing(kept: &Value, order: [usize; 3], configuration: &Configuration) -> Option<[f64; 3]> {
    let raw: [f64; 3] = kept.get("spacing")?.to_f64_vec()?.try_into().ok()?;
    Some(configuration.target(order.map(|axis| raw[axis])))
}

/// A key of `class_locations`: a label, or the labels of a region.
fn class(key: &Value) -> Option<serde_json::Value> {
    key.as_i64().map(|label| json!(label)).or_else(|| Some(json!(region(key)?)))
}

/// The labels of a region, where a key of `class_locations` is one.
fn region(key: &Value) -> Option<Vec<i64>> {
    key.items()?.iter().map(Value::as_i64).collect()
}

/// Rows of (channel, z, y, x), without the channel.
fn positions(value: &Value) -> Option<Vec<[i64; 3]>> {
    match value {
        Value::Array(array) if array.shape.len() == 2 && array.shape[1] == 4 => {
            let values = array.to_f64()?;
            Some(values.as_chunks::<4>().0.iter().map(|at| [at[1], at[2], at[3]].map(|v| v as i64)).collect())
        }
        Value::Array(array) => array.shape.contains(&0).then(Vec::new),
        other => other.items().filter(|items| items.is_empty()).map(|_| Vec::new()),
    }
}

impl Volume {
    /// The image, or with the ending `_seg` the labels of a preprocessed case.
    fn of_case(folder: &Path, name: &str, ending: &str) -> Result<Self> {
        let path = |extension: &str| folder.join(format!("{name}{ending}.{extension}"));
        if path("b2nd").is_file() {
            return Ok(Self::Blocks(CompressedArray::open(&path("b2nd"))?));
        }
        unpack_case(folder, name)?;
        Ok(Self::Mapped(MappedVolume::open(&path("npy"))?))
    }

    /// The previous stage's labels of a case.
    fn of_previous(folder: &Path, name: &str) -> Result<Self> {
        let path = |extension: &str| folder.join(format!("{name}.{extension}"));
        if path("b2nd").is_file() {
            return Ok(Self::Blocks(CompressedArray::open(&path("b2nd"))?));
        }
        if !path("npy").is_file() {
            let bytes = load_labels(folder, name)?.mapv(|label| label as u8);
            npy::save_u8(&path("npy"), bytes.view())?;
        }
        Ok(Self::Mapped(MappedVolume::open(&path("npy"))?))
    }

    /// (c, z, y, x).
    fn shape(&self) -> [usize; 4] {
        match self {
            Self::Blocks(volume) => volume.shape(),
            Self::Mapped(volume) => volume.shape(),
        }
    }

    /// Copies a box of the first channels into an array.
    fn crop(&self, space: &[Range<usize>; 3], out: ArrayViewMut4<'_, f32>) -> nnunet_plugin_api::Result<()> {
        let channels = 0..out.shape()[0];
        match self {
            Self::Blocks(volume) => volume
                .crop(channels, space.clone(), out)
                .map_err(|error| nnunet_plugin_api::Error::message(error.to_string())),
            Self::Mapped(volume) => {
                volume.crop(channels, space.clone(), out);
                Ok(())
            }
        }
    }
}

impl CaseSource for PreprocessedCases {
    fn len(&self) -> usize {
        self.cases.len()
    }

    fn name(&self, case: usize) -> &str {
        &self.cases[case].name
    }

    fn shape(&self, case: usize) -> [usize; 4] {
        self.cases[case].image.shape()
    }

    fn label_channels(&self) -> usize {
        self.label_channels
    }

    fn properties(&self, case: usize) -> Config {
        let Case { spacing, classes, .. } = &self.cases[case];
        let all =
            [("shape", json!(self.shape(case))), ("spacing", json!(spacing)), ("classes", json!(classes))];
        all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn locations(&self, case: usize) -> &[Vec<[i64; 3]>] {
        &self.cases[case].locations
    }

    fn annotated(&self, case: usize) -> Option<&[[i64; 3]]> {
        self.cases[case].annotated.as_deref()
    }

    fn read(
        &self,
        case: usize,
        space: &[Range<usize>; 3],
        data: ArrayViewMut4<'_, f32>,
        mut seg: ArrayViewMut4<'_, f32>,
    ) -> nnunet_plugin_api::Result<()> {
        let Case { image, labels, previous, .. } = &self.cases[case];
        let (own, further) = seg.view_mut().split_at(Axis(0), 1);
        image.crop(space, data)?;
        labels.crop(space, own)?;
        previous.as_ref().map_or(Ok(()), |previous| previous.crop(space, further))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_see_the_spacing_of_preprocessed_slices() {
        let plans = json!({
            "patch_size": [8, 8], "spacing": [0.5, 0.6], "normalization_schemes": [], "use_mask_for_norm": [],
            "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        });
        let configuration: Configuration = serde_json::from_value(plans).unwrap();
        let kept = Value::dict(vec![("spacing", Value::List([0.7, 0.8, 3.0].map(Value::Float).to_vec()))]);
        assert_eq!(spacing(&kept, [2, 0, 1], &configuration), Some([3.0, 0.5, 0.6]));
        assert_eq!(spacing(&Value::dict(vec![]), [2, 0, 1], &configuration), None);
    }
}
