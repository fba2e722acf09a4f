//! Classes that exclude each other.

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::{
    Component, Head, HeadFacts, HeadTask, Info, Kind, OnlineDice, Registration, Result, inventory,
};

inventory::submit!(Registration(|| {
    let info =
        Info::new(Kind::Head, "Softmax", "Background and labels that exclude each other, with a softmax.")
            .describe("What trainings without regions use.");
    Component::head(info, |_config| Ok(Box::new(Softmax)))
}));

struct Softmax;

impl Head for Softmax {
    fn facts(&self) -> HeadFacts {
        HeadFacts { dice: OnlineDice::Classes, ..HeadFacts::default() }
    }

    fn outputs(&self, task: &HeadTask) -> Result<usize> {
        Ok(task.labels + 1)
    }

    fn targets(&self, _task: &HeadTask, labels: &Tensor) -> Result<Tensor> {
        Ok(labels.shallow_clone())
    }

    fn scores(&self, outputs: &Tensor) -> Result<Tensor> {
        // libtorch's CPU kernels cannot widen float16 in a softmax.
        Ok(outputs.f_to_kind(Element::Float)?.f_softmax(1, Element::Float)?)
    }

    fn written(&self, _task: &HeadTask, scores: &Tensor) -> Result<Tensor> {
        // The first class on ties.
        Ok(scores.f_argmax(0, false)?)
    }
}
