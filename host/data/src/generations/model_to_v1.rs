//! A trained model of v2 as one of v1.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_formats::pickle::{self, Value as Pickle};
use nnunet_formats::torch_zip::{self, Checkpoint};
use nnunet_plugin_core::vocabulary::{Plans, Regions};
use serde_json::Value;

use super::class_v1::Class;
use super::network::Network;
use super::plans_to_v1::plans_of;
use super::widen::Widened;
use super::{state_v1, state_v2, tensors};
use crate::folders::{CASCADE, create};
use crate::records;
use crate::v2::{Dataset, load};

/// What is converted.
#[derive(Debug, Clone)]
pub struct ToV1 {
    /// The model's folder, with its folds, `plans.json` and `dataset.json`.
    pub from: PathBuf,
    /// The folder to make, `TRAINER__PLANS`.
    pub to: PathBuf,
    /// Configuration of the plans.
    pub configuration: String,
    /// Folders of folds.
    pub folds: Vec<String>,
    /// File name of the checkpoints.
    pub checkpoint: String,
    /// Name of the plans.
    pub plans: String,
    /// Regions of v1's class that has some, see [`REGIONS_IN_V1`](super::REGIONS_IN_V1).
    pub regions: Option<Regions>,
}

/// The trainer that a model of v2 has in v1, by its data set, its configuration and the biases of its first fold.
///
/// # Errors
/// Returns an error if the checkpoint cannot be read, or has a network or regions that v1 does not have.
pub fn trainer_in_v1(
    model: &Path,
    configuration: &str,
    checkpoint: &Path,
    regions: Option<&Regions>,
) -> Result<&'static str> {
    let network = network(checkpoint).with_context(|| checkpoint.display().to_string())?.0;
    Ok(Class::of(&network, &Dataset::load(model)?, configuration, regions)?.name())
}

fn network(path: &Path) -> Result<(Network, Checkpoint)> {
    let loaded = torch_zip::load(path)?;
    let weights = loaded.root.get("network_weights").context("it has no network_weights")?;
    Ok((state_v2::read(tensors::read(weights, &loaded)?)?, loaded))
}

/// Converts a model; returns how many folds it has.
///
/// # Errors
/// Returns an error for networks or methods that v1 does not have, or an I/O error.
pub fn model_to_v1(how: &ToV1) -> Result<usize> {
    let dataset = Dataset::load(&how.from)?;
    let labels: Vec<i64> = dataset.label_values(false).into_iter().filter(|label| *label != 0).collect();
    ensure!(
        (1..).zip(&labels).all(|(number, label)| number == *label),
        "v1's labels are the numbers from 1 on"
    );
    let plans: Value = load(&how.from.join("plans.json"))?;
    let cascade = ["3d_lowres", CASCADE];
    let configuration = [how.configuration.as_str()];
    let configurations = if how.configuration == CASCADE { &cascade[..] } else { &configuration };
    let mut converted = plans_of(&plans, configurations, labels.len(), &how.plans)
        .with_context(|| how.from.join("plans.json").display().to_string())?;
    converted.modalities = dataset.channels();
    converted.dataset_properties.modalities.clone_from(&converted.modalities);
    let mut features = None;
    for fold in &how.folds {
        let path = how.from.join(fold).join(&how.checkpoint);
        how.fold(&path, fold, &dataset, &mut converted).with_context(|| path.display().to_string())?;
        let first = *features.get_or_insert(converted.base_num_features);
        ensure!(
            converted.base_num_features == first,
            "{}: its network needs another width in v1 than that of the first fold; convert them one by one with -f",
            path.display()
        );
    }
    create(&how.to)?;
    records::save(&how.to.join("plans.pkl"), &records::plans_to_pickle(&converted))?;
    Ok(how.folds.len())
}

impl ToV1 {
    fn fold(&self, path: &Path, fold: &str, dataset: &Dataset, plans: &mut Plans) -> Result<()> {
        let (mut network, loaded) = network(path)?;
        let class = Class::of(&network, dataset, &self.configuration, self.regions.as_ref())?;
        check_channels(&network, class, dataset, plans)?;
        network.fit_kernels_to_v1();
        let Widened { base, without } = network.widen_to_v1(class.output_bias())?;
        if !without.is_empty() {
            tracing::warn!(
                "{}: the bias of the transposed convolutions to the stages {without:?} is left out, since v1's have none and \
                 its network has no feature left to carry it; labels can differ near the borders of patches",
                path.display()
            );
        }
        plans.base_num_features = base;
        let stage = plans.plans_per_stage.last_mut().context("the plans have no stage")?;
        stage.conv_kernel_sizes = network.kernels();
        let (mut all, mut state) = (Vec::new(), Vec::new());
        for (name, values) in state_v1::write(&network) {
            state.push((Pickle::Str(name), Pickle::Tensor(all.len())));
            all.push(tensors::data(&values));
        }
        let none = || Pickle::List(Vec::new());
        let epoch = loaded.root.get("current_epoch").and_then(Pickle::as_i64).unwrap_or(0);
        let root = Pickle::dict(vec![
            ("epoch", Pickle::Int(epoch)),
            ("state_dict", Pickle::OrderedDict(state)),
            ("optimizer_state_dict", Pickle::None),
            ("lr_scheduler_state_dict", Pickle::None),
            ("plot_stuff", Pickle::Tuple(vec![none(), none(), none(), none()])),
            ("best_stuff", Pickle::Tuple(vec![Pickle::None, Pickle::None, Pickle::None])),
        ]);
        let number = fold.trim_start_matches("fold_");
        let own = if number == "all" { number.to_owned() } else { fold.to_owned() };
        let to = self.to.join(own);
        create(&to)?;
        let file = to.join("model_final_checkpoint.model");
        pickle::save(&file.with_extension("model.pkl"), &self.info(plans, number, class))?;
        Ok(torch_zip::save(&file, &Checkpoint { root, tensors: all })?)
    }

    /// What v1 keeps beside a checkpoint.
    fn info(&self, plans: &Plans, fold: &str, class: Class) -> Pickle {
        Pickle::OrderedDict(vec![
            (Pickle::str("init"), class.arguments(&self.to, fold, !plans.is_3d())),
            (Pickle::str("name"), Pickle::str(class.name())),
            (Pickle::str("class"), Pickle::Str(class.in_python())),
            (Pickle::str("plans"), records::plans_to_pickle(plans)),
        ])
    }
}

fn check_channels(network: &Network, class: Class, dataset: &Dataset, plans: &Plans) -> Result<()> {
    let previous = if class == Class::Cascade { plans.num_classes } else { 0 };
    let channels = plans.modalities.len() + previous;
    let outputs = if class == Class::Regions { dataset.foreground().len() } else { plans.num_classes + 1 };
    ensure!(
        network.channels() == channels && network.classes() == outputs,
        "its network has {} channels and {} outputs, and the data set {channels} and {outputs}",
        network.channels(),
        network.classes()
    );
    Ok(())
}
