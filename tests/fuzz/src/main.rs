//! Reads damaged files for as long as one likes: no reader may panic, or take more memory than the file justifies.
//!
//! ```sh
//! cargo run --release -p nnunet-fuzz -- nifti 10      # minutes; mha, nrrd, tif, png, bmp, npz, b2nd, pickle, ...
//! ```
//!
//! Files are made by the program's own writers, and taken from `tests/golden` and `tests/stored`; then bytes are
//! changed, cut, repeated, and set to extreme numbers, inside the compression and the archive's members as well as outside.
//! A failure prints the seed of its round: give it as the third argument to see the round again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for developers"
)]

mod damage;
mod targets;

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use damage::{Damaged, damaged};
use targets::{Target, target};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a reader may take whatever the file's size: buffers and the state of decompressors.
const BASE: usize = 4 << 20;
/// Bytes in memory for a byte of content: a small number may become an object of some size.
const PER_BYTE: usize = 256;
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("", String::as_str);
    let minutes: f64 = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = target(name, folder.path()) else {
        eprintln!(
            "usage: fuzz nifti|mha|nrrd|tif|png|bmp|npz|b2nd|pickle|dataset|checkpoint|zip [MINUTES] [SEED]"
        );
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
    let seed_file = &target.seeds[random.random_range(0..target.seeds.len())];
    let Damaged { bytes, content } = damaged(seed_file, &mut random);
    let allowed = target.base + content.map_or(target.per_byte * bytes.len(), |content| PER_BYTE * content);
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
