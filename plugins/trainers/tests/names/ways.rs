//! How each variant is done without a class of its own in the program: by values of a table, by a hook of a trainer, or by a
//! component of another kind. It follows from what the trainer changes on its root.

use std::collections::BTreeSet;

use nnunet_plugin_api::serde_json::{self, Value};
use nnunet_plugin_api::vocabulary::Blueprint;

/// A way to change what trainers do, and the examples that go it.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) examples: &'static [&'static str],
    /// Settings of a trainer that a component or hook of one's own replaces.
    settings: &'static [&'static str],
}

/// What is left when nothing else is: settings of a table.
const VALUE: &str = "value";

pub(crate) const WAYS: [Way; 8] = [
    Way {
        name: VALUE,
        what: "settings in a table of nnunet.toml, or in `configure`",
        examples: &["demo", "my-trainer"],
        settings: &[],
    },
    Way {
        name: "kind loss",
        what: "a loss by name",
        examples: &["my-loss", "dice-boundary", "partial-labels"],
        settings: &["loss"],
    },
    Way {
        name: "kind augmentation",
        what: "an augmentation by name, or a transform in its list",
        examples: &["my-augmentation", "my-transform"],
        settings: &["augmentation"],
    },
    Way {
        name: "kind architecture",
        what: "a network by name, or a block, normalization or nonlinearity within it",
        examples: &["my-architecture", "my-block", "mednext"],
        settings: &["architecture"],
    },
    Way {
        name: "kind optimizer",
        what: "an optimizer by name",
        examples: &["adamw"],
        settings: &["optimizer"],
    },
    Way {
        name: "kind schedule",
        what: "a learning rate schedule by name, or the hook `learning_rate`",
        examples: &["my-trainer"],
        settings: &["lr_schedule"],
    },
    Way {
        name: "kind sampler",
        what: "a sampler by name",
        examples: &["hard-case-sampler"],
        settings: &["sampler", "probabilistic_oversampling"],
    },
    Way {
        name: "hook on_epoch_end",
        what: "what happens after an epoch: early end, another momentum",
        examples: &["own-criterion"],
        settings: &["patience", "momentum_schedule"],
    },
];

/// Classes that cannot be trained in v1 either: what they were meant to do.
pub(crate) const UNAVAILABLE: [(&str, &[&str]); 6] = [
    ("NetworkTrainer", &[VALUE]),
    ("nnUNetTrainerCascadeFullRes", &[VALUE]),
    ("nnUNetTrainerNoDA", &["kind augmentation"]),
    ("nnUNetTrainerV2BraTSRegions_DDP", &[VALUE]),
    ("nnUNetTrainerV2_fullEvals", &["hook on_epoch_end"]),
    ("nnUNetTrainerV2_softDeepSupervision", &["kind loss"]),
];

/// The ways of a blueprint from its root's: those of the components and hooks that differ, else values alone.
pub(crate) fn ways(root: &Blueprint, own: &Blueprint) -> Vec<&'static str> {
    let settings = |blueprint: &Blueprint| serde_json::to_value(blueprint).unwrap();
    let (root, own) = (settings(root), settings(own));
    let differs = |setting: &str| named(&root[setting]) != named(&own[setting]);
    let changed = WAYS.iter().filter(|way| way.settings.iter().any(|setting| differs(setting)));
    let names: Vec<&str> = changed.map(|way| way.name).collect();
    if names.is_empty() { vec![VALUE] } else { names }
}

/// What a setting names: of a component its name, since its parameters are values.
fn named(setting: &Value) -> &Value {
    setting.get("name").unwrap_or(setting)
}

/// The chapter of the page.
pub(crate) fn chapter(v1: &[Vec<&'static str>], v2: &[Vec<&'static str>]) -> String {
    let mut text = "\n## Values, hooks and kinds\n\nEach of them is a table of values here, since the losses, augmentations, networks and \
        optimizers that v1 and v2 have are built in. The column \"by\" says what a variant of your own needs that changes the \
        same thing in another way. No variant needs more than these:\n\n| by | what | examples | of v1 | of v2 |\n|---|---|---|---|---|\n"
        .to_owned();
    for way in &WAYS {
        let count = |all: &[Vec<&str>]| all.iter().filter(|names| names.contains(&way.name)).count();
        let examples: Vec<String> = way.examples.iter().map(|name| format!("`examples/{name}`")).collect();
        text += &format!(
            "| {} | {} | {} | {} | {} |\n",
            way.name,
            way.what,
            examples.join(", "),
            count(v1),
            count(v2)
        );
    }
    let examples = WAYS.iter().flat_map(|way| way.examples).collect::<BTreeSet<_>>().len();
    text += &format!(
        "\n{} classes of v1 and {} variants of v2; {examples} examples. v2's Primus trainers, whose networks are not built in, are \
         by kind architecture.\n",
        v1.len(),
        v2.len()
    );
    text
}
