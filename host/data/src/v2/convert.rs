//! Tasks of v1 and of the Medical Segmentation Decathlon as data sets of v2, and back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_formats::{atomic, json, nifti};
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::{Folders, RawDataset, load};
use crate::failures;
use crate::folders::{copy_file, create, file_names, files_that_end, without_ending};
use crate::images::DEFAULT_ENDING;

/// Parts of a task of v1; the first two must be there.
const PARTS: [&str; 6] = ["imagesTr", "labelsTr", "imagesTs", "labelsTs", "imagesVal", "labelsVal"];

/// Copies a task of v1 to `nnUNet_raw` under a new name; returns the folder.
///
/// # Errors
/// Returns an error if the name is not `DatasetXXX_NAME` or is taken, or if the folder is not a task.
pub fn from_task(task: &Path, name: &str, folders: &Folders) -> Result<PathBuf> {
    check_name(name, "Dataset")?;
    let to = free(folders.raw()?, name)?;
    let description: Map<String, Value> = load(&task.join("dataset.json"))?;
    build(&to, |folder| {
        for part in PARTS {
            let from = task.join(part);
            ensure!(from.is_dir() || !part.ends_with("Tr"), "{} has no folder {part}", task.display());
            if from.is_dir() {
                copy_files(&from, &folder.join(part))?;
            }
        }
        save(&folder.join("dataset.json"), as_v2(description)?)
    })?;
    Ok(to)
}

/// Splits a decathlon's task into one file a channel in `nnUNet_raw`; returns the folder.
///
/// # Errors
/// Returns an error if the folder is not a Decathlon task, if the number is taken, or if images cannot be split; it
/// lists all of them.
pub fn from_decathlon(task: &Path, id: Option<u32>, folders: &Folders, threads: usize) -> Result<PathBuf> {
    let wrong = || format!("{}: a decathlon task is a folder called TaskXX_NAME", task.display());
    let whole = std::path::absolute(task)?;
    let name = whole.file_name().with_context(wrong)?.to_string_lossy().into_owned();
    let (number, title) =
        name.strip_prefix("Task").and_then(|rest| rest.split_once('_')).with_context(wrong)?;
    let id = id.map_or_else(|| number.parse().with_context(wrong), Ok)?;
    let taken = folders.with_id(id);
    ensure!(taken.is_empty(), "data set id {id} is taken by {taken:?}; choose another with -overwrite_id");
    for part in ["imagesTr", "imagesTs", "labelsTr"] {
        ensure!(task.join(part).is_dir(), "{} has no folder {part}", task.display());
    }
    let description: Map<String, Value> = load(&task.join("dataset.json"))?;
    let to = free(folders.raw()?, &format!("Dataset{id:03}_{title}"))?;
    let pool = failures::threads(threads)?;
    build(&to, |folder| {
        copy_files(&task.join("labelsTr"), &folder.join("labelsTr"))?;
        pool.install(|| split(task, folder))?;
        save(&folder.join("dataset.json"), as_v2(description)?)
    })?;
    Ok(to)
}

/// Writes a data set as a task of v1 into `folder`; returns the task's folder, which is called `task`, or `TaskXXX_NAME` of
/// the same number and name. Labels of several values become one label each, since v1's files name values only.
///
/// # Errors
/// Returns an error if the task exists already, if its name is not `TaskXXX_NAME`, or if a file cannot be copied.
pub fn to_task(dataset: &RawDataset, task: Option<&str>, folder: &Path) -> Result<PathBuf> {
    let name = dataset.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let same = || {
        let rest = name.strip_prefix("Dataset").map(|rest| format!("Task{rest}"));
        rest.with_context(|| format!("{name} is not called DatasetXXX_NAME"))
    };
    let task = task.map_or_else(same, |task| Ok(task.to_owned()))?;
    check_name(&task, "Task")?;
    let to = free(folder, &task)?;
    let ending = &dataset.description.file_ending;
    build(&to, |folder| {
        let (images, labels) = (folder.join("imagesTr"), folder.join("labelsTr"));
        create(&images)?;
        create(&labels)?;
        for case in &dataset.cases {
            for (channel, image) in case.images.iter().enumerate() {
                copy_file(image, &images.join(format!("{}_{channel:04}{ending}", case.name)))?;
            }
            copy_file(&case.label, &labels.join(format!("{}{ending}", case.name)))?;
        }
        let tests = dataset.folder.join("imagesTs");
        if tests.is_dir() {
            copy_files(&tests, &folder.join("imagesTs"))?;
        }
        save(&folder.join("dataset.json"), as_v1(dataset)?)
    })?;
    Ok(to)
}

/// Checks that a name is `DatasetXXX_NAME` or `TaskXXX_NAME`, as `kind` says.
fn check_name(name: &str, kind: &str) -> Result<()> {
    let rest = name.strip_prefix(kind).and_then(|rest| rest.split_once('_'));
    let fits = rest.is_some_and(|(number, title)| {
        number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit()) && !title.is_empty()
    });
    ensure!(
        fits && !name.contains('/'),
        "`{name}` must have the form {kind}XXX_NAME, XXX being three digits"
    );
    Ok(())
}

fn free(root: &Path, name: &str) -> Result<PathBuf> {
    let to = root.join(name);
    ensure!(!to.exists(), "{} exists; remove it first, or choose another name", to.display());
    Ok(to)
}

/// Makes a folder under a temporary name, so that one of that name is always whole.
fn build(to: &Path, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let root = to.parent().context("a folder without a parent")?;
    create(root)?;
    atomic::folder(to, work)
}

/// Copies the files of a folder; hidden ones (`._x.nii.gz`) are not copied.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    create(to)?;
    file_names(from, "")?.iter().filter(|name| from.join(name).is_file()).try_for_each(|name| {
        let (from, to) = (from.join(name), to.join(name));
        std::fs::copy(&from, &to).map(|_| ()).with_context(|| from.display().to_string())
    })
}

/// Splits the images for training and testing into one file a channel.
fn split(task: &Path, folder: &Path) -> Result<()> {
    let mut images = Vec::new();
    for part in ["imagesTr", "imagesTs"] {
        create(&folder.join(part))?;
        let names = files_that_end(&task.join(part), DEFAULT_ENDING)?;
        ensure!(!names.is_empty() || part == "imagesTs", "{} is empty", task.join(part).display());
        images.extend(names.into_iter().map(|name| (part, name)));
    }
    let one = |(part, name): &(&str, String)| {
        let case = without_ending(name, DEFAULT_ENDING).unwrap_or(name);
        let channel = |channel: usize| folder.join(part).join(format!("{case}_{channel:04}{DEFAULT_ENDING}"));
        let done = nifti::split(&task.join(part).join(name), channel);
        done.err().map(|error| format!("  {error:#}"))
    };
    let failed: Vec<String> = images.par_iter().filter_map(one).collect();
    if !failed.is_empty() {
        bail!("{} of {} images cannot be split:\n{}", failed.len(), images.len(), failed.join("\n"));
    }
    Ok(())
}

/// `dataset.json` of v1 in v2's words.
fn as_v2(mut description: Map<String, Value>) -> Result<Map<String, Value>> {
    for key in ["tensorImageSize", "numTest", "training", "test"] {
        description.shift_remove(key);
    }
    let channels = description.shift_remove("modality").context("dataset.json has no `modality`")?;
    description.insert("channel_names".to_owned(), channels);
    let labels =
        description.get("labels").and_then(Value::as_object).context("dataset.json has no `labels`")?;
    let turned = |(value, name): (&String, &Value)| {
        let value: i64 = value.parse().with_context(|| format!("the label `{value}` is not a number"))?;
        let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
        Ok((name, Value::from(value)))
    };
    let labels = labels.iter().map(turned).collect::<Result<Map<String, Value>>>()?;
    description.insert("labels".to_owned(), labels.into());
    if !description.contains_key("file_ending") {
        description.insert("file_ending".to_owned(), DEFAULT_ENDING.into());
    }
    Ok(description)
}

/// `dataset.json` of v2 in v1's words.
fn as_v1(dataset: &RawDataset) -> Result<Map<String, Value>> {
    let original: Map<String, Value> = load(&dataset.folder.join("dataset.json"))?;
    let text = |key: &str| original.get(key).cloned().unwrap_or_else(|| "".into());
    let numbered = |names: Vec<String>| -> Map<String, Value> {
        names.into_iter().enumerate().map(|(i, name)| (i.to_string(), name.into())).collect()
    };
    let ending = &dataset.description.file_ending;
    let entry = |name: &String| json!({"image": format!("./imagesTr/{name}{ending}"), "label": format!("./labelsTr/{name}{ending}")});
    let tests: Vec<String> =
        dataset.as_task()?.test.iter().map(|name| format!("./imagesTs/{name}{ending}")).collect();
    let values: BTreeMap<String, Value> = dataset
        .description
        .label_values(true)
        .into_iter()
        .map(|value| (value.to_string(), label_name(&original, value).into()))
        .collect();
    let document = json!({
        "name": text("name"),
        "description": text("description"),
        "reference": text("reference"),
        "licence": text("licence"),
        "release": text("release"),
        "tensorImageSize": "3D",
        "modality": numbered(dataset.description.channels()),
        "labels": values,
        "numTraining": dataset.cases.len(),
        "numTest": tests.len(),
        "training": dataset.names().iter().map(entry).collect::<Vec<_>>(),
        "test": tests,
        "file_ending": ending,
    });
    match document {
        Value::Object(map) => Ok(map),
        _ => bail!("no dataset.json"),
    }
}

/// The name of a value of its own, else its number.
fn label_name(original: &Map<String, Value>, value: i64) -> String {
    let labels = original.get("labels").and_then(Value::as_object);
    let named = labels.into_iter().flatten().find(|(_, label)| label.as_i64() == Some(value));
    named.map_or_else(|| format!("label_{value}"), |(name, _)| name.clone())
}

fn save(path: &Path, description: Map<String, Value>) -> Result<()> {
    Ok(json::save_in_order(path, &Value::Object(description).into())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_description_of_v1_is_turned_as_python_does() {
        let old = r#"{"name":"X","tensorImageSize":"4D","modality":{"0":"MRI"},"labels":{"0":"background","1":"a"},
            "numTraining":1,"numTest":0,"training":[],"test":[]}"#;
        let new = r#"{"name":"X","labels":{"background":0,"a":1},"numTraining":1,"channel_names":{"0":"MRI"},
            "file_ending":".nii.gz"}"#;
        let found = as_v2(object(old)).unwrap();
        let keys = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!((keys(&found), &found), (keys(&object(new)), &object(new)));
        assert!(as_v2(object("{}")).is_err());
    }

    #[test]
    fn names_have_three_digits() {
        assert!(check_name("Dataset004_X", "Dataset").is_ok() && check_name("Task004_X", "Task").is_ok());
        for name in ["Task004_X", "Dataset4_X", "Dataset004", "Dataset004_", "Dataset004_a/b"] {
            assert!(check_name(name, "Dataset").is_err(), "{name}");
        }
    }
}
