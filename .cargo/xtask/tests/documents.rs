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

/// Text outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// The names that links give to the headings of a page, as GitHub and mdBook form them.
fn anchors(text: &str) -> Vec<String> {
    let titles =
        prose(text).filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
    let letter = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    titles.map(|title| title.chars().filter_map(letter).collect()).collect()
}

/// The targets of the links of a page.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text).collect::<Vec<_>>().join("\n");
    prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
}

/// What is wrong with a link of a document.
fn fault(document: &Path, text: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = document.parent().unwrap().join(file);
    let wrong = |what: &str| Some(format!("{}: {link}: {what}", document.display()));
    if !file.is_empty() && !target.exists() {
        return wrong("no such file");
    }
    let there =
        if file.is_empty() { text.to_owned() } else { fs::read_to_string(&target).unwrap_or_default() };
    if !anchor.is_empty() && !anchors(&there).iter().any(|name| name == anchor) {
        return wrong("no such heading");
    }
    None
}

#[test]
fn links_lead_to_files_and_headings() {
    let root = root();
    let mut wrong = Vec::new();
    for folder in ["", "docs", "docs/guide"] {
        for document in documents(&root.join(folder)) {
            let text = fs::read_to_string(&document).unwrap();
            wrong.extend(links(&text).iter().filter_map(|link| fault(&document, &text, link)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn broken_links_are_found() {
    let text = "# A title: with `code`\n```sh\n# no heading [x](nowhere.md)\n```\n[a](#a-title-with-code)";
    assert_eq!(anchors(text), ["a-title-with-code"]);
    assert_eq!(links(text), ["#a-title-with-code"]);
    let page = root().join("docs/README.md");
    assert_eq!(fault(&page, text, "#a-title-with-code"), None);
    assert!(fault(&page, text, "#no-heading").is_some());
    assert!(fault(&page, text, "nowhere.md").is_some());
    assert!(fault(&page, text, "status.md#nothing-of-this-name").is_some());
}

/// The book has every page once, and nothing else.
#[test]
fn the_summary_lists_all_pages() {
    let docs = root().join("docs");
    let mut listed = links(&fs::read_to_string(docs.join("SUMMARY.md")).unwrap());
    listed.sort();
    let pages = [docs.clone(), docs.join("guide")].map(|folder| documents(&folder)).concat();
    let name = |page: &PathBuf| page.strip_prefix(&docs).unwrap().display().to_string();
    let mut pages: Vec<String> = pages.iter().map(name).filter(|name| name != "SUMMARY.md").collect();
    pages.sort();
    assert_eq!(listed, pages);
}
