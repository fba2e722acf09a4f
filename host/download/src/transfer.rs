//! One request, and what arrives.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::{Agent, Body, ResponseExt};

use crate::checksum::Checksum;
use crate::chunks::Chunks;
use crate::error::{Error, Result};
use crate::part::{Part, Source};

/// Is called with the bytes that are there, and with the size of the file where the server says it.
pub type Progress<'a> = &'a mut dyn FnMut(u64, Option<u64>);

/// Bytes that are written at most for a file whose size the server does not say.
const MOST: u64 = 1 << 40;

/// A request for a file, or for the rest of it.
pub(crate) struct Transfer<'a> {
    pub(crate) agent: &'a Agent,
    pub(crate) url: &'a str,
    pub(crate) part: &'a mut Part,
    /// The server has to send something within this time.
    pub(crate) patience: Duration,
    pub(crate) progress: Progress<'a>,
}

impl Transfer<'_> {
    /// Asks for what is missing, and adds it to the part; returns the checksum that the server sent along.
    pub(crate) fn run(&mut self) -> Result<Option<Checksum>> {
        if self.is_complete() {
            return Ok(None);
        }
        let response = self.ask()?;
        self.check_encryption(&response)?;
        match response.status() {
            StatusCode::OK => self.part.empty()?,
            StatusCode::PARTIAL_CONTENT => self.check_range(response.headers())?,
            StatusCode::RANGE_NOT_SATISFIABLE => {
                self.part.empty()?;
                return Err(self.wrong_part());
            }
            status => return Err(Error::Status { url: self.url.to_owned(), status: status.as_u16() }),
        }
        if is_web_page(response.headers()) {
            return Err(Error::WebPage { url: self.url.to_owned() });
        }
        let source = self.source(&response);
        let checksum = Checksum::of_answer(response.headers());
        self.check_room(source.size)?;
        self.part.begin(source)?;
        self.receive(response.into_body())?;
        Ok(checksum)
    }

    /// Whether an earlier request brought the last byte.
    fn is_complete(&self) -> bool {
        self.part.len() > 0 && self.part.source.size == Some(self.part.len())
    }

    fn ask(&self) -> Result<Response<Body>> {
        let mut request = self.agent.get(self.url);
        if let Some(tag) = self.part.source.tag.as_deref().filter(|_| self.part.len() > 0) {
            request = request
                .header(header::RANGE, format!("bytes={}-", self.part.len()))
                .header(header::IF_RANGE, tag);
        }
        request.call().map_err(|error| self.refused(&error))
    }

    fn check_encryption(&self, response: &Response<Body>) -> Result<()> {
        let to = response.get_uri();
        if self.url.starts_with("https:") && to.scheme_str() != Some("https") {
            return Err(Error::Unencrypted { url: self.url.to_owned(), to: to.to_string() });
        }
        Ok(())
    }

    /// Checks that an answer with a part of the file begins where ours ends: `bytes 100-199/200`.
    fn check_range(&mut self, headers: &HeaderMap) -> Result<()> {
        let (first, size) = content_range(headers).unwrap_or_default();
        let is_same = self.part.source.size.is_none_or(|known| size.is_none_or(|size| size == known));
        if first == Some(self.part.len()) && is_same {
            return Ok(());
        }
        self.part.empty()?;
        Err(self.wrong_part())
    }

    fn source(&self, response: &Response<Body>) -> Source {
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // Weak tags name files that mean the same, not the same bytes.
        let tag =
            text(header::ETAG).filter(|tag| !tag.starts_with("W/")).or_else(|| text(header::LAST_MODIFIED));
        let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        let size = match response.status() {
            StatusCode::PARTIAL_CONTENT => content_range(headers)
                .and_then(|(_, size)| size)
                .or(length.map(|rest| self.part.len() + rest)),
            _ => length,
        };
        Source { url: self.url.to_owned(), tag: tag.map(str::to_owned), size }
    }

    fn check_room(&self, size: Option<u64>) -> Result<()> {
        let folder = self.part.folder();
        let needed = size.unwrap_or(0).saturating_sub(self.part.len());
        let free = rustix::fs::statvfs(folder).map_or(u64::MAX, |disk| disk.f_bavail * disk.f_frsize);
        if needed <= free { Ok(()) } else { Err(Error::NoRoom { folder: folder.to_owned(), free, needed }) }
    }

    fn receive(&mut self, body: Body) -> Result<()> {
        let size = self.part.source.size;
        let reader = body.into_with_config().limit(MOST).reader();
        let chunks = Chunks::of(reader, self.patience).map_err(|error| self.broken(&error))?;
        loop {
            (self.progress)(self.part.len(), size);
            match chunks.next() {
                Ok(None) => break,
                Ok(Some(chunk)) => self.part.append(&chunk)?,
                Err(error) if error.kind() == ErrorKind::TimedOut => return Err(self.stalled()),
                Err(error) => return Err(self.ended(size, &error)),
            }
        }
        match size {
            Some(size) if size != self.part.len() => Err(self.incomplete(size)),
            _ => Ok(()),
        }
    }

    /// A connection that ended: where the size is known, the numbers say more than the client.
    fn ended(&self, size: Option<u64>, error: &std::io::Error) -> Error {
        size.map_or_else(|| self.broken(error), |size| self.incomplete(size))
    }

    fn stalled(&self) -> Error {
        Error::Stalled { url: self.url.to_owned(), seconds: self.patience.as_secs(), sent: self.part.len() }
    }

    fn incomplete(&self, announced: u64) -> Error {
        Error::Incomplete { url: self.url.to_owned(), announced, sent: self.part.len() }
    }

    /// A request that brought no answer.
    fn refused(&self, error: &ureq::Error) -> Error {
        use ureq::Error::{BadUri, Http, RedirectFailed, TooManyRedirects};
        match error {
            BadUri(_) | Http(_) | RedirectFailed | TooManyRedirects => {
                Error::Address { url: self.url.to_owned(), reason: error.to_string() }
            }
            _ => self.broken(error),
        }
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> Error {
        Error::Connection { url: self.url.to_owned(), reason: error.to_string() }
    }

    fn wrong_part(&self) -> Error {
        Error::WrongPart { url: self.url.to_owned() }
    }
}

/// Whether an answer is a page for a browser.
fn is_web_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.to_ascii_lowercase().starts_with("text/html")
}

/// First byte and size of the file in `Content-Range`.
fn content_range(headers: &HeaderMap) -> Option<(Option<u64>, Option<u64>)> {
    let text = headers.get(header::CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, size) = text.split_once('/')?;
    Some((range.split('-').next()?.parse().ok(), size.parse().ok()))
}
