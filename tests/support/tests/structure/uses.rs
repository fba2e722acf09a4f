//! Which file uses which: `use crate::…` and `super::…`, paths in the code and in macros, re-exports followed.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Item, ItemMod, ItemUse, UseTree, Visibility};

use crate::modules::{Module, Modules, is_test};

/// For every file the files that it uses. A `pub use` alone uses nothing.
pub(crate) fn edges(modules: &Modules) -> Vec<BTreeSet<usize>> {
    let names: Vec<Names> = modules.all.iter().map(Names::of).collect();
    let uses = |index: usize| {
        let mut finder = Finder { paths: BTreeSet::new() };
        modules.all[index].items.iter().for_each(|item| finder.visit_item(item));
        let targets = finder.paths.iter().filter_map(|path| resolve(modules, &names, index, path, 0));
        targets.filter(|target| *target != index).collect()
    };
    (0..modules.all.len()).map(uses).collect()
}

/// For every module the modules beside it (with the same parent) that it uses, each with all files below it.
pub(crate) fn between_siblings(modules: &Modules, edges: &[BTreeSet<usize>]) -> Vec<BTreeSet<usize>> {
    let mut between = vec![BTreeSet::new(); modules.all.len()];
    for (from, targets) in edges.iter().enumerate() {
        for to in targets {
            let (from, to) = (&modules.all[from].path, &modules.all[*to].path);
            let common = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            // A parent and a module inside of it are no siblings.
            if let (Some(from), Some(to)) = (from.get(..=common), to.get(..=common)) {
                between[modules.by_path[from]].insert(modules.by_path[to]);
            }
        }
    }
    between
}

/// What a file makes visible under a name of its own.
struct Names {
    defined: BTreeSet<String>,
    /// Imported and re-exported names with their paths.
    imported: BTreeMap<String, Vec<String>>,
    /// Paths whose names are all imported.
    globs: Vec<Vec<String>>,
}

impl Names {
    fn of(module: &Module) -> Self {
        let mut names = Self { defined: BTreeSet::new(), imported: BTreeMap::new(), globs: Vec::new() };
        for item in &module.items {
            let ident = match item {
                Item::Const(item) => &item.ident,
                Item::Enum(item) => &item.ident,
                Item::Fn(item) => &item.sig.ident,
                Item::Static(item) => &item.ident,
                Item::Struct(item) => &item.ident,
                Item::Trait(item) => &item.ident,
                Item::Type(item) => &item.ident,
                Item::Union(item) => &item.ident,
                Item::Use(item) => {
                    for (path, alias) in flatten(&item.tree) {
                        match alias.as_deref() {
                            Some("*") => names.globs.push(path),
                            Some(alias) => drop(names.imported.insert(alias.to_owned(), path)),
                            None => {}
                        }
                    }
                    continue;
                }
                _ => continue,
            };
            names.defined.insert(ident.to_string());
        }
        names
    }
}

/// All paths of a `use`, with the name each is visible under; `*` for all names.
fn flatten(tree: &UseTree) -> Vec<(Vec<String>, Option<String>)> {
    match tree {
        UseTree::Path(path) => {
            let first = path.ident.to_string();
            let rest = flatten(&path.tree).into_iter();
            rest.map(|(rest, alias)| ([vec![first.clone()], rest].concat(), alias)).collect()
        }
        UseTree::Name(name) if name.ident == "self" => vec![(Vec::new(), None)],
        UseTree::Name(name) => vec![(vec![name.ident.to_string()], Some(name.ident.to_string()))],
        UseTree::Rename(name) => vec![(vec![name.ident.to_string()], Some(name.rename.to_string()))],
        UseTree::Glob(_) => vec![(Vec::new(), Some("*".to_owned()))],
        UseTree::Group(group) => group.items.iter().flat_map(flatten).collect(),
    }
}

/// Collects paths.
struct Finder {
    paths: BTreeSet<Vec<String>>,
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if matches!(item.vis, Visibility::Inherited) && !is_test(&item.attrs) {
            self.paths.extend(flatten(&item.tree).into_iter().map(|(path, _)| path));
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !is_test(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            self.paths.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, makro: &'ast syn::Macro) {
        self.scan(makro.tokens.clone());
        visit::visit_macro(self, makro);
    }
}

impl Finder {
    /// Paths in the tokens of a macro.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.take(&mut path);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => colons += 1,
                other => {
                    self.take(&mut path);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.scan(group.stream());
                    }
                }
            }
        }
        self.take(&mut path);
    }

    fn take(&mut self, path: &mut Vec<String>) {
        if path.len() > 1 {
            self.paths.insert(path.clone());
        }
        path.clear();
    }
}

/// The file that defines what a path of the file `from` names; `None` for other crates.
fn resolve(modules: &Modules, names: &[Names], from: usize, path: &[String], depth: usize) -> Option<usize> {
    let first = path.first()?;
    let own = &modules.all[from].path;
    let (mut at, rest) = match first.as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" => (own.clone(), &path[1..]),
        "super" => {
            let levels = path.iter().take_while(|part| *part == "super").count();
            (own[..own.len().saturating_sub(levels)].to_vec(), &path[levels..])
        }
        // A child, or a name that another `use` of this file brings in.
        _ if modules.by_path.contains_key(&[own.as_slice(), std::slice::from_ref(first)].concat()) => {
            (own.clone(), path)
        }
        _ => return None,
    };
    for part in rest {
        let next = [at.as_slice(), std::slice::from_ref(part)].concat();
        if modules.by_path.contains_key(&next) {
            at = next;
            continue;
        }
        let here = modules.by_path[&at];
        return Some(defining(modules, names, here, part, depth).unwrap_or(here));
    }
    modules.by_path.get(&at).copied()
}

/// The file that defines `name` if `here` only passes it on.
fn defining(modules: &Modules, names: &[Names], here: usize, name: &str, depth: usize) -> Option<usize> {
    if depth > 8 || names[here].defined.contains(name) {
        return None;
    }
    if let Some(path) = names[here].imported.get(name) {
        return resolve(modules, names, here, path, depth + 1);
    }
    names[here].globs.iter().find_map(|path| {
        let target = resolve(modules, names, here, path, depth + 1)?;
        names[target].defined.contains(name).then_some(target)
    })
}
