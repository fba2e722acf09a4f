//! Numbers at the end of the names of files, which say what channel of a case a file has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Files by case and number; a file without a number is the first.
pub(crate) type Numbered = BTreeMap<String, BTreeMap<usize, PathBuf>>;

/// Cases without a channel that others have, and which they lack. Numbers need not begin at 0, but have to be the same in
/// all cases: a channel is known by its place among them.
pub(crate) fn incomplete(files: &Numbered) -> BTreeMap<String, String> {
    let all: BTreeSet<usize> = files.values().flat_map(|channels| channels.keys().copied()).collect();
    let lacks = |channels: &BTreeMap<usize, PathBuf>| {
        let lacking = all.iter().filter(|number| !channels.contains_key(number));
        lacking.map(|number| format!("{number:04}")).collect::<Vec<_>>().join(", ")
    };
    let each = files.iter().map(|(case, channels)| (case.clone(), lacks(channels)));
    each.filter(|(_, lacking)| !lacking.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `NAME_0000`.
    fn numbered(names: &[&str]) -> Numbered {
        let mut files = Numbered::new();
        for name in names {
            let (case, number) = nnunet_formats::case_and_channel(name).unwrap_or((name, 0));
            files.entry(case.to_owned()).or_default().insert(number, format!("{name}.png").into());
        }
        files
    }

    fn lacking(names: &[&str]) -> Vec<(String, String)> {
        incomplete(&numbered(names)).into_iter().collect()
    }

    #[test]
    fn a_case_has_the_channels_that_others_have() {
        assert!(lacking(&["a_0000", "a_0001", "b_0000", "b_0001"]).is_empty());
        // A folder for each channel.
        assert!(lacking(&["a_0001", "b_0001"]).is_empty());
        let row = |case: &str, lacks: &str| (case.to_owned(), lacks.to_owned());
        assert_eq!(
            lacking(&["a_0000", "a_0001", "b_0000", "b_0002", "c_0001", "c_0002"]),
            [row("a", "0002"), row("b", "0001"), row("c", "0000")]
        );
        assert_eq!(lacking(&["a", "b_0000", "b_0001"]), [row("a", "0001")]);
    }
}
