//! A pack: one zip archive with a built plugin and everything a user needs to decide whether to install it.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_formats::atomic;
use nnunet_plugin_core::abi::TARGET;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipArchive, ZipWriter};

use super::temporary;
use crate::plugin::{Description, library_name};
use crate::probe;
use crate::trust::{self, OpenFile};

/// The description in a pack.
const DESCRIPTION: &str = "plugin.json";
/// Version of the layout of packs.
const FORMAT: u32 = 1;
/// Beginnings of the names of files beside a crate's manifest that go into its pack.
const TEXTS: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "README"];
/// The largest description and the largest library that are unpacked, in bytes.
const MOST_TEXT: u64 = 1 << 20;
const MOST_LIBRARY: u64 = 4 << 30;

/// What a pack says of the plugin in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackInfo {
    /// Version of the layout.
    pub format: u32,
    /// Name of the plugin.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its license.
    pub license: String,
    /// The machines it is for, as a target triple.
    pub target: String,
    /// ABI, `major.minor`.
    pub abi: String,
    /// Compiler that built it.
    pub rustc: String,
    /// The libtorch it needs; none for a plugin without tensors.
    pub libtorch: Option<String>,
    /// Its components: kind and name.
    pub components: Vec<[String; 2]>,
    /// The library's file in the archive.
    pub library: String,
    /// Hash of the library.
    pub sha256: String,
}

impl PackInfo {
    fn of(about: &Description, sha256: &str) -> Self {
        let component = |info: &nnunet_plugin_core::Info| [info.kind.to_string(), info.name.to_string()];
        Self {
            format: FORMAT,
            name: about.name.clone(),
            version: about.version.clone(),
            license: about.license.clone(),
            target: about.target.clone(),
            abi: about.abi.clone(),
            rustc: about.rustc.clone(),
            libtorch: about.needs_torch.then(|| about.libtorch.clone()),
            components: about.components.iter().map(component).collect(),
            library: library_name(&about.name).display().to_string(),
            sha256: sha256.to_owned(),
        }
    }

    /// The usual name of the archive.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.zip", self.name, self.version, self.target)
    }

    /// Whether the pack is for this machine. The rest is compared when the library is loaded.
    fn check(&self) -> Result<()> {
        ensure!(
            self.format <= FORMAT,
            "it has format {}, and this program knows {FORMAT}; update nnunet",
            self.format
        );
        ensure!(
            self.target == TARGET,
            "it is for {}, and this machine is {TARGET}; ask its author for a pack for this machine, or install it from \
             its sources",
            self.target
        );
        let is_file_name = Path::new(&self.library).file_name() == Some(self.library.as_ref());
        ensure!(
            is_file_name && self.library.ends_with(".so"),
            "`{}` is not the name of a library",
            self.library
        );
        Ok(())
    }
}

impl std::fmt::Display for PackInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let components: Vec<String> = self.components.iter().map(|words| words.join(" ")).collect();
        let torch = self.libtorch.as_ref().map_or(String::new(), |version| format!(", libtorch {version}"));
        writeln!(f, "plugin {} {} ({})", self.name, self.version, self.license)?;
        writeln!(f, "  for {}, ABI {}{torch}", self.target, self.abi)?;
        writeln!(f, "  with {}", components.join(", "))?;
        write!(f, "  sha256 {}", self.sha256)
    }
}

/// Packs a library, with license and readme of its crate if the crate's folder is known. `to` is the archive, or a folder
/// for it. The same library gives the same archive.
///
/// # Errors
/// Returns an error if the library is not a usable plugin, or an I/O error.
pub fn write_pack(library: &Path, crate_folder: Option<&Path>, to: &Path) -> Result<(PathBuf, PackInfo)> {
    let shown = || format!("plugin {}", library.display());
    let open = OpenFile::new(library).with_context(shown)?;
    let about = probe::probe(&open)?.usable().map_err(|(_, error)| error).with_context(shown)?;
    let info = PackInfo::of(&about, &open.sha256);
    let to = if to.is_dir() { to.join(info.file_name()) } else { to.to_owned() };
    let texts = crate_folder.map_or(Ok(Vec::new()), texts)?;
    atomic::replace(&to, |temporary| -> Result<()> {
        let mut archive = ZipWriter::new(File::create(temporary)?);
        let options =
            SimpleFileOptions::default().last_modified_time(DateTime::default()).unix_permissions(0o644);
        archive.start_file(DESCRIPTION, options)?;
        archive.write_all(serde_json::to_string_pretty(&info)?.as_bytes())?;
        for text in &texts {
            archive.start_file(text.file_name().unwrap_or_default().to_string_lossy(), options)?;
            std::io::copy(&mut File::open(text)?, &mut archive)?;
        }
        archive.start_file(&*info.library, options.large_file(true))?;
        std::io::copy(&mut File::open(open.descriptor())?, &mut archive)?;
        archive.finish()?;
        Ok(())
    })
    .with_context(|| to.display().to_string())?;
    Ok((to, info))
}

/// License and readme of a crate, sorted.
fn texts(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let is_text = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        path.is_file() && TEXTS.iter().any(|start| name.starts_with(start))
    };
    let mut texts: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_text).collect();
    texts.sort();
    Ok(texts)
}

/// A pack that was opened. Nothing of it is run.
#[derive(Debug)]
pub struct Pack {
    /// What it says of itself.
    pub info: PackInfo,
    archive: ZipArchive<BufReader<File>>,
}

impl Pack {
    /// Opens a pack that no other user can have written.
    ///
    /// # Errors
    /// Returns an error if the file belongs to another user, is not a pack, or is not for this machine.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = || path.display().to_string();
        let path = trust::owned(path).with_context(shown)?;
        let file = nnunet_formats::input::open(&path)?;
        let mut archive = ZipArchive::new(BufReader::new(file)).with_context(shown)?;
        let info = description(&mut archive).with_context(shown)?;
        info.check().with_context(shown)?;
        Ok(Self { info, archive })
    }

    /// Unpacks the library into a new folder that only this user can read.
    ///
    /// # Errors
    /// Returns an error if the library is missing, larger than it may be, or not the one that the pack describes.
    pub fn unpack(&mut self) -> Result<(TempDir, PathBuf)> {
        let folder = temporary::folder()?;
        let to = folder.path().join(&self.info.library);
        let mut entry = self.archive.by_name(&self.info.library).context("the pack has no library")?;
        let written = std::io::copy(&mut (&mut entry).take(MOST_LIBRARY), &mut File::create(&to)?)?;
        ensure!(written < MOST_LIBRARY, "the library is larger than a library may be");
        let found = trust::sha256(&to)?;
        if found != self.info.sha256 {
            bail!("sha256 of the library: found {found}, wanted {}; the pack is damaged", self.info.sha256);
        }
        Ok((folder, to))
    }
}

fn description(archive: &mut ZipArchive<BufReader<File>>) -> Result<PackInfo> {
    let entry = archive.by_name(DESCRIPTION);
    let entry = entry.with_context(|| format!("it has no {DESCRIPTION}: it is not a pack of a plugin"))?;
    let mut text = String::new();
    entry.take(MOST_TEXT).read_to_string(&mut text)?;
    serde_json::from_str(&text).context(DESCRIPTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> PackInfo {
        PackInfo {
            format: 1,
            name: "my-loss".to_owned(),
            version: "0.1.0".to_owned(),
            license: "Apache-2.0".to_owned(),
            target: TARGET.to_owned(),
            abi: "1.2".to_owned(),
            rustc: "rustc".to_owned(),
            libtorch: Some("2.11.0".to_owned()),
            components: vec![["loss".to_owned(), "MyLoss".to_owned()]],
            library: "libmy_loss.so".to_owned(),
            // Of the three bytes `abc`.
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
        }
    }

    fn pack(folder: &Path, info: &PackInfo, library: &[u8]) -> Result<Pack> {
        let path = folder.join("pack.zip");
        let mut archive = ZipWriter::new(File::create(&path)?);
        let options = SimpleFileOptions::default();
        archive.start_file(DESCRIPTION, options)?;
        archive.write_all(serde_json::to_string(info)?.as_bytes())?;
        archive.start_file("libmy_loss.so", options)?;
        archive.write_all(library)?;
        archive.finish()?;
        Pack::open(&path)
    }

    #[test]
    fn a_library_that_is_not_the_one_described_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (_folder, library) = pack(folder.path(), &info(), b"abc").unwrap().unpack().unwrap();
        assert_eq!(std::fs::read(library).unwrap(), b"abc");
        let error = pack(folder.path(), &info(), b"abd").unwrap().unpack().unwrap_err().to_string();
        assert!(error.contains("the pack is damaged"), "{error}");
    }

    #[test]
    fn packs_for_other_machines_and_odd_names_are_refused_before_anything_is_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |change: fn(&mut PackInfo)| {
            let mut info = info();
            change(&mut info);
            format!("{:#}", pack(folder.path(), &info, b"abc").unwrap_err())
        };
        assert!(refused(|info| info.target = "m68k-none".to_owned()).contains("it is for m68k-none"));
        assert!(refused(|info| info.library = "../x.so".to_owned()).contains("not the name of a library"));
        assert!(refused(|info| info.format = 2).contains("update nnunet"));
        std::fs::write(folder.path().join("text.zip"), "no zip").unwrap();
        assert!(Pack::open(&folder.path().join("text.zip")).is_err());
    }
}
