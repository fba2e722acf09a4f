//! What cases contribute to a fingerprint, kept by processes that each read a part of a data set until one of them has all.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_formats::atomic;
use nnunet_preprocessing::v2::Sample;
use serde::{Deserialize, Serialize};

/// Folder of the summaries, beside the fingerprint.
const FOLDER: &str = "fingerprint_parts";

/// What one case contributes.
pub(super) struct CaseSummary {
    pub(super) shape: [usize; 3],
    pub(super) spacing: [f64; 3],
    pub(super) relative_size: f64,
    /// Of every channel.
    pub(super) intensities: Vec<Sample>,
}

/// The same with the bits of its numbers, which JSON does not change.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// What the summary follows from.
    key: String,
    shape: [usize; 3],
    spacing: [u64; 3],
    relative_size: u64,
    intensities: Vec<Vec<(u32, u32)>>,
}

/// The folder of a data set's summaries.
pub(super) fn folder(preprocessed: &Path) -> PathBuf {
    preprocessed.join(FOLDER)
}

fn file(folder: &Path, case: &str) -> PathBuf {
    folder.join(format!("{case}.json"))
}

/// Keeps a summary.
///
/// # Errors
/// Returns an I/O error.
pub(super) fn save(folder: &Path, case: &str, key: &str, summary: &CaseSummary) -> Result<()> {
    let bits = |sample: &Sample| sample.iter().map(|(value, count)| (value.to_bits(), *count)).collect();
    let stored = Stored {
        key: key.to_owned(),
        shape: summary.shape,
        spacing: summary.spacing.map(f64::to_bits),
        relative_size: summary.relative_size.to_bits(),
        intensities: summary.intensities.iter().map(bits).collect(),
    };
    Ok(atomic::write_bytes(&file(folder, case), &serde_json::to_vec(&stored)?)?)
}

/// The summary of a case that follows from the same; none if there is none yet.
pub(super) fn load(folder: &Path, case: &str, key: &str) -> Option<CaseSummary> {
    let bytes = std::fs::read(file(folder, case)).ok()?;
    let stored: Stored = serde_json::from_slice(&bytes).ok().filter(|stored: &Stored| stored.key == key)?;
    let sample = |bits: &Vec<(u32, u32)>| bits.iter().map(|(bits, n)| (f32::from_bits(*bits), *n)).collect();
    Some(CaseSummary {
        shape: stored.shape,
        spacing: stored.spacing.map(f64::from_bits),
        relative_size: f64::from_bits(stored.relative_size),
        intensities: stored.intensities.iter().map(sample).collect(),
    })
}

/// Removes the summaries: they are in the fingerprint.
///
/// # Errors
/// Returns an I/O error.
pub(super) fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if folder.is_dir() => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
