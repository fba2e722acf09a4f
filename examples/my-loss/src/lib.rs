//! A built-in loss plus a term: Dice and cross entropy, and the difference between the edges of foreground.

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::{
    Component, Config, Info, Kind, Loss, Registration, Result, export_plugin, host, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "DiceAndEdges", "DC_and_CE_loss plus the difference between edges.");
    Component::loss(info, |_config| Ok(Box::new(DiceAndEdges(host::loss("DC_and_CE_loss", &Config::new())?))))
}));

struct DiceAndEdges(Box<dyn Loss>);

impl Loss for DiceAndEdges {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let predicted = logits.f_softmax(1, Element::Float)?.f_select(1, 0)?;
        let wanted = target.f_select(1, 0)?.f_eq(0)?.f_to_kind(Element::Float)?;
        let mut loss = self.0.forward(logits, target)?;
        for axis in 1..predicted.dim() as i64 {
            let edges = |x: &Tensor| x.f_diff(1, axis, None::<&Tensor>, None::<&Tensor>);
            let difference = edges(&predicted)?.f_sub(&edges(&wanted)?)?.f_square()?;
            loss = loss.f_add(&difference.f_mean(Element::Float)?)?;
        }
        Ok(loss)
    }
}
