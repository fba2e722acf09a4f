//! Sizes of the blocks and chunks of stored arrays, so that a patch is read from few of them.

/// Most bytes of a block.
const BLOCK_BYTES: usize = 128 << 10;
/// Most bytes of a chunk.
const CHUNK_BYTES: usize = 6 << 20;

/// Blocks and chunks of an array of (c, z, y, x) whose elements have `bytes` bytes, of which patches are read (v2's
/// `comp_blosc2_params`). A block grows up to the power of two above the patch, and a chunk in steps of a block up to
/// half more than the patch.
pub(super) fn blocks_and_chunks(
    shape: [usize; 4],
    patch: &[usize],
    bytes: usize,
) -> ([usize; 4], [usize; 4]) {
    let is_slice = patch.len() == 2;
    let mut patch_zyx = [1; 3];
    patch_zyx[3 - patch.len()..].copy_from_slice(patch);
    let image: [usize; 3] = std::array::from_fn(|axis| shape[axis + 1]);
    // Half more than the patch.
    let target: [usize; 3] = std::array::from_fn(|axis| image[axis].min(patch_zyx[axis] * 3 / 2).max(1));
    let mut block: [usize; 3] =
        std::array::from_fn(|axis| patch_zyx[axis].next_power_of_two().min(image[axis]));
    while let Some(axis) = longest(block, target).filter(|_| size(block, bytes) > BLOCK_BYTES) {
        // The next power of two below.
        block[axis] = block[axis].next_power_of_two() / 2;
    }
    let mut chunk = block;
    let can_grow = |axis: usize| patch_zyx[axis] > 1 && !(is_slice && axis == 0);
    let grown = |chunk: [usize; 3], axis: usize| {
        let mut larger = chunk;
        larger[axis] = (chunk[axis] + block[axis]).min(target[axis]);
        (larger[axis] > chunk[axis] && size(larger, bytes) <= CHUNK_BYTES).then_some(larger)
    };
    loop {
        let candidates =
            (0..3).filter(|axis| can_grow(*axis)).filter_map(|axis| Some((axis, grown(chunk, axis)?)));
        let covered = |axis: usize| chunk[axis] as f64 / target[axis] as f64;
        let best = candidates.min_by(|(a, _), (b, _)| {
            covered(*a).total_cmp(&covered(*b)).then(image[*b].cmp(&image[*a])).then(a.cmp(b))
        });
        match best {
            Some((_, larger)) => chunk = larger,
            None => break,
        }
    }
    let with_channel = |[z, y, x]: [usize; 3]| [1, z, y, x];
    (with_channel(block), with_channel(chunk))
}

fn size(shape: [usize; 3], bytes: usize) -> usize {
    shape.iter().product::<usize>() * bytes
}

/// The axis along which a block is longest for its target; the last of equals.
fn longest(block: [usize; 3], target: [usize; 3]) -> Option<usize> {
    let share = |axis: &usize| block[*axis] as f64 / target[*axis] as f64;
    (0..3).filter(|axis| block[*axis] > 1).max_by(|a, b| share(a).total_cmp(&share(b)).then(a.cmp(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = ([usize; 4], &'static [usize], usize, [usize; 4], [usize; 4]);

    /// What `comp_blosc2_params` of nnunetv2 2.8.1 returns.
    #[test]
    fn sizes_are_those_of_python() {
        let cases: [Case; 12] = [
            ([1, 36, 50, 35], &[40, 56, 40], 4, [1, 32, 32, 32], [1, 36, 50, 35]),
            ([1, 36, 50, 35], &[40, 56, 40], 2, [1, 36, 50, 35], [1, 36, 50, 35]),
            ([2, 1, 400, 300], &[512, 448], 4, [1, 1, 256, 128], [1, 1, 400, 300]),
            ([1, 200, 280, 280], &[128, 128, 128], 4, [1, 32, 32, 32], [1, 96, 128, 128]),
            ([1, 200, 280, 280], &[128, 128, 128], 2, [1, 64, 32, 32], [1, 128, 192, 128]),
            ([4, 155, 240, 240], &[128, 160, 112], 4, [1, 32, 32, 32], [1, 96, 160, 96]),
            ([1, 30, 512, 512], &[16, 320, 320], 4, [1, 4, 128, 64], [1, 16, 384, 256]),
            ([1, 60, 512, 512], &[512, 512], 2, [1, 1, 256, 256], [1, 1, 512, 512]),
            ([1, 1, 1, 1], &[8, 8, 8], 4, [1, 1, 1, 1], [1, 1, 1, 1]),
            ([3, 700, 90, 33], &[64, 192, 160], 4, [1, 64, 32, 16], [1, 96, 90, 33]),
            ([1, 90, 700, 1300], &[28, 256, 256], 4, [1, 8, 64, 64], [1, 24, 256, 256]),
            ([1, 300, 300, 300], &[1, 256, 256], 4, [1, 1, 256, 128], [1, 1, 300, 300]),
        ];
        for (shape, patch, bytes, block, chunk) in cases {
            assert_eq!(blocks_and_chunks(shape, patch, bytes), (block, chunk), "{shape:?} {patch:?} {bytes}");
        }
    }
}
