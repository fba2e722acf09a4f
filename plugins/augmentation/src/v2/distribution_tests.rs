//! Ten thousand draws of every parameter against v2's (Kolmogorov and Smirnov 1933): the golden data `augment_v2`.

use std::collections::BTreeMap;

use ndarray::Array4;
use nnunet_plugin_core::{AugmentationContext, Config, RandomStream, Sample};
use nnunet_test_support::golden;

use crate::family::Pipeline;
use crate::local::draw_place;
use crate::transform::Transform;

const DRAWS: usize = 10_000;
/// Where a transform or a channel was not drawn.
const NONE: f64 = -9.0;
/// Of the limiting distribution: one of a thousand pairs of equal distributions is farther apart.
const CRITICAL: f64 = 1.95;

/// Our draws by name.
type Draws = BTreeMap<String, Vec<f64>>;

struct Recorder<'a> {
    draws: &'a mut Draws,
    prefix: &'a str,
}

impl Recorder<'_> {
    fn note(&mut self, name: &str, value: impl Into<Option<f64>>) {
        let name = format!("{}_{name}", self.prefix);
        self.draws.entry(name).or_default().push(value.into().unwrap_or(NONE));
    }

    fn note_axes(&mut self, name: &str, values: [Option<f64>; 3]) {
        values.into_iter().enumerate().for_each(|(axis, value)| self.note(&format!("{name}{axis}"), value));
    }

    /// Draws a transform once. Where it does not tell what it drew, that is read from an image.
    fn draw(&mut self, transform: &Transform, context: &AugmentationContext, random: &mut RandomStream) {
        let on = |image: Array4<f32>, random: &mut RandomStream| changed(transform, image, context, random);
        match transform {
            Transform::LinearSpatial(spatial) => {
                let warp = spatial.draw(context, random);
                let (angles, scale) = warp.map_or(([0.0; 3], [1.0; 3]), |warp| (warp.angles, warp.scale));
                if self.prefix == "default" || self.prefix == "da5" {
                    self.note_axes("angle", angles.map(Some));
                    self.note_axes("scale", scale.map(Some));
                } else {
                    self.note("angle", angles[0]);
                    self.note("scale", scale[2]);
                }
            }
            Transform::Noise(_) => {
                let noise = on(Array4::zeros((1, 1, 1, 4096)), random);
                self.note("noise", noise.map(|noise| f64::from(noise.std(0.0))));
            }
            Transform::AxisBlur(_) => {
                let pulse = Array4::from_shape_fn((1, 9, 9, 9), |at| f32::from(u8::from(at == (0, 4, 4, 4))));
                let blurred = on(pulse, random);
                let sigma = |beside: [usize; 3]| {
                    let [z, y, x] = beside;
                    let blurred = blurred.as_ref()?;
                    let ratio = f64::from(blurred[[0, z, y, x]]) / f64::from(blurred[[0, 4, 4, 4]]);
                    Some((-0.5 / ratio.ln()).sqrt())
                };
                self.note_axes("blur", [[5, 4, 4], [4, 5, 4], [4, 4, 5]].map(sigma));
            }
            Transform::Brightness(_) => {
                self.note("brightness", at(on(Array4::ones((1, 1, 1, 1)), random), 0))
            }
            Transform::AdditiveBrightness(_) => {
                self.note("added", at(on(Array4::zeros((1, 1, 1, 1)), random), 0))
            }
            Transform::Contrast(contrast) => {
                let line = on(line(&[-4.0, -1.0, 1.0, 4.0]), random);
                let name = if contrast.contrast_preserve_range { "contrast" } else { "contrast_free" };
                self.note(name, at(line, 2));
            }
            Transform::LinearLowResolution(lowres) => {
                self.note("lowres", lowres.draw(2, random).first().copied().flatten());
            }
            Transform::Gamma(_) => {
                self.note("gamma", at(on(line(&[0.0, 0.5, 1.0]), random), 1).map(exponent))
            }
            Transform::InvertedGamma(_) => {
                let value = at(on(line(&[0.0, 0.5, 1.0]), random), 1);
                self.note("gamma_inverted", value.map(|value| exponent(1.0 - value)));
            }
            Transform::Mirror(_) => {
                let image = Array4::from_shape_fn((1, 2, 2, 2), |(_, z, y, x)| (z * 4 + y * 2 + x) as f32);
                let first = on(image, random).map_or(0, |image| image[[0, 0, 0, 0]] as usize);
                self.note_axes("mirror", [4, 2, 1].map(|bit| Some(f64::from(u8::from(first & bit != 0)))));
            }
            Transform::PreviousStage(stage) => {
                let drawn = stage.draw(3, random).into_iter().find(|(label, ..)| *label == 0);
                self.note("binary_operation", drawn.map(|(_, operation, _)| operation as u8 as f64));
                self.note("binary_radius", drawn.map(|(.., radius)| radius));
                self.note("remove", f64::from(u8::from(stage.draw_removals(3, random).contains(&0))));
            }
            Transform::Median(median) => {
                let size = median.draw(2, random).first().copied().flatten();
                self.note("median", size.map(|size| size as f64));
            }
            Transform::Rectangles(rectangles) => {
                let boxes = rectangles.draw([30; 3], random);
                self.note("rectangles", boxes.len() as f64);
                self.note_axes("rectangle_edge", boxes[0].clone().map(|range| Some(range.len() as f64)));
                self.note_axes("rectangle_from", boxes[0].clone().map(|range| Some(range.start as f64)));
            }
            Transform::BrightnessGradient(gradient) => {
                let image = on(Array4::zeros((1, 1, 1, 30)), random);
                let most = |image: Array4<f32>| {
                    image
                        .iter()
                        .fold(0.0_f32, |most, value| if value.abs() > most.abs() { *value } else { most })
                };
                self.note("gradient", image.map(|image| f64::from(most(image))));
                let (center, width) = draw_place(30, gradient.gradient_location, random);
                self.note("location", center / 30.0);
                self.note("width", width);
            }
            Transform::LocalGamma(local) => {
                let applied =
                    random.chance(local.p_local_gamma) && random.chance(local.p_local_gamma_per_channel);
                self.note("local_gamma", applied.then(|| local.draw_exponent(random)));
            }
            Transform::Sharpening(_) => {
                let value = at(on(line(&[0.0, 0.0, 1.0, 0.0, 0.0]), random), 2);
                self.note("sharpening", value.map(|value| (value - 1.0) / 2.0));
            }
            Transform::Rot90(_) | Transform::Transpose(_) => {
                let name = if matches!(transform, Transform::Rot90(_)) { "rot90" } else { "transpose" };
                let image = Array4::from_shape_fn((1, 3, 3, 3), |(_, z, y, x)| (z * 9 + y * 3 + x) as f32);
                let image = on(image.clone(), random).unwrap_or(image);
                self.note(name, f64::from(image[[0, 0, 0, 0]] * 27.0 + image[[0, 0, 1, 2]]));
            }
            Transform::OneOf { choices } => {
                let chosen = random.below(choices.len());
                let mut never = RandomStream::from_seed(0);
                for (index, choice) in choices.iter().enumerate() {
                    if index == chosen {
                        self.draw(choice, context, random);
                    } else {
                        self.draw(&off(choice), context, &mut never);
                    }
                }
            }
            other => panic!("{other:?} is in no list of v2"),
        }
    }
}

/// A transform that is never applied.
fn off(transform: &Transform) -> Transform {
    let mut off = transform.clone();
    match &mut off {
        Transform::Median(median) => median.p_median = 0.0,
        Transform::AxisBlur(blur) => blur.p_blur = 0.0,
        Transform::Contrast(contrast) => contrast.p_contrast = 0.0,
        other => panic!("{other:?} is no choice in v2"),
    }
    off
}

/// An image after a transform; none if it is as before.
fn changed(
    transform: &Transform,
    image: Array4<f32>,
    context: &AugmentationContext,
    random: &mut RandomStream,
) -> Option<Array4<f32>> {
    let seg = Array4::zeros(image.raw_dim());
    let mut sample = Sample { data: image.clone(), seg };
    transform.apply(&mut sample, context, random).unwrap();
    (sample.data != image).then_some(sample.data)
}

fn line(values: &[f32]) -> Array4<f32> {
    Array4::from_shape_fn((1, 1, 1, values.len()), |(.., x)| values[x])
}

/// A voxel of a changed line.
fn at(line: Option<Array4<f32>>, x: usize) -> Option<f64> {
    line.map(|line| f64::from(line[[0, 0, 0, x]]))
}

fn exponent(middle: f64) -> f64 {
    middle.ln() / 0.5_f64.ln()
}

/// A list of transforms, and which of them is drawn.
type Run = (&'static str, &'static str, AugmentationContext, fn(&Transform) -> bool);

fn draws() -> Draws {
    let mut draws = Draws::new();
    let thin = AugmentationContext { patch: vec![4, 20, 20], dummy_2d: true, ..Default::default() };
    let flat = |patch: &[usize]| AugmentationContext { patch: patch.to_vec(), ..Default::default() };
    let runs: [Run; 7] = [
        ("default", "v2DA", flat(&[20, 24, 22]), |it| !matches!(it, Transform::PreviousStage(_))),
        ("dummy", "v2DA", thin, |it| matches!(it, Transform::LinearSpatial(_))),
        ("square", "v2DA", flat(&[20, 20]), |it| matches!(it, Transform::LinearSpatial(_))),
        ("elongated", "v2DA", flat(&[20, 40]), |it| matches!(it, Transform::LinearSpatial(_))),
        ("cascade", "v2DA", flat(&[4; 3]), |it| matches!(it, Transform::PreviousStage(_))),
        ("cascade5", "v2DA5", flat(&[4; 3]), |it| matches!(it, Transform::PreviousStage(_))),
        ("da5", "v2DA5", flat(&[3; 3]), |it| !matches!(it, Transform::PreviousStage(_))),
    ];
    for (seed, (prefix, list, context, wanted)) in runs.into_iter().enumerate() {
        let mut random = RandomStream::from_seed(seed as u64);
        let mut recorder = Recorder { draws: &mut draws, prefix };
        // With its statistics kept, an exponent could not be read from an image.
        let mut table = Config::new();
        table.insert("gamma_retain_stats".to_owned(), false.into());
        let pipeline = Pipeline::named(list, &table).unwrap();
        for _ in 0..DRAWS {
            for transform in pipeline.transforms().iter().filter(|transform| wanted(transform)) {
                recorder.draw(transform, &context, &mut random);
            }
        }
    }
    draws
}

/// The largest distance of two distribution functions at the reference's points, relative to the critical distance.
fn distance(ours: &[f64], points: &[[f64; 2]], reference: usize) -> f64 {
    let share =
        |value: f64| ours.iter().filter(|ours| **ours <= value + 1e-6).count() as f64 / ours.len() as f64;
    let largest = points.iter().map(|[value, expected]| (share(*value) - expected).abs()).fold(0.0, f64::max);
    let (n, m) = (ours.len() as f64, reference as f64);
    largest / (CRITICAL * ((n + m) / (n * m)).sqrt())
}

#[test]
fn ten_thousand_draws_have_the_distributions_of_v2() {
    let text = std::fs::read_to_string(golden("augment_v2").join("distributions.json")).unwrap();
    let mut recorded: serde_json::Value = serde_json::from_str(&text).unwrap();
    let recorded: BTreeMap<String, Vec<[f64; 2]>> =
        serde_json::from_value(recorded["parameters"].take()).unwrap();
    let draws = draws();
    let names = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(names(draws.keys().collect()), names(recorded.keys().collect()));
    let mut failed = Vec::new();
    for (name, points) in &recorded {
        let ours = &draws[name];
        let all = distance(ours, points, DRAWS);
        // Among those that were drawn at all, the shape of the distribution is seen better.
        let none = if points[0][0] == NONE { points[0][1] } else { 0.0 };
        let shape: Vec<[f64; 2]> = points
            .iter()
            .filter(|[value, _]| *value != NONE)
            .map(|[value, share]| [*value, (share - none) / (1.0 - none)])
            .collect();
        let drawn: Vec<f64> = ours.iter().copied().filter(|value| *value != NONE).collect();
        let shape = distance(&drawn, &shape, (DRAWS as f64 * (1.0 - none)) as usize);
        if all > 1.0 || shape > 1.0 {
            failed.push(format!("{name}: {all:.2}, {shape:.2}"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
