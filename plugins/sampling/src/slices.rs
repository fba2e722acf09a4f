//! v1's choice of a slice.

use nnunet_plugin_core::RandomStream;

/// Index of a voxel: all slices with one are equally likely, then all voxels of the slice.
pub(crate) fn in_a_slice(voxels: &[[i64; 3]], random: &mut RandomStream) -> usize {
    let mut slices: Vec<i64> = voxels.iter().map(|at| at[0]).collect();
    slices.sort_unstable();
    slices.dedup();
    let slice = slices.get(random.below(slices.len())).copied().unwrap_or_default();
    let within: Vec<usize> =
        voxels.iter().enumerate().filter(|(_, at)| at[0] == slice).map(|(index, _)| index).collect();
    within.get(random.below(within.len())).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_with_one_voxel_comes_as_often_as_one_with_nine() {
        let voxels = [vec![[1, 0, 0]], (0..9).map(|x| [2, 0, x]).collect()].concat();
        let mut random = RandomStream::from_seed(1);
        let first = (0..3000).filter(|_| in_a_slice(&voxels, &mut random) == 0).count();
        assert!(first.abs_diff(1500) < 150, "{first}");
    }
}
