//! Sizes of volumes, for estimates of memory.

/// The bytes of a volume in single precision.
pub(crate) fn f32_bytes(voxels: u64) -> u64 {
    4 * voxels
}

/// More voxels than any memory holds; few enough that estimates, which are sums and small multiples, do not overflow.
const MOST: u64 = 1 << 44;

/// The number of voxels of a volume.
pub(crate) fn voxels(size: [usize; 3]) -> u64 {
    size.iter().fold(1_u64, |voxels, len| voxels.saturating_mul(*len as u64)).min(MOST)
}
