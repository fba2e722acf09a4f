//! Components that work on arrays.

use std::thread;

use nnunet_plugin_core::ndarray::{Array3, Array4, Axis};
use nnunet_plugin_core::{
    CaseArrays, Config, LabelVolume, Make, Normalization, NormalizationContext, Planner, PlannerSettings,
    Postprocessor, PreprocessContext, Preprocessor, PreprocessorSettings, StageTarget,
};

use crate::findings::{Checked, Report, same, text};
use crate::phantoms;

const SHAPE: [usize; 3] = [6, 8, 10];
const SPACING: [f64; 3] = [2.0, 1.0, 1.0];
/// Threads that use one object at once.
const THREADS: usize = 4;

pub(crate) fn planner(make: &Make<dyn Planner>, report: &mut Report<'_>) {
    let Some(planner) = report.made("is created from its defaults", make(&Config::new())) else { return };
    let configured = || {
        let mut settings = PlannerSettings::default();
        planner.configure(&mut settings).map(|()| settings)
    };
    if let Some(first) = report.made("configures the default settings", configured()) {
        report.note(
            "configures them the same way twice",
            configured().map_err(text).and_then(|again| same(&first, &again)),
        );
    }
}

pub(crate) fn preprocessor(make: &Make<dyn Preprocessor>, report: &mut Report<'_>) {
    let Some(preprocessor) = report.made("is created from its defaults", make(&Config::new())) else {
        return;
    };
    report.made(
        "configures the default settings",
        preprocessor.configure(&mut PreprocessorSettings::default()),
    );
    let case = CaseArrays { data: image(2), seg: labels().mapv(f32::from), spacing: SPACING };
    let context = PreprocessContext {
        original_spacing: SPACING,
        target: StageTarget { spacing: [2.0, 1.0, 1.0] },
        normalization_schemes: vec!["nonCT".to_owned(); 2],
        use_mask_for_norm: vec![false; 2],
        intensities: None,
    };
    let run = || preprocessor.resample_and_normalize(&case, &context);
    let Some(Some(first)) = report.made("accepts a case of two channels", run()) else { return };
    report.note("keeps channels, and one shape for image and labels", fits(&first));
    report.note("gives numbers", finite(first.data.iter().copied()));
    report.note(
        "returns the same result twice",
        run().map_err(text).and_then(|again| same(&Some(first.clone()), &again)),
    );
    report.note(
        "returns the same result on several threads at once",
        together(&Some(first.clone()), || run().map_err(text)),
    );
}

fn fits(case: &CaseArrays) -> Checked {
    let (channels, z, y, x) = case.data.dim();
    if channels == 2 && case.seg.dim() == (z, y, x) {
        return Ok(());
    }
    Err(format!("data {:?}, seg {:?}", case.data.shape(), case.seg.shape()))
}

pub(crate) fn normalization(make: &Make<dyn Normalization>, report: &mut Report<'_>) {
    let Some(normalization) = report.made("is created from its defaults", make(&Config::new())) else {
        return;
    };
    let seg = labels().mapv(f32::from);
    let run = |constant: bool| {
        let mut channel = image(1).index_axis_move(Axis(0), 0);
        if constant {
            channel.fill(1.0);
        }
        normalization
            .normalize(channel.view_mut(), &NormalizationContext::new(0, seg.view()))
            .map(|()| channel)
    };
    // Without knowledge of the data set some cannot work; then there is nothing to look at.
    if let Ok(first) = run(false) {
        report.note("gives numbers", finite(first.iter().copied()));
        report.note(
            "returns the same result twice",
            run(false).map_err(text).and_then(|again| same(&first, &again)),
        );
        let flat = run(true).map_err(text).and_then(|flat| finite(flat.iter().copied()));
        report.note("returns finite numbers for a channel of one value", flat);
    }
}

pub(crate) fn postprocessor(make: &Make<dyn Postprocessor>, report: &mut Report<'_>) {
    let Some(postprocessor) = report.made("is created from its defaults", make(&Config::new())) else {
        return;
    };
    let run = |labels: Array3<u8>| {
        let mut volume = LabelVolume { labels, spacing: SPACING };
        postprocessor.apply(&mut volume).map(|()| volume.labels)
    };
    let Some(first) = report.made("accepts a label map", run(labels())) else { return };
    report.note("keeps the shape", same(&first.shape(), &&SHAPE[..]));
    report.note(
        "returns the same result twice",
        run(labels()).map_err(text).and_then(|again| same(&first, &again)),
    );
    report.note(
        "returns the same result on several threads at once",
        together(&first, || run(labels()).map_err(text)),
    );
    report.note(
        "accepts a label map that is all background",
        run(Array3::zeros(SHAPE)).map(drop).map_err(text),
    );
    report.note("accepts a label map of one voxel", run(Array3::ones((1, 1, 1))).map(drop).map_err(text));
}

/// The same call on several threads.
pub(crate) fn together<T: PartialEq + Send + Sync>(
    wanted: &T,
    call: impl Fn() -> Result<T, String> + Sync,
) -> Checked {
    thread::scope(|scope| {
        let all: Vec<_> = (0..THREADS).map(|_| scope.spawn(&call)).collect();
        all.into_iter().try_for_each(|thread| {
            let result = thread.join().map_err(|_| "a thread ended".to_owned())??;
            same(wanted, &result)
        })
    })
}

pub(crate) fn finite(mut values: impl Iterator<Item = f32>) -> Checked {
    if values.all(f32::is_finite) { Ok(()) } else { Err("NaN or infinite values".to_owned()) }
}

fn image(channels: usize) -> Array4<f32> {
    phantoms::image(channels, SHAPE)
}

fn labels() -> Array3<u8> {
    phantoms::labels(SHAPE)
}
