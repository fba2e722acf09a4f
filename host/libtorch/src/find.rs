//! Looks for a libtorch: in the place that the user names, in the Python environment, and where `nnunet setup` installs.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::VERSION;
use crate::install::installed;
use crate::version::{fits, torch_version};

/// The environment variable that names a folder of libtorch.
pub const VARIABLE: &str = "NNUNET_LIBTORCH";

/// A libtorch that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its folder, with `lib/libtorch_cpu.so`.
    pub folder: PathBuf,
    /// Why it is used.
    pub source: String,
}

/// A place that was looked at in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searched {
    /// The place.
    pub folder: PathBuf,
    /// Why it was looked at.
    pub source: String,
    /// The version that is there; none where there is no libtorch.
    pub version: Option<String>,
}

/// What there is to look at, in this order.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Places that the user has named: one that does not fit is an error.
    pub named: Vec<(String, PathBuf)>,
    /// Other places.
    pub others: Vec<(String, PathBuf)>,
}

impl Search {
    /// The places for a program.
    #[must_use]
    pub fn of_program(program: &Path) -> Self {
        let variable = |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let named = [VARIABLE, "LIBTORCH"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), PathBuf::from(variable(name)?))));
        let mut others = Vec::new();
        // A program in target/PROFILE of a checkout.
        if let Some(checkout) = program.ancestors().nth(3) {
            others.push(("the checkout".to_owned(), checkout.join(".libtorch")));
        }
        let prefixes = [
            program.ancestors().nth(2).map(Path::to_owned),
            variable("VIRTUAL_ENV").map(PathBuf::from),
            variable("CONDA_PREFIX").map(PathBuf::from),
        ];
        for prefix in prefixes.into_iter().flatten() {
            let source = format!("the Python environment {}", prefix.display());
            others.extend(torch_of(&prefix).into_iter().map(|folder| (source.clone(), folder)));
        }
        others.extend(installed().map(|folder| ("nnunet setup".to_owned(), folder)));
        Self { named: named.collect(), others }
    }

    /// The first libtorch that fits.
    ///
    /// # Errors
    /// Returns the places that were looked at: the one that the user has named, if there is no such libtorch; otherwise
    /// all.
    pub fn run(&self) -> Result<Found, Vec<Searched>> {
        if let Some(named) = self.named.first() {
            return check(named).map_err(|searched| vec![searched]);
        }
        let mut searched = Vec::new();
        for place in &self.others {
            match check(place) {
                Ok(found) => return Ok(found),
                Err(other) => searched.push(other),
            }
        }
        Err(searched)
    }
}

fn check((source, folder): &(String, PathBuf)) -> Result<Found, Searched> {
    let (source, folder) = (source.clone(), folder.clone());
    let is_there = folder.join("lib/libtorch_cpu.so").is_file();
    let version = torch_version(&folder).filter(|_| is_there);
    if version.as_deref().is_some_and(fits) {
        Ok(Found { folder, source })
    } else {
        Err(Searched { folder, source, version })
    }
}

/// The torch packages below the prefix of a Python environment.
fn torch_of(prefix: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(prefix.join("lib")).into_iter().flatten().flatten();
    let mut pythons: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .map(|entry| entry.path())
        .collect();
    pythons.sort();
    let torch =
        |python: PathBuf| ["site-packages/torch", "dist-packages/torch"].map(|name| python.join(name));
    pythons.into_iter().flat_map(torch).filter(|folder| folder.is_dir()).collect()
}

/// The end of a message about a libtorch that was not found.
#[must_use]
pub(crate) fn remedy(searched: &[Searched]) -> String {
    let others: Vec<String> = searched
        .iter()
        .filter_map(|place| {
            let version = place.version.as_ref()?;
            Some(format!("{} ({}) is version {version}", place.folder.display(), place.source))
        })
        .collect();
    let others = if others.is_empty() { String::new() } else { format!("; {}", others.join("; ")) };
    format!(
        "there is no libtorch {VERSION}{others}. Run `nnunet setup`, which installs it for this program alone, or \
         `pip install torch=={VERSION}` in this environment, or set {VARIABLE} to its folder"
    )
}

/// The variable with the folders in which the dynamic linker looks for libraries first.
pub const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// The value of [`LIBRARY_PATH`] with which a program that is linked with libtorch starts; none where no libtorch is found.
#[must_use]
pub fn library_path(program: &Path) -> Option<OsString> {
    let first = Search::of_program(program).run().ok()?.folder.join("lib");
    let more = env::var_os(LIBRARY_PATH).unwrap_or_default();
    let more = env::split_paths(&more).filter(|path| !path.as_os_str().is_empty()).collect::<Vec<_>>();
    env::join_paths(std::iter::once(first).chain(more)).ok()
}

impl std::fmt::Display for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.run() {
            Ok(found) => write!(f, "{} ({})", found.folder.display(), found.source),
            Err(searched) => match (self.named.first(), searched.as_slice()) {
                (Some((name, folder)), [Searched { version: Some(version), .. }]) => write!(
                    f,
                    "{name} names {}, which is libtorch {version}, and this program needs {VERSION}; unset it, or \
                     name another",
                    folder.display()
                ),
                (Some((name, folder)), _) => {
                    write!(f, "{name} names {}, where there is no lib/libtorch_cpu.so", folder.display())
                }
                (None, searched) => f.write_str(&remedy(searched)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torch(root: &Path, name: &str, version: &str) -> PathBuf {
        let folder = root.join(name);
        fs::create_dir_all(folder.join("lib")).unwrap();
        fs::write(folder.join("lib/libtorch_cpu.so"), "").unwrap();
        fs::write(folder.join("version.py"), format!("__version__ = '{version}'\n")).unwrap();
        folder
    }

    fn temporary(name: &str) -> PathBuf {
        let folder = env::temp_dir().join(format!("nnunet-libtorch-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn the_first_that_fits_is_found_and_the_others_are_named() {
        let root = temporary("find");
        let old = torch(&root, "old", "2.1.2+cu121");
        let right = torch(&root, "right", "2.11.0+cpu");
        let place = |folder: &Path| ("a test".to_owned(), folder.to_owned());
        let search = Search { named: Vec::new(), others: vec![place(&old), place(&right)] };
        assert_eq!(search.run().unwrap().folder, right);
        let without = Search { named: Vec::new(), others: vec![place(&old)] };
        let text = without.to_string();
        assert!(
            text.contains("old (a test) is version 2.1.2+cu121") && text.contains("nnunet setup"),
            "{text}"
        );
        let named = Search { named: vec![("LIBTORCH".to_owned(), old)], others: vec![place(&right)] };
        assert!(named.run().is_err() && named.to_string().contains("LIBTORCH names"), "{named}");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_torch_of_an_environment_is_found_beside_the_program() {
        let root = temporary("venv");
        let folder = torch(&root, "lib/python3.12/site-packages/torch", "2.11.0");
        assert_eq!(torch_of(&root), [folder]);
        assert!(torch_of(&root.join("nowhere")).is_empty());
        fs::remove_dir_all(root).unwrap();
    }
}
