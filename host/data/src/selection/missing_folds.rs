//! Folds of v1's models without a validation, and the commands that make it.

use std::path::Path;

use crate::models::{has_checkpoint, is_complete};

/// Name of the folder of a fold's validation, unless another is asked for.
pub const VALIDATION: &str = "validation_raw";

/// The plans that v1's commands take where none are named.
const DEFAULT_PLANS: &str = "nnUNetPlansv2.1";

/// What a fold lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    Training,
    EndOfTraining,
    Validation,
}

impl Lack {
    const ALL: [Self; 3] = [Self::Training, Self::EndOfTraining, Self::Validation];

    fn of(fold: &Path) -> Self {
        match (has_checkpoint(fold), is_complete(fold)) {
            (false, _) => Self::Training,
            (true, false) => Self::EndOfTraining,
            (true, true) => Self::Validation,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Training => "not trained",
            Self::EndOfTraining => "not trained to the end",
            Self::Validation => "not validated",
        }
    }

    fn flags(self, validation: &str) -> String {
        match self {
            Self::Training => String::new(),
            Self::EndOfTraining => " -c".to_owned(),
            Self::Validation if validation == VALIDATION => " -val --npz".to_owned(),
            Self::Validation => format!(" -val --npz --val_folder {validation}"),
        }
    }
}

/// The sentence about the folds that have no validation of a name: what they lack, and the command for the first of each
/// kind. None if all have one.
pub(super) fn describe(model: &Path, folds: &[usize], validation: &str) -> Option<String> {
    let folder = |fold: &usize| model.join(format!("fold_{fold}"));
    let missing: Vec<(&usize, Lack)> = folds
        .iter()
        .filter(|fold| !folder(fold).join(validation).join("summary.json").is_file())
        .map(|fold| (fold, Lack::of(&folder(fold))))
        .collect();
    let sentence = |lack: Lack| {
        let of_it: Vec<&usize> =
            missing.iter().filter(|(_, other)| *other == lack).map(|(fold, _)| *fold).collect();
        let command = training(&folder(of_it.first()?), &lack.flags(validation));
        let names = of_it.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let subject =
            if of_it.len() == 1 { format!("fold {names} is") } else { format!("folds {names} are") };
        Some(format!("{subject} {}: {command}", lack.words()))
    };
    let sentences: Vec<String> = Lack::ALL.into_iter().filter_map(sentence).collect();
    (!sentences.is_empty()).then(|| format!("{}: {}", model.display(), sentences.join("; ")))
}

/// The command that trains the fold of a folder `CONFIGURATION/TASK/TRAINER__PLANS/fold_N`.
#[must_use]
pub fn training(fold: &Path, flags: &str) -> String {
    let mut names = fold.ancestors().map(|path| path.file_name().unwrap_or_default().to_string_lossy());
    let mut next = || names.next().unwrap_or_default();
    let (fold, model, task, configuration) = (next(), next(), next(), next());
    let (trainer, plans) = model.split_once("__").unwrap_or((&*model, DEFAULT_PLANS));
    let plans = if plans == DEFAULT_PLANS { String::new() } else { format!(" -p {plans}") };
    let fold = fold.strip_prefix("fold_").unwrap_or(&fold);
    format!("nnunet train {configuration} {trainer} {task} {fold}{plans}{flags}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fold_gets_the_command_that_it_needs() {
        let root = tempfile::tempdir().unwrap();
        let model = root.path().join("2d/Task004_A/Mine__Own");
        for file in [
            "fold_0/model_final_checkpoint.model",
            "fold_0/validation_raw/summary.json",
            "fold_1/model_final_checkpoint.model",
            "fold_2/model_latest.model",
        ] {
            let path = model.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(describe(&model, &[0], VALIDATION), None);
        let text = describe(&model, &[0, 1, 2, 3, 4], VALIDATION).unwrap();
        let train = "nnunet train 2d Mine Task004_A";
        assert_eq!(
            text,
            format!(
                "{}: folds 3, 4 are not trained: {train} 3 -p Own; fold 2 is not trained to the end: {train} 2 -p Own -c; \
                 fold 1 is not validated: {train} 1 -p Own -val --npz",
                model.display()
            )
        );
        let other = describe(&model, &[0], "again").unwrap();
        assert!(other.ends_with("0 -p Own -val --npz --val_folder again"), "{other}");
    }
}
