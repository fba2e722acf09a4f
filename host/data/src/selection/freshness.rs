//! Whether what was made of a file is newer than the file.

use std::path::Path;
use std::time::SystemTime;

/// Whether a file is there, and was written after all that it was made of.
#[must_use]
pub fn is_current<'a>(file: &Path, sources: impl IntoIterator<Item = &'a Path>) -> bool {
    let made = written(file);
    made.is_some() && sources.into_iter().all(|source| written(source) <= made)
}

fn written(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|file| file.modified()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_file_is_current_until_one_of_its_sources_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let [made, first, second] = ["made", "first", "second"].map(|name| folder.path().join(name));
        let write = |path: &Path, seconds| {
            let file = std::fs::File::create(path).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        let current = || is_current(&made, [first.as_path(), &second]);
        write(&first, 1);
        assert!(!current(), "it is not there");
        write(&made, 2);
        assert!(current());
        write(&second, 3);
        assert!(!current());
        write(&made, 3);
        assert!(current());
    }
}
