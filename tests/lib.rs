//! The programs as users call them: in a world of their own with v1's three folders.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "this crate exists for tests")]

pub mod cost;
pub mod events;
pub mod rehearsal;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Both streams.
    pub text: String,
}

/// The folder of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the repository")
}

/// Folder of the programs. Cargo builds them before the tests of their package and hands over their paths; elsewhere it is
/// the folder above the running test's or benchmark's own.
#[must_use]
pub fn programs() -> PathBuf {
    if let Some(program) = std::env::var_os("CARGO_BIN_EXE_nnunet") {
        return Path::new(&program).parent().expect("target/<profile>/nnunet").to_owned();
    }
    let test = std::env::current_exe().expect("this test has a path");
    test.ancestors().nth(2).expect("target/<profile>/deps/<test>").to_owned()
}

/// A built plugin.
#[must_use]
pub fn plugin(name: &str) -> PathBuf {
    let path = programs().join(format!("lib{name}.so"));
    assert!(path.is_file(), "{} is not built; run `cargo verify`", path.display());
    path
}

/// Flags of .cargo/config.toml, so that what is built in the repository need not be built again.
const FLAGS: &str = "-C link-arg=-Wl,-rpath,$ORIGIN/../../.libtorch/lib:$ORIGIN/../../../.libtorch/lib";

/// A shell in a folder as the author of a plugin has it: the programs on the path, and no other plugins. What crates
/// have in common is built where this repository's builds are.
#[must_use]
pub fn author_shell(folder: &Path, script: &str) -> Command {
    let path = std::env::var("PATH").expect("a search path");
    let mut shell = Command::new("sh");
    shell
        .args(["-e", "-c", script])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", programs().display()))
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("CARGO_BUILD_BUILD_DIR", programs().parent().expect("target/<profile>"))
        .env("RUSTFLAGS", FLAGS);
    for name in ["CARGO_TARGET_DIR", "LIBTORCH", "NNUNET_PLUGIN_PATH", "LD_LIBRARY_PATH"] {
        shell.env_remove(name);
    }
    shell
}

/// Copies a folder with everything in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder to copy").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &to);
        } else {
            std::fs::copy(&path, &to).expect("a copy");
        }
    }
}

/// All files below a folder with their bytes.
#[must_use]
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).expect("a file"));
        }
    }
    found
}

/// A fresh set of folders.
#[derive(Debug)]
pub struct World {
    folder: tempfile::TempDir,
    /// More of the environment of every program.
    variables: Vec<(&'static str, PathBuf)>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// Empty folders.
    #[must_use]
    pub fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().expect("a temporary folder"), variables: Vec::new() };
        for name in ["raw/nnUNet_raw_data", "preprocessed", "results"] {
            std::fs::create_dir_all(world.path(name)).expect("a folder");
        }
        world
    }

    /// A path inside.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file with text.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    /// Adds tables to `nnunet.toml`.
    pub fn configure(&self, more: &str) {
        let there = std::fs::read_to_string(self.path("nnunet.toml")).unwrap_or_default();
        self.write("nnunet.toml", &(there + more));
    }

    /// Runs `nnunet` with arguments separated by blanks.
    #[must_use]
    pub fn run(&self, line: &str) -> Outcome {
        self.run_with(line, &[])
    }

    /// Runs `nnunet` with more environment variables.
    #[must_use]
    pub fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> Outcome {
        self.run_program(&programs().join("nnunet"), line, variables)
    }

    /// Runs `nnunet` with arguments that may hold blanks.
    #[must_use]
    pub fn run_words(&self, words: &[&str]) -> Outcome {
        self.run_command(&programs().join("nnunet"), words, &[])
    }

    /// Runs a program in this world.
    #[must_use]
    pub fn run_program(&self, program: &Path, line: &str, variables: &[(&str, &str)]) -> Outcome {
        self.run_command(program, &line.split_whitespace().collect::<Vec<_>>(), variables)
    }

    /// `nnunet` with arguments separated by blanks, ready to be started.
    #[must_use]
    pub fn command(&self, line: &str) -> Command {
        self.prepared(&programs().join("nnunet"), &line.split_whitespace().collect::<Vec<_>>())
    }

    fn prepared(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(words)
            .current_dir(self.folder.path())
            .env("nnUNet_raw_data_base", self.path("raw"))
            .env("nnUNet_preprocessed", self.path("preprocessed"))
            .env("RESULTS_FOLDER", self.path("results"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("LD_LIBRARY_PATH")
            .env_remove("NNUNET_PLUGIN_PATH")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run_command(&self, program: &Path, words: &[&str], variables: &[(&str, &str)]) -> Outcome {
        let output = self
            .prepared(program, words)
            .envs(variables.iter().copied())
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}; run `cargo verify`", program.display()));
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Outcome { code: output.status.code().unwrap_or(-1), text }
    }

    /// Runs a script of tests/flows in the folder `flow`, with more environment variables; it must succeed. Returns what it
    /// prints.
    #[must_use]
    pub fn flow(&self, script: &str, variables: &[(&str, &str)]) -> String {
        let mut command = self.prepared(&repository().join("tests/flows").join(script), &["flow"]);
        let command = command.env("NNUNET_PROGRAMS", programs()).envs(variables.iter().copied());
        let output = command.output().unwrap_or_else(|error| panic!("{script}: {error}"));
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {text}");
        text
    }

    /// As [`World::run`]; the command must succeed.
    pub fn succeed(&self, line: &str) -> String {
        let outcome = self.run(line);
        assert_eq!(outcome.code, 0, "nnunet {line}\n{}", outcome.text);
        outcome.text
    }

    /// The raw task `Task900_Phantom` with so many training cases and one test case.
    #[must_use]
    pub fn with_raw_phantoms(count: usize) -> Self {
        let world = Self::new();
        world.succeed(&format!("example-dataset -o raw/nnUNet_raw_data --train {count} --test 1"));
        world
    }

    /// v2's folders, empty: `nnUNet_raw`, `nnUNet_preprocessed`, `nnUNet_results`.
    #[must_use]
    pub fn of_v2() -> Self {
        let mut world = Self::new();
        for name in ["nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"] {
            let folder = world.path(name);
            std::fs::create_dir_all(&folder).expect("a folder");
            world.variables.push((name, folder));
        }
        world
    }

    /// A data set of v2 with phantoms, planned for 3d_fullres by a small planner and preprocessed.
    #[must_use]
    pub fn with_phantoms_of_v2() -> Self {
        let world = Self::of_v2();
        world.write("nnunet.toml", SMALL_OF_V2);
        world.succeed(
            "example-dataset -o raw/nnUNet_raw_data --task Task900_Phantom --train 6 --test 2 --seed 3",
        );
        world.succeed("v2 convert_old_nnUNet_dataset raw/nnUNet_raw_data/Task900_Phantom Dataset900_Phantom");
        world.succeed("v2 plan_and_preprocess -d 900 -pl Small -c 3d_fullres");
        world
    }

    /// As [`World::with_phantoms`], with plans for slices too, and tables `more` in `nnunet.toml`.
    #[must_use]
    pub fn with_phantoms_in_2d(more: &str) -> Self {
        let world = Self::with_phantoms();
        world.configure(&format!("{SMALL_2D}{more}"));
        world.succeed("plan_and_preprocess -t 900 -pl3d None -pl2d Small2D -tl 2 -tf 2");
        world
    }

    /// A task of phantoms, planned and preprocessed by a small planner; `nnunet.toml` has a short trainer `Short`.
    #[must_use]
    pub fn with_phantoms() -> Self {
        let world = Self::new();
        world.write("nnunet.toml", SMALL);
        world.succeed(
            "example-dataset -o raw/nnUNet_raw_data --task Task900_Phantom --train 6 --test 2 --seed 3",
        );
        world.succeed(
            "plan_and_preprocess -t 900 -pl3d Small -pl2d None -tl 2 -tf 2 --verify_dataset_integrity",
        );
        world
    }
}

/// A project that is planned and trained in seconds.
const SMALL: &str = r#"
[planners.Small]
extends = "ExperimentPlanner3D_v21"
base_num_features = 4
plans_identifier = "nnUNetPlansSmall"

[trainers.Short]
extends = "nnUNetTrainerV2"
max_num_epochs = 2
num_batches_per_epoch = 4
num_val_batches_per_epoch = 1
batch_size = 2
"#;

const SMALL_2D: &str = r#"
[planners.Small2D]
extends = "ExperimentPlanner2D_v21"
base_num_features = 4
plans_identifier = "nnUNetPlansSmall"
"#;

/// As [`SMALL`], for v2.
const SMALL_OF_V2: &str = r#"
[planners.Small]
extends = "nnUNetPlanner"
v2 = { base_num_features = 4, max_num_features_3d = 16, gpu_memory_gb = 0.05, plans_identifier = "nnUNetPlansSmall" }

[trainers.Short]
extends = "nnUNetTrainer"
max_num_epochs = 2
num_batches_per_epoch = 4
num_val_batches_per_epoch = 1
"#;
