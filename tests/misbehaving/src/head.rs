//! A head that goes wrong on request.

use nnunet_plugin_api::tch::{Device, Kind as Element, Tensor};
use nnunet_plugin_api::{
    Component, Head, HeadFacts, HeadTask, Info, Kind, OnlineDice, Registration, Result, inventory,
};

use crate::{fault, for_ever, until_cancelled};

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Head, "OddHead", "Labels.");
    Component::head(info, |_| {
        assert_ne!(fault(), "head_create", "as requested");
        Ok(Box::new(OddHead))
    })
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
        match fault().as_str() {
            "head_targets" => panic!("targets panics as requested"),
            "head_targets_shape" => Ok(labels.f_select(0, 0)?),
            "head_targets_dtype" => Ok(labels.f_to_kind(Element::Bool)?),
            "head_targets_nan" => Ok(labels.f_to_kind(Element::Float)?.f_mul_scalar(f64::NAN)?),
            "head_targets_device" => Ok(Tensor::f_zeros(labels.size(), (Element::Int64, Device::Cuda(0)))?),
            "head_endless" => Err(until_cancelled()),
            "head_deaf" => for_ever(),
            _ => Ok(labels.shallow_clone()),
        }
    }

    fn scores(&self, outputs: &Tensor) -> Result<Tensor> {
        match fault().as_str() {
            "head_scores" => panic!("scores panics as requested"),
            "head_scores_shape" => Ok(outputs.f_select(1, 0)?),
            "head_scores_nan" => Ok(outputs.f_mul_scalar(f64::NAN)?),
            _ => Ok(outputs.shallow_clone()),
        }
    }

    fn written(&self, _task: &HeadTask, scores: &Tensor) -> Result<Tensor> {
        let labels = scores.f_argmax(0, false)?;
        match fault().as_str() {
            "head_written" => panic!("written panics as requested"),
            "head_written_shape" => Ok(labels.f_select(0, 0)?),
            "head_written_kind" => Ok(scores.f_select(0, 0)?),
            "head_written_label" => Ok(labels.f_sub_scalar(1000)?),
            _ => Ok(labels),
        }
    }
}
