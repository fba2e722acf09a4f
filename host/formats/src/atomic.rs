//! Files appear whole or not at all, also after a power failure.

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

/// Writes bytes as a whole file.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, |out| out.write_all(bytes))
}

/// Lets `body` fill a temporary file beside `path`, then renames it.
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
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .suffix(suffix)
        .permissions_like_open()
        .tempfile_in(folder)
        .map_err(|source| Error::io(path, source))?;
    body(temporary.path())?;
    flush(temporary.path(), path)?;
    temporary.persist(path).map_err(|failed| Error::io(path, failed.error))?;
    Ok(flush(folder, folder)?)
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
    let temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .tempdir_in(folder)
        .map_err(|source| Error::io(first, source))?;
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

/// Waits until a file, or the names in a folder, are on the disk. Errors are reported for `named`.
fn flush(path: &Path, named: &Path) -> Result<()> {
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
}

impl OrdinaryPermissions for tempfile::Builder<'_, '_> {
    fn permissions_like_open(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt;
        self.permissions(std::fs::Permissions::from_mode(0o666))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert!(write(&path, |_| Err(std::io::Error::other("no"))).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        write_bytes(&path, b"ok").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"ok");
    }
}
