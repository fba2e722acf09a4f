//! Scripts that train the same folds: array jobs with dependencies for SLURM, or one command after the other.

use std::fmt::Write;

use super::args::Format;
use super::request::{Configuration, Request};
use crate::global_options::GlobalOptions;

/// The number of an array job's task.
const TASK_ID: &str = "$SLURM_ARRAY_TASK_ID";

/// The script. Each fold is trained by a `train_all` of its own, so that it is continued where it stopped when it is run
/// again.
pub(super) fn script(request: &Request, format: Format, options: &GlobalOptions) -> String {
    let writer = Writer { request, program: program(options) };
    match format {
        Format::Slurm => writer.slurm(),
        Format::Sh => writer.sh(),
    }
}

struct Writer<'a> {
    request: &'a Request,
    /// The program and its options.
    program: String,
}

impl Writer<'_> {
    fn sh(&self) -> String {
        let mut text = self.head("run it with sh; run it again after an interruption");
        for configuration in &self.request.configurations {
            for fold in &self.request.folds {
                text += &format!("{}\n", self.train(configuration, fold));
            }
        }
        if let Some(words) = self.request.find_best() {
            text += &format!("{} {}\n", self.program, joined(&words));
        }
        text
    }

    fn slurm(&self) -> String {
        let mut text = self.head(
            "submit it with sh, from a machine that has sbatch. SBATCH_OPTIONS holds options of every job, such as\n\
             # \"--partition=gpu --gpus=1 --cpus-per-task=12 --mem=64G --time=48:00:00\"",
        );
        for configuration in &self.request.configurations {
            let name = &configuration.name;
            let after =
                configuration.after.as_ref().map(|first| format!(" --dependency=afterok:{}", id(first)));
            let array = self.request.folds.join(",");
            let (array, fold) = match self.request.folds.iter().all(|fold| fold != "all") {
                true => (format!(" --array={array}"), TASK_ID),
                false => (String::new(), "all"),
            };
            let _ = writeln!(
                text,
                "{}=$(sbatch --parsable --job-name={}{}{array} ${{SBATCH_OPTIONS-}} --wrap {})",
                variable(name),
                quoted(name),
                after.unwrap_or_default(),
                quoted(&self.train(configuration, fold)),
            );
        }
        if let Some(words) = self.request.find_best() {
            let ids: Vec<String> = self.request.configurations.iter().map(|one| id(&one.name)).collect();
            let command = format!("{} {}", self.program, joined(&words));
            let _ = writeln!(
                text,
                "sbatch --job-name=find_best_configuration --dependency=afterok:{} ${{SBATCH_OPTIONS-}} --wrap {}",
                ids.join(":"),
                quoted(&command)
            );
        }
        text
    }

    fn head(&self, how: &str) -> String {
        let note = self.request.no_comparison.as_ref().map(|why| format!("# {why}.\n"));
        format!("#!/bin/sh\n# Trains {}: {how}.\n{}set -eu\n", self.request.task, note.unwrap_or_default())
    }

    /// Trains a fold, which may be a variable of the shell.
    fn train(&self, configuration: &Configuration, fold: &str) -> String {
        let request = self.request;
        let Configuration { name, trainer, .. } = configuration;
        let fold = if fold == TASK_ID { format!("\"{TASK_ID}\"") } else { quoted(fold) };
        let named = [&request.task, name, &request.trainer, &request.plans].map(|word| quoted(word));
        let [task, name, own_trainer, plans] = named;
        let cascade = request.cascade_trainer.as_ref().filter(|cascade| *cascade == trainer);
        let cascade = cascade.map(|trainer| format!(" --ctr {}", quoted(trainer))).unwrap_or_default();
        let mut line = format!(
            "{} train_all {task} -m {name} -f {fold} --tr {own_trainer}{cascade} -p {plans} --no_best",
            self.program
        );
        if !request.training.is_empty() {
            line += &format!(" -- {}", joined(&request.training));
        }
        line
    }
}

/// The program with the options that its commands need too.
fn program(options: &GlobalOptions) -> String {
    let program =
        std::env::current_exe().map_or_else(|_| "nnunet".to_owned(), |path| path.display().to_string());
    joined(&[vec![program], options.to_words()].concat())
}

/// The variable of the shell that holds the number of a job.
fn variable(configuration: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("job_{}", configuration.chars().map(allowed).collect::<String>())
}

fn id(configuration: &str) -> String {
    format!("${}", variable(configuration))
}

fn joined(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as the shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_by_the_shell() {
        for (word, text) in
            [("3d_fullres", "3d_fullres"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'")]
        {
            assert_eq!(quoted(word), text);
        }
        assert_eq!(variable("3d-low res"), "job_3d_low_res");
    }
}
