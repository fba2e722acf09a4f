//! What the loop over epochs does when things go wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod cubes;

use nnunet_architectures::GenericUnet;
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Architecture, Init, Network, NetworkSpec, Result, VarFactory};
use nnunet_training::{Setting, Stopped};

use cubes::{Listener, cases, engine, weights};

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
