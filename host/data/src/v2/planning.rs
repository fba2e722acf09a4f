//! Plans of a data set of v2, written as Python writes them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_formats::json;
use nnunet_planning::Resolved;
use nnunet_planning::v2::{DataSet, Fingerprint, make_plans};
use serde_json::{Map, Value};

use super::splits::{SPLITS, take_splits};
use super::{DatasetFolders, RawDataset, fingerprint, load};
use crate::folders::{self, copy_file};

const DESCRIPTION: &str = "dataset.json";

/// Plans a data set; returns the plans file. Configurations of an older file of that name which the planner does not
/// make are kept.
///
/// # Errors
/// Returns an error if there is no fingerprint, if the split differs from that of the raw data set, or if planning
/// fails.
pub fn plan(planner: &Resolved, dataset: &RawDataset, to: &DatasetFolders) -> Result<PathBuf> {
    let file = to.preprocessed.join(fingerprint::FILE);
    ensure!(
        file.is_file(),
        "{} has no fingerprint; run nnUNetv2_extract_fingerprint first",
        to.preprocessed.display()
    );
    let fingerprint: Fingerprint = load(&file)?;
    take_splits(&dataset.folder.join(SPLITS), &to.preprocessed.join(SPLITS))?;
    let known = DataSet {
        name: to.name.clone(),
        channel_names: dataset.description.channels(),
        labels: dataset.description.label_names(),
        training_cases: dataset.description.training_cases.unwrap_or(dataset.cases.len()),
        reader: dataset.reader.name().to_owned(),
    };
    let mut plans = make_plans(planner, &known, &fingerprint)?;
    copy_file(&dataset.folder.join(DESCRIPTION), &to.preprocessed.join(DESCRIPTION))?;
    let path = to.preprocessed.join(format!("{}.json", plans.plans_name));
    for (name, configuration) in old_configurations(&path)? {
        plans.configurations.entry(name).or_insert(configuration);
    }
    json::save_in_order(&path, &serde_json::to_value(&plans)?.into())?;
    Ok(path)
}

fn old_configurations(path: &Path) -> Result<Map<String, Value>> {
    if !path.is_file() {
        return Ok(Map::new());
    }
    let old: Map<String, Value> = load(path)?;
    Ok(old.get("configurations").and_then(Value::as_object).cloned().unwrap_or_default())
}

/// Takes the plans of another data set for this one, under another name if one is given; returns the plans file.
///
/// # Errors
/// Returns an error if there are no plans, or if they cannot be copied.
pub fn move_plans(
    from: &DatasetFolders,
    name: &str,
    dataset: &RawDataset,
    to: &DatasetFolders,
    new_name: &str,
) -> Result<PathBuf> {
    let source = from.preprocessed.join(format!("{name}.json"));
    let mut plans: Map<String, Value> =
        load(&source).with_context(|| format!("{} has to be planned first", from.name))?;
    plans.insert("dataset_name".to_owned(), to.name.clone().into());
    plans.insert("image_reader_writer".to_owned(), dataset.reader.name().into());
    plans.insert("plans_name".to_owned(), new_name.into());
    let configurations = plans.get_mut("configurations").and_then(Value::as_object_mut);
    for configuration in
        configurations.into_iter().flat_map(|all| all.values_mut()).filter(|_| name != new_name)
    {
        if let Some(Value::String(identifier)) = configuration.get_mut("data_identifier") {
            *identifier = match identifier.strip_prefix(name) {
                Some(rest) => format!("{new_name}{rest}"),
                None => format!("{new_name}_{identifier}"),
            };
        }
    }
    folders::create(&to.preprocessed)?;
    let path = to.preprocessed.join(format!("{new_name}.json"));
    json::save_in_order(&path, &Value::Object(plans).into())?;
    Ok(path)
}
