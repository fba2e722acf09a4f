//! Median filter, `scipy.ndimage.median_filter` with its default border.

use ndarray::{Array3, ArrayView3, s};

/// The median of a window of `size` (z, y, x) around every voxel; an even window reaches further towards the start.
/// Lines are reflected at their ends, edge sample included.
///
/// Source: `scipy.ndimage.median_filter`.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::median_filter;
///
/// let line = Array3::from_shape_vec((1, 1, 5), vec![1.0, 1.0, 9.0, 1.0, 1.0]).unwrap();
/// assert_eq!(median_filter(line.view(), [1, 1, 3]).as_slice(), Some(&[1.0; 5][..]));
/// ```
#[must_use]
pub fn median_filter(array: ArrayView3<'_, f32>, size: [usize; 3]) -> Array3<f32> {
    let size = size.map(|edge| edge.max(1));
    let before = size.map(|edge| edge / 2);
    let shape = [array.shape()[0], array.shape()[1], array.shape()[2]];
    let wide: [usize; 3] = std::array::from_fn(|axis| shape[axis] + size[axis] - 1);
    let padded = Array3::from_shape_fn(wide, |(z, y, x)| {
        let at = |axis: usize, i: usize| reflect(i as isize - before[axis] as isize, shape[axis]);
        array[[at(0, z), at(1, y), at(2, x)]]
    });
    let mut window = Vec::with_capacity(size.iter().product());
    Array3::from_shape_fn(shape, |(z, y, x)| {
        window.clear();
        for plane in padded.slice(s![z..z + size[0], y..y + size[1], x..x + size[2]]).outer_iter() {
            plane.rows().into_iter().for_each(|row| window.extend(row.iter().copied()));
        }
        let middle = window.len() / 2;
        *window.select_nth_unstable_by(middle, f32::total_cmp).1
    })
}

fn reflect(at: isize, n: usize) -> usize {
    let folded = at.rem_euclid(2 * n as isize);
    (if folded < n as isize { folded } else { 2 * n as isize - 1 - folded }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.ndimage.median_filter([3, 1, 2, 9, 4], size)` of SciPy 1.11.
    #[test]
    fn medians_are_those_of_scipy() {
        let line = Array3::from_shape_vec((1, 1, 5), vec![3.0, 1.0, 2.0, 9.0, 4.0]).unwrap();
        let filtered = |size| median_filter(line.view(), [1, 1, size]).into_raw_vec_and_offset().0;
        assert_eq!(filtered(3), [3.0, 2.0, 2.0, 4.0, 4.0]);
        assert_eq!(filtered(2), [3.0, 3.0, 2.0, 9.0, 9.0]);
    }
}
