//! An optimizer from outside: Adam with decoupled weight decay (Loshchilov and Hutter 2019), and a trainer that uses it.

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice, Optimizer as Choice};
use nnunet_plugin_api::{
    Component, Info, Kind, Optimized, Optimizer, Registration, Result, Trainer, TrainerContext,
    export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Optimizer, "MyAdamW", "Adam with decoupled weight decay.");
    Component::optimizer(info, |_config| Ok(Box::new(MyAdamW)))
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Trainer, "WithMyAdamW", "Trains with MyAdamW, learning rate 1e-3.");
    Component::trainer(info, |_config| Ok(Box::new(WithMyAdamW)))
}));

struct WithMyAdamW;

impl Trainer for WithMyAdamW {
    fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
        blueprint.optimizer = Choice::Other(ComponentChoice::named("MyAdamW"));
        blueprint.initial_lr = 1e-3;
        Ok(())
    }
}

const BETAS: [f64; 2] = [0.9, 0.999];
const WEIGHT_DECAY: f64 = 1e-2;

struct MyAdamW;

impl Optimizer for MyAdamW {
    fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(String, Tensor)>> {
        let step = Tensor::f_zeros(&[] as &[i64], (Element::Float, parameter.device()))?;
        let [first, second] = [parameter.f_zeros_like()?, parameter.f_zeros_like()?];
        let names = ["step", "exp_avg", "exp_avg_sq"].map(str::to_owned);
        Ok(names.into_iter().zip([step, first, second]).collect())
    }

    fn step(&mut self, parameters: &mut [Optimized], learning_rate: f64) -> Result<()> {
        for Optimized { tensor, gradient, state, .. } in parameters {
            let _ = tensor.f_mul_scalar_(1.0 - learning_rate * WEIGHT_DECAY)?;
            let step = f64::try_from(state[0].f_add_scalar_(1.0)?)? as i32;
            let _ = state[1].f_lerp_(gradient, 1.0 - BETAS[0])?;
            let _ = state[2].f_lerp_(&gradient.f_square()?, 1.0 - BETAS[1])?;
            let [bias, root] = [1.0 - BETAS[0].powi(step), (1.0 - BETAS[1].powi(step)).sqrt()];
            let size =
                state[1].f_div(&(state[2].f_sqrt()? / root + 1e-8))?.f_mul_scalar(learning_rate / bias)?;
            let _ = tensor.f_sub_(&size)?;
        }
        Ok(())
    }
}
