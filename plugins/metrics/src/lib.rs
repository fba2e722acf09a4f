//! Metrics of the validation of an epoch. What v1 and v2 log as Dice is [`Dice`](overlap).

mod counts;
mod criterion;
mod overlap;

pub use criterion::Criterion;
