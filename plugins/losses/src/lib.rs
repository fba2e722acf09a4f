//! The losses of nnU-Net, by v1's class names.

mod correlation;
mod counts;
mod cross_entropy;
mod dice;
mod dice_bce;
mod dice_ce;
mod focal;
mod generalized;
mod precision;
mod regions;
mod supervision;
mod target;
mod topk;
mod weighted_sum;

pub use correlation::{MatthewsCorrelation, MccConfig};
pub use counts::Counts;
pub use cross_entropy::{CrossEntropy, CrossEntropyConfig};
pub use dice::{DiceConfig, SoftDice};
pub use dice_bce::{DiceBce, DiceBceConfig};
pub use dice_ce::{DiceCe, DiceCeConfig};
pub use focal::{Alpha, Focal, FocalConfig};
pub use generalized::{GdlConfig, GeneralizedDice};
pub use regions::region_masks;
pub use supervision::{deep_supervision_loss, deep_supervision_weights};
pub use target::Nonlinearity;
pub use topk::{DiceTopK, DiceTopKConfig, TopK, TopKConfig};
pub use weighted_sum::{WEIGHTED_SUM, WeightedSum, WeightedSumConfig};
