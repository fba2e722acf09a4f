//! What the outputs of a network mean: [`Softmax`](softmax) of classes, [`Sigmoid`](sigmoid) of regions.

mod regions;
mod sigmoid;
mod softmax;

pub use regions::region_masks;
