//! NumPy's element types.

/// Element type of an array or scalar; always little endian in memory here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum DType {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
    /// Unicode text of so many code points.
    Unicode(usize),
    /// Python objects.
    Object,
}

impl DType {
    /// NumPy's short name without byte order: `f4`, `i8`, `b1`, `U15`.
    #[must_use]
    pub fn code(self) -> String {
        let code = match self {
            DType::Bool => "b1",
            DType::I8 => "i1",
            DType::I16 => "i2",
            DType::I32 => "i4",
            DType::I64 => "i8",
            DType::U8 => "u1",
            DType::U16 => "u2",
            DType::U32 => "u4",
            DType::U64 => "u8",
            DType::F16 => "f2",
            DType::F32 => "f4",
            DType::F64 => "f8",
            DType::Unicode(n) => return format!("U{n}"),
            DType::Object => "O8",
        };
        code.to_owned()
    }

    /// The type a short name means.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let code = code.trim_start_matches(['<', '|', '=']);
        let fixed = [
            DType::Bool,
            DType::I8,
            DType::I16,
            DType::I32,
            DType::I64,
            DType::U8,
            DType::U16,
            DType::U32,
            DType::U64,
            DType::F16,
            DType::F32,
            DType::F64,
            DType::Object,
        ];
        fixed.into_iter().find(|dtype| dtype.code() == code).or_else(|| match code {
            "?" => Some(DType::Bool),
            "O" => Some(DType::Object),
            _ => code.strip_prefix('U')?.parse().ok().filter(|n| *n <= 1 << 16).map(DType::Unicode),
        })
    }

    /// Bytes per element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            DType::Bool | DType::I8 | DType::U8 => 1,
            DType::I16 | DType::U16 | DType::F16 => 2,
            DType::I32 | DType::U32 | DType::F32 => 4,
            DType::I64 | DType::U64 | DType::F64 | DType::Object => 8,
            DType::Unicode(n) => 4 * n,
        }
    }

    /// Whether byte order matters; NumPy marks the others with `|`.
    #[must_use]
    pub fn order_mark(self) -> char {
        if self.size() == 1 || self == DType::Object { '|' } else { '<' }
    }
}
