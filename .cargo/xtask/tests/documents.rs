//! What the documents say about the repository is true: files exist, functions that are named exist in their file, and links
//! lead somewhere.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn root() -> PathBuf {
    // The present checkout, also after it was moved: tests run in the folder of their package.
    env::current_dir().unwrap().ancestors().nth(2).unwrap().to_owned()
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    files.sort();
    files
}

/// Names in a text, in order: `path.rs` is a file, and `name` after a colon is defined in it.
fn named(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let parts: Vec<&str> = text.split('`').collect();
    let mut lists = false;
    for (i, part) in parts.iter().enumerate() {
        let quoted = i % 2 == 1;
        if quoted && part.ends_with(".rs") && part.contains('/') {
            found.push(((*part).to_owned(), Vec::new()));
            lists = parts.get(i + 1).is_some_and(|after| after.starts_with(':'));
        } else if quoted && lists {
            let item = part.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
            found.last_mut().unwrap().1.push(item.to_owned());
        } else if !quoted {
            lists = lists && matches!(part.trim(), ":" | "," | "and" | ", and");
        }
    }
    found
}

fn defines(source: &str, name: &str) -> bool {
    ["fn ", "struct ", "trait ", "enum "].iter().any(|word| {
        source.match_indices(&format!("{word}{name}")).any(|(at, found)| {
            source[at + found.len()..].starts_with(|c: char| !(c.is_alphanumeric() || c == '_'))
        })
    })
}

#[test]
fn the_walks_through_the_code_name_what_exists() {
    let root = root();
    let text = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let (mut wrong, mut names) = (Vec::new(), 0);
    for (file, functions) in named(&text) {
        let Ok(source) = fs::read_to_string(root.join(&file)) else {
            wrong.push(format!("{file} does not exist"));
            continue;
        };
        names += functions.len();
        wrong.extend(
            functions.iter().filter(|name| !defines(&source, name)).map(|name| format!("{file}: no {name}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(names > 30, "only {names} functions were found in the text");
}

#[test]
fn links_lead_to_files() {
    let root = root();
    let mut wrong = Vec::new();
    for folder in ["", "docs", "docs/guide"] {
        for document in documents(&root.join(folder)) {
            let text = fs::read_to_string(&document).unwrap();
            for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let file = link.split('#').next().unwrap_or_default();
                if !file.is_empty()
                    && !file.contains("://")
                    && !document.parent().unwrap().join(file).exists()
                {
                    wrong.push(format!("{}: {link}", document.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
