//! Whether a plugin or configuration file may be used: who owns it, who can write to it, and whether it is the one that
//! was pinned.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use semver::{Version, VersionReq};
use sha2::{Digest, Sha256};

const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Users, by number, whose files are used beside one's own and root's; separated by commas.
const TRUSTED_OWNERS: &str = "NNUNET_TRUSTED_OWNERS";

/// The canonical path of a file that no user but this one, root, and those in `NNUNET_TRUSTED_OWNERS` can replace: they
/// own the file and every folder above.
///
/// # Errors
/// Returns an error if the file does not exist, or with the path that another user owns.
pub fn owned(path: &Path) -> Result<PathBuf> {
    let path = path.canonicalize().context("there is no such file")?;
    let others = std::env::var(TRUSTED_OWNERS).unwrap_or_default();
    let is_trusted = |owner: u32| {
        owner == 0
            || owner == rustix::process::geteuid().as_raw()
            || others.split(',').any(|other| other.trim().parse() == Ok(owner))
    };
    for place in path.ancestors() {
        let owner = place.metadata().with_context(|| place.display().to_string())?.uid();
        ensure!(
            is_trusted(owner),
            "{} belongs to another user (number {owner}), whose files are not used; copy it, or, if you trust that user \
             with all you can do, set {TRUSTED_OWNERS}={owner}",
            place.display()
        );
    }
    Ok(path)
}

/// As [`owned`], and only owner and group can write to the file, its folder, and every folder above. Above, a folder with
/// the sticky bit (`/tmp`) will do: others cannot rename what is in it.
///
/// # Errors
/// As [`owned`], or with the path that everybody may write to.
pub fn private(path: &Path) -> Result<PathBuf> {
    let path = owned(path)?;
    for (depth, place) in path.ancestors().enumerate() {
        let mode = place.metadata().with_context(|| place.display().to_string())?.mode();
        let open = mode & WRITABLE_BY_ALL != 0 && (depth < 2 || mode & STICKY == 0);
        ensure!(!open, "{} is writable by everybody; remove that right (chmod o-w)", place.display());
    }
    Ok(path)
}

/// An open plugin file. Hash and load of its descriptor are those of one file, even if another gets its name in between.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    /// The file's own path.
    pub path: PathBuf,
    /// Its hash.
    pub sha256: String,
}

impl OpenFile {
    /// Opens and hashes a file.
    ///
    /// # Errors
    /// As [`private`]; an I/O error if the file cannot be read.
    pub fn new(path: &Path) -> Result<Self> {
        let path = private(path)?;
        let file = nnunet_formats::input::open(&path)?;
        let sha256 = hash(&file).with_context(|| path.display().to_string())?;
        Ok(Self { file, path, sha256 })
    }

    /// A path of the descriptor, for this process, while this value exists.
    #[must_use]
    pub fn descriptor(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// The descriptor for a child process.
    ///
    /// # Errors
    /// Returns an I/O error if the system has no more descriptors.
    pub fn for_child(&self) -> Result<File> {
        self.file.try_clone().with_context(|| self.path.display().to_string())
    }
}

/// The hash of a file, as `sha256sum` prints it.
///
/// # Errors
/// Returns an I/O error.
pub fn sha256(path: &Path) -> Result<String> {
    let file = nnunet_formats::input::open(path)?;
    hash(&file).with_context(|| path.display().to_string())
}

fn hash(mut file: &File) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut file, &mut hasher)?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a file must be, from `[plugins]`.
#[derive(Debug, Clone, Default)]
pub struct Pin {
    /// Its version.
    pub version: Option<VersionReq>,
    /// Its hash.
    pub sha256: Option<String>,
}

impl Pin {
    /// Compares the hash; this comes before anything of the file is run.
    ///
    /// # Errors
    /// Returns an error for another hash.
    pub fn check_hash(&self, found: &str) -> Result<()> {
        match &self.sha256 {
            Some(wanted) if !wanted.eq_ignore_ascii_case(found) => bail!(
                "sha256: found {found}, wanted {wanted}; if the new file is meant, run nnunet plugins pin"
            ),
            _ => Ok(()),
        }
    }

    /// Compares the version.
    ///
    /// # Errors
    /// Returns an error for another version, or an invalid one.
    pub fn check_version(&self, found: &str) -> Result<()> {
        let Some(wanted) = &self.version else { return Ok(()) };
        let version = Version::parse(found).with_context(|| format!("version `{found}` of the plugin"))?;
        ensure!(
            wanted.matches(&version),
            "version: found {found}, wanted {wanted}; build that version, or change the requirement in nnunet.toml"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha256sums() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        let hash = sha256(&file).unwrap();
        assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let pin = Pin { version: None, sha256: Some(hash.to_uppercase()) };
        pin.check_hash(&hash).unwrap();
        assert!(pin.check_hash("00").unwrap_err().to_string().contains("found 00"));
    }

    #[test]
    fn a_descriptor_stays_the_file_that_was_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("p.so"), folder.path().join("q.so"));
        std::fs::write(&path, "abc").unwrap();
        let open = OpenFile::new(&path).unwrap();
        std::fs::write(&other, "swapped").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(std::fs::read(open.descriptor()).unwrap(), b"abc");
        assert_ne!(sha256(&path).unwrap(), open.sha256);
    }

    /// Only root can give files away.
    #[test]
    fn files_of_other_users_are_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nnunet.toml");
        std::fs::write(&path, "").unwrap();
        owned(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        let error = owned(&path).unwrap_err().to_string();
        assert!(error.contains("belongs to another user (number 65534)"), "{error}");
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        std::os::unix::fs::chown(folder.path(), Some(65534), None).unwrap();
        assert!(private(&path).is_err());
    }

    #[test]
    fn a_version_requirement_is_cargos() {
        let pin = Pin { version: Some(VersionReq::parse("0.2").unwrap()), sha256: None };
        pin.check_version("0.2.7").unwrap();
        assert_eq!(
            pin.check_version("0.3.0").unwrap_err().to_string(),
            "version: found 0.3.0, wanted ^0.2; build that version, or change the requirement in nnunet.toml"
        );
    }

    #[test]
    fn a_folder_above_that_everybody_may_write_to_is_refused_unless_sticky() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("open/inner");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("p.so"), "").unwrap();
        let set = |mode| {
            std::fs::set_permissions(folder.path().join("open"), std::fs::Permissions::from_mode(mode))
                .unwrap();
        };
        set(0o777);
        assert!(
            private(&inner.join("p.so")).unwrap_err().to_string().contains("open is writable by everybody")
        );
        set(0o1777);
        private(&inner.join("p.so")).unwrap();
    }
}
