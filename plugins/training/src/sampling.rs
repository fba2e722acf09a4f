//! Which samples must have foreground, and around which voxel a patch is cut.

use nnunet_numerics::stats::round_half_even;
use nnunet_plugin_api::RandomStream;

/// How patches are chosen. The default is v1's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sampling {
    /// Which samples must have foreground.
    pub oversampling: Oversampling,
    /// How a slice is chosen that must have foreground.
    pub slices: SliceChoice,
}

/// Which samples of a batch are guaranteed to contain foreground.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Oversampling {
    /// The last ones of each batch.
    #[default]
    LastOfBatch,
    /// Each sample with the same probability (v2's `probabilistic_oversampling`).
    EachSample,
}

/// How a slice with a class is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SliceChoice {
    /// All slices with the class are equally likely; then one of its voxels in the slice (v1).
    #[default]
    Slice,
    /// All voxels of the class are equally likely (v2).
    Voxel,
}

/// Sampled positions (z, y, x) of a case.
pub(crate) struct Places<'a> {
    /// Of every class.
    pub(crate) classes: &'a [Vec<[i64; 3]>],
    /// Of all labels, where unlabeled voxels are ignored.
    pub(crate) annotated: Option<&'a [[i64; 3]]>,
}

impl Sampling {
    /// v2's `nnUNetDataLoader`.
    #[must_use]
    pub fn v2(oversampling: Oversampling) -> Self {
        Self { oversampling, slices: SliceChoice::Voxel }
    }

    /// Whether sample `index` of a batch of `size` must have foreground, for a share of such samples.
    pub(crate) fn is_forced(&self, index: usize, size: usize, share: f64, random: &mut RandomStream) -> bool {
        match self.oversampling {
            Oversampling::LastOfBatch => index >= round_half_even(size as f64 * (1.0 - share)) as usize,
            Oversampling::EachSample => random.chance(share),
        }
    }

    /// The voxel (z, y, x) around which a patch is cut; none: it may be anywhere. `axes` is 2 for slices.
    ///
    /// Source: v1 `DataLoader3D`, v2 `nnUNetDataLoader.get_bbox`.
    pub(crate) fn center(
        &self,
        places: &Places<'_>,
        forced: bool,
        axes: usize,
        random: &mut RandomStream,
    ) -> Option<[usize; 3]> {
        let annotated = places.annotated.filter(|positions| !positions.is_empty());
        let present: Vec<&[[i64; 3]]> =
            places.classes.iter().map(Vec::as_slice).filter(|positions| !positions.is_empty()).collect();
        let positions = match present.get(random_index(forced, present.len(), random)) {
            Some(class) if forced => class,
            // v2 keeps to annotated voxels even if a case has no foreground.
            _ => annotated?,
        };
        let slices = axes == 2 && self.slices == SliceChoice::Slice;
        let at =
            if slices { in_a_slice(positions, random) } else { positions[random.below(positions.len())] };
        Some(at.map(|position| position.max(0) as usize))
    }
}

/// A random index of a class, if one is needed.
fn random_index(forced: bool, classes: usize, random: &mut RandomStream) -> usize {
    if forced { random.below(classes) } else { 0 }
}

/// A slice drawn first, then a position in it.
fn in_a_slice(positions: &[[i64; 3]], random: &mut RandomStream) -> [i64; 3] {
    let mut slices: Vec<i64> = positions.iter().map(|at| at[0]).collect();
    slices.sort_unstable();
    slices.dedup();
    let slice = slices[random.below(slices.len())];
    let within: Vec<&[i64; 3]> = positions.iter().filter(|at| at[0] == slice).collect();
    *within[random.below(within.len())]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Positions of a case.
    #[derive(Default)]
    struct Positions {
        classes: Vec<Vec<[i64; 3]>>,
        annotated: Option<Vec<[i64; 3]>>,
    }

    /// How often each center comes in 3000 draws.
    fn centers(
        sampling: Sampling,
        source: &Positions,
        forced: bool,
        axes: usize,
    ) -> BTreeMap<Option<[usize; 3]>, usize> {
        let mut random = RandomStream::from_seed(1);
        let mut counts = BTreeMap::new();
        for _ in 0..3000 {
            let places = Places { classes: &source.classes, annotated: source.annotated.as_deref() };
            *counts.entry(sampling.center(&places, forced, axes, &mut random)).or_insert(0) += 1;
        }
        counts
    }

    fn v2() -> Sampling {
        Sampling::v2(Oversampling::LastOfBatch)
    }

    #[test]
    fn every_class_is_equally_likely_and_then_every_voxel() {
        let source = Positions {
            classes: vec![vec![[1, 1, 1]], vec![], vec![[2, 2, 2], [2, 3, 4]]],
            ..Positions::default()
        };
        let counts = centers(v2(), &source, true, 3);
        assert_eq!(counts.len(), 3);
        assert!(counts[&Some([1, 1, 1])].abs_diff(1500) < 150);
        assert!(counts[&Some([2, 3, 4])].abs_diff(750) < 120);
        assert_eq!(centers(v2(), &source, false, 3), BTreeMap::from([(None, 3000)]));
    }

    #[test]
    fn v1_draws_the_slice_first_and_v2_the_voxel() {
        let positions = [vec![[1, 0, 0]], (0..9).map(|x| [2, 0, x]).collect()].concat();
        let source = Positions { classes: vec![positions], ..Positions::default() };
        let first = |sampling| centers(sampling, &source, true, 2)[&Some([1, 0, 0])];
        assert!(first(Sampling::default()).abs_diff(1500) < 150);
        assert!(first(v2()).abs_diff(300) < 90);
    }

    /// With an ignore label no patch is cut where nothing is annotated, unless nothing is.
    #[test]
    fn with_an_ignore_label_patches_lie_around_annotated_voxels() {
        let annotated = vec![[5, 5, 5]];
        let with = |classes, annotated| Positions { classes, annotated: Some(annotated) };
        let source = with(vec![vec![[1, 1, 1]]], annotated.clone());
        assert_eq!(centers(v2(), &source, false, 3), BTreeMap::from([(Some([5, 5, 5]), 3000)]));
        assert_eq!(centers(v2(), &source, true, 3), BTreeMap::from([(Some([1, 1, 1]), 3000)]));
        let source = with(vec![vec![]], annotated);
        assert_eq!(centers(v2(), &source, true, 3), BTreeMap::from([(Some([5, 5, 5]), 3000)]));
        let source = with(vec![vec![]], vec![]);
        for forced in [false, true] {
            assert_eq!(centers(v2(), &source, forced, 3), BTreeMap::from([(None, 3000)]));
        }
    }

    #[test]
    fn forced_samples_are_the_last_or_random_ones() {
        let mut random = RandomStream::from_seed(1);
        let mut forced = |sampling: Sampling| -> Vec<usize> {
            (0..3)
                .map(|index| (0..3000).filter(|_| sampling.is_forced(index, 3, 0.33, &mut random)).count())
                .collect()
        };
        assert_eq!(forced(v2()), [0, 0, 3000]);
        let random = forced(Sampling::v2(Oversampling::EachSample));
        assert!(random.iter().all(|count| count.abs_diff(990) < 130), "{random:?}");
    }
}
