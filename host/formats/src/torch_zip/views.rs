//! Tensors as a checkpoint's pickle describes them: views of storages, which come elsewhere in the file.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::{TensorData, element_size};
use crate::pickle::{PickleError, Resolve, Value};

/// Marks a storage on the pickle machine's stack: index into the list of storages.
const STORAGE: &str = "storage:";
/// Most axes of a tensor: torch's own limit.
const MAX_AXES: usize = 64;
/// A view may repeat elements (stride 0); all tensors together may be so many times the size of the file, ...
const REPETITION: u64 = 2;
/// ... or this.
const SMALL: u64 = 1 << 20;

/// What a file of so many bytes may become in memory.
pub(super) fn allowance(file: u64) -> u64 {
    file.saturating_mul(REPETITION).max(SMALL)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Storage {
    kind: String,
    key: String,
    elements: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct View {
    /// Index into the list of storages: a copy of its name for every view could fill the memory.
    storage: usize,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// A storage's element type, and which views look into it.
#[derive(Debug, Default)]
struct Part {
    kind: String,
    views: Vec<usize>,
}

/// The views of a checkpoint, and their elements as the storages are read.
#[derive(Debug)]
pub(super) struct Views {
    storages: Vec<Storage>,
    known_storages: HashMap<Storage, usize>,
    parts: BTreeMap<String, Part>,
    views: Vec<View>,
    known: HashMap<View, usize>,
    /// Bytes that tensors may still take.
    room: u64,
}

impl Resolve for Views {
    fn persistent(&mut self, id: Value) -> Result<Value, PickleError> {
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
        let index = self.storage(Storage { kind: kind.to_owned(), key: key.clone(), elements });
        Ok(Value::Global(format!("{STORAGE}{index}")))
    }

    fn tensor(&mut self, arguments: &[Value]) -> Result<Value, PickleError> {
        let view = self.view(arguments).ok_or(PickleError::Damaged("a tensor that is not described"))?;
        Ok(Value::Tensor(self.index(view)))
    }
}

impl Views {
    /// For a file of so many bytes.
    pub(super) fn new(file: u64) -> Self {
        Self {
            storages: Vec::new(),
            known_storages: HashMap::new(),
            parts: BTreeMap::new(),
            views: Vec::new(),
            known: HashMap::new(),
            room: allowance(file),
        }
    }

    /// Index of a storage; one that is described again is the same.
    fn storage(&mut self, storage: Storage) -> usize {
        if let Some(index) = self.known_storages.get(&storage) {
            return *index;
        }
        let index = self.storages.len();
        self.parts
            .entry(storage.key.clone())
            .or_insert_with(|| Part { kind: storage.kind.clone(), views: Vec::new() });
        self.known_storages.insert(storage.clone(), index);
        self.storages.push(storage);
        index
    }

    fn view(&self, arguments: &[Value]) -> Option<View> {
        let [Value::Global(storage), offset, shape, strides, ..] = arguments else { return None };
        let storage: usize = storage.strip_prefix(STORAGE)?.parse().ok()?;
        let view = View {
            storage: (storage < self.storages.len()).then_some(storage)?,
            offset: usize::try_from(offset.as_i64()?).ok()?,
            shape: shape.to_usize_vec()?,
            strides: strides.to_usize_vec()?,
        };
        (view.shape.len() <= MAX_AXES && view.shape.len() == view.strides.len()).then_some(view)
    }

    /// A view that is there already is the same tensor: v2 names every weight of its encoder three times.
    fn index(&mut self, view: View) -> usize {
        if let Some(index) = self.known.get(&view) {
            return *index;
        }
        let index = self.views.len();
        if let Some(part) = self.parts.get_mut(&self.storages[view.storage].key) {
            part.views.push(index);
        }
        self.known.insert(view.clone(), index);
        self.views.push(view);
        index
    }

    /// Forgets the other tensors, and the storages in which there are no more.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(usize) -> bool) {
        self.parts.retain(|_, part| {
            part.views.retain(|index| is_wanted(*index));
            !part.views.is_empty()
        });
    }

    /// Names of the storages.
    pub(super) fn keys(&self) -> Vec<String> {
        self.parts.keys().cloned().collect()
    }

    /// Bytes per element of a storage.
    pub(super) fn element_size(&self, key: &str) -> Option<usize> {
        element_size(&self.parts.get(key)?.kind)
    }

    /// The tensors that look into a storage, with their indices. Where it is one tensor, as a network's weight is, that gets
    /// the storage.
    pub(super) fn fill(
        &mut self,
        key: &str,
        storage: Cow<'_, [u8]>,
    ) -> Result<Vec<(usize, TensorData)>, String> {
        let indices = self.parts.remove(key).map_or_else(Vec::new, |part| part.views);
        let Some((last, others)) = indices.split_last() else { return Ok(Vec::new()) };
        let mut filled = Vec::new();
        for index in others {
            filled.push((*index, self.gather(*index, Cow::Borrowed(&storage[..]))?));
        }
        filled.push((*last, self.gather(*last, storage)?));
        Ok(filled)
    }

    fn gather(&mut self, index: usize, storage: Cow<'_, [u8]>) -> Result<TensorData, String> {
        let view = &self.views[index];
        gather(view, &self.storages[view.storage], storage, &mut self.room)
    }

    /// How many tensors there are.
    pub(super) fn len(&self) -> usize {
        self.views.len()
    }

    /// Returns an error if a tensor has no elements.
    pub(super) fn finish(&self) -> Result<(), String> {
        // Those that were filled are gone.
        let is_filled = self.parts.values().all(|part| part.views.is_empty());
        if is_filled { Ok(()) } else { Err("a tensor without data".to_owned()) }
    }
}

/// A view's elements: the storage itself if it has no others, or else a copy.
fn gather(
    view: &View,
    described: &Storage,
    storage: Cow<'_, [u8]>,
    room: &mut u64,
) -> Result<TensorData, String> {
    let Storage { kind, key, elements } = described;
    let size = element_size(kind).ok_or_else(|| format!("tensors of type {kind} are not read"))?;
    if storage.len() < elements.checked_mul(size).ok_or("a tensor of impossible size")? {
        return Err(format!("storage {key} has {} bytes instead of {}", storage.len(), elements * size));
    }
    let count = view.count().ok_or("an impossible shape")?;
    if count > 0 && view.last().is_none_or(|last| last >= storage.len() / size) {
        return Err("a tensor that reaches beyond its data".to_owned());
    }
    let bytes = count.checked_mul(size).and_then(|bytes| room.checked_sub(bytes as u64));
    *room = bytes.ok_or("tensors that repeat their data far more often than a network's")?;
    let data = match count {
        0 => Vec::new(),
        _ if !view.is_contiguous() => strided(view, &storage, count, size),
        _ if count * size == storage.len() => storage.into_owned(),
        _ => storage[view.offset * size..(view.offset + count) * size].to_vec(),
    };
    Ok(TensorData { storage: kind.clone(), shape: view.shape.clone(), data })
}

impl View {
    /// Number of elements.
    fn count(&self) -> Option<usize> {
        self.shape.iter().try_fold(1_usize, |count, len| count.checked_mul(*len))
    }

    /// The storage's element that the last one is.
    fn last(&self) -> Option<usize> {
        self.shape.iter().zip(&self.strides).try_fold(self.offset, |last, (len, stride)| {
            last.checked_add(len.saturating_sub(1).checked_mul(*stride)?)
        })
    }

    /// Whether the elements, at least one, lie one after the other.
    fn is_contiguous(&self) -> bool {
        let mut wanted = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(len, stride)| {
            let fits = *len == 1 || *stride == wanted;
            wanted *= len;
            fits
        })
    }
}

fn strided(view: &View, storage: &[u8], count: usize, size: usize) -> Vec<u8> {
    let mut data = Vec::with_capacity(count * size);
    let mut index = vec![0_usize; view.shape.len()];
    for _ in 0..count {
        let steps: usize = index.iter().zip(&view.strides).map(|(i, stride)| i * stride).sum();
        let at = (view.offset + steps) * size;
        data.extend_from_slice(&storage[at..at + size]);
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            if index[axis] < view.shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    data
}
