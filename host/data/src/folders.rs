//! v1's folders: where raw data, cropped and preprocessed cases and results lie, and how a task is named.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_engine::config::{File, FolderTable};
use nnunet_engine::discovery::beside;
use nnunet_formats::nifti::Pair;
use nnunet_plugin_core::suggestion::did_you_mean;

/// The configurations of v1.
pub const CONFIGURATIONS: [&str; 4] = ["2d", "3d_lowres", "3d_fullres", "3d_cascade_fullres"];

/// Names of tasks or data sets in a message.
const MOST_NAMES: usize = 10;

/// What to do about folders that are not set.
pub const HOW_TO_SET: &str = "set them with export NAME=FOLDER, or in [folders] of nnunet.toml";

/// The configuration that has a trainer of its own.
pub const CASCADE: &str = "3d_cascade_fullres";

/// Keys of `[folders]` in nnunet.toml, and v1's environment variables for the same.
pub const VARIABLES: [(&str, &str); 3] = [
    ("raw_data_base", "nnUNet_raw_data_base"),
    ("preprocessed", "nnUNet_preprocessed"),
    ("results", "RESULTS_FOLDER"),
];

/// The three roots, from v1's environment variables or nnunet.toml; each is asked for only when a command needs it.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    raw_data_base: Option<PathBuf>,
    preprocessed: Option<PathBuf>,
    results: Option<PathBuf>,
}

impl Folders {
    /// From the environment variables, or else from `[folders]` of the configuration files, the first of which has
    /// precedence.
    #[must_use]
    pub fn new(files: &[File]) -> Self {
        let configured = |of: fn(&FolderTable) -> &Option<PathBuf>| {
            files.iter().find_map(|file| of(&file.folders).as_ref().map(|path| beside(&file.path, path)))
        };
        let named =
            |variable| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        let [raw, preprocessed, results] = VARIABLES.map(|(_, variable)| named(variable));
        Self {
            raw_data_base: raw.or_else(|| configured(|table| &table.raw_data_base)),
            preprocessed: preprocessed.or_else(|| configured(|table| &table.preprocessed)),
            results: results.or_else(|| configured(|table| &table.results)),
        }
    }

    /// Raw tasks.
    ///
    /// # Errors
    /// Returns an error if the folder is not configured.
    pub fn raw(&self) -> Result<PathBuf> {
        Ok(wanted(&self.raw_data_base, "nnUNet_raw_data_base", "raw data")?.join("nnUNet_raw_data"))
    }

    /// Cropped cases.
    ///
    /// # Errors
    /// Returns an error if the folder is not configured.
    pub fn cropped(&self) -> Result<PathBuf> {
        Ok(wanted(&self.raw_data_base, "nnUNet_raw_data_base", "raw data")?.join("nnUNet_cropped_data"))
    }

    /// Preprocessed tasks.
    ///
    /// # Errors
    /// Returns an error if the folder is not configured.
    pub fn preprocessed(&self) -> Result<PathBuf> {
        Ok(wanted(&self.preprocessed, "nnUNet_preprocessed", "preprocessed data")?.to_owned())
    }

    /// Trained models.
    ///
    /// # Errors
    /// Returns an error if the folder is not configured.
    pub fn results(&self) -> Result<PathBuf> {
        Ok(wanted(&self.results, "RESULTS_FOLDER", "trained models")?.join("nnUNet"))
    }

    /// `RESULTS/<configuration>/<task>/<trainer>__<plans>`.
    ///
    /// # Errors
    /// Returns an error if the folder is not configured.
    pub fn model(&self, configuration: &str, task: &str, trainer: &str, plans: &str) -> Result<PathBuf> {
        Ok(self.results()?.join(configuration).join(task).join(format!("{trainer}__{plans}")))
    }

    /// The name of a task given as name (`Task004_X`) or number.
    ///
    /// # Errors
    /// Returns an error for a number without a task, or with several; for a name that no task has, where there are tasks:
    /// the nearest name, and those there are.
    pub fn task_name(&self, task: &str) -> Result<String> {
        if task.starts_with("Task") {
            self.check_known(task)?;
            return Ok(task.to_owned());
        }
        let id: u32 = task
            .parse()
            .with_context(|| format!("`{task}` is neither a task name (Task004_X) nor a number"))?;
        let found = self.tasks_with(&format!("Task{id:03}_"));
        match found.iter().collect::<Vec<_>>().as_slice() {
            [one] => Ok((*one).clone()),
            [] => bail!("no task with id {id} in {}{}", self.searched(), self.existing()),
            several => {
                bail!("task id {id} is ambiguous: {several:?} in {}; rename all but one", self.searched())
            }
        }
    }

    fn check_known(&self, task: &str) -> Result<()> {
        let known = self.tasks_with("Task");
        ensure!(
            known.is_empty() || known.contains(task),
            "there is no task `{task}` in {}{}{}",
            self.searched(),
            self.existing(),
            did_you_mean(task, known.iter().map(String::as_str))
        );
        Ok(())
    }

    /// The tasks there are, for messages.
    fn existing(&self) -> String {
        there_are(&self.tasks_with("Task"))
    }

    fn roots(&self) -> Vec<PathBuf> {
        let mut roots: Vec<PathBuf> =
            [self.preprocessed(), self.raw(), self.cropped()].into_iter().filter_map(Result::ok).collect();
        if let Ok(results) = self.results() {
            roots.extend(CONFIGURATIONS.iter().map(|configuration| results.join(configuration)));
        }
        roots
    }

    fn tasks_with(&self, prefix: &str) -> BTreeSet<String> {
        self.roots()
            .iter()
            .flat_map(|root| subfolders(root))
            .filter(|name| name.starts_with(prefix))
            .collect()
    }

    fn searched(&self) -> String {
        let shown = |name: &str, value: &Option<PathBuf>| {
            format!(
                "{name}={}",
                value.as_ref().map_or("(not set)".to_owned(), |path| path.display().to_string())
            )
        };
        let folders = [
            ("nnUNet_raw_data_base", &self.raw_data_base),
            ("nnUNet_preprocessed", &self.preprocessed),
            ("RESULTS_FOLDER", &self.results),
        ];
        let unset = folders.iter().any(|(_, value)| value.is_none());
        let remedy = if unset { format!(" ({HOW_TO_SET})") } else { String::new() };
        folders.map(|(name, value)| shown(name, value)).join(", ") + &remedy
    }
}

/// The end of a message about a name that is not known: the names there are.
pub(crate) fn there_are(known: &BTreeSet<String>) -> String {
    let names: Vec<&str> = known.iter().map(String::as_str).take(MOST_NAMES).collect();
    let more = known.len() - names.len();
    match names.as_slice() {
        [] => String::new(),
        names if more > 0 => format!("; there are {} and {more} more", names.join(", ")),
        names => format!("; there are {}", names.join(", ")),
    }
}

fn wanted<'a>(folder: &'a Option<PathBuf>, variable: &str, what: &str) -> Result<&'a Path> {
    folder
        .as_deref()
        .with_context(|| {
            format!("the environment variable {variable} (folder of the {what}) is not set; export {variable}=FOLDER, \
                     or name it in [folders] of nnunet.toml")
        })
}

/// Names of the folders in a folder; none when there is no folder.
#[must_use]
pub fn subfolders(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Names of the files of a folder that end in `ending`, in capitals or not, sorted. Hidden files are left out.
///
/// # Errors
/// Returns an error if the folder does not exist or cannot be read.
pub fn file_names(folder: &Path, ending: &str) -> Result<Vec<String>> {
    let unreadable = || format!("cannot read the folder {}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let name = entry.with_context(unreadable)?.file_name().to_string_lossy().into_owned();
        if has_ending(&name, ending) && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// As [`file_names`]; files that are there, but end otherwise, are an error.
///
/// # Errors
/// As [`file_names`]; an error if no file has the ending, and says how those that are there end.
pub fn files_that_end(folder: &Path, ending: &str) -> Result<Vec<String>> {
    let names = file_names(folder, ending)?;
    let other = file_names(folder, "")?.into_iter().next();
    match other.filter(|_| names.is_empty()) {
        Some(other) => {
            bail!("{} has no files that end in {ending}, but {other}; convert them first", folder.display())
        }
        None => Ok(names),
    }
}

/// Whether a name has an ending, in capitals or not.
#[must_use]
pub fn has_ending(name: &str, ending: &str) -> bool {
    without_ending(name, ending).is_some()
}

/// A name without its ending, in capitals or not.
#[must_use]
pub fn without_ending<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let (stem, end) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
    end.eq_ignore_ascii_case(ending).then_some(stem)
}

/// Names of the cases of a folder: its npz files without their ending, sorted.
///
/// # Errors
/// As [`file_names`].
pub fn case_names(folder: &Path) -> Result<Vec<String>> {
    let names = file_names(folder, ".npz")?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(".npz")).map(str::to_owned).collect())
}

/// Makes a folder and its parents.
///
/// # Errors
/// Returns an I/O error with the name of the folder.
pub fn create(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// Checks that no file or folder to write is one that is read, under the same name or through links.
///
/// # Errors
/// Returns an error that names the first such path.
pub fn keep_inputs(outputs: &[PathBuf], inputs: &[PathBuf]) -> Result<()> {
    let identity = |path: &PathBuf| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let known: Vec<(u64, u64)> = inputs.iter().filter_map(identity).collect();
    match outputs.iter().find(|path| identity(path).is_some_and(|found| known.contains(&found))) {
        Some(path) => {
            bail!("{} is an input and would be overwritten; write to another folder", path.display())
        }
        None => Ok(()),
    }
}

/// Copies a file under a temporary name, unless the copy is there already. Of an image in two files (`.hdr` and
/// `.img`) both are copied.
///
/// # Errors
/// Returns an I/O error if a file cannot be read or written.
pub fn copy_file(from: &Path, to: &Path) -> Result<()> {
    match (Pair::of(from), Pair::of(to)) {
        (Some(from), Some(to)) => {
            copy_one(&from.voxels, &to.voxels)?;
            copy_one(&from.header, &to.header)
        }
        _ => copy_one(from, to),
    }
}

fn copy_one(from: &Path, to: &Path) -> Result<()> {
    let bytes = nnunet_formats::input::read(from)?;
    if std::fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    Ok(nnunet_formats::atomic::write_bytes(to, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_task_gets_the_nearest_name_and_those_there_are() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders { preprocessed: Some(root.path().into()), ..Folders::default() };
        assert_eq!(folders.task_name("Task004_Liver").unwrap(), "Task004_Liver", "nothing is known");
        std::fs::create_dir(root.path().join("Task003_Liver")).unwrap();
        let error = folders.task_name("Task003_Livr").unwrap_err().to_string();
        assert!(error.ends_with("; there are Task003_Liver; did you mean `Task003_Liver`?"), "{error}");
        assert!(folders.task_name("4").unwrap_err().to_string().ends_with("; there are Task003_Liver"));
        assert_eq!(folders.task_name("3").unwrap(), "Task003_Liver");
    }

    #[test]
    fn folders_that_are_not_set_are_said_with_a_remedy() {
        let error = Folders::default().raw().unwrap_err().to_string();
        assert!(error.contains("export nnUNet_raw_data_base=FOLDER, or name it in [folders]"), "{error}");
        let error = Folders::default().task_name("4").unwrap_err().to_string();
        assert!(error.ends_with(&format!("({HOW_TO_SET})")), "{error}");
    }

    #[test]
    fn endings_may_be_in_capitals() {
        assert_eq!(without_ending("a.NII.GZ", ".nii.gz"), Some("a"));
        assert_eq!(without_ending("a.nii", ".nii.gz"), None);
        assert_eq!(without_ending("gz", ".nii.gz"), None);
        assert!(!has_ending("\u{fc}\u{fc}", "\u{fc}x."));
    }

    #[test]
    fn files_with_another_ending_are_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let found = || files_that_end(folder.path(), ".nii.gz").map_err(|error| error.to_string());
        assert!(found().unwrap().is_empty());
        std::fs::write(folder.path().join("a.nii"), "").unwrap();
        assert!(found().unwrap_err().contains("no files that end in .nii.gz, but a.nii"));
        std::fs::write(folder.path().join("a.nii.gz"), "").unwrap();
        assert_eq!(found().unwrap(), ["a.nii.gz"]);
    }

    #[test]
    fn inputs_are_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("a")).unwrap();
        std::fs::write(path("a/x"), "").unwrap();
        std::os::unix::fs::symlink(path("a"), path("b")).unwrap();
        keep_inputs(&[path("c/x"), path("a/y")], &[path("a/x"), path("c/y")]).unwrap();
        for output in ["a/x", "b/x", "a/../b/x"] {
            assert!(keep_inputs(&[path(output)], &[path("a/x")]).is_err(), "{output}");
        }
        assert!(keep_inputs(&[path("b")], &[path("a")]).is_err());
    }

    #[test]
    fn a_missing_folder_is_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(file_names(folder.path(), "").unwrap().is_empty());
        let error = format!("{:#}", case_names(&folder.path().join("nowhere")).unwrap_err());
        assert!(error.contains("cannot read the folder") && error.contains("No such file"), "{error}");
    }
}
