//! Opening files for reading.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

use crate::{Error, Result};

/// First bytes of a gzip member.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Bytes read from a file at once.
const BUFFER: usize = 1 << 18;

/// Opens a regular file. Opening a FIFO would wait for a writer, and a device may never end.
///
/// # Errors
/// Returns an error if the file does not exist, cannot be read, or is a folder, FIFO, socket or device.
pub fn open(path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::io(path, source))?;
    if !metadata.is_file() {
        let kind = if metadata.is_dir() { "a folder" } else { "a FIFO, socket or device" };
        return Err(Error::invalid(path, format!("it is {kind}; a regular file is needed")));
    }
    File::open(path).map_err(|source| Error::io(path, source))
}

/// Reads a whole regular file.
///
/// # Errors
/// As [`open`]; an I/O error if reading fails.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).map_err(|source| Error::io(path, source))?;
    Ok(bytes)
}

/// Reads a whole regular file of text, without the byte order mark that some editors put at its start.
///
/// # Errors
/// As [`read`]; an error for text that is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    let text = String::from_utf8(read(path)?).map_err(|error| Error::invalid(path, error.to_string()))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

pub(crate) fn buffered(path: &Path) -> Result<BufReader<File>> {
    Ok(BufReader::with_capacity(BUFFER, open(path)?))
}

/// Decompresses all members of a gzip file and verifies the checksum of each. What follows the last member and does not
/// begin like one is ignored, as gzip does: tape blocks are padded with zeros, and some programs append data.
pub(crate) struct MultiGzip<R: BufRead> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> MultiGzip<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { member: Some(GzDecoder::new(stream)) }
    }
}

impl<R: BufRead> Read for MultiGzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            // The decoder compares the checksum before it reports the end.
            let count = member.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            let mut rest = self.member.take().map(GzDecoder::into_inner);
            if let Some(stream) =
                rest.take_if(|stream| stream.fill_buf().is_ok_and(|next| next.starts_with(&GZIP)))
            {
                self.member = Some(GzDecoder::new(stream));
            }
        }
        Ok(0)
    }
}

/// A file that may be compressed, whatever its name says, and whether it is.
pub(crate) fn maybe_gzip(path: &Path) -> Result<(Box<dyn Read>, bool)> {
    let mut file = buffered(path)?;
    let zipped = file.fill_buf().map_err(|source| Error::io(path, source))?.starts_with(&GZIP);
    Ok(if zipped { (Box::new(MultiGzip::new(file)), true) } else { (Box::new(file), false) })
}

/// Reads a compressed stream to its end, so that the checksum there is verified. A checksum that was cut off is accepted:
/// everything before it was read.
pub(crate) fn verify_end(stream: &mut dyn Read) -> std::io::Result<()> {
    match std::io::copy(stream, &mut std::io::sink()) {
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn unzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut out = Vec::new();
        MultiGzip::new(bytes).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn members_follow_one_another_and_padding_is_ignored() {
        let members = [gzip(b""), gzip(b"ab"), gzip(b"cd"), gzip(b"")].concat();
        for tail in [&b""[..], &[0; 512], b"text"] {
            assert_eq!(unzip(&[&members, tail].concat()).unwrap(), b"abcd");
        }
    }

    #[test]
    fn every_checksum_is_verified() {
        for damaged in 0..2 {
            let mut members = [gzip(b"ab"), gzip(b"cd")];
            let at = members[damaged].len() - 8;
            members[damaged][at] ^= 1;
            let error = unzip(&members.concat()).unwrap_err();
            assert_ne!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        }
        let whole = gzip(b"ab");
        let mut cut = MultiGzip::new(&whole[..whole.len() - 3]);
        cut.read_exact(&mut [0; 2]).unwrap();
        verify_end(&mut cut).unwrap();
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(folder.path()).unwrap_err().to_string().contains("it is a folder"));
        assert!(open(Path::new("/dev/zero")).unwrap_err().to_string().contains("device"));
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        assert!(read(&folder.path().join("s")).unwrap_err().to_string().contains("socket"));
    }
}
