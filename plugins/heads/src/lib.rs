//! What the outputs of a network mean: `Softmax` for classes that exclude each other, `Sigmoid` for regions.

mod sigmoid;
mod softmax;
