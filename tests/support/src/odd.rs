//! Changes files as mistaken people and malicious ones do: any value is replaced by an odd one, left out, or repeated.

use nnunet_formats::json::Json;
use nnunet_formats::pickle::Value;

/// Values inside of values.
pub trait Tree: Clone {
    /// The values directly inside.
    fn children(&mut self) -> Vec<&mut Self>;
    /// Leaves out the value at an index inside.
    fn remove(&mut self, index: usize);
    /// Repeats the value at an index inside; nothing happens where values have names.
    fn repeat(&mut self, index: usize, times: usize);
    /// A leaf.
    fn leaf(leaf: Leaf) -> Self;
    /// A list of values.
    fn list(items: Vec<Self>) -> Self;
}

/// A value without others inside.
#[derive(Debug, Clone, Copy)]
pub enum Leaf {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(&'static str),
}

const LEAVES: [Leaf; 22] = [
    Leaf::None,
    Leaf::Bool(true),
    Leaf::Int(0),
    Leaf::Int(-1),
    Leaf::Int(1),
    Leaf::Int(2),
    Leaf::Int(7),
    Leaf::Int(64),
    Leaf::Int(255),
    Leaf::Int(65_536),
    Leaf::Int(1 << 31),
    Leaf::Int(1 << 62),
    Leaf::Int(i64::MIN),
    Leaf::Float(0.5),
    Leaf::Float(-1.0),
    Leaf::Float(1e-300),
    Leaf::Float(1e300),
    Leaf::Float(f64::NAN),
    Leaf::Float(f64::INFINITY),
    Leaf::Text(""),
    Leaf::Text("x"),
    Leaf::Text("\u{1b}[31m"),
];
/// Nesting of the deepest list that is put in.
const DEPTH: usize = 300;
/// Repetitions of a value in a list.
const TIMES: usize = 3000;

/// Changes a value inside of `tree`, or itself: which one and how is decided by the numbers.
pub fn change<T: Tree>(tree: &mut T, place: usize, how: usize) {
    let kinds = LEAVES.len() + 4;
    let (count, how) = (size(tree), how % kinds);
    let place = place % count;
    match how.checked_sub(LEAVES.len()) {
        None => at(tree, place, &mut |node| *node = T::leaf(LEAVES[how])),
        Some(0) => at(tree, place, &mut |node| *node = T::list(Vec::new())),
        Some(1) => at(tree, place, &mut |node| {
            *node = (0..DEPTH).fold(T::leaf(Leaf::Int(1)), |inner, _| T::list(vec![inner]));
        }),
        Some(2) => at(tree, place, &mut |node| {
            let inside = node.children().len();
            if inside > 0 {
                node.remove(place % inside);
            }
        }),
        Some(_) => at(tree, place, &mut |node| {
            let inside = node.children().len();
            if inside > 0 {
                node.repeat(place % inside, TIMES);
            }
        }),
    }
}

fn size<T: Tree>(tree: &mut T) -> usize {
    1 + tree.children().into_iter().map(size).sum::<usize>()
}

/// Calls `work` with the value of a number, counted from the outside.
fn at<T: Tree>(tree: &mut T, place: usize, work: &mut dyn FnMut(&mut T)) {
    if place == 0 {
        return work(tree);
    }
    let mut left = place - 1;
    for child in tree.children() {
        let count = size(child);
        if left < count {
            return at(child, left, work);
        }
        left -= count;
    }
}

fn repeat<T: Clone>(items: &mut Vec<T>, index: usize, times: usize) {
    let copies = vec![items[index].clone(); times];
    items.splice(index..index, copies);
}

impl Tree for Json {
    fn children(&mut self) -> Vec<&mut Self> {
        match self {
            Json::Array(items) => items.iter_mut().collect(),
            Json::Object(entries) => entries.iter_mut().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        }
    }

    fn remove(&mut self, index: usize) {
        match self {
            Json::Array(items) => drop(items.remove(index)),
            Json::Object(entries) => drop(entries.remove(index)),
            _ => {}
        }
    }

    fn repeat(&mut self, index: usize, times: usize) {
        if let Json::Array(items) = self {
            repeat(items, index, times);
        }
    }

    fn leaf(leaf: Leaf) -> Self {
        match leaf {
            Leaf::None => Json::Null,
            Leaf::Bool(value) => Json::Bool(value),
            Leaf::Int(value) => Json::Int(value),
            Leaf::Float(value) => Json::Float(value),
            Leaf::Text(text) => Json::Str(text.to_owned()),
        }
    }

    fn list(items: Vec<Self>) -> Self {
        Json::Array(items)
    }
}

impl Tree for Value {
    fn children(&mut self) -> Vec<&mut Self> {
        match self {
            Value::List(items) | Value::Tuple(items) => items.iter_mut().collect(),
            Value::Dict(entries) | Value::OrderedDict(entries) => {
                entries.iter_mut().map(|(_, value)| value).collect()
            }
            _ => Vec::new(),
        }
    }

    fn remove(&mut self, index: usize) {
        match self {
            Value::List(items) | Value::Tuple(items) => drop(items.remove(index)),
            Value::Dict(entries) | Value::OrderedDict(entries) => drop(entries.remove(index)),
            _ => {}
        }
    }

    fn repeat(&mut self, index: usize, times: usize) {
        if let Value::List(items) | Value::Tuple(items) = self {
            repeat(items, index, times);
        }
    }

    fn leaf(leaf: Leaf) -> Self {
        match leaf {
            Leaf::None => Value::None,
            Leaf::Bool(value) => Value::Bool(value),
            Leaf::Int(value) => Value::Int(value),
            Leaf::Float(value) => Value::Float(value),
            Leaf::Text(text) => Value::str(text),
        }
    }

    fn list(items: Vec<Self>) -> Self {
        Value::List(items)
    }
}
