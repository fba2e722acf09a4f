//! Plans of a task, written as v1 names them.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use nnunet_planning::{DataPaths, Resolved, make_plans};
use nnunet_plugin_core::vocabulary::{Fingerprint, Plans};

use super::task_folders::TaskFolders;
use crate::{folders, records};

/// Plans a task. Records in the properties of the cropped cases which channels are
/// normalized inside the mask.
///
/// # Errors
/// Returns the error of planning, or an I/O error.
pub fn plan(planner: &Resolved, fingerprint: &Fingerprint, task: &TaskFolders) -> Result<Plans> {
    let npz = folders::file_names(&task.cropped, ".npz")?;
    let paths = DataPaths {
        list_of_npz_files: npz.iter().map(|name| task.cropped.join(name).display().to_string()).collect(),
        preprocessed_data_folder: task.preprocessed.display().to_string(),
    };
    let plans = make_plans(planner, fingerprint, &paths)?;
    for name in &npz {
        let path = task.cropped.join(name).with_extension("pkl");
        let mut case = records::load(&path, records::case_from_pickle)?;
        if case.use_nonzero_mask_for_norm.as_ref() != Some(&plans.use_mask_for_norm) {
            case.use_nonzero_mask_for_norm = Some(plans.use_mask_for_norm.clone());
            records::save(&path, &records::case_to_pickle(&case))?;
        }
    }
    Ok(plans)
}

/// Takes the plans of another task for this one: all but the classes and the name of the data (v1
/// `ExperimentPlanner3D_v21_Pretrained`). `own` are the plans this task would have had.
///
/// # Errors
/// Returns an error for a file that does not hold 3D plans, or plans for another number of channels.
pub fn reuse_plans(from: &Path, identifier: &str, own: &Plans, task: &str) -> Result<Plans> {
    let mut plans = records::load(from, records::plans_from_pickle)?;
    ensure!(plans.is_3d(), "{} are plans for slices; give 3D plans", from.display());
    ensure!(
        plans.num_modalities() == own.num_modalities(),
        "{} are plans for {} channels, but {} has {}; take plans of a task with the same channels",
        from.display(),
        plans.num_modalities(),
        task,
        own.num_modalities()
    );
    plans.num_classes = own.num_classes;
    plans.all_classes.clone_from(&own.all_classes);
    plans.data_identifier = format!("nnUNetData_pretrained_{identifier}");
    Ok(plans)
}

/// Writes plans beside the preprocessed data; returns the file's name.
///
/// # Errors
/// Returns an I/O error.
pub fn write_plans(plans: &Plans, identifier: &str, task: &TaskFolders) -> Result<PathBuf> {
    let dimensions = if plans.is_3d() { 3 } else { 2 };
    let file = task.preprocessed.join(format!("{identifier}_plans_{dimensions}D.pkl"));
    folders::create(&task.preprocessed)?;
    records::save_with_twin(&file, &records::plans_to_pickle(plans))?;
    Ok(file)
}
