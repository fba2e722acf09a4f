//! Reads checkpoints of both formats: the zip, and the older stream of five pickles. Of a zip one storage at a time
//! is in memory beside the tensors.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use super::Checkpoint;
use super::views::{Views, allowance};
use crate::pickle::read_from;
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
    let failed = |source| Error::io(path, source);
    let mut file = BufReader::new(input::open(path)?);
    let is_zip = file.fill_buf().map_err(failed)?.starts_with(b"PK");
    let read = if is_zip {
        let len = file.get_ref().metadata().map_err(failed)?.len();
        from_zip(file, len)
    } else {
        from_stream(&input::read(path)?)
    };
    read.map_err(|message| Error::invalid(path, format!("not a readable checkpoint: {message}")))
}

/// An archive whose members may together become only so large in memory.
struct Members {
    archive: ZipArchive<BufReader<File>>,
    room: u64,
}

impl Members {
    fn read(&mut self, name: &str) -> Outcome<Vec<u8>> {
        let file = self.archive.by_name(name).map_err(|error| format!("{name}: {error}"))?;
        let size = file.size();
        self.room = self.room.checked_sub(size).ok_or("its members are declared larger than the file")?;
        let mut content = Vec::new();
        // One byte more, so that the end is seen, and with it the checksum.
        let read = file.take(size + 1).read_to_end(&mut content);
        match read.map_err(|error| format!("{name}: {error}"))? {
            found if found as u64 == size => Ok(content),
            _ => Err(format!("{name} does not have the size that the archive states")),
        }
    }
}

fn from_zip(file: BufReader<File>, len: u64) -> Outcome<Checkpoint> {
    let archive = ZipArchive::new(file).map_err(|error| error.to_string())?;
    let name = archive.file_names().filter_map(|name| name.ok()).find(|name| name.ends_with("/data.pkl"));
    let name = name.ok_or("the archive has no data.pkl")?.into_owned();
    let root = name.trim_end_matches("data.pkl");
    let mut members = Members { archive, room: allowance(len) };
    if members.read(&format!("{root}byteorder")).is_ok_and(|order| order != b"little") {
        return Err("it was saved on a big-endian machine".to_owned());
    }
    let mut views = Views::new(len);
    let (value, _) = read_from(&members.read(&name)?, &mut views).map_err(|error| error.to_string())?;
    for key in views.keys() {
        views.fill(&key, &members.read(&format!("{root}data/{key}"))?)?;
    }
    Ok(Checkpoint { root: value, tensors: views.finish()? })
}

/// A magic number and four pickles (protocol, system, object, storage keys), then per key a count and the raw data.
fn from_stream(bytes: &[u8]) -> Outcome<Checkpoint> {
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
    let keys = values[3].to_strings().ok_or("the list of storages is damaged")?;
    for key in keys {
        let size = views.element_size(&key).ok_or("a storage of unknown type")?;
        let (storage, end) = storage_at(bytes, at, size).ok_or("truncated")?;
        views.fill(&key, storage)?;
        at = end;
    }
    Ok(Checkpoint { root: values.swap_remove(2), tensors: views.finish()? })
}

/// A storage of the older format, and where it ends.
fn storage_at(bytes: &[u8], at: usize, size: usize) -> Option<(&[u8], usize)> {
    let start = at.checked_add(8)?;
    let count = u64::from_le_bytes(bytes.get(at..start)?.try_into().ok()?);
    let end = usize::try_from(count).ok()?.checked_mul(size)?.checked_add(start)?;
    Some((bytes.get(start..end)?, end))
}
