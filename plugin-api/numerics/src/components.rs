//! Connected components: of face neighbors, as `scipy.ndimage.label` finds them by default, or of all 26 neighbors, as
//! `skimage.measure.label` does.

use ndarray::{Array3, ArrayView3};

/// Components of a mask.
#[derive(Debug, Clone)]
pub struct Components {
    /// 0 outside the mask, else 1 + index into `sizes`; numbered in scan order.
    pub labels: Array3<u32>,
    /// Voxels of every component.
    pub sizes: Vec<usize>,
}

/// Face neighbors that come before a voxel in scan order, as steps back along z, y and x.
const FACES: [[isize; 3]; 3] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];

/// All neighbors that come before a voxel.
const ALL: [[isize; 3]; 13] = [
    [1, 1, 1],
    [1, 1, 0],
    [1, 1, -1],
    [1, 0, 1],
    [1, 0, 0],
    [1, 0, -1],
    [1, -1, 1],
    [1, -1, 0],
    [1, -1, -1],
    [0, 1, 1],
    [0, 1, 0],
    [0, 1, -1],
    [0, 0, 1],
];

/// Labels the components of a mask whose voxels touch at faces.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::connected_components;
///
/// let mut mask = Array3::from_elem((1, 2, 4), false);
/// for voxel in [[0, 0, 0], [0, 0, 1], [0, 1, 3]] {
///     mask[voxel] = true;
/// }
/// let components = connected_components(mask.view());
/// assert_eq!(components.sizes, [2, 1]);
/// assert_eq!(components.labels[[0, 0, 1]], 1);
/// assert_eq!(components.labels[[0, 1, 3]], 2);
/// ```
#[must_use]
pub fn connected_components(mask: ArrayView3<'_, bool>) -> Components {
    label(mask, &FACES)
}

/// Labels the components of a mask whose voxels touch at faces, edges or corners.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::{connected_components, connected_components_26};
///
/// let mut diagonal = Array3::from_elem((1, 2, 2), false);
/// diagonal[[0, 0, 0]] = true;
/// diagonal[[0, 1, 1]] = true;
/// assert_eq!(connected_components(diagonal.view()).sizes, [1, 1]);
/// assert_eq!(connected_components_26(diagonal.view()).sizes, [2]);
/// ```
#[must_use]
pub fn connected_components_26(mask: ArrayView3<'_, bool>) -> Components {
    label(mask, &ALL)
}

/// Two passes, union-find over voxels.
fn label(mask: ArrayView3<'_, bool>, steps: &[[isize; 3]]) -> Components {
    let [nz, ny, nx] = [mask.shape()[0], mask.shape()[1], mask.shape()[2]];
    let mut labels = Array3::<u32>::zeros((nz, ny, nx));
    let mut parent = vec![0_u32];
    for ((z, y, x), _) in mask.indexed_iter().filter(|(_, set)| **set) {
        let before = |[dz, dy, dx]: &[isize; 3]| {
            let place = [z.checked_add_signed(-dz)?, y.checked_add_signed(-dy)?, x.checked_add_signed(-dx)?];
            labels.get(place).copied()
        };
        let before: Vec<u32> = steps.iter().filter_map(before).collect();
        let mut mine = 0;
        for neighbor in before.into_iter().filter(|label| *label != 0) {
            mine = if mine == 0 { root(&mut parent, neighbor) } else { union(&mut parent, mine, neighbor) };
        }
        if mine == 0 {
            mine = parent.len() as u32;
            parent.push(mine);
        }
        labels[[z, y, x]] = mine;
    }
    renumber(labels, &mut parent)
}

fn root(parent: &mut [u32], mut label: u32) -> u32 {
    while parent[label as usize] != label {
        parent[label as usize] = parent[parent[label as usize] as usize];
        label = parent[label as usize];
    }
    label
}

fn union(parent: &mut [u32], a: u32, b: u32) -> u32 {
    let (a, b) = (root(parent, a), root(parent, b));
    let (low, high) = (a.min(b), a.max(b));
    parent[high as usize] = low;
    low
}

fn renumber(mut labels: Array3<u32>, parent: &mut [u32]) -> Components {
    let mut number = vec![0_u32; parent.len()];
    let mut sizes = Vec::new();
    for label in labels.iter_mut().filter(|label| **label != 0) {
        let top = root(parent, *label) as usize;
        if number[top] == 0 {
            sizes.push(0);
            number[top] = sizes.len() as u32;
        }
        *label = number[top];
        sizes[number[top] as usize - 1] += 1;
    }
    Components { labels, sizes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagonal_voxels_are_apart_and_u_shapes_are_one() {
        let mut mask = Array3::from_elem((1, 3, 5), false);
        for (y, x) in [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (1, 2), (0, 2), (1, 3), (0, 4)] {
            mask[[0, y, x]] = true;
        }
        let found = connected_components(mask.view());
        assert_eq!(found.sizes, [8, 1]);
        assert_eq!(found.labels[[0, 0, 0]], found.labels[[0, 0, 2]]);
    }
}
