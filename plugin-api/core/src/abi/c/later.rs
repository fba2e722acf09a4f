//! Splitters and resamplers of the C interface, since ABI 1.4.

use core::ffi::{CStr, c_char, c_void};
use std::ffi::CString;

use ndarray::{Array, Array3, Array4, Dimension, Ix3, Ix4};

use super::object::CObject;
use super::types::{CGridChange, CONTENT_IMAGE, CONTENT_LABELS, CONTENT_SCORES, CTextSink};
use crate::abi::dlpack::DlpackArray;
use crate::abi::v1::resampler::{all_finite, check_labels, check_values};
use crate::resampler::distinct;
use crate::{Error, Fold, GridChange, Resampler, Result, SplitCase, Splitter};

impl Splitter for CObject {
    fn split(&self, cases: &[SplitCase]) -> Result<Vec<Fold>> {
        const METHOD: &str = "split";
        let named = |error: String| self.named(METHOD, Error::message(error));
        let cases = serde_json::to_string(cases).map_err(|error| named(error.to_string()))?;
        let cases = CString::new(cases).map_err(|error| named(error.to_string()))?;
        let mut text: Option<String> = None;
        let folds = CTextSink { size: size_of::<CTextSink>(), context: (&raw mut text).cast(), put };
        self.call(
            METHOD,
            |c| c.split,
            // SAFETY: text and sink outlive the call.
            |split, object, error| unsafe { split(object, cases.as_ptr(), &raw const folds, error) },
        )?;
        let text = text.ok_or_else(|| named("the plugin gave no folds".to_owned()))?;
        serde_json::from_str(&text).map_err(|error| named(format!("its folds: {error}")))
    }
}

/// Called by the plugin, runs in the host: keeps a text.
extern "C" fn put(context: *mut c_void, text: *const c_char) {
    if !text.is_null() {
        // SAFETY: `context` is the `text` of the `split` that is running on this thread, and the text has an end mark.
        let (kept, text) = unsafe { (&mut *context.cast::<Option<String>>(), CStr::from_ptr(text)) };
        *kept = Some(text.to_string_lossy().into_owned());
    }
}

impl Resampler for CObject {
    fn image(&self, image: Array4<f32>, change: &GridChange) -> Result<Array4<f32>> {
        let [z, y, x] = change.shape;
        let (expected, was_finite) = ([image.dim().0, z, y, x], all_finite(&image));
        let made = self.resampled::<_, Ix4>(CONTENT_IMAGE, image, change)?;
        check_values("image", was_finite, &made, &expected).map_err(|error| self.named(METHOD, error))?;
        Ok(made)
    }

    fn labels(&self, labels: Array3<f32>, change: &GridChange) -> Result<Array3<f32>> {
        let known = distinct(&labels);
        let made = self.resampled::<_, Ix3>(CONTENT_LABELS, labels, change)?;
        check_labels(&known, &made, &change.shape).map_err(|error| self.named(METHOD, error))?;
        Ok(made)
    }

    fn scores(&self, class: Array3<f32>, change: &GridChange) -> Result<Array3<f32>> {
        let was_finite = all_finite(&class);
        let made = self.resampled::<_, Ix3>(CONTENT_SCORES, class, change)?;
        check_values("scores", was_finite, &made, &change.shape)
            .map_err(|error| self.named(METHOD, error))?;
        Ok(made)
    }
}

const METHOD: &str = "resample";

impl CObject {
    fn resampled<D: Dimension, R: Dimension>(
        &self,
        content: i32,
        array: Array<f32, D>,
        change: &GridChange,
    ) -> Result<Array<f32, R>> {
        let given = DlpackArray::new(array.into_dyn());
        let GridChange { shape, from, to } = *change;
        let change = CGridChange { size: size_of::<CGridChange>(), shape, from, to };
        let mut made = std::ptr::null_mut();
        self.call(
            METHOD,
            |c| c.resample,
            // SAFETY: array and change outlive the call.
            |resample, object, error| unsafe {
                resample(object, content, given.as_ptr(), &raw const change, &raw mut made, error)
            },
        )?;
        // SAFETY: what the plugin returns is the host's from here on.
        let made = unsafe { DlpackArray::from_raw(made) };
        let made = made.ok_or_else(|| Error::message("the plugin gave no array"));
        let made = made.and_then(|made| made.to_array()).map_err(|error| self.named(METHOD, error))?;
        let axes = format!("{} axes", made.ndim());
        let wanted = format!("{} axes", R::NDIM.unwrap_or(0));
        made.into_dimensionality().map_err(|_| self.named(METHOD, Error::shape("array", wanted, axes)))
    }
}
