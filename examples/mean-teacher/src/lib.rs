//! A student that also learns what a teacher thinks: a network with the moving average of the student's weights
//! (Tarvainen and Valpola 2017).

use nnunet_plugin_api::tch::{Kind as Element, Reduction, Tensor, no_grad};
use nnunet_plugin_api::{
    Batch, Component, Info, Kind, Registration, Result, Trainer, Training, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Trainer, "MeanTeacher", "Labels, and the predictions of averaged weights.");
    Component::trainer(info, |_config| Ok(Box::new(MeanTeacher)))
}));

const TEACHER: &str = "teacher";
/// Share of the teacher that stays in a step.
const DECAY: f64 = 0.9;
/// Weight of the teacher's predictions in the loss.
const WEIGHT: f64 = 0.5;

struct MeanTeacher;

impl Trainer for MeanTeacher {
    fn on_train_start(&mut self, training: &mut dyn Training) -> Result<()> {
        training.add_network(TEACHER)
    }

    fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        training.zero_grad()?;
        let outputs = training.forward(&batch.data)?;
        let taught = no_grad(|| training.forward_of(TEACHER, &batch.data))?;
        let [student, teacher] = [&outputs[0], &taught[0]].map(|x| x.f_softmax(1, Element::Float));
        let distance = student?.f_mse_loss(&teacher?, Reduction::Mean)?;
        let loss = training.loss(&outputs, batch)?.f_add(&distance.f_mul_scalar(WEIGHT)?)?;
        training.backward(&loss)?;
        let largest = training.progress()?.gradient_clipping;
        let _norm = training.clip_gradients(largest)?;
        training.optimizer_step()?;
        no_grad(|| -> Result<()> {
            for (mut teacher, student) in
                training.parameters_of(TEACHER)?.into_iter().zip(training.parameters()?)
            {
                if teacher.tensor.is_floating_point() {
                    let _ = teacher.tensor.f_lerp_(&student.tensor, 1.0 - DECAY)?;
                }
            }
            Ok(())
        })?;
        Ok(Some(loss.detach()))
    }
}
