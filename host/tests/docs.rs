//! The pages of the documentation that teach how to write a plugin: everything in them is run, from an empty folder.
//!
//! A block ```` ```sh ```` is run. A block with `file=NAME` is written to that file; one with `edit=NAME` replaces the
//! items of that Rust file that begin with the same lines, or is added to it. `--nocapture` shows what it took.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use nnunet_tests::{author_shell, repository};

/// One page after the other: the times are those of one user.
static TURN: Mutex<()> = Mutex::new(());

/// Lines an author may have to write.
const MOST_LINES: usize = 30;

struct Block {
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(info) if !open => {
                blocks.push(Block { info: info.to_owned(), text: String::new() });
                open = true;
            }
            Some(_) => open = false,
            None if open => blocks.last_mut().unwrap().text.extend([line, "\n"]),
            None => {}
        }
    }
    blocks
}

/// A folder in which a user works, with the programs on the path and no other plugins.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, script: &str) -> String {
        let output = author_shell(self.0.path(), script).output().unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{text}");
        text
    }
}

/// Top-level items: each ends with a line that starts with a closing brace.
fn items(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    for line in text.lines() {
        if items.last().unwrap().is_empty() && line.is_empty() {
            continue;
        }
        items.last_mut().unwrap().extend([line, "\n"]);
        if line.starts_with('}') {
            items.push(String::new());
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

fn edit(file: &Path, block: &str) {
    let mut source = fs::read_to_string(file).unwrap();
    for item in items(block) {
        let head = item.lines().next().unwrap();
        match source.find(&format!("\n{head}\n")) {
            Some(start) => {
                let end = source[start + 1..].find("\n}\n").unwrap() + start + 4;
                source.replace_range(start + 1..end, &item);
            }
            None => {
                let tests = source.find("#[cfg(test)]").unwrap();
                source.insert_str(tests, &(item + "\n"));
            }
        }
    }
    fs::write(file, source).unwrap();
}

/// Processor seconds of all children so far.
fn children_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[13].parse::<f64>().unwrap() + fields[14].parse::<f64>().unwrap();
    ticks / 100.0
}

/// Does what a page says; returns the folder and what the commands printed.
fn follow(name: &str) -> (Folder, String) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let page = repository().join("docs").join(name);
    let folder = Folder::new();
    let (start, before) = (Instant::now(), children_seconds());
    let (mut written, mut printed) = (0, String::new());
    for block in blocks(&fs::read_to_string(page).unwrap()) {
        let value = |key: &str| block.info.split_once(key).map(|(_, file)| folder.path(file.trim()));
        if let Some(file) = value("edit=") {
            written += block.text.lines().count();
            edit(&file, &block.text);
        } else if let Some(file) = value("file=") {
            fs::write(file, &block.text).unwrap();
        } else if block.info == "sh" {
            for command in block.text.lines() {
                let (began, used) = (Instant::now(), children_seconds());
                printed += &folder.run(command);
                eprintln!(
                    "{name}: {:6.1} s ({:5.1} s of processor) {command}",
                    began.elapsed().as_secs_f64(),
                    children_seconds() - used
                );
            }
        }
    }
    eprintln!(
        "{name}: {:6.1} s ({:5.1} s of processor) together, {written} lines written",
        start.elapsed().as_secs_f64(),
        children_seconds() - before
    );
    assert!(written <= MOST_LINES, "{name}: {written} lines are too many for a first plugin");
    (folder, printed)
}

const MODELS: &str = "results/nnUNet/3d_fullres/Task900_Phantom";

#[test]
fn a_first_trainer() {
    let (folder, printed) = follow("write-a-trainer.md");
    for trainer in ["Quick", "FirstTrainer"] {
        let model = format!("{MODELS}/{trainer}__nnUNetPlansSmall/fold_0/model_final_checkpoint.model");
        assert!(folder.path(&model).is_file(), "{printed}");
    }
    assert!(printed.contains("installed first-trainer 0.1.0"), "{printed}");
}

#[test]
fn a_first_planner() {
    let (folder, printed) = follow("write-a-planner.md");
    let model = format!("{MODELS}/Quick__nnUNetPlansFirstPlanner/fold_0/model_final_checkpoint.model");
    assert!(folder.path(&model).is_file(), "{printed}");
}

#[test]
fn a_first_architecture_and_a_model_that_remembers_it() {
    let (folder, printed) = follow("write-an-architecture.md");
    let predictions = fs::read_dir(folder.path("predictions")).unwrap().flatten();
    let labels = predictions.filter(|file| file.file_name().to_string_lossy().ends_with(".nii.gz"));
    assert_eq!(labels.count(), 2, "{printed}");

    // Without its plugin the model says what it needs.
    fs::remove_dir_all(folder.path("data")).unwrap();
    let command = "nnunet predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o again -t 900 -f 0";
    let text = folder.run(&format!("{command} || true"));
    assert!(text.contains("the model was made with plugin first-architecture 0.1.0"), "{text}");
    assert!(text.contains("architecture FirstArchitecture"), "{text}");
}

#[test]
fn a_first_postprocessor() {
    let (folder, printed) = follow("write-a-postprocessor.md");
    for output in ["cleaned", "strict"] {
        assert!(fs::read_dir(folder.path(output)).unwrap().count() >= 6, "{printed}");
    }
    assert!(printed.contains("Classes that are never removed."), "{printed}");
}

/// Templates no page uses: they compile, their tests pass, and they can be installed.
#[test]
fn the_other_templates() {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let folder = Folder::new();
    for kind in [
        "format",
        "preprocessor",
        "normalization",
        "resampler",
        "splitter",
        "schedule",
        "metric",
        "head",
        "sampler",
        "transform",
        "augmentation",
        "logger",
        "loss",
    ] {
        folder.run(&format!(
            "nnunet plugins new {kind} page-{kind} && (cd page-{kind} && cargo test --release) && nnunet plugins install page-{kind}"
        ));
    }
    let list = folder.run("nnunet plugins list");
    for name in
        ["PageFormat", "PagePreprocessor", "PageNormalization", "PageAugmentation", "PageLogger", "PageLoss"]
    {
        assert!(list.contains(&format!(" {name} ")), "{name}: {list}");
    }
    let text = folder.run("nnunet plugins new loss page-loss || true");
    assert!(text.contains("exists already"), "{text}");
}
