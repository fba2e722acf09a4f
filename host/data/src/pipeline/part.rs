//! Parts of a task's cases, for processes that share the work.

use std::path::Path;

use anyhow::{Result, ensure};
use nnunet_formats::atomic;

use super::cache_key;
use crate::folders;

/// Every n-th case, from a first one on, where n is the number of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    index: usize,
    count: usize,
}

impl Part {
    /// All cases.
    pub const ALL: Self = Self { index: 0, count: 1 };

    /// The part with an index from 0, of `count` parts.
    ///
    /// # Errors
    /// Returns an error if there is no such part.
    pub fn new(index: usize, count: usize) -> Result<Self> {
        ensure!(index < count, "--part_id must be less than --num_parts");
        Ok(Self { index, count })
    }

    /// Whether it has all cases.
    #[must_use]
    pub const fn is_all(self) -> bool {
        self.count == 1
    }

    /// Makes a folder, or removes what a killed run left behind there under temporary names. Other parts write files under
    /// such names at the same time, which they have locked.
    pub(crate) fn sweep(self, folder: &Path) -> Result<()> {
        if self.is_all() {
            return cache_key::sweep(folder);
        }
        folders::create(folder)?;
        atomic::remove_abandoned(folder);
        Ok(())
    }

    /// Its cases, of all cases in their order.
    #[must_use]
    pub fn of(self, cases: &[String]) -> Vec<String> {
        cases.iter().skip(self.index).step_by(self.count).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_in_one_part() {
        let cases: Vec<String> = (0..7).map(|number| number.to_string()).collect();
        let parts: Vec<Vec<String>> = (0..3).map(|index| Part::new(index, 3).unwrap().of(&cases)).collect();
        assert_eq!(parts[1], ["1", "4"]);
        let mut all = parts.concat();
        all.sort();
        assert_eq!(all, cases);
        assert_eq!(Part::ALL.of(&cases), cases);
        assert!(Part::new(3, 3).is_err() && Part::new(0, 0).is_err());
    }
}
