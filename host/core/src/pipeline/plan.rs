//! Plans of a task, written as v1 names them.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_planning::{Places, Resolved, make_plans};
use nnunet_plugin_api::vocabulary::{Fingerprint, Plans};

use super::TaskFolders;
use crate::{folders, records};

/// Plans a task; returns the plans and the file they were written to. The cropped cases learn which channels are
/// normalised inside the mask.
///
/// # Errors
/// What planning returns; what the system says.
pub fn plan(planner: &Resolved, fingerprint: &Fingerprint, task: &TaskFolders) -> Result<(Plans, PathBuf)> {
    let npz = folders::file_names(&task.cropped, ".npz");
    let places = Places {
        list_of_npz_files: npz.iter().map(|name| task.cropped.join(name).display().to_string()).collect(),
        preprocessed_data_folder: task.preprocessed.display().to_string(),
    };
    let plans = make_plans(planner, fingerprint, &places)?;
    for name in &npz {
        let path = task.cropped.join(name).with_extension("pkl");
        let mut case = records::load(&path, records::case_from_pickle)?;
        if case.use_nonzero_mask_for_norm.as_ref() != Some(&plans.use_mask_for_norm) {
            case.use_nonzero_mask_for_norm = Some(plans.use_mask_for_norm.clone());
            records::save(&path, &records::case_to_pickle(&case))?;
        }
    }
    let identifier = &planner.settings.plans_identifier;
    let file = task.preprocessed.join(format!("{identifier}_plans_{}D.pkl", planner.settings.dimensions));
    folders::create(&task.preprocessed)?;
    records::save_with_twin(&file, &records::plans_to_pickle(&plans))?;
    Ok((plans, file))
}
