//! The documentation is a book: mdBook builds it without an error, and every page is in it.

use std::path::{Path, PathBuf};
use std::{env, fs};

use mdbook_driver::MDBook;
use mdbook_driver::config::Config;

fn root() -> PathBuf {
    // The present checkout, also after it was moved: tests run in the folder of their package.
    env::current_dir().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// Builds the book of a folder with `book.toml` into another folder.
fn build(root: &Path, output: &Path) -> Result<(), String> {
    let failed = |error| format!("{error:?}");
    let mut config = Config::from_disk(root.join("book.toml")).map_err(failed)?;
    config.build.build_dir = output.to_owned();
    MDBook::load_with_config(root, config).map_err(failed)?.build().map_err(failed)
}

/// The pages below a folder, as paths in it.
fn pages(folder: &Path, below: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.join(below)).unwrap().map(|entry| entry.unwrap()) {
        let name = Path::new(below).join(entry.file_name());
        if entry.path().is_dir() {
            found.extend(pages(folder, name.to_str().unwrap()));
        } else if name.extension().is_some_and(|end| end == "md") && !name.ends_with("SUMMARY.md") {
            found.push(name);
        }
    }
    found
}

/// The title of a page.
fn title(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("# "));
    line.unwrap_or_else(|| panic!("{} has no title", page.display())).replace('`', "")
}

/// Pages of `docs` that are not in a book, or without their title there.
fn missing(docs: &Path, book: &Path) -> Vec<String> {
    let is_there = |page: &PathBuf| {
        // mdBook makes README.md the index of its folder.
        let page_of_book = match page.file_name().and_then(|name| name.to_str()) {
            Some("README.md") => page.with_file_name("index.html"),
            _ => page.with_extension("html"),
        };
        // It writes typographic apostrophes.
        let html = fs::read_to_string(book.join(page_of_book)).unwrap_or_default().replace('’', "'");
        html.contains(&format!(">{}</a></h1>", title(&docs.join(page))))
    };
    let absent = pages(docs, "").into_iter().filter(|page| !is_there(page));
    absent.map(|page| page.display().to_string()).collect()
}

#[test]
fn the_book_is_built_with_every_page() {
    let root = root();
    let output = tempfile::tempdir().unwrap();
    build(&root, output.path()).unwrap();
    let all = pages(&root.join("docs"), "").len();
    assert!(all > 20, "only {all} pages were found in docs");
    assert_eq!(missing(&root.join("docs"), output.path()), [""; 0]);
}

#[test]
fn a_page_that_is_not_there_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(root.path().join(name), text).unwrap();
    fs::create_dir(root.path().join("docs")).unwrap();
    fs::copy(self::root().join("book.toml"), root.path().join("book.toml")).unwrap();
    write("docs/a.md", "# A page\n");
    write("docs/b.md", "# Another\n");
    write("docs/SUMMARY.md", "# Summary\n\n* [A](a.md)\n");
    let output = tempfile::tempdir().unwrap();
    build(root.path(), output.path()).unwrap();
    assert_eq!(missing(&root.path().join("docs"), output.path()), ["b.md"]);

    write("docs/SUMMARY.md", "# Summary\n\n* [A](a.md)\n* [C](c.md)\n");
    let error = build(root.path(), output.path()).unwrap_err();
    assert!(error.contains("c.md"), "{error}");
}
