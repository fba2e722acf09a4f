//! The pickle machine, reduced to what data needs.

use std::collections::HashMap;

use super::Value;
use super::globals::{Callable, lookup};
use super::rebuild::{array_from_state, call};

/// Most items on the stack; Python's own data stays far below.
const MAX_STACK: usize = 1 << 22;
/// Most values copied out of the memo, beside one a byte of the pickle: shared containers are copied, and a small hostile
/// file could share without end.
const MAX_COPIED: usize = 1 << 13;
/// Deepest nesting of containers.
const MAX_DEPTH: usize = 500;

/// Why a pickle was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PickleError {
    /// The data ends too early.
    #[error("the pickle is truncated")]
    Truncated,
    /// A name that is not on the list.
    #[error(
        "the pickle wants to use `{0}`, which is not allowed: only plain data, NumPy arrays and tensors are read"
    )]
    Forbidden(String),
    /// An operation that data does not need.
    #[error("the pickle has an unsupported operation 0x{0:02x}")]
    Operation(u8),
    /// Operations in an impossible order or with impossible arguments.
    #[error("the pickle is damaged: {0}")]
    Damaged(&'static str),
}

pub(super) type Result<T> = std::result::Result<T, PickleError>;

/// How persistent ids (storages) and tensors of checkpoints are resolved.
pub(crate) trait Resolve {
    /// A persistent id; returns the value that stands for it.
    fn persistent(&mut self, id: Value) -> Result<Value>;
    /// `_rebuild_tensor_v2(storage, offset, size, stride, ...)`.
    fn tensor(&mut self, arguments: &[Value]) -> Result<Value>;
}

struct NoTensors;

impl Resolve for NoTensors {
    fn persistent(&mut self, _id: Value) -> Result<Value> {
        Err(PickleError::Damaged("a persistent id outside a checkpoint"))
    }

    fn tensor(&mut self, _arguments: &[Value]) -> Result<Value> {
        Err(PickleError::Damaged("a tensor outside a checkpoint"))
    }
}

/// Reads one pickle.
///
/// # Errors
/// Anything but plain data, NumPy arrays and NumPy scalars.
pub fn read(bytes: &[u8]) -> Result<Value> {
    read_from(bytes, &mut NoTensors).map(|(value, _)| value)
}

/// Reads one pickle and says how many bytes it took.
pub(crate) fn read_from(bytes: &[u8], resolve: &mut dyn Resolve) -> Result<(Value, usize)> {
    let mut machine = Machine {
        bytes,
        at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        resolve,
        copied: 0,
    };
    let value = machine.run()?;
    Ok((value, machine.at))
}

/// An item of the machine's stack.
#[derive(Debug, Clone)]
enum Item {
    Value(Value),
    Call(Callable, String),
    /// An array whose state has not come yet.
    EmptyArray,
    /// A container that lives in the memo, where it is filled: Python memoises containers while they are empty.
    Memoised(u32),
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Item>,
    marks: Vec<usize>,
    memo: HashMap<u32, Item>,
    resolve: &'a mut dyn Resolve,
    copied: usize,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Value> {
        loop {
            let op = self.byte()?;
            if op == b'.' {
                return self.pop_value();
            }
            self.step(op)?;
            if self.stack.len() > MAX_STACK || self.marks.len() > MAX_STACK {
                return Err(PickleError::Damaged("too deep"));
            }
        }
    }

    fn step(&mut self, op: u8) -> Result<()> {
        match op {
            0x80 => drop(self.byte()?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => self.int(4)?,
            b'K' => self.unsigned(1)?,
            b'M' => self.unsigned(2)?,
            0x8a => self.long()?,
            b'G' => self.float()?,
            b'X' => self.text(4)?,
            0x8c => self.text(1)?,
            0x8d => self.text(8)?,
            b'U' | b'C' => self.blob(1)?,
            b'T' | b'B' => self.blob(4)?,
            0x8e | 0x96 => self.blob(8)?,
            b'}' => self.push(Value::Dict(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            0x8f => self.push(Value::Set(Vec::new())),
            b't' => self.tuple_of_marked()?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b'l' => self.list_marked()?,
            b'd' => self.dict_marked()?,
            b'a' => self.append_one()?,
            b'e' | 0x90 => self.append_many()?,
            b's' => self.set_one()?,
            b'u' => self.set_many()?,
            b'0' => drop(self.pop()?),
            b'1' => drop(self.marked()?),
            b'2' => {
                let top = self.stack.last().cloned().ok_or(PickleError::Damaged("empty stack"))?;
                self.stack.push(top);
            }
            b'q' => self.put_indexed(1)?,
            b'r' => self.put_indexed(4)?,
            0x94 => self.put(self.memo.len() as u32)?,
            b'h' => self.get(1)?,
            b'j' => self.get(4)?,
            b'c' => self.global_by_lines()?,
            0x93 => self.global_by_stack()?,
            b'R' | 0x81 => self.reduce()?,
            b'b' => self.build()?,
            b'Q' => self.persistent()?,
            other => return Err(PickleError::Operation(other)),
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, n: usize) -> Result<&[u8]> {
        let end =
            self.at.checked_add(n).filter(|end| *end <= self.bytes.len()).ok_or(PickleError::Truncated)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self, width: usize) -> Result<u64> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn push(&mut self, value: Value) {
        self.stack.push(Item::Value(value));
    }

    fn pop(&mut self) -> Result<Item> {
        if self.marks.last().is_some_and(|mark| *mark >= self.stack.len()) {
            return Err(PickleError::Damaged("a mark in the way"));
        }
        self.stack.pop().ok_or(PickleError::Damaged("empty stack"))
    }

    fn pop_value(&mut self) -> Result<Value> {
        let item = self.pop()?;
        self.value_of(item)
    }

    fn value_of(&mut self, item: Item) -> Result<Value> {
        match item {
            // Walking is cheap where data is shallow, and recursion elsewhere (dropping, cloning) relies on it.
            Item::Value(value) => weight(&value, 1).map(|_| value),
            Item::Call(Callable::Marker, name) => Ok(Value::Global(name)),
            Item::Call(..) => Err(PickleError::Damaged("a function where data should be")),
            Item::EmptyArray => Err(PickleError::Damaged("an array without content")),
            Item::Memoised(index) => match self.memo.get(&index) {
                Some(Item::Value(value)) => {
                    self.copied += weight(value, 0)?;
                    self.check_copied()?;
                    Ok(value.clone())
                }
                _ => Err(PickleError::Damaged("a lost container")),
            },
        }
    }

    fn int(&mut self, width: usize) -> Result<()> {
        let value = self.number(width)? as u32 as i32;
        self.push(Value::Int(i64::from(value)));
        Ok(())
    }

    fn unsigned(&mut self, width: usize) -> Result<()> {
        let value = self.number(width)? as i64;
        self.push(Value::Int(value));
        Ok(())
    }

    fn long(&mut self) -> Result<()> {
        let n = usize::from(self.byte()?);
        let bytes = self.take(n)?;
        if n > 8 && bytes[8..].iter().any(|byte| *byte != 0 && *byte != 0xff) {
            // Only torch's magic number is that long; its value does not matter to data.
            self.push(Value::None);
            return Ok(());
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = if negative { [0xff; 8] } else { [0; 8] };
        let kept = n.min(8);
        wide[..kept].copy_from_slice(&bytes[..kept]);
        self.push(Value::Int(i64::from_le_bytes(wide)));
        Ok(())
    }

    fn float(&mut self) -> Result<()> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        self.push(Value::Float(f64::from_be_bytes(bytes)));
        Ok(())
    }

    fn text(&mut self, width: usize) -> Result<()> {
        let n = usize::try_from(self.number(width)?).map_err(|_| PickleError::Truncated)?;
        let text =
            std::str::from_utf8(self.take(n)?).map_err(|_| PickleError::Damaged("text that is not UTF-8"))?;
        let text = text.to_owned();
        self.push(Value::Str(text));
        Ok(())
    }

    fn blob(&mut self, width: usize) -> Result<()> {
        let n = usize::try_from(self.number(width)?).map_err(|_| PickleError::Truncated)?;
        let bytes = self.take(n)?.to_vec();
        self.push(Value::Bytes(bytes));
        Ok(())
    }

    fn marked(&mut self) -> Result<Vec<Value>> {
        let mark = self.marks.pop().ok_or(PickleError::Damaged("no mark"))?;
        if mark > self.stack.len() {
            return Err(PickleError::Damaged("a mark beyond the stack"));
        }
        let items = self.stack.split_off(mark);
        items.into_iter().map(|item| self.value_of(item)).collect::<Result<Vec<_>>>()
    }

    fn tuple_of_marked(&mut self) -> Result<()> {
        let items = self.marked()?;
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn tuple(&mut self, n: usize) -> Result<()> {
        let mut items = (0..n).map(|_| self.pop_value()).collect::<Result<Vec<_>>>()?;
        items.reverse();
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn list_marked(&mut self) -> Result<()> {
        let items = self.marked()?;
        self.push(Value::List(items));
        Ok(())
    }

    fn dict_marked(&mut self) -> Result<()> {
        let items = self.marked()?;
        self.push(Value::Dict(pairs(items)?));
        Ok(())
    }

    fn append_one(&mut self) -> Result<()> {
        let item = self.pop_value()?;
        self.extend_top(vec![item])
    }

    fn append_many(&mut self) -> Result<()> {
        let items = self.marked()?;
        self.extend_top(items)
    }

    fn extend_top(&mut self, items: Vec<Value>) -> Result<()> {
        self.change_top(|top| match top {
            Value::List(list) | Value::Set(list) => {
                list.extend(items);
                Ok(())
            }
            _ => Err(PickleError::Damaged("append to something that is no list")),
        })
    }

    fn set_one(&mut self) -> Result<()> {
        let value = self.pop_value()?;
        let key = self.pop_value()?;
        self.insert_top(vec![(key, value)])
    }

    fn set_many(&mut self) -> Result<()> {
        let items = self.marked()?;
        self.insert_top(pairs(items)?)
    }

    fn insert_top(&mut self, entries: Vec<(Value, Value)>) -> Result<()> {
        self.change_top(|top| match top {
            Value::Dict(dict) | Value::OrderedDict(dict) => {
                dict.extend(entries);
                Ok(())
            }
            _ => Err(PickleError::Damaged("an entry for something that is no dictionary")),
        })
    }

    /// Changes the container on top of the stack and, when it was memoised, the memo's copy with it.
    fn change_top(&mut self, change: impl FnOnce(&mut Value) -> Result<()>) -> Result<()> {
        let top = self.stack.last_mut().ok_or(PickleError::Damaged("empty stack"))?;
        match top {
            Item::Value(value) => change(value),
            Item::Memoised(index) => match self.memo.get_mut(index) {
                Some(Item::Value(value)) => change(value),
                _ => Err(PickleError::Damaged("a lost container")),
            },
            _ => Err(PickleError::Damaged("not a container")),
        }
    }

    fn put_indexed(&mut self, width: usize) -> Result<()> {
        let index = self.number(width)? as u32;
        self.put(index)
    }

    fn put(&mut self, index: u32) -> Result<()> {
        let top = self.stack.last_mut().ok_or(PickleError::Damaged("empty stack"))?;
        let item = if matches!(
            top,
            Item::Value(Value::List(_) | Value::Dict(_) | Value::OrderedDict(_) | Value::Set(_))
        ) {
            std::mem::replace(top, Item::Memoised(index))
        } else {
            top.clone()
        };
        self.memo.insert(index, item);
        Ok(())
    }

    fn check_copied(&self) -> Result<()> {
        if self.copied > MAX_COPIED + self.bytes.len() {
            return Err(PickleError::Damaged("too much shared data"));
        }
        Ok(())
    }

    fn get(&mut self, width: usize) -> Result<()> {
        let index = self.number(width)? as u32;
        let item = match self.memo.get(&index) {
            Some(Item::Value(Value::List(_) | Value::Dict(_) | Value::OrderedDict(_) | Value::Set(_))) => {
                Item::Memoised(index)
            }
            Some(item) => item.clone(),
            None => return Err(PickleError::Damaged("an unknown memo entry")),
        };
        if let Item::Value(value) = &item {
            self.copied += weight(value, 0)?;
        }
        self.check_copied()?;
        self.stack.push(item);
        Ok(())
    }

    fn global_by_lines(&mut self) -> Result<()> {
        let (module, name) = (self.line()?, self.line()?);
        self.global(&module, &name)
    }

    fn line(&mut self) -> Result<String> {
        let rest = &self.bytes[self.at..];
        let n = rest.iter().position(|byte| *byte == b'\n').ok_or(PickleError::Truncated)?;
        let line = String::from_utf8_lossy(&rest[..n]).into_owned();
        self.at += n + 1;
        Ok(line)
    }

    fn global_by_stack(&mut self) -> Result<()> {
        match (self.pop_value()?, self.pop_value()?) {
            (Value::Str(name), Value::Str(module)) => self.global(&module, &name),
            _ => Err(PickleError::Damaged("a name that is no text")),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        let full = format!("{module}.{name}");
        let callable = lookup(module, name).ok_or_else(|| PickleError::Forbidden(full.clone()))?;
        self.stack.push(Item::Call(callable, full));
        Ok(())
    }

    fn reduce(&mut self) -> Result<()> {
        let Value::Tuple(arguments) = self.pop_value()? else {
            return Err(PickleError::Damaged("arguments that are no tuple"));
        };
        let Item::Call(callable, _) = self.pop()? else {
            return Err(PickleError::Damaged("a call of something that is no function"));
        };
        let item = match callable {
            Callable::NdArrayReconstruct => Item::EmptyArray,
            Callable::RebuildTensor => Item::Value(self.resolve.tensor(&arguments)?),
            _ => Item::Value(call(callable, arguments)?),
        };
        self.stack.push(item);
        Ok(())
    }

    fn build(&mut self) -> Result<()> {
        let state = self.pop_value()?;
        match self.pop()? {
            Item::EmptyArray => {
                let array = Item::Value(Value::Array(array_from_state(state)?));
                // The array was memoised before its content came.
                for item in self.memo.values_mut().filter(|item| matches!(item, Item::EmptyArray)) {
                    *item = array.clone();
                }
                self.stack.push(array);
            }
            Item::Value(Value::DType(dtype)) => {
                let big = state.items().and_then(|state| state.get(1)).and_then(Value::as_str) == Some(">");
                if big && dtype.size() > 1 {
                    return Err(PickleError::Damaged(
                        "big-endian NumPy data; save it again on a current machine",
                    ));
                }
                self.push(Value::DType(dtype));
            }
            // Attributes of a state dict (`_metadata`) carry nothing we need.
            item @ (Item::Value(Value::OrderedDict(_) | Value::Tensor(_)) | Item::Memoised(_)) => {
                self.stack.push(item)
            }
            _ => return Err(PickleError::Damaged("state for something that takes none")),
        }
        Ok(())
    }

    fn persistent(&mut self) -> Result<()> {
        let id = self.pop_value()?;
        let value = self.resolve.persistent(id)?;
        self.push(value);
        Ok(())
    }
}

/// Number of values in a tree, bulk data counted by the line; an error when it is nested too deeply to walk.
fn weight(value: &Value, depth: usize) -> Result<usize> {
    if depth > MAX_DEPTH {
        return Err(PickleError::Damaged("nested too deeply"));
    }
    let all = |items: &[Value]| items.iter().try_fold(1, |sum, item| Ok(sum + weight(item, depth + 1)?));
    match value {
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => all(items),
        Value::Dict(entries) | Value::OrderedDict(entries) => entries
            .iter()
            .try_fold(1, |sum, (key, value)| Ok(sum + weight(key, depth + 1)? + weight(value, depth + 1)?)),
        Value::Array(array) => Ok(1 + array.data.len() / 64 + all(&array.objects)?),
        Value::Str(text) => Ok(1 + text.len() / 64),
        Value::Bytes(bytes) => Ok(1 + bytes.len() / 64),
        _ => Ok(1),
    }
}

fn pairs(items: Vec<Value>) -> Result<Vec<(Value, Value)>> {
    if !items.len().is_multiple_of(2) {
        return Err(PickleError::Damaged("a key without a value"));
    }
    let mut items = items.into_iter();
    Ok(std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect())
}
