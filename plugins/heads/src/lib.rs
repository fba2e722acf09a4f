//! What the outputs of a network mean: [`Softmax`](softmax) of classes, [`Sigmoid`](sigmoid) of regions.

mod sigmoid;
mod softmax;
