//! Files are written completely or not at all, even after a power failure.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// How the names of temporary files start; what is left of them after a kill can be removed.
pub const TEMPORARY_PREFIX: &str = ".tmp-";

/// Whether files and folders are flushed to the disk; see [`set_durable`].
static DURABLE: AtomicBool = AtomicBool::new(true);

/// Sets whether a file is flushed to the disk before it gets its name, and its folder after that. Without it a power
/// failure may leave empty files under their final names. Tests of many small files are faster without it.
pub fn set_durable(durable: bool) {
    DURABLE.store(durable, Ordering::Relaxed);
}

/// Writes a file through `body`: to a temporary name in the same folder, renamed when complete, removed on error.
///
/// # Errors
/// Returns the error of `body`, or an I/O error if the file cannot be written.
pub fn write(path: &Path, body: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    replace(path, |temporary| {
        let file = std::fs::OpenOptions::new().write(true).open(temporary).map_err(|e| Error::io(path, e))?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        body(&mut out).and_then(|()| out.flush()).map_err(|source| Error::io(path, source))
    })
}

/// Writes bytes to a file.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, |out| out.write_all(bytes))
}

/// Lets `body` fill a temporary file beside `path`, then renames it. To a device or FIFO (`/dev/stdout`) the bytes are
/// copied: a rename would put a file in its place.
///
/// # Errors
/// As [`write`].
pub fn replace<E: From<Error>>(path: &Path, body: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    replace_as(path, "", body)
}

/// As [`replace`]; the temporary file's name ends with `suffix`.
pub(crate) fn replace_as<E: From<Error>>(
    path: &Path,
    suffix: &str,
    body: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let is_stream = std::fs::metadata(path).is_ok_and(|target| !target.is_file() && !target.is_dir());
    let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = if is_stream { &std::env::temp_dir() } else { beside };
    let temporary = temporary_file(folder, suffix).map_err(|source| Error::io(path, source))?;
    body(temporary.path())?;
    if is_stream {
        return Ok(copy_into(temporary.path(), path)?);
    }
    flush(temporary.path(), path)?;
    temporary.persist(path).map_err(|failed| Error::io(path, failed.error))?;
    Ok(flush(folder, folder)?)
}

/// Makes a locked file. Another process may have taken it for an abandoned one before it was locked; then there is a new one.
fn temporary_file(folder: &Path, suffix: &str) -> std::io::Result<tempfile::NamedTempFile> {
    loop {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .suffix(suffix)
            .permissions_like_open()
            .tempfile_in(folder)?;
        if lock(file.as_file(), file.path())? {
            return Ok(file);
        }
    }
}

/// Copies the bytes of a file into a device or FIFO.
fn copy_into(from: &Path, stream: &Path) -> Result<()> {
    let copy = || -> std::io::Result<()> {
        let mut out = std::fs::OpenOptions::new().write(true).open(stream)?;
        std::io::copy(&mut File::open(from)?, &mut out)?;
        out.flush()
    };
    copy().map_err(|source| Error::io(stream, source))
}

/// Lets `body` write two files that belong together into a temporary folder beside `first`; it returns their paths
/// there. The files then get their names. An old `second` is removed before that, and the new one comes last: whoever
/// finds `second` finds a complete pair.
pub(crate) fn replace_two(
    first: &Path,
    second: &Path,
    body: impl FnOnce(&Path) -> Result<[PathBuf; 2]>,
) -> Result<()> {
    let folder = first.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = temporary_folder(folder).map_err(|source| Error::io(first, source))?;
    let written = body(temporary.path())?;
    for (from, to) in written.iter().zip([first, second]) {
        flush(from, to)?;
    }
    match std::fs::remove_file(second) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(second, error)),
        _ => {}
    }
    for (from, to) in written.iter().zip([first, second]) {
        std::fs::rename(from, to).map_err(|source| Error::io(to, source))?;
    }
    flush(folder, folder)
}

/// Lets `body` fill a temporary folder beside `to`, then renames it; removed on error. `to` must not exist, or be an empty
/// folder.
///
/// # Errors
/// Returns the error of `body`, or an I/O error.
pub fn folder<E: From<Error>>(to: &Path, body: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |source| Error::io(to, source);
    let temporary = temporary_folder(parent).map_err(|source| Error::io(parent, source))?;
    body(temporary.path())?;
    std::fs::rename(temporary.path(), to).map_err(failed)?;
    Ok(flush(parent, parent)?)
}

/// A folder that is removed with the value, or by [`remove_abandoned`] after a kill.
#[derive(Debug)]
pub struct TemporaryFolder {
    folder: tempfile::TempDir,
    _locked: File,
}

impl TemporaryFolder {
    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Makes a temporary folder in another one, and removes those that killed processes left there.
///
/// # Errors
/// Returns an I/O error.
pub fn temporary_folder(parent: &Path) -> std::io::Result<TemporaryFolder> {
    remove_abandoned(parent);
    loop {
        let folder = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .permissions_like_open_folder()
            .tempdir_in(parent)?;
        match File::open(folder.path()) {
            Ok(locked) if lock(&locked, folder.path())? => {
                return Ok(TemporaryFolder { folder, _locked: locked });
            }
            // Removed as an abandoned one before it was locked.
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

/// Removes temporary files and folders that killed processes left in a folder. One that is locked belongs to a running
/// process.
pub fn remove_abandoned(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(TEMPORARY_PREFIX.as_bytes()) {
            continue;
        }
        let Ok(kind) = entry.file_type() else { continue };
        if !kind.is_file() && !kind.is_dir() {
            continue;
        }
        // It stays locked until it is gone, so that a process that has just made it sees that.
        let Some(_locked) = File::open(entry.path()).ok().filter(|file| file.try_lock().is_ok()) else {
            continue;
        };
        // What cannot be removed does no harm.
        let _ = match kind.is_dir() {
            true => std::fs::remove_dir_all(entry.path()),
            false => std::fs::remove_file(entry.path()),
        };
    }
}

/// Marks what this process is working on; false if another process has removed it before that. Not all file systems have
/// locks; there it may count as abandoned.
fn lock(file: &File, path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    // Waits for a process that is about to remove it.
    let _ = file.lock();
    let own = file.metadata()?;
    Ok(std::fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino())))
}

/// Waits until a file, or the names in a folder, are on the disk. Errors are reported for `named`.
///
/// # Errors
/// Returns an I/O error.
pub fn flush(path: &Path, named: &Path) -> Result<()> {
    if !DURABLE.load(Ordering::Relaxed) {
        return Ok(());
    }
    match File::open(path).and_then(|file| file.sync_all()) {
        // Some network file systems cannot flush folders.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(()),
        done => done.map_err(|error| Error::io(named, error)),
    }
}

/// Temporary files are private by default; ours become ordinary files and get ordinary permissions.
trait OrdinaryPermissions {
    fn permissions_like_open(&mut self) -> &mut Self;
    fn permissions_like_open_folder(&mut self) -> &mut Self;
}

impl OrdinaryPermissions for tempfile::Builder<'_, '_> {
    fn permissions_like_open(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt;
        self.permissions(std::fs::Permissions::from_mode(0o666))
    }

    fn permissions_like_open_folder(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt;
        self.permissions(std::fs::Permissions::from_mode(0o777))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifo_stays_one() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let reader = {
            let fifo = fifo.clone();
            std::thread::spawn(move || std::fs::read(fifo).unwrap())
        };
        write_bytes(&fifo, b"content").unwrap();
        assert!(std::fs::metadata(&fifo).unwrap().file_type().is_fifo());
        assert_eq!(reader.join().unwrap(), b"content");
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert!(write(&path, |_| Err(std::io::Error::other("no"))).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        write_bytes(&path, b"ok").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"ok");
    }

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let parent = tempfile::tempdir().unwrap();
        let to = parent.path().join("to");
        let failing = folder(&to, |inside| {
            write_bytes(&inside.join("x"), b"x")?;
            Err(Error::invalid(inside, "no"))
        });
        assert!(failing.is_err());
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
        folder(&to, |inside| write_bytes(&inside.join("x"), b"x")).unwrap();
        assert_eq!(std::fs::read(to.join("x")).unwrap(), b"x");
    }

    #[test]
    fn what_is_removed_before_it_is_locked_is_noticed() {
        let parent = tempfile::tempdir().unwrap();
        let [file, folder] = [".tmp-file", ".tmp-folder"].map(|name| parent.path().join(name));
        for is_removed in [false, true] {
            std::fs::write(&file, "").unwrap();
            std::fs::create_dir(&folder).unwrap();
            let opened = [&file, &folder].map(|path| (File::open(path).unwrap(), path));
            if is_removed {
                remove_abandoned(parent.path());
            }
            for (open, path) in &opened {
                assert_eq!(lock(open, path).unwrap(), !is_removed, "{}", path.display());
            }
            drop(opened);
            remove_abandoned(parent.path());
        }
    }

    #[test]
    fn only_what_nobody_works_on_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        let alive = temporary_folder(parent.path()).unwrap();
        std::fs::create_dir(path(".tmp-dead")).unwrap();
        for file in [".tmp-dead/x", ".tmp-file", "other"] {
            std::fs::write(path(file), "").unwrap();
        }
        let written = replace(&path("whole"), |_| -> Result<()> {
            remove_abandoned(parent.path());
            Ok(())
        });
        written.unwrap();
        assert!(alive.path().is_dir() && path("other").is_file() && path("whole").is_file());
        assert!(!path(".tmp-dead").exists() && !path(".tmp-file").exists());
    }
}
