//! A crop of an archive needs memory for the crop alone. In a process of its own: the peak is the process's.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use ndarray::{Array4, arr0};
use nnunet_formats::{CompressedVolume, npz};

const VOLUME: (usize, usize, usize, usize) = (2, 64, 512, 512);
const MORE: u64 = 8 << 20;

/// The most memory this process ever had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

#[test]
fn a_crop_needs_memory_for_the_crop_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.npz");
    let value = arr0(3.0_f32);
    npz::save_f32(&path, "data", value.broadcast(VOLUME).unwrap()).unwrap();
    let before = peak();
    let volume = CompressedVolume::open(&path, "data").unwrap();
    let mut crop = Array4::zeros((2, 8, 16, 16));
    volume.crop(0..2, [56..64, 400..416, 100..116], crop.view_mut()).unwrap();
    assert!(crop.iter().all(|value| *value == 3.0));
    let more = peak() - before;
    assert!(more < MORE, "{more} bytes for a crop of 32 KiB out of 128 MiB");
}
