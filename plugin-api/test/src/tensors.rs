//! Components that work on tensors.

use nnunet_plugin_core::serde_json::{from_value, json};
use nnunet_plugin_core::vocabulary::{Blueprint, Plans};
use nnunet_plugin_core::{Config, Error, Make};
use nnunet_plugin_torch::abi::leaked_modes;
use nnunet_plugin_torch::tch::{Device, Kind as Element, Tensor, no_grad};
use nnunet_plugin_torch::{
    Architecture, Loss, LossContext, Network, NetworkSpec, Optimized, Optimizer, Trainer, TrainerContext,
};

use crate::findings::{Checked, Report, same, text};
use crate::random::seeded;
use crate::variables::Variables;

const CLASSES: i64 = 3;
/// Extreme logits, as of a network that has diverged.
const EXTREME: f64 = 1e4;

/// Notes whether a call left gradient mode, autocast or the number of threads as they were.
pub(crate) fn watched<T>(report: &mut Report<'_>, call: impl FnOnce(&mut Report<'_>) -> T) -> T {
    let before = leaked_modes();
    let result = call(report);
    let leaks = leaked_modes() - before;
    let finding = if leaks == 0 { Ok(()) } else { Err(format!("{leaks} calls changed them")) };
    report.note("leaves gradient mode, autocast and threads alone", finding);
    result
}

pub(crate) fn loss(loss: &dyn Loss, report: &mut Report<'_>) {
    watched(report, |report| loss_calls(loss, report));
}

fn loss_calls(loss: &dyn Loss, report: &mut Report<'_>) {
    let _turn = seeded();
    for space in [vec![4, 6, 8], vec![6, 8]] {
        let shape = |channels: i64| [vec![2, channels], space.clone()].concat();
        let axes = space.len();
        let logits = Tensor::randn(shape(CLASSES), (Element::Float, Device::Cpu)).set_requires_grad(true);
        let target = Tensor::randint(CLASSES, shape(1), (Element::Int64, Device::Cpu));
        let Some(value) =
            report.made(&format!("accepts logits of {axes} axes"), loss.forward(&logits, &target))
        else {
            continue;
        };
        report.note("returns a finite number", finite(&value));
        report.note("has a finite gradient", gradient(&value, &logits));
        let again = loss.forward(&logits, &target).map_err(text);
        report.note(
            "returns the same result twice",
            again.and_then(|b| same(&value.double_value(&[]), &b.double_value(&[]))),
        );
        let empty = loss.forward(&logits, &target.zeros_like()).map_err(text).and_then(|v| finite(&v));
        report.note("returns a finite number where there is only background", empty);
        let extreme = loss.forward(&(&logits * EXTREME), &target).map_err(text).and_then(|v| finite(&v));
        report.note("returns a finite number for extreme logits", extreme);
    }
}

fn gradient(value: &Tensor, of: &Tensor) -> Checked {
    value.f_backward().map_err(|error| error.to_string())?;
    let gradient = of.grad();
    if !gradient.defined() { Err("no gradient reaches the logits".to_owned()) } else { finite(&gradient) }
}

pub(crate) fn finite(tensor: &Tensor) -> Checked {
    let all = tensor.f_isfinite().and_then(|is| is.f_all()).map_err(|error| error.to_string())?;
    if all.int64_value(&[]) == 1 { Ok(()) } else { Err("NaN or infinite values".to_owned()) }
}

pub(crate) fn optimizer(mut optimizer: Box<dyn Optimizer>, report: &mut Report<'_>) {
    watched(report, |report| {
        for shape in [vec![3, 2, 3, 3, 3], vec![3]] {
            let axes = shape.len();
            let _turn = seeded();
            let [tensor, gradient] = [0, 1].map(|_| Tensor::randn(&shape, (Element::Float, Device::Cpu)));
            let made = optimizer.initial_state(&tensor);
            let what = format!("makes the state of a parameter of {axes} axes");
            let Some(state) = report.made(&what, made) else { continue };
            let before = tensor.copy();
            let state = state.into_iter().map(|(_, tensor)| tensor).collect();
            let mut parameters = [Optimized { name: "weight".to_owned(), tensor, gradient, state }];
            // Some optimizers only keep the gradient in the first step.
            let steps = no_grad(|| (0..3).try_for_each(|_| optimizer.step(&mut parameters, 0.1)));
            if report.made("takes a step", steps).is_none() {
                continue;
            }
            let after = &parameters[0].tensor;
            report.note("leaves finite numbers", finite(after));
            let moved = if after.equal(&before) { Err("it did not".to_owned()) } else { Ok(()) };
            report.note("changes a parameter that has a gradient", moved);
        }
    });
}

pub(crate) fn architecture(make: &Make<dyn Architecture>, report: &mut Report<'_>) {
    let Some(architecture) = report.made("is created from its defaults", make(&Config::new())) else {
        return;
    };
    watched(report, |report| {
        let patches = [vec![16, 24, 16], vec![24, 16]];
        let refused: Vec<String> =
            patches.iter().filter_map(|patch| build(&*architecture, patch, report).err()).collect();
        match refused.as_slice() {
            [] => {}
            // A network may be for volumes or for slices alone; then it must say so before it is trained.
            [why] => report.note(&format!("refuses the other number of axes: {why}"), Ok(())),
            all => report.note("builds a network", Err(all.join("; "))),
        }
    });
}

fn spec(patch: &[usize]) -> Result<NetworkSpec, Error> {
    let axes = patch.len();
    let spec = json!({
        "num_input_channels": 2, "num_classes": CLASSES, "base_num_features": 4, "conv_per_stage": 2,
        "patch_size": patch, "pool_op_kernel_sizes": vec![vec![2; axes]; 2],
        "conv_kernel_sizes": vec![vec![3; axes]; 3],
    });
    from_value(spec).map_err(|error| Error::message(error.to_string()))
}

/// A network for one patch, used; or why there is none.
fn build(architecture: &dyn Architecture, patch: &[usize], report: &mut Report<'_>) -> Result<(), String> {
    let _turn = seeded();
    let mut store = Variables::default();
    let network = spec(patch).and_then(|spec| architecture.build(&mut store, &spec)).map_err(text)?;
    report.note(&format!("builds a network of {} axes", patch.len()), Ok(()));
    forward(&*network, patch, &store, report);
    Ok(())
}

fn forward(network: &dyn Network, patch: &[usize], store: &Variables, report: &mut Report<'_>) {
    let space: Vec<i64> = patch.iter().map(|len| *len as i64).collect();
    let input = Tensor::randn([vec![1, 2], space.clone()].concat(), (Element::Float, Device::Cpu));
    let Some(outputs) = report.made("maps an image to logits", network.forward(&input, true)) else { return };
    let Some(first) = outputs.first() else {
        return report.note("returns an output", Err("none".to_owned()));
    };
    report.note("gives numbers", finite(first));
    let again = network.forward(&input, true).map_err(text);
    report.note(
        "returns the same result twice",
        again.and_then(|b| same(&true, &b.first().is_some_and(|b| b.equal(first)))),
    );
    report.note("keeps the size of the patch", same(&[vec![1, CLASSES], space].concat(), &first.size()));
    let reached =
        first.f_sum(Element::Float).and_then(|sum| sum.f_backward()).map_err(|error| error.to_string());
    let reached = reached.and_then(|()| match store.trainable().find(|tensor| tensor.grad().defined()) {
        Some(_) => Ok(()),
        None => Err("no gradient reaches a parameter; are they made through `vars`?".to_owned()),
    });
    report.note("learns", reached);
}

pub(crate) fn trainer(make: &Make<dyn Trainer>, report: &mut Report<'_>) {
    let Some(trainer) = report.made("is created from its defaults", make(&Config::new())) else { return };
    watched(report, |report| {
        let mut blueprint = Blueprint::default();
        for configuration in ["2d", "3d_lowres", "3d_fullres"] {
            let context =
                TrainerContext { configuration: configuration.to_owned(), plans: Plans::default(), stage: 0 };
            blueprint = Blueprint::default();
            report.made(&format!("configures {configuration}"), trainer.configure(&mut blueprint, &context));
        }
        let rates = [0, blueprint.max_num_epochs / 2, blueprint.max_num_epochs.saturating_sub(1)];
        let rates =
            rates.into_iter().try_for_each(|epoch| trainer.learning_rate(epoch, &blueprint).map(drop));
        report.note("has a learning rate for every epoch", rates.map_err(text));
        let context = LossContext { num_classes: CLASSES as usize, batch_dice: true };
        if let Some(Some(own)) = report.made("returns a loss or none", trainer.loss(&context)) {
            loss_calls(&*own, report);
        }
    });
}
