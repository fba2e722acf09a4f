//! Downloads over HTTP and HTTPS.
//!
//! A file is written as `NAME.part` and renamed when it is complete and has the right checksum. A download that was
//! interrupted, also by the end of the process, continues where it stopped, if the server still has the same file.
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are respected, and `SSL_CERT_FILE` may name the certificates of
//! authorities to trust instead of the built-in ones.

mod agent;
mod checksum;
mod chunks;
mod error;
mod part;
mod transfer;

use std::path::Path;
use std::time::Duration;

pub use checksum::Checksum;
pub use error::{Error, Result};
use part::Part;
pub use transfer::Progress;
use transfer::Transfer;

/// Times a server is asked again in a row without sending anything new.
const ATTEMPTS: u32 = 5;
/// The wait before the second attempt; it doubles with each further one.
const WAIT: Duration = Duration::from_millis(200);

/// How a file is downloaded.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The file's checksum, if it is known. One that a server sends along is checked too.
    pub checksum: Option<&'a Checksum>,
    /// A server has to accept a connection, to answer, and to go on sending within this time.
    pub patience: Duration,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { checksum: None, patience: Duration::from_secs(60) }
    }
}

/// Downloads a file to `to` from the first of several addresses that has it.
///
/// # Errors
/// Returns the error of the last address: no connection, an answer that is not a file, a file that is not complete or has
/// another checksum, or a disk without room.
pub fn fetch(urls: &[String], to: &Path, options: Options<'_>, progress: Progress<'_>) -> Result<()> {
    let agent = agent::agent(options.patience)?;
    let mut last = Error::NoAddress;
    for url in urls {
        match fetch_from(&agent, url, to, options, progress) {
            Ok(()) => return Ok(()),
            Err(error) if error.is_local() => return Err(error),
            Err(error) => {
                if urls.len() > 1 {
                    tracing::warn!("{error}");
                }
                last = error;
            }
        }
    }
    Err(last)
}

fn fetch_from(
    agent: &ureq::Agent,
    url: &str,
    to: &Path,
    options: Options<'_>,
    progress: Progress<'_>,
) -> Result<()> {
    // Only what goes beyond the best attempt is progress: a server may send the same beginning forever.
    let (mut failures, mut best) = (0, 0);
    loop {
        let mut part = Part::open(to, url)?;
        best = part.len().max(best);
        let mut transfer =
            Transfer { agent, url, part: &mut part, patience: options.patience, progress: &mut *progress };
        match transfer.run() {
            Ok(sent) => {
                let checksums = options.checksum.into_iter().chain(sent.as_ref());
                return part.finish(to, checksums);
            }
            Err(error) if !error.is_worth_another_try() => {
                part.remove_if_empty();
                return Err(error);
            }
            Err(error) => {
                failures = if part.len() > best { 1 } else { failures + 1 };
                // Opening a part of a server without names for versions empties it, so what it had is noted here.
                best = part.len().max(best);
                if failures >= ATTEMPTS {
                    part.remove_if_empty();
                    return Err(error);
                }
                std::thread::sleep(WAIT * 2_u32.pow(failures - 1));
            }
        }
    }
}
