//! `scipy.ndimage.binary_fill_holes` in 3D.

use ndarray::Array3;

/// Sets every background voxel that cannot reach the border through face neighbors.
///
/// Source: `scipy.ndimage.binary_fill_holes`.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::fill_holes;
///
/// let mut ring = Array3::from_elem((3, 3, 3), true);
/// ring[[1, 1, 1]] = false;
/// fill_holes(&mut ring);
/// assert!(ring[[1, 1, 1]]);
/// ```
pub fn fill_holes(mask: &mut Array3<bool>) {
    let [nz, ny, nx] = [mask.shape()[0], mask.shape()[1], mask.shape()[2]];
    if mask.iter().all(|set| *set) || mask.is_empty() {
        return;
    }
    let Some(voxels) = mask.as_slice_mut() else { return };
    let mut outside = vec![false; voxels.len()];
    let mut stack = Vec::new();
    let is_border = |i: usize| {
        let (z, y, x) = (i / (ny * nx), i / nx % ny, i % nx);
        z == 0 || y == 0 || x == 0 || z == nz - 1 || y == ny - 1 || x == nx - 1
    };
    for i in (0..voxels.len()).filter(|i| !voxels[*i] && is_border(*i)) {
        outside[i] = true;
        stack.push(i);
    }
    while let Some(i) = stack.pop() {
        let (z, y, x) = (i / (ny * nx), i / nx % ny, i % nx);
        let mut visit = |inside: bool, neighbor: usize| {
            if inside && !voxels[neighbor] && !outside[neighbor] {
                outside[neighbor] = true;
                stack.push(neighbor);
            }
        };
        visit(z > 0, i.wrapping_sub(ny * nx));
        visit(z + 1 < nz, i + ny * nx);
        visit(y > 0, i.wrapping_sub(nx));
        visit(y + 1 < ny, i + nx);
        visit(x > 0, i.wrapping_sub(1));
        visit(x + 1 < nx, i + 1);
    }
    voxels.iter_mut().zip(&outside).for_each(|(voxel, outside)| *voxel = !outside);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_holes_are_filled_and_open_ones_are_not() {
        let mut mask = Array3::from_elem((5, 5, 5), true);
        mask[[2, 2, 2]] = false;
        mask[[0, 0, 0]] = false;
        fill_holes(&mut mask);
        assert!(mask[[2, 2, 2]]);
        assert!(!mask[[0, 0, 0]]);
    }
}
