//! What a component of each kind does with made-up data, as text that can be compared.

use ndarray::{Array3, Array4, s};
use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::{self, Device, Tensor};
use nnunet_plugin_api::vocabulary::{
    Blueprint, EpochReport, Fingerprint, IntensityStatistics, ItkGeometry, Plans, Stage,
};
use nnunet_plugin_api::{
    Architecture, Augmentation, AugmentationContext, CaseArrays, EpochLog, EpochResults, Error,
    ExperimentLogger, GridChange, Head, HeadTask, ImageFormat, LabelVolume, Loss, LossContext, Metric,
    MetricInput, NetworkSpec, Normalization, NormalizationContext, Optimized, Optimizer, Planner,
    PlannerSettings, Postprocessor, PreprocessContext, Preprocessor, PreprocessorSettings, RandomStream,
    Resampler, Result, RunEnd, RunInfo, Sample, SampleLoss, SampledCase, Sampler, SamplerContext, Schedule,
    SchedulePoint, SplitCase, Splitter, StageTarget, Trainer, TrainerContext, Transform,
};

/// Numbers without a pattern, the same every time.
fn noise(index: usize) -> f32 {
    ((index as f32 * 12.9898).sin() * 43_758.547).fract()
}

fn volume() -> Array3<f32> {
    let mut count = 0;
    Array3::from_shape_simple_fn((4, 5, 6), || {
        count += 1;
        100.0 * noise(count)
    })
}

fn statistics() -> IntensityStatistics {
    IntensityStatistics {
        median: 10.0,
        mean: 12.0,
        sd: 30.0,
        mn: -90.0,
        mx: 95.0,
        percentile_99_5: 80.0,
        percentile_00_5: -70.0,
    }
}

fn plans() -> Plans {
    let stage = Stage {
        batch_size: 2,
        num_pool_per_axis: vec![2, 2, 2],
        patch_size: vec![16, 16, 16],
        median_patient_size_in_voxels: [20, 30, 30],
        current_spacing: [1.0; 3],
        original_spacing: [1.0; 3],
        do_dummy_2d_data_aug: false,
        pool_op_kernel_sizes: vec![vec![2; 3]; 2],
        conv_kernel_sizes: vec![vec![3; 3]; 3],
        ..Stage::default()
    };
    Plans {
        modalities: vec!["CT".to_owned()],
        normalization_schemes: vec!["CT".to_owned()],
        num_classes: 2,
        all_classes: vec![1, 2],
        base_num_features: 4,
        plans_per_stage: vec![stage],
        conv_per_stage: Some(2),
        ..Plans::default()
    }
}

pub(crate) fn planner(planner: Box<dyn Planner>) -> Result<String> {
    let fingerprint = Fingerprint {
        all_sizes: vec![[20, 30, 30], [22, 28, 35]],
        all_spacings: vec![[3.0, 1.0, 1.0], [2.5, 0.9, 0.9]],
        all_classes: vec![1, 2],
        ..Fingerprint::default()
    };
    let (mut settings, mut plans) = (PlannerSettings::default(), plans());
    planner.configure(&mut settings)?;
    let spacing = planner.target_spacing(&fingerprint)?;
    planner.finish(&mut plans)?;
    Ok(format!("{} {settings:?} {spacing:?} {plans:?}", planner.extends()))
}

pub(crate) fn preprocessor(preprocessor: Box<dyn Preprocessor>) -> Result<String> {
    let mut settings = PreprocessorSettings::default();
    preprocessor.configure(&mut settings)?;
    let (z, y, x) = volume().dim();
    let data =
        volume().into_shape_with_order((1, z, y, x)).map_err(|error| Error::message(error.to_string()))?;
    let case = CaseArrays { data, seg: volume().mapv(f32::signum), spacing: [3.0, 1.0, 1.0] };
    let context = PreprocessContext {
        original_spacing: case.spacing,
        target: StageTarget { spacing: [1.0; 3] },
        normalization_schemes: vec!["CT".to_owned()],
        use_mask_for_norm: vec![true],
        intensities: Some(vec![statistics()]),
    };
    let made = preprocessor.resample_and_normalize(&case, &context)?;
    Ok(format!("{} {settings:?} {made:?}", preprocessor.extends()))
}

pub(crate) fn normalization(normalization: Box<dyn Normalization>) -> Result<String> {
    let seg = volume().mapv(f32::signum);
    let mut all = String::new();
    for (use_mask, intensities) in [(false, Some(statistics())), (true, Some(statistics())), (true, None)] {
        let mut context = NormalizationContext::new(0, seg.view());
        context.use_mask = use_mask;
        context.intensities = intensities;
        // Transposed: views come in any order of memory.
        let mut channel = volume().reversed_axes().as_standard_layout().into_owned().reversed_axes();
        match normalization.normalize(channel.view_mut(), &context) {
            Ok(()) => all += &format!("{channel:?}"),
            Err(error) => all += error.to_string().rsplit(": ").next().unwrap_or_default(),
        }
    }
    Ok(all)
}

pub(crate) fn splitter(splitter: Box<dyn Splitter>) -> Result<String> {
    let cases: Vec<SplitCase> = (0..13).map(|i| SplitCase::new(format!("case_{i:02}"))).collect();
    // One that needs a group or stratum refuses cases without: the message is compared then.
    Ok(match splitter.split(&cases) {
        Ok(folds) => format!("{folds:?}"),
        Err(error) => error.to_string().rsplit(": ").next().unwrap_or_default().to_owned(),
    })
}

/// Targets, scores and labels of a task of two labels.
pub(crate) fn head(head: Box<dyn Head>) -> Result<String> {
    let task = HeadTask { labels: 2, regions: None };
    let labels: Vec<i64> = (0..2 * 4 * 4 * 4).map(|i| (noise(i + 5).abs() * 3.0) as i64).collect();
    let labels = Tensor::from_slice(&labels).f_reshape([2, 1, 4, 4, 4])?;
    let outputs = head.outputs(&task)?;
    let scores = head.scores(&tensor(&[2, outputs as i64, 4, 4, 4])?)?;
    let written = head.written(&task, &scores.f_select(0, 1)?)?;
    let all = [head.targets(&task, &labels)?, scores, written];
    let numbers = all.map(|tensor| Vec::<f64>::try_from(tensor.to_kind(tch::Kind::Double).flatten(0, -1)));
    Ok(format!("{outputs} {:?} {numbers:?}", head.facts()))
}

/// Sums and values of a batch of labels.
pub(crate) fn metric(metric: Box<dyn Metric>) -> Result<String> {
    let (logits, data) = (tensor(&[2, 3, 4, 4, 4])?, tensor(&[2, 1, 4, 4, 4])?);
    let target: Vec<i64> = (0..2 * 4 * 4 * 4).map(|i| (noise(i + 5).abs() * 3.0) as i64).collect();
    let target = Tensor::from_slice(&target).f_reshape([2, 1, 4, 4, 4])?;
    let cases = ["a", "b"].map(str::to_owned);
    let mut all = format!("{}", metric.larger_is_better());
    for ignore_label in [None, Some(2)] {
        let tallies = metric.tally(&MetricInput {
            logits: &logits,
            target: &target,
            data: &data,
            cases: &cases,
            regions: false,
            ignore_label,
        })?;
        all += &format!("{tallies:?} {:?} {:?}", metric.value(&tallies)?, metric.value(&[])?);
    }
    Ok(all)
}

pub(crate) fn sampler(mut sampler: Box<dyn Sampler>) -> Result<String> {
    let case =
        |i: usize| SampledCase { voxels_of_classes: vec![i, 5], ..SampledCase::new(format!("case_{i}")) };
    let mut all = format!("{}", sampler.learns());
    sampler.begin(&(0..5).map(case).collect::<Vec<_>>())?;
    let voxels = [[1, 2, 3], [1, 2, 4], [2, 0, 0]];
    for index in 0..24 {
        let (sample, axes) = (index % 3, 2 + index / 12);
        let context =
            SamplerContext { epoch: 1, batch: index, sample, batch_size: 3, foreground: 0.33, axes };
        let mut random = RandomStream::new(1, 1, index, sample);
        let choice = sampler.choose(&context, &mut random)?;
        all += &format!("{choice:?} {} {}", sampler.voxel(&context, &voxels, &mut random)?, random.bits());
    }
    sampler.observe(&[SampleLoss { case: "case_2".to_owned(), loss: 0.1 }])?;
    let state = sampler.save_state()?;
    all += &format!("{state:?}");
    sampler.load_state(state)?;
    Ok(all)
}

/// The rates of some steps, while the loss falls at first.
pub(crate) fn schedule(mut schedule: Box<dyn Schedule>) -> Result<String> {
    let mut all = format!("{}", schedule.changes_every_step());
    for epoch in (0..1200).step_by(25) {
        let at = |step| SchedulePoint {
            epoch,
            step,
            epochs: 1000,
            steps: 250,
            initial_lr: 0.01,
            group: "seg_outputs.*".to_owned(),
        };
        all += &format!(" {:?}", [schedule.learning_rate(&at(0))?, schedule.learning_rate(&at(100))?]);
        let report = EpochReport { epoch, metric: f64::NAN, ..EpochReport::default() };
        let results = EpochResults { report, train_loss_average: 1.0 / (1.0 + epoch.min(100) as f64) };
        schedule.epoch_ends(&at(0), &results)?;
    }
    let state = schedule.save_state()?;
    schedule.load_state(state.clone())?;
    Ok(format!("{all} {state:?} {:?}", schedule.save_state()?))
}

pub(crate) fn resampler(resampler: Box<dyn Resampler>) -> Result<String> {
    let (z, y, x) = volume().dim();
    let mut all = format!("{}", resampler.keeps_grid());
    for (shape, to) in [([8, 4, 7], [1.5, 1.25, 0.9]), ([z, y, x], [3.0, 1.0, 1.0])] {
        let shape = if resampler.keeps_grid() { [z, y, x] } else { shape };
        let change = GridChange { shape, from: [3.0, 1.0, 1.0], to };
        // Transposed: arrays come in any order of memory.
        let data = volume().reversed_axes().as_standard_layout().into_owned().reversed_axes();
        let image = resampler.image(data.clone().insert_axis(ndarray::Axis(0)), &change)?;
        let labels = resampler.labels(data.mapv(|value| (value / 40.0).floor().max(-1.0)), &change)?;
        let scores = resampler.scores(data, &change)?;
        // Not the arrays themselves: strides say nothing.
        let values = [image.index_axis_move(ndarray::Axis(0), 0), labels, scores]
            .map(|array| (array.dim(), array.iter().copied().collect::<Vec<f32>>()));
        all += &format!("{values:?} {:?}", resampler.interpolation(&change));
    }
    Ok(all)
}

pub(crate) fn format(format: Box<dyn ImageFormat>) -> Result<String> {
    let folder = tempfile::tempdir().map_err(|error| Error::message(error.to_string()))?;
    let geometry =
        ItkGeometry { origin: [1.0, 2.0, 3.0], spacing: [0.5, 0.75, 2.0], ..ItkGeometry::default() };
    let (image, labels) = (folder.path().join("image.nii.gz"), folder.path().join("labels.nii.gz"));
    // What pictures hold too: a slice of bytes.
    let bytes = volume().slice(s![..1, .., ..]).mapv(|value| value.abs() as u8);
    format.write(&image, bytes.mapv(f32::from).view(), &geometry)?;
    format.write_labels(&labels, bytes.view(), &geometry)?;
    let header = format.read_header(&labels)?;
    let missing = format.read(std::path::Path::new("/nowhere/image.nii.gz")).unwrap_err().to_string();
    let missing = missing.rsplit("read: ").next().unwrap_or_default().to_owned();
    Ok(format!("{:?} {:?} {header:?} {missing}", format.read(&image)?, format.read(&labels)?))
}

pub(crate) fn augmentation(augmentation: Box<dyn Augmentation>) -> Result<String> {
    let context = AugmentationContext {
        patch: vec![8, 9, 10],
        use_mask: vec![false],
        num_labels: 2,
        ..AugmentationContext::default()
    };
    let generator = augmentation.generator_patch(&context)?;
    let mut all = format!("{generator:?}");
    for sample in 0..6 {
        let mut random = RandomStream::new(1, 2, 3, sample);
        let size = augmentation.crop(&context, &random)?;
        let mut count = sample;
        let mut fill = |channels| {
            Array4::from_shape_simple_fn((channels, size[0], size[1], size[2]), || {
                count += 1;
                noise(count)
            })
        };
        let (data, seg) = (fill(1), fill(1).mapv(|value| (value.abs() * 3.0).floor()));
        let made = augmentation.augment(Sample { data, seg }, &context, &mut random)?;
        // Not the arrays themselves: strides of axes of length one say nothing.
        let values =
            [made.data, made.seg].map(|array| (array.dim(), array.into_iter().collect::<Vec<f32>>()));
        all += &format!("{size:?} {values:?} {}", random.bits());
    }
    Ok(all)
}

pub(crate) fn transform(transform: Box<dyn Transform>) -> Result<String> {
    let context = AugmentationContext {
        patch: vec![8, 9, 10],
        use_mask: vec![false],
        num_labels: 2,
        ..AugmentationContext::default()
    };
    let whole = transform.generator_patch(&context)?;
    let mut all = format!("{whole:?}");
    let whole = whole.unwrap_or_else(|| context.patch.clone());
    for sample in 0..12 {
        let mut random = RandomStream::new(1, 2, 3, sample);
        let size = transform.crop(&context, &random)?.unwrap_or_else(|| whole.clone());
        let mut count = sample;
        let mut fill = || {
            Array4::from_shape_simple_fn((1, size[0], size[1], size[2]), || {
                count += 1;
                noise(count)
            })
        };
        let (data, seg) = (fill(), fill().mapv(|value| (value.abs() * 3.0).floor()));
        let made = transform.apply(Sample { data, seg }, &context, &mut random)?;
        let values =
            [made.data, made.seg].map(|array| (array.dim(), array.into_iter().collect::<Vec<f32>>()));
        all += &format!("{size:?} {values:?} {}", random.bits());
    }
    Ok(all)
}

pub(crate) fn postprocessor(postprocessor: Box<dyn Postprocessor>) -> Result<String> {
    let labels = volume().mapv(|value| (value.abs() as u8) % 3);
    let mut volume = LabelVolume { labels, spacing: [3.0, 1.0, 1.0] };
    postprocessor.apply(&mut volume)?;
    Ok(format!("{volume:?}"))
}

pub(crate) fn logger(mut logger: Box<dyn ExperimentLogger>) -> Result<String> {
    let folder = tempfile::tempdir().map_err(|error| Error::message(error.to_string()))?;
    let mut run = RunInfo::default();
    run.folder = folder.path().to_owned();
    logger.run_begins(&run)?;
    let report = EpochReport { epoch: 3, train_loss: 0.5, metric: f64::NAN, ..EpochReport::default() };
    logger.epoch_ends(&EpochLog::new(report, &[0.25, f64::NAN]))?;
    logger.run_ends(&RunEnd::Finished)?;
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).into_iter().flatten().flatten().collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    Ok(files.iter().map(|file| format!("{} bytes;", file.metadata().map_or(0, |m| m.len()))).collect())
}

fn values(tensor: &Tensor) -> Result<String> {
    let flat = Vec::<f32>::try_from(tensor.detach().f_reshape([-1])?)?;
    let mut hash = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&flat.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), &mut hash);
    Ok(format!("{:?} {:x}", tensor.size(), std::hash::Hasher::finish(&hash)))
}

fn tensor(shape: &[i64]) -> Result<Tensor> {
    let count: i64 = shape.iter().product();
    let values: Vec<f32> = (0..count as usize).map(noise).collect();
    Ok(Tensor::from_slice(&values).f_reshape(shape)?)
}

pub(crate) fn architecture(architecture: Box<dyn Architecture>) -> Result<String> {
    let plans = plans();
    let stage = &plans.plans_per_stage[0];
    let spec = NetworkSpec {
        num_input_channels: 1,
        num_classes: 3,
        base_num_features: 4,
        conv_per_stage: 2,
        patch_size: stage.patch_size.clone(),
        pool_op_kernel_sizes: stage.pool_op_kernel_sizes.clone(),
        conv_kernel_sizes: stage.conv_kernel_sizes.clone(),
        num_blocks_encoder: Some(vec![1, 1, 1]),
        num_blocks_decoder: Some(vec![1, 1]),
    };
    tch::manual_seed(7);
    let mut store = ParameterStore::new(Device::Cpu);
    let mut network = architecture.build(&mut store, &spec)?;
    network.set_training(false)?;
    let input = tensor(&[1, 1, 16, 16, 16])?;
    let outputs = network.forward(&input, true)?;
    let mut sum = Tensor::from(0.0_f32);
    for output in &outputs {
        sum = sum.f_add(&output.f_mean(tch::Kind::Float)?)?;
    }
    sum.f_backward()?;
    let seen = outputs.iter().map(values).collect::<Result<Vec<_>>>()?;
    let gradients = store.parameters().iter().filter(|p| p.trainable).map(|parameter| {
        let gradient = parameter.tensor.grad();
        let known = if gradient.defined() { values(&gradient)? } else { String::new() };
        Ok(format!("{} {known}", parameter.name))
    });
    let half = network.supports_half_precision();
    Ok(format!("{half} {seen:?} {:?}", gradients.collect::<Result<Vec<_>>>()?))
}

pub(crate) fn loss(mut loss: Box<dyn Loss>) -> Result<String> {
    let target: Vec<i64> = (0..2 * 4 * 4 * 4).map(|i| (noise(i + 5).abs() * 3.0) as i64).collect();
    let target = Tensor::from_slice(&target).f_reshape([2, 1, 4, 4, 4])?;
    let regions = Tensor::f_cat(&[target.f_ge(0)?, target.f_ge(1)?, target.f_ge(2)?], 1)?;
    let regions = regions.f_to_kind(tch::Kind::Float)?;
    let mut all = String::new();
    for epoch in [0, 1, 500] {
        loss.epoch_begins(epoch)?;
        let logits = tensor(&[2, 3, 4, 4, 4])?.set_requires_grad(true);
        // A loss takes labels or regions, and refuses the other.
        let value = loss.forward(&logits, &target).or_else(|_| loss.forward(&logits, &regions))?;
        value.f_backward()?;
        all += &format!("{} {}", values(&value)?, values(&logits.grad())?);
    }
    Ok(all)
}

pub(crate) fn trainer(mut trainer: Box<dyn Trainer>) -> Result<String> {
    let mut blueprint = Blueprint::default();
    let context = TrainerContext { configuration: "3d_fullres".to_owned(), plans: plans(), stage: 0 };
    trainer.configure(&mut blueprint, &context)?;
    let loss = trainer.loss(&LossContext { num_classes: 3, batch_dice: true })?;
    let loss = loss.map(self::loss).transpose()?;
    let rates =
        (0..5).map(|epoch| trainer.learning_rate(epoch * 100, &blueprint)).collect::<Result<Vec<_>>>()?;
    let report = EpochReport { epoch: 200, metric: f64::NAN, ..EpochReport::default() };
    let flow = trainer.on_epoch_end(&report)?;
    Ok(format!("{} {blueprint:?} {loss:?} {rates:?} {flow:?}", trainer.extends()))
}

/// Three steps of a kernel and a bias, with the state.
pub(crate) fn optimizer(mut optimizer: Box<dyn Optimizer>) -> Result<String> {
    let mut all = format!("{:?}", optimizer.settings());
    let mut parameters = Vec::new();
    for (name, shape) in [("weight", &[2, 3, 3][..]), ("bias", &[2])] {
        let count = shape.iter().product::<i64>();
        let values = |from: usize| {
            let values: Vec<f32> = (0..count as usize).map(|index| noise(from + index)).collect();
            Tensor::f_from_slice(&values)?.f_reshape(shape)
        };
        let (tensor, gradient) = (values(1)?, values(100)?);
        let (names, state): (Vec<_>, Vec<_>) = optimizer.initial_state(&tensor)?.into_iter().unzip();
        all += &format!("{names:?}");
        parameters.push(Optimized { name: name.to_owned(), tensor, gradient, state });
    }
    for _ in 0..3 {
        tch::no_grad(|| optimizer.step(&mut parameters, 0.01))?;
    }
    for parameter in &parameters {
        for tensor in std::iter::once(&parameter.tensor).chain(&parameter.state) {
            all += &format!("{:?}", Vec::<f32>::try_from(tensor.f_reshape([-1])?)?);
        }
    }
    Ok(all)
}
