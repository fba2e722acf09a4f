//! Splits into training and validation cases, as scikit-learn and v1 draw them.

use crate::RandomState;

/// Seed of v1's splits.
const SPLIT_SEED: u32 = 12345;

/// Validation indices of every fold of `KFold(folds, shuffle=True, random_state=12345)`, ascending in each fold.
///
/// ```
/// use nnunet_numerics::kfold;
///
/// let folds = kfold(10, 5);
/// assert_eq!(folds.len(), 5);
/// let mut all: Vec<usize> = folds.concat();
/// all.sort();
/// assert_eq!(all, (0..10).collect::<Vec<_>>(), "every case is validated once");
/// ```
#[must_use]
pub fn kfold(n: usize, folds: usize) -> Vec<Vec<usize>> {
    kfold_of_seed(n, folds, SPLIT_SEED)
}

/// As [`kfold`], for another `random_state`.
#[must_use]
pub fn kfold_of_seed(n: usize, folds: usize, seed: u32) -> Vec<Vec<usize>> {
    let order = RandomState::new(seed).permutation(n);
    let mut rest = order.as_slice();
    (0..folds)
        .map(|fold| {
            let size = n / folds + usize::from(fold < n % folds);
            let (mine, others) = rest.split_at(size);
            rest = others;
            let mut mine = mine.to_vec();
            mine.sort_unstable();
            mine
        })
        .collect()
}

/// Training indices of v1's random 80:20 split, for fold numbers beyond the split file.
///
/// ```
/// use nnunet_numerics::random_split;
///
/// assert_eq!(random_split(10, 7).len(), 8);
/// assert_eq!(random_split(10, 7), random_split(10, 7), "determined by the fold");
/// ```
#[must_use]
pub fn random_split(n: usize, fold: usize) -> Vec<usize> {
    RandomState::new(SPLIT_SEED + fold as u32).choice(n, n * 8 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `sklearn.model_selection.KFold(5, shuffle=True, random_state=12345)`.
    #[test]
    fn folds_agree_with_sklearn() {
        assert_eq!(kfold(5, 5), [[0], [4], [3], [1], [2]]);
        assert_eq!(kfold(7, 5), [vec![3, 6], vec![0, 4], vec![1], vec![5], vec![2]]);
        assert_eq!(kfold(10, 5), [[0, 7], [3, 9], [4, 6], [1, 8], [2, 5]]);
    }

    /// `RandomState(12345 + fold).choice(10, 8, replace=False)`.
    #[test]
    fn random_splits_agree_with_numpy() {
        assert_eq!(random_split(10, 5), [0, 8, 4, 5, 3, 9, 7, 6]);
        assert_eq!(random_split(10, 6), [0, 8, 1, 2, 6, 4, 5, 3]);
    }
}
