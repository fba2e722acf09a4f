//! DICOM: the series of a folder, each as a volume with its geometry.
//!
//! Slices are sorted by their position, not by their names or numbers. Values are those after the rescale of the file
//! (Hounsfield units in CT). A series whose slices are not a regular grid is refused with what is wrong: slices that are
//! missing or that lie at the same place, a tilted gantry, slices of different size or orientation.

mod error;
mod series;
mod slice;
mod stack;
mod volume;
mod write;

pub use error::{Error, Result};
pub use series::{Series, list};
pub use slice::is_dicom;
pub use volume::{Volume, read};
pub use write::{Header, write};
