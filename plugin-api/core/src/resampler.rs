//! Resamplers: they bring images, labels and scores from one grid to another.

use ndarray::{Array3, Array4, Axis, Zip};

use crate::{Error, Result};

/// Brings the arrays of a case from one grid to another. v2's plans name one for images, one for labels and one for
/// scores, each with parameters (`resampling_fn_data`, `resampling_fn_data_kwargs`, ...); for v1, a preprocessor names one
/// (setting `resampler`). It runs on several cases at once, so it takes `&self`.
///
/// ```
/// use nnunet_plugin_api::ndarray::Array4;
/// use nnunet_plugin_api::{Component, GridChange, Info, Kind, Registration, Resampler, Result, inventory};
///
/// /// Takes the voxel at the same relative position.
/// struct Nearest;
///
/// impl Resampler for Nearest {
///     fn image(&self, image: Array4<f32>, change: &GridChange) -> Result<Array4<f32>> {
///         let (channels, z, y, x) = image.dim();
///         let at = |i: usize, from: usize, to: usize| (2 * i + 1) * from / (2 * to);
///         let [to_z, to_y, to_x] = change.shape;
///         Ok(Array4::from_shape_fn((channels, to_z, to_y, to_x), |(c, i, j, k)| {
///             image[[c, at(i, z, to_z), at(j, y, to_y), at(k, x, to_x)]]
///         }))
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Resampler, "Nearest", "The nearest voxel.");
///     Component::resampler(info, |_config| Ok(Box::new(Nearest)))
/// }));
///
/// let image = Array4::from_shape_vec((1, 1, 1, 2), vec![1.0, 4.0]).unwrap();
/// let change = GridChange { shape: [1, 1, 4], from: [1.0; 3], to: [1.0, 1.0, 0.5] };
/// let finer = Nearest.image(image, &change).unwrap();
/// assert_eq!(finer.as_slice(), Some(&[1.0, 1.0, 4.0, 4.0][..]));
/// ```
///
/// Source: v1's `resample_patient`, and the functions in v2's `preprocessing.resampling`.
pub trait Resampler: Send + Sync {
    /// Whether arrays keep their grid: the target spacing is ignored, and networks see images in their own spacing.
    fn keeps_grid(&self) -> bool {
        false
    }

    /// Resamples an image, (channels, z, y, x), to the size `change.shape`.
    ///
    /// # Errors
    /// Returns an error if the image cannot be resampled.
    fn image(&self, image: Array4<f32>, change: &GridChange) -> Result<Array4<f32>>;

    /// Resamples a label map, (z, y, x); -1 is outside the nonzero mask. Without an implementation of its own each voxel
    /// gets the label whose mask, resampled as an image, is largest there; of equals the lowest.
    ///
    /// # Errors
    /// Returns an error if the label map cannot be resampled.
    fn labels(&self, labels: Array3<f32>, change: &GridChange) -> Result<Array3<f32>> {
        strongest_label(labels, |mask| self.image(mask, change))
    }

    /// Resamples the scores of one class, (z, y, x), from the network's grid to that of the case. It is called class by
    /// class, so that not all of them have to be in memory. Without an implementation of its own scores are an image of one
    /// channel.
    ///
    /// # Errors
    /// Returns an error if the scores cannot be resampled.
    fn scores(&self, class: Array3<f32>, change: &GridChange) -> Result<Array3<f32>> {
        Ok(self.image(class.insert_axis(Axis(0)), change)?.index_axis_move(Axis(0), 0))
    }

    /// The interpolation of the program that [`Resampler::scores`] is equal to, if there is one. The program then resamples
    /// scores by itself: slab by slab while the network still predicts (order 0 or 1), and on the GPU.
    fn interpolation(&self, _change: &GridChange) -> Option<Interpolation> {
        None
    }
}

/// From which grid to which. Axes are (z, y, x) in transposed order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridChange {
    /// Size of the result.
    pub shape: [usize; 3],
    /// Spacing of the array, mm.
    pub from: [f64; 3],
    /// Spacing of the result, mm.
    pub to: [f64; 3],
}

/// Spline interpolation as the program has it, that of `skimage.transform.resize` and `scipy.ndimage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interpolation {
    /// Spline order, 0 (nearest voxel) to 5.
    pub order: u32,
    /// Spline order along the separate axis.
    pub order_z: u32,
    /// The axis that is resampled on its own, if there is one.
    pub separate: Option<usize>,
    /// Results are rounded to half precision.
    pub half_precision: bool,
}

impl Interpolation {
    /// Interpolation of all axes together.
    #[must_use]
    pub fn of_order(order: u32) -> Self {
        Self { order, order_z: order, separate: None, half_precision: false }
    }

    /// With an axis of its own, if there is one, and its order.
    #[must_use]
    pub fn separate(self, axis: Option<usize>, order_z: u32) -> Self {
        Self { separate: axis, order_z, ..self }
    }

    /// With results rounded to half precision, or not.
    #[must_use]
    pub fn rounded(self, half_precision: bool) -> Self {
        Self { half_precision, ..self }
    }
}

/// Size of an array of this shape and spacing on a grid of another spacing: rounded half to even, and at least 1.
///
/// ```
/// # use nnunet_plugin_api::{GridChange, Resampler, Result, ndarray::Array4, target_shape};
/// # struct Nearest;
/// # impl Resampler for Nearest {
/// #     fn image(&self, image: Array4<f32>, _: &GridChange) -> Result<Array4<f32>> { Ok(image) }
/// # }
/// assert_eq!(target_shape(&Nearest, [10, 20, 5], [2.0, 1.0, 1.0], [1.0, 1.0, 2.0]), [20, 20, 2]);
/// ```
#[must_use]
pub fn target_shape(
    resampler: &dyn Resampler,
    shape: [usize; 3],
    from: [f64; 3],
    to: [f64; 3],
) -> [usize; 3] {
    let of_axis = |axis: usize| {
        let size = from[axis] / to[axis] * shape[axis] as f64;
        (size.round_ties_even() as usize).max(1)
    };
    if resampler.keeps_grid() { shape } else { std::array::from_fn(of_axis) }
}

/// Resamples an image, (channels, z, y, x), to another spacing, and checks the size of the result. It is how the program
/// calls every resampler, built-in or not.
///
/// # Errors
/// Returns the resampler's error, or one for a result of another size.
pub fn resample_image(
    resampler: &dyn Resampler,
    image: Array4<f32>,
    from: [f64; 3],
    to: [f64; 3],
) -> Result<Array4<f32>> {
    let (channels, z, y, x) = image.dim();
    let shape = target_shape(resampler, [z, y, x], from, to);
    let resampled = resampler.image(image, &GridChange { shape, from, to })?;
    let wanted = [channels, shape[0], shape[1], shape[2]];
    has_shape("image", resampled.shape(), &wanted)?;
    Ok(resampled)
}

/// As [`resample_image`], for a label map, (z, y, x).
///
/// # Errors
/// As [`resample_image`].
pub fn resample_labels(
    resampler: &dyn Resampler,
    labels: Array3<f32>,
    from: [f64; 3],
    to: [f64; 3],
) -> Result<Array3<f32>> {
    let (z, y, x) = labels.dim();
    let shape = target_shape(resampler, [z, y, x], from, to);
    let resampled = resampler.labels(labels, &GridChange { shape, from, to })?;
    has_shape("labels", resampled.shape(), &shape)?;
    Ok(resampled)
}

/// Resamples the scores of one class, (z, y, x), and checks the size of the result.
///
/// # Errors
/// As [`resample_image`].
pub fn resample_scores(
    resampler: &dyn Resampler,
    class: Array3<f32>,
    change: &GridChange,
) -> Result<Array3<f32>> {
    let resampled = resampler.scores(class, change)?;
    has_shape("scores", resampled.shape(), &change.shape)?;
    Ok(resampled)
}

pub(crate) fn has_shape(what: &str, found: &[usize], wanted: &[usize]) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::shape(what, format!("{wanted:?}"), format!("{found:?}")))
}

/// The label whose resampled mask is largest.
fn strongest_label(
    labels: Array3<f32>,
    resampled: impl Fn(Array4<f32>) -> Result<Array4<f32>>,
) -> Result<Array3<f32>> {
    let mut best: Option<(Array3<f32>, Array3<f32>)> = None;
    for label in distinct(&labels) {
        let mask = labels.mapv(|value| f32::from(u8::from(value == label))).insert_axis(Axis(0));
        let mask = resampled(mask)?.index_axis_move(Axis(0), 0);
        match &mut best {
            None => best = Some((Array3::from_elem(mask.dim(), label), mask)),
            Some((found, likelihood)) => {
                has_shape("labels", mask.shape(), found.shape())?;
                Zip::from(found).and(likelihood).and(&mask).for_each(|found, likelihood, value| {
                    if *value > *likelihood {
                        (*likelihood, *found) = (*value, label);
                    }
                });
            }
        }
    }
    Ok(best.map_or(labels, |(found, _)| found))
}

/// The labels of a map, ascending.
pub(crate) fn distinct(labels: &Array3<f32>) -> Vec<f32> {
    let mut found: Vec<f32> = Vec::new();
    let mut last = f32::NAN;
    for label in labels {
        // Neighbors mostly have the same label.
        if *label != last {
            last = *label;
            if let Err(at) = found.binary_search_by(|known| known.total_cmp(label)) {
                found.insert(at, *label);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// Doubles the last axis by the mean of neighbors.
    struct Doubling;

    impl Resampler for Doubling {
        fn image(&self, image: Array4<f32>, change: &GridChange) -> Result<Array4<f32>> {
            let (channels, z, y, x) = image.dim();
            let made = Array4::from_shape_fn((channels, z, y, 2 * x), |(c, z, y, i)| {
                let near = image[[c, z, y, i / 2]];
                let next = image[[c, z, y, i.div_ceil(2).min(x - 1)]];
                0.75 * near + 0.25 * next
            });
            if change.shape == [z, y, 2 * x] { Ok(made) } else { Ok(image) }
        }
    }

    #[test]
    fn labels_and_scores_follow_from_images() {
        let change = GridChange { shape: [1, 1, 6], from: [1.0; 3], to: [1.0, 1.0, 0.5] };
        let labels = array![[[-1.0_f32, 0.0, 3.0]]];
        let made = Doubling.labels(labels, &change).unwrap();
        assert_eq!(made, array![[[-1.0, -1.0, 0.0, 0.0, 3.0, 3.0]]]);
        let scores = Doubling.scores(array![[[0.0_f32, 4.0, 4.0]]], &change).unwrap();
        assert_eq!(scores, array![[[0.0, 1.0, 4.0, 4.0, 4.0, 4.0]]]);
    }

    #[test]
    fn a_result_of_another_size_is_refused() {
        let image = Array4::zeros((1, 1, 1, 3));
        assert!(resample_image(&Doubling, image.clone(), [1.0; 3], [1.0, 1.0, 0.5]).is_ok());
        let error = resample_image(&Doubling, image, [1.0; 3], [1.0, 0.25, 1.0]).unwrap_err().to_string();
        assert_eq!(error, "image: expected [1, 1, 4, 3], got [1, 1, 1, 3]");
    }
}
