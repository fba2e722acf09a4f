//! Unpacks a zip of models into the folder of results.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_formats::atomic;
use zip::ZipArchive;
use zip::read::ZipFile;

use super::{layout, plugins};
use crate::folders;

/// Deflate never shrinks by more than this.
const DEFLATE_LIMIT: u64 = 1032;

/// Unpacks `archive` below `results`; returns the models' folders. Everything is unpacked beside the results first: a
/// damaged archive leaves nothing. Files that are there already are only replaced with `overwrite`.
///
/// # Errors
/// Returns an error if the archive is damaged, holds no checkpoint, links, names that lead out of the folder, or two
/// files of one name, or if files exist already.
pub fn install(archive: &Path, results: &Path, overwrite: bool) -> Result<Vec<PathBuf>> {
    let file = nnunet_formats::input::open(archive)?;
    let size = file.metadata()?.len();
    let mut zip = ZipArchive::new(BufReader::new(file)).with_context(|| not_a_zip(archive))?;
    let files = layout::files(&names(&mut zip, size).with_context(|| archive.display().to_string())?)
        .with_context(|| archive.display().to_string())?;
    let names: Vec<PathBuf> = files.values().cloned().collect();
    let there: Vec<&PathBuf> = names.iter().filter(|name| results.join(name).exists()).collect();
    if !(there.is_empty() || overwrite) {
        let folders: BTreeSet<String> = there
            .iter()
            .map(|name| {
                layout::models(&names).into_iter().find(|model| name.starts_with(model)).unwrap_or(name)
            })
            .map(|folder| shown(results.join(folder)))
            .collect();
        bail!(
            "{} files of {} exist already, in {}; replace them with --overwrite",
            there.len(),
            archive.display(),
            folders.into_iter().collect::<Vec<_>>().join(", ")
        );
    }
    folders::create(results)?;
    let folder = atomic::temporary_folder(results).with_context(|| shown(results.to_owned()))?;
    unpack(&mut zip, &files, folder.path()).with_context(|| archive.display().to_string())?;
    let mut changed = BTreeSet::new();
    for name in &names {
        let to = results.join(name);
        let parent = to.parent().unwrap_or(results);
        folders::create(parent)?;
        std::fs::rename(folder.path().join(name), &to).with_context(|| to.display().to_string())?;
        changed.extend(parent.ancestors().take_while(|above| above.starts_with(results)).map(Path::to_owned));
    }
    changed.iter().try_for_each(|folder| atomic::flush(folder, folder))?;
    Ok(layout::models(&names).into_iter().map(|model| results.join(model)).collect())
}

/// Whether an archive has models of v2: their checkpoints end in `.pth`.
///
/// # Errors
/// Returns an error if it is no zip archive.
pub fn is_of_v2(archive: &Path) -> Result<bool> {
    let file = nnunet_formats::input::open(archive)?;
    let zip = ZipArchive::new(BufReader::new(file)).with_context(|| not_a_zip(archive))?;
    Ok(zip.file_names().any(|name| name.is_ok_and(|name| name.ends_with(".pth"))))
}

/// What a file is instead of a zip archive.
fn not_a_zip(path: &Path) -> String {
    let hint = if is_tar(path) {
        ", but a tar archive: unpack it with tar, and name the model's folder"
    } else {
        ""
    };
    format!("{} is not a zip archive{hint}", path.display())
}

/// Whether a file is a tar archive, compressed or not.
#[must_use]
pub fn is_tar(path: &Path) -> bool {
    let mut start = Vec::new();
    // What cannot be read is no tar archive either.
    let _ = File::open(path).and_then(|file| file.take(TAR.end as u64).read_to_end(&mut start));
    start.starts_with(&[0x1f, 0x8b]) || start.get(TAR).is_some_and(|word| word == b"ustar")
}

/// Where a tar archive has the word that marks it.
const TAR: std::ops::Range<usize> = 257..262;

fn shown(path: PathBuf) -> String {
    path.display().to_string()
}

/// The files without those of plugins, all below the folder they are unpacked to.
fn names(zip: &mut ZipArchive<BufReader<File>>, size: u64) -> Result<Vec<PathBuf>> {
    let mut names: Vec<PathBuf> = Vec::new();
    let mut known = BTreeSet::new();
    let mut total = 0_u64;
    for i in 0..zip.len() {
        let entry = zip.by_index(i)?;
        let name = safe_name(&entry)?;
        total = total.saturating_add(entry.size());
        if entry.is_dir() || plugins::is_own(&name) {
            continue;
        }
        ensure!(known.insert(name.clone()), "two of its files have the name {}", name.display());
        names.push(name);
    }
    ensure!(
        total <= size.saturating_mul(DEFLATE_LIMIT),
        "it claims {total} bytes, more than fit into {size}"
    );
    let inside = names.iter().find(|name| name.ancestors().skip(1).any(|folder| known.contains(folder)));
    if let Some(name) = inside {
        bail!("{} lies below another of its files", name.display());
    }
    Ok(names)
}

fn safe_name<R: std::io::Read>(entry: &ZipFile<'_, R>) -> Result<PathBuf> {
    let written = entry.name()?;
    let inside = entry.enclosed_name().filter(|_| !written.starts_with('/'));
    let Some(name) = inside else { bail!("`{written}` leads out of the folder") };
    let name = normalized(&name);
    ensure!(!entry.is_symlink(), "`{}` is a link", name.display());
    Ok(name)
}

/// A relative path without `.` and `..`, which leads nowhere else.
fn normalized(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    clean
}

/// Unpacks files; of each the name in the archive and the one it gets.
fn unpack(
    zip: &mut ZipArchive<BufReader<File>>,
    files: &BTreeMap<PathBuf, PathBuf>,
    to: &Path,
) -> Result<()> {
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i)?;
        let Some(name) = files.get(&safe_name(&entry)?).filter(|_| !entry.is_dir()) else { continue };
        let path = to.join(name);
        folders::create(path.parent().unwrap_or(to))?;
        let mut file = File::create(&path).with_context(|| shown(path.clone()))?;
        let size = entry.size();
        // One byte more, so that the end is seen, and with it the checksum.
        let written = std::io::copy(&mut (&mut entry).take(size.saturating_add(1)), &mut file)
            .with_context(|| format!("{} cannot be unpacked", path.display()))?;
        ensure!(written == size, "{} has not the size that the archive says", path.display());
        atomic::flush(&path, &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::exchange::{CarriedPlugins, Export, export};

    const MODEL: &str = "2d/Task001_X/T__P";

    fn put(root: &Path, name: &str, text: &str) {
        folders::create(root.join(name).parent().unwrap()).unwrap();
        std::fs::write(root.join(name), text).unwrap();
    }

    fn results(folder: &Path) -> PathBuf {
        let root = folder.join("from");
        for name in [
            "fold_0/model_final_checkpoint.model",
            "fold_0/model_final_checkpoint.model.pkl",
            "fold_0/debug.json",
        ] {
            put(&root, &format!("{MODEL}/{name}"), name);
        }
        put(&root, &format!("{MODEL}/fold_0/model_best.model"), "stays at home");
        put(&root, &format!("{MODEL}/plans.pkl"), "plans");
        put(&root, &format!("{MODEL}/postprocessing.json"), "{}");
        root
    }

    fn what(results: PathBuf) -> Export {
        let model = |configuration: &str| [configuration, "T", "P"].map(str::to_owned);
        Export {
            results,
            task: "Task001_X".to_owned(),
            models: vec![model("2d"), model("3d_fullres")],
            folds: vec!["0".to_owned()],
            strict: false,
            packs: Vec::new(),
        }
    }

    #[test]
    fn what_is_exported_can_be_installed_once() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("model.zip");
        let mut what = what(results(folder.path()));
        assert_eq!(export(&what, &archive).unwrap(), 5);
        let to = folder.path().join("to");
        assert_eq!(install(&archive, &to, false).unwrap(), [to.join(MODEL)]);
        let text =
            std::fs::read_to_string(to.join(MODEL).join("fold_0/model_final_checkpoint.model")).unwrap();
        assert_eq!(text, "fold_0/model_final_checkpoint.model");
        assert!(!to.join(MODEL).join("fold_0/model_best.model").exists());
        let again = install(&archive, &to, false).unwrap_err().to_string();
        assert!(again.contains("5 files of") && again.contains("--overwrite"), "{again}");
        install(&archive, &to, true).unwrap();
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 1, "temporary files are left");
        what.strict = true;
        let missing = export(&what, &archive).unwrap_err().to_string();
        assert!(missing.contains("3d_fullres"), "{missing}");
    }

    #[test]
    fn packs_that_an_archive_carries_are_not_part_of_its_models() {
        let folder = tempfile::tempdir().unwrap();
        let (archive, pack) = (folder.path().join("model.zip"), folder.path().join("p-0.1.0-t.zip"));
        std::fs::write(&pack, "a pack").unwrap();
        let what = Export { packs: vec![pack], ..what(results(folder.path())) };
        assert_eq!(export(&what, &archive).unwrap(), 7);
        let to = folder.path().join("to");
        install(&archive, &to, false).unwrap();
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 1);
        let carried = CarriedPlugins::read(&archive).unwrap();
        assert_eq!(carried.packs, ["p-0.1.0-t.zip"]);
        let packs = carried.unpack(&archive, folder.path()).unwrap();
        assert_eq!(std::fs::read(&packs[0]).unwrap(), b"a pack");
    }

    /// An archive of the model's files, with names that `named` makes of theirs, and others.
    fn zipped(to: &Path, named: impl Fn(&str) -> Option<String>, others: &[&str]) {
        let files =
            ["fold_0/model_final_checkpoint.model", "fold_0/model_final_checkpoint.model.pkl", "plans.pkl"];
        let names = files.iter().filter_map(|name| named(&format!("{MODEL}/{name}")));
        let mut zip = ZipWriter::new(File::create(to).unwrap());
        for name in names.chain(others.iter().map(|name| (*name).to_owned())) {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(b"x").unwrap();
        }
        zip.finish().unwrap();
    }

    #[test]
    fn archives_made_by_hand_are_installed_where_models_are_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (archive, to) = (folder.path().join("a.zip"), folder.path().join("to"));
        let noise = [
            "__MACOSX/nnUNet/2d/Task001_X/T__P/fold_0/._model_final_checkpoint.model",
            "README.txt",
            "nnUNet/.DS_Store",
        ];
        zipped(&archive, |name| Some(format!("nnUNet/{name}")), &noise);
        assert_eq!(install(&archive, &to, false).unwrap(), [to.join(MODEL)]);
        assert!(to.join(MODEL).join("plans.pkl").is_file());
        let names: Vec<_> = std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["2d"]);
        let there = install(&archive, &to, false).unwrap_err().to_string();
        assert!(there.contains(&format!("exist already, in {};", to.join(MODEL).display())), "{there}");
    }

    #[test]
    fn models_that_are_not_whole_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (archive, to) = (folder.path().join("a.zip"), folder.path().join("to"));
        for missing in ["fold_0/model_final_checkpoint.model.pkl", "plans.pkl"] {
            zipped(&archive, |name| (!name.ends_with(&format!("/{missing}"))).then(|| name.to_owned()), &[]);
            let error = format!("{:#}", install(&archive, &to, false).unwrap_err());
            assert!(error.ends_with(&format!("{MODEL}/{missing} is missing")), "{error}");
        }
        zipped(&archive, |name| name.strip_prefix("2d/").map(str::to_owned), &[]);
        let error = format!("{:#}", install(&archive, &to, false).unwrap_err());
        assert!(error.contains("lies in CONFIGURATION/TaskXXX_NAME/TRAINER__PLANS/fold_X"), "{error}");
        assert!(!to.exists());
    }

    #[test]
    fn tar_archives_are_recognized() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.tar");
        let mut tar = vec![0; 512];
        tar[TAR].copy_from_slice(b"ustar");
        for (bytes, hint) in [(tar, true), (b"\x1f\x8b\x08".to_vec(), true), (b"text".to_vec(), false)] {
            std::fs::write(&path, bytes).unwrap();
            let error = install(&path, folder.path(), false).unwrap_err().to_string();
            assert_eq!(error.contains("unpack it with tar"), hint, "{error}");
        }
    }

    #[test]
    fn folders_of_killed_installations_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("model.zip");
        export(&what(results(folder.path())), &archive).unwrap();
        let to = folder.path().join("to");
        put(&to, ".tmp-dead/2d/half", "");
        install(&archive, &to, false).unwrap();
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 1);
    }

    #[test]
    fn archives_that_reach_elsewhere_or_hold_no_model_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.zip");
        for (name, reason) in [
            ("../x/fold_0/a.model", "leads out of the folder"),
            ("/x/fold_0/a.model", "leads out of the folder"),
            ("x/readme.txt", "holds no checkpoint"),
        ] {
            let mut zip = ZipWriter::new(File::create(&archive).unwrap());
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(b"x").unwrap();
            zip.finish().unwrap();
            let error = format!("{:#}", install(&archive, &folder.path().join("to"), false).unwrap_err());
            assert!(error.contains(reason) && error.contains("a.zip"), "{name}: {error}");
        }
        for second in
            ["x/./fold_0/a.model", "x//fold_0/a.model", "x/y/../fold_0/a.model", "x/fold_0/a.model/b"]
        {
            let mut zip = ZipWriter::new(File::create(&archive).unwrap());
            for name in ["x/fold_0/a.model", second] {
                zip.start_file(name, SimpleFileOptions::default()).unwrap();
            }
            zip.finish().unwrap();
            let error = format!("{:#}", install(&archive, &folder.path().join("to"), false).unwrap_err());
            assert!(error.contains("two of its files") || error.contains("lies below"), "{second}: {error}");
        }
        let mut zip = ZipWriter::new(File::create(&archive).unwrap());
        zip.add_symlink("x/fold_0/a.model", "/etc", SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap();
        let error = format!("{:#}", install(&archive, &folder.path().join("to"), false).unwrap_err());
        assert!(error.contains("is a link"), "{error}");
        assert!(!folder.path().join("to").exists());
    }
}
