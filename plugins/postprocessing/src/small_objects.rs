//! Removal of small components and filling of holes, as in several challenge submissions.

use nnunet_numerics::{connected_components, fill_holes};
use nnunet_plugin_core::{
    Component, Info, Kind, LabelVolume, Postprocessor, Registration, Result, inventory, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of [`MinimumSize`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MinimumSizeConfig {
    /// Classes to process, each separately; all classes if empty.
    pub classes: Vec<u8>,
    /// Components smaller than this, in mm3, become background.
    pub mm3: f64,
}

impl Default for MinimumSizeConfig {
    fn default() -> Self {
        Self { classes: Vec::new(), mm3: 10.0 }
    }
}

/// Removes components below a minimum size.
#[derive(Debug, Clone, Default)]
pub struct MinimumSize(MinimumSizeConfig);

/// Parameters of [`FillHoles`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FillHolesConfig {
    /// Classes to process, in order; all classes if empty.
    pub classes: Vec<u8>,
}

/// Assigns background that is enclosed by a class to that class.
#[derive(Debug, Clone, Default)]
pub struct FillHoles(FillHolesConfig);

inventory::submit!(Registration(|| {
    let info = Info::new(
        Kind::Postprocessor,
        "MinimumSize",
        "Removes connected components smaller than a given volume.",
    );
    Component::postprocessor(info.with_config::<MinimumSizeConfig>(), |config| {
        Ok(Box::new(MinimumSize(parse_config(config)?)))
    })
}));

inventory::submit!(Registration(|| {
    let info =
        Info::new(Kind::Postprocessor, "FillHoles", "Fills holes: background that is enclosed by a class.");
    Component::postprocessor(info.with_config::<FillHolesConfig>(), |config| {
        Ok(Box::new(FillHoles(parse_config(config)?)))
    })
}));

/// The classes to process: the given ones, or all that occur.
fn chosen(named: &[u8], volume: &LabelVolume) -> Vec<u8> {
    if !named.is_empty() {
        return named.to_vec();
    }
    let mut occurs = [false; 256];
    volume.labels.iter().for_each(|label| occurs[usize::from(*label)] = true);
    (1..=u8::MAX).filter(|class| occurs[usize::from(*class)]).collect()
}

impl Postprocessor for MinimumSize {
    fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
        let voxel: f64 = volume.spacing.iter().product();
        for class in chosen(&self.0.classes, volume) {
            let found = connected_components(volume.labels.mapv(|label| label == class).view());
            ndarray::Zip::from(&mut volume.labels).and(&found.labels).for_each(|label, component| {
                if *component > 0 && (found.sizes[*component as usize - 1] as f64) * voxel < self.0.mm3 {
                    *label = 0;
                }
            });
        }
        Ok(())
    }
}

impl Postprocessor for FillHoles {
    fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
        for class in chosen(&self.0.classes, volume) {
            let mut mask = volume.labels.mapv(|label| label == class);
            fill_holes(&mut mask);
            ndarray::Zip::from(&mut volume.labels).and(&mask).for_each(|label, inside| {
                if *inside && *label == 0 {
                    *label = class;
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
    fn components_below_the_size_go() {
        let labels = Array3::from_shape_vec((1, 1, 6), vec![1, 1, 0, 1, 0, 2]).unwrap();
        let mut volume = LabelVolume { labels, spacing: [3.0, 1.0, 1.0] };
        MinimumSize(MinimumSizeConfig { classes: vec![1], mm3: 4.0 }).apply(&mut volume).unwrap();
        assert_eq!(volume.labels.iter().copied().collect::<Vec<_>>(), [1, 1, 0, 0, 0, 2]);
    }

    #[test]
    fn holes_are_filled_but_not_other_classes() {
        let mut labels = Array3::from_elem((5, 5, 5), 0);
        labels.slice_mut(ndarray::s![1..4, 1..4, 1..4]).fill(1);
        labels[[2, 2, 2]] = 0;
        let mut other = labels.clone();
        other[[2, 2, 2]] = 2;
        for (labels, middle) in [(labels, 1), (other, 2)] {
            let mut volume = LabelVolume { labels, spacing: [1.0; 3] };
            FillHoles::default().apply(&mut volume).unwrap();
            assert_eq!(volume.labels[[2, 2, 2]], middle);
            assert_eq!(volume.labels[[0, 0, 0]], 0);
        }
    }
}
