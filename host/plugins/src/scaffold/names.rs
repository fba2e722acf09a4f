//! Names of new crates and of their components.

use anyhow::{Result, ensure};
use nnunet_plugin_core::Kind;

/// Crate names that rustc or cargo do not accept, or that hide a crate every program links.
const RESERVED_CRATES: [&str; 6] = ["alloc", "core", "proc-macro", "proc_macro", "std", "test"];

/// Rust's keywords, written as a crate name would be.
const KEYWORDS: [&str; 52] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "union", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Names that every Rust file knows: a struct of such a name changes what derives and macros around it mean.
const KNOWN_EVERYWHERE: [&str; 33] = [
    "AsMut",
    "AsRef",
    "AsyncFn",
    "AsyncFnMut",
    "AsyncFnOnce",
    "Box",
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "Err",
    "ExactSizeIterator",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Hash",
    "Into",
    "IntoIterator",
    "Iterator",
    "None",
    "Ok",
    "Option",
    "Ord",
    "Self",
    "Some",
    "String",
    "Vec",
];

/// Returns an error if cargo, rustc or the plugin's own dependencies do not allow a crate of this name.
pub(super) fn check_crate(name: &str) -> Result<()> {
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    ensure!(
        good,
        "`{name}` is not a valid crate name; use lower-case letters, digits and -, such as my-trainer"
    );
    let is_taken =
        KEYWORDS.contains(&name) || RESERVED_CRATES.contains(&name) || name.starts_with("nnunet-plugin-");
    ensure!(!is_taken, "a crate cannot be called `{name}`; use another name, such as my-{name}");
    Ok(())
}

/// The name of a crate's component: `MyTrainer` of `my-trainer`. It gets `My` in front if `source` uses the name for
/// something else, if Rust does, or if a built-in component of the kind has it.
pub(super) fn component(kind: Kind, crate_name: &str, word: &str, source: &str) -> String {
    let words = crate_name.split(['-', '_']).filter(|word| !word.is_empty());
    let name: String = words.map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let mut identifiers = source.split(|c: char| !c.is_alphanumeric() && c != '_');
    let is_taken = KNOWN_EVERYWHERE.contains(&&*name)
        || is_built_in(kind, &name)
        || (name != word && identifiers.any(|word| word == name));
    if is_taken { format!("My{name}") } else { name }
}

fn is_built_in(kind: Kind, name: &str) -> bool {
    crate::built_in().is_ok_and(|registry| registry.find(kind, name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_crates() {
        check_crate("my-2nd_planner").unwrap();
        for name in ["MyPlanner", "", "2nd", "a b", "ä", "self", "loop", "test", "std", "nnunet-plugin-api"]
        {
            assert!(check_crate(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_component_is_not_called_like_what_its_file_knows() {
        let source = "use nnunet_plugin_api::Planner; struct MyPlanner; struct Layer;";
        let component = |name: &str| component(Kind::Planner, name, "MyPlanner", source);
        for (name, expected) in [
            ("my-2nd_planner", "My2ndPlanner"),
            ("planner", "MyPlanner"),
            ("my-planner", "MyPlanner"),
            ("planner-2", "Planner2"),
            ("layer", "MyLayer"),
            ("some", "MySome"),
            ("option", "MyOption"),
            ("fast", "Fast"),
        ] {
            assert_eq!(component(name), expected, "{name}");
        }
    }
}
