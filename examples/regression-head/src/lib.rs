//! A head that regresses the number in the label map, and writes an image of numbers; the smallest error is the best.
//! A trainer takes it with `head = "Numbers"` and `loss = "SquaredError"` in its table.

use nnunet_plugin_api::tch::{Kind as Element, Reduction, Tensor};
use nnunet_plugin_api::vocabulary::ComponentChoice;
use nnunet_plugin_api::{
    Component, Head, HeadFacts, HeadTask, Info, Kind, Loss, Metric, MetricInput, Registration, Result, Tally,
    Written, export_plugin, inventory,
};

export_plugin!();

struct Regression;

macro_rules! parts {
    ($($make:ident $kind:ident $name:literal $summary:literal;)*) => {
        $(inventory::submit!(Registration(|| {
            Component::$make(Info::new(Kind::$kind, $name, $summary), |_config| Ok(Box::new(Regression)))
        }));)*
    };
}

parts! {
    head Head "Numbers" "One number in each voxel.";
    loss Loss "SquaredError" "Mean squared error.";
    metric Metric "AbsoluteError" "Mean absolute error.";
}

impl Head for Regression {
    fn facts(&self) -> HeadFacts {
        let metric = Some(ComponentChoice::named("AbsoluteError"));
        HeadFacts { written: Written::Values, metric, ..HeadFacts::default() }
    }
    fn outputs(&self, _task: &HeadTask) -> Result<usize> {
        Ok(1)
    }
    fn targets(&self, _task: &HeadTask, labels: &Tensor) -> Result<Tensor> {
        Ok(labels.f_to_kind(Element::Float)?)
    }
}

impl Loss for Regression {
    fn forward(&self, outputs: &Tensor, target: &Tensor) -> Result<Tensor> {
        Ok(outputs.f_mse_loss(target, Reduction::Mean)?)
    }
}

impl Metric for Regression {
    fn tally(&self, input: &MetricInput<'_>) -> Result<Vec<Tally>> {
        let wrong = input.logits.f_sub(input.target)?.f_abs()?.f_sum(Element::Double)?;
        Ok(vec![Tally::new("voxels", f64::try_from(wrong)?, input.target.numel() as f64)])
    }
    fn larger_is_better(&self) -> bool {
        false
    }
}
