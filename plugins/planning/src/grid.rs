//! Grids: spacing, size, number of voxels.

use nnunet_numerics::stats::round_half_even;

/// Spacing and size of the median case, transposed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    pub spacing: [f64; 3],
    pub shape: [f64; 3],
}

/// Number of voxels of a size.
pub(crate) fn voxels(size: &[usize]) -> f64 {
    size.iter().map(|len| *len as f64).product()
}

/// Sizes are rounded half to even, as NumPy does.
pub(crate) fn rounded(shape: [f64; 3]) -> [usize; 3] {
    shape.map(|len| round_half_even(len) as usize)
}
