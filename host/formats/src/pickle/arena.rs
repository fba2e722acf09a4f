//! Objects of a pickle while it is read. They refer to one another by index, as Python's objects do by reference: sharing
//! costs nothing here. [`Arena::into_value`] makes a tree of them, in which shared objects are copied, and checks before
//! how large it becomes.

use std::collections::HashMap;

use super::error::{PickleError, Result};
use super::globals::Callable;
use super::{NdArray, Value};

/// Deepest nesting of containers: the tree is walked by recursion.
const MAX_DEPTH: usize = 500;
/// Objects that any pickle may have, beside one for [`BYTES_PER_NODE`] bytes.
const MAX_NODES: usize = 1 << 18;
const BYTES_PER_NODE: usize = 16;
/// Bytes that copies of shared objects, or data made by functions, may take in any pickle, ...
const MAX_COPIED: usize = 128 << 20;
/// ... or so many times the length of the pickle.
const REPETITION: usize = 4;

/// Index of an object.
pub(super) type Id = u32;

/// An object.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Value(Value),
    Str(&'a str),
    Bytes(&'a [u8]),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    OrderedDict(Vec<(Id, Id)>),
    /// An array of Python objects.
    Objects(NdArray, Vec<Id>),
    Call(Callable, String),
    /// An array whose state has not come yet.
    EmptyArray,
}

impl Node<'_> {
    /// Bytes of its value without those of its children.
    fn bytes(&self) -> usize {
        let data = match self {
            Node::Str(text) => text.len(),
            Node::Bytes(bytes) => bytes.len(),
            Node::Value(Value::Array(array)) | Node::Objects(array, _) => array.data.len(),
            Node::Value(Value::Bytes(bytes)) => bytes.len(),
            Node::Value(Value::Str(text)) => text.len(),
            _ => 0,
        };
        data + size_of::<Value>()
    }
}

/// All objects of a pickle.
pub(super) struct Arena<'a> {
    nodes: Vec<Node<'a>>,
    /// Length of the pickle.
    len: usize,
    /// Bytes that copies took.
    copied: usize,
    /// Objects of `None`, the truth values and small integers: there is one of each, as in Python.
    constants: HashMap<Constant, Id>,
}

/// A value of which many are in a pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Constant {
    None,
    Bool(bool),
    Int(u16),
}

impl Constant {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::None => Some(Self::None),
            Value::Bool(value) => Some(Self::Bool(*value)),
            Value::Int(value) => u16::try_from(*value).ok().map(Self::Int),
            _ => None,
        }
    }
}

impl<'a> Arena<'a> {
    pub(super) fn new(len: usize) -> Self {
        Self { nodes: Vec::new(), len, copied: 0, constants: HashMap::new() }
    }

    /// Most objects, marks, and entries of the memo.
    pub(super) fn most(&self) -> usize {
        MAX_NODES + self.len / BYTES_PER_NODE
    }

    pub(super) fn add(&mut self, node: Node<'a>) -> Result<Id> {
        if self.nodes.len() >= self.most() {
            return Err(PickleError::TooLarge("too many objects"));
        }
        self.nodes.push(node);
        Ok((self.nodes.len() - 1) as Id)
    }

    /// The object of a value.
    pub(super) fn value(&mut self, value: Value) -> Result<Id> {
        let Some(constant) = Constant::of(&value) else { return self.add(Node::Value(value)) };
        if let Some(id) = self.constants.get(&constant) {
            return Ok(*id);
        }
        let id = self.add(Node::Value(value))?;
        self.constants.insert(constant, id);
        Ok(id)
    }

    pub(super) fn get(&self, id: Id) -> &Node<'a> {
        &self.nodes[id as usize]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Node<'a> {
        &mut self.nodes[id as usize]
    }

    /// Counts bytes that are copied.
    ///
    /// # Errors
    /// Returns an error if they are more than the pickle's length justifies.
    fn charge(&mut self, bytes: usize) -> Result<()> {
        self.copied = self.copied.saturating_add(bytes);
        if self.copied > MAX_COPIED.max(self.len.saturating_mul(REPETITION)) {
            return Err(PickleError::TooLarge("it repeats shared objects too often"));
        }
        Ok(())
    }

    /// A copy of the references in a list, for an object that is made of it; none of another object. The same list may
    /// be copied many times.
    ///
    /// # Errors
    /// As [`Arena::into_value`].
    pub(super) fn list(&mut self, id: Id) -> Result<Vec<Id>> {
        let Node::List(items) = self.get(id) else { return Ok(Vec::new()) };
        let items = items.clone();
        self.charge(size_of_val(items.as_slice()))?;
        Ok(items)
    }

    /// A copy of an object, as the argument of a function.
    ///
    /// # Errors
    /// As [`Arena::into_value`].
    pub(super) fn copy(&mut self, id: Id) -> Result<Value> {
        self.tree(id, 0, &mut Uses::Copy)
    }

    /// The tree of an object.
    ///
    /// # Errors
    /// Returns an error if an object contains itself, is nested too deeply, or occurs so often that its copies would need
    /// too much memory.
    pub(super) fn into_value(mut self, id: Id) -> Result<Value> {
        let mut parents = vec![0_u8; self.nodes.len()];
        let mut count = |child: &Id| {
            let count = &mut parents[*child as usize];
            *count = count.saturating_add(1);
        };
        for node in &self.nodes {
            match node {
                Node::List(items) | Node::Tuple(items) | Node::Set(items) | Node::Objects(_, items) => {
                    items.iter().for_each(&mut count)
                }
                Node::Dict(entries) | Node::OrderedDict(entries) => {
                    entries.iter().for_each(|(key, value)| [key, value].into_iter().for_each(&mut count))
                }
                _ => {}
            }
        }
        // The root is used once by the caller: in a circle it would move into itself.
        count(&id);
        let seen = vec![false; self.nodes.len()];
        self.tree(id, 0, &mut Uses::Move { parents, seen, shared: 0 })
    }

    fn tree(&mut self, id: Id, depth: usize, uses: &mut Uses) -> Result<Value> {
        if depth > MAX_DEPTH {
            return Err(PickleError::Damaged("nested too deeply"));
        }
        let is_again = uses.is_again(id);
        if is_again {
            self.charge(self.get(id).bytes())?;
        }
        let is_last = uses.enter(id);
        let value = match &mut self.nodes[id as usize] {
            Node::Value(value) if is_last => std::mem::replace(value, Value::None),
            Node::Value(value) => value.clone(),
            Node::Str(text) => Value::Str((*text).to_owned()),
            Node::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Node::List(items) => {
                let items = take(items, is_last);
                Value::List(self.trees(items, depth, uses)?)
            }
            Node::Tuple(items) => {
                let items = take(items, is_last);
                Value::Tuple(self.trees(items, depth, uses)?)
            }
            Node::Set(items) => {
                let items = take(items, is_last);
                Value::Set(self.trees(items, depth, uses)?)
            }
            Node::Dict(entries) => {
                let entries = take(entries, is_last);
                Value::Dict(self.entries(entries, depth, uses)?)
            }
            Node::OrderedDict(entries) => {
                let entries = take(entries, is_last);
                Value::OrderedDict(self.entries(entries, depth, uses)?)
            }
            Node::Objects(array, items) => {
                let (array, items) = (array.clone(), take(items, is_last));
                Value::Array(NdArray { objects: self.trees(items, depth, uses)?, ..array })
            }
            // A device is kept as its class, and is written as that.
            Node::Call(Callable::Marker | Callable::Device, name) => Value::Global(name.clone()),
            Node::Call(..) => return Err(PickleError::Damaged("a function where data should be")),
            Node::EmptyArray => return Err(PickleError::Damaged("an array without content")),
        };
        uses.leave(id);
        Ok(value)
    }

    fn trees(&mut self, items: Vec<Id>, depth: usize, uses: &mut Uses) -> Result<Vec<Value>> {
        let mut trees = Vec::with_capacity(items.len());
        for item in items {
            trees.push(self.tree(item, depth + 1, uses)?);
        }
        Ok(trees)
    }

    /// Of entries with equal keys the last value counts, in the place of the first.
    fn entries(
        &mut self,
        entries: Vec<(Id, Id)>,
        depth: usize,
        uses: &mut Uses,
    ) -> Result<Vec<(Value, Value)>> {
        let mut found: Vec<(Value, Value)> = Vec::new();
        let mut places: HashMap<Key, usize> = HashMap::new();
        for (key, value) in entries {
            let (key, value) = (self.tree(key, depth + 1, uses)?, self.tree(value, depth + 1, uses)?);
            let next = found.len();
            match Key::of(&key).map(|key| *places.entry(key).or_insert(next)) {
                Some(place) if place < next => found[place].1 = value,
                _ => found.push((key, value)),
            }
        }
        Ok(found)
    }
}

/// What a walk through the tree knows about objects that occur several times.
enum Uses {
    /// Everything is copied.
    Copy,
    /// Objects move into the tree that neither they nor an object above them occurs twice in; the others are copied.
    Move { parents: Vec<u8>, seen: Vec<bool>, shared: usize },
}

impl Uses {
    /// Whether the bytes of the object are taken once more.
    fn is_again(&mut self, id: Id) -> bool {
        match self {
            Uses::Copy => true,
            Uses::Move { seen, .. } => std::mem::replace(&mut seen[id as usize], true),
        }
    }

    /// Whether the object may be moved.
    fn enter(&mut self, id: Id) -> bool {
        match self {
            Uses::Copy => false,
            Uses::Move { parents, shared, .. } => {
                *shared += usize::from(parents[id as usize] > 1);
                *shared == 0
            }
        }
    }

    fn leave(&mut self, id: Id) {
        if let Uses::Move { parents, shared, .. } = self {
            *shared -= usize::from(parents[id as usize] > 1);
        }
    }
}

fn take<T: Clone>(items: &mut Vec<T>, is_last: bool) -> Vec<T> {
    if is_last { std::mem::take(items) } else { items.clone() }
}

/// A key by Python's equality: `1`, `1.0` and `True` are one key.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    Str(String),
    Bytes(Vec<u8>),
    Int(i64),
    Float(u64),
    None,
    Tuple(Vec<Key>),
}

impl Key {
    /// The key, if it is one of the usual types.
    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Str(text) => Key::Str(text.clone()),
            Value::Bytes(bytes) => Key::Bytes(bytes.clone()),
            Value::Int(number) => Key::Int(*number),
            Value::Bool(flag) => Key::Int(i64::from(*flag)),
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => Key::Int(*number as i64),
            Value::Float(number) => Key::Float(number.to_bits()),
            Value::None => Key::None,
            Value::Tuple(items) => Key::Tuple(items.iter().map(Key::of).collect::<Option<_>>()?),
            Value::Scalar(_) => Key::of(&value.as_f64().map(Value::Float)?)?,
            _ => return None,
        })
    }
}
