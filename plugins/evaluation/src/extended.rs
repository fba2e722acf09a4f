//! Surface distances, volumes and lesions of a label: the metrics of `summary_extended.json`.

use ndarray::ArrayView3;

use crate::{Lesions, MaskPair, Surfaces};

/// Names of the metrics, in alphabetical order.
pub const EXTENDED: [&str; 11] = [
    "Avg. Symmetric Surface Distance",
    "Hausdorff Distance 95",
    "Lesion F1",
    "Lesion Precision",
    "Lesion Sensitivity",
    "Lesions Detected",
    "Lesions False",
    "Lesions Reference",
    "Normalised Surface Dice",
    "Relative Volume Error",
    "Volume Error",
];

/// The metrics of a label, in the order of [`EXTENDED`]. Distances are in mm; the volume error is prediction minus
/// reference in mm³, and relative to the reference. As in v1, distances are NaN if a label is missing from one map or
/// fills it. The surface Dice is 0 if one map does not contain the label. If neither does, all metrics are NaN and the
/// counts 0.
#[must_use]
pub fn extended_metrics(
    prediction: ArrayView3<'_, u8>,
    reference: ArrayView3<'_, u8>,
    label: u8,
    spacing: [f64; 3],
    tolerance: f64,
) -> [f64; 11] {
    let Some(pair) = MaskPair::of_label(prediction, reference, label, spacing) else {
        let nan = f64::NAN;
        return [nan, nan, nan, nan, nan, 0.0, 0.0, 0.0, nan, nan, nan];
    };
    let fills = |labels: ArrayView3<'_, u8>| labels.iter().all(|value| *value == label);
    let surfaces = Surfaces::between(&pair);
    let dice = surfaces.as_ref().map_or(0.0, |surfaces| surfaces.dice(tolerance));
    let apart = surfaces.filter(|_| !fills(prediction) && !fills(reference));
    let (average, furthest) =
        apart.map_or((f64::NAN, f64::NAN), |surfaces| (surfaces.average(), surfaces.hausdorff_95()));
    let lesions = Lesions::count(&pair);
    let [predicted, real] = [&pair.prediction, &pair.reference]
        .map(|mask| mask.iter().filter(|set| **set).count() as f64 * pair.voxel());
    let relative = if real > 0.0 { (predicted - real) / real } else { f64::NAN };
    [
        average,
        furthest,
        lesions.f1(),
        lesions.precision(),
        lesions.sensitivity(),
        lesions.detected as f64,
        (lesions.prediction - lesions.confirmed) as f64,
        lesions.reference as f64,
        dice,
        relative,
        predicted - real,
    ]
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    fn value(name: &str, prediction: &Array3<u8>, reference: &Array3<u8>) -> f64 {
        let place = EXTENDED.iter().position(|other| *other == name).unwrap();
        extended_metrics(prediction.view(), reference.view(), 1, [2.0, 1.0, 1.0], 1.0)[place]
    }

    #[test]
    fn what_is_missing_is_said_as_v1_says_it() {
        let nothing = Array3::zeros((2, 2, 2));
        let mut some = nothing.clone();
        some[[0, 0, 0]] = 1;
        assert_eq!(value("Volume Error", &some, &nothing), 2.0);
        assert_eq!(value("Relative Volume Error", &nothing, &some), -1.0);
        assert_eq!(value("Lesions False", &some, &nothing), 1.0);
        assert_eq!(value("Normalised Surface Dice", &nothing, &some), 0.0);
        assert_eq!(value("Normalised Surface Dice", &some, &some), 1.0);
        for name in ["Hausdorff Distance 95", "Relative Volume Error", "Lesion Sensitivity"] {
            assert!(value(name, &some, &nothing).is_nan(), "{name}");
            assert!(value(name, &nothing, &nothing).is_nan(), "{name}");
        }
        let full = Array3::ones((2, 2, 2));
        assert!(value("Hausdorff Distance 95", &full, &some).is_nan());
    }
}
