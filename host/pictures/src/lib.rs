//! Pictures people look at instead of numbers: cases side by side, labels over images, training curves.

mod canvas;
mod montage;
mod overlay;
mod progress;

pub use montage::{MontageRow, montage};
pub use overlay::overlay;
pub use progress::{Curves, progress};
