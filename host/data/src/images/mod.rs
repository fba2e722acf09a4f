//! Image files: the ending of a name says which format component reads or writes it.

mod built_in;
mod geometry;

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Result, bail, ensure};
use ndarray::{Array3, Array4, ArrayView3};
use nnunet_engine::registry::{Origin, Registry, Status};
use nnunet_formats::{Geometry, Image};
use nnunet_plugin_core::{Component, Factory, ImageFormat, ImageHeader, ImageVolume};

use self::geometry::{from_itk, to_itk};
use crate::folders::{copy_file, file_names, has_ending, without_ending};

/// The format in which label maps are written by default.
pub const DEFAULT_ENDING: &str = ".nii.gz";

/// Ends the name of a drawing beside a label map that is a picture.
const OVERLAY: &str = "_overlay";

/// A format in use, by an ending it reads or writes.
struct RegisteredFormat {
    ending: String,
    reads: bool,
    format: Box<dyn ImageFormat>,
    origin: Origin,
    /// Others of the same rank that claim the ending.
    rivals: Vec<Origin>,
}

static FORMATS: OnceLock<Vec<RegisteredFormat>> = OnceLock::new();

/// Installs the formats of a registry, once, before files are read. Of two that claim an ending the one with
/// precedence is used; between equals its use is an error. One that cannot be made is left out, with a warning.
pub fn install(registry: &Registry) {
    let _ = FORMATS.set(collect(registry));
}

fn collect(registry: &Registry) -> Vec<RegisteredFormat> {
    let mut all: Vec<RegisteredFormat> = Vec::new();
    for entry in registry.entries() {
        let Component { info, factory: Factory::Format(make) } = &entry.component else { continue };
        if entry.status() == Status::Shadowed {
            continue;
        }
        for (word, reads) in [("reads", true), ("writes", false)] {
            for ending in info.endings(word) {
                let format = match make(&info.defaults) {
                    Ok(format) => format,
                    Err(error) => {
                        tracing::warn!("{ending} files: {error}");
                        continue;
                    }
                };
                let (ending, origin) = (ending.to_owned(), entry.origin.clone());
                claim(&mut all, RegisteredFormat { ending, reads, format, origin, rivals: Vec::new() });
            }
        }
    }
    // The longest ending that fits a name is meant.
    all.sort_by_key(|known| std::cmp::Reverse(known.ending.len()));
    all
}

fn claim(all: &mut Vec<RegisteredFormat>, new: RegisteredFormat) {
    let Some(old) = all.iter_mut().find(|old| old.ending == new.ending && old.reads == new.reads) else {
        return all.push(new);
    };
    match new.origin.rank().cmp(&old.origin.rank()) {
        Ordering::Less => *old = new,
        Ordering::Equal => old.rivals.push(new.origin),
        Ordering::Greater => {}
    }
}

fn formats() -> &'static [RegisteredFormat] {
    FORMATS.get_or_init(|| nnunet_engine::built_in().map(|registry| collect(&registry)).unwrap_or_default())
}

fn of(path: &Path, reads: bool) -> Result<&'static RegisteredFormat> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let candidates = || formats().iter().filter(|known| known.reads == reads);
    let fits = candidates().find(|known| has_ending(&name, &known.ending));
    let Some(known) = fits else {
        let endings: Vec<&str> = candidates().map(|known| known.ending.as_str()).collect();
        let verb = if reads { "reads" } else { "writes" };
        bail!("{}: no format {verb} it; known endings: {}", path.display(), endings.join(", "));
    };
    if let Some(rival) = known.rivals.first() {
        bail!("{} files are claimed by {} and by {rival}; load one of them only", known.ending, known.origin);
    }
    Ok(known)
}

/// The ending of a name that some format reads.
#[must_use]
pub fn ending(name: &str) -> Option<&'static str> {
    let known = formats().iter().filter(|known| known.reads);
    known.map(|known| known.ending.as_str()).find(|ending| has_ending(name, ending))
}

/// The ending of the images in a folder: `.nii.gz` if it occurs, since pictures may be in the same folder.
#[must_use]
pub fn ending_in(folder: &Path) -> &'static str {
    let names = file_names(folder, "").unwrap_or_default();
    let others = || names.iter().find_map(|name| ending(name));
    if names.iter().any(|name| has_ending(name, DEFAULT_ENDING)) {
        DEFAULT_ENDING
    } else {
        others().unwrap_or(DEFAULT_ENDING)
    }
}

/// A file name without an ending that some format reads.
#[must_use]
pub fn stem(name: &str) -> &str {
    ending(name).and_then(|ending| without_ending(name, ending)).unwrap_or(name)
}

/// Names of the images or label maps of a folder, sorted. They all have the same ending, see [`ending_in`]. Drawings of
/// `predict --overlay` are left out.
///
/// # Errors
/// Returns an error if the folder cannot be read or has no images.
pub fn list(folder: &Path) -> Result<Vec<String>> {
    let ending = ending_in(folder);
    let mut names = file_names(folder, ending)?;
    let stems: BTreeSet<String> = names.iter().map(|name| stem(name).to_owned()).collect();
    let is_overlay = |name: &str| stem(name).strip_suffix(OVERLAY).is_some_and(|case| stems.contains(case));
    names.retain(|name| !is_overlay(name));
    ensure!(!names.is_empty(), "there are no {ending} files in {}", folder.display());
    Ok(names)
}

/// The image of a name without its ending, in whichever format is there.
#[must_use]
pub fn find(folder: &Path, stem: &str) -> Option<PathBuf> {
    let readable = formats().iter().filter(|known| known.reads);
    let paths = readable.map(|known| folder.join(format!("{stem}{}", known.ending)));
    let mut paths = std::iter::once(folder.join(format!("{stem}{DEFAULT_ENDING}"))).chain(paths);
    paths.find(|path| path.is_file())
}

/// Reads an image.
///
/// # Errors
/// Returns an error for an ending that no format reads, or the format's error.
pub fn read(path: &Path) -> Result<Image> {
    let ImageVolume { voxels, geometry } = of(path, true)?.format.read(path)?;
    Ok(Image { geometry: from_itk(voxels.dim(), &geometry), data: voxels })
}

/// Reads an image with all its channels, which only a picture has: (channel, z, y, x).
///
/// # Errors
/// As [`read`]; a TIFF of several pages.
pub fn read_channels(path: &Path) -> Result<Array4<f32>> {
    Ok(of(path, true)?.format.read_channels(path)?)
}

/// Calls `body` with the number and the voxels, in the order y, x, of every slice. Of a NIfTI file one slice is in
/// memory.
///
/// # Errors
/// As [`read`].
pub fn for_each_slice(path: &Path, mut body: impl FnMut(usize, &[f32])) -> Result<Geometry> {
    let ImageHeader { size: [z, y, x], geometry } = of(path, true)?.format.for_each_slice(path, &mut body)?;
    Ok(from_itk((z, y, x), &geometry))
}

/// Reads the geometry of an image.
///
/// # Errors
/// As [`read`].
pub fn read_geometry(path: &Path) -> Result<Geometry> {
    let ImageHeader { size: [z, y, x], geometry } = of(path, true)?.format.read_header(path)?;
    Ok(from_itk((z, y, x), &geometry))
}

/// A number in label maps: of 8 bits, or of 16 for models of v2 with more labels; or one that a head regresses.
pub trait Label: Copy + Default {
    /// Writes a label map, or an image, of such numbers.
    ///
    /// # Errors
    /// Returns the format's error.
    fn write(
        format: &dyn ImageFormat,
        path: &Path,
        labels: ArrayView3<'_, Self>,
        at: &Geometry,
    ) -> Result<()>;
}

impl Label for u8 {
    fn write(
        format: &dyn ImageFormat,
        path: &Path,
        labels: ArrayView3<'_, Self>,
        at: &Geometry,
    ) -> Result<()> {
        Ok(format.write_labels(path, labels, &to_itk(at))?)
    }
}

impl Label for u16 {
    fn write(
        format: &dyn ImageFormat,
        path: &Path,
        labels: ArrayView3<'_, Self>,
        at: &Geometry,
    ) -> Result<()> {
        Ok(format.write_wide_labels(path, labels, &to_itk(at))?)
    }
}

impl Label for f32 {
    fn write(
        format: &dyn ImageFormat,
        path: &Path,
        values: ArrayView3<'_, Self>,
        at: &Geometry,
    ) -> Result<()> {
        Ok(format.write(path, values, &to_itk(at))?)
    }
}

/// Writes a label map.
///
/// # Errors
/// Returns an error for an ending that no format writes, or the format's error.
pub fn write_labels<L: Label>(path: &Path, labels: ArrayView3<'_, L>, geometry: &Geometry) -> Result<()> {
    L::write(&*of(path, false)?.format, path, labels, geometry)
}

/// Writes a label map that was read, whose numbers are labels: with 8 bits, or with 16 where v2 writes these.
///
/// # Errors
/// As [`write_labels`].
pub fn write_label_numbers(path: &Path, labels: &Array3<f32>, geometry: &Geometry) -> Result<()> {
    if labels.iter().all(|label| *label < f32::from(u8::MAX)) {
        write_labels(path, labels.mapv(|label| label as u8).view(), geometry)
    } else {
        write_labels(path, labels.mapv(|label| label as u16).view(), geometry)
    }
}

/// Writes an image.
///
/// # Errors
/// Returns an error if no format writes the ending, or if the format cannot write the image.
pub fn write_image(path: &Path, image: ArrayView3<'_, f32>, geometry: &Geometry) -> Result<()> {
    Ok(of(path, false)?.format.write(path, image, &to_itk(geometry))?)
}

/// Whether numbers in a file that are not finite are read as zero, as ITK's reader of NIfTI does.
#[must_use]
pub fn reads_nan_as_zero(path: &Path) -> bool {
    of(path, true).is_ok_and(|known| known.format.reads_nan_as_zero())
}

/// Reads an image as [`read`] does, but keeps numbers that are not finite. NIfTI's reader makes them zero otherwise.
///
/// # Errors
/// As [`read`].
pub fn read_keeping_nan(path: &Path) -> Result<Image> {
    let ImageVolume { voxels, geometry } = of(path, true)?.format.read_keeping_nan(path)?;
    Ok(Image { geometry: from_itk(voxels.dim(), &geometry), data: voxels })
}

/// Reads a label map.
///
/// # Errors
/// As [`read`]; returns an error too for a value that is not a whole number from 0 to 255.
pub fn read_labels(path: &Path) -> Result<Array3<u8>> {
    labels(path, None)
}

/// Reads a label map of which only the labels `asked` for matter. Other whole numbers, also those beyond 0 to 255 that
/// some programs give to what shall be ignored, become a label that is not asked for.
///
/// # Errors
/// As [`read`]; returns an error too for a value that is not a whole number.
pub fn read_some_labels(path: &Path, asked: &[u8]) -> Result<Array3<u8>> {
    labels(path, (0..=u8::MAX).rev().find(|label| !asked.contains(label)))
}

fn labels(path: &Path, other: Option<u8>) -> Result<Array3<u8>> {
    label_map(path, |value| {
        let label = value as u8;
        let is_other = value.is_finite() && value.fract() == 0.0;
        if value == f32::from(label) { Some(label) } else { other.filter(|_| is_other) }
    })
}

/// Most labels that [`read_numbered`] can tell apart.
pub const MOST_NUMBERED: usize = u8::MAX as usize;

/// Reads a label map of any whole numbers, of which `asked` are numbered from 1, in their order; all others become 0.
///
/// # Errors
/// As [`read`]; returns an error too for a value that is not a whole number, or more than [`MOST_NUMBERED`] labels.
pub fn read_numbered(path: &Path, asked: &[i64]) -> Result<Array3<u8>> {
    ensure!(asked.len() <= MOST_NUMBERED, "at most {MOST_NUMBERED} labels can be told apart at a time");
    let numbers: HashMap<i64, u8> = asked.iter().copied().zip(1..).collect();
    label_map(path, |value| {
        let is_whole = value.is_finite() && value.fract() == 0.0;
        is_whole.then(|| numbers.get(&(value as i64)).copied().unwrap_or(0))
    })
}

/// A label map by `label`, which gives none for a value that is no label.
fn label_map(path: &Path, label: impl Fn(f32) -> Option<u8>) -> Result<Array3<u8>> {
    let (mut labels, mut invalid) = (Vec::new(), None);
    let mut label = |value: f32| {
        label(value).unwrap_or_else(|| {
            invalid.get_or_insert(value);
            0
        })
    };
    let geometry = for_each_slice(path, |_, slice| labels.extend(slice.iter().map(|value| label(*value))))?;
    if let Some(value) = invalid {
        bail!("{} is not a label map: it contains {value}", path.display());
    }
    Ok(Array3::from_shape_vec(geometry.size_zyx(), labels)?)
}

/// Copies a label map; one of another format becomes NIfTI.
///
/// # Errors
/// As [`read`]; values that are no labels.
pub fn as_nifti(from: &Path, to: &Path) -> Result<()> {
    if from.to_string_lossy().ends_with(DEFAULT_ENDING) {
        return copy_file(from, to);
    }
    let labels: Array3<u8> = read_labels(from)?;
    Ok(nnunet_formats::nifti::write_labels(to, labels.view(), &read_geometry(from)?)?)
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_core::{Info, Kind};

    use super::*;

    struct Other;

    impl ImageFormat for Other {}

    fn readers_of(ending: &str, registry: &Registry) -> Vec<Origin> {
        let all = collect(registry);
        all.into_iter()
            .filter(|known| known.reads && known.ending == ending)
            .map(|known| known.origin)
            .collect()
    }

    /// An ending is a plugin's whatever its component is called; a name of the program's own needs the user's consent.
    #[test]
    fn a_plugin_takes_an_ending_from_the_program() {
        for (name, consent) in [("MetaImage", false), ("MHA", true)] {
            let mut registry = nnunet_engine::built_in().unwrap();
            assert_eq!(readers_of(".mha", &registry), [Origin::BuiltIn]);
            let info = Info::new(Kind::Format, name, "").reads(".mha");
            let plugin = Origin::CommandLine("a.so".into());
            let component = Component::format(info, |_| Ok(Box::new(Other)));
            registry.register(component, "a", plugin.clone(), consent).unwrap();
            assert_eq!(readers_of(".mha", &registry), [plugin]);
        }
    }
}
