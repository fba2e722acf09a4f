//! Synthetic phantoms: a small task to try the program with.

use std::path::Path;

use anyhow::Result;
use ndarray::Array3;
use nnunet_formats::json::{self, Json};
use nnunet_formats::nifti::{self, Geometry};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::folders;

/// Every so many cases have thick slices.
const ANISOTROPIC_EVERY: usize = 4;
/// Standard deviation of the noise; tissue intensities differ by about 100.
const NOISE: f64 = 12.0;
/// Largest share by which the bias field changes an intensity.
const BIAS: f64 = 0.2;

/// Size of the task.
#[derive(Debug, Clone, Copy)]
pub struct PhantomOptions {
    /// Random seed.
    pub seed: u64,
    /// Training cases.
    pub train_cases: usize,
    /// Test cases.
    pub test_cases: usize,
}

/// A phantom.
#[derive(Debug, Clone)]
pub struct PhantomCase {
    /// (z, y, x).
    pub image: Array3<f32>,
    /// (z, y, x): 0 background, 1 body, 2 head of a bent structure.
    pub label: Array3<u8>,
    /// (z, y, x) mm.
    pub spacing: [f64; 3],
}

/// An ellipsoid: center and half axes in mm.
#[derive(Clone, Copy)]
struct Ellipsoid {
    center: [f64; 3],
    radius: [f64; 3],
}

impl Ellipsoid {
    /// Below 1 inside.
    fn distance(&self, at: [f64; 3]) -> f64 {
        (0..3).map(|axis| ((at[axis] - self.center[axis]) / self.radius[axis]).powi(2)).sum()
    }
}

/// Makes one phantom: an ellipsoidal head with texture, and in it two adjoining structures of their own brightness,
/// seen through a smooth bias field and noise.
#[must_use]
pub fn phantom_case(seed: u64, index: usize) -> PhantomCase {
    let mut random = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(index as u64));
    let mut between = |low: f64, high: f64| low + (high - low) * random.random::<f64>();
    let thick = index % ANISOTROPIC_EVERY == ANISOTROPIC_EVERY - 1;
    let spacing = [if thick { 2.0 } else { 1.0 }, 1.0, 1.0];
    let extent = [between(36.0, 44.0), between(42.0, 52.0), between(36.0, 46.0)];
    let middle = extent.map(|len| len / 2.0);
    let head = Ellipsoid { center: middle, radius: extent.map(|len| len * 0.48) };
    let shift: [f64; 3] = std::array::from_fn(|_| between(-4.0, 4.0));
    let center: [f64; 3] = std::array::from_fn(|axis| middle[axis] + shift[axis]);
    let body = Ellipsoid { center, radius: [between(5.0, 7.5), between(9.0, 13.0), between(5.0, 7.5)] };
    let bend = between(-0.06, 0.06);
    let tip = [center[0], center[1] + body.radius[1] * 0.9, center[2] + bend * body.radius[1].powi(2)];
    let top = Ellipsoid { center: tip, radius: std::array::from_fn(|_| between(4.5, 6.5)) };
    let levels = [between(90.0, 110.0), between(170.0, 200.0), between(225.0, 255.0)];
    let waves: Vec<[f64; 4]> = (0..6)
        .map(|_| std::array::from_fn(|i| if i == 3 { between(0.0, 6.3) } else { between(-0.5, 0.5) }))
        .collect();
    let bias: [f64; 4] =
        std::array::from_fn(|i| if i == 3 { between(0.0, 6.3) } else { between(-0.06, 0.06) });
    let shape: [usize; 3] = std::array::from_fn(|axis| (extent[axis] / spacing[axis]).round() as usize);
    let mut label = Array3::zeros(shape);
    let image = Array3::from_shape_fn(shape, |(z, y, x)| {
        let at: [f64; 3] = [z as f64 * spacing[0], y as f64 * spacing[1], x as f64 * spacing[2]];
        let mut bent = at;
        bent[2] -= bend * (at[1] - center[1]).powi(2);
        let class = if top.distance(at) < 1.0 { 2 } else { u8::from(body.distance(bent) < 1.0) };
        label[[z, y, x]] = class;
        let wave = |w: &[f64; 4]| (w[0] * at[0] + w[1] * at[1] + w[2] * at[2] + w[3]).sin();
        let tissue = match (class, head.distance(at) < 1.0) {
            (0, false) => 10.0,
            (0, true) => levels[0] + 8.0 * waves.iter().map(wave).sum::<f64>(),
            (class, _) => levels[usize::from(class)],
        };
        let value = tissue * (1.0 + BIAS * wave(&bias)) + NOISE * gaussian(&mut random);
        value.max(0.0) as f32
    });
    PhantomCase { image, label, spacing }
}

/// A standard normal number (Box and Muller 1958).
fn gaussian(random: &mut ChaCha8Rng) -> f64 {
    let (a, b): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

/// Writes a raw task of phantoms: training cases, test cases and, for evaluation, the test cases' labels.
///
/// # Errors
/// Returns an I/O error.
pub fn write_task(folder: &Path, name: &str, options: &PhantomOptions) -> Result<()> {
    for part in ["imagesTr", "labelsTr", "imagesTs", "labelsTs"] {
        folders::create(&folder.join(part))?;
    }
    let total = options.train_cases + options.test_cases;
    (0..total).into_par_iter().try_for_each(|i| {
        let case = phantom_case(options.seed, i);
        let part = if i < options.train_cases { "Tr" } else { "Ts" };
        let (z, y, x) = case.image.dim();
        let [dz, dy, dx] = case.spacing;
        let geometry = Geometry {
            size: [x, y, z],
            spacing: [dx, dy, dz],
            origin: [0.0; 3],
            direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        };
        let id = case_name(i);
        nifti::write_image(
            &folder.join(format!("images{part}/{id}_0000.nii.gz")),
            case.image.view(),
            &geometry,
        )?;
        nifti::write_labels(&folder.join(format!("labels{part}/{id}.nii.gz")), case.label.view(), &geometry)
    })?;
    Ok(json::save(&folder.join("dataset.json"), &dataset_json(name, options))?)
}

fn case_name(index: usize) -> String {
    format!("phantom_{index:03}")
}

fn dataset_json(name: &str, options: &PhantomOptions) -> Json {
    let text = |value: &str| Json::Str(value.to_owned());
    let object = |entries: Vec<(&str, Json)>| {
        Json::Object(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
    };
    let training = (0..options.train_cases).map(case_name).map(|id| {
        let (image, label) = (format!("./imagesTr/{id}.nii.gz"), format!("./labelsTr/{id}.nii.gz"));
        object(vec![("image", Json::Str(image)), ("label", Json::Str(label))])
    });
    let total = options.train_cases + options.test_cases;
    let test = (options.train_cases..total).map(|i| Json::Str(format!("./imagesTs/{}.nii.gz", case_name(i))));
    object(vec![
        ("name", text(name)),
        ("description", text("Phantoms made by nnunet example-dataset")),
        ("reference", text("")),
        ("licence", text("CC0")),
        ("release", text("1.0")),
        ("tensorImageSize", text("4D")),
        ("modality", object(vec![("0", text("phantom"))])),
        ("labels", object(vec![("0", text("background")), ("1", text("body")), ("2", text("head"))])),
        ("numTraining", Json::Int(options.train_cases as i64)),
        ("numTest", Json::Int(options.test_cases as i64)),
        ("training", Json::Array(training.collect())),
        ("test", Json::Array(test.collect())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phantoms_depend_on_the_seed_alone_and_have_both_labels() {
        let (a, b) = (phantom_case(1, 3), phantom_case(1, 3));
        assert_eq!(a.image, b.image);
        assert_ne!(a.image, phantom_case(2, 3).image);
        assert_eq!(a.spacing[0], 2.0);
        for i in 0..8 {
            let case = phantom_case(7, i);
            for label in [1, 2] {
                let voxels = case.label.iter().filter(|value| **value == label).count();
                assert!(voxels > 100, "case {i} has {voxels} voxels of label {label}");
            }
        }
    }
}
