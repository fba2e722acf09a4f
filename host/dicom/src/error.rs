//! Why a series cannot be read.

use std::path::PathBuf;

/// The result of reading DICOM.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a series cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read, or has no pixels that can be decoded.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The reason.
        reason: String,
    },
    /// There is no series.
    #[error("{} has no DICOM images", .0.display())]
    Nothing(PathBuf),
    /// The slices of a series are not a regular grid.
    #[error("series \"{series}\": {reason}")]
    Grid {
        /// Description of the series.
        series: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}
