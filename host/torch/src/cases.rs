//! Preprocessed cases on disk, read by crop.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ndarray::{Array4, ArrayViewMut4, Axis, s};
use nnunet_formats::npy::{self, MappedVolume};
use nnunet_formats::npz;
use nnunet_host::records;
use nnunet_plugin_api::vocabulary::CaseProperties;
use nnunet_training::CaseSource;
use rayon::prelude::*;

use crate::cascade;

/// A case, mapped into memory or held.
enum Volume {
    Mapped(MappedVolume),
    Held(Array4<f32>),
}

struct Case {
    name: String,
    volume: Volume,
    /// The previous stage's labels, in a cascade.
    previous: Option<Volume>,
    locations: Vec<Vec<[i64; 3]>>,
}

/// Cases of one stage of a preprocessed task.
pub(crate) struct StageCases {
    cases: Vec<Case>,
    label_channels: usize,
}

impl StageCases {
    /// Opens cases, in a cascade with labels from the folder `previous`. Unless `compressed`, each npz is unpacked once
    /// to an npy beside it, which is mapped.
    pub(crate) fn open(
        folder: &Path,
        previous: Option<&Path>,
        names: &[String],
        compressed: bool,
    ) -> Result<Self> {
        let open = |name: &String| {
            let properties = properties(folder, name)?;
            let locations =
                properties.class_locations.unwrap_or_default().into_iter().map(|class| class.locations);
            Ok(Case {
                name: name.clone(),
                volume: volume(folder, name, compressed)?,
                previous: previous.map(|folder| previous_labels(folder, name, compressed)).transpose()?,
                locations: locations.collect(),
            })
        };
        let cases = names.par_iter().map(open).collect::<Result<_>>()?;
        Ok(Self { cases, label_channels: 1 + usize::from(previous.is_some()) })
    }
}

/// Properties of a preprocessed case.
pub(crate) fn properties(folder: &Path, name: &str) -> Result<CaseProperties> {
    records::load(&folder.join(format!("{name}.pkl")), records::case_from_pickle)
}

/// All channels of a preprocessed case, labels last.
pub(crate) fn load(folder: &Path, name: &str) -> Result<Array4<f32>> {
    Ok(npz::load_f32(&folder.join(format!("{name}.npz")), "data")?)
}

fn volume(folder: &Path, name: &str, compressed: bool) -> Result<Volume> {
    if compressed {
        return Ok(Volume::Held(load(folder, name)?));
    }
    let unpacked: PathBuf = folder.join(format!("{name}.npy"));
    if !unpacked.is_file() {
        npy::save(&unpacked, load(folder, name)?.view())?;
    }
    Ok(Volume::Mapped(MappedVolume::open(&unpacked)?))
}

fn previous_labels(folder: &Path, name: &str, compressed: bool) -> Result<Volume> {
    if compressed {
        let labels = cascade::load(folder, name)?;
        return Ok(Volume::Held(labels.mapv(f32::from).insert_axis(Axis(0))));
    }
    let unpacked: PathBuf = folder.join(format!("{}.npy", cascade::stem(name)));
    if !unpacked.is_file() {
        npy::save_u8(&unpacked, cascade::load(folder, name)?.view())?;
    }
    Ok(Volume::Mapped(MappedVolume::open(&unpacked)?))
}

/// Names of the preprocessed cases in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    let names = nnunet_host::folders::case_names(folder);
    (!names.is_empty()).then_some(names).with_context(|| {
        format!(
            "there are no preprocessed cases in {}; run nnunet plan_and_preprocess first",
            folder.display()
        )
    })
}

impl CaseSource for StageCases {
    fn len(&self) -> usize {
        self.cases.len()
    }

    fn name(&self, case: usize) -> &str {
        &self.cases[case].name
    }

    fn shape(&self, case: usize) -> [usize; 4] {
        let [channels, z, y, x] = match &self.cases[case].volume {
            Volume::Mapped(volume) => volume.shape(),
            Volume::Held(array) => [array.shape()[0], array.shape()[1], array.shape()[2], array.shape()[3]],
        };
        [channels.saturating_sub(1), z, y, x]
    }

    fn label_channels(&self) -> usize {
        self.label_channels
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
        let channels = data.shape()[0];
        let Case { volume, previous, .. } = &self.cases[case];
        let (labels, further) = seg.view_mut().split_at(Axis(0), 1);
        volume.crop(0..channels, space, data);
        volume.crop(channels..channels + 1, space, labels);
        if let Some(previous) = previous {
            previous.crop(0..1, space, further);
        }
        Ok(())
    }
}

impl Volume {
    fn crop(&self, channels: Range<usize>, space: &[Range<usize>; 3], mut out: ArrayViewMut4<'_, f32>) {
        match self {
            Volume::Mapped(volume) => volume.crop(channels, space.clone(), out),
            Volume::Held(array) => {
                let [z, y, x] = space.clone();
                out.assign(&array.slice(s![channels, z, y, x]));
            }
        }
    }
}
