//! The results of `find_best_configuration`: scores, commands to predict with the best, `summary.csv`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use nnunet_data::folders;
use nnunet_formats::json::Json;
use nnunet_formats::{atomic, json};
use serde_json::json;

use super::{Args, Candidate, Search};
use crate::report;

impl Search<'_> {
    /// Prints all scores, and how to predict with the best; writes both.
    pub(super) fn write_results(&self, candidates: &[Candidate]) -> Result<()> {
        for candidate in candidates {
            let object = json!({ "model": candidate.name, "score": candidate.score });
            report::record(
                "candidate",
                &object,
                &format!("{} {}", candidate.name, json::float_repr(candidate.score)),
            );
        }
        let best = candidates
            .iter()
            .map(|candidate| candidate.score)
            .filter(|score| !score.is_nan())
            .reduce(f64::max);
        let best = best.context(
            "every score is NaN: no case has a foreground class in its reference or its prediction",
        )?;
        let mut commands = String::new();
        for candidate in candidates.iter().filter(|candidate| candidate.score == best) {
            let own = self.commands(candidate)?;
            let object = json!({
                "task": self.task, "best": candidate.name, "score": best,
                "commands": own.lines().collect::<Vec<_>>(),
            });
            report::record(
                "best_configuration",
                &object,
                &format!("{} submit model {} {best}", self.task, candidate.name),
            );
            commands += &own;
        }
        if !report::is_json() {
            report::result(commands.trim_end());
        }
        let folder = self.ensembles()?;
        folders::create(&folder)?;
        let write = |name: &str, text: &str| atomic::write_bytes(&folder.join(name), text.as_bytes());
        write("prediction_commands.txt", &commands)?;
        Ok(write("summary.csv", &table(candidates)?)?)
    }

    /// The commands that predict new cases with a candidate, in v1's words.
    fn commands(&self, candidate: &Candidate) -> Result<String> {
        let Args { trainer, cascade_trainer, plans, .. } = self.args;
        let several = candidate.configurations.len() > 1;
        let called = std::env::args_os().next();
        let called = called.as_deref().map(Path::new);
        let mut text = String::new();
        for (i, configuration) in candidate.configurations.iter().enumerate() {
            text += &format!(
                "{} -i FOLDER_WITH_TEST_CASES -o OUTPUT_FOLDER_MODEL{} -tr {trainer} -ctr {cascade_trainer} \
                 -m {configuration} -p {plans} -t {}{}\n",
                program("predict", called),
                i + 1,
                self.task,
                if several { " -z" } else { "" }
            );
        }
        if several {
            text += &program("ensemble", called);
            text += " -f OUTPUT_FOLDER_MODEL1 OUTPUT_FOLDER_MODEL2 -o OUTPUT_FOLDER";
            if !self.args.disable_postprocessing {
                let file = self.ensembles()?.join(&candidate.name).join("postprocessing.json");
                text += &format!(" -pp {}", file.display());
            }
            text += "\n";
        }
        Ok(text)
    }
}

/// How a command is called: by v1's name only where this program was, since most installations have no such links.
fn program(command: &str, called: Option<&Path>) -> String {
    let name = called.and_then(Path::file_name).map(|name| name.to_string_lossy()).unwrap_or_default();
    if name.starts_with("nnUNet_") { format!("nnUNet_{command}") } else { format!("nnunet {command}") }
}

/// `summary.csv`: the mean Dice of every class and of the foreground.
fn table(candidates: &[Candidate]) -> Result<String> {
    let mut rows = String::new();
    let mut classes = 0;
    for candidate in candidates {
        let summary = json::load(&candidate.summary)?;
        let means = summary.get("results").and_then(|results| results.get("mean"));
        let Some(Json::Object(means)) = means else {
            bail!("{} is not a summary", candidate.summary.display())
        };
        let dice =
            |(_, metrics): &(String, Json)| metrics.get("Dice").and_then(Json::as_f64).unwrap_or(f64::NAN);
        let (mean, mut labels): (Vec<_>, Vec<_>) =
            means.iter().filter(|(label, _)| label != "0").partition(|(label, _)| label == "mean");
        labels.sort_by_key(|(label, _)| label.parse::<i64>().unwrap_or(i64::MAX));
        classes = labels.len();
        let cells: Vec<String> =
            labels.into_iter().chain(mean).map(|entry| format!("{:.4}", dice(entry))).collect();
        rows += &format!("{},{}\n", candidate.name, cells.join(","));
    }
    let names: String = (1..=classes).map(|class| format!(",class{class}")).collect();
    Ok(format!("model{names},average\n{rows}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_of_the_caller() {
        let named = |called: &str| program("predict", Some(Path::new(called)));
        assert_eq!(named("/usr/bin/nnUNet_find_best_configuration"), "nnUNet_predict");
        assert_eq!(named("target/release/nnunet"), "nnunet predict");
        assert_eq!(program("ensemble", None), "nnunet ensemble");
    }
}
