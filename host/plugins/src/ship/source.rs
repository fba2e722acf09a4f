//! Where a plugin is installed from: a folder, a library, a pack, an archive of sources, or a git repository.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::pack::Pack;
use super::temporary;
use crate::build;
use crate::trust;

/// The most that an archive of sources may unpack to, in bytes.
const MOST_SOURCES: u64 = 1 << 30;
/// Endings of archives of sources.
const ARCHIVES: [&str; 3] = [".crate", ".tar.gz", ".tgz"];
/// How addresses of git repositories begin.
const SCHEMES: [&str; 5] = ["https://", "http://", "ssh://", "git://", "file://"];

/// Where a plugin is installed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The folder of a crate.
    Folder(PathBuf),
    /// A built library.
    Library(PathBuf),
    /// An archive that `plugins pack` wrote.
    Pack(PathBuf),
    /// Sources in an archive: a `.crate` of a registry, or another tar.gz.
    Archive {
        /// The archive.
        file: PathBuf,
        /// The crate's folder in it, if not the only one.
        folder: Option<PathBuf>,
    },
    /// A git repository.
    Git {
        /// Its address.
        url: String,
        /// Branch, tag or commit; none: the default branch.
        rev: Option<String>,
        /// The crate's folder in it.
        folder: Option<PathBuf>,
    },
}

/// A library that is ready to be installed.
#[derive(Debug)]
pub struct Fetched {
    /// The library.
    pub library: PathBuf,
    /// The folder of its crate, while it was built from one.
    pub crate_folder: Option<PathBuf>,
    /// The commit it was built from.
    pub commit: Option<String>,
    _temporary: Option<TempDir>,
}

impl Source {
    /// What a user means by a path or an address. `rev` and `folder` belong to repositories and archives.
    ///
    /// # Errors
    /// Returns an error if there is no such file, or if `rev` or `folder` are given where they mean nothing.
    pub fn parse(text: &str, rev: Option<&str>, folder: Option<&Path>) -> Result<Self> {
        let (rev, folder) = (rev.map(str::to_owned), folder.map(Path::to_owned));
        let url = text.strip_prefix("git+").unwrap_or(text);
        if SCHEMES.iter().any(|scheme| url.starts_with(scheme)) || is_ssh(url) {
            return Ok(Self::Git { url: url.to_owned(), rev, folder });
        }
        ensure!(rev.is_none(), "--rev belongs to the address of a git repository, and {text} is a path");
        let path = Path::new(text).canonicalize().with_context(|| text.to_owned())?;
        if ARCHIVES.iter().any(|ending| text.ends_with(ending)) {
            return Ok(Self::Archive { file: path, folder });
        }
        ensure!(folder.is_none(), "--folder belongs to a repository or an archive of sources");
        Ok(match path.extension() {
            _ if path.is_dir() => Self::Folder(path),
            Some(ending) if ending == "zip" => Self::Pack(path),
            _ => Self::Library(path),
        })
    }

    /// The pack, if it is one.
    ///
    /// # Errors
    /// As [`Pack::open`].
    pub fn pack(&self) -> Result<Option<Pack>> {
        match self {
            Self::Pack(path) => Pack::open(path).map(Some),
            _ => Ok(None),
        }
    }

    /// Makes the library available; sources are built.
    ///
    /// # Errors
    /// Returns an error if something is missing, damaged or does not build.
    pub fn fetch(&self) -> Result<Fetched> {
        let in_folder = |folder: PathBuf, temporary, commit| -> Result<Fetched> {
            let library = build::build(&folder)?;
            Ok(Fetched { library, crate_folder: Some(folder), commit, _temporary: temporary })
        };
        match self {
            Self::Folder(folder) => in_folder(folder.clone(), None, None),
            Self::Library(path) => {
                Ok(Fetched { library: path.clone(), crate_folder: None, commit: None, _temporary: None })
            }
            Self::Pack(path) => {
                let (temporary, library) = Pack::open(path)?.unpack()?;
                Ok(Fetched { library, crate_folder: None, commit: None, _temporary: Some(temporary) })
            }
            Self::Archive { file, folder } => {
                let temporary = temporary::folder()?;
                unpack(file, temporary.path()).with_context(|| file.display().to_string())?;
                let place = crate_in(temporary.path(), folder.as_deref())
                    .with_context(|| file.display().to_string())?;
                in_folder(place, Some(temporary), None)
            }
            Self::Git { url, rev, folder } => {
                let temporary = temporary::folder()?;
                let to = temporary.path().join("repository");
                let commit = clone(url, rev.as_deref(), &to)?;
                let place = folder.as_ref().map_or(to.clone(), |folder| to.join(folder));
                in_folder(place, Some(temporary), Some(commit))
            }
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path)
            | Self::Library(path)
            | Self::Pack(path)
            | Self::Archive { file: path, .. } => {
                write!(f, "{}", path.display())
            }
            Self::Git { url, rev: None, .. } => write!(f, "{url}"),
            Self::Git { url, rev: Some(rev), .. } => write!(f, "{url} at {rev}"),
        }
    }
}

/// `git@host:path`, which no path of an existing file is.
fn is_ssh(text: &str) -> bool {
    let host = text.split_once(':').filter(|_| !Path::new(text).exists()).map(|(host, _)| host);
    host.and_then(|host| host.split_once('@')).is_some_and(|(user, host)| {
        !user.is_empty() && !user.starts_with('-') && !host.is_empty() && !host.contains('/')
    })
}

/// Unpacks a tar.gz that no other user can have written. Names that lead out of the folder are refused.
fn unpack(archive: &Path, to: &Path) -> Result<()> {
    let file = File::open(trust::owned(archive)?)?;
    let mut archive = tar::Archive::new(GzDecoder::new(file).take(MOST_SOURCES));
    archive.set_preserve_permissions(false);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        ensure!(entry.unpack_in(to)?, "`{name}` leads out of the folder");
    }
    Ok(())
}

/// The crate in a folder of unpacked sources: the one named, the folder itself, or its only folder.
fn crate_in(root: &Path, folder: Option<&Path>) -> Result<PathBuf> {
    let entries: Vec<PathBuf> = std::fs::read_dir(root)?.flatten().map(|entry| entry.path()).collect();
    let top = match &*entries {
        [only] if only.is_dir() => only.clone(),
        _ => root.to_owned(),
    };
    let place = folder.map_or(top.clone(), |folder| top.join(folder));
    ensure!(
        place.join("Cargo.toml").is_file(),
        "it has no Cargo.toml; name the crate's folder in it with --folder"
    );
    Ok(place)
}

/// Clones a repository and returns the commit.
fn clone(url: &str, rev: Option<&str>, to: &Path) -> Result<String> {
    let mut command = Command::new("git");
    command.args(["clone", "--quiet"]);
    if rev.is_none() {
        command.args(["--depth", "1"]);
    }
    run(command.arg("--").arg(url).arg(to), url)?;
    if let Some(rev) = rev {
        ensure!(!rev.starts_with('-'), "`{rev}` is not a revision");
        run(Command::new("git").arg("-C").arg(to).args(["checkout", "--quiet", "--detach", rev]), url)?;
    }
    let output = Command::new("git").arg("-C").arg(to).args(["rev-parse", "HEAD"]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn run(command: &mut Command, url: &str) -> Result<()> {
    let status = command.status().context("cannot start git; install it")?;
    ensure!(status.success(), "{url} cannot be cloned; git says why above");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_recognized_by_its_address_or_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            std::fs::write(folder.path().join(name), "").unwrap();
            folder.path().canonicalize().unwrap().join(name)
        };
        let parse = |text: &str| Source::parse(text, None, None);
        for url in ["https://example.org/a.git", "git@example.org:a/b.git", "ssh://git@example.org/a"] {
            let git = |url: &str| Source::Git { url: url.to_owned(), rev: None, folder: None };
            assert_eq!(parse(url).unwrap(), git(url));
            assert_eq!(parse(&format!("git+{url}")).unwrap(), git(url));
        }
        let (library, pack, archive) = (path("a.so"), path("a.zip"), path("a-0.1.0.crate"));
        assert_eq!(parse(library.to_str().unwrap()).unwrap(), Source::Library(library.clone()));
        assert_eq!(parse(pack.to_str().unwrap()).unwrap(), Source::Pack(pack));
        let archived = Source::Archive { file: archive.clone(), folder: None };
        assert_eq!(parse(archive.to_str().unwrap()).unwrap(), archived);
        assert!(parse("no-such-folder").is_err());
        assert!(Source::parse(library.to_str().unwrap(), Some("main"), None).is_err());
        assert!(parse("-c@x:y").is_err(), "an option of git is not an address");
    }

    #[test]
    fn archives_that_reach_elsewhere_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = |name: &str| {
            let path = folder.path().join("a.crate");
            let gz = flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
            let mut tar = tar::Builder::new(gz);
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(3);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append(&header, &b"abc"[..]).unwrap();
            tar.into_inner().unwrap().finish().unwrap();
            path
        };
        let to = folder.path().join("to");
        std::fs::create_dir(&to).unwrap();
        let error = unpack(&archive("../escaped"), &to).unwrap_err().to_string();
        assert!(error.contains("leads out of the folder"), "{error}");
        assert!(!folder.path().join("escaped").exists());
        unpack(&archive("a-0.1.0/Cargo.toml"), &to).unwrap();
        assert_eq!(crate_in(&to, None).unwrap(), to.join("a-0.1.0"));
        assert!(crate_in(&to, Some(Path::new("other"))).is_err());
    }
}
