//! A trainer as a plugin: soft Dice plus focal cross entropy (Lin et al. 2017), and a cosine learning rate
//! (Loshchilov and Hutter 2017). Everything else is `nnUNetTrainerV2`'s.
//!
//! ```sh
//! cargo build --release -p my-trainer
//! nnunet --plugin target/release/libmy_trainer.so train 3d_fullres MyTrainer Task004_Hippocampus 0
//! ```

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_plugin_api::{
    Component, Info, Kind, Loss, LossContext, Registration, Result, Trainer, TrainerContext, export_plugin,
    host, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info =
        Info::new(Kind::Trainer, "MyTrainer", "Soft Dice plus focal cross entropy, cosine learning rate.");
    Component::trainer(info, |_config| Ok(Box::new(MyTrainer)))
}));

struct MyTrainer;

impl Trainer for MyTrainer {
    fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
        blueprint.initial_lr = 5e-3;
        Ok(())
    }

    fn loss(&self, context: &LossContext) -> Result<Option<Box<dyn Loss>>> {
        host::log(&format!("soft Dice plus focal cross entropy of {} classes", context.num_classes));
        Ok(Some(Box::new(FocalDice { classes: context.num_classes as i64, gamma: 2.0 })))
    }

    fn learning_rate(&self, epoch: usize, blueprint: &Blueprint) -> Result<Option<f64>> {
        let done = epoch as f64 / blueprint.max_num_epochs as f64;
        Ok(Some(blueprint.initial_lr * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())))
    }
}

struct FocalDice {
    classes: i64,
    gamma: f64,
}

impl Loss for FocalDice {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let log_p = logits.f_log_softmax(1, Element::Float)?;
        let p = log_p.f_exp()?;
        let log_p_true = log_p.f_gather(1, target, false)?;
        let focus = (log_p_true.f_exp()?.f_neg()? + 1.0).f_pow_tensor_scalar(self.gamma)?;
        let focal = -(focus * log_p_true).f_mean(Element::Float)?;

        let truth = target.f_eq_tensor(&self.class_numbers(logits)?)?.f_to_kind(Element::Float)?;
        let space: Vec<i64> = std::iter::once(0).chain(2..logits.dim() as i64).collect();
        let sum = |x: &Tensor| x.f_sum_dim_intlist(space.as_slice(), false, Element::Float);
        let dice = (sum(&(&p * &truth))? * 2.0 + 1e-5) / (sum(&p)? + sum(&truth)? + 1e-5);
        Ok(focal - dice.f_narrow(0, 1, self.classes - 1)?.f_mean(Element::Float)?)
    }
}

impl FocalDice {
    /// 0, 1, 2, ... along the class axis.
    fn class_numbers(&self, logits: &Tensor) -> Result<Tensor> {
        let mut shape = vec![1; logits.dim()];
        shape[1] = self.classes;
        Ok(Tensor::f_arange(self.classes, (Element::Int64, logits.device()))?.f_reshape(&shape)?)
    }
}
