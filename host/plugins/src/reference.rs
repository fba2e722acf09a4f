//! Descriptions of components: the page of one component, and the reference of all.

use std::fmt::Write;

use nnunet_plugin_core::schema::Parameter;
use nnunet_plugin_core::vocabulary::Blueprint;
use nnunet_plugin_core::{Info, Kind, PlannerSettings, PreprocessorSettings, V2PlannerSettings};

use crate::inline_toml;
use crate::section::section;

/// Parameters of a component. Those of planners, preprocessors and trainers are the settings of their kind.
#[must_use]
pub fn parameters(info: &Info) -> Vec<Parameter> {
    let own = info.parameters();
    if own.is_empty() { settings(info.kind) } else { own }
}

/// The settings all components of a kind have; their defaults are those of the kind's root.
fn settings(kind: Kind) -> Vec<Parameter> {
    let info = Info::new(kind, "", "");
    match kind {
        Kind::Planner => info.with_config::<PlannerSettings>(),
        Kind::Preprocessor => info.with_config::<PreprocessorSettings>(),
        Kind::Trainer => info.with_config::<Blueprint>(),
        _ => info,
    }
    .parameters()
}

/// The settings of a planner for data sets of v2.
#[must_use]
pub fn v2_planner() -> Vec<Parameter> {
    Info::new(Kind::Planner, "", "").with_config::<V2PlannerSettings>().parameters()
}

/// How a planner for data sets of v2 is used, in TOML.
#[must_use]
pub fn v2_planner_example(info: &Info) -> String {
    if info.example.is_empty() {
        let name = &info.name;
        return format!("[planners.Mine]\nextends = \"{name}\"\nv2.plans_identifier = \"MinePlans\"");
    }
    example(info)
}

/// How a component is used, in TOML: its own example, or one made from its parameters.
#[must_use]
pub fn example(info: &Info) -> String {
    if !info.example.is_empty() {
        return info.example.trim_end().to_owned();
    }
    let (kind, name) = (info.kind, &info.name);
    match kind {
        Kind::Planner => {
            format!("[planners.Mine]\nextends = \"{name}\"\nplans_identifier = \"nnUNetPlansMine\"")
        }
        Kind::Preprocessor => format!("[preprocessors.Mine]\nextends = \"{name}\"\norder_data = 1"),
        Kind::Trainer => format!("[trainers.Mine]\nextends = \"{name}\"\nmax_num_epochs = 250"),
        Kind::Metric => {
            format!("[trainers.Mine]\nextends = \"nnUNetTrainerV2\"\nmetrics = [{}]", choice(info))
        }
        Kind::Schedule => {
            format!("[trainers.Mine]\nextends = \"nnUNetTrainerV2\"\nlr_schedule = {}", choice(info))
        }
        Kind::Architecture
        | Kind::Head
        | Kind::Loss
        | Kind::Optimizer
        | Kind::Sampler
        | Kind::Augmentation => {
            format!("[trainers.Mine]\nextends = \"nnUNetTrainerV2\"\n{kind} = {}", choice(info))
        }
        Kind::Block => {
            let block = choice(info);
            format!("[architectures.Mine]\nextends = \"Generic_UNet\"\nreplace = {{ block = {block} }}")
        }
        Kind::Transform => format!(
            "[trainers.Mine]\nextends = \"nnUNetTrainerV2\"\naugmentation = {{ name = \"moreDA\", then = [{}] }}",
            named_table("transform", info)
        ),
        Kind::Logger => format!("[loggers.{name}]{}", lines(info)),
        _ => format!("[{}.Mine]\nextends = \"{name}\"{}", section(kind), lines(info)),
    }
}

/// A name, or a table of the name and the default parameters.
fn choice(info: &Info) -> String {
    if info.defaults.values().all(serde_json::Value::is_null) {
        return format!("{:?}", info.name);
    }
    named_table("name", info)
}

/// A table of the name, under a key, and the default parameters.
fn named_table(key: &str, info: &Info) -> String {
    let values = info.defaults.iter().filter(|(_, value)| !value.is_null());
    let values = values.map(|(key, value)| format!(", {key} = {}", inline_toml(value)));
    format!("{{ {key} = {:?}{} }}", info.name, values.collect::<String>())
}

fn lines(info: &Info) -> String {
    let values = info.defaults.iter().filter(|(_, value)| !value.is_null());
    values.map(|(key, value)| format!("\n{key} = {}", inline_toml(value))).collect()
}

/// The reference of components, in Markdown: a chapter a kind, a section a component with parameters.
#[must_use]
pub fn markdown(infos: &[&Info]) -> String {
    let mut text = HEAD.to_owned();
    for kind in Kind::ALL {
        let of_kind: Vec<&&Info> = infos.iter().filter(|info| info.kind == kind).collect();
        if !of_kind.is_empty() {
            let _ = write!(text, "\n## {}\n\n| name | |\n|---|---|\n", title(kind));
            of_kind.iter().for_each(|info| {
                let _ = writeln!(text, "| `{}` | {} |", info.name, cell(&info.summary));
            });
            of_kind.iter().filter(|info| is_own(info)).for_each(|info| text += &page(info));
            text += &shared(kind);
        }
    }
    text
}

const HEAD: &str = "# Components

Made by `cargo reference` from what the components say of themselves; `nnunet plugins inspect NAME` shows one, also of a
plugin. A default in a table is what a component gets when its name stands alone.
";

fn title(kind: Kind) -> String {
    let words = section(kind);
    words[..1].to_uppercase() + &words[1..]
}

/// Whether there is more to say than one line.
fn is_own(info: &Info) -> bool {
    !info.description.is_empty() || !info.example.is_empty() || !info.parameters().is_empty()
}

fn page(info: &Info) -> String {
    let mut text = format!("\n### `{}`\n", info.name);
    if !info.description.is_empty() {
        text += &format!("\n{}\n", info.description.trim_end());
    }
    text += &table(&info.parameters());
    text + &format!("\n```toml\n{}\n```\n", example(info))
}

/// The settings that all components of a kind have.
fn shared(kind: Kind) -> String {
    let rows = settings(kind);
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "\n### Settings of a {kind}\n\nEvery {kind} has these; the defaults are those of the root.\n{}",
        table(&rows)
    )
}

fn table(rows: &[Parameter]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = "\n| parameter | type | default | |\n|---|---|---|---|\n".to_owned();
    for row in rows {
        let range = if row.range.is_empty() { String::new() } else { format!("; {}", row.range) };
        let default = if row.default.is_null() {
            "none".to_owned()
        } else {
            format!("`{}`", inline_toml(&row.default))
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            row.name,
            cell(&(row.kind.clone() + &range)),
            cell(&default),
            cell(&row.doc)
        );
    }
    text
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_core::serde_json::json;

    use super::*;

    #[test]
    fn examples_follow_from_parameters() {
        let info =
            Info::new(Kind::Loss, "L", "").with_defaults(&json!({ "k": 10, "names": ["a"], "none": null }));
        let wanted = "[trainers.Mine]\nextends = \"nnUNetTrainerV2\"\nloss = { name = \"L\", k = 10, names = [\"a\"] }";
        assert_eq!(example(&info), wanted);
        let info = Info::new(Kind::Loss, "L", "").with_defaults(&json!({ "none": null }));
        assert!(example(&info).ends_with("\nloss = \"L\""));
        let info = Info::new(Kind::Postprocessor, "P", "").with_defaults(&json!({ "mm3": 1.5 }));
        assert_eq!(example(&info), "[postprocessors.Mine]\nextends = \"P\"\nmm3 = 1.5");
    }

    #[test]
    fn every_setting_of_a_kind_has_a_row() {
        let text = markdown(&[&Info::new(Kind::Planner, "P", "A planner.")]);
        assert!(
            text.contains("| `P` | A planner. |")
                && text.contains("| `base_num_features` | integer | `32` |")
        );
    }
}
