//! Position and size of the patch that is cut out of a case.

use std::ops::Range;

use nnunet_plugin_core::RandomStream;

/// Patch large enough for rotations up to the given angles (limited to 90 degrees) and the smallest `scale`
/// (v1 `get_patch_size`). In 2D only the first angle counts.
#[must_use]
pub fn enlarged_patch(patch: &[usize], rotation: [f64; 3], scale: f64) -> Vec<usize> {
    let [a, b, c] = rotation.map(|angle| angle.abs().min(std::f64::consts::FRAC_PI_2));
    let size: Vec<f64> = patch.iter().map(|len| *len as f64).collect();
    let mut largest = size.clone();
    let mut consider = |i: usize, j: usize, angle: f64| {
        let (sin, cos) = angle.sin_cos();
        let turned = [size[i] * cos + size[j] * sin, -size[i] * sin + size[j] * cos];
        largest[i] = largest[i].max(turned[0].abs());
        largest[j] = largest[j].max(turned[1].abs());
    };
    if patch.len() == 2 {
        consider(0, 1, a);
    } else {
        consider(1, 2, a);
        // The rotation about the middle axis has the opposite sense.
        consider(2, 0, b);
        consider(0, 1, c);
    }
    largest.into_iter().map(|len| (len / scale) as usize).collect()
}

/// How the position of a patch is chosen.
#[derive(Debug, Clone, Copy)]
pub enum Placement {
    /// Anywhere in the range that v1 allows.
    Random,
    /// Centered on a voxel of the case.
    Around([usize; 3]),
}

/// Corner of a `generator` patch in a case of `shape`, such that a final patch of size `patch` in its middle covers the
/// case; may lie outside (v1 `DataLoader3D`). All (z, y, x).
#[must_use]
pub fn place(
    shape: [usize; 3],
    generator: [usize; 3],
    patch: [usize; 3],
    placement: Placement,
    random: &mut RandomStream,
) -> [isize; 3] {
    std::array::from_fn(|axis| {
        let (len, wide, small) = (shape[axis] as isize, generator[axis] as isize, patch[axis] as isize);
        let pad = (wide - small).max(wide - len);
        let low = (-pad).div_euclid(2);
        let high = len + pad / 2 + pad % 2 - wide;
        match placement {
            Placement::Around(center) => low.max(center[axis] as isize - wide / 2),
            Placement::Random => low + random.below((high - low + 1).max(1) as usize) as isize,
        }
    })
}

/// The intersection of a box with a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// Its range in the case, (z, y, x).
    pub case: [Range<usize>; 3],
    /// Its range in the box.
    pub within: [Range<usize>; 3],
}

/// The intersection of a box of `size` at `corner` with a case of `shape`; `None` if it is empty.
#[must_use]
pub fn overlap(shape: [usize; 3], corner: [isize; 3], size: [usize; 3]) -> Option<Overlap> {
    let case: [Range<usize>; 3] = std::array::from_fn(|axis| {
        let inside = |at: isize| at.clamp(0, shape[axis] as isize) as usize;
        inside(corner[axis])..inside(corner[axis] + size[axis] as isize)
    });
    let within = std::array::from_fn(|axis| {
        let from = (case[axis].start as isize - corner[axis]).max(0) as usize;
        from..from + case[axis].len()
    });
    case.iter().all(|range| !range.is_empty()).then_some(Overlap { case, within })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of v1's `get_patch_size` for its default parameters.
    #[test]
    fn enlarged_patches_agree_with_v1() {
        let thirty = [30.0_f64.to_radians(); 3];
        assert_eq!(enlarged_patch(&[128, 128, 128], thirty, 0.85), [205, 205, 205]);
        assert_eq!(enlarged_patch(&[32, 40, 40], thirty, 0.85), [56, 64, 59]);
        let half_turn = [180.0_f64.to_radians(), 0.0, 0.0];
        assert_eq!(enlarged_patch(&[512, 512], half_turn, 0.85), [602, 602]);
        assert_eq!(enlarged_patch(&[320, 256], half_turn, 0.85), [376, 376]);
    }

    #[test]
    fn boxes_beyond_the_case_overlap_it_in_part_or_not_at_all() {
        let found = overlap([2, 5, 9], [-1, 0, 7], [2, 3, 6]).unwrap();
        assert_eq!(found.case, [0..1, 0..3, 7..9]);
        assert_eq!(found.within, [1..2, 0..3, 0..2]);
        assert_eq!(overlap([2, 2, 2], [0, 0, 2], [1, 1, 1]), None);
    }
}
