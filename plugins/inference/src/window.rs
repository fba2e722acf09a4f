//! The settings of the sliding window.

use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::{Result, TaskHead};

use crate::storage::Storage;

/// What is averaged over tiles, mirror images and folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scores {
    /// v1: probabilities of classes that exclude each other.
    Softmax,
    /// v1: probabilities of regions that may overlap.
    Sigmoid,
    /// v2: logits, added in half precision as v2 does.
    Logits,
}

impl Scores {
    /// Number format of the sums.
    #[must_use]
    pub fn kind(self) -> Kind {
        if self == Scores::Logits { Kind::Half } else { Kind::Float }
    }
}

/// How to predict.
#[derive(Debug, Clone)]
pub struct SlidingWindow {
    /// Network input, 2 or 3 axes.
    pub patch: Vec<usize>,
    /// Output channels.
    pub num_classes: usize,
    /// Step as a share of the patch, in (0, 1].
    pub step: f64,
    /// Mirrored axes of the patch; empty for no mirroring.
    pub mirror_axes: Vec<usize>,
    /// Mirror images that go through the network together.
    pub batch: usize,
    /// Number format of the network's input.
    pub kind: Kind,
    /// Where the network is.
    pub device: Device,
    /// What is averaged.
    pub scores: Scores,
    /// Makes the scores, if the model has a head of its own.
    pub head: Option<TaskHead>,
    /// Voxels count by their distance from the tile's center.
    pub gaussian: bool,
    /// Where the sums over tiles are kept.
    pub sums: Storage,
    /// Where the sum over several networks is kept.
    pub folds: Storage,
    /// Several networks' scores and their mean are rounded to half precision, as v1's mode `fastest` does.
    pub folds_in_half: bool,
    /// Most rows of the first axis that are handed on together.
    pub rows: usize,
}

/// With so many voxels, those of a small 3D patch, a network no longer waits for its threads more than they work.
const VOXELS_TOGETHER: usize = 1 << 16;

impl SlidingWindow {
    /// v1's way on the machine's processor: Gaussian weights, softmax, every axis mirrored. Mirror images of small
    /// patches go through the network together.
    #[must_use]
    pub fn new(patch: Vec<usize>, num_classes: usize) -> Self {
        Self {
            mirror_axes: (0..patch.len()).collect(),
            num_classes,
            step: 0.5,
            batch: (VOXELS_TOGETHER / patch.iter().product::<usize>().max(1)).max(1),
            patch,
            kind: Kind::Float,
            device: Device::Cpu,
            scores: Scores::Softmax,
            head: None,
            gaussian: true,
            sums: Storage::Device(Device::Cpu),
            folds: Storage::Device(Device::Cpu),
            folds_in_half: false,
            rows: usize::MAX,
        }
    }
}

/// Takes the first row's index and rows (classes, n, y, x) of the result.
pub type Sink<'a> = dyn FnMut(usize, Tensor) -> Result<()> + 'a;
