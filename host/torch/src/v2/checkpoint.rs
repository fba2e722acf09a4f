//! v2's checkpoints, `fold_*/checkpoint_*.pth`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_architectures::{Parameter, ParameterStore};
use nnunet_engine::provenance::PluginUse;
use nnunet_formats::pickle::Value;
use nnunet_formats::torch_zip::{self, Tensors};
use nnunet_plugin_api::vocabulary::ComponentChoice;
use nnunet_plugin_api::{Config, HeadTask};
use serde::{Deserialize, Serialize};

use crate::checkpoints;
use crate::v1::model_info::OWN;
use crate::weights::Weights;

/// Name of the last checkpoint.
const FINAL: &str = "checkpoint_final.pth";

/// Key of the head among what only this program writes.
pub(super) const HEAD: &str = "head";
/// The settings and parameters of the command line.
pub(super) const SET: &str = "set";

/// The head that a model was trained with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OwnHead {
    pub(super) choice: ComponentChoice,
    pub(super) task: HeadTask,
}

/// A checkpoint whose tensors have not been read.
pub(super) struct Checkpoint {
    path: PathBuf,
    root: Value,
    tensors: Tensors,
}

impl Checkpoint {
    /// Opens a checkpoint.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or is damaged.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (root, tensors) = torch_zip::open(path)?;
        Ok(Self { path: path.to_owned(), root, tensors })
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// Returns an error if the file is damaged.
    pub(super) fn read(self) -> Result<torch_zip::Checkpoint> {
        Ok(torch_zip::Checkpoint { root: self.root, tensors: self.tensors.read_all()? })
    }

    /// The configuration that it was trained with.
    ///
    /// # Errors
    /// Returns an error if it names none.
    pub(super) fn configuration(&self) -> Result<&str> {
        let arguments = self.root.get("init_args");
        let name = arguments.and_then(|arguments| arguments.get("configuration")?.as_str());
        name.with_context(|| format!("{}: it names no configuration", self.path.display()))
    }

    /// The class of the trainer, where it is named.
    pub(super) fn trainer(&self) -> Option<&str> {
        self.root.get("trainer_name")?.as_str()
    }

    /// The head of a component, if the model has one.
    ///
    /// # Errors
    /// Returns an error if it cannot be read.
    pub(super) fn head(&self) -> Result<Option<OwnHead>> {
        Ok(self.own(HEAD).map(serde_json::from_str).transpose()?)
    }

    /// The plugins that it was made with.
    ///
    /// # Errors
    /// Returns an error if they cannot be read.
    pub(super) fn plugins(&self) -> Result<Vec<PluginUse>> {
        Ok(serde_json::from_str(self.own("plugins").unwrap_or("[]"))?)
    }

    /// The settings and parameters of the command line that its training had.
    ///
    /// # Errors
    /// Returns an error if they cannot be read.
    pub(super) fn set(&self) -> Result<Config> {
        Ok(serde_json::from_str(self.own(SET).unwrap_or("{}"))?)
    }

    /// The trainer by its own name, which may be none of v2's.
    pub(super) fn own_trainer(&self) -> Option<&str> {
        self.own("trainer").or_else(|| self.trainer())
    }

    /// What only this program writes.
    fn own(&self, key: &str) -> Option<&str> {
        self.root.get(OWN)?.get(key)?.as_str()
    }

    /// Axes that are mirrored in prediction, all below `axes`.
    ///
    /// # Errors
    /// Returns an error if it mirrors other axes.
    pub(super) fn mirror_axes(&self, axes: usize) -> Result<Vec<usize>> {
        let all = self.root.get("inference_allowed_mirroring_axes").and_then(Value::to_usize_vec);
        let all = all.unwrap_or_default();
        ensure!(
            all.iter().all(|axis| *axis < axes),
            "{}: it mirrors axes that the patch does not have",
            self.path.display()
        );
        Ok(all)
    }

    /// Whether its network has batch norms.
    ///
    /// # Errors
    /// Returns an error if it has no weights.
    pub(super) fn has_running_statistics(&self) -> Result<bool> {
        Ok(self.weights()?.keys().any(|name| name.ends_with(".running_mean")))
    }

    /// Reads the weights into a network's parameters: all that the network has, and all that the checkpoint has.
    ///
    /// # Errors
    /// Returns an error that names the first parameter that either of them lacks, or that has another shape.
    pub(super) fn read_weights(self, store: &mut ParameterStore) -> Result<()> {
        let weights = self.weights_for(store)?;
        self.read_some(&weights, store)
    }

    /// The tensors of all parameters of a network.
    ///
    /// # Errors
    /// As [`Checkpoint::read_weights`], but for shapes.
    pub(super) fn weights_for(&self, store: &ParameterStore) -> Result<Weights> {
        const HINT: &str = "the checkpoint belongs to another network than plans.json";
        let (path, mut weights) = (self.path.display(), self.weights()?);
        let mut found = Weights::default();
        for Parameter { name, .. } in store.parameters() {
            let Some(Value::Tensor(index)) = weights.remove(name.as_str()) else {
                bail!("{path}: the parameter {name} is missing; {HINT}")
            };
            found.0.push((name.clone(), *index));
        }
        match weights.keys().next() {
            Some(name) => bail!("{path}: the network has no parameter {name}; {HINT}"),
            None => Ok(found),
        }
    }

    /// Reads some of its tensors into a network's parameters.
    ///
    /// # Errors
    /// Returns an error if a parameter has another shape, or the file is damaged.
    pub(super) fn read_some(self, weights: &Weights, store: &mut ParameterStore) -> Result<()> {
        weights.read(self.tensors, store).with_context(|| self.path.display().to_string())
    }

    /// Weights by their names in the network. v2 saves many tensors under two names; those of `all_modules` and
    /// `decoder.encoder` are left out.
    pub(super) fn weights(&self) -> Result<BTreeMap<&str, &Value>> {
        let state = self.root.get("network_weights").and_then(Value::entries);
        let state = state.with_context(|| format!("{}: no network_weights", self.path.display()))?;
        let named = state.iter().filter_map(|(name, value)| Some((own_name(name.as_str()?), value)));
        let is_own = |name: &str| !name.starts_with("decoder.encoder.") && !name.contains(".all_modules.");
        Ok(named.filter(|(name, _)| is_own(name)).collect())
    }
}

/// A parameter's name without the prefixes of parallel and compiled networks.
fn own_name(name: &str) -> &str {
    let name = name.strip_prefix("module.").unwrap_or(name);
    name.strip_prefix("_orig_mod.").unwrap_or(name)
}

/// v2's networks that are built in.
const OWN_NETWORKS: [&str; 2] = ["PlainConvUNet", "ResidualEncoderUNet"];

/// The names under which v2's `state_dict` has a parameter of an architecture: convolutions and norms are in `all_modules`
/// too, and the encoder belongs to the decoder too.
pub(super) fn names_in_python(architecture: &str, name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    if !OWN_NETWORKS.contains(&architecture) {
        return names;
    }
    for (part, number) in [(".conv.", 0), (".norm.", 1)] {
        if let Some((block, rest)) = name.rsplit_once(part) {
            names.push(format!("{block}.all_modules.{number}.{rest}"));
        }
    }
    if name.starts_with("encoder.") {
        let further: Vec<String> = names.iter().map(|name| format!("decoder.{name}")).collect();
        names.extend(further);
    }
    names
}

/// Whether a parameter belongs to the layers that follow from the number of labels.
pub(super) fn is_segmentation_layer(name: &str) -> bool {
    name.contains(".seg_layers.")
}

/// Whether any fold has a v2 checkpoint.
pub(super) fn has_checkpoints(folder: &Path) -> bool {
    fold_folders(folder).iter().any(|fold| {
        let mut files = std::fs::read_dir(fold).into_iter().flatten().flatten();
        files.any(|file| file.path().extension().is_some_and(|ending| ending == "pth"))
    })
}

fn fold_folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folds = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("fold_"));
    let mut folds: Vec<PathBuf> = folds.map(|entry| entry.path()).collect();
    folds.sort();
    folds
}

/// The checkpoint files of the folds asked for, or of every fold but `fold_all` that has one; `name` is the file's, by
/// default the last checkpoint's.
///
/// # Errors
/// Returns an error that names the first file that is missing.
pub(super) fn files(folder: &Path, folds: &[String], name: Option<&str>) -> Result<Vec<PathBuf>> {
    let name = name.unwrap_or(FINAL);
    if !folds.is_empty() {
        let files = folds.iter().map(|fold| folder.join(format!("fold_{fold}")).join(name));
        let files: Vec<PathBuf> = files.collect();
        if let Some(missing) = files.iter().find(|file| !file.is_file()) {
            bail!(checkpoints::missing(missing));
        }
        return Ok(files);
    }
    let folds = fold_folders(folder).into_iter().filter(|fold| !fold.ends_with("fold_all"));
    let found: Vec<PathBuf> = folds.map(|fold| fold.join(name)).filter(|file| file.is_file()).collect();
    if found.is_empty() {
        let first = fold_folders(folder).into_iter().next().unwrap_or_else(|| folder.join("fold_0"));
        bail!(checkpoints::missing(&first.join(name)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_all_names_of_python() {
        let names = |name: &str| names_in_python("PlainConvUNet", name);
        let wanted = [
            "encoder.stages.0.0.convs.1.norm.bias",
            "encoder.stages.0.0.convs.1.all_modules.1.bias",
            "decoder.encoder.stages.0.0.convs.1.norm.bias",
            "decoder.encoder.stages.0.0.convs.1.all_modules.1.bias",
        ];
        assert_eq!(names(wanted[0]), wanted);
        let block = ["decoder.stages.1.convs.0.conv.weight", "decoder.stages.1.convs.0.all_modules.0.weight"];
        assert_eq!(names(block[0]), block);
        assert_eq!(names("decoder.transpconvs.0.bias"), ["decoder.transpconvs.0.bias"]);
        assert_eq!(names_in_python("Other", block[0]), [block[0]]);
        assert!(wanted.iter().all(|name| own_name(name) == *name));
    }
}
