//! v1's trainers as components: each changes some values of another one.

use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_plugin_api::{Component, Error, Info, Kind, Result, Trainer, TrainerContext, Variant};

/// Changes the values of the trainer that another one extends.
type Change = fn(&mut Blueprint, &TrainerContext);

struct FromTable(Variant<Change>);

impl Trainer for FromTable {
    fn extends(&self) -> String {
        self.0.extends.to_owned()
    }

    fn configure(&self, blueprint: &mut Blueprint, context: &TrainerContext) -> Result<()> {
        (self.0.change)(blueprint, context);
        Ok(())
    }
}

/// The entry of the registry for a trainer.
pub(crate) fn trainer(variant: Variant<Change>) -> Component {
    let mut info = Info::new(Kind::Trainer, variant.name, variant.summary);
    if variant.extends.is_empty() {
        let mut blueprint = Blueprint::default();
        (variant.change)(&mut blueprint, &TrainerContext::default());
        info = info.with_defaults(&blueprint);
    }
    Component::trainer(info, move |_| Ok(Box::new(FromTable(variant))))
}

/// A class of v1 that cannot train: naming it gives the reason.
pub(crate) fn unavailable(name: &'static str, reason: &'static str) -> Component {
    let info = Info::new(Kind::Trainer, name, format!("Not available: {reason}"));
    Component::trainer(info, move |_| Err::<Box<dyn Trainer>, _>(Error::message(reason)))
}
