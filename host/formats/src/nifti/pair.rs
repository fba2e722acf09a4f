//! Images in two files: the header in `.hdr`, the voxels in `.img` or `.img.gz`.

use std::path::{Path, PathBuf};

/// A header of a pair in a file that should contain the voxels too.
pub(super) const PAIR_IN_ONE_FILE: &str = "its voxels are in another file (magic ni1); name the .hdr file, or convert it to a single file (.nii.gz)";

/// The two files of an image.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair {
    /// The header, `.hdr`.
    pub header: PathBuf,
    /// The voxels, `.img`.
    pub voxels: PathBuf,
}

impl Pair {
    /// The pair to which a file belongs by its name: `.hdr` or `.img`, in lower or upper case. `None` for other names.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        let (header, voxels) = match ending {
            "hdr" | "img" => ("hdr", "img"),
            _ if ["hdr", "img"].iter().any(|known| ending.eq_ignore_ascii_case(known)) => ("HDR", "IMG"),
            _ => return None,
        };
        Some(Self { header: path.with_extension(header), voxels: path.with_extension(voxels) })
    }

    /// The voxels, which may be compressed: `.img.gz` if there is no `.img`.
    pub(super) fn existing_voxels(&self) -> PathBuf {
        let zipped = self.header.with_extension("img.gz");
        if !self.voxels.exists() && zipped.is_file() { zipped } else { self.voxels.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_file_names_the_pair() {
        let pair = Pair { header: "a/b_0000.hdr".into(), voxels: "a/b_0000.img".into() };
        assert_eq!(Pair::of(Path::new("a/b_0000.hdr")).as_ref(), Some(&pair));
        assert_eq!(Pair::of(Path::new("a/b_0000.img")), Some(pair));
        assert_eq!(Pair::of(Path::new("B.HDR")).unwrap().voxels, Path::new("B.IMG"));
        assert_eq!(Pair::of(Path::new("a.nii.gz")), None);
        assert_eq!(Pair::of(Path::new("img")), None);
    }
}
