//! Rows of the network's grid arrive, rows of the cropped case become known, and some must be kept for the next ones.

use std::ops::Range;

use nnunet_numerics::SlabResampling;

use crate::resampler::ExportResampler;

/// Which rows of a case are known and which rows of the network's grid are kept, in the case's order of axes.
#[derive(Debug)]
pub struct SlabProgress {
    grids: ExportResampler,
    axis: usize,
    /// None: both grids are the same.
    resampling: Option<SlabResampling>,
    /// The first row that is kept.
    first: usize,
    /// Rows of the case that are known.
    done: usize,
}

impl SlabProgress {
    /// Returns `None` where every slab depends on the whole volume: cubic splines.
    #[must_use]
    pub fn new(grids: ExportResampler) -> Option<Self> {
        let axis = grids.axis();
        let resampling = SlabResampling::new(grids.untransposed(), grids.cropped, grids.how, axis);
        if grids.resamples() && resampling.is_none() {
            return None;
        }
        let resampling = resampling.filter(|_| grids.resamples());
        Some(Self { grids, axis, resampling, first: 0, done: 0 })
    }

    /// The case's axis along which rows arrive.
    #[must_use]
    pub fn axis(&self) -> usize {
        self.axis
    }

    /// The grids.
    #[must_use]
    pub fn grids(&self) -> &ExportResampler {
        &self.grids
    }

    /// How rows are resampled; none where both grids are the same.
    #[must_use]
    pub fn resampling(&self) -> Option<&SlabResampling> {
        self.resampling.as_ref()
    }

    /// The first row of the network's grid that is kept.
    #[must_use]
    pub fn first(&self) -> usize {
        self.first
    }

    /// The rows of the case that `kept` rows make known.
    #[must_use]
    pub fn ready(&self, kept: usize) -> Range<usize> {
        let ready = match &self.resampling {
            Some(resampling) => resampling.ready(self.first + kept),
            None => self.first + kept,
        };
        self.done..ready
    }

    /// Counts rows as known, of which there are `kept` inputs. Returns how many of these are not needed any more, or `None`
    /// if none of them is needed.
    pub fn finish(&mut self, known: &Range<usize>, kept: usize) -> Option<usize> {
        self.done = known.end;
        let next = self.resampling.as_ref().filter(|_| self.done < self.grids.cropped[self.axis]);
        let Some(resampling) = next else {
            self.first += kept;
            return None;
        };
        let needed = resampling.needs(self.done..self.done + 1).start.min(self.first + kept);
        let dropped = needed - self.first;
        self.first = needed;
        Some(dropped)
    }
}
