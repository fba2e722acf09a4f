//! The network of a configuration of v2's plans, as the choice of an architecture: the built-in ones and plugins'
//! alike.

use anyhow::{Context, Result, ensure};
use nnunet_engine::registry::Registry;
use nnunet_plugin_api::vocabulary::ComponentChoice;
use nnunet_plugin_api::{Config, Kind, NetworkSpec};
use serde::Deserialize;
use serde_json::{Value, json};

/// What a configuration says of its network.
#[derive(Debug, Deserialize)]
pub(super) struct NetworkPlan {
    architecture: Option<Architecture>,
    #[serde(flatten)]
    old: OldArchitecture,
}

#[derive(Debug, Clone, Deserialize)]
struct Architecture {
    network_class_name: String,
    #[serde(default)]
    arch_kwargs: Config,
}

/// Plans before v2.4.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OldArchitecture {
    #[serde(rename = "UNet_class_name")]
    class: Option<String>,
    #[serde(rename = "UNet_base_num_features")]
    base_features: usize,
    unet_max_num_features: usize,
    n_conv_per_stage_encoder: Vec<usize>,
    n_conv_per_stage_decoder: Vec<usize>,
    pool_op_kernel_sizes: Vec<Vec<usize>>,
    conv_kernel_sizes: Vec<Vec<usize>>,
}

/// v2's networks that are built in.
const OWN_NETWORKS: [&str; 2] = ["PlainConvUNet", "ResidualEncoderUNet"];
/// The largest numbers in arguments of v2's networks.
const LARGEST: [(&str, u64); 6] = [
    ("features_per_stage", 16_384),
    ("kernel_sizes", 64),
    ("strides", 64),
    ("n_conv_per_stage", 64),
    ("n_blocks_per_stage", 64),
    ("n_conv_per_stage_decoder", 64),
];

/// Whether a number, or all numbers of a list, however nested, are whole and from 1 to `most`.
fn numbers_within(value: &Value, most: u64) -> bool {
    match value {
        Value::Array(items) => items.iter().all(|item| numbers_within(item, most)),
        other => other.as_u64().is_some_and(|number| (1..=most).contains(&number)),
    }
}

/// The product of all strides along an axis; none if it is larger than any patch.
fn divisor(strides: Option<&Value>, axis: usize) -> Option<usize> {
    let along = |stride: &Value| {
        let number = stride.as_array().map_or(Some(stride), |axes| axes.get(axis))?;
        number.as_u64().and_then(|number| usize::try_from(number).ok())
    };
    let all = strides.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    all.iter().try_fold(1_usize, |product, stride| product.checked_mul(along(stride)?))
}

impl OldArchitecture {
    /// In the form of newer plans.
    fn converted(&self, class: &str, axes: usize) -> Architecture {
        let stages = self.conv_kernel_sizes.len();
        let features = |stage: usize| {
            let doubled = self.base_features.checked_shl(stage as u32).unwrap_or(usize::MAX);
            doubled.min(self.unet_max_num_features)
        };
        let features: Vec<usize> = (0..stages).map(features).collect();
        let arch_kwargs = json!({
            "n_stages": stages,
            "features_per_stage": features,
            "conv_op": format!("torch.nn.modules.conv.Conv{axes}d"),
            "kernel_sizes": self.conv_kernel_sizes,
            "strides": self.pool_op_kernel_sizes,
            "n_conv_per_stage": self.n_conv_per_stage_encoder,
            "n_conv_per_stage_decoder": self.n_conv_per_stage_decoder,
            "conv_bias": true,
            "norm_op": format!("torch.nn.modules.instancenorm.InstanceNorm{axes}d"),
            "nonlin": "torch.nn.LeakyReLU",
        });
        let arch_kwargs = arch_kwargs.as_object().cloned().unwrap_or_default();
        Architecture { network_class_name: class.to_owned(), arch_kwargs }
    }
}

/// An architecture and its arguments.
#[derive(Debug, Clone)]
pub(super) struct PlannedNetwork(Architecture);

impl NetworkPlan {
    /// Checks the numbers that v2's networks are made of: no network has larger ones, and the patch can be divided by the
    /// strides. Other networks than v2's may mean something else by these names.
    ///
    /// # Errors
    /// Returns an error that names the first argument.
    pub(super) fn check(&self, patch_size: &[usize]) -> Result<()> {
        let PlannedNetwork(network) = self.network(patch_size.len())?;
        let class = network.network_class_name.rsplit('.').next().unwrap_or_default();
        if !OWN_NETWORKS.contains(&class) {
            return Ok(());
        }
        for (name, most) in LARGEST {
            let is_small = network.arch_kwargs.get(name).is_none_or(|value| numbers_within(value, most));
            ensure!(is_small, "{name}: no network has numbers that are not from 1 to {most} there");
        }
        for (axis, len) in patch_size.iter().enumerate() {
            let divisor = divisor(network.arch_kwargs.get("strides"), axis);
            ensure!(
                divisor.is_some_and(|divisor| len % divisor == 0),
                "patch_size {patch_size:?} cannot be halved as often as the strides of the network ask for"
            );
        }
        Ok(())
    }

    /// The network for a patch of so many axes.
    ///
    /// # Errors
    /// Returns an error if the configuration names no network.
    pub(super) fn network(&self, axes: usize) -> Result<PlannedNetwork> {
        match (&self.architecture, &self.old.class) {
            (Some(new), _) => Ok(PlannedNetwork(new.clone())),
            (None, Some(class)) => Ok(PlannedNetwork(self.old.converted(class, axes))),
            (None, None) => anyhow::bail!("plans.json: the configuration names no network"),
        }
    }
}

impl PlannedNetwork {
    /// The component: registered under the name that the plans hold, or under that name without its Python package.
    ///
    /// # Errors
    /// Returns an error if there is no such architecture.
    pub(super) fn choice(&self, registry: &Registry) -> Result<ComponentChoice> {
        let class = &self.0.network_class_name;
        let short = class.rsplit('.').next().unwrap_or(class);
        let has_full_name = registry.find(Kind::Architecture, class).is_ok();
        let name = if has_full_name { class } else { short };
        registry.find(Kind::Architecture, name).with_context(|| {
            format!("plans.json names the network {class}; load a plugin that has this architecture")
        })?;
        Ok(ComponentChoice { name: name.to_owned(), parameters: self.0.arch_kwargs.clone() })
    }

    /// With batch norm in place of the norm that the plans name: some trainers exchange it.
    pub(super) fn use_batch_norm(&mut self) {
        if let Some(Value::String(norm)) = self.0.arch_kwargs.get_mut("norm_op") {
            let axes = if norm.ends_with("2d") { 2 } else { 3 };
            *norm = format!("torch.nn.modules.batchnorm.BatchNorm{axes}d");
        }
    }

    /// Strides between the resolutions, the highest first.
    pub(super) fn strides(&self) -> Vec<Vec<usize>> {
        self.vectors("strides").into_iter().skip(1).collect()
    }

    fn vectors(&self, key: &str) -> Vec<Vec<usize>> {
        let value = self.0.arch_kwargs.get(key);
        value.and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default()
    }

    /// Features of the first resolution, where the plans say.
    pub(super) fn features(&self) -> Option<usize> {
        let features = self.0.arch_kwargs.get("features_per_stage")?;
        let first = features.as_array().map_or(Some(features), |all| all.first());
        first?.as_u64().map(|first| first as usize)
    }

    /// The specification of the network. Architectures that take no `arch_kwargs` find the plans' values here.
    pub(super) fn spec(&self, input_channels: usize, outputs: usize, patch_size: &[usize]) -> NetworkSpec {
        let kwargs = &self.0.arch_kwargs;
        let first = |key: &str| {
            let value = kwargs.get(key)?;
            value.as_array().map_or(Some(value), |all| all.first())?.as_u64().map(|count| count as usize)
        };
        NetworkSpec {
            num_input_channels: input_channels,
            num_classes: outputs,
            base_num_features: self.features().unwrap_or(0),
            conv_per_stage: first("n_conv_per_stage").unwrap_or(0),
            patch_size: patch_size.to_vec(),
            pool_op_kernel_sizes: self.strides(),
            conv_kernel_sizes: self.vectors("kernel_sizes"),
            num_blocks_encoder: None,
            num_blocks_decoder: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_plans_are_converted() {
        let plan: NetworkPlan = serde_json::from_value(json!({
            "UNet_class_name": "PlainConvUNet", "UNet_base_num_features": 32, "unet_max_num_features": 100,
            "n_conv_per_stage_encoder": [2, 2, 2], "n_conv_per_stage_decoder": [2, 2],
            "pool_op_kernel_sizes": [[1, 1], [2, 2], [2, 2]], "conv_kernel_sizes": [[3, 3], [3, 3], [3, 3]],
        }))
        .unwrap();
        let mut network = plan.network(2).unwrap();
        assert_eq!(network.0.arch_kwargs["features_per_stage"], json!([32, 64, 100]));
        network.use_batch_norm();
        assert_eq!(network.0.arch_kwargs["norm_op"], "torch.nn.modules.batchnorm.BatchNorm2d");
        let spec = network.spec(1, 3, &[64, 64]);
        assert_eq!((spec.base_num_features, spec.pool_op_kernel_sizes), (32, vec![vec![2, 2]; 2]));
    }

    #[test]
    fn unknown_networks_are_named() {
        let plan: NetworkPlan = serde_json::from_value(json!({
            "architecture": { "network_class_name": "somewhere.MyNet", "arch_kwargs": {} }
        }))
        .unwrap();
        let registry = nnunet_engine::built_in().unwrap();
        let error = plan.network(3).unwrap().choice(&registry).unwrap_err();
        assert!(error.to_string().contains("the network somewhere.MyNet"), "{error}");
    }
}
