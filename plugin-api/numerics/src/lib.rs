//! The numerics nnU-Net needs, with SciPy's and NumPy's conventions where results must agree with v1.
//!
//! * [`resize`], [`resize_labels`]: spline resizing as `skimage.transform.resize(mode="edge", anti_aliasing=False)`.
//! * [`resample`]: v1's rules around it (separate axis, one-hot labels); [`SlabResampling`]: the same slab by slab.
//! * [`sample_affine`], [`sample_affine_labels`]: `scipy.ndimage.map_coordinates` on an affine grid, for augmentation.
//! * [`sample_linear`], [`sample_linear_labels`], [`sample_nearest`]: torch's `grid_sample` on such a grid.
//! * [`fill_holes`], [`connected_components`], [`distance_to`], [`gaussian_importance_map`]: from `scipy.ndimage`.
//! * [`RandomState`], [`kfold`]: NumPy's legacy generator, for splits and class locations.
//! * [`stats`]: percentiles, medians, rounding half to even.
//!
//! Arrays are in C order with axes (z, y, x).

mod affine;
mod axis;
mod axis_pass;
mod components;
mod distance;
mod elsewhere;
mod fill_holes;
mod gaussian;
mod kfold;
mod label_resize;
mod linear;
mod linear_labels;
mod lines;
mod median;
pub mod morphology;
mod power;
mod random;
mod resample;
mod resampling;
mod resize;
mod slabs;
mod spline;
pub mod stats;
mod wide;

pub use affine::{Affine, Displacement, sample_affine, sample_affine_labels};
pub use axis_pass::{AxisPass, Clip, PassRule, Passes, SplineFilter};
pub use components::{Components, connected_components, connected_components_26};
pub use distance::distance_to;
pub use elsewhere::{ResampleElsewhere, resampling_elsewhere};
pub use fill_holes::fill_holes;
pub use gaussian::{Ends, convolve_symmetric, gaussian_blur, gaussian_importance_map};
pub use kfold::{kfold, kfold_of_seed, random_split};
pub use label_resize::resize_labels;
pub use linear::{sample_linear, sample_nearest};
pub use linear_labels::sample_linear_labels;
pub use median::median_filter;
pub use power::power_in_place;
pub use random::RandomState;
pub use resample::{
    resample, resample_labels, resampled_shape, separate_axis, separate_axis_above, separate_axis_of,
};
pub use resampling::Resampling;
pub use resize::resize;
pub use slabs::SlabResampling;
pub use spline::{Boundary, EDGE_PADDING, prefilter};
