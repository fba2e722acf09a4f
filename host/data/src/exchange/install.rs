//! Unpacks a zip of models into the folder of results.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use zip::ZipArchive;
use zip::read::ZipFile;

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
    let mut zip = ZipArchive::new(BufReader::new(file))
        .with_context(|| format!("{} is not a zip archive", archive.display()))?;
    let names = names(&mut zip, size).with_context(|| archive.display().to_string())?;
    let there: Vec<String> =
        names.iter().map(|name| results.join(name)).filter(|path| path.exists()).map(shown).collect();
    if !(there.is_empty() || overwrite) {
        bail!(
            "{} files of {} exist already; replace them with --overwrite: {}",
            there.len(),
            archive.display(),
            there.join(", ")
        );
    }
    folders::create(results)?;
    remove_abandoned(results);
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(results)?;
    let lock = File::create(folder.path().join(LOCK)).with_context(|| shown(folder.path().to_owned()))?;
    // Not all file systems have locks; without one the folder counts as abandoned when this process has ended.
    let _ = lock.try_lock();
    unpack(&mut zip, folder.path()).with_context(|| archive.display().to_string())?;
    for name in &names {
        let to = results.join(name);
        folders::create(to.parent().unwrap_or(results))?;
        std::fs::rename(folder.path().join(name), &to).with_context(|| to.display().to_string())?;
    }
    Ok(models(&names).into_iter().map(|model| results.join(model)).collect())
}

/// How the folders begin that archives are unpacked into.
const PREFIX: &str = ".tmp-install-";
/// File in such a folder that the installing process locks; a checkpoint cannot have this name.
const LOCK: &str = ".lock";

/// Removes folders of installations that were killed. One whose lock is held belongs to a running process.
fn remove_abandoned(results: &Path) {
    let entries = std::fs::read_dir(results).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let lock = File::open(entry.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn shown(path: PathBuf) -> String {
    path.display().to_string()
}

/// The files, all below the folder they are unpacked to.
fn names(zip: &mut ZipArchive<BufReader<File>>, size: u64) -> Result<Vec<PathBuf>> {
    let mut names: Vec<PathBuf> = Vec::new();
    let mut known = BTreeSet::new();
    let mut total = 0_u64;
    for i in 0..zip.len() {
        let entry = zip.by_index(i)?;
        let name = safe_name(&entry)?;
        total = total.saturating_add(entry.size());
        if entry.is_dir() {
            continue;
        }
        ensure!(known.insert(name.clone()), "two of its files have the name {}", name.display());
        ensure!(name != Path::new(LOCK), "it holds a file called {LOCK}");
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
    ensure!(!models(&names).is_empty(), "it holds no checkpoint (.model or .pth): not an exported model");
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

fn unpack(zip: &mut ZipArchive<BufReader<File>>, to: &Path) -> Result<()> {
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i)?;
        let path = to.join(safe_name(&entry)?);
        if entry.is_dir() {
            continue;
        }
        folders::create(path.parent().unwrap_or(to))?;
        let mut file = File::create(&path).with_context(|| shown(path.clone()))?;
        let size = entry.size();
        // One byte more, so that the end is seen, and with it the checksum.
        let written = std::io::copy(&mut (&mut entry).take(size.saturating_add(1)), &mut file)
            .with_context(|| format!("{} cannot be unpacked", path.display()))?;
        ensure!(written == size, "{} has not the size that the archive says", path.display());
    }
    Ok(())
}

/// Folders above the folds that hold a checkpoint.
fn models(names: &[PathBuf]) -> Vec<&Path> {
    let is_checkpoint =
        |name: &Path| name.extension().is_some_and(|ending| ending == "model" || ending == "pth");
    let mut models: Vec<&Path> =
        names.iter().filter(|name| is_checkpoint(name)).filter_map(|name| name.parent()?.parent()).collect();
    models.sort_unstable();
    models.dedup();
    models
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::exchange::{Export, export};

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
    fn folders_of_killed_installations_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["dead", "alive"] {
            put(folder.path(), &format!("{PREFIX}{name}/{LOCK}"), "");
        }
        let held = File::open(folder.path().join(format!("{PREFIX}alive/{LOCK}"))).unwrap();
        held.lock().unwrap();
        remove_abandoned(folder.path());
        assert!(!folder.path().join(format!("{PREFIX}dead")).exists());
        assert!(folder.path().join(format!("{PREFIX}alive")).exists());
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
