//! Everything public that a plugin's author can write against. What is listed in `snapshots/author_api.txt` stays: a
//! line that is missing or has changed breaks plugins that compile today. New lines are taken in with `NNUNET_BLESS=1`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use quote::ToTokens;
use syn::{Fields, Item, TraitItem, Visibility};

fn tokens(item: &impl ToTokens) -> String {
    item.to_token_stream().to_string()
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The public items of a module's files; `path` is what they are listed under.
fn list(items: &[Item], path: &str, all: &mut BTreeSet<String>) {
    for item in items {
        match item {
            Item::Trait(item) if is_public(&item.vis) => {
                for method in &item.items {
                    if let TraitItem::Fn(method) = method {
                        let default = if method.default.is_some() { " with a default" } else { "" };
                        all.insert(format!("{path}::{}: {}{default}", item.ident, tokens(&method.sig)));
                    }
                }
            }
            Item::Struct(item) if is_public(&item.vis) => {
                all.insert(format!("{path}::{} {}", item.ident, tokens(&item.generics)));
                fields(&format!("{path}::{}", item.ident), &item.fields, true, all);
            }
            Item::Enum(item) if is_public(&item.vis) => {
                for variant in &item.variants {
                    let name = format!("{path}::{}::{}", item.ident, variant.ident);
                    all.insert(name.clone());
                    fields(&name, &variant.fields, false, all);
                }
            }
            Item::Fn(item) if is_public(&item.vis) => {
                all.insert(format!("{path}: {}", tokens(&item.sig)));
            }
            Item::Type(item) if is_public(&item.vis) => {
                all.insert(format!("{path}: type {} = {}", item.ident, tokens(&item.ty)));
            }
            Item::Impl(item) if item.trait_.is_none() => {
                for method in &item.items {
                    if let syn::ImplItem::Fn(method) = method
                        && is_public(&method.vis)
                    {
                        all.insert(format!("{path}::{}: {}", tokens(&item.self_ty), tokens(&method.sig)));
                    }
                }
            }
            _ => {}
        }
    }
}

fn fields(name: &str, fields: &Fields, only_public: bool, all: &mut BTreeSet<String>) {
    for (index, field) in fields.iter().enumerate() {
        if !only_public || is_public(&field.vis) {
            let label = field.ident.as_ref().map_or(index.to_string(), ToString::to_string);
            all.insert(format!("{name}.{label}: {}", tokens(&field.ty)));
        }
    }
}

fn listed() -> BTreeSet<String> {
    let api = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = BTreeSet::new();
    let folders = [
        ("core/src", "nnunet_plugin_api"),
        ("core/src/vocabulary", "vocabulary"),
        ("torch/src", "nnunet_plugin_api"),
    ];
    for (folder, path) in folders.map(|(folder, path)| (api.join(folder), path)) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "rs") {
                let file = syn::parse_file(&std::fs::read_to_string(entry.path()).unwrap()).unwrap();
                // Some modules are public by name, the rest through the crate's root.
                let module = entry.path().file_stem().unwrap().to_string_lossy().into_owned();
                let named = ["host", "schema"].contains(&module.as_str());
                list(
                    &file.items,
                    &if named { format!("{path}::{module}") } else { path.to_owned() },
                    &mut all,
                );
            }
        }
    }
    all
}

#[test]
fn nothing_that_authors_use_is_gone() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/author_api.txt");
    let now = listed();
    if std::env::var_os("NNUNET_BLESS").is_some() {
        let text: String = now.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let gone: Vec<&str> = kept.lines().filter(|line| !now.contains(*line)).collect();
    assert!(gone.is_empty(), "gone or changed:\n{}", gone.join("\n"));
    let new: Vec<&String> = now.iter().filter(|line| !kept.lines().any(|old| old == **line)).collect();
    if !new.is_empty() {
        eprintln!("new, and guarded once it is listed with NNUNET_BLESS=1: {new:#?}");
    }
}
