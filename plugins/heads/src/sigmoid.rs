//! Regions that may overlap.

use nnunet_losses::region_masks;
use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::vocabulary::Regions;
use nnunet_plugin_api::{
    Component, Error, Head, HeadFacts, HeadTask, Info, Kind, OnlineDice, Registration, Result, inventory,
};

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Head, "Sigmoid", "Regions that may overlap, each with a sigmoid.")
        .describe("What trainings with `regions` use. Without them each label is a region.");
    Component::head(info, |_config| Ok(Box::new(Sigmoid)))
}));

struct Sigmoid;

/// Labels of each region, and the label that is written for it.
fn regions(task: &HeadTask) -> Result<(Vec<Vec<u8>>, Vec<u8>)> {
    if let Some(Regions { regions, class_order }) = &task.regions {
        return Ok((regions.iter().map(|region| region.labels.clone()).collect(), class_order.clone()));
    }
    let largest = u8::try_from(task.labels);
    let labels: Vec<u8> =
        (1..=largest.map_err(|_| Error::parameter("head", "at most 255 labels"))?).collect();
    Ok((labels.iter().map(|label| vec![*label]).collect(), labels))
}

impl Head for Sigmoid {
    fn facts(&self) -> HeadFacts {
        HeadFacts { dice: OnlineDice::Regions, ..HeadFacts::default() }
    }

    fn outputs(&self, task: &HeadTask) -> Result<usize> {
        Ok(regions(task)?.0.len())
    }

    fn targets(&self, task: &HeadTask, labels: &Tensor) -> Result<Tensor> {
        region_masks(labels, &regions(task)?.0)
    }

    fn scores(&self, outputs: &Tensor) -> Result<Tensor> {
        Ok(outputs.f_to_kind(Element::Float)?.f_sigmoid()?)
    }

    fn written(&self, task: &HeadTask, scores: &Tensor) -> Result<Tensor> {
        let mut labels = Tensor::f_zeros(&scores.size()[1..], (Element::Int64, scores.device()))?;
        for (i, label) in (0..).zip(regions(task)?.1) {
            // Later regions overwrite earlier ones.
            labels = labels.f_masked_fill(&scores.f_select(0, i)?.f_gt(0.5)?, i64::from(label))?;
        }
        Ok(labels)
    }
}
