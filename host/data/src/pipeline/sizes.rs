//! Sizes of volumes, for estimates of memory.

/// The bytes of a volume in single precision.
pub(crate) fn f32_bytes(voxels: u64) -> u64 {
    4 * voxels
}

/// The number of voxels of a volume.
pub(crate) fn voxels(size: [usize; 3]) -> u64 {
    size.iter().map(|len| *len as u64).product()
}
