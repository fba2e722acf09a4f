//! Headers of lines with a name and a value each, as MetaImage and NRRD have them.

use std::io::{BufRead, Read};
use std::str::FromStr;

/// Longest header that is read; some programs copy a whole DICOM header into it.
const LONGEST: u64 = 16 << 20;

/// Names and values, in the order of the file.
pub(crate) struct TextHeader(Vec<(String, String)>);

impl TextHeader {
    /// Reads up to the line that is the last, which is read too.
    ///
    /// # Errors
    /// Returns a message if there is no such line.
    pub(crate) fn read(
        stream: &mut dyn BufRead,
        separator: &str,
        is_last: fn(&str) -> bool,
    ) -> Result<Self, String> {
        let mut stream = stream.take(LONGEST);
        let (mut fields, mut bytes) = (Vec::new(), Vec::new());
        loop {
            bytes.clear();
            stream.read_until(b'\n', &mut bytes).map_err(|error| error.to_string())?;
            if bytes.last() != Some(&b'\n') {
                return Err("its header has no end".to_owned());
            }
            let text = String::from_utf8_lossy(&bytes);
            let line = text.trim_end();
            if let Some((name, value)) = line.split_once(separator) {
                fields.push((name.trim().to_owned(), value.trim().to_owned()));
            }
            if is_last(line) {
                return Ok(Self(fields));
            }
        }
    }

    /// The value of the first of several names that is there, not empty.
    pub(crate) fn get(&self, names: &[&str]) -> Option<&str> {
        let value = |name: &&str| self.0.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        let (_, value) = names.iter().find_map(value)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// As [`TextHeader::get`].
    ///
    /// # Errors
    /// Returns a message if none of them is there.
    pub(crate) fn require(&self, names: &[&str]) -> Result<&str, String> {
        self.get(names).ok_or_else(|| format!("its header lacks {}", names.join(" or ")))
    }
}

/// Numbers between spaces, brackets and commas.
///
/// # Errors
/// Returns a message if the text holds anything else.
pub(crate) fn numbers<T: FromStr>(text: &str) -> Result<Vec<T>, String> {
    let words = text.split(|c: char| c.is_whitespace() || "(),".contains(c)).filter(|word| !word.is_empty());
    words
        .map(|word| {
            word.parse().map_err(|_| format!("`{word}` in `{text}` is not a number of the expected kind"))
        })
        .collect()
}
