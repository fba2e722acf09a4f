//! Preprocessed cases on disk, read by crop.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::{Array4, ArrayViewMut4, Axis, s};
use nnunet_cli::report;
use nnunet_data::records;
use nnunet_formats::npy::{self, MappedVolume};
use nnunet_formats::{CompressedVolume, npz};
use nnunet_plugin_api::Config;
use nnunet_plugin_api::vocabulary::CaseProperties;
use nnunet_training::CaseSource;
use rayon::prelude::*;
use serde_json::json;

use super::second_stage;

/// A case, mapped into memory or decompressed for every crop.
enum Volume {
    Mapped(MappedVolume),
    Compressed(CompressedVolume),
}

struct Case {
    name: String,
    volume: Volume,
    /// The previous stage's labels, in a cascade.
    previous: Option<Volume>,
    locations: Vec<Vec<[i64; 3]>>,
    spacing: Option<[f64; 3]>,
    classes: Vec<f32>,
}

/// Cases of one stage of a preprocessed task.
pub(crate) struct StageCases {
    cases: Vec<Case>,
    label_channels: usize,
}

impl StageCases {
    /// Opens cases, in a cascade with labels from the folder `previous`. Unless `compressed`, each npz is unpacked once
    /// to an npy beside it, which is mapped; otherwise it is decompressed for every crop. Every case must have `channels`
    /// images, as the plans say, and its labels.
    pub(crate) fn open(
        folder: &Path,
        previous: Option<&Path>,
        names: &[String],
        channels: usize,
        compressed: bool,
    ) -> Result<Self> {
        let open = |name: &String| {
            let properties = properties(folder, name)?;
            let volume = volume(folder, name, compressed)?;
            let found = volume.shape()[0];
            ensure!(
                found == channels + 1,
                "{}: it has {found} channels; the plans have {channels} modalities, and one channel more for the \
                 labels. Run nnunet plan_and_preprocess again",
                packed(folder, name).display()
            );
            let (spacing, classes) = (properties.spacing_after_resampling, properties.classes);
            let locations =
                properties.class_locations.unwrap_or_default().into_iter().map(|class| class.locations);
            Ok(Case {
                name: name.clone(),
                volume,
                previous: previous.map(|folder| previous_labels(folder, name, compressed)).transpose()?,
                locations: locations.collect(),
                spacing,
                classes,
            })
        };
        let unpacks = !compressed && names.iter().any(|name| !unpacked(folder, name).is_file());
        if unpacks {
            report::line("unpacking dataset");
        }
        let cases = names.par_iter().map(open).collect::<Result<_>>()?;
        if unpacks {
            report::line("done");
        }
        Ok(Self { cases, label_channels: 1 + usize::from(previous.is_some()) })
    }
}

/// Properties of a preprocessed case.
pub(crate) fn properties(folder: &Path, name: &str) -> Result<CaseProperties> {
    records::load(&folder.join(format!("{name}.pkl")), records::case_from_pickle)
}

/// All channels of a preprocessed case, labels last.
pub(crate) fn load(folder: &Path, name: &str) -> Result<Array4<f32>> {
    Ok(npz::load_f32(&packed(folder, name), KEY)?)
}

/// Key of the array in an archive of a case.
const KEY: &str = "data";

fn packed(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.npz"))
}

fn unpacked(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.npy"))
}

/// Bytes that unpacking a case will write; none where it is unpacked already, or cannot be read, which shows later.
pub(crate) fn bytes_to_unpack(folder: &Path, name: &str) -> u64 {
    if unpacked(folder, name).is_file() {
        return 0;
    }
    let volume = CompressedVolume::open(&packed(folder, name), KEY);
    volume.map_or(0, |volume| volume.shape().iter().map(|len| *len as u64).product::<u64>() * 4)
}

fn volume(folder: &Path, name: &str, compressed: bool) -> Result<Volume> {
    if compressed {
        return Ok(Volume::Compressed(CompressedVolume::open(&packed(folder, name), KEY)?));
    }
    let unpacked = unpacked(folder, name);
    if !unpacked.is_file() {
        npy::save(&unpacked, load(folder, name)?.view())?;
    }
    Ok(Volume::Mapped(MappedVolume::open(&unpacked)?))
}

fn previous_labels(folder: &Path, name: &str, compressed: bool) -> Result<Volume> {
    if compressed {
        let packed = packed(folder, &second_stage::stem(name));
        return Ok(Volume::Compressed(CompressedVolume::open(&packed, KEY)?));
    }
    let unpacked: PathBuf = folder.join(format!("{}.npy", second_stage::stem(name)));
    if !unpacked.is_file() {
        npy::save_u8(&unpacked, second_stage::load(folder, name)?.view())?;
    }
    Ok(Volume::Mapped(MappedVolume::open(&unpacked)?))
}

/// Names of the preprocessed cases in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    let none = || {
        format!(
            "there are no preprocessed cases in {}; run nnunet plan_and_preprocess first",
            folder.display()
        )
    };
    let names = nnunet_data::folders::case_names(folder).with_context(none)?;
    (!names.is_empty()).then_some(names).with_context(none)
}

impl CaseSource for StageCases {
    fn len(&self) -> usize {
        self.cases.len()
    }

    fn name(&self, case: usize) -> &str {
        &self.cases[case].name
    }

    fn shape(&self, case: usize) -> [usize; 4] {
        let [channels, z, y, x] = self.cases[case].volume.shape();
        [channels.saturating_sub(1), z, y, x]
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

    fn read(
        &self,
        case: usize,
        space: &[Range<usize>; 3],
        data: ArrayViewMut4<'_, f32>,
        mut seg: ArrayViewMut4<'_, f32>,
    ) -> nnunet_plugin_api::Result<()> {
        let Case { volume, previous, .. } = &self.cases[case];
        let (labels, further) = seg.view_mut().split_at(Axis(0), 1);
        volume.crop(space, data, labels)?;
        match previous {
            Some(Volume::Mapped(previous)) => previous.crop(0..1, space.clone(), further),
            Some(Volume::Compressed(previous)) => {
                previous.crop(0..1, space.clone(), further).map_err(unreadable)?;
            }
            None => {}
        }
        Ok(())
    }
}

impl Volume {
    /// (c, z, y, x).
    fn shape(&self) -> [usize; 4] {
        match self {
            Volume::Mapped(volume) => volume.shape(),
            Volume::Compressed(volume) => volume.shape(),
        }
    }

    /// Image channels and the labels that follow them. A compressed volume is gone through once for both.
    fn crop(
        &self,
        space: &[Range<usize>; 3],
        mut data: ArrayViewMut4<'_, f32>,
        mut labels: ArrayViewMut4<'_, f32>,
    ) -> nnunet_plugin_api::Result<()> {
        let channels = data.shape()[0];
        match self {
            Volume::Mapped(volume) => {
                volume.crop(0..channels, space.clone(), data);
                volume.crop(channels..channels + 1, space.clone(), labels);
            }
            Volume::Compressed(volume) => {
                let [z, y, x] = space.each_ref().map(Range::len);
                let mut all = Array4::zeros((channels + 1, z, y, x));
                volume.crop(0..channels + 1, space.clone(), all.view_mut()).map_err(unreadable)?;
                data.assign(&all.slice(s![..channels, .., .., ..]));
                labels.assign(&all.slice(s![channels.., .., .., ..]));
            }
        }
        Ok(())
    }
}

fn unreadable(error: nnunet_formats::Error) -> nnunet_plugin_api::Error {
    nnunet_plugin_api::Error::message(error.to_string())
}
