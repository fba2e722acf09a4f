//! A plugin that goes wrong in the way `NNUNET_MISBEHAVE` says: see the words in the matches below. Without the variable
//! it behaves.

use std::sync::atomic::{AtomicBool, Ordering};

use nnunet_plugin_api::tch::{Device, Kind as Element, Tensor, no_grad_guard};
use nnunet_plugin_api::vocabulary::{
    Blueprint, ComponentChoice, LearningRateSchedule, Optimizer as OptimizerChoice,
};
use nnunet_plugin_api::{
    Architecture, Batch, Component, Config, Error, Head, HeadFacts, HeadTask, Info, Init, Kind, Loss,
    LossContext, Metric, MetricInput, MetricValue, Network, NetworkSpec, OnlineDice, Optimized, Optimizer,
    Registration, Result, Schedule, SchedulePoint, Tally, Trainer, TrainerContext, TrainerState, Training,
    VarFactory, built_in_step, export_plugin, host, inventory,
};

export_plugin!();

/// More bytes than an address space has room for.
const HUGE: usize = 1 << 47;

fn fault() -> String {
    std::env::var("NNUNET_MISBEHAVE").unwrap_or_default()
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
    let info = Info::new(Kind::Schedule, "OddSchedule", "The same rate in all epochs.");
    Component::schedule(info, |_| Ok(Box::new(OddSchedule)))
}));

struct OddSchedule;

impl Schedule for OddSchedule {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        assert_ne!(fault(), "schedule_panic", "as requested");
        Ok(match fault().as_str() {
            "schedule_nan" => f64::NAN,
            "schedule_negative" => -at.initial_lr,
            _ => at.initial_lr,
        })
    }

    fn save_state(&self) -> Result<Config> {
        assert_ne!(fault(), "schedule_state", "as requested");
        Ok(Config::new())
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Metric, "OddMetric", "How many batches there are.");
    Component::metric(info, |_| Ok(Box::new(OddMetric)))
}));

struct OddMetric;

inventory::submit!(Registration(|| {
    Component::head(Info::new(Kind::Head, "OddHead", "Labels."), |_| Ok(Box::new(OddHead)))
}));

struct OddHead;

impl Head for OddHead {
    fn facts(&self) -> HeadFacts {
        assert_ne!(fault(), "head_facts", "as requested");
        HeadFacts { dice: OnlineDice::Classes, ..HeadFacts::default() }
    }

    fn outputs(&self, task: &HeadTask) -> Result<usize> {
        assert_ne!(fault(), "head_outputs", "as requested");
        Ok(if fault() == "head_none" { 0 } else { task.labels + 1 })
    }

    fn targets(&self, _task: &HeadTask, labels: &Tensor) -> Result<Tensor> {
        assert_ne!(fault(), "head_targets", "as requested");
        Ok(if fault() == "head_targets_shape" { labels.f_select(0, 0)? } else { labels.shallow_clone() })
    }

    fn scores(&self, outputs: &Tensor) -> Result<Tensor> {
        assert_ne!(fault(), "head_scores", "as requested");
        Ok(if fault() == "head_scores_shape" { outputs.f_select(1, 0)? } else { outputs.shallow_clone() })
    }

    fn written(&self, _task: &HeadTask, scores: &Tensor) -> Result<Tensor> {
        assert_ne!(fault(), "head_written", "as requested");
        Ok(if fault() == "head_written_kind" { scores.f_select(0, 0)? } else { scores.f_argmax(0, false)? })
    }
}

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
        if fault().starts_with("head") {
            blueprint.head = Some(ComponentChoice::named("OddHead"));
        }
        if fault().starts_with("metric") {
            blueprint.metrics = vec![ComponentChoice::named("OddMetric")];
        }
        if fault().starts_with("schedule") {
            blueprint.lr_schedule = LearningRateSchedule::Other(ComponentChoice::named("OddSchedule"));
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

    fn on_epoch_start(&mut self, _training: &mut dyn Training) -> Result<()> {
        assert_ne!(fault(), "hook_epoch_start", "as requested");
        Ok(())
    }

    fn on_batch(&mut self, _training: &mut dyn Training, batch: &mut Batch) -> Result<()> {
        match fault().as_str() {
            "hook_batch" => panic!("on_batch panics as requested"),
            "hook_batch_nan" => batch.data = batch.data.f_mul_scalar(f64::NAN)?,
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
            "hook_step_endless" => {
                while !host::cancelled() {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                Err(Error::Cancelled)
            }
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

    fn predicts_with(&self) -> Result<Option<String>> {
        Ok((fault() == "hook_nobody").then(|| "nobody".to_owned()))
    }

    fn save_state(&self) -> Result<TrainerState> {
        assert_ne!(fault(), "hook_save", "as requested");
        let mut state = TrainerState::default();
        if fault() == "hook_state_dtype" {
            let tensor = Tensor::f_zeros([1], (Element::Int64, Device::Cpu))?;
            state.tensors.insert("odd".to_owned(), tensor);
        }
        Ok(state)
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
            "endless" => {
                while !host::cancelled() {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                Err(Error::Cancelled)
            }
            "deaf" => loop {
                std::thread::sleep(std::time::Duration::from_millis(20));
            },
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
