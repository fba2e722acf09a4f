//! Components around training: augmentations, image formats and loggers.

use std::path::Path;

use nnunet_plugin_core::ndarray::{Array3, Array4};
use nnunet_plugin_core::vocabulary::{EpochReport, ItkGeometry};
use nnunet_plugin_core::{
    Augmentation, AugmentationContext, Config, EpochLog, ExperimentLogger, ImageFormat, Info, Make,
    RandomStream, Result, RunEnd, RunInfo, Sample, SplitCase, Splitter, Transform, split_cases,
};

use crate::findings::{Report, same, text};

pub(crate) fn augmentation(make: &Make<dyn Augmentation>, report: &mut Report<'_>) {
    let Some(augmentation) = report.made("is created from its defaults", make(&Config::new())) else {
        return;
    };
    augmentation_of(&*augmentation, report);
}

fn augmentation_of(augmentation: &dyn Augmentation, report: &mut Report<'_>) {
    for patch in [vec![8, 10, 12], vec![10, 12]] {
        let axes = patch.len();
        let context = AugmentationContext {
            patch,
            use_mask: vec![false; 2],
            num_labels: 2,
            ..AugmentationContext::default()
        };
        let run = |seed| augment(augmentation, &context, seed);
        // That the patch and finite intensities come back is checked at every call.
        let samples = (0..8).map(run).collect::<Result<Vec<_>>>();
        let Some(samples) = report.made(&format!("accepts samples of {axes} axes"), samples) else {
            continue;
        };
        let again = (0..8).map(run).collect::<Result<Vec<_>>>().map_err(text);
        report.note(
            "returns the same result for the same random numbers",
            again.and_then(|b| same(&samples, &b)),
        );
    }
}

fn augment(augmentation: &dyn Augmentation, context: &AugmentationContext, seed: u64) -> Result<Sample> {
    let mut random = RandomStream::from_seed(seed);
    let crop = augmentation.crop(context, &random)?;
    let [z, y, x] = AugmentationContext { patch: crop, ..context.clone() }.volume();
    let data =
        Array4::from_shape_fn((2, z, y, x), |(c, z, y, x)| ((c + z * 7 + y * 3 + x) % 13) as f32 - 6.0);
    let seg = Array4::from_shape_fn((1, z, y, x), |(_, _, y, x)| ((y + x) % 3) as f32);
    augmentation.augment(Sample { data, seg }, context, &mut random)
}

/// As the first transform of a list, which may ask for more than the patch.
pub(crate) fn transform(make: &Make<dyn Transform>, report: &mut Report<'_>) {
    let Some(transform) = report.made("is created from its defaults", make(&Config::new())) else { return };
    augmentation_of(&First(transform), report);
}

/// A list of one transform.
struct First(Box<dyn Transform>);

impl Augmentation for First {
    fn generator_patch(&self, context: &AugmentationContext) -> Result<Vec<usize>> {
        Ok(self.0.generator_patch(context)?.unwrap_or_else(|| context.patch.clone()))
    }

    fn crop(&self, context: &AugmentationContext, random: &RandomStream) -> Result<Vec<usize>> {
        self.0.crop(context, random)?.map_or_else(|| self.generator_patch(context), Ok)
    }

    fn augment(
        &self,
        sample: Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<Sample> {
        self.0.apply(sample, context, random)
    }
}

/// A format that reads what it writes gives back what was written.
pub(crate) fn format(info: &Info, make: &Make<dyn ImageFormat>, report: &mut Report<'_>) {
    let Some(format) = report.made("is created from its defaults", make(&Config::new())) else { return };
    let endings: Vec<&str> = info.endings("reads").chain(info.endings("writes")).collect();
    let named = if endings.is_empty() { Err("use reads and writes of Info".to_owned()) } else { Ok(()) };
    report.note("names the endings of its files", named);
    let both = info.endings("writes").filter(|ending| info.endings("reads").any(|read| read == *ending));
    for ending in both {
        let Ok(folder) = tempfile::tempdir() else { return };
        let file = folder.path().join(format!("image{ending}"));
        let read = round_trip(&*format, &file);
        report.note(
            &format!("reads the {ending} files that it writes"),
            read.map_err(text).and_then(|(a, b)| same(&a, &b)),
        );
        let missing = if format.read(&folder.path().join("none")).is_ok() {
            Err("an image".to_owned())
        } else {
            Ok(())
        };
        report.note("refuses a file that is not there", missing);
    }
}

type Image = (Array3<f32>, ItkGeometry);

fn round_trip(format: &dyn ImageFormat, file: &Path) -> Result<(Image, Image)> {
    let voxels = Array3::from_shape_fn((3, 4, 5), |(z, y, x)| (z * 20 + y * 5 + x) as f32 - 7.5);
    let geometry =
        ItkGeometry { origin: [1.0, -2.0, 3.0], spacing: [0.5, 0.75, 2.0], ..ItkGeometry::default() };
    format.write(file, voxels.view(), &geometry)?;
    let image = format.read(file)?;
    Ok(((voxels, geometry), (image.voxels, image.geometry)))
}

pub(crate) fn logger(make: &Make<dyn ExperimentLogger>, report: &mut Report<'_>) {
    let Some(mut logger) = report.made("is created from its defaults", make(&Config::new())) else { return };
    let Ok(folder) = tempfile::tempdir() else { return };
    let mut run = RunInfo::default();
    folder.path().clone_into(&mut run.folder);
    report.made("accepts the start of a run", logger.run_begins(&run));
    let epoch = EpochReport { metric: f64::NAN, ..EpochReport::default() };
    report.made("accepts an epoch without a metric", logger.epoch_ends(&EpochLog::new(epoch, &[f64::NAN])));
    report.made("accepts the end of a run", logger.run_ends(&RunEnd::Finished));
}

/// Splitters that need more than the names of cases may refuse these; then there is nothing to look at.
pub(crate) fn splitter(make: &Make<dyn Splitter>, report: &mut Report<'_>) {
    let Some(splitter) = report.made("is created from its defaults", make(&Config::new())) else { return };
    let cases: Vec<SplitCase> =
        (0..20).map(|index| SplitCase::new(format!("p{:02}_{}", index / 2, index % 2))).collect();
    let run = || splitter.split(&cases);
    if run().is_err() {
        return;
    }
    report.made("makes folds of known cases, none twice in a fold", split_cases(&*splitter, &cases));
    let both = run().and_then(|first| Ok(same(&first, &run()?)));
    report.note("makes the same folds twice", both.map_err(text).and_then(|found| found));
}
