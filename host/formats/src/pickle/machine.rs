//! The pickle machine, reduced to what data needs.

use std::collections::HashMap;

use super::Value;
use super::arena::{Arena, Id, Node};
use super::error::{PickleError, Result};
use super::globals::{Callable, lookup};
use super::rebuild::{array_from_state, call};

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
/// Returns an error for anything but plain data, NumPy arrays and NumPy scalars, and for content that would need far more
/// memory than the file is long.
pub fn read(bytes: &[u8]) -> Result<Value> {
    read_from(bytes, &mut NoTensors).map(|(value, _)| value)
}

/// Reads one pickle, and returns how many bytes it took.
pub(crate) fn read_from(bytes: &[u8], resolve: &mut dyn Resolve) -> Result<(Value, usize)> {
    let mut machine = Machine {
        bytes,
        at: 0,
        arena: Arena::new(bytes.len()),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        resolve,
    };
    let root = machine.run()?;
    Ok((machine.arena.into_value(root)?, machine.at))
}

struct Machine<'a, 'r> {
    bytes: &'a [u8],
    at: usize,
    arena: Arena<'a>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    resolve: &'r mut dyn Resolve,
}

impl<'a> Machine<'a, '_> {
    fn run(&mut self) -> Result<Id> {
        let most = self.arena.most();
        loop {
            let op = self.byte()?;
            if op == b'.' {
                return self.pop();
            }
            self.step(op)?;
            if self.marks.len() > most || self.memo.len() > most {
                return Err(PickleError::TooLarge("too many objects"));
            }
        }
    }

    fn step(&mut self, op: u8) -> Result<()> {
        match op {
            0x80 => drop(self.byte()?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'J' => self.int(4)?,
            b'K' => self.unsigned(1)?,
            b'M' => self.unsigned(2)?,
            0x8a => self.long(1)?,
            0x8b => self.long(4)?,
            b'G' => self.float()?,
            b'X' => self.text(4)?,
            0x8c => self.text(1)?,
            0x8d => self.text(8)?,
            b'U' | b'C' => self.blob(1)?,
            b'T' | b'B' => self.blob(4)?,
            0x8e | 0x96 => self.blob(8)?,
            b'}' => self.push_node(Node::Dict(Vec::new()))?,
            b']' => self.push_node(Node::List(Vec::new()))?,
            b')' => self.push_node(Node::Tuple(Vec::new()))?,
            0x8f => self.push_node(Node::Set(Vec::new()))?,
            b't' => self.collect_marked(Node::Tuple)?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b'l' => self.collect_marked(Node::List)?,
            0x91 => self.collect_marked(Node::Set)?,
            b'd' => self.dict_marked()?,
            b'a' => self.append_one()?,
            b'e' | 0x90 => self.append_many()?,
            b's' => self.set_one()?,
            b'u' => self.set_many()?,
            b'0' => drop(self.pop()?),
            b'1' => drop(self.marked()?),
            b'2' => self.stack.push(self.top()?),
            b'q' => self.put_indexed(1)?,
            b'r' => self.put_indexed(4)?,
            0x94 => self.put(self.memo.len() as u32)?,
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
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

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
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

    fn push(&mut self, value: Value) -> Result<()> {
        let id = self.arena.value(value)?;
        self.stack.push(id);
        Ok(())
    }

    fn push_node(&mut self, node: Node<'a>) -> Result<()> {
        let id = self.arena.add(node)?;
        self.stack.push(id);
        Ok(())
    }

    fn top(&self) -> Result<Id> {
        self.stack.last().copied().ok_or(PickleError::Damaged("empty stack"))
    }

    fn pop(&mut self) -> Result<Id> {
        if self.marks.last().is_some_and(|mark| *mark >= self.stack.len()) {
            return Err(PickleError::Damaged("a mark in the way"));
        }
        self.stack.pop().ok_or(PickleError::Damaged("empty stack"))
    }

    fn int(&mut self, width: usize) -> Result<()> {
        let value = self.number(width)? as u32 as i32;
        self.push(Value::Int(i64::from(value)))
    }

    fn unsigned(&mut self, width: usize) -> Result<()> {
        let value = self.number(width)? as i64;
        self.push(Value::Int(value))
    }

    /// A number in two's complement, of any length.
    fn long(&mut self, width: usize) -> Result<()> {
        let n = self.number(width)? as usize;
        let bytes = self.take(n)?;
        let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [sign; 8];
        let kept = n.min(8);
        wide[..kept].copy_from_slice(&bytes[..kept]);
        let fits = bytes[kept..].iter().all(|byte| *byte == sign) && (n < 8 || (wide[7] ^ sign) & 0x80 == 0);
        if !fits {
            return Err(PickleError::Damaged("an integer of more than 64 bits"));
        }
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn float(&mut self) -> Result<()> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        self.push(Value::Float(f64::from_be_bytes(bytes)))
    }

    fn text(&mut self, width: usize) -> Result<()> {
        let n = usize::try_from(self.number(width)?).map_err(|_| PickleError::Truncated)?;
        let text =
            std::str::from_utf8(self.take(n)?).map_err(|_| PickleError::Damaged("text that is not UTF-8"))?;
        self.push_node(Node::Str(text))
    }

    fn blob(&mut self, width: usize) -> Result<()> {
        let n = usize::try_from(self.number(width)?).map_err(|_| PickleError::Truncated)?;
        let bytes = self.take(n)?;
        self.push_node(Node::Bytes(bytes))
    }

    fn marked(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or(PickleError::Damaged("no mark"))?;
        if mark > self.stack.len() {
            return Err(PickleError::Damaged("a mark beyond the stack"));
        }
        Ok(self.stack.split_off(mark))
    }

    fn collect_marked(&mut self, container: fn(Vec<Id>) -> Node<'a>) -> Result<()> {
        let items = self.marked()?;
        self.push_node(container(items))
    }

    fn tuple(&mut self, n: usize) -> Result<()> {
        let mut items = (0..n).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
        items.reverse();
        self.push_node(Node::Tuple(items))
    }

    fn dict_marked(&mut self) -> Result<()> {
        let items = self.marked()?;
        self.push_node(Node::Dict(pairs(&items)?))
    }

    fn append_one(&mut self) -> Result<()> {
        let item = self.pop()?;
        self.extend_top(&[item])
    }

    fn append_many(&mut self) -> Result<()> {
        let items = self.marked()?;
        self.extend_top(&items)
    }

    fn extend_top(&mut self, items: &[Id]) -> Result<()> {
        let top = self.top()?;
        match self.arena.get_mut(top) {
            Node::List(list) | Node::Set(list) => list.extend(items),
            _ => return Err(PickleError::Damaged("append to something that is not a list")),
        }
        Ok(())
    }

    fn set_one(&mut self) -> Result<()> {
        let value = self.pop()?;
        let key = self.pop()?;
        self.insert_top(&[(key, value)])
    }

    fn set_many(&mut self) -> Result<()> {
        let items = self.marked()?;
        self.insert_top(&pairs(&items)?)
    }

    fn insert_top(&mut self, entries: &[(Id, Id)]) -> Result<()> {
        let top = self.top()?;
        match self.arena.get_mut(top) {
            Node::Dict(dict) | Node::OrderedDict(dict) => dict.extend(entries),
            _ => return Err(PickleError::Damaged("an entry for something that is not a dictionary")),
        }
        Ok(())
    }

    fn put_indexed(&mut self, width: usize) -> Result<()> {
        let index = self.number(width)? as u32;
        self.put(index)
    }

    fn put(&mut self, index: u32) -> Result<()> {
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, width: usize) -> Result<()> {
        let index = self.number(width)? as u32;
        let id = self.memo.get(&index).ok_or(PickleError::Damaged("an unknown memo entry"))?;
        self.stack.push(*id);
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
        let (name, module) = (self.pop()?, self.pop()?);
        match (self.arena.get(name), self.arena.get(module)) {
            (Node::Str(name), Node::Str(module)) => {
                let (module, name) = (*module, *name);
                self.global(module, name)
            }
            _ => Err(PickleError::Damaged("a name that is not text")),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Result<()> {
        let callable = lookup(module, name);
        let full = format!("{module}.{name}");
        match callable {
            Some(callable) => self.push_node(Node::Call(callable, full)),
            None => Err(PickleError::Forbidden(full)),
        }
    }

    fn reduce(&mut self) -> Result<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Node::Call(callable, _) = self.arena.get(function) else {
            return Err(PickleError::Damaged("a call of something that is not a function"));
        };
        let callable = *callable;
        let Node::Tuple(items) = self.arena.get(arguments) else {
            return Err(PickleError::Damaged("arguments that are not a tuple"));
        };
        let first = items.first().copied();
        match callable {
            Callable::NdArrayReconstruct => self.push_node(Node::EmptyArray),
            // The parameter is its tensor.
            Callable::RebuildParameter => {
                self.stack.push(first.ok_or(PickleError::Damaged("a missing argument"))?);
                Ok(())
            }
            Callable::Set => {
                let items = self.list_of(first)?;
                self.push_node(Node::Set(items))
            }
            Callable::OrderedDict => {
                let items = self.list_of(first)?;
                let entries = items.into_iter().map(|item| self.pair(item)).collect::<Result<_>>()?;
                self.push_node(Node::OrderedDict(entries))
            }
            Callable::RebuildTensor => {
                let arguments = self.arena.copy(arguments)?;
                let tensor = self.resolve.tensor(arguments.items().unwrap_or_default())?;
                self.push(tensor)
            }
            _ => {
                let Value::Tuple(arguments) = self.arena.copy(arguments)? else { return Ok(()) };
                self.push(call(callable, arguments)?)
            }
        }
    }

    /// Elements of the list that is a function's only argument; without one there are none.
    fn list_of(&mut self, argument: Option<Id>) -> Result<Vec<Id>> {
        argument.map_or(Ok(Vec::new()), |list| self.arena.list(list))
    }

    fn pair(&self, item: Id) -> Result<(Id, Id)> {
        match self.arena.get(item) {
            Node::List(items) | Node::Tuple(items) => match items.as_slice() {
                [key, value] => Ok((*key, *value)),
                _ => Err(PickleError::Damaged("an entry that is not a pair")),
            },
            _ => Err(PickleError::Damaged("an entry that is not a pair")),
        }
    }

    fn build(&mut self) -> Result<()> {
        let (state, object) = (self.pop()?, self.top()?);
        match self.arena.get(object) {
            Node::EmptyArray => {
                let array = array_from_state(&mut self.arena, state)?;
                *self.arena.get_mut(object) = array;
                Ok(())
            }
            Node::Value(Value::DType(dtype)) => {
                let dtype = *dtype;
                let state = self.arena.copy(state)?;
                let big = state.items().and_then(|state| state.get(1)).and_then(Value::as_str) == Some(">");
                if big && dtype.size() > 1 {
                    return Err(PickleError::Damaged(
                        "big-endian NumPy data; save it again on a current machine",
                    ));
                }
                Ok(())
            }
            // Attributes of a state dict (`_metadata`) carry nothing we need.
            Node::OrderedDict(_) | Node::Dict(_) | Node::Value(Value::Tensor(_)) => Ok(()),
            _ => Err(PickleError::Damaged("state for something that takes none")),
        }
    }

    fn persistent(&mut self) -> Result<()> {
        let id = self.pop()?;
        let id = self.arena.copy(id)?;
        let value = self.resolve.persistent(id)?;
        self.push(value)
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>> {
    if !items.len().is_multiple_of(2) {
        return Err(PickleError::Damaged("a key without a value"));
    }
    Ok(items.as_chunks::<2>().0.iter().map(|[key, value]| (*key, *value)).collect())
}
