//! The values of v2's trainers (nnunetv2 2.8.1). In the closures `b` is the blueprint.

mod augmentation;
mod length;
mod losses;
mod optimizers;
mod others;

use super::choice;
