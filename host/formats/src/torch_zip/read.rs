//! Reads checkpoints of both formats: the zip, and the older stream of five pickles. Of a zip one storage at a time
//! is in memory beside the tensors.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::views::{Views, allowance};
use super::{Checkpoint, TensorData};
use crate::pickle::{Value, read_from};
use crate::{Error, Result, input};

/// The pickle of the number that the older format begins with: the only one of more than 64 bits.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// Protocol of the older format.
const LEGACY_PROTOCOL: i64 = 1001;

type Outcome<T> = std::result::Result<T, String>;

/// Reads a checkpoint.
///
/// # Errors
/// Returns an error if the file is not a checkpoint, is damaged, or would run code.
pub fn load(path: &Path) -> Result<Checkpoint> {
    let (root, tensors) = open(path)?;
    Ok(Checkpoint { root, tensors: tensors.read_all()? })
}

/// Opens a checkpoint: its tree, and its tensors, which are not read yet.
///
/// # Errors
/// Returns an error if the file is not a checkpoint, is damaged, or would run code.
pub fn open(path: &Path) -> Result<(Value, Tensors)> {
    let failed = |source| Error::io(path, source);
    let mut file = BufReader::new(input::open(path)?);
    let is_zip = file.fill_buf().map_err(failed)?.starts_with(b"PK");
    let opened = if is_zip {
        let len = file.get_ref().metadata().map_err(failed)?.len();
        from_zip(file, len)
    } else {
        from_stream(input::read(path)?)
    };
    let (root, views, storages) = opened.map_err(|message| unreadable(path, &message))?;
    Ok((root, Tensors { path: path.to_owned(), views, storages }))
}

fn unreadable(path: &Path, message: &str) -> Error {
    Error::invalid(path, format!("not a readable checkpoint: {message}"))
}

/// The tensors of a checkpoint that has been opened.
#[derive(Debug)]
pub struct Tensors {
    path: PathBuf,
    views: Views,
    storages: Storages,
}

impl Tensors {
    /// Leaves out the others, by their indices. A storage of the file in which no tensor is wanted is not read.
    #[must_use]
    pub fn retain(mut self, is_wanted: impl Fn(usize) -> bool) -> Self {
        self.views.retain(is_wanted);
        self
    }

    /// Reads them, in the order of their indices.
    ///
    /// # Errors
    /// Returns an error if the file is damaged.
    pub fn read_all(self) -> Result<Vec<TensorData>> {
        let mut read: Vec<Option<TensorData>> = vec![None; self.views.len()];
        self.read_each(|index, tensor| {
            read[index] = Some(tensor);
            Ok::<_, Error>(())
        })?;
        Ok(read.into_iter().flatten().collect())
    }

    /// Reads them one after the other, in any order, each with its index. No more than a storage of the file is in memory at
    /// a time.
    ///
    /// # Errors
    /// Returns an error if the file is damaged, or what `take` returns.
    pub fn read_each<E: From<Error>>(
        mut self,
        mut take: impl FnMut(usize, TensorData) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let unreadable = |message: String| unreadable(&self.path, &message);
        for (key, place) in self.storages.keys(&self.views) {
            let storage = self.storages.read(&key, place).map_err(unreadable)?;
            for (index, tensor) in self.views.fill(&key, storage).map_err(unreadable)? {
                take(index, tensor)?;
            }
        }
        Ok(self.views.finish().map_err(unreadable)?)
    }
}

/// Where the elements are.
#[derive(Debug)]
enum Storages {
    /// Members of a zip archive, in this folder of it.
    Zip(Box<Members>, String),
    /// The older format: all bytes, and where in them a storage is.
    Stream(Vec<u8>, Vec<(String, Range<usize>)>),
}

impl Storages {
    /// Names of the storages, and where they are in a stream.
    fn keys(&self, views: &Views) -> Vec<(String, Range<usize>)> {
        match self {
            Self::Zip(..) => views.keys().into_iter().map(|key| (key, 0..0)).collect(),
            Self::Stream(_, places) => places.clone(),
        }
    }

    fn read(&mut self, key: &str, place: Range<usize>) -> Outcome<Cow<'_, [u8]>> {
        match self {
            Self::Zip(members, folder) => members.read(&format!("{folder}data/{key}")).map(Cow::Owned),
            Self::Stream(bytes, _) => Ok(Cow::Borrowed(&bytes[place])),
        }
    }
}

/// An archive whose members may together become only so large in memory.
#[derive(Debug)]
struct Members {
    archive: ZipArchive<BufReader<File>>,
    room: u64,
}

impl Members {
    fn read(&mut self, name: &str) -> Outcome<Vec<u8>> {
        let file = self.archive.by_name(name).map_err(|error| format!("{name}: {error}"))?;
        let size = file.size();
        self.room = self.room.checked_sub(size).ok_or("its members are declared larger than the file")?;
        let mut content = Vec::with_capacity(usize::try_from(size).map_err(|error| error.to_string())? + 1);
        // One byte more, so that the end is seen, and with it the checksum.
        let read = file.take(size + 1).read_to_end(&mut content);
        match read.map_err(|error| format!("{name}: {error}"))? {
            found if found as u64 == size => Ok(content),
            _ => Err(format!("{name} does not have the size that the archive states")),
        }
    }
}

fn from_zip(file: BufReader<File>, len: u64) -> Outcome<(Value, Views, Storages)> {
    let archive = ZipArchive::new(file).map_err(|error| error.to_string())?;
    let name = archive.file_names().filter_map(|name| name.ok()).find(|name| name.ends_with("/data.pkl"));
    let name = name.ok_or("the archive has no data.pkl")?.into_owned();
    let root = name.trim_end_matches("data.pkl").to_owned();
    let mut members = Members { archive, room: allowance(len) };
    if members.read(&format!("{root}byteorder")).is_ok_and(|order| order != b"little") {
        return Err("it was saved on a big-endian machine".to_owned());
    }
    let mut views = Views::new(len);
    let (value, _) = read_from(&members.read(&name)?, &mut views).map_err(|error| error.to_string())?;
    Ok((value, views, Storages::Zip(Box::new(members), root)))
}

/// A magic number and four pickles (protocol, system, object, storage keys), then per key a count and the raw data.
fn from_stream(bytes: Vec<u8>) -> Outcome<(Value, Views, Storages)> {
    if !bytes.starts_with(LEGACY_MAGIC) {
        return Err("neither a zip archive nor torch's older format".to_owned());
    }
    let mut views = Views::new(bytes.len() as u64);
    let (mut at, mut values) = (LEGACY_MAGIC.len(), Vec::new());
    for _ in 0..4 {
        let (value, used) = read_from(&bytes[at..], &mut views).map_err(|error| error.to_string())?;
        at += used;
        values.push(value);
    }
    if values[0].as_i64() != Some(LEGACY_PROTOCOL) {
        return Err("a version of torch's older format that is not known".to_owned());
    }
    let mut places = Vec::new();
    for key in values[3].to_strings().ok_or("the list of storages is damaged")? {
        let size = views.element_size(&key).ok_or("a storage of unknown type")?;
        let place = storage_at(&bytes, at, size).ok_or("truncated")?;
        at = place.end;
        places.push((key, place));
    }
    Ok((values.swap_remove(2), views, Storages::Stream(bytes, places)))
}

/// Where a storage of the older format is.
fn storage_at(bytes: &[u8], at: usize, size: usize) -> Option<Range<usize>> {
    let start = at.checked_add(8)?;
    let count = u64::from_le_bytes(bytes.get(at..start)?.try_into().ok()?);
    let end = usize::try_from(count).ok()?.checked_mul(size)?.checked_add(start)?;
    (end <= bytes.len()).then_some(start..end)
}
