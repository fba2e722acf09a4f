//! Two tasks of one network: labels, and whether the last label is in the patch at all; it is written only where both say
//! so. A trainer takes it with `head = "WithPresence"` and `loss = "WithPresence"` in its table.

use nnunet_plugin_api::tch::{Kind as Element, Reduction, Tensor};
use nnunet_plugin_api::{
    Component, Head, HeadFacts, HeadTask, Info, Kind, Loss, OnlineDice, Registration, Result, export_plugin,
    host, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Head, "WithPresence", "Labels, and whether the last one is there.");
    Component::head(info, |_config| Ok(Box::new(WithPresence)))
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "WithPresence", "That of the labels, and that of the presence.");
    Component::loss(info, |config| Ok(Box::new(BothTasks(host::loss("DC_and_CE_loss", config)?))))
}));

struct WithPresence;

impl Head for WithPresence {
    fn facts(&self) -> HeadFacts {
        HeadFacts { dice: OnlineDice::Classes, ..HeadFacts::default() }
    }
    fn outputs(&self, task: &HeadTask) -> Result<usize> {
        Ok(task.labels + 2)
    }
    fn targets(&self, task: &HeadTask, labels: &Tensor) -> Result<Tensor> {
        let space: Vec<i64> = (1..labels.dim() as i64).collect();
        let last = labels.f_eq(task.labels as i64)?.f_to_kind(Element::Float)?.f_amax(&space[..], true)?;
        Ok(Tensor::f_cat(&[labels.f_to_kind(Element::Float)?, last.f_expand_as(labels)?], 1)?)
    }
    fn scores(&self, outputs: &Tensor) -> Result<Tensor> {
        let (labels, presence) = (outputs.size()[1] - 1, outputs.f_narrow(1, -1, 1)?);
        let labels = outputs.f_narrow(1, 0, labels)?.f_softmax(1, Element::Float)?;
        Ok(Tensor::f_cat(&[labels, presence.f_to_kind(Element::Float)?.f_sigmoid()?], 1)?)
    }
    fn written(&self, task: &HeadTask, scores: &Tensor) -> Result<Tensor> {
        let labels = scores.f_narrow(0, 0, task.labels as i64 + 1)?.f_argmax(0, false)?;
        let absent = scores.f_select(0, -1)?.f_lt(0.5)?.f_logical_and(&labels.f_eq(task.labels as i64)?)?;
        Ok(labels.f_masked_fill(&absent, 0)?)
    }
}

struct BothTasks(Box<dyn Loss>);

impl Loss for BothTasks {
    fn forward(&self, outputs: &Tensor, target: &Tensor) -> Result<Tensor> {
        let (labels, presence) = (outputs.size()[1] - 1, outputs.f_select(1, -1)?.f_flatten(1, -1)?);
        let classes = target.f_narrow(1, 0, 1)?.f_to_kind(Element::Int64)?;
        let first = self.0.forward(&outputs.f_narrow(1, 0, labels)?, &classes)?;
        let truth = target.f_select(1, 1)?.f_flatten(1, -1)?.f_select(1, 0)?;
        let p = presence.f_mean_dim([1].as_slice(), false, Element::Float)?;
        let second = p.f_binary_cross_entropy_with_logits::<Tensor>(&truth, None, None, Reduction::Mean)?;
        Ok(first + second)
    }
}
