//! A training on cubes.
#![allow(clippy::unwrap_used, clippy::missing_docs_in_private_items, reason = "tests fail by panicking")]
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part")]

use std::ops::Range;
use std::sync::Arc;

use ndarray::ArrayViewMut4;
use nnunet_architectures::{GenericUnet, ParameterStore};
use nnunet_losses::{DiceCe, DiceCeConfig};
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::vocabulary::{Blueprint, Plans};
use nnunet_plugin_api::{
    Architecture, AugmentationContext, Error, NetworkSpec, Result, Trainer, TrainerContext,
};
use nnunet_trainers::Lookup;
use nnunet_training::{
    BatchPlan, CaseSource, Cases, Engine, EpochOutcome, History, MeasuredMetrics, Observer, Run, Schedules,
    SecondNetworks, SharedSampler, optimizer,
};

pub const PATCH: usize = 16;

/// Cases with a cube of foreground; those called `broken` have a voxel that is no number.
pub struct Cubes(pub Vec<&'static str>);

impl CaseSource for Cubes {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn name(&self, case: usize) -> &str {
        self.0[case]
    }

    fn shape(&self, _case: usize) -> [usize; 4] {
        [1, PATCH, PATCH, PATCH]
    }

    fn locations(&self, _case: usize) -> &[Vec<[i64; 3]>] {
        &[]
    }

    fn read(
        &self,
        case: usize,
        space: &[Range<usize>; 3],
        mut data: ArrayViewMut4<'_, f32>,
        mut seg: ArrayViewMut4<'_, f32>,
    ) -> Result<()> {
        let [at_z, at_y, at_x] = space.clone().map(|range| range.start);
        for ((_, z, y, x), value) in data.indexed_iter_mut() {
            *value = ((at_z + z) * 7 + (at_y + y) * 3 + at_x + x) as f32 * 0.01;
        }
        for ((_, z, y, x), label) in seg.indexed_iter_mut() {
            let inside = [at_z + z, at_y + y, at_x + x].iter().all(|at| (4..12).contains(at));
            *label = f32::from(u8::from(inside));
        }
        if self.0[case] == "broken" {
            data[[0, 0, 0, 0]] = f32::NAN;
        }
        Ok(())
    }
}

/// Two short epochs.
pub struct Root;

impl Trainer for Root {
    fn extends(&self) -> String {
        String::new()
    }

    fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
        blueprint.max_num_epochs = 2;
        blueprint.num_batches_per_epoch = 3;
        blueprint.num_val_batches_per_epoch = 1;
        Ok(())
    }
}

/// Counts what happens, and stops after so many steps.
#[derive(Default)]
pub struct Listener {
    pub rollbacks: Vec<String>,
    pub epochs: usize,
    pub stop_after_steps: Option<usize>,
    pub steps: usize,
}

impl Observer for Listener {
    fn epoch_begins(&mut self, _engine: &Engine, _learning_rate: f64) {}

    fn step(&mut self, _step: usize, _of: usize, _loss: f64) {
        self.steps += 1;
    }

    fn epoch_ends(&mut self, _engine: &Engine, outcome: &EpochOutcome) -> Result<()> {
        assert!(outcome.times.compute.as_secs_f64() <= outcome.report.seconds);
        self.epochs += 1;
        Ok(())
    }

    fn rolled_back(&mut self, _engine: &Engine, error: &Error) {
        self.rollbacks.push(error.to_string());
    }

    fn cancelled(&self) -> bool {
        self.stop_after_steps.is_some_and(|steps| self.steps >= steps)
    }
}

/// A small network.
pub fn spec() -> NetworkSpec {
    NetworkSpec {
        num_input_channels: 1,
        num_classes: 2,
        base_num_features: 2,
        conv_per_stage: 2,
        patch_size: vec![PATCH; 3],
        pool_op_kernel_sizes: vec![vec![2; 3]; 2],
        conv_kernel_sizes: vec![vec![3; 3]; 3],
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    }
}

/// A training of [`Root`].
pub fn engine(architecture: &dyn Architecture) -> Engine {
    engine_of("root", architecture, &|_| Ok(Box::new(Root)))
}

/// A training of a trainer.
pub fn engine_of(name: &str, architecture: &dyn Architecture, lookup: Lookup<'_>) -> Engine {
    let mut store = ParameterStore::new(Device::Cpu);
    let network = architecture.build(&mut store, &spec()).unwrap();
    let context = TrainerContext { configuration: String::new(), plans: Plans::default(), stage: 0 };
    let trainer = nnunet_trainers::resolve(name, &context, lookup).unwrap();
    Engine {
        optimizer: optimizer(&trainer.blueprint, &store).unwrap(),
        sampler: SharedSampler::named("v1").unwrap(),
        schedules: Schedules::built_in(&trainer.blueprint).unwrap(),
        loss: Box::new(DiceCe::new(DiceCeConfig::default())),
        head: None,
        metrics: MeasuredMetrics::default(),
        kind: Kind::Float,
        scaler: None,
        num_classes: 2,
        ignore_label: None,
        trainer,
        store,
        network,
        cases: Cases::default(),
        networks: SecondNetworks::new(Box::new(|| {
            let mut store = ParameterStore::new(Device::Cpu);
            let network = GenericUnet::default().build(&mut store, &spec())?;
            Ok((store, network))
        })),
        epoch: 0,
        history: History::default(),
    }
}

/// Training on these cases.
pub fn cases(names: &[&'static str]) -> Run {
    let context = AugmentationContext {
        patch: vec![PATCH; 3],
        dummy_2d: false,
        use_mask: vec![false],
        mirror_axes: None,
        num_labels: 1,
    };
    let plan = BatchPlan {
        batch_size: 2,
        oversample_foreground: 0.0,
        sampler: SharedSampler::named("v1").unwrap(),
        augmentation: None,
        context,
        scales: vec![vec![1.0; 3], vec![0.5; 3]],
        regions: None,
        head: None,
        seed: 7,
    };
    Run {
        train: Arc::new(Cubes(names.to_vec())),
        validation: Arc::new(Cubes(vec!["fine"])),
        validation_plan: BatchPlan { sampler: SharedSampler::named("v1").unwrap(), ..plan.clone() },
        train_plan: plan,
        threads: 1,
        uses_graphs: false,
    }
}

/// Copies of the parameters.
pub fn weights(engine: &Engine) -> Vec<Tensor> {
    engine.store.parameters().iter().map(|parameter| parameter.tensor.detach().copy()).collect()
}
