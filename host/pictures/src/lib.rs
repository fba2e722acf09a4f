//! Pictures: training curves, cases side by side, label overlays, network diagrams.

mod architecture;
mod chart;
mod labels;
mod learning_rates;
mod montage;
mod overlay;
mod png;
mod progress;
mod slice;
mod text;

pub use architecture::{Diagram, LayerRow, Level, NetworkShape, architecture};
pub use labels::{Gray, label_color, labels_over};
pub use learning_rates::learning_rates;
pub use montage::{MontageRow, montage};
pub use overlay::{OVERLAY_INTENSITY, overlay};
pub use progress::{Curves, progress};
pub use slice::{LabelledSlice, labelled_slice};
