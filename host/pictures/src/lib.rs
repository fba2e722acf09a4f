//! Pictures people look at instead of numbers: cases side by side, training curves.

mod canvas;
mod montage;
mod progress;

pub use montage::{MontageRow, montage};
pub use progress::{Curves, progress};
