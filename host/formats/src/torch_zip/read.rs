//! Reads checkpoints of both formats: the zip, and the older stream of five pickles.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use super::{Checkpoint, TensorData, element_size};
use crate::pickle::{PickleError, Resolve, Value, read_from};
use crate::{Error, Result};

/// Reads a checkpoint.
///
/// # Errors
/// A file that is no checkpoint, is damaged, or wants to run code.
pub fn load(path: &Path) -> Result<Checkpoint> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    let read = if bytes.starts_with(b"PK") { load_zip(&bytes) } else { load_legacy(&bytes) };
    read.map_err(|message| Error::invalid(path, format!("not a readable checkpoint: {message}")))
}

/// A tensor whose storage may come later in the file.
struct Pending {
    storage: Storage,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

#[derive(Clone)]
struct Storage {
    kind: String,
    key: String,
    elements: usize,
}

#[derive(Default)]
struct Collector {
    storages: Vec<Storage>,
    tensors: Vec<Pending>,
}

/// Marks a storage on the pickle machine's stack: index into the collector's list.
const STORAGE: &str = "storage:";

impl Resolve for Collector {
    fn persistent(&mut self, id: Value) -> std::result::Result<Value, PickleError> {
        let damaged = PickleError::Damaged("a storage that is not described");
        let Some([Value::Str(word), Value::Global(kind), Value::Str(key), _, elements, ..]) = id.items()
        else {
            return Err(damaged);
        };
        let kind = kind.strip_prefix("torch.").and_then(|kind| kind.strip_suffix("Storage"));
        let elements = elements.as_i64().and_then(|n| usize::try_from(n).ok());
        let (Some(kind), Some(elements), "storage") = (kind, elements, word.as_str()) else {
            return Err(damaged);
        };
        self.storages.push(Storage { kind: kind.to_owned(), key: key.clone(), elements });
        Ok(Value::Global(format!("{STORAGE}{}", self.storages.len() - 1)))
    }

    fn tensor(&mut self, arguments: &[Value]) -> std::result::Result<Value, PickleError> {
        let damaged = || PickleError::Damaged("a tensor that is not described");
        let [Value::Global(storage), offset, shape, strides, ..] = arguments else { return Err(damaged()) };
        let index: usize = storage.strip_prefix(STORAGE).and_then(|i| i.parse().ok()).ok_or_else(damaged)?;
        let storage = self.storages.get(index).ok_or_else(damaged)?.clone();
        let offset = offset.as_i64().and_then(|n| usize::try_from(n).ok()).ok_or_else(damaged)?;
        let (shape, strides) = (shape.to_usize_vec(), strides.to_usize_vec());
        let (Some(shape), Some(strides)) = (shape, strides) else { return Err(damaged()) };
        if shape.len() != strides.len() {
            return Err(damaged());
        }
        self.tensors.push(Pending { storage, offset, shape, strides });
        Ok(Value::Tensor(self.tensors.len() - 1))
    }
}

fn load_zip(bytes: &[u8]) -> std::result::Result<Checkpoint, String> {
    let text = |error: zip::result::ZipError| error.to_string();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).map_err(text)?;
    let mut names = archive.file_names().filter_map(|name| name.ok().map(|name| name.into_owned()));
    let name = names.find(|name| name.ends_with("/data.pkl"));
    drop(names);
    let name = name.ok_or("the archive has no data.pkl")?;
    let root = name.trim_end_matches("data.pkl").to_owned();
    let mut member = |name: &str| -> std::result::Result<Vec<u8>, String> {
        let mut file = archive.by_name(name).map_err(|error| format!("{name}: {error}"))?;
        if file.size() > bytes.len() as u64 * 2 + (1 << 20) {
            return Err(format!("{name} claims to be larger than the file"));
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(|error| format!("{name}: {error}"))?;
        Ok(content)
    };
    if member(&format!("{root}byteorder")).is_ok_and(|order| order != b"little") {
        return Err("it was saved on a big-endian machine".to_owned());
    }
    let mut collector = Collector::default();
    let (value, _) = read_from(&member(&name)?, &mut collector).map_err(|error| error.to_string())?;
    let mut storages = HashMap::new();
    for storage in &collector.storages {
        if !storages.contains_key(&storage.key) {
            storages.insert(storage.key.clone(), member(&format!("{root}data/{}", storage.key))?);
        }
    }
    finish(value, &collector, &storages)
}

/// Five pickles (magic, protocol, system, object, storage keys), then per key a count and the raw data.
fn load_legacy(bytes: &[u8]) -> std::result::Result<Checkpoint, String> {
    let mut collector = Collector::default();
    let (mut at, mut values) = (0, Vec::new());
    for _ in 0..5 {
        let (value, used) = read_from(&bytes[at..], &mut collector).map_err(|error| error.to_string())?;
        at += used;
        values.push(value);
    }
    if values[1].as_i64() != Some(1001) {
        return Err("neither a zip archive nor torch's older format".to_owned());
    }
    let keys = values[4].to_strings().ok_or("the list of storages is damaged")?;
    let mut storages = HashMap::new();
    for key in keys {
        let kind =
            collector.storages.iter().find(|storage| storage.key == key).map(|storage| storage.kind.as_str());
        let size = kind.and_then(element_size).ok_or("a storage of unknown type")?;
        let count = bytes
            .get(at..at + 8)
            .and_then(|b| b.try_into().ok())
            .map(u64::from_le_bytes)
            .ok_or("truncated")?;
        let len = usize::try_from(count).ok().and_then(|count| count.checked_mul(size)).ok_or("truncated")?;
        let end = (at + 8).checked_add(len).ok_or("truncated")?;
        storages.insert(key, bytes.get(at + 8..end).ok_or("truncated")?.to_vec());
        at = end;
    }
    let value = values.swap_remove(3);
    finish(value, &collector, &storages)
}

fn finish(
    root: Value,
    collector: &Collector,
    storages: &HashMap<String, Vec<u8>>,
) -> std::result::Result<Checkpoint, String> {
    let tensors = collector
        .tensors
        .iter()
        .map(|pending| gather(pending, storages))
        .collect::<std::result::Result<_, _>>()?;
    Ok(Checkpoint { root, tensors })
}

/// Copies a strided view out of its storage.
fn gather(pending: &Pending, storages: &HashMap<String, Vec<u8>>) -> std::result::Result<TensorData, String> {
    let Storage { kind, key, elements } = &pending.storage;
    let size = element_size(kind).ok_or_else(|| format!("tensors of type {kind} are not read"))?;
    let storage = storages.get(key).ok_or("a tensor without data")?;
    if storage.len() < elements.checked_mul(size).ok_or("a tensor of impossible size")? {
        return Err(format!("storage {key} has {} bytes instead of {}", storage.len(), elements * size));
    }
    let count =
        pending.shape.iter().try_fold(1_usize, |n, len| n.checked_mul(*len)).ok_or("an impossible shape")?;
    let reach =
        pending.shape.iter().zip(&pending.strides).try_fold(pending.offset, |reach, (len, stride)| {
            reach.checked_add(len.saturating_sub(1).checked_mul(*stride)?)
        });
    // A view may repeat elements (stride 0), but not without bound.
    if count > 0
        && (reach.is_none_or(|reach| reach >= storage.len() / size) || count > storage.len().max(1 << 20))
    {
        return Err("a tensor that reaches beyond its data".to_owned());
    }
    let mut data = Vec::with_capacity(count * size);
    let mut index = vec![0_usize; pending.shape.len()];
    for _ in 0..count {
        let at =
            pending.offset + index.iter().zip(&pending.strides).map(|(i, stride)| i * stride).sum::<usize>();
        data.extend_from_slice(&storage[at * size..(at + 1) * size]);
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            if index[axis] < pending.shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    Ok(TensorData { storage: kind.clone(), shape: pending.shape.clone(), data })
}
