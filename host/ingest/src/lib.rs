//! Makes a task of v1 or a data set of v2 of folders with images and masks in whatever formats.
//!
//! A channel of a case is a file, or a folder with a DICOM series; a mask is a file whose values, colors or palette are the
//! labels. Everything is written as NIfTI, on the grid of the images.

mod cases;
mod entries;
pub mod examples;
mod faults;
mod image;
mod labels;
mod layout;
mod mask;
mod masks;
mod numbers;
mod series;
mod task;

pub use entries::has_series;
pub use labels::{Label, Named, Value};
pub use layout::{Generation, Name};
pub use task::{Converted, Outcome, Readable, Request, convert, convert_readable, ingest};
