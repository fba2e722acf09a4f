//! How the axes of images lie in the body, and images turned to lie as others do.

use std::cmp::Ordering;

use ndarray::{Array, ArrayView, Axis, Dimension};
use nnunet_formats::Geometry;

use crate::pipeline::RawCase;

/// To the right, front and up, or the other way.
const LETTERS: [[char; 2]; 3] = [['R', 'L'], ['A', 'P'], ['S', 'I']];

/// How an image's axes lie, as the way to turn it so that they run to the right, to the front and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orientation {
    /// For right, front and up: the image's axis, (x, y, z) order, that runs along it, and whether the other way.
    axes: [(usize, bool); 3],
}

impl Orientation {
    /// From direction cosines as ITK has them. Axes that fit best choose first (nibabel's `io_orientation`).
    #[must_use]
    pub fn of(geometry: &Geometry) -> Self {
        // ITK's world runs to the left and to the back.
        let along = |world: usize, axis: usize| {
            let cosine = geometry.direction[3 * world + axis];
            if world < 2 { -cosine } else { cosine }
        };
        let best = |axis: usize| (0..3).map(|world| along(world, axis).abs()).fold(0.0, f64::max);
        let mut order = [0, 1, 2];
        order.sort_by(|a, b| best(*b).partial_cmp(&best(*a)).unwrap_or(Ordering::Equal));
        let mut axes = [None; 3];
        for axis in order {
            let free = (0..3).filter(|world| axes[*world].is_none());
            // The first of equals.
            let chosen = free.fold(None, |best: Option<usize>, world| match best {
                Some(other) if along(other, axis).abs() >= along(world, axis).abs() => best,
                _ => Some(world),
            });
            if let Some(world) = chosen {
                axes[world] = Some((axis, along(world, axis) < 0.0));
            }
        }
        Self { axes: axes.map(Option::unwrap_or_default) }
    }

    /// Turns a case and its geometry.
    #[must_use]
    pub fn turn(&self, case: RawCase) -> RawCase {
        let RawCase { data, seg, geometry, files, seg_file } = case;
        RawCase {
            data: self.turned(data.view()),
            seg: seg.map(|seg| self.turned(seg.view())),
            geometry: self.geometry(&geometry),
            files,
            seg_file,
        }
    }

    /// Where a turned image lies.
    #[must_use]
    pub fn geometry(&self, from: &Geometry) -> Geometry {
        let mut to = *from;
        for (i, (axis, reversed)) in self.axes.into_iter().enumerate() {
            let sign = if reversed { -1.0 } else { 1.0 };
            to.size[i] = from.size[axis];
            to.spacing[i] = from.spacing[axis];
            for world in 0..3 {
                let cosine = from.direction[3 * world + axis];
                to.direction[3 * world + i] = sign * cosine;
                if reversed {
                    to.origin[world] += cosine * from.spacing[axis] * (from.size[axis] - 1) as f64;
                }
            }
        }
        to
    }

    /// From the abbreviation that [`Orientation::letters`] gives.
    #[must_use]
    pub fn from_letters(letters: &str) -> Option<Self> {
        let mut axes = [None; 3];
        for (axis, letter) in letters.chars().enumerate() {
            let world = LETTERS.iter().position(|pair| pair.contains(&letter))?;
            if axes[world].replace((axis, LETTERS[world][1] == letter)).is_some() {
                return None;
            }
        }
        let [Some(right), Some(front), Some(up)] = axes else { return None };
        Some(Self { axes: [right, front, up] })
    }

    /// Where the image's axes run to, as DICOM abbreviates it.
    #[must_use]
    pub fn letters(&self) -> String {
        let mut letters = [' '; 3];
        for ((axis, reversed), pair) in self.axes.into_iter().zip(LETTERS) {
            letters[axis] = pair[usize::from(reversed)];
        }
        letters.into_iter().collect()
    }

    /// Turns an array whose last axes are z, y, x.
    #[must_use]
    pub fn turned<T: Copy, D: Dimension>(&self, array: ArrayView<'_, T, D>) -> Array<T, D> {
        let place = |axis: usize| array.ndim() - 1 - axis;
        let mut order = array.raw_dim();
        (0..array.ndim()).for_each(|axis| order[axis] = axis);
        self.axes.into_iter().enumerate().for_each(|(i, (axis, _))| order[place(i)] = place(axis));
        let mut turned = array.view().permuted_axes(order);
        let reversed = self.axes.into_iter().enumerate().filter(|(_, (_, reversed))| *reversed);
        reversed.for_each(|(i, _)| turned.invert_axis(Axis(place(i))));
        turned.as_standard_layout().into_owned()
    }

    /// First this turn, then another one.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let axis = |(between, reversed): (usize, bool)| {
            let (axis, before) = self.axes[between];
            (axis, before != reversed)
        };
        Self { axes: next.axes.map(axis) }
    }

    /// Turns an image that lies like this one so that it lies like `other`.
    #[must_use]
    pub fn towards(&self, other: &Self) -> Self {
        self.then(&other.inverse())
    }

    /// The way back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let mut axes = [(0, false); 3];
        for (i, (axis, reversed)) in self.axes.into_iter().enumerate() {
            axes[axis] = (i, reversed);
        }
        Self { axes }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Array4};

    use super::*;

    /// The first voxel axis runs up, the second to the left, the third to the back.
    fn sagittal() -> Geometry {
        Geometry {
            size: [4, 3, 2],
            spacing: [3.0, 2.0, 1.0],
            origin: [10.0, 20.0, 30.0],
            direction: [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0],
        }
    }

    /// World position of a voxel, (x, y, z).
    fn position(geometry: &Geometry, voxel: [usize; 3]) -> [f64; 3] {
        std::array::from_fn(|world| {
            let along = |axis: usize| geometry.direction[3 * world + axis] * geometry.spacing[axis];
            geometry.origin[world] + (0..3).map(|axis| along(axis) * voxel[axis] as f64).sum::<f64>()
        })
    }

    #[test]
    fn every_voxel_keeps_its_place_in_the_world() {
        let geometry = sagittal();
        let orientation = Orientation::of(&geometry);
        let turned = orientation.geometry(&geometry);
        assert_eq!((turned.size, turned.spacing), ([3, 2, 4], [2.0, 1.0, 3.0]));
        // To the right and to the front are ITK's negative directions.
        assert_eq!(turned.direction, [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0]);
        let number = |x: usize, y: usize, z: usize| x + 10 * y + 100 * z;
        let data = Array4::from_shape_fn((1, 2, 3, 4), |(_, z, y, x)| number(x, y, z));
        let found = orientation.turned(data.view());
        for ((_, z, y, x), value) in found.indexed_iter() {
            let before = [value % 10, value / 10 % 10, value / 100];
            assert_eq!(position(&turned, [x, y, z]), position(&geometry, before));
        }
    }

    #[test]
    fn axes_have_letters() {
        let orientation = Orientation::of(&sagittal());
        assert_eq!(orientation.letters(), "SLP");
        assert_eq!(Orientation::from_letters("SLP"), Some(orientation));
        assert_eq!(Orientation::from_letters("SLR"), None);
        assert_eq!(Orientation::from_letters("SLPA"), None);
    }

    #[test]
    fn images_are_turned_to_lie_as_another() {
        let from = Orientation::of(&sagittal());
        let wanted = Orientation::from_letters("LPS").unwrap();
        let turn = from.towards(&wanted);
        assert_eq!(Orientation::of(&turn.geometry(&sagittal())), wanted);
        assert_eq!(turn.inverse().geometry(&turn.geometry(&sagittal())), sagittal());
        assert_eq!(from.towards(&from).geometry(&sagittal()), sagittal());
    }

    #[test]
    fn there_and_back_is_nowhere() {
        let orientation = Orientation::of(&sagittal());
        let labels = Array3::from_shape_fn((2, 3, 4), |(z, y, x)| (x + 4 * y + 12 * z) as u8);
        let back = orientation.inverse();
        assert_eq!(back.turned(orientation.turned(labels.view()).view()), labels);
        assert_eq!(back.geometry(&orientation.geometry(&sagittal())), sagittal());
    }
}
