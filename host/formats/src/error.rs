//! Errors about files.

use std::path::{Path, PathBuf};

/// An error about one file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system reported an error. It is part of the message and therefore no
    /// [`source`](std::error::Error::source): reports that print the chain of causes would print it twice.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: std::io::Error,
    },
    /// The content is invalid or not supported.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do where that is known.
        message: String,
    },
}

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The system's error about `path`.
    pub fn io(path: &Path, cause: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), cause }
    }

    /// Invalid content of `path`.
    pub fn invalid(path: &Path, message: impl ToString) -> Self {
        Self::Invalid { path: path.to_owned(), message: message.to_string() }
    }
}
