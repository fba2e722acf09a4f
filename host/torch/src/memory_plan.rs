//! How much memory a prediction takes, and which large arrays are kept in files so that it stays within the budget.

use std::path::Path;

use nnunet_data::memory;
use nnunet_formats::nifti::Geometry;
use nnunet_inference::{Scores, SlidingWindow, Storage, TensorVolume, resample_bytes};
use nnunet_plugin_api::tch::Device;

use crate::case::Case;
use crate::family::LoadedModel;

/// Rows that are handed on together should not be larger than this.
const SLAB: u64 = 64 << 20;
/// Slabs that are under way between network and export, at most: one being made, one waiting, one being resampled with
/// its result.
const SLABS: u64 = 5;
/// Voxels from which on an image is resampled on a GPU: the processor takes 10 ns and more for each, a copy 1 ns.
const LARGE_IMAGE: u64 = 1 << 24;
/// Arrays of the first resolution's features that a network has at a time.
const ACTIVATIONS: u64 = 8;

/// Sizes of the largest case and the model.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    /// The image, (z, y, x).
    pub(crate) raw: [usize; 3],
    /// The network's grid.
    pub(crate) network: [usize; 3],
    /// Channels of an image.
    pub(crate) channels: usize,
    /// Networks whose scores are averaged.
    pub(crate) folds: usize,
    /// Features of the network's first resolution.
    pub(crate) features: usize,
    /// Scores can only be resampled whole.
    pub(crate) is_cubic: bool,
    /// Images have been preprocessed before.
    pub(crate) is_prepared: bool,
}

/// Bytes by stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The program with the model.
    base: u64,
    /// One case, at its largest.
    pub(crate) case: u64,
    /// What cases may take together.
    pub(crate) budget: u64,
    /// Bytes that are kept in files instead.
    spilled: u64,
    /// Cases that the stages can hold together.
    at_once: u64,
}

impl Plan {
    /// Chooses rows and storage of the window for a budget of bytes. `base` is what is in memory already.
    pub(crate) fn new(
        sizes: &Sizes,
        window: &mut SlidingWindow,
        base: u64,
        max_ram: u64,
        folder: &Path,
        at_once: u64,
    ) -> Self {
        let budget = max_ram.saturating_sub(base);
        let row = row_bytes(sizes, window);
        window.rows = (SLAB.min(budget / 32) / row.max(1)).max(1) as usize;
        let slabs = SLABS * row * window.rows.min(sizes.network[0]) as u64;
        let network = sizes.image() * 2 + sizes.activations(window) + slabs;
        let labels = sizes.labels(window.num_classes);
        let mut plan = Self { base, case: network + labels, budget, spilled: 0, at_once };
        let file = Storage::File(folder.to_owned());
        let (sums, folds) = (sizes.sums(window), sizes.folds(window));
        let is_elsewhere = |storage: &Storage| matches!(storage, Storage::Device(Device::Cuda(_)));
        if !is_elsewhere(&window.sums) && !plan.has_room(sums) {
            window.sums = file.clone();
        }
        if !is_elsewhere(&window.folds) && !plan.has_room(folds) {
            window.folds = file;
        }
        // What preparing takes is free again when the network begins.
        plan.case = plan.case.max(sizes.prepare() + labels);
        plan
    }

    /// Takes bytes from the budget, or from the disk.
    fn has_room(&mut self, bytes: u64) -> bool {
        let fits = self.case + bytes <= self.budget;
        *(if fits { &mut self.case } else { &mut self.spilled }) += bytes;
        fits
    }

    /// The most memory that so many cases take on devices which share them and have this plan each: cases under way at a
    /// time, and the program.
    pub(crate) fn peak(&self, cases: usize, devices: usize) -> u64 {
        let of_device = cases.div_ceil(devices) as u64;
        let under_way = (self.budget / self.case.max(1)).min(self.at_once).min(of_device).max(1);
        self.base + self.case * under_way * devices as u64
    }

    /// What the budget has left beside the cases under way: so much freed memory may stay with the process.
    pub(crate) fn unused(&self) -> u64 {
        (self.base + self.budget).saturating_sub(self.peak(usize::MAX, 1))
    }

    /// One line for the user, for a number of cases on devices that share them.
    pub(crate) fn describe(&self, cases: usize, devices: usize) -> String {
        let peak = self.peak(cases, devices);
        let limit = self.base + self.budget * devices as u64;
        let mut text = format!("planned peak memory: {}", memory::readable(peak));
        if self.spilled > 0 {
            text += &format!(", and {} in temporary files", memory::readable(self.spilled));
        }
        if peak > limit {
            text += &format!("; more than the {} there are", memory::readable(limit));
        }
        text
    }
}

/// A row of all classes in single precision, on the larger of both grids.
fn row_bytes(sizes: &Sizes, window: &SlidingWindow) -> u64 {
    let plane = |[_, y, x]: [usize; 3]| y * x;
    4 * (window.num_classes * plane(sizes.network).max(plane(sizes.raw))) as u64
}

fn voxels(size: [usize; 3]) -> u64 {
    size.iter().product::<usize>() as u64
}

/// The least that a case takes in memory: its channels on the network's grid, a mask, and labels.
pub(crate) fn least_bytes(size: [usize; 3], channels: usize) -> u64 {
    let voxels = size.iter().map(|len| *len as f64).product::<f64>();
    (voxels * 4.0 * (channels + 1) as f64) as u64
}

impl Sizes {
    /// Of a model and the largest of some cases, without those that do not fit into `available` bytes and are refused.
    pub(super) fn of(model: &LoadedModel, cases: &[Case], available: u64) -> Self {
        let grid = |image: &Geometry| model.processing.network_size(image);
        let fits = |image: &Geometry| least_bytes(grid(image), model.input_channels) <= available;
        let geometry = |case: &Case| nnunet_data::images::read_geometry(case.images.first()?).ok();
        // Unreadable images fail later, by name.
        let geometries = cases.iter().filter_map(geometry).filter(fits);
        let (raw, network) = largest(geometries.map(|image| (image.size_zyx(), grid(&image))));
        Self {
            raw,
            network,
            channels: model.input_channels,
            folds: model.networks.len(),
            features: model.features,
            is_cubic: model.processing.needs_whole_volume(),
            is_prepared: false,
        }
    }

    /// Reading, cropping and resampling: the image thrice, the mask and the label map of the crop.
    fn prepare(&self) -> u64 {
        let channels = self.channels as u64;
        4 * (voxels(self.raw) * (3 * channels + 2) + voxels(self.network) * (channels + 2))
    }

    fn image(&self) -> u64 {
        4 * voxels(self.network) * self.channels as u64
    }

    /// The label map, pasted, and as bytes of the file.
    fn labels(&self, classes: usize) -> u64 {
        let bytes_of_label = if classes > 256 { 2 } else { 1 };
        3 * bytes_of_label * voxels(self.raw)
    }

    pub(super) fn activations(&self, window: &SlidingWindow) -> u64 {
        let patch = window.patch.iter().product::<usize>() as u64;
        let classes = 4 * window.num_classes as u64;
        4 * patch * (self.features as u64 * ACTIVATIONS + classes) * window.batch as u64
    }

    /// Sums over tiles: as many rows as a patch has.
    pub(super) fn sums(&self, window: &SlidingWindow) -> u64 {
        let rows = if window.patch.len() == 3 { window.patch[0] } else { 1 };
        let [_, y, x] = self.network;
        (rows * y * x * (window.num_classes + 1)) as u64 * element(window.scores)
    }

    /// A group of finished rows, as the sums have them.
    pub(super) fn rows_on_device(&self, window: &SlidingWindow) -> u64 {
        let [rows, y, x] = self.network;
        let all = (rows * y * x * window.num_classes) as u64 * element(window.scores);
        all.min(SLAB)
    }

    /// What resampling takes on a device for the rows that are computed together: samples, the result, and the rows that are
    /// kept.
    pub(super) fn resampling_on_device(&self, window: &SlidingWindow) -> u64 {
        if self.raw == self.network {
            return 0;
        }
        let all = 4 * voxels(self.raw).max(voxels(self.network)) * window.num_classes as u64;
        4 * all.min(SLAB)
    }

    /// What resampling an image before the network takes on a device, for images that are large enough for it.
    pub(super) fn image_on_device(&self) -> Option<u64> {
        let is_faster =
            !self.is_prepared && self.raw != self.network && is_faster_on_device(self.raw, self.network);
        is_faster.then(|| resample_bytes(self.raw, self.network))
    }

    /// Scores of the whole volume on a device, where splines need them.
    pub(super) fn volume_on_device(&self, window: &SlidingWindow) -> Option<u64> {
        let is_needed = self.is_cubic && self.raw != self.network;
        is_needed.then(|| TensorVolume::bytes(window.num_classes, self.network))
    }

    /// The sum over folds, where there is one.
    pub(super) fn folds_on_device(&self, window: &SlidingWindow) -> Option<u64> {
        (self.folds > 1).then(|| self.sum_over_folds(window))
    }

    fn sum_over_folds(&self, window: &SlidingWindow) -> u64 {
        voxels(self.network) * window.num_classes as u64 * element(window.scores)
    }

    /// Scores of the whole volume: the sum over folds, and, for splines, both grids.
    fn folds(&self, window: &SlidingWindow) -> u64 {
        let sum = if self.folds > 1 { self.sum_over_folds(window) } else { 0 };
        let both = 4 * window.num_classes as u64 * (voxels(self.network) + voxels(self.raw));
        sum + if self.is_cubic { both } else { 0 }
    }
}

/// Whether a channel is large enough to be resampled faster on a GPU: the filter starts some thousand small kernels (10 to
/// 50 ms), and the voxels have to be copied there and back.
pub(super) fn is_faster_on_device(from: [usize; 3], to: [usize; 3]) -> bool {
    voxels(from).max(voxels(to)) >= LARGE_IMAGE
}

fn element(scores: Scores) -> u64 {
    scores.kind().elt_size_in_bytes() as u64
}

/// The largest image and the largest grid that the network sees, which may be of another case.
pub(crate) fn largest(grids: impl Iterator<Item = ([usize; 3], [usize; 3])>) -> ([usize; 3], [usize; 3]) {
    let larger = |a: [usize; 3], b: [usize; 3]| if voxels(b) > voxels(a) { b } else { a };
    grids.fold(([0; 3], [0; 3]), |(raw, network), grids| (larger(raw, grids.0), larger(network, grids.1)))
}

#[cfg(test)]
mod tests {
    use nnunet_numerics::resampled_shape;

    use super::*;

    fn sizes(folds: usize) -> Sizes {
        Sizes {
            raw: [600, 512, 512],
            network: [600, 512, 512],
            channels: 1,
            folds,
            features: 32,
            is_cubic: false,
            is_prepared: false,
        }
    }

    #[test]
    fn a_small_image_of_thick_voxels_may_have_the_largest_grid() {
        let grid = |len: usize, spacing: f64| ([len; 3], resampled_shape([len; 3], [spacing; 3], [1.0; 3]));
        let cases = [grid(20, 1.0), grid(10, 4.0)];
        assert_eq!(largest(cases.into_iter()), ([20; 3], [40; 3]));
    }

    #[test]
    fn an_absurd_grid_is_larger_than_any_memory() {
        assert_eq!(least_bytes([10, 10, 10], 1), 8000);
        assert!(least_bytes([usize::MAX; 3], 4) == u64::MAX);
    }

    #[test]
    fn what_does_not_fit_goes_to_files() {
        let folder = Path::new("/somewhere");
        let plan = |folds, gigabytes: u64| {
            let mut window = SlidingWindow::new(vec![64, 128, 128], 25);
            let plan = Plan::new(&sizes(folds), &mut window, 300 << 20, gigabytes << 30, folder, 3);
            (plan, window)
        };
        let (plenty, window) = plan(1, 200);
        assert!(plenty.spilled == 0 && window.sums == SlidingWindow::new(vec![1], 1).sums);
        let (six, window) = plan(1, 6);
        assert!(six.spilled == 0 && six.case <= six.budget, "{six:?}");
        assert!(window.rows < 8, "{}", window.rows);
        let (_, window) = plan(5, 6);
        assert_eq!(window.folds, Storage::File(folder.to_owned()));
        let (two, window) = plan(1, 2);
        assert_eq!(window.sums, Storage::File(folder.to_owned()));
        let (many, _) = plan(1, 200);
        assert_eq!(many.peak(1, 1), many.base + many.case);
        assert_eq!(many.peak(10, 1), many.base + 3 * many.case);
        assert_eq!(many.peak(10, 2), many.base + 6 * many.case);
        assert_eq!(many.peak(2, 2), many.base + 2 * many.case);
        assert_eq!((many.unused(), two.unused()), (many.budget - 3 * many.case, 0));
        assert!(two.describe(1, 1).contains("more than the 2.0 GB there are"), "{}", two.describe(1, 1));
    }
}
