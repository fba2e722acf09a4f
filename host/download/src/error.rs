//! What can go wrong in a download.

use std::path::PathBuf;

/// The result of a download.
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No address was given.
    #[error("no address to download from")]
    NoAddress,
    /// No connection, or one that broke.
    #[error("{url}: {reason}")]
    Connection {
        /// The address.
        url: String,
        /// The client's words.
        reason: String,
    },
    /// An address that leads nowhere, however often it is asked.
    #[error("{url}: nothing can be downloaded from this address: {reason}")]
    Address {
        /// The address.
        url: String,
        /// The client's words.
        reason: String,
    },
    /// The server has no such file.
    #[error("{url}: the server answers {status}")]
    Status {
        /// The address.
        url: String,
        /// The code of HTTP.
        status: u16,
    },
    /// The server has sent a page for a browser, such as one to log in.
    #[error("{url}: the server sent a web page (text/html) instead of a file")]
    WebPage {
        /// The address.
        url: String,
    },
    /// The server closed the connection before the end.
    #[error("{url}: the server announced {announced} bytes and sent {sent}")]
    Incomplete {
        /// The address.
        url: String,
        /// Size of the file, according to the server.
        announced: u64,
        /// Bytes that arrived.
        sent: u64,
    },
    /// The server sends nothing more, but keeps the connection.
    #[error("{url}: the server has sent nothing for {seconds} s, after {sent} bytes")]
    Stalled {
        /// The address.
        url: String,
        /// Seconds of waiting.
        seconds: u64,
        /// Bytes that arrived.
        sent: u64,
    },
    /// An answer to a request for the rest of a file that does not fit to what is there.
    #[error("{url}: the server sent another part of the file than was asked for")]
    WrongPart {
        /// The address.
        url: String,
    },
    /// A redirection from an encrypted to an unencrypted address.
    #[error("{url}: it leads to an unencrypted address, {to}, which is not followed")]
    Unencrypted {
        /// The address.
        url: String,
        /// Where it leads.
        to: String,
    },
    /// The file is another one.
    #[error("the checksum of {} is {found} and should be {wanted}; the file was deleted", file.display())]
    Checksum {
        /// The file.
        file: PathBuf,
        /// Its checksum.
        found: String,
        /// The checksum it should have.
        wanted: String,
    },
    /// The text of a checksum.
    #[error("`{0}` is not a checksum; write sha256:HEX or md5:HEX")]
    NoChecksum(String),
    /// The disk is too small.
    #[error("{} has {free} bytes free, and the file needs {needed}", folder.display())]
    NoRoom {
        /// The folder.
        folder: PathBuf,
        /// Free bytes.
        free: u64,
        /// Bytes that are still to come.
        needed: u64,
    },
    /// The certificates of the user's choice.
    #[error("SSL_CERT_FILE {}: {reason}", file.display())]
    Certificates {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
}

impl Error {
    /// Whether another address would not help.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::NoRoom { .. } | Self::File { .. } | Self::Certificates { .. })
    }

    /// Whether the same request may succeed a little later.
    pub(crate) fn is_worth_another_try(&self) -> bool {
        match self {
            Self::Connection { .. }
            | Self::Incomplete { .. }
            | Self::Stalled { .. }
            | Self::WrongPart { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}
