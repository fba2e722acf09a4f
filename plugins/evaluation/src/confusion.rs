//! Metrics computed from voxel counts (v1 `evaluation.metrics`).

use ndarray::ArrayView3;

/// Voxel counts of one label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// True positives.
    pub tp: u64,
    /// False positives.
    pub fp: u64,
    /// False negatives.
    pub fn_: u64,
    /// True negatives.
    pub tn: u64,
}

impl Confusion {
    /// Counts one label of two label maps of equal shape.
    #[must_use]
    pub fn count(prediction: ArrayView3<'_, u8>, reference: ArrayView3<'_, u8>, label: u8) -> Self {
        let mut counts = Self::default();
        for (p, r) in prediction.iter().zip(&reference) {
            match (*p == label, *r == label) {
                (true, true) => counts.tp += 1,
                (true, false) => counts.fp += 1,
                (false, true) => counts.fn_ += 1,
                (false, false) => counts.tn += 1,
            }
        }
        counts
    }

    /// 2 tp / (2 tp + fp + fn); NaN when both are empty.
    #[must_use]
    pub fn dice(&self) -> f64 {
        quotient(2 * self.tp, 2 * self.tp + self.fp + self.fn_)
    }
}

/// NaN for 0 / 0.
fn quotient(numerator: u64, denominator: u64) -> f64 {
    if denominator == 0 { f64::NAN } else { numerator as f64 / denominator as f64 }
}

/// v1's metrics by name, in alphabetical order. Undefined metrics are NaN.
#[must_use]
pub fn metrics(c: &Confusion) -> [(&'static str, f64); 13] {
    let precision = quotient(c.tp, c.tp + c.fp);
    let recall = quotient(c.tp, c.tp + c.fn_);
    let specificity = quotient(c.tn, c.tn + c.fp);
    let omission = quotient(c.fn_, c.fn_ + c.tn);
    [
        ("Accuracy", quotient(c.tp + c.tn, c.tp + c.fp + c.fn_ + c.tn)),
        ("Dice", c.dice()),
        ("False Discovery Rate", 1.0 - precision),
        ("False Negative Rate", 1.0 - recall),
        ("False Omission Rate", omission),
        ("False Positive Rate", 1.0 - specificity),
        ("Jaccard", quotient(c.tp, c.tp + c.fp + c.fn_)),
        ("Negative Predictive Value", 1.0 - omission),
        ("Precision", precision),
        ("Recall", recall),
        ("Total Positives Reference", (c.tp + c.fn_) as f64),
        ("Total Positives Test", (c.tp + c.fp) as f64),
        ("True Negative Rate", specificity),
    ]
}

/// Mean of the numbers that are not NaN; NaN when there are none.
#[must_use]
pub fn nan_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) =
        values.filter(|value| !value.is_nan()).fold((0.0, 0_u32), |(sum, n), value| (sum + value, n + 1));
    if n == 0 { f64::NAN } else { sum / f64::from(n) }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn empty_classes_are_nan_and_full_overlap_is_one() {
        let mut a = Array3::zeros((1, 2, 2));
        a[[0, 0, 0]] = 1;
        assert_eq!(Confusion::count(a.view(), a.view(), 1).dice(), 1.0);
        assert!(Confusion::count(a.view(), a.view(), 2).dice().is_nan());
        assert_eq!(nan_mean([1.0, f64::NAN, 0.0].into_iter()), 0.5);
    }
}
