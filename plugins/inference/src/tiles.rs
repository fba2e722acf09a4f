//! Positions of tiles.

use nnunet_numerics::stats::round_half_even;

/// First voxels of the tiles along one axis: as few as cover it with steps of at most `step` patches, evenly spread; no
/// step is shorter than a voxel.
#[must_use]
pub fn tile_starts(size: usize, patch: usize, step: f64) -> Vec<usize> {
    let last = size.saturating_sub(patch) as f64;
    let count = (last / (patch as f64 * step).max(1.0)).ceil() as usize + 1;
    let spacing = if count > 1 { last / (count - 1) as f64 } else { 0.0 };
    (0..count).map(|i| round_half_even(spacing * i as f64) as usize).collect()
}

/// Number of tiles of a volume, (z, y, x); a patch of two axes is moved over every slice.
#[must_use]
pub fn tile_count(size: [usize; 3], patch: &[usize], step: f64) -> usize {
    let along = |(len, patch): (&usize, &usize)| tile_starts(*len.max(patch), *patch, step).len();
    let slices = if patch.len() == 2 { size[0] } else { 1 };
    slices * size[3 - patch.len()..].iter().zip(patch).map(along).product::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of v1's own test suite.
    #[test]
    fn starts_agree_with_v1() {
        assert_eq!(tile_starts(110, 64, 0.5), [0, 23, 46]);
        assert_eq!(tile_starts(424, 128, 0.5), [0, 59, 118, 178, 237, 296]);
        assert_eq!(tile_starts(64, 64, 0.5), [0]);
        assert_eq!(tile_starts(7, 4, 1e-300), [0, 1, 2, 3]);
    }

    #[test]
    fn slices_are_tiled_on_their_own() {
        assert_eq!(tile_count([10, 110, 64], &[64, 64], 0.5), 30);
        assert_eq!(tile_count([10, 110, 64], &[64, 64, 64], 0.5), 3);
    }
}
