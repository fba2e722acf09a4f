//! Errors of the pickle reader.

/// Why a pickle was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PickleError {
    /// The data ends too early.
    #[error("the pickle is truncated")]
    Truncated,
    /// A name that is not on the list.
    #[error(
        "the pickle uses `{0}`, which is not allowed: only plain data, NumPy arrays and tensors are read"
    )]
    Forbidden(String),
    /// An operation that data does not need.
    #[error("the pickle has an unsupported operation 0x{0:02x}")]
    Operation(u8),
    /// Operations in an impossible order or with impossible arguments.
    #[error("the pickle is damaged: {0}")]
    Damaged(&'static str),
    /// Content that needs far more memory than the file is long.
    #[error("the pickle would need too much memory: {0}")]
    TooLarge(&'static str),
}

pub(super) type Result<T> = std::result::Result<T, PickleError>;
