//! Components without tensors that go wrong: what the host's side of the boundary makes of it, word for word.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use ndarray::{Array3, Array4, ArrayViewMut3};
use nnunet_plugin_api::abi::v1::through_adapters;
use nnunet_plugin_api::vocabulary::{EpochReport, Fingerprint};
use nnunet_plugin_api::{
    Augmentation, AugmentationContext, CaseArrays, Choice, Component, Config, EpochLog, Error,
    ExperimentLogger, Factory, GridChange, ImageFormat, ImageVolume, Info, Interpolation, Kind, LabelVolume,
    Normalization, NormalizationContext, Planner, Postprocessor, PreprocessContext, Preprocessor,
    RandomStream, Resampler, Result, Sample, SampledCase, Sampler, SamplerContext, StageTarget, Transform,
    normalize_channel,
};

/// Goes wrong in the way of its word.
struct Odd(&'static str);

impl Drop for Odd {
    fn drop(&mut self) {
        assert_ne!(self.0, "drop", "the drop panics");
    }
}

impl Normalization for Odd {
    fn normalize(&self, mut channel: ArrayViewMut3<'_, f32>, _: &NormalizationContext<'_>) -> Result<()> {
        match self.0 {
            "panic" => panic!("the normalization panics"),
            "nan" => channel.fill(f32::NAN),
            "error" => return Err(Error::parameter("p", "is odd")),
            "cancelled" => return Err(Error::Cancelled),
            _ => {}
        }
        Ok(())
    }
}

impl Planner for Odd {
    fn target_spacing(&self, _: &Fingerprint) -> Result<Option<[f64; 3]>> {
        Ok(Some([1.0, f64::NAN, 1.0]))
    }
}

impl Preprocessor for Odd {
    fn resample_and_normalize(&self, case: &CaseArrays, _: &PreprocessContext) -> Result<Option<CaseArrays>> {
        let (_, z, y, x) = case.data.dim();
        let mut case = case.clone();
        match self.0 {
            "shape" => case.data = Array4::zeros((5, z, y, x)),
            "grid" => case.seg = Array3::zeros((z + 1, y, x)),
            _ => case.data.fill(f32::INFINITY),
        }
        Ok(Some(case))
    }
}

impl Augmentation for Odd {
    fn augment(&self, mut sample: Sample, _: &AugmentationContext, _: &mut RandomStream) -> Result<Sample> {
        match self.0 {
            "shape" => sample.data = Array4::zeros((1, 1, 1, 1)),
            _ => sample.data.fill(f32::NAN),
        }
        Ok(sample)
    }
}

impl Postprocessor for Odd {
    fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
        volume.labels = Array3::zeros((9, 9, 9));
        Ok(())
    }
}

impl ImageFormat for Odd {
    fn read(&self, _: &std::path::Path) -> Result<ImageVolume> {
        panic!("the reader panics")
    }
}

impl ExperimentLogger for Odd {
    fn epoch_ends(&mut self, _: &EpochLog<'_>) -> Result<()> {
        panic!("the logger panics")
    }
}

impl Resampler for Odd {
    fn image(&self, image: Array4<f32>, change: &GridChange) -> Result<Array4<f32>> {
        let [z, y, x] = change.shape;
        match self.0 {
            "panic" => panic!("the resampler panics"),
            "shape" => Ok(image),
            "nan" => Ok(Array4::from_elem((image.dim().0, z, y, x), f32::NAN)),
            _ => Ok(Array4::zeros((image.dim().0, z, y, x))),
        }
    }

    fn labels(&self, _: Array3<f32>, change: &GridChange) -> Result<Array3<f32>> {
        Ok(Array3::from_elem(change.shape, 7.0))
    }

    fn interpolation(&self, _: &GridChange) -> Option<Interpolation> {
        (self.0 == "order 9").then(|| Interpolation::of_order(9))
    }
}

impl Transform for Odd {
    fn apply(&self, mut sample: Sample, _: &AugmentationContext, _: &mut RandomStream) -> Result<Sample> {
        match self.0 {
            "panic" => panic!("the transform panics"),
            "shape" => sample.data = Array4::zeros((1, 1, 1, 1)),
            _ => sample.data.fill(f32::NAN),
        }
        Ok(sample)
    }
}

impl Sampler for Odd {
    fn begin(&mut self, _: &[SampledCase]) -> Result<()> {
        Ok(())
    }

    fn choose(&self, _: &SamplerContext, _: &mut RandomStream) -> Result<Choice> {
        match self.0 {
            "panic" => panic!("the sampler panics"),
            "case" => Ok(Choice { case: 5, class: None }),
            _ => Ok(Choice { case: 0, class: Some(1) }),
        }
    }

    fn voxel(&self, _: &SamplerContext, _: &[[i64; 3]], _: &mut RandomStream) -> Result<usize> {
        Ok(9)
    }
}

macro_rules! crossed {
    ($kind:ident, $constructor:ident, $word:expr) => {{
        let info = Info::new(Kind::$kind, "Odd", "");
        let component =
            through_adapters(Component::$constructor(info, move |_| Ok(Box::new(Odd($word)))), "p");
        let Factory::$kind(make) = component.factory else { panic!("another kind") };
        make(&Config::new()).unwrap()
    }};
}

fn normalize(normalization: &dyn Normalization) -> String {
    let seg = Array3::zeros((1, 2, 3));
    let context = NormalizationContext::new(0, seg.view());
    let mut channel = Array3::zeros((1, 2, 3));
    normalization
        .normalize(channel.view_mut(), &context)
        .map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn a_panic_becomes_an_error_and_the_object_is_not_used_again() {
    let odd = crossed!(Normalization, normalization, "panic");
    let first = normalize(&*odd);
    assert_eq!(first, "plugin p, normalization Odd: normalize: panicked: the normalization panics");
    let second = normalize(&*odd);
    assert_eq!(
        second,
        "plugin p, normalization Odd: normalize: not used again after it panicked: the normalization panics"
    );
}

#[test]
fn a_panic_in_create_and_in_drop_is_contained() {
    let info = Info::new(Kind::Normalization, "Odd", "");
    let component = Component::normalization(info, |_| panic!("create panics"));
    let Factory::Normalization(make) = through_adapters(component, "p").factory else {
        panic!("another kind")
    };
    let error = make(&Config::new()).err().unwrap().to_string();
    assert_eq!(error, "plugin p, normalization Odd: panicked: create panics");
    drop(crossed!(Normalization, normalization, "drop"));
}

#[test]
fn numbers_that_are_none_are_refused() {
    let message = normalize(&*crossed!(Normalization, normalization, "nan"));
    assert_eq!(message, "plugin p, normalization Odd: normalize: intensity NaN is not finite");
    let planner = crossed!(Planner, planner, "");
    let error = planner.target_spacing(&Fingerprint::default()).unwrap_err().to_string();
    assert_eq!(error, "plugin p, planner Odd: target_spacing: spacing [1.0, NaN, 1.0] is not finite");
}

/// What an image that is not finite becomes is left to the normalization.
#[test]
fn a_channel_that_is_not_finite_is_not_checked() {
    let (odd, seg) = (crossed!(Normalization, normalization, "nan"), Array3::zeros((1, 2, 3)));
    let mut channel = Array3::from_elem((1, 2, 3), f32::NEG_INFINITY);
    let context = NormalizationContext::new(0, seg.view());
    normalize_channel(&*odd, channel.view_mut(), &context).unwrap();
    assert!(channel.iter().all(|value| value.is_nan()));
}

#[test]
fn a_built_in_normalization_is_checked_alike() {
    let seg = Array3::zeros((1, 2, 3));
    let (context, mut channel) = (NormalizationContext::new(0, seg.view()), Array3::zeros((1, 2, 3)));
    let error = normalize_channel(&Odd("nan"), channel.view_mut(), &context).unwrap_err().to_string();
    assert_eq!(error, "intensity NaN is not finite");
}

#[test]
fn errors_keep_their_words_and_cancellation_its_meaning() {
    let message = normalize(&*crossed!(Normalization, normalization, "error"));
    assert_eq!(message, "plugin p, normalization Odd: normalize: parameter `p`: is odd");
    let message = normalize(&*crossed!(Normalization, normalization, "cancelled"));
    assert_eq!(message, "plugin p, normalization Odd: normalize: cancelled");
}

#[test]
fn arrays_of_other_shapes_are_refused() {
    let mut volume = LabelVolume { labels: Array3::zeros((1, 2, 3)), spacing: [1.0; 3] };
    let error = crossed!(Postprocessor, postprocessor, "").apply(&mut volume).unwrap_err().to_string();
    assert_eq!(error, "plugin p, postprocessor Odd: apply: apply: expected [1, 2, 3], got [9, 9, 9]");

    let augment = |word| {
        let sample = Sample { data: Array4::zeros((1, 2, 2, 2)), seg: Array4::zeros((1, 2, 2, 2)) };
        let context = AugmentationContext { patch: vec![2, 2, 2], ..AugmentationContext::default() };
        let odd = crossed!(Augmentation, augmentation, word);
        odd.augment(sample, &context, &mut RandomStream::from_seed(1)).unwrap_err().to_string()
    };
    let shape = "plugin p, augmentation Odd: augment: data: expected [1, 2, 2, 2], got [1, 1, 1, 1]";
    assert_eq!(augment("shape"), shape);
    assert_eq!(augment("nan"), "plugin p, augmentation Odd: augment: intensity NaN is not finite");
}

#[test]
fn preprocessed_cases_are_checked() {
    let preprocess = |word| {
        let case = CaseArrays {
            data: Array4::zeros((1, 2, 2, 2)),
            seg: Array3::zeros((2, 2, 2)),
            spacing: [1.0; 3],
        };
        let context = PreprocessContext {
            original_spacing: [1.0; 3],
            target: StageTarget { spacing: [1.0; 3] },
            normalization_schemes: vec!["CT".to_owned()],
            use_mask_for_norm: vec![false],
            intensities: None,
        };
        let odd = crossed!(Preprocessor, preprocessor, word);
        odd.resample_and_normalize(&case, &context).unwrap_err().to_string()
    };
    let hook = "plugin p, preprocessor Odd: resample_and_normalize:";
    assert_eq!(preprocess("shape"), format!("{hook} data: expected 1 channels, got 5"));
    assert_eq!(preprocess("grid"), format!("{hook} seg: expected [1, 2, 2, 2], got 12 values"));
    assert_eq!(preprocess("nan"), format!("{hook} intensity inf is not finite"));
}

#[test]
fn readers_and_loggers_are_contained() {
    let error = crossed!(Format, format, "").read("x".as_ref()).unwrap_err().to_string();
    assert_eq!(error, "plugin p, format Odd: read: panicked: the reader panics");
    let mut logger = crossed!(Logger, logger, "");
    let error = logger.epoch_ends(&EpochLog::new(EpochReport::default(), &[])).unwrap_err().to_string();
    assert_eq!(error, "plugin p, logger Odd: epoch_ends: panicked: the logger panics");
}

#[test]
fn what_a_resampler_returns_is_checked() {
    let change = GridChange { shape: [2, 2, 2], from: [2.0; 3], to: [1.0; 3] };
    let image = |word| {
        let odd = crossed!(Resampler, resampler, word);
        let twice = [(); 2].map(|()| odd.image(Array4::zeros((1, 1, 1, 1)), &change));
        twice.map(|made| made.unwrap_err().to_string())
    };
    let method = "plugin p, resampler Odd: image:";
    assert_eq!(image("shape")[0], format!("{method} image: expected [1, 2, 2, 2], got [1, 1, 1, 1]"));
    assert_eq!(image("nan")[0], format!("{method} value NaN is not finite"));
    let panics = [
        format!("{method} panicked: the resampler panics"),
        format!("{method} not used again after it panicked: the resampler panics"),
    ];
    assert_eq!(image("panic"), panics);
    let odd = crossed!(Resampler, resampler, "order 9");
    let error = odd.labels(Array3::zeros((1, 1, 1)), &change).unwrap_err().to_string();
    assert_eq!(error, "plugin p, resampler Odd: labels: label 7 was not there before");
    assert!(odd.interpolation(&change).is_none(), "there are no splines of order 9");
    let scores = odd.scores(Array3::zeros((1, 1, 1)), &change).unwrap();
    assert_eq!(scores.dim(), (2, 2, 2));
}

#[test]
fn what_a_sampler_chooses_is_checked() {
    let cases = [SampledCase { voxels_of_classes: vec![4, 0], ..SampledCase::new("first") }];
    let context = SamplerContext::default();
    let chosen = |word| {
        let mut odd = crossed!(Sampler, sampler, word);
        odd.begin(&cases).unwrap();
        let twice = [(); 2].map(|()| odd.choose(&context, &mut RandomStream::from_seed(1)));
        twice.map(|choice| choice.unwrap_err().to_string())
    };
    let method = "plugin p, sampler Odd: choose:";
    assert_eq!(chosen("case")[0], format!("{method} there is no case 5: there are 1"));
    assert_eq!(chosen("class")[0], format!("{method} case first has no voxels of class 1"));
    let panics = [
        format!("{method} panicked: the sampler panics"),
        format!("{method} not used again after it panicked: the sampler panics"),
    ];
    assert_eq!(chosen("panic"), panics);
    let odd = crossed!(Sampler, sampler, "voxel");
    let voxel = odd.voxel(&context, &[[0; 3]; 4], &mut RandomStream::from_seed(1));
    assert_eq!(voxel.unwrap_err().to_string(), "plugin p, sampler Odd: voxel: voxel 9 of 4");
}

#[test]
fn what_a_transform_returns_is_checked() {
    let context = AugmentationContext { patch: vec![2, 2], ..AugmentationContext::default() };
    let sample = || Sample { data: Array4::zeros((1, 1, 3, 3)), seg: Array4::zeros((1, 1, 3, 3)) };
    let changed = |word| {
        let odd = crossed!(Transform, transform, word);
        let twice = [(); 2].map(|()| odd.apply(sample(), &context, &mut RandomStream::from_seed(1)));
        twice.map(|made| made.unwrap_err().to_string())
    };
    let method = "plugin p, transform Odd: apply:";
    assert_eq!(changed("shape")[0], format!("{method} data: expected [1, 1, 2, 2], got [1, 1, 1, 1]"));
    assert_eq!(changed("nan")[0], format!("{method} intensity NaN is not finite"));
    let panics = [
        format!("{method} panicked: the transform panics"),
        format!("{method} not used again after it panicked: the transform panics"),
    ];
    assert_eq!(changed("panic"), panics);
}
