//! Compares the grids of two images.

use std::path::Path;

use nnunet_formats::nifti::Geometry;

use super::issue::{Issue, IssueKind};

/// Difference that never matters.
const ABSOLUTE: f64 = 1e-8;

/// Differences of `image` from `other`, which is called `name`.
pub(super) fn compare(
    file: &Path,
    image: &Geometry,
    other: &Geometry,
    name: &str,
    tolerance: f64,
) -> Vec<Issue> {
    if image.size != other.size {
        let detail = format!("{:?} voxels (x, y, z), but {name} has {:?}", image.size, other.size);
        return vec![Issue::new(IssueKind::Size, file, detail)];
    }
    // Relative to a coordinate or to a voxel, so that an origin of zero has a tolerance too; relative to a cosine of
    // one.
    let voxel = other.spacing.into_iter().fold(0.0, f64::max);
    let close = |a: &[f64], b: &[f64], unit: f64| {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() <= ABSOLUTE + tolerance * b.abs().max(unit))
    };
    let parts: [(IssueKind, &[f64], &[f64], f64); 3] = [
        (IssueKind::Spacing, &image.spacing, &other.spacing, 0.0),
        (IssueKind::Origin, &image.origin, &other.origin, voxel),
        (IssueKind::Direction, &image.direction, &other.direction, 1.0),
    ];
    let shift = Shift::between(image, other);
    let differing = parts.into_iter().filter(|(_, a, b, unit)| !close(a, b, *unit));
    differing
        .map(|(kind, a, b, _)| Issue::new(kind, file, format!("{a:?}, but {name} has {b:?}: {shift}")))
        .collect()
}

/// The largest distance between the positions of the same voxel in two grids, in voxels of `b`.
#[must_use]
pub fn shift_in_voxels(a: &Geometry, b: &Geometry) -> f64 {
    Shift::between(a, b).voxels
}

/// Largest distance between the positions of the same voxel in two grids: that of one of the corners.
struct Shift {
    mm: f64,
    voxels: f64,
}

impl Shift {
    fn between(a: &Geometry, b: &Geometry) -> Self {
        let mut shift = Self { mm: 0.0, voxels: 0.0 };
        for corner in 0..8_usize {
            let index: [f64; 3] =
                std::array::from_fn(
                    |axis| if corner >> axis & 1 == 1 { b.size[axis] as f64 - 1.0 } else { 0.0 },
                );
            let (p, q) = (world(a, index), world(b, index));
            let apart: [f64; 3] = std::array::from_fn(|axis| p[axis] - q[axis]);
            shift.mm = shift.mm.max(apart.iter().map(|mm| mm * mm).sum::<f64>().sqrt());
            for axis in 0..3 {
                let along: f64 = (0..3).map(|row| b.direction[3 * row + axis] * apart[row]).sum();
                shift.voxels = shift.voxels.max((along / b.spacing[axis]).abs());
            }
        }
        shift
    }
}

impl std::fmt::Display for Shift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.mm < 0.0005 {
            return write!(f, "up to {:.1e} mm ({:.1e} voxels) apart", self.mm, self.voxels);
        }
        write!(f, "up to {:.3} mm ({:.3} voxels) apart", self.mm, self.voxels)
    }
}

/// World position of a voxel.
fn world(geometry: &Geometry, index: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|row| {
        let along = |axis: usize| geometry.direction[3 * row + axis] * geometry.spacing[axis] * index[axis];
        geometry.origin[row] + (0..3).map(along).sum::<f64>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Geometry = Geometry {
        size: [10, 20, 30],
        spacing: [1.0, 1.0, 2.0],
        origin: [0.0; 3],
        direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    };

    #[test]
    fn a_shift_is_told_in_mm_and_voxels() {
        let moved = Geometry { origin: [0.0, 0.0, 3.0], ..UNIT };
        let issues = compare(Path::new("x"), &moved, &UNIT, "the label", 1e-5);
        assert_eq!(issues.len(), 1);
        assert_eq!(issues[0].kind, IssueKind::Origin);
        assert!(issues[0].detail.ends_with("up to 3.000 mm (1.500 voxels) apart"), "{}", issues[0].detail);
        assert!(compare(Path::new("x"), &UNIT, &UNIT, "the label", 0.0).is_empty());
    }

    #[test]
    fn a_wider_tolerance_lets_small_differences_pass() {
        let finer = Geometry { spacing: [1.001, 1.0, 2.0], ..UNIT };
        assert_eq!(compare(Path::new("x"), &finer, &UNIT, "the label", 1e-5)[0].kind, IssueKind::Spacing);
        assert!(compare(Path::new("x"), &finer, &UNIT, "the label", 1e-2).is_empty());
    }

    #[test]
    fn an_origin_of_zero_has_a_tolerance() {
        let moved = Geometry { origin: [7e-5, 0.0, 0.0], ..UNIT };
        let issues = compare(Path::new("x"), &moved, &UNIT, "the label", 1e-5);
        assert!(issues[0].detail.ends_with("up to 7.0e-5 mm (7.0e-5 voxels) apart"), "{}", issues[0].detail);
        assert!(compare(Path::new("x"), &moved, &UNIT, "the label", 1e-4).is_empty());
    }
}
