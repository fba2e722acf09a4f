//! A new plugin crate: it compiles, its test passes, and what it registers can be used at once.

mod names;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_plugin_core::Kind;

use crate::build;

/// What a new crate is made from.
#[derive(Debug, Clone)]
pub struct Scaffold {
    /// Kind of its component.
    pub kind: Kind,
    /// Crate name, `my-trainer`.
    pub name: String,
    /// Sources of `nnunet-plugin-api` for this machine's `.cargo/config.toml`; none: those this program has or knows.
    pub api: Option<PathBuf>,
}

/// A template: the word in it that stands for the component, and the source.
struct Template {
    word: &'static str,
    source: &'static str,
    next: &'static str,
}

/// Versions of all dependencies, as this program was built with.
const LOCK: &str = include_str!("../../../Cargo.lock");

impl Scaffold {
    /// Name of the component: `MyTrainer` of `my-trainer`. A name that the template or Rust uses for something else, such
    /// as the trait `Planner` for a crate `planner`, or that a built-in component has, gets `My` in front.
    #[must_use]
    pub fn component(&self) -> String {
        let Ok(Template { word, source, .. }) = template(self.kind) else { return self.name.clone() };
        names::component(self.kind, &self.name, word, source)
    }

    /// Writes the crate into a new folder.
    ///
    /// # Errors
    /// Returns an error if the name is not valid for a crate, the folder exists, or the kind has no template, or an
    /// I/O error.
    pub fn write(&self, folder: &Path) -> Result<()> {
        names::check_crate(&self.name)?;
        ensure!(!folder.exists(), "{} exists already; choose another name", folder.display());
        let template = template(self.kind)?;
        let source = template.source.replace(template.word, &self.component());
        let mut files = vec![
            ("Cargo.toml", self.manifest()),
            ("Cargo.lock", LOCK.to_owned()),
            ("README.md", self.readme(&template)),
            (".gitignore", "/target\n/.cargo\n".to_owned()),
            ("src/lib.rs", source),
            (".cargo/config.toml", build::cargo_config(self.kind.needs_tensors(), self.api.as_deref())?),
        ];
        if self.kind.needs_tensors() {
            files.push(("build.rs", BUILD_SCRIPT.to_owned()));
        }
        for (name, text) in files {
            write(&folder.join(name), &text)?;
        }
        Ok(())
    }

    /// The commands that come next, one a line.
    ///
    /// # Errors
    /// Returns an error for a kind without a template.
    pub fn next(&self) -> Result<String> {
        Ok(format!("nnunet plugins install {}\n{}", self.name, self.filled(template(self.kind)?.next)))
    }

    fn filled(&self, text: &str) -> String {
        text.replace("NAME", &self.component())
    }

    fn manifest(&self) -> String {
        let features = if self.kind.needs_tensors() { ", features = [\"torch\"]" } else { "" };
        MANIFEST
            .replace("CRATE", &self.name)
            .replace("SUMMARY", &format!("{}: {} for nnunet.", self.component(), self.kind))
            .replace("VERSION", &format!("{{ version = {:?}{features} }}", env!("CARGO_PKG_VERSION")))
    }

    fn readme(&self, template: &Template) -> String {
        README
            .replace("CRATE", &self.name)
            .replace("KIND", self.kind.as_str())
            .replace("NEXT", &self.filled(template.next))
            .replace("NAME", &self.component())
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    let shown = || path.display().to_string();
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).with_context(shown)?;
    std::fs::write(path, text).with_context(shown)
}

fn template(kind: Kind) -> Result<Template> {
    let (word, source, next) = match kind {
        Kind::Trainer => {
            ("MyTrainer", include_str!("templates/trainer.rs"), "nnunet train 3d_fullres NAME TASK 0")
        }
        Kind::Loss => ("MyLoss", include_str!("templates/loss.rs"), "nnunet plugins inspect NAME"),
        Kind::Architecture => (
            "MyArchitecture",
            include_str!("templates/architecture.rs"),
            "printf '[trainers.NAMETrainer]\\nextends = \"nnUNetTrainerV2\"\\narchitecture = \"NAME\"\\n' >> nnunet.toml\nnnunet train 3d_fullres NAMETrainer TASK 0",
        ),
        Kind::Block => (
            "MyBlock",
            include_str!("templates/block.rs"),
            "printf '[trainers.NAMETrainer]\\nextends = \"nnUNetTrainerV2\"\\narchitecture = { name = \"Generic_UNet\", replace = { block = \"NAME\" } }\\n' >> nnunet.toml\nnnunet train 3d_fullres NAMETrainer TASK 0",
        ),
        Kind::Optimizer => (
            "MyOptimizer",
            include_str!("templates/optimizer.rs"),
            "printf '[trainers.NAMETrainer]\\nextends = \"nnUNetTrainerV2\"\\noptimizer = { name = \"NAME\" }\\n' >> nnunet.toml\nnnunet train 3d_fullres NAMETrainer TASK 0",
        ),
        Kind::Head => (
            "MyHead",
            include_str!("templates/head.rs"),
            "nnunet train 3d_fullres nnUNetTrainerV2 TASK 0 --set head=NAME --set loss=LOSS",
        ),
        Kind::Metric => (
            "MyMetric",
            include_str!("templates/metric.rs"),
            "nnunet train 3d_fullres nnUNetTrainerV2 TASK 0 --set metrics=[\"NAME\"] --set best_metric=NAME",
        ),
        Kind::Schedule => (
            "MySchedule",
            include_str!("templates/schedule.rs"),
            "nnunet train 3d_fullres nnUNetTrainerV2 TASK 0 --set lr_schedule=NAME",
        ),
        Kind::Planner => (
            "MyPlanner",
            include_str!("templates/planner.rs"),
            "nnunet plan_and_preprocess -t TASK -pl3d NAME -pl2d None\nnnunet train 3d_fullres nnUNetTrainerV2 TASK 0 -p nnUNetPlansNAME",
        ),
        Kind::Preprocessor => (
            "MyPreprocessor",
            include_str!("templates/preprocessor.rs"),
            "nnunet plan_and_preprocess -t TASK -pl3d NAMEPlanner -pl2d None\nnnunet train 3d_fullres nnUNetTrainerV2 TASK 0 -p nnUNetPlansNAME",
        ),
        Kind::Postprocessor => (
            "MyPostprocessor",
            include_str!("templates/postprocessor.rs"),
            "nnunet apply_postprocessing -i PREDICTIONS -o RESULT -pp NAME",
        ),
        Kind::Normalization => (
            "MyNormalization",
            include_str!("templates/normalization.rs"),
            "nnunet plan_and_preprocess -t TASK -pl3d NAMEPlanner -pl2d None\nnnunet train 3d_fullres nnUNetTrainerV2 TASK 0 -p nnUNetPlansNAME",
        ),
        Kind::Resampler => (
            "MyResampler",
            include_str!("templates/resampler.rs"),
            "nnunet plan_and_preprocess -t TASK -pl3d NAMEPlanner -pl2d None\nnnunet train 3d_fullres nnUNetTrainerV2 TASK 0 -p nnUNetPlansNAME",
        ),
        Kind::Splitter => {
            ("MySplitter", include_str!("templates/splitter.rs"), "nnunet split -t TASK -s NAME")
        }
        Kind::Sampler => (
            "MySampler",
            include_str!("templates/sampler.rs"),
            "printf '[trainers.NAMETrainer]\\nextends = \"nnUNetTrainerV2\"\\nsampler = \"NAME\"\\n' >> nnunet.toml\nnnunet train 3d_fullres NAMETrainer TASK 0",
        ),
        Kind::Transform => (
            "MyTransform",
            include_str!("templates/transform.rs"),
            "printf '[use]\\naugmentation = { name = \"moreDA\", then = [{ transform = \"NAME\" }] }\\n' >> nnunet.toml\nnnunet train 3d_fullres nnUNetTrainerV2 TASK 0",
        ),
        Kind::Augmentation => (
            "MyAugmentation",
            include_str!("templates/augmentation.rs"),
            "printf '[use]\\naugmentation = \"NAME\"\\n' >> nnunet.toml\nnnunet train 3d_fullres nnUNetTrainerV2 TASK 0",
        ),
        Kind::Logger => (
            "MyLogger",
            include_str!("templates/logger.rs"),
            "printf '[loggers.NAME]\\n' >> nnunet.toml\nnnunet train 3d_fullres nnUNetTrainerV2 TASK 0",
        ),
        Kind::Format => (
            "MyFormat",
            include_str!("templates/format.rs"),
            "nnunet plugins inspect NAME\nnnunet plan_and_preprocess -t TASK",
        ),
        other => bail!("there is no template for a {other}"),
    };
    Ok(Template { word, source, next })
}

const MANIFEST: &str = r#"[package]
name = "CRATE"
description = "SUMMARY"
version = "0.1.0"
edition = "2024"
license = "Apache-2.0"
# It has paths of one machine.
exclude = [".cargo"]

[lib]
crate-type = ["cdylib"]
doctest = false

[dependencies]
nnunet-plugin-api = VERSION

[dev-dependencies]
nnunet-plugin-test = VERSION

# A crate of its own, also inside another workspace.
[workspace]
"#;

/// Libraries and tests find libtorch where they were linked with it.
const BUILD_SCRIPT: &str = r#"//! Lets the plugin and its tests find libtorch where they were built with it.

fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if let Ok(folder) = std::env::var("LIBTORCH") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}/lib");
    }
}
"#;

const README: &str = r"# CRATE

The KIND `NAME` for [nnunet](https://github.com/MIC-DKFZ/nnUNet), as a plugin.

```sh
cargo test --release
nnunet plugins install .
NEXT
```

All code is in `src/lib.rs`. `nnunet plugins inspect NAME` shows the component's description and parameters. Its tests
include the checks of `nnunet plugins check`. `nnunet plugins pack .` writes an archive for users of the same kind of
machine.

The crate depends on a version of nnunet-plugin-api. As long as that is in no registry, cargo finds its sources through
`.cargo/config.toml`, which has paths of this machine and stays out of git. `nnunet plugins install` and `pack` need no such
file; for cargo alone write it on another machine with

```sh
mkdir -p .cargo && nnunet plugins cargo_config > .cargo/config.toml
```

License: Apache-2.0; change `license` in Cargo.toml for another.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn scaffold(name: &str) -> Scaffold {
        Scaffold { kind: Kind::Planner, name: name.to_owned(), api: None }
    }

    #[test]
    fn a_crate_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("my-planner");
        scaffold("fast-planner").write(&to).unwrap();
        let manifest = std::fs::read_to_string(to.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("nnunet-plugin-api = { version = \"0.1.0\" }"), "{manifest}");
        assert!(!manifest.contains("path ="), "the crate has a path of this machine: {manifest}");
        let config = std::fs::read_to_string(to.join(".cargo/config.toml")).unwrap();
        assert!(config.contains("[patch.crates-io]\nnnunet-plugin-api = { path = "), "{config}");
        let source = std::fs::read_to_string(to.join("src/lib.rs")).unwrap();
        assert!(source.contains("struct FastPlanner;") && !source.contains("MyPlanner"), "{source}");
        assert!(scaffold("fast-planner").write(&to).unwrap_err().to_string().contains("exists already"));
    }

    /// `struct Planner` beside `use nnunet_plugin_api::Planner` would not compile (E0255).
    #[test]
    fn a_component_is_not_called_like_what_its_source_imports() {
        for (kind, name, component) in [
            (Kind::Planner, "planner", "MyPlanner"),
            (Kind::Loss, "loss", "MyLoss"),
            (Kind::Trainer, "result", "MyResult"),
            (Kind::Trainer, "planner", "Planner"),
            (Kind::Planner, "my-planner", "MyPlanner"),
        ] {
            assert_eq!(Scaffold { kind, ..scaffold(name) }.component(), component, "{kind} {name}");
        }
    }
}
