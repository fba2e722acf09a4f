//! What cases have in common: a column of the user's table, or a part of their names.

use std::collections::BTreeMap;

use nnunet_plugin_core::{Error, Result, SplitCase};
use regex_lite::Regex;

/// Where the key of a case is found.
pub(crate) struct Key<'a> {
    pub(crate) column: Option<&'a str>,
    pub(crate) pattern: Option<Regex>,
}

impl<'a> Key<'a> {
    /// The key of a column or of a pattern.
    pub(crate) fn new(column: Option<&'a str>, pattern: Option<&str>) -> Result<Self> {
        let pattern = pattern.map(Regex::new).transpose();
        let pattern = pattern.map_err(|error| Error::parameter("pattern", error.to_string()))?;
        if column.is_some() && pattern.is_some() {
            return Err(Error::parameter("pattern", "name a column of the table or a pattern, not both"));
        }
        Ok(Self { column, pattern })
    }

    /// Whether cases are told apart by their names only.
    pub(crate) fn is_none(&self) -> bool {
        self.column.is_none() && self.pattern.is_none()
    }

    fn of<'b>(&self, case: &'b SplitCase) -> Result<&'b str> {
        let name = &case.name;
        match (self.column, &self.pattern) {
            (Some(column), _) => case.values.get(column).map(String::as_str).ok_or_else(|| {
                Error::message(format!("case {name} has no value of the column `{column}`; name a table"))
            }),
            (None, Some(pattern)) => {
                let found = pattern.captures(name);
                let part = found.and_then(|found| found.get(1).or_else(|| found.get(0)));
                part.map(|part| part.as_str()).ok_or_else(|| {
                    Error::message(format!("the name of case {name} does not match `{pattern}`"))
                })
            }
            (None, None) => Ok(name),
        }
    }

    /// The indices of the cases of every key, in the order of the keys.
    pub(crate) fn groups(&self, cases: &[SplitCase]) -> Result<Vec<Vec<usize>>> {
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, case) in cases.iter().enumerate() {
            groups.entry(self.of(case)?).or_default().push(index);
        }
        Ok(groups.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_column_or_a_part_of_the_name() {
        let cases = crate::tests::patients(3);
        let groups = |column, pattern| {
            Key::new(column, pattern).and_then(|key| key.groups(&cases)).map_err(|error| error.to_string())
        };
        let pairs = vec![vec![0, 1], vec![2, 3], vec![4, 5]];
        assert_eq!(groups(None, Some("^(p[0-9]+)_")), Ok(pairs.clone()));
        assert_eq!(groups(None, Some("p[0-9]+")), Ok(pairs), "without a group, what matches");
        assert_eq!(groups(Some("center"), None), Ok(vec![vec![2, 3, 4, 5], vec![0, 1]]));
        assert!(
            groups(Some("age"), None).unwrap_err().contains("case p00_0 has no value of the column `age`")
        );
        assert!(groups(None, Some("^q")).unwrap_err().contains("does not match `^q`"));
        assert!(groups(None, Some("(")).unwrap_err().contains("parameter `pattern`"));
    }
}
