//! The files of a crate as modules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item};

/// One file.
#[derive(Debug)]
pub(crate) struct Module {
    /// `["a", "b"]` for `crate::a::b`.
    pub(crate) path: Vec<String>,
    pub(crate) file: PathBuf,
    pub(crate) lines: usize,
    pub(crate) items: Vec<Item>,
}

/// All files of a crate, and their numbers by path.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    pub(crate) all: Vec<Module>,
    pub(crate) by_path: BTreeMap<Vec<String>, usize>,
}

/// Reads `lib.rs` (or every program) and all files that it declares.
pub(crate) fn read(src: &Path) -> Modules {
    let mut modules = Modules::default();
    let root = src.join("lib.rs");
    if root.is_file() {
        modules.add(&root, src, Vec::new());
    }
    modules
}

impl Modules {
    fn add(&mut self, file: &Path, folder: &Path, path: Vec<String>) {
        let text =
            std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let declared: Vec<String> = parsed
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Mod(module) if module.content.is_none() && !is_test(&module.attrs) => {
                    Some(module.ident.to_string())
                }
                _ => None,
            })
            .collect();
        self.by_path.insert(path.clone(), self.all.len());
        let lines = text.lines().count();
        self.all.push(Module { path: path.clone(), file: file.to_owned(), lines, items: parsed.items });
        for name in declared {
            let mut path = path.clone();
            path.push(name.clone());
            let flat = folder.join(format!("{name}.rs"));
            let inner = folder.join(&name);
            let nested = inner.join("mod.rs");
            if flat.is_file() {
                self.add(&flat, &inner, path);
            } else if nested.is_file() {
                self.add(&nested, &inner, path);
            }
        }
    }
}

/// Whether an item is there in tests only.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        let list = is_cfg.then(|| attribute.meta.require_list().ok()).flatten();
        list.is_some_and(|list| list.tokens.to_string() == "test")
    })
}
