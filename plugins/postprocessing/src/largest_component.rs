//! Keeps the largest connected component of a class, or of several classes together
//! (v1 `remove_all_but_the_largest_connected_component`).

use ndarray::Array3;
use nnunet_numerics::connected_components;
use nnunet_plugin_core::{
    Component, Info, Kind, LabelVolume, Postprocessor, Registration, Result, inventory, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of [`LargestComponent`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LargestComponentConfig {
    /// Classes to process, in order: a class, or a list of classes that are treated as one.
    pub for_which_classes: Vec<Classes>,
    /// Components of at least this size in mm3 are kept as well, one entry per entry of `for_which_classes`. If absent,
    /// only the largest is kept.
    pub min_valid_object_sizes: Option<Vec<f64>>,
}

/// One class, or several that are treated as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Classes {
    /// A single class.
    One(u8),
    /// Several classes, as one foreground.
    Joint(Vec<u8>),
}

impl Classes {
    /// Whether a label is one of the classes.
    #[must_use]
    pub fn contain(&self, label: u8) -> bool {
        match self {
            Classes::One(class) => *class == label,
            Classes::Joint(classes) => classes.contains(&label),
        }
    }
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
        "Keeps the largest connected component of each class.",
    );
    Component::postprocessor(info.with_config::<LargestComponentConfig>(), |config| {
        Ok(Box::new(LargestComponent { config: parse_config(config)? }))
    })
}));

impl LargestComponent {
    /// A postprocessor with these parameters.
    #[must_use]
    pub fn new(config: LargestComponentConfig) -> Self {
        Self { config }
    }
}

impl Postprocessor for LargestComponent {
    fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
        let voxel: f64 = volume.spacing.iter().product();
        let sizes = self.config.min_valid_object_sizes.as_ref();
        for (i, classes) in self.config.for_which_classes.iter().enumerate() {
            let least = sizes.and_then(|sizes| sizes.get(i)).copied();
            keep_largest(&mut volume.labels, classes, voxel, least);
        }
        Ok(())
    }
}

/// Removes all components of `classes` but the largest, and those of at least `least` mm3 if given. `voxel` is the
/// volume of a voxel in mm3. Returns the size of the largest component in mm3, if there is one.
pub fn keep_largest(
    labels: &mut Array3<u8>,
    classes: &Classes,
    voxel: f64,
    least: Option<f64>,
) -> Option<f64> {
    let mask = labels.mapv(|label| classes.contain(label));
    let found = connected_components(mask.view());
    let sizes: Vec<f64> = found.sizes.iter().map(|voxels| *voxels as f64 * voxel).collect();
    let largest = sizes.iter().copied().reduce(f64::max)?;
    let stays = |size: f64| size == largest || least.is_some_and(|least| size >= least);
    ndarray::Zip::from(labels).and(&found.labels).for_each(|label, component| {
        if *component > 0 && !stays(sizes[*component as usize - 1]) {
            *label = 0;
        }
    });
    Some(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume() -> LabelVolume {
        let mut labels = Array3::zeros((1, 1, 9));
        for (x, label) in [1, 1, 0, 1, 2, 0, 2, 2, 0].into_iter().enumerate() {
            labels[[0, 0, x]] = label;
        }
        LabelVolume { labels, spacing: [2.0, 1.0, 1.0] }
    }

    fn after(config: LargestComponentConfig) -> Vec<u8> {
        let mut volume = volume();
        LargestComponent::new(config).apply(&mut volume).unwrap();
        volume.labels.iter().copied().collect()
    }

    #[test]
    fn small_islands_go_and_other_classes_stay() {
        let config =
            LargestComponentConfig { for_which_classes: vec![Classes::One(1)], ..Default::default() };
        assert_eq!(after(config), [1, 1, 0, 0, 2, 0, 2, 2, 0]);
    }

    #[test]
    fn islands_of_the_least_size_stay() {
        for (least, island) in [(2.0, 1), (2.5, 0)] {
            let min_valid_object_sizes = Some(vec![least]);
            let config =
                LargestComponentConfig { for_which_classes: vec![Classes::One(1)], min_valid_object_sizes };
            assert_eq!(after(config)[3], island, "{least} mm3");
        }
    }

    #[test]
    fn joint_classes_are_one_foreground() {
        let config = LargestComponentConfig {
            for_which_classes: vec![Classes::Joint(vec![1, 2])],
            ..Default::default()
        };
        // Two voxels each: all components of that size stay.
        assert_eq!(after(config), [1, 1, 0, 1, 2, 0, 2, 2, 0]);
    }
}
