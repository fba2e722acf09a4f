//! The body of an answer, read by a thread of its own, so that a server that sends nothing more is noticed: a read that
//! waits cannot be interrupted.

use std::io::{Error, ErrorKind, Read, Result};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Bytes that are read at a time.
const BUFFER: usize = 1 << 17;
/// Chunks that wait to be written.
const WAITING: usize = 4;

/// Chunks of a body.
pub(crate) struct Chunks {
    chunks: Receiver<Result<Vec<u8>>>,
    patience: Duration,
}

impl Chunks {
    /// Begins to read. Each chunk has to arrive within the time.
    pub(crate) fn of(body: impl Read + Send + 'static, patience: Duration) -> Result<Self> {
        let (send, chunks) = sync_channel(WAITING);
        std::thread::Builder::new().spawn(move || read_all(body, &send))?;
        Ok(Self { chunks, patience })
    }

    /// The next chunk; none at the end.
    ///
    /// # Errors
    /// Returns the error of the connection, or one of the kind `TimedOut`. The thread is left behind then: it ends with its
    /// connection, or with the process.
    pub(crate) fn next(&self) -> Result<Option<Vec<u8>>> {
        match self.chunks.recv_timeout(self.patience) {
            Ok(chunk) => chunk.map(Some),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(Error::from(ErrorKind::TimedOut)),
        }
    }
}

/// Sends what is read until the end, an error, or until nobody receives it.
fn read_all(mut body: impl Read, to: &SyncSender<Result<Vec<u8>>>) {
    let mut buffer = vec![0; BUFFER];
    loop {
        let chunk = match body.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => Ok(buffer[..count].to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = chunk.is_err();
        if to.send(chunk).is_err() || is_last {
            return;
        }
    }
}
