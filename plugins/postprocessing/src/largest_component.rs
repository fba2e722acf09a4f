//! Keeps the largest connected component of a class, or of several classes together
//! (v1 `remove_all_but_the_largest_connected_component`).

use nnunet_numerics::connected_components;
use nnunet_plugin_api::{
    Component, Info, Kind, LabelVolume, Postprocessor, Registration, Result, inventory, parse_config,
};
use serde::{Deserialize, Serialize};

/// Parameters of [`LargestComponent`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LargestComponentConfig {
    /// What to treat, in order: a class, or a list of classes that are looked at together.
    pub for_which_classes: Vec<Classes>,
}

/// One class, or several as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Classes {
    /// A class on its own.
    One(u8),
    /// Classes as one foreground.
    Joint(Vec<u8>),
}

/// Keeps the largest component; components of equal size are all kept.
#[derive(Debug, Clone, Default)]
pub struct LargestComponent {
    config: LargestComponentConfig,
}

inventory::submit!(Registration(|| {
    let info = Info::new(
        Kind::Postprocessor,
        "LargestComponent",
        "Keeps the largest connected component of classes.",
    );
    Component::postprocessor(info.with_defaults(&LargestComponentConfig::default()), |config| {
        Ok(Box::new(LargestComponent { config: parse_config(config)? }))
    })
}));

impl Postprocessor for LargestComponent {
    fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
        for classes in &self.config.for_which_classes {
            let of_interest: &[u8] = match classes {
                Classes::One(class) => std::slice::from_ref(class),
                Classes::Joint(classes) => classes,
            };
            let mask = volume.labels.mapv(|label| of_interest.contains(&label));
            let found = connected_components(mask.view());
            let largest = found.sizes.iter().copied().max().unwrap_or(0);
            ndarray::Zip::from(&mut volume.labels).and(&found.labels).for_each(|label, component| {
                if *component > 0 && found.sizes[*component as usize - 1] < largest {
                    *label = 0;
                }
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn small_islands_go_and_other_classes_stay() {
        let mut labels = Array3::zeros((1, 1, 9));
        for (x, label) in [1, 1, 0, 1, 2, 0, 2, 2, 0].into_iter().enumerate() {
            labels[[0, 0, x]] = label;
        }
        let mut volume = LabelVolume { labels, spacing: [1.0; 3] };
        let config = LargestComponentConfig { for_which_classes: vec![Classes::One(1)] };
        LargestComponent { config }.apply(&mut volume).unwrap();
        assert_eq!(volume.labels.iter().copied().collect::<Vec<_>>(), [1, 1, 0, 0, 2, 0, 2, 2, 0]);
    }
}
