//! What the loop over epochs does when things go wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::ops::Range;
use std::sync::Arc;

use ndarray::ArrayViewMut4;
use nnunet_architectures::{GenericUnet, ParameterStore};
use nnunet_losses::{DiceCe, DiceCeConfig};
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::vocabulary::{Blueprint, Plans};
use nnunet_plugin_api::{
    Architecture, AugmentationContext, Error, Init, Network, NetworkSpec, Result, Trainer, TrainerContext,
    VarFactory,
};
use nnunet_training::{
    BatchPlan, CaseSource, Engine, EpochOutcome, History, Observer, Run, Sampling, Setting, Stopped,
    optimizer,
};

const PATCH: usize = 16;

/// Cases with a cube of foreground; those called `broken` have a voxel that is no number.
struct Cubes(Vec<&'static str>);

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

struct Root;

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

#[derive(Default)]
struct Listener {
    rollbacks: Vec<String>,
    epochs: usize,
    stop_after_steps: Option<usize>,
    steps: usize,
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

fn spec() -> NetworkSpec {
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

fn engine(architecture: &dyn Architecture) -> Engine {
    let mut store = ParameterStore::new(Device::Cpu);
    let network = architecture.build(&mut store, &spec()).unwrap();
    let context = TrainerContext { configuration: String::new(), plans: Plans::default(), stage: 0 };
    let trainer = nnunet_trainers::resolve("root", &context, &|_| Ok(Box::new(Root))).unwrap();
    Engine {
        optimizer: optimizer(&trainer.blueprint, &store),
        loss: Box::new(DiceCe::new(DiceCeConfig::default())),
        kind: Kind::Float,
        scaler: None,
        num_classes: 2,
        trainer,
        store,
        network,
        epoch: 0,
        history: History::default(),
    }
}

fn cases(names: &[&'static str]) -> Run {
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
        sampling: Sampling::default(),
        augmentation: None,
        context,
        scales: vec![vec![1.0; 3], vec![0.5; 3]],
        regions: None,
        seed: 7,
    };
    Run {
        train: Arc::new(Cubes(names.to_vec())),
        validation: Arc::new(Cubes(vec!["fine"])),
        validation_plan: plan.clone(),
        train_plan: plan,
        threads: 1,
        uses_graphs: false,
    }
}

fn weights(engine: &Engine) -> Vec<Tensor> {
    engine.store.parameters().iter().map(|parameter| parameter.tensor.detach().copy()).collect()
}

#[test]
fn an_input_that_is_no_number_is_named_and_given_up_on() {
    let mut engine = engine(&GenericUnet::default());
    let (before, mut listener) = (weights(&engine), Listener::default());
    let error = engine.run(&cases(&["broken"]), &mut listener).unwrap_err().to_string();
    for part in ["failed again after a restart", "epoch 0", "step ", "case broken: first in the input"] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
    assert_eq!((listener.rollbacks.len(), engine.epoch), (2, 0));
    assert_eq!(before, weights(&engine), "the last good state is that of the start");
}

#[test]
fn the_layer_where_activations_overflow_is_named() {
    let mut engine = engine(&GenericUnet::default());
    let name = "conv_blocks_context.1.blocks.0.conv";
    let mut weight = engine.store.get(&format!("{name}.weight")).unwrap().detach();
    let _ = weight.fill_(1e38);
    let error = engine.run(&cases(&["fine"]), &mut Listener::default()).unwrap_err().to_string();
    assert!(error.contains(&format!("case fine: first in {name}")), "{error}");
}

#[test]
fn stopping_in_an_epoch_leaves_the_state_of_the_last_whole_one_and_goes_on_as_if_nothing_had_happened() {
    let mut whole = engine(&GenericUnet::default());
    let start = weights(&whole);
    assert_eq!(whole.run(&cases(&["fine"]), &mut Listener::default()).unwrap(), Stopped::Finished);
    let mut broken = engine(&GenericUnet::default());
    for (parameter, value) in broken.store.parameters().iter().zip(&start) {
        parameter.tensor.detach().copy_(value);
    }
    let mut listener = Listener { stop_after_steps: Some(4), ..Listener::default() };
    assert_eq!(broken.run(&cases(&["fine"]), &mut listener).unwrap(), Stopped::Cancelled);
    assert_eq!((broken.epoch, listener.epochs), (1, 1));
    assert_eq!(broken.run(&cases(&["fine"]), &mut Listener::default()).unwrap(), Stopped::Finished);
    assert_eq!(weights(&whole), weights(&broken));
    assert_eq!(whole.history, broken.history);
}

/// Says background whatever it sees.
struct Blind;

struct BlindNetwork(Tensor);

impl Architecture for Blind {
    fn build(&self, vars: &mut dyn VarFactory, _spec: &NetworkSpec) -> Result<Box<dyn Network>> {
        let one = Init::Constant { value: 1.0 };
        let _ = vars.parameter("conv.bias", &[1], one.clone())?;
        Ok(Box::new(BlindNetwork(vars.parameter("conv.weight", &[1, 1, 1, 1, 1], one)?)))
    }
}

impl Network for BlindNetwork {
    fn forward(&self, input: &Tensor, _deep_supervision: bool) -> Result<Vec<Tensor>> {
        let flat = input.zeros_like() + &self.0 * 1e-3;
        Ok(vec![Tensor::f_cat(&[&flat + 10.0, flat], 1)?])
    }
}

/// v1's rule, at epoch index 100 only.
#[test]
fn convolutions_that_learnt_nothing_in_100_epochs_start_over_with_less_momentum() {
    for (epoch, momentum) in [(99, 0.99), (100, 0.95)] {
        let mut engine = engine(&Blind);
        engine.trainer.blueprint.max_num_epochs = epoch + 1;
        engine.epoch = epoch;
        engine.run(&cases(&["fine"]), &mut Listener::default()).unwrap();
        assert_eq!(engine.history.metrics, [0.0]);
        assert!(engine.optimizer.settings().contains(&("momentum", Setting::Float(momentum))));
        let bias = f64::try_from(engine.store.get("conv.bias").unwrap()).unwrap();
        assert_eq!(bias, if epoch == 100 { 0.0 } else { 1.0 });
    }
}
