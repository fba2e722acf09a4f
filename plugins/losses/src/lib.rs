//! The losses of nnU-Net, by v1's class names.

mod cross_entropy;
mod dice;
mod dice_ce;
mod overlap;
mod supervision;
mod topk;

pub use cross_entropy::CrossEntropy;
pub use dice::{DiceConfig, SoftDice};
pub use dice_ce::{DiceCe, DiceCeConfig};
pub use overlap::{GdlConfig, GeneralizedDice, MatthewsCorrelation, MccConfig, SoftDiceSquared};
pub use supervision::{deep_supervision_loss, deep_supervision_weights};
pub use topk::{DiceTopK, DiceTopKConfig, TopK, TopKConfig};
