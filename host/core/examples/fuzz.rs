//! Reads damaged files for as long as one likes: no reader may panic, or take more memory than the file justifies.
//!
//! ```sh
//! cargo run --release -p nnunet-host --example fuzz -- nifti 10      # minutes; npz, pickle, dataset
//! ```
//!
//! Files are made by the program's own writers, and taken from the reference data where there is some; then bytes are
//! changed, cut, repeated, and set to extreme numbers, inside the compression as well as outside. A failure prints the
//! seed of its round: give it as the third argument to see the round again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for developers"
)]

use std::io::Write;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ndarray::{Array3, Array4};
use nnunet_formats::nifti::{self, Geometry};
use nnunet_formats::pickle::{self, Value};
use nnunet_formats::{npz, torch_zip};
use nnunet_host::dataset::Dataset;
use nnunet_host::records;
use nnunet_test_support::{files, reference};
use peak_alloc::PeakAlloc;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a reader may take whatever the file's size: buffers and the state of decompressors.
const BASE: usize = 4 << 20;
/// Bytes in memory for a byte of content: a small number may become an object of some size.
const PER_BYTE: usize = 128;
/// Deflate's largest ratio, times the widening of 8-bit voxels to single precision and one copy of both.
const PER_COMPRESSED_BYTE: usize = 1032 * 6;
/// Larger files make rounds slow.
const LARGEST_SEED_FILE: usize = 200_000;

/// One kind of file.
struct Target {
    ending: &'static str,
    seeds: Vec<Vec<u8>>,
    read: fn(&Path),
    compressed: bool,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("", String::as_str);
    let minutes: f64 = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = target(name, folder.path()) else {
        eprintln!("usage: fuzz nifti|npz|pickle|dataset [MINUTES] [SEED]");
        std::process::exit(2);
    };
    let first = arguments.get(2).map(|seed| seed.parse::<u64>().expect("a seed is a number"));
    let end = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
    std::panic::set_hook(Box::new(|_| {}));
    let (mut rounds, mut largest) = (0_u64, 0.0_f64);
    while rounds == 0 || (first.is_none() && Instant::now() < end) {
        largest = largest.max(round(&target, folder.path(), first.unwrap_or(rounds)));
        rounds += 1;
    }
    println!(
        "{name}: {rounds} damaged files in {minutes} minutes, no panic; at most {largest:.2} of the memory allowed"
    );
}

/// Reads one damaged file; returns the share of the memory it might take.
fn round(target: &Target, folder: &Path, seed: u64) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut bytes = target.seeds[random.random_range(0..target.seeds.len())].clone();
    let inside = target.compressed && bytes.starts_with(&[0x1f, 0x8b]) && random.random_bool(0.7);
    if inside {
        bytes = gunzip(&bytes);
    }
    for _ in 0..random.random_range(1..=8) {
        damage(&mut bytes, &mut random);
    }
    let mut allowed = BASE + PER_BYTE * bytes.len();
    if inside {
        bytes = gzip(&bytes);
    } else if target.compressed {
        allowed = BASE + PER_COMPRESSED_BYTE * bytes.len();
    }
    let path = folder.join(format!("damaged.{}", target.ending));
    std::fs::write(&path, &bytes).unwrap();
    let file = if target.ending == "json" { folder.to_owned() } else { path };
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let read = target.read;
    let outcome = catch_unwind(|| read(&file));
    let taken = MEMORY.peak_usage().saturating_sub(before);
    if outcome.is_err() || taken > allowed {
        let what =
            if outcome.is_err() { "panic".to_owned() } else { format!("{taken} bytes, {allowed} allowed") };
        std::fs::write("fuzz-failure", &bytes).unwrap();
        eprintln!("round {seed}: {what}; the file is kept as fuzz-failure");
        std::process::exit(1);
    }
    taken as f64 / allowed as f64
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

fn target(name: &str, folder: &Path) -> Option<Target> {
    let (ending, compressed, read): (_, _, fn(&Path)) = match name {
        "nifti" => ("nii.gz", true, |path| drop(nifti::read(path))),
        "npz" => ("npz", true, |path| drop(npz::load_case(path))),
        "pickle" => ("pkl", false, |path| {
            let _ = records::load(path, records::plans_from_pickle);
            let _ = records::load(path, records::case_from_pickle);
            let _ = pickle::load(path).map(|value| records::fingerprint_from_pickle(&value));
            drop(torch_zip::load(path));
        }),
        "dataset" => ("json", false, |folder| {
            // Errors are what is wanted here.
            drop(std::fs::rename(folder.join("damaged.json"), folder.join("dataset.json")));
            drop(Dataset::load(folder));
        }),
        _ => return None,
    };
    let mut seeds = made(name, folder);
    seeds.extend(found(name).into_iter().filter_map(|path| std::fs::read(path).ok()));
    seeds.retain(|bytes| bytes.len() <= LARGEST_SEED_FILE);
    Some(Target { ending, seeds, read, compressed })
}

/// Small files of our own.
fn made(name: &str, folder: &Path) -> Vec<Vec<u8>> {
    let image = Array3::from_shape_fn((5, 6, 7), |(z, y, x)| (z * y + x) as f32);
    let geometry = Geometry {
        size: [7, 6, 5],
        spacing: [1.0, 1.5, 2.0],
        origin: [3.0, 2.0, 1.0],
        direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    };
    let path = |ending: &str| folder.join(format!("seed.{ending}"));
    match name {
        "nifti" => {
            nifti::write_image(&path("nii.gz"), image.view(), &geometry).unwrap();
            nifti::write_labels(&path("nii"), image.mapv(|v| v as u8).view(), &geometry).unwrap();
            vec![std::fs::read(path("nii.gz")).unwrap(), std::fs::read(path("nii")).unwrap()]
        }
        "npz" => {
            let data = Array4::from_shape_fn((2, 5, 6, 7), |(c, z, y, x)| (c + z * y + x) as f32);
            npz::save_case(&path("npz"), data.view(), image.view()).unwrap();
            vec![std::fs::read(path("npz")).unwrap()]
        }
        "pickle" => {
            let value = Value::dict(vec![("a", Value::f64_array([1.0, 2.0])), ("b", Value::List(vec![Value::None]))]);
            records::save(&path("pkl"), &value).unwrap();
            vec![std::fs::read(path("pkl")).unwrap()]
        }
        _ => vec![
            br#"{"modality":{"0":"CT"},"labels":{"0":"background","1":"organ"},"training":[{"image":"./imagesTr/a.nii.gz","label":"./labelsTr/a.nii.gz"}],"test":["./imagesTs/b.nii.gz"]}"#.to_vec(),
        ],
    }
}

/// Real files of the reference data.
fn found(name: &str) -> Vec<PathBuf> {
    let all = |folder: &str, ending: &str| {
        reference(folder, "fuzz")
            .map_or(Vec::new(), |folder| files(&folder, ending).into_iter().take(5).collect())
    };
    match name {
        "nifti" => all("hippocampus/Task004_Hippocampus/imagesTr", ".nii.gz"),
        "pickle" => {
            let mut found = all("hippocampus_v1", ".pkl");
            found.extend(all("torch_zip/v1", ""));
            found
        }
        "dataset" => all("hippocampus/Task004_Hippocampus", ".json"),
        _ => Vec::new(),
    }
}
