//! Cost of a call across the stable ABI: `cargo verify`, then `cargo bench -p nnunet-tests --bench abi`.
//!
//! "direct" calls a component as it is, "crossed" the same one behind both adapters (what a plugin's call costs), "plugin"
//! one in a shared library that was loaded.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a bench")]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use ndarray::Array3;
// All built-ins.
use nnunet_architectures::ParameterStore;
use nnunet_host_torch as _;
use nnunet_plugin_api::abi::v1::{import_with_tensors, through_adapters};
use nnunet_plugin_api::tch::{self, Device, Kind as Element, Tensor};
use nnunet_plugin_api::vocabulary::EpochReport;
use nnunet_plugin_api::{
    Batch, Component, Config, Factory, Info, Kind, LabelVolume, Loss, NamedParameter, Network, NetworkSpec,
    NormalizationContext, Progress, Registration, Result, TensorFactories, Trainer, Training, built_in_step,
    inventory,
};

/// Microseconds of a call: the best of several rounds.
fn microseconds(calls: u32, mut call: impl FnMut()) -> f64 {
    let round = |call: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
    };
    (0..7).map(|_| round(&mut call)).fold(f64::INFINITY, f64::min)
}

fn built_in(kind: Kind, name: &str, crossed: bool) -> Component {
    let all = inventory::iter::<Registration>().map(|registration| (registration.0)());
    let found =
        all.into_iter().find(|component| component.info.kind == kind && component.info.name == name).unwrap();
    if crossed { through_adapters(found, "itself") } else { found }
}

fn loaded(file: &str, name: &str) -> Component {
    let bench = std::env::current_exe().unwrap();
    let path: PathBuf = bench.ancestors().nth(2).unwrap().join(format!("lib{file}.so"));
    let components =
        nnunet_engine::loader::load(nnunet_engine::trust::OpenFile::new(&path).unwrap(), import_with_tensors)
            .unwrap()
            .1;
    components.into_iter().find(|component| component.info.name == name).unwrap()
}

fn row(what: &str, times: &[(&str, f64)]) {
    let columns: Vec<String> = times.iter().map(|(name, time)| format!("{name} {time:.3}")).collect();
    println!("{what}: {} microseconds", columns.join(", "));
}

fn normalize(component: &Component) -> f64 {
    let Factory::Normalization(make) = &component.factory else { panic!("another kind") };
    let normalization = make(&component.info.defaults).unwrap();
    let (mut channel, seg) = (Array3::from_elem((1, 1, 1), 1.0), Array3::zeros((1, 1, 1)));
    let context = NormalizationContext::new(0, seg.view());
    microseconds(20_000, || normalization.normalize(black_box(channel.view_mut()), &context).unwrap())
}

fn postprocess(component: &Component) -> f64 {
    let Factory::Postprocessor(make) = &component.factory else { panic!("another kind") };
    let postprocessor = make(&component.info.defaults).unwrap();
    let mut volume = LabelVolume { labels: Array3::zeros((1, 1, 1)), spacing: [1.0; 3] };
    microseconds(20_000, || postprocessor.apply(black_box(&mut volume)).unwrap())
}

fn epoch_end(component: &Component) -> f64 {
    let make = component.factory.trainer().unwrap();
    let mut trainer: Box<dyn Trainer> = make(&component.info.defaults).unwrap();
    let report = EpochReport::default();
    microseconds(20_000, || {
        black_box(trainer.on_epoch_end(&report).unwrap());
    })
}

fn loss(crossed: bool) -> Box<dyn Loss> {
    let component = built_in(Kind::Loss, "RobustCrossEntropyLoss", crossed);
    component.factory.loss().unwrap()(&component.info.defaults).unwrap()
}

fn network(crossed: bool, store: &mut ParameterStore) -> Box<dyn Network> {
    let component = built_in(Kind::Architecture, "Generic_UNet", crossed);
    let make = component.factory.architecture().unwrap();
    let spec = NetworkSpec {
        num_input_channels: 1,
        num_classes: 3,
        base_num_features: 32,
        conv_per_stage: 2,
        patch_size: vec![40, 56, 40],
        pool_op_kernel_sizes: vec![vec![2; 3]; 3],
        conv_kernel_sizes: vec![vec![3; 3]; 4],
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    };
    make(&component.info.defaults).unwrap().build(store, &spec).unwrap()
}

/// A call of the loss with a tensor of one voxel: what is computed is next to nothing.
fn small_loss(crossed: bool) -> f64 {
    let loss = loss(crossed);
    let logits = Tensor::zeros([1, 2, 1, 1, 1], (Element::Float, Device::Cpu)).set_requires_grad(true);
    let target = Tensor::zeros([1, 1, 1, 1, 1], (Element::Int64, Device::Cpu));
    microseconds(2_000, || drop(black_box(loss.forward(&logits, &target).unwrap())))
}

/// A training that does nothing: what is left is the cost of the calls.
struct Idle(Tensor);

impl Training for Idle {
    fn progress(&self) -> Result<Progress> {
        Ok(Progress::default())
    }

    fn forward_of(&mut self, _network: &str, _data: &Tensor) -> Result<Vec<Tensor>> {
        Ok((0..4).map(|_| self.0.shallow_clone()).collect())
    }

    fn loss(&mut self, _outputs: &[Tensor], _batch: &Batch) -> Result<Tensor> {
        Ok(self.0.shallow_clone())
    }

    fn backward(&mut self, _loss: &Tensor) -> Result<()> {
        Ok(())
    }

    fn zero_grad(&mut self) -> Result<()> {
        Ok(())
    }

    fn clip_gradients(&mut self, _largest: Option<f64>) -> Result<Tensor> {
        Ok(self.0.shallow_clone())
    }

    fn optimizer_step(&mut self) -> Result<()> {
        Ok(())
    }

    fn parameters_of(&self, _network: &str) -> Result<Vec<NamedParameter>> {
        Ok(Vec::new())
    }

    fn add_network(&mut self, _name: &str) -> Result<()> {
        Ok(())
    }

    fn case_properties(&self, _case: &str) -> Result<Config> {
        Ok(Config::new())
    }
}

/// The built-in step as a trainer's own.
struct Own;

impl Trainer for Own {
    fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        built_in_step(training, batch).map(Some)
    }
}

fn own(crossed: bool) -> Component {
    let component = Component::trainer(Info::new(Kind::Trainer, "Own", ""), |_| Ok(Box::new(Own)));
    if crossed { through_adapters(component, "itself") } else { component }
}

/// The hooks of a training step: `on_batch`, and `train_step` with its requests.
fn own_step(component: &Component, config: &Config) -> f64 {
    let mut trainer = component.factory.trainer().unwrap()(config).unwrap();
    let number = || Tensor::from(1.0_f32);
    let image = || Tensor::zeros([2, 1, 1, 1, 1], (Element::Float, Device::Cpu));
    let target = || Tensor::zeros([2, 1, 1, 1, 1], (Element::Int64, Device::Cpu));
    let cases = (0..2).map(|case| format!("hippocampus_{case:03}")).collect();
    let mut batch = Batch { data: image(), targets: (0..4).map(|_| target()).collect(), cases };
    let mut training = Idle(number());
    microseconds(2_000, || {
        trainer.on_batch(&mut training, &mut batch).unwrap();
        drop(black_box(trainer.train_step(&mut training, &batch).unwrap()));
    })
}

/// Seconds of a training step of the hippocampus's network with half of its batch: network, loss and gradients.
fn step() -> f64 {
    let mut store = ParameterStore::new(Device::Cpu);
    let (network, loss) = (network(false, &mut store), loss(false));
    let input = Tensor::randn([4, 1, 40, 56, 40], (Element::Float, Device::Cpu));
    let target = Tensor::zeros([4, 1, 40, 56, 40], (Element::Int64, Device::Cpu));
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        let outputs = network.forward(&input, false).unwrap();
        loss.forward(&outputs[0], &target).unwrap().backward();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn main() {
    tch::manual_seed(1);
    let (plain, crossed) =
        (|kind, name| built_in(kind, name, false), |kind, name| built_in(kind, name, true));
    let normalized = [
        ("direct", normalize(&plain(Kind::Normalization, "noNorm"))),
        ("crossed", normalize(&crossed(Kind::Normalization, "noNorm"))),
        ("plugin", normalize(&loaded("my_imaging", "Percentiles"))),
    ];
    row("normalization of one voxel", &normalized);
    let post = |component| postprocess(&component);
    let labels = [
        ("direct", post(plain(Kind::Postprocessor, "LargestComponent"))),
        ("crossed", post(crossed(Kind::Postprocessor, "LargestComponent"))),
    ];
    row("postprocessing of one voxel", &labels);
    let ends = [
        ("direct", epoch_end(&plain(Kind::Trainer, "nnUNetTrainerV2"))),
        ("crossed", epoch_end(&crossed(Kind::Trainer, "nnUNetTrainerV2"))),
        ("plugin", epoch_end(&loaded("my_trainer", "MyTrainer"))),
    ];
    row("a trainer's end of epoch", &ends);
    let losses = [("direct", small_loss(false)), ("crossed", small_loss(true))];
    row("loss of one voxel", &losses);
    let added = losses[1].1 - losses[0].1;
    let every_batch = Config::from_iter([("batches".to_owned(), 1.into())]);
    let plugin = loaded("gradient_accumulation", "GradientAccumulation");
    let steps = [
        ("direct", own_step(&own(false), &Config::new())),
        ("crossed", own_step(&own(true), &Config::new())),
        ("plugin", own_step(&plugin, &every_batch)),
    ];
    row("hooks of a step", &steps);
    let seconds = step();
    // Network and loss are the two calls of a step.
    let share = 2.0 * added * 1e-6 / seconds * 100.0;
    let hooks = (steps[2].1 - steps[0].1) * 1e-6 / seconds * 100.0;
    println!("a step through train_step of a plugin costs {hooks:.5} % more; the goal is less than 0.1 %");
    println!(
        "a call adds {added:.3} microseconds; a step takes {seconds:.3} s; its two calls are {share:.5} % of it"
    );
}
