//! A plugin that goes wrong in the way `NNUNET_MISBEHAVE` says: see the words in the matches below. Without the variable
//! it behaves.

mod block;
mod head;
mod sampler;
mod schedule;
mod transform;
mod whole_cases;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nnunet_plugin_api::tch::{Device, Kind as Element, Tensor, no_grad_guard};
use nnunet_plugin_api::vocabulary::{
    Blueprint, ComponentChoice, EpochReport, LearningRateSchedule, Optimizer as OptimizerChoice,
};
use nnunet_plugin_api::{
    Architecture, Batch, Component, Error, Fold, Info, Init, Kind, Loss, LossContext, LossInput, Metric,
    MetricInput, MetricValue, Metrics, Network, NetworkSpec, Optimized, Optimizer, Registration, Result,
    SchedulePoint, Tally, Trainer, TrainerContext, TrainerState, Training, ValidationCase, VarFactory,
    built_in_step, export_plugin, host, inventory, serde_json::json,
};

export_plugin!();

/// More bytes than an address space has room for.
const HUGE: usize = 1 << 47;

fn fault() -> String {
    std::env::var("NNUNET_MISBEHAVE").unwrap_or_default()
}

/// Waits until the user wants to stop.
fn until_cancelled() -> Error {
    eprintln!("{WAITING}");
    while !host::cancelled() {
        std::thread::sleep(Duration::from_millis(20));
    }
    Error::Cancelled
}

/// The tests wait for this before they interrupt.
const WAITING: &str = "the plugin waits as requested";

/// Never looks whether the user wants to stop.
fn for_ever() -> ! {
    eprintln!("{WAITING}");
    loop {
        std::thread::sleep(Duration::from_millis(20));
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Trainer, "Misbehaving", "Goes wrong on request.");
    Component::trainer(info, |_| {
        assert_ne!(fault(), "panic_in_create", "as requested");
        Ok(Box::new(Misbehaving))
    })
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Architecture, "Pointwise", "One convolution of one voxel.");
    Component::architecture(info, |_| Ok(Box::new(Pointwise)))
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Optimizer, "OddOptimizer", "Gradient descent.");
    Component::optimizer(info, |_| Ok(Box::new(OddOptimizer)))
}));

struct OddOptimizer;

impl Optimizer for OddOptimizer {
    fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(String, Tensor)>> {
        let state = match fault().as_str() {
            "optimizer_shape" => Tensor::f_zeros([7], (Element::Float, parameter.device()))?,
            "optimizer_device" => Tensor::f_zeros(parameter.size(), (Element::Float, Device::Cuda(0)))?,
            "optimizer_dtype" => parameter.f_zeros_like()?.f_to_kind(Element::Int64)?,
            _ => parameter.f_zeros_like()?,
        };
        Ok(vec![("odd".to_owned(), state)])
    }

    fn step(&mut self, parameters: &mut [Optimized], learning_rate: f64) -> Result<()> {
        assert_ne!(fault(), "optimizer_panic", "as requested");
        for Optimized { tensor, gradient, .. } in parameters {
            let factor = if fault() == "optimizer_nan" { f64::NAN } else { learning_rate };
            let _ = tensor.f_sub_(&gradient.f_mul_scalar(factor)?)?;
        }
        if fault() == "optimizer_no_grad" {
            std::mem::forget(no_grad_guard());
        }
        Ok(())
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Metric, "OddMetric", "How many batches there are.");
    Component::metric(info, |_| Ok(Box::new(OddMetric)))
}));

struct OddMetric;

impl Metric for OddMetric {
    fn tally(&self, _input: &MetricInput<'_>) -> Result<Vec<Tally>> {
        assert_ne!(fault(), "metric_panic", "as requested");
        let sum = if fault() == "metric_nan" { f64::NAN } else { 1.0 };
        Ok(vec![Tally::new("batches", sum, 1.0)])
    }

    fn value(&self, tallies: &[Tally]) -> Result<MetricValue> {
        assert_ne!(fault(), "metric_value", "as requested");
        Ok(MetricValue { mean: tallies.len() as f64, ..MetricValue::default() })
    }
}

struct Misbehaving;

impl Trainer for Misbehaving {
    fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
        blueprint.max_num_epochs = 1;
        blueprint.num_batches_per_epoch = 2;
        blueprint.num_val_batches_per_epoch = 1;
        if fault().starts_with("optimizer") {
            blueprint.optimizer = OptimizerChoice::Other(ComponentChoice::named("OddOptimizer"));
        }
        if fault().starts_with("block") {
            let replace = json!({ "block": "OddBlock" });
            blueprint.architecture.parameters.insert("replace".to_owned(), replace);
        }
        if fault().starts_with("head") {
            blueprint.head = Some(ComponentChoice::named("OddHead"));
        }
        if fault().starts_with("transform") {
            let key = if fault().starts_with("transform_first") { "transforms" } else { "then" };
            let list = json!([{ "transform": "OddTransform" }]);
            blueprint.augmentation.parameters.insert(key.to_owned(), list);
        }
        if fault().starts_with("metric") {
            blueprint.metrics = vec![ComponentChoice::named("OddMetric")];
        }
        if fault().starts_with("schedule") {
            blueprint.lr_schedule = LearningRateSchedule::Other(ComponentChoice::named("OddSchedule"));
        }
        if fault().starts_with("sampler") {
            blueprint.sampler = Some(ComponentChoice::named("OddSampler"));
        }
        if fault().starts_with("architecture") || fault() == "pointwise" {
            blueprint.architecture = ComponentChoice::named("Pointwise");
        }
        Ok(())
    }

    fn loss(&self, _context: &LossContext) -> Result<Option<Box<dyn Loss>>> {
        Ok(Some(Box::new(OddLoss)))
    }

    fn learning_rate_at(&self, _at: &SchedulePoint, rate: f64) -> Result<Option<f64>> {
        assert_ne!(fault(), "hook_rate", "as requested");
        Ok((fault() == "hook_rate_nan").then_some(rate * f64::NAN))
    }

    fn on_train_start(&mut self, training: &mut dyn Training) -> Result<()> {
        assert_ne!(fault(), "hook_train_start", "as requested");
        if fault() == "hook_case" { training.case_properties("nobody").map(drop) } else { Ok(()) }
    }

    fn on_train_end(&mut self, _training: &mut dyn Training) -> Result<()> {
        assert_ne!(fault(), "hook_train_end", "as requested");
        Ok(())
    }

    fn on_epoch_start(&mut self, _training: &mut dyn Training) -> Result<()> {
        assert_ne!(fault(), "hook_epoch_start", "as requested");
        Ok(())
    }

    fn on_batch(&mut self, _training: &mut dyn Training, batch: &mut Batch) -> Result<()> {
        match fault().as_str() {
            "hook_batch" => panic!("on_batch panics as requested"),
            "hook_batch_nan" => batch.data = batch.data.f_mul_scalar(f64::NAN)?,
            "hook_batch_device" => batch.data = batch.data.f_to_device(Device::Cuda(0))?,
            "hook_batch_shape" => batch.data = batch.data.f_narrow(2, 0, 1)?,
            _ => {}
        }
        Ok(())
    }

    fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        match fault().as_str() {
            "hook_step" => panic!("train_step panics as requested"),
            "hook_step_nan" => {
                Ok(Some(Tensor::f_full([1], f64::NAN, (Element::Float, batch.data.device()))?))
            }
            "hook_step_shape" => Ok(Some(batch.data.shallow_clone())),
            "hook_step_device" => Ok(Some(Tensor::f_zeros([1], (Element::Float, Device::Cuda(0)))?)),
            "hook_step_no_grad" => {
                let loss = built_in_step(training, batch)?;
                std::mem::forget(no_grad_guard());
                Ok(Some(loss))
            }
            "hook_step_endless" => Err(until_cancelled()),
            "hook_step_deaf" => for_ever(),
            _ => Ok(None),
        }
    }

    fn validation_step(
        &mut self,
        _training: &mut dyn Training,
        _outputs: &[Tensor],
        _batch: &Batch,
    ) -> Result<Vec<Tally>> {
        match fault().as_str() {
            "hook_tally_nan" => Ok(vec![Tally::new("odd", f64::NAN, 1.0)]),
            "hook_validation" => panic!("validation_step panics as requested"),
            _ => Ok(Vec::new()),
        }
    }

    fn metrics(&mut self, _report: &EpochReport, metrics: &mut Metrics) -> Result<()> {
        assert_ne!(fault(), "hook_metrics", "as requested");
        if fault() == "hook_metric_nan" {
            metrics.insert("odd".to_owned(), f64::NAN);
        }
        Ok(())
    }

    fn is_best(&mut self, _report: &EpochReport, _metrics: &Metrics) -> Result<Option<bool>> {
        assert_ne!(fault(), "hook_is_best", "as requested");
        Ok(None)
    }

    fn predicts_with(&self) -> Result<Option<String>> {
        assert_ne!(fault(), "hook_predicts_with", "as requested");
        Ok((fault() == "hook_nobody").then(|| "nobody".to_owned()))
    }

    fn split(&self, cases: &[String], _fold: &str) -> Result<Option<Fold>> {
        whole_cases::split(cases)
    }

    fn validate_case(&mut self, case: &mut dyn ValidationCase) -> Result<Option<Tensor>> {
        whole_cases::validate(case)
    }

    fn save_state(&self) -> Result<TrainerState> {
        assert_ne!(fault(), "hook_save", "as requested");
        let mut state = TrainerState::default();
        if fault() == "hook_load" {
            state.values.insert("odd".to_owned(), 1.into());
        }
        if fault() == "hook_state_dtype" {
            let tensor = Tensor::f_zeros([1], (Element::Int64, Device::Cpu))?;
            state.tensors.insert("odd".to_owned(), tensor);
        }
        Ok(state)
    }

    fn load_state(&mut self, _state: TrainerState) -> Result<()> {
        assert_ne!(fault(), "hook_load", "as requested");
        Ok(())
    }
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        assert_ne!(fault(), "panic_in_drop", "as requested");
    }
}

static NAN_WAS: AtomicBool = AtomicBool::new(false);

struct OddLoss;

impl Loss for OddLoss {
    fn parameters(&mut self, _vars: &mut dyn VarFactory) -> Result<()> {
        assert_ne!(fault(), "loss_parameters", "as requested");
        Ok(())
    }

    fn of_batch(&self, input: &LossInput<'_>) -> Result<Option<Tensor>> {
        let number = || Ok(input.outputs[0].f_mean(Element::Float)?);
        match fault().as_str() {
            "batch_panic" => panic!("of_batch panics as requested"),
            "batch_nan" => number().map(|loss: Tensor| Some(loss * f64::NAN)),
            "batch_shape" => Ok(Some(input.outputs[0].shallow_clone())),
            "batch_dtype" => number().and_then(|loss| Ok(Some(loss.f_to_kind(Element::Int64)?))),
            "batch_device" => number().and_then(|loss| Ok(Some(loss.f_to_device(Device::Cuda(0))?))),
            "batch_no_gradient" => number().map(|loss| Some(loss.detach())),
            "batch_no_grad" => {
                let loss = number().map(|loss| Some(loss * 0.0));
                std::mem::forget(no_grad_guard());
                loss
            }
            _ => Ok(None),
        }
    }

    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let labels = target.f_select(1, 0)?;
        let none: Option<&Tensor> = None;
        let log_p = logits.f_log_softmax(1, Element::Float)?;
        let good = log_p.f_nll_loss_nd(&labels, none, nnunet_plugin_api::tch::Reduction::Mean, -100)?;
        match fault().as_str() {
            "panic" => panic!("the loss panics as requested"),
            "nan" => Ok(good * f64::NAN),
            "nan_once" if !NAN_WAS.swap(true, Ordering::Relaxed) => Ok(good * f64::NAN),
            "shape" => Ok(logits.f_mul(logits)?),
            "no_gradient" => Ok(good.detach()),
            "dtype" => Ok(good.f_to_kind(Element::Int64)?),
            "device" => Ok(good.f_to_device(Device::Cuda(0))?),
            "mixed_devices" => {
                let ones = Tensor::f_ones(log_p.size(), (Element::Float, Device::Cpu))?;
                Ok(good + log_p.f_mul(&ones)?.f_mean(Element::Float)?)
            }
            "leaked_no_grad" => {
                std::mem::forget(no_grad_guard());
                Ok(good)
            }
            "stdout" => {
                println!("the loss prints as requested");
                Ok(good)
            }
            "endless" => Err(until_cancelled()),
            "deaf" => for_ever(),
            "allocation" => {
                // Hidden from the compiler, which would leave out memory that nobody uses.
                let memory = std::hint::black_box(Vec::<u8>::with_capacity(HUGE));
                Ok(good * memory.capacity() as f64)
            }
            "tensor_allocation" => {
                Ok(Tensor::f_zeros([HUGE as i64], (Element::Float, Device::Cpu))?.f_sum(Element::Float)?)
            }
            _ => Ok(good),
        }
    }
}

struct Pointwise;

impl Architecture for Pointwise {
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
        if spec.patch_size.len() != 3 {
            return Err(Error::message("Pointwise is for volumes"));
        }
        let shape = [spec.num_classes as i64, spec.num_input_channels as i64, 1, 1, 1];
        let weight = vars.parameter("weight", &shape, Init::KaimingNormal { negative_slope: 0.01 })?;
        Ok(Box::new(PointwiseNetwork { weight }))
    }
}

struct PointwiseNetwork {
    weight: Tensor,
}

impl Network for PointwiseNetwork {
    fn forward(&self, input: &Tensor, _deep_supervision: bool) -> Result<Vec<Tensor>> {
        let none: Option<&Tensor> = None;
        let output = input.f_conv3d(&self.weight, none, [1, 1, 1], [0, 0, 0], [1, 1, 1], 1)?;
        match fault().as_str() {
            "architecture_panic" => panic!("the network panics as requested"),
            "architecture_shape" => Ok(vec![output.f_narrow(2, 0, 1)?]),
            "architecture_dtype" => Ok(vec![output.f_to_kind(Element::Int64)?]),
            _ => Ok(vec![output]),
        }
    }
}
