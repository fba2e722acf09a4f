//! Checksums of files: those that users give, and those that servers send along.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest, Sha256};
use ureq::http::HeaderMap;

use crate::error::{Error, Result};

/// A checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256.
    Sha256(Vec<u8>),
    /// MD5: it finds transmission errors, but protects from nobody.
    Md5(Vec<u8>),
}

impl Checksum {
    /// That of an answer to a request: `Repr-Digest`, `Digest` or `Content-MD5`.
    pub(crate) fn of_answer(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let decoded = |text: &str| STANDARD.decode(text.trim_matches(':')).ok();
        let sha = ["repr-digest", "digest"].into_iter().filter_map(text).find_map(|text| {
            let entry = text.split(',').find_map(|entry| {
                let (name, value) = entry.trim().split_once('=')?;
                name.eq_ignore_ascii_case("sha-256").then_some(value)
            });
            decoded(entry?).filter(|bytes| bytes.len() == 32)
        });
        let md5 = || text("content-md5").and_then(decoded).filter(|bytes| bytes.len() == 16);
        sha.map(Self::Sha256).or_else(|| md5().map(Self::Md5))
    }

    /// Checks a file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or has another checksum.
    pub fn check(&self, file: &Path) -> Result<()> {
        let failed = |source| Error::File { file: file.to_owned(), source };
        let mut reader = File::open(file).map_err(failed)?;
        let found = match self {
            Self::Sha256(_) => Self::Sha256(digest::<Sha256>(&mut reader).map_err(failed)?),
            Self::Md5(_) => Self::Md5(digest::<Md5>(&mut reader).map_err(failed)?),
        };
        if found == *self {
            return Ok(());
        }
        Err(Error::Checksum { file: file.to_owned(), found: found.to_string(), wanted: self.to_string() })
    }
}

fn digest<D: Digest>(reader: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let (mut digest, mut buffer) = (D::new(), vec![0; 1 << 16]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(digest.finalize().to_vec()),
            count => digest.update(&buffer[..count]),
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) = match self {
            Self::Sha256(bytes) => ("sha256", bytes),
            Self::Md5(bytes) => ("md5", bytes),
        };
        write!(f, "{name}:")?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Checksum {
    type Err = Error;

    /// Reads `sha256:HEX` or `md5:HEX`.
    fn from_str(text: &str) -> Result<Self> {
        let bytes = |hex: &str, len: usize| {
            let pairs = hex.as_bytes().chunks(2).map(|pair| {
                let pair = std::str::from_utf8(pair).ok()?;
                u8::from_str_radix(pair, 16).ok()
            });
            pairs.collect::<Option<Vec<u8>>>().filter(|bytes| bytes.len() == len && hex.len() == 2 * len)
        };
        let found = match text.split_once(':') {
            Some(("sha256", hex)) => bytes(hex, 32).map(Self::Sha256),
            Some(("md5", hex)) => bytes(hex, 16).map(Self::Md5),
            _ => None,
        };
        found.ok_or_else(|| Error::NoChecksum(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "md5:900150983cd24fb0d6963f7d28e17f72";
    const SHA: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn checksums_are_read_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        for text in [MD5, SHA] {
            let checksum: Checksum = text.parse().unwrap();
            assert_eq!(checksum.to_string(), text);
            checksum.check(&file).unwrap();
        }
        std::fs::write(&file, "abd").unwrap();
        let error = MD5.parse::<Checksum>().unwrap().check(&file).unwrap_err().to_string();
        assert!(error.contains("should be md5:9001"), "{error}");
        for text in ["md5:12", "sha256", "sha1:00", "md5:x00150983cd24fb0d6963f7d28e17f72"] {
            assert!(text.parse::<Checksum>().is_err(), "{text}");
        }
    }

    #[test]
    fn servers_send_checksums_in_three_ways() {
        let of = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            Checksum::of_answer(&headers).map(|checksum| checksum.to_string())
        };
        assert_eq!(of("content-md5", "kAFQmDzST7DWlj99KOF/cg==").as_deref(), Some(MD5));
        let sha = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        assert_eq!(of("repr-digest", &format!("md5=:x:, sha-256=:{sha}:")).as_deref(), Some(SHA));
        assert_eq!(of("digest", &format!("SHA-256={sha}")).as_deref(), Some(SHA));
        assert_eq!(of("content-md5", "x"), None);
    }
}
