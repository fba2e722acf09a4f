//! The networks of a v2 model's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_architectures::{Norm, ParameterStore, V2Unet};
use nnunet_data::v2::Dataset;
use nnunet_formats::pickle::Value;
use nnunet_formats::torch_zip::{self, Checkpoint};
use nnunet_inference::Heads;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::{Architecture, Network, NetworkSpec};

use super::plans::{Configuration, Plans};

/// Name of the last checkpoint.
const FINAL: &str = "checkpoint_final.pth";

/// Networks of all folds, and what they share.
pub(crate) struct Model {
    pub(crate) plans: Plans,
    pub(crate) dataset: Dataset,
    pub(crate) configuration: Configuration,
    pub(crate) heads: Heads,
    pub(crate) networks: Vec<Box<dyn Network>>,
    pub(crate) mirror_axes: Vec<usize>,
    pub(crate) device: Device,
    /// Features of the first resolution.
    pub(crate) features: usize,
    /// The checkpoints.
    pub(crate) files: Vec<PathBuf>,
}

impl Model {
    /// Loads a checkpoint of every fold; `checkpoint` is a file name, or empty for the last.
    pub(crate) fn load(
        folder: &Path,
        folds: &[String],
        checkpoint: Option<&str>,
        device: Device,
    ) -> Result<Self> {
        let (plans, dataset) = (Plans::load(folder)?, Dataset::load(folder)?);
        let files = checkpoints(folder, folds, checkpoint.unwrap_or(FINAL))?;
        let first = torch_zip::load(&files[0])?;
        let of_first = |what: &str| format!("{}: {what}", files[0].display());
        let name = first.root.get("init_args").and_then(|arguments| arguments.get("configuration"));
        let name = name.and_then(Value::as_str).with_context(|| of_first("it names no configuration"))?;
        let configuration = plans.configuration(name)?;
        let axes = first.root.get("inference_allowed_mirroring_axes").and_then(Value::to_usize_vec);
        let mirror_axes = axes.unwrap_or_default();
        ensure!(
            mirror_axes.iter().all(|axis| *axis < configuration.patch_size.len()),
            of_first("it mirrors axes that the patch does not have")
        );
        let heads = dataset.heads()?;
        let (kind, mut config) = configuration.network()?;
        // A trainer may have exchanged the norm that the plans name.
        if State::of(&first).with_context(|| files[0].display().to_string())?.has_running_statistics() {
            config.norm = Norm::Batch;
        }
        let spec = NetworkSpec {
            num_input_channels: configuration.input_channels(&dataset),
            num_classes: heads.count(),
            base_num_features: 0,
            conv_per_stage: 0,
            patch_size: configuration.patch_size.clone(),
            pool_op_kernel_sizes: Vec::new(),
            conv_kernel_sizes: Vec::new(),
            num_blocks_encoder: None,
            num_blocks_decoder: None,
        };
        let features = config.features_per_stage.first().copied().unwrap_or(0);
        let architecture = V2Unet::new(kind, config);
        let mut networks = Vec::new();
        for (i, file) in files.iter().enumerate() {
            let mut store = ParameterStore::new(device);
            let network = architecture.build(&mut store, &spec)?;
            let read = if i == 0 { None } else { Some(torch_zip::load(file)?) };
            State::of(read.as_ref().unwrap_or(&first))
                .and_then(|state| state.put(&mut store))
                .with_context(|| file.display().to_string())?;
            store.freeze()?;
            networks.push(network);
        }
        Ok(Self { plans, dataset, configuration, heads, networks, mirror_axes, device, features, files })
    }
}

/// The weights of a checkpoint by their names in the network.
struct State<'a> {
    checkpoint: &'a Checkpoint,
    weights: BTreeMap<&'a str, &'a Value>,
}

impl<'a> State<'a> {
    /// v2 names many tensors twice (`all_modules`, `decoder.encoder`): those names are left out.
    fn of(checkpoint: &'a Checkpoint) -> Result<Self> {
        let state = checkpoint.root.get("network_weights").and_then(Value::entries);
        let weights = state
            .context("no network_weights")?
            .iter()
            .filter_map(|(name, value)| Some((own_name(name.as_str()?), value)))
            .filter(|(name, _)| !name.starts_with("decoder.encoder.") && !name.contains(".all_modules."))
            .collect();
        Ok(Self { checkpoint, weights })
    }

    fn has_running_statistics(&self) -> bool {
        self.weights.keys().any(|name| name.ends_with(".running_mean"))
    }

    /// Copies the weights: all of the network's, and all there are.
    fn put(mut self, store: &mut ParameterStore) -> Result<()> {
        const HINT: &str = "the checkpoint belongs to another network than plans.json";
        let names: Vec<String> = store.parameters().iter().map(|parameter| parameter.name.clone()).collect();
        for name in names {
            let Some(Value::Tensor(index)) = self.weights.remove(name.as_str()) else {
                bail!("the parameter {name} is missing; {HINT}")
            };
            let tensor = &self.checkpoint.tensors[*index];
            let values = tensor.to_f32().with_context(|| format!("`{name}` is not floating point"))?;
            store.set(&name, &tensor.shape, &values)?;
        }
        match self.weights.keys().next() {
            Some(name) => bail!("the network has no parameter {name}; {HINT}"),
            None => Ok(()),
        }
    }
}

/// A parameter's name without what parallel and compiled networks put before it.
fn own_name(name: &str) -> &str {
    let name = name.strip_prefix("module.").unwrap_or(name);
    name.strip_prefix("_orig_mod.").unwrap_or(name)
}

/// The checkpoint files: of the folds asked for, or of every fold that has one.
fn checkpoints(folder: &Path, folds: &[String], name: &str) -> Result<Vec<PathBuf>> {
    let file = |fold: &str| folder.join(format!("fold_{fold}")).join(name);
    if !folds.is_empty() {
        let files: Vec<PathBuf> = folds.iter().map(|fold| file(fold)).collect();
        if let Some(missing) = files.iter().find(|file| !file.is_file()) {
            bail!("there is no checkpoint {}; is that fold trained?", missing.display());
        }
        return Ok(files);
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("fold_"))
        .filter(|entry| entry.file_name() != "fold_all")
        .map(|entry| entry.path().join(name))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    ensure!(!found.is_empty(), "{} has no fold with {name}; name the folds with -f", folder.display());
    Ok(found)
}
