//! How a batch is shared out.

use std::ops::Range;

/// The samples of a rank. The first ranks have one more where the batch cannot be shared evenly.
pub(super) fn share_of(batch: usize, rank: usize, ranks: usize) -> Range<usize> {
    let (each, more) = (batch / ranks, batch % ranks);
    let first = rank * each + rank.min(more);
    first..first + each + usize::from(rank < more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_in_one_share() {
        assert_eq!((0..2).map(|rank| share_of(2, rank, 2)).collect::<Vec<_>>(), [0..1, 1..2]);
        let shares: Vec<_> = (0..4).map(|rank| share_of(9, rank, 4)).collect();
        assert_eq!(shares, [0..3, 3..5, 5..7, 7..9]);
        assert_eq!(share_of(5, 0, 1), 0..5);
    }
}
