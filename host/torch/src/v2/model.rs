//! The networks of a v2 model's folder.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_architectures::{Norm, ParameterStore, V2Unet};
use nnunet_host::v2::Dataset;
use nnunet_inference::Heads;
use nnunet_plugin_api::{Architecture, Network, NetworkSpec};

use super::checkpoint::{self, Checkpoint};
use super::plans::{Configuration, Plans};
use crate::family::LoadRequest;

/// Networks of all folds, and what they share.
pub(super) struct Model {
    pub(super) plans: Plans,
    pub(super) dataset: Dataset,
    pub(super) configuration: Configuration,
    pub(super) output_head: Heads,
    pub(super) networks: Vec<Box<dyn Network>>,
    pub(super) mirror_axes: Vec<usize>,
    /// Features of the first resolution.
    pub(super) features: usize,
    /// The checkpoints.
    pub(super) files: Vec<PathBuf>,
}

impl Model {
    /// Loads a checkpoint of every fold.
    pub(super) fn load(request: &LoadRequest<'_>) -> Result<Self> {
        let LoadRequest { folder, args, device, .. } = request;
        let (plans, dataset) = (Plans::load(folder)?, Dataset::load(folder)?);
        let files = checkpoint::files(folder, &args.folds, args.checkpoint.as_deref())?;
        let first = Checkpoint::read(&files[0])?;
        let configuration = plans.configuration(first.configuration()?)?;
        let mirror_axes = first.mirror_axes(configuration.patch_size.len())?;
        let output_head = dataset.heads()?;
        let (kind, mut config) = configuration.network()?;
        // A trainer may have exchanged the norm that the plans name.
        if first.has_running_statistics()? {
            config.norm = Norm::Batch;
        }
        let spec = spec(&configuration, &dataset, &output_head);
        let features = config.features_per_stage.first().copied().unwrap_or(0);
        let architecture = V2Unet::new(kind, config);
        let mut networks = Vec::new();
        let mut next = Some(first);
        for file in &files {
            let checkpoint = match next.take() {
                Some(first) => first,
                None => Checkpoint::read(file)?,
            };
            let mut store = ParameterStore::new(*device);
            let network = architecture.build(&mut store, &spec)?;
            checkpoint.copy_weights(&mut store)?;
            store.freeze()?;
            networks.push(network);
        }
        Ok(Self { plans, dataset, configuration, output_head, networks, mirror_axes, features, files })
    }
}

fn spec(configuration: &Configuration, dataset: &Dataset, output_head: &Heads) -> NetworkSpec {
    NetworkSpec {
        num_input_channels: configuration.input_channels(dataset),
        num_classes: output_head.count(),
        base_num_features: 0,
        conv_per_stage: 0,
        patch_size: configuration.patch_size.clone(),
        pool_op_kernel_sizes: Vec::new(),
        conv_kernel_sizes: Vec::new(),
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    }
}
