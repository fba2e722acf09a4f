//! MyHead: what the outputs of a network mean, for nnunet.

use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::{
    Component, Head, HeadFacts, HeadTask, Info, Kind, Registration, Result, Written, export_plugin,
    inventory, parse_config,
};

export_plugin!();

/// Its parameters: `head = { name = "MyHead", scale = 10.0 }` in a trainer's table.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct MyHead {
    /// The network learns numbers of the label map divided by this.
    scale: f64,
}

impl Default for MyHead {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Head, "MyHead", "Regresses the number in the label map.");
    Component::head(info.with_config::<MyHead>(), |config| Ok(Box::new(parse_config::<MyHead>(config)?)))
}));

impl Head for MyHead {
    fn facts(&self) -> HeadFacts {
        HeadFacts { written: Written::Values, ..HeadFacts::default() }
    }

    fn outputs(&self, _task: &HeadTask) -> Result<usize> {
        Ok(1)
    }

    /// What the network is trained on; the loss gets it as its target.
    fn targets(&self, _task: &HeadTask, labels: &Tensor) -> Result<Tensor> {
        Ok(labels.f_to_kind(Element::Float)?.f_div_scalar(self.scale)?)
    }

    fn written(&self, _task: &HeadTask, scores: &Tensor) -> Result<Tensor> {
        Ok(scores.f_select(0, 0)?.f_mul_scalar(self.scale)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_has_the_scale_of_the_labels() {
        let (head, task) = (MyHead { scale: 2.0 }, HeadTask::default());
        let labels = Tensor::from_slice(&[0_i64, 4]).reshape([1, 1, 1, 2]);
        let targets = head.targets(&task, &labels).unwrap();
        assert_eq!(targets, Tensor::from_slice(&[0.0_f32, 2.0]).reshape([1, 1, 1, 2]));
        let written = head.written(&task, &targets.reshape([1, 1, 1, 2])).unwrap();
        assert_eq!(written, Tensor::from_slice(&[0.0_f32, 4.0]).reshape([1, 1, 2]));
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
