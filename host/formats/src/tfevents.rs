//! TensorBoard's event files: `tensorflow.Event` messages of protocol buffers in records guarded by CRC-32C.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The format's first message.
const VERSION: &str = "brain.Event:2";
/// What the format adds to a rotated checksum.
const MASK: u32 = 0xa282_ead8;

/// Wire types of protocol buffers.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

/// A file that scalars are appended to. TensorBoard reads it while it grows.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// A new `events.out.tfevents.SECONDS.nnunet` in a folder; `seconds` since 1970.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be written.
    pub fn create(folder: &Path, seconds: f64) -> Result<Self> {
        let path = folder.join(format!("events.out.tfevents.{seconds:.0}.nnunet"));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let mut events = Self { file: file.map_err(|source| Error::io(&path, source))?, path };
        let mut event = time(seconds);
        bytes(&mut event, 3, VERSION.as_bytes());
        events.append(&event)?;
        Ok(events)
    }

    /// One value for each name at a step.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be written.
    pub fn scalars(&mut self, seconds: f64, step: u64, values: &[(&str, f64)]) -> Result<()> {
        let mut summary = Vec::new();
        for (name, value) in values {
            let mut entry = Vec::new();
            bytes(&mut entry, 1, name.as_bytes());
            entry.push(key(2, FIXED32));
            entry.extend((*value as f32).to_le_bytes());
            bytes(&mut summary, 1, &entry);
        }
        let mut event = time(seconds);
        event.push(key(2, VARINT));
        varint(&mut event, step);
        bytes(&mut event, 5, &summary);
        self.append(&event)
    }

    fn append(&mut self, event: &[u8]) -> Result<()> {
        let length = (event.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(checksum(&length));
        record.extend(event);
        record.extend(checksum(event));
        self.file.write_all(&record).map_err(|source| Error::io(&self.path, source))
    }
}

fn key(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(key(field, BYTES));
    varint(out, content.len() as u64);
    out.extend(content);
}

fn time(seconds: f64) -> Vec<u8> {
    let mut event = vec![key(1, FIXED64)];
    event.extend(seconds.to_le_bytes());
    event
}

fn checksum(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(MASK).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32C, masked.
    #[test]
    fn checksums_are_masked() {
        assert_eq!(checksum(b"123456789"), 0xe306_9283_u32.rotate_right(15).wrapping_add(MASK).to_le_bytes());
    }

    #[test]
    fn records_have_length_checksums_and_values() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(folder.path(), 1.0).unwrap();
        events.scalars(2.0, 300, &[("loss", 0.5)]).unwrap();
        let all = std::fs::read(folder.path().join("events.out.tfevents.1.nnunet")).unwrap();
        let first = u64::from_le_bytes(all[..8].try_into().unwrap()) as usize;
        assert_eq!(&all[8..12], &checksum(&all[..8]));
        assert_eq!(&all[12 + first..16 + first], &checksum(&all[12..12 + first]));
        assert_eq!(&all[12 + 11..12 + first], VERSION.as_bytes());
        let second = &all[16 + first + 12..all.len() - 4];
        let expected: &[u8] = b"\x09\0\0\0\0\0\0\0\x40\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f";
        assert_eq!(second, expected);
    }
}
