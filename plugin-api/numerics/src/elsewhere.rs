//! Resampling that is computed elsewhere, as on a GPU, for as long as a piece of work takes.

use std::cell::RefCell;
use std::rc::Rc;

use ndarray::{Array4, ArrayView4};

use crate::resampling::Resampling;

/// Resamples channels, (channels, z, y, x), as [`resample`](crate::resample) does, or returns `None` to leave it to that.
pub type ResampleElsewhere = dyn Fn(ArrayView4<'_, f32>, [usize; 3], Resampling) -> Option<Array4<f32>>;

thread_local! {
    static PLACE: RefCell<Option<Rc<ResampleElsewhere>>> = const { RefCell::new(None) };
}

/// Does `work`. Whatever [`resample`](crate::resample) is asked for on this thread meanwhile goes to `place` first.
///
/// ```
/// use ndarray::Array4;
/// use nnunet_numerics::{Resampling, resample, resampling_elsewhere};
///
/// let how = Resampling { order: 1, order_z: 0, separate: None };
/// let double = || resample(Array4::ones((1, 2, 2, 2)).view(), [4; 3], how).sum();
/// assert_eq!(double(), 64.0);
/// let zeros = |_: ndarray::ArrayView4<'_, f32>, [z, y, x]: [usize; 3], _| Some(Array4::zeros((1, z, y, x)));
/// assert_eq!(resampling_elsewhere(zeros, double), 0.0);
/// assert_eq!(double(), 64.0);
/// ```
pub fn resampling_elsewhere<T>(
    place: impl Fn(ArrayView4<'_, f32>, [usize; 3], Resampling) -> Option<Array4<f32>> + 'static,
    work: impl FnOnce() -> T,
) -> T {
    let before = PLACE.replace(Some(Rc::new(place)));
    let _back = Restore(before);
    work()
}

/// Puts back what was there, also when the work panics.
struct Restore(Option<Rc<ResampleElsewhere>>);

impl Drop for Restore {
    fn drop(&mut self) {
        PLACE.set(self.0.take());
    }
}

/// What the place of this thread makes of a resampling.
pub(crate) fn resampled(
    data: ArrayView4<'_, f32>,
    shape: [usize; 3],
    how: Resampling,
) -> Option<Array4<f32>> {
    let place = PLACE.with_borrow(Option::clone)?;
    place(data, shape, how)
}
