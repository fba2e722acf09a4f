//! Pictures people look at instead of numbers: cases side by side, labels over images, training curves, networks.

mod architecture;
mod canvas;
mod finder;
mod montage;
mod overlay;
mod progress;

pub use architecture::{Diagram, Level, architecture};
pub use finder::learning_rates;
pub use montage::{MontageRow, montage};
pub use overlay::overlay;
pub use progress::{Curves, progress};
