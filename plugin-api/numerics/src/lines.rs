//! Work along one axis of a volume, many lines at a time: the inner loops then run across lines and vectorise.

use ndarray::{ArrayViewMut3, Axis};

/// Columns in a block: of a long axis it still fits the second-level cache.
const COLUMNS: usize = 256;
/// Rows in a block along the last axis, where lines have to be turned round.
const ROWS: usize = 16;

/// Calls `work` with blocks of lines along `axis` until all are done. A block is (length of the axis, lines) in C order;
/// `work` gets the block and the number of lines, and what it leaves in the block is written back.
pub(crate) fn for_each_block(
    mut array: ArrayViewMut3<'_, f32>,
    axis: usize,
    mut work: impl FnMut(&mut [f32], usize),
) {
    let mut block = Vec::new();
    let outer = Axis(usize::from(axis == 0));
    for mut plane in array.axis_iter_mut(outer) {
        if axis == 2 {
            plane.swap_axes(0, 1);
        }
        let width = if axis == 2 { ROWS } else { COLUMNS };
        for mut lines in plane.axis_chunks_iter_mut(Axis(1), width) {
            block.clear();
            lines.rows().into_iter().for_each(|row| match row.as_slice() {
                Some(row) => block.extend_from_slice(row),
                None => block.extend(row.iter()),
            });
            let count = lines.ncols();
            work(&mut block, count);
            for (mut row, done) in lines.rows_mut().into_iter().zip(block.chunks(count)) {
                match row.as_slice_mut() {
                    Some(row) => row.copy_from_slice(done),
                    None => row.iter_mut().zip(done).for_each(|(to, from)| *to = *from),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, s};

    use super::*;

    #[test]
    fn every_line_is_visited_once_along_every_axis() {
        for axis in 0..3 {
            let mut array =
                Array3::from_shape_fn((3, 19, 300), |(z, y, x)| (z * 10_000 + y * 500 + x) as f32);
            let before = array.clone();
            for_each_block(array.view_mut(), axis, |block, lines| {
                // Running sums along the lines.
                (lines..block.len()).for_each(|i| block[i] += block[i - lines]);
            });
            let mut expected = before;
            expected.accumulate_axis_inplace(Axis(axis), |last, value| *value += last);
            assert_eq!(array.slice(s![.., .., ..]), expected, "axis {axis}");
        }
    }
}
