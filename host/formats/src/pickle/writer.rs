//! Writes pickles that CPython reads, with NumPy's own types. Module names are those of NumPy 1, which NumPy 2 still
//! understands. Nothing is memoised: readers do not need it.

use super::{DType, NdArray, Value};

/// A pickle of protocol 4, Python's default since 3.8.
#[must_use]
pub fn to_bytes(value: &Value) -> Vec<u8> {
    pickle(value, 4, &|_, _| {})
}

/// A pickle of protocol 2, which `torch.save` uses; `tensor` writes a [`Value::Tensor`].
#[must_use]
pub fn to_bytes_protocol2(value: &Value, tensor: &dyn Fn(&mut Vec<u8>, usize)) -> Vec<u8> {
    pickle(value, 2, tensor)
}

fn pickle(value: &Value, protocol: u8, tensor: &dyn Fn(&mut Vec<u8>, usize)) -> Vec<u8> {
    let mut out = vec![0x80, protocol];
    Writer { out: &mut out, protocol, tensor }.value(value);
    out.push(b'.');
    out
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    protocol: u8,
    tensor: &'a dyn Fn(&mut Vec<u8>, usize),
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) {
        match value {
            Value::None => self.out.push(b'N'),
            Value::Bool(value) => self.out.push(if *value { 0x88 } else { 0x89 }),
            Value::Int(value) => int(self.out, *value),
            Value::Float(value) => {
                self.out.push(b'G');
                self.out.extend(value.to_be_bytes());
            }
            Value::Str(text) => text_op(self.out, text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::List(items) => self.list(items),
            Value::Tuple(items) => self.tuple(items),
            Value::Dict(entries) => {
                self.out.push(b'}');
                self.entries(entries);
            }
            Value::OrderedDict(entries) => {
                global(self.out, "collections", "OrderedDict");
                self.out.extend([b')', b'R']);
                self.entries(entries);
            }
            Value::Set(items) => {
                global(self.out, if self.protocol < 3 { "__builtin__" } else { "builtins" }, "set");
                self.list(items);
                self.out.extend([0x85, b'R']);
            }
            Value::Array(array) => self.array(array),
            Value::Scalar(array) => self.scalar(array),
            Value::DType(dtype) => self.dtype(*dtype),
            Value::Tensor(index) => (self.tensor)(self.out, *index),
            Value::Global(name) => {
                let (module, name) = name.rsplit_once('.').unwrap_or(("builtins", name));
                global(self.out, module, name);
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.protocol >= 3 {
            self.out.push(b'B');
            self.out.extend((bytes.len() as u32).to_le_bytes());
            self.out.extend(bytes);
        } else {
            global(self.out, "_codecs", "encode");
            text_op(self.out, &bytes.iter().map(|byte| char::from(*byte)).collect::<String>());
            text_op(self.out, "latin1");
            self.out.extend([0x86, b'R']);
        }
    }

    fn list(&mut self, items: &[Value]) {
        self.out.extend([b']', b'(']);
        items.iter().for_each(|item| self.value(item));
        self.out.push(b'e');
    }

    fn tuple(&mut self, items: &[Value]) {
        if items.is_empty() {
            self.out.push(b')');
            return;
        }
        if items.len() > 3 {
            self.out.push(b'(');
        }
        items.iter().for_each(|item| self.value(item));
        self.out.push(match items.len() {
            1 => 0x85,
            2 => 0x86,
            3 => 0x87,
            _ => b't',
        });
    }

    fn entries(&mut self, entries: &[(Value, Value)]) {
        self.out.push(b'(');
        for (key, value) in entries {
            self.value(key);
            self.value(value);
        }
        self.out.push(b'u');
    }

    fn dtype(&mut self, dtype: DType) {
        global(self.out, "numpy", "dtype");
        text_op(self.out, &dtype.code());
        self.out.extend([0x89, 0x88, 0x87, b'R']);
        self.out.push(b'(');
        int(self.out, 3);
        text_op(self.out, &dtype.order_mark().to_string());
        self.out.extend(b"NNN");
        let (size, alignment) = if let DType::Unicode(n) = dtype { (4 * n as i64, 4) } else { (-1, -1) };
        int(self.out, size);
        int(self.out, alignment);
        int(self.out, if let DType::Unicode(_) = dtype { 8 } else { 0 });
        self.out.extend([b't', b'b']);
    }

    /// `_reconstruct(ndarray, (0,), b'b')` and then the state `(1, shape, dtype, False, data)`.
    fn array(&mut self, array: &NdArray) {
        global(self.out, "numpy.core.multiarray", "_reconstruct");
        global(self.out, "numpy", "ndarray");
        int(self.out, 0);
        self.out.push(0x85);
        self.bytes(b"b");
        self.out.extend([0x87, b'R', b'(']);
        int(self.out, 1);
        self.tuple(&array.shape.iter().map(|len| Value::Int(*len as i64)).collect::<Vec<_>>());
        self.dtype(array.dtype);
        self.out.push(0x89);
        if array.dtype == DType::Object {
            self.list(&array.objects)
        } else {
            self.bytes(&array.data)
        }
        self.out.extend([b't', b'b']);
    }

    fn scalar(&mut self, scalar: &NdArray) {
        global(self.out, "numpy.core.multiarray", "scalar");
        self.dtype(scalar.dtype);
        self.bytes(&scalar.data);
        self.out.extend([0x86, b'R']);
    }
}

/// An integer in its shortest form.
pub(crate) fn int(out: &mut Vec<u8>, value: i64) {
    if let Ok(byte) = u8::try_from(value) {
        out.extend([b'K', byte]);
    } else if let Ok(small) = i32::try_from(value) {
        out.push(b'J');
        out.extend(small.to_le_bytes());
    } else {
        out.extend([0x8a, 8]);
        out.extend(value.to_le_bytes());
    }
}

pub(crate) fn text_op(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

pub(crate) fn global(out: &mut Vec<u8>, module: &str, name: &str) {
    out.push(b'c');
    out.extend(module.as_bytes());
    out.push(b'\n');
    out.extend(name.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pickle::read;

    fn sample() -> Value {
        Value::dict(vec![
            ("none", Value::None),
            (
                "ints",
                Value::List(vec![Value::Int(-1), Value::Int(255), Value::Int(256), Value::Int(1 << 40)]),
            ),
            ("tuple", Value::Tuple(vec![Value::Bool(true); 5])),
            ("array", Value::f64_array([1.5, -2.0])),
            ("scalar", Value::f32_scalar(0.25)),
            ("names", Value::str_array(&["a".to_owned(), "bcd".to_owned()])),
            ("ordered", Value::OrderedDict(vec![(Value::Int(0), Value::Bytes(vec![0, 255]))])),
        ])
    }

    /// The pickle of protocol 2 with some operations, ended.
    fn pickle(operations: &[u8]) -> Vec<u8> {
        [&[0x80, 2], operations, b"."].concat()
    }

    #[test]
    fn integers_are_exact_or_refused() {
        let long = |bytes: &[u8]| read(&pickle(&[&[0x8a, bytes.len() as u8], bytes].concat()));
        assert_eq!(long(&[]).unwrap(), Value::Int(0));
        assert_eq!(long(&[0xff]).unwrap(), Value::Int(-1));
        assert_eq!(long(&i64::MIN.to_le_bytes()).unwrap(), Value::Int(i64::MIN));
        assert_eq!(long(&[0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap(), Value::Int(0));
        // 2^63 and -2^63 - 1 have nine bytes.
        for bytes in [[0, 0, 0, 0, 0, 0, 0, 0x80, 0], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff]]
        {
            assert!(long(&bytes).unwrap_err().to_string().contains("more than 64 bits"));
        }
    }

    #[test]
    fn of_equal_keys_the_last_value_counts() {
        // {"a": 1, 1: 2} with "a" set again, and 1 set again as True and 1.0.
        let text = b"}(X\x01\0\0\0aK\x01K\x01K\x02X\x01\0\0\0aK\x03\x88K\x04G\x3f\xf0\0\0\0\0\0\0K\x05u";
        let expected = Value::Dict(vec![(Value::str("a"), Value::Int(3)), (Value::Int(1), Value::Int(5))]);
        assert_eq!(read(&pickle(text)).unwrap(), expected);
    }

    #[test]
    fn shared_objects_are_copied_and_bombs_refused() {
        // One list of 1,000 names in each of 1,000 folds.
        let name = [b"X\x0a\0\0\0".as_slice(), b"patient_17", b"q\0"].concat();
        let names = [b"](".as_slice(), &name, &b"h\0".repeat(999), b"eq\x01"].concat();
        let folds = [b"](".as_slice(), &names, &b"h\x01".repeat(999), b"e"].concat();
        let folds = read(&pickle(&folds)).unwrap();
        let all = folds.items().unwrap();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|fold| fold.items().is_some_and(|names| names.len() == 1000)));
        // 2^60 elements, a list that contains itself, and functions that copy their argument again and again.
        let doubling = [b"]".as_slice(), &b"q\0]q\x01h\0ah\0a0h\x01".repeat(60)].concat();
        let itself = b"]q\0h\0a";
        let encode = [
            b"c_codecs\nencode\nq\0X\0\0\x01\0".as_slice(),
            &[b'a'; 1 << 16],
            b"X\x06\0\0\0latin1\x86q\x01",
            &b"h\0h\x01R0".repeat(1 << 16),
        ]
        .concat();
        for (name, bomb) in [("doubling", doubling.as_slice()), ("itself", itself), ("encode", &encode)] {
            assert!(read(&pickle(bomb)).is_err(), "{name}");
        }
        assert!(matches!(read(&pickle(&b"]".repeat(4 << 20))), Err(super::super::PickleError::TooLarge(_))));
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(read(&to_bytes(&sample())).unwrap(), sample());
        assert_eq!(read(&to_bytes_protocol2(&sample(), &|_, _| {})).unwrap(), sample());
    }
}
