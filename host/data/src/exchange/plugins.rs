//! The plugins that the models of an archive were made with, and the packs of plugins that an archive carries.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_engine::provenance::{PluginUse, join};
use nnunet_formats::pickle;
use serde::{Deserialize, Serialize};
use zip::ZipArchive;

/// The list in an archive.
const LIST: &str = "nnunet_plugins.json";
/// The folder of packs in an archive.
const FOLDER: &str = "nnunet_plugins";
/// The largest list and the largest pack that are read, in bytes.
const MOST_LIST: u64 = 1 << 20;
const MOST_PACK: u64 = 4 << 30;

/// What an archive says of plugins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedPlugins {
    /// The plugins that its models were made with.
    pub needed: Vec<PluginUse>,
    /// File names of the packs in it.
    pub packs: Vec<String>,
}

impl CarriedPlugins {
    /// What an archive says of plugins; nothing for an archive without a list.
    ///
    /// # Errors
    /// Returns an error for a damaged archive or list.
    pub fn read(archive: &Path) -> Result<Self> {
        let shown = || archive.display().to_string();
        let mut zip = open(archive)?;
        if zip.index_for_name(LIST).is_none() {
            return Ok(Self::default());
        }
        let mut text = String::new();
        zip.by_name(LIST).with_context(shown)?.take(MOST_LIST).read_to_string(&mut text)?;
        let carried: Self = serde_json::from_str(&text).with_context(shown)?;
        let is_name =
            |name: &String| Path::new(name).file_name() == Some(name.as_ref()) && name.ends_with(".zip");
        ensure!(carried.packs.iter().all(is_name), "{}: {LIST} has a name that is not a pack's", shown());
        Ok(carried)
    }

    /// Unpacks the packs into a folder; nothing of them is run.
    ///
    /// # Errors
    /// Returns an error for a pack that is missing or too large, or an I/O error.
    pub fn unpack(&self, archive: &Path, to: &Path) -> Result<Vec<PathBuf>> {
        let mut zip = open(archive)?;
        let unpack = |name: &String| -> Result<PathBuf> {
            let path = to.join(name);
            let entry = zip.by_name(&format!("{FOLDER}/{name}")).with_context(|| name.clone())?;
            let written = std::io::copy(&mut entry.take(MOST_PACK), &mut File::create(&path)?)?;
            ensure!(written < MOST_PACK, "{name} is larger than a pack may be");
            Ok(path)
        };
        self.packs.iter().map(unpack).collect()
    }

    /// The files of an archive: names in it, and where they are. The list is written to `folder`.
    pub(super) fn files(&self, packs: &[PathBuf], folder: &Path) -> Result<Vec<(String, PathBuf)>> {
        if *self == Self::default() {
            return Ok(Vec::new());
        }
        let list = folder.join(LIST);
        std::fs::write(&list, serde_json::to_vec_pretty(self)?)
            .with_context(|| list.display().to_string())?;
        let packs = packs.iter().map(|pack| (format!("{FOLDER}/{}", file_name(pack)), pack.clone()));
        Ok(std::iter::once((LIST.to_owned(), list)).chain(packs).collect())
    }

    /// The plugins of models with these files, and these packs.
    pub(super) fn of(results: &Path, files: &[PathBuf], packs: &[PathBuf]) -> Result<Self> {
        let infos = files.iter().filter(|file| file.display().to_string().ends_with(".model.pkl"));
        let mut needed = Vec::new();
        for info in infos {
            needed = join(needed, of_model(&results.join(info))?);
        }
        Ok(Self { needed, packs: packs.iter().map(|pack| file_name(pack)).collect() })
    }
}

/// Whether a file of an archive is about plugins, and not a model's.
pub(super) fn is_own(name: &Path) -> bool {
    name == Path::new(LIST) || name.starts_with(FOLDER)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn open(archive: &Path) -> Result<ZipArchive<File>> {
    let file = nnunet_formats::input::open(archive)?;
    ZipArchive::new(file).with_context(|| format!("{} is not a zip archive", archive.display()))
}

/// The plugins that the file beside a checkpoint names; none for one of Python.
fn of_model(info: &Path) -> Result<Vec<PluginUse>> {
    let shown = || info.display().to_string();
    let Ok(pickle) = pickle::load(info) else { return Ok(Vec::new()) };
    let text = pickle.get("nnunet").and_then(|own| own.get("plugins")?.as_str());
    text.map_or(Ok(Vec::new()), |text| serde_json::from_str(text).with_context(shown))
}
