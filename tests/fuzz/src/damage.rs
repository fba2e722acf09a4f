//! Files with errors in them.

use std::io::{Cursor, Read, Write};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// How often the content is damaged instead of its packing.
const INSIDE: f64 = 0.7;
/// Archives of more are not packed again: rounds would be slow.
const LARGEST_CONTENT: u128 = 4 << 20;

/// A damaged file.
pub(crate) struct Damaged {
    pub(crate) bytes: Vec<u8>,
    /// Bytes when unpacked, where the packing is whole.
    pub(crate) content: Option<usize>,
}

/// Damages a file, or what is packed in it.
pub(crate) fn damaged(file: &[u8], random: &mut ChaCha8Rng) -> Damaged {
    let inside = random.random_bool(INSIDE);
    if inside && file.starts_with(&[0x1f, 0x8b]) {
        let content = several(gunzip(file), random);
        return Damaged { bytes: gzip(&content), content: Some(content.len()) };
    }
    if inside && let Some(archive) = in_members(file, random) {
        return archive;
    }
    Damaged { bytes: several(file.to_vec(), random), content: None }
}

/// A zip archive of which one member is damaged; checksums are right again.
fn in_members(file: &[u8], random: &mut ChaCha8Rng) -> Option<Damaged> {
    let mut archive = ZipArchive::new(Cursor::new(file)).ok().filter(|archive| !archive.is_empty())?;
    if archive.decompressed_size().is_none_or(|size| size > LARGEST_CONTENT) {
        return None;
    }
    // The pickle of a checkpoint is its first member.
    let chosen = if random.random_bool(0.5) { 0 } else { random.random_range(0..archive.len()) };
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    let mut total = 0;
    for i in 0..archive.len() {
        let mut member = archive.by_index(i).ok()?;
        let mut content = Vec::new();
        member.read_to_end(&mut content).ok()?;
        if i == chosen {
            content = several(content, random);
        }
        total += content.len();
        let method =
            if random.random_bool(0.5) { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        out.start_file(&*member.name().ok()?, SimpleFileOptions::default().compression_method(method))
            .ok()?;
        out.write_all(&content).ok()?;
    }
    Some(Damaged { bytes: out.finish().ok()?.into_inner(), content: Some(total) })
}

fn several(mut bytes: Vec<u8>, random: &mut ChaCha8Rng) -> Vec<u8> {
    for _ in 0..random.random_range(1..=8) {
        damage(&mut bytes, random);
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        return;
    }
    // Most of what a reader decides on stands at the start, or at the end.
    let near = bytes.len().min(400);
    let at = match random.random_range(0..4) {
        0 | 1 => random.random_range(0..near),
        2 => bytes.len() - 1 - random.random_range(0..near),
        _ => random.random_range(0..bytes.len()),
    };
    match random.random_range(0..7) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random(),
        2 => bytes.truncate(at),
        3 => extreme(bytes, at, random),
        4 => {
            let len = random.random_range(0..64.min(bytes.len() - at).max(1));
            let part = bytes[at..at + len].to_vec();
            let to = random.random_range(0..=bytes.len());
            bytes.splice(to..to, part);
        }
        5 => {
            let len = random.random_range(0..16.min(bytes.len() - at).max(1));
            bytes.drain(at..at + len);
        }
        _ => {
            let noise: Vec<u8> = (0..random.random_range(1..16)).map(|_| random.random()).collect();
            let end = (at + noise.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&noise[..end - at]);
        }
    }
}

fn extreme(bytes: &mut [u8], at: usize, random: &mut ChaCha8Rng) {
    let numbers: [u64; 7] = [0, 1, 0x7f, 0x7fff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX];
    let number = numbers[random.random_range(0..numbers.len())].to_le_bytes();
    let len = [1, 2, 4, 8][random.random_range(0..4)].min(bytes.len() - at);
    bytes[at..at + len].copy_from_slice(&number[..len]);
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    std::io::copy(&mut flate2::read::MultiGzDecoder::new(bytes), &mut out).unwrap();
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}
