//! The part of a file that is there, and which file it is a part of.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use nnunet_formats::atomic;
use serde::{Deserialize, Serialize};

use crate::checksum::Checksum;
use crate::error::{Error, Result};

/// What a part is of: an answer to a request for the rest must be of the same file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    /// The address.
    pub(crate) url: String,
    /// The server's name for this version of the file.
    pub(crate) tag: Option<String>,
    /// Size of the whole file.
    pub(crate) size: Option<u64>,
}

/// `NAME.part`, and `NAME.part.json` with its [`Source`].
pub(crate) struct Part {
    path: PathBuf,
    file: File,
    len: u64,
    pub(crate) source: Source,
}

impl Part {
    /// Opens the part of a file. One of another address, or of a server that has no names for versions, is emptied.
    pub(crate) fn open(to: &Path, url: &str) -> Result<Self> {
        let path = with_suffix(to, ".part");
        let failed = |source| Error::File { file: path.clone(), source };
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let known = std::fs::read(note(&path)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let known = known.filter(|source: &Source| source.url == url && source.tag.is_some());
        let is_known = known.is_some();
        let source = known.unwrap_or(Source { url: url.to_owned(), ..Source::default() });
        let mut part = Self { path, file, len, source };
        if !is_known {
            part.empty()?;
        }
        Ok(part)
    }

    /// Bytes that are there.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The folder it lies in.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Starts over.
    pub(crate) fn empty(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(|source| self.error(source))?;
        self.len = 0;
        Ok(())
    }

    /// Leaves nothing behind of a file of which nothing came.
    pub(crate) fn remove_if_empty(&self) {
        if self.len == 0 {
            // What cannot be removed is emptied again by the next download.
            let _ = std::fs::remove_file(&self.path);
            let _ = std::fs::remove_file(note(&self.path));
        }
    }

    /// Notes what the part is of, before its first byte is written.
    pub(crate) fn begin(&mut self, source: Source) -> Result<()> {
        let text = serde_json::to_vec(&source).unwrap_or_default();
        std::fs::write(note(&self.path), text).map_err(|source| self.error(source))?;
        self.source = source;
        Ok(())
    }

    /// Adds bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|source| self.error(source))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Checks the complete file, and gives it its name. A file with another checksum is deleted.
    pub(crate) fn finish<'a>(self, to: &Path, checksums: impl Iterator<Item = &'a Checksum>) -> Result<()> {
        let failed = |source| Error::File { file: to.to_owned(), source };
        self.file.sync_all().map_err(failed)?;
        for checksum in checksums {
            if let Err(error) = checksum.check(&self.path) {
                let _ = std::fs::remove_file(&self.path);
                let _ = std::fs::remove_file(note(&self.path));
                return Err(error);
            }
        }
        std::fs::rename(&self.path, to).map_err(failed)?;
        let _ = std::fs::remove_file(note(&self.path));
        atomic::flush(self.folder(), to).map_err(|error| failed(std::io::Error::other(error.to_string())))
    }

    fn error(&self, source: std::io::Error) -> Error {
        Error::File { file: self.path.clone(), source }
    }
}

fn note(part: &Path) -> PathBuf {
    with_suffix(part, ".json")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
