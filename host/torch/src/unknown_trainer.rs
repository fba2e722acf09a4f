//! Trainers of third parties, which are not known here. A checkpoint does not contain all that they change: what
//! affects the weights is checked when they are loaded, and of the rest some follows from the trainer's name.

use anyhow::{Result, bail};
use nnunet_cli::report;

/// What the name of an unknown trainer says of its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByName {
    /// It trains without mirroring, so that its models must not be mirrored: left and right are different labels.
    pub(crate) without_mirroring: bool,
}

/// Parses a name, and warns the user that the trainer is not known.
///
/// # Errors
/// Returns an error for a trainer whose network has other norms, which do not show in the weights.
pub(crate) fn by_name(trainer: &str) -> Result<ByName> {
    if has_group_norm(trainer) {
        bail!(
            "the trainer {trainer} is not known here, and by its name it exchanges the norms of the network for group \
             norms, which the weights do not show; add it to nnunet.toml as [trainers.{trainer}] with extends set to a \
             trainer of that network, or load a plugin that has it"
        );
    }
    let found = ByName { without_mirroring: is_without_mirroring(trainer) };
    let mirroring = if found.without_mirroring { "; by its name it does not mirror" } else { "" };
    report::line(&format!(
        "the trainer {trainer} is not known here; its network is assumed to be the default of its plans{mirroring}"
    ));
    Ok(found)
}

fn is_without_mirroring(trainer: &str) -> bool {
    trainer.to_lowercase().replace(['_', '-'], "").contains("nomirror")
}

/// `_GN` as a word of the name, or `GroupNorm` anywhere.
fn has_group_norm(trainer: &str) -> bool {
    let lower = trainer.to_lowercase().replace('_', "");
    lower.contains("groupnorm") || trainer.split('_').any(|word| word == "GN") || trainer.ends_with("GN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_of_mirroring() {
        for name in
            ["nnUNetTrainerV2_ep4000_nomirror", "nnUNetTrainerNoMirroring", "T_no_mirroring", "X-No-Mirror"]
        {
            assert!(by_name(name).unwrap().without_mirroring, "{name}");
        }
        for name in ["nnUNetTrainerV2_fast", "nnUNetTrainer_onlyMirror01", "Mirror"] {
            assert!(!by_name(name).unwrap().without_mirroring, "{name}");
        }
    }

    #[test]
    fn networks_with_group_norm_are_refused() {
        for name in ["nnUNetTrainerGN", "nnUNetTrainerV2_GN_fast", "My_GroupNorm_Trainer"] {
            assert!(by_name(name).unwrap_err().to_string().contains("group"), "{name}");
        }
        assert!(by_name("nnUNetTrainerV2_AGNOSTIC").is_ok());
    }
}
