//! Ranges of numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Digits of a number that are shown.
const DIGITS: i32 = 4;

/// The smallest and the largest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Range {
    /// Of numbers, of which those that are not finite are left out; none without numbers.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let finite = numbers.into_iter().filter(|number| number.is_finite());
        finite.fold(None, |range: Option<Self>, number| match range {
            None => Some(Self { min: number, max: number }),
            Some(Self { min, max }) => Some(Self { min: min.min(number), max: max.max(number) }),
        })
    }

    /// Whether a number lies inside, or outside by at most this factor. All numbers are positive.
    #[must_use]
    pub fn has_within(&self, number: f64, factor: f64) -> bool {
        number * factor >= self.min && number <= self.max * factor
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (min, max) = (shown(self.min), shown(self.max));
        if min == max { f.write_str(&min) } else { write!(f, "{min} to {max}") }
    }
}

/// A number with a few digits.
pub(super) fn shown(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return number.to_string();
    }
    let exponent = number.abs().log10().floor() as i32;
    let unit = 10_f64.powi((exponent + 1 - DIGITS).min(0));
    // The product may end in digits of the binary representation.
    let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
    let text = format!("{:.decimals$}", (number / unit).round() * unit);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_shown_with_few_digits() {
        let range = |numbers: &[f64]| Range::of(numbers.iter().copied()).map(|range| range.to_string());
        assert_eq!(range(&[0.703_125_4, 0.976, f64::NAN]).as_deref(), Some("0.7031 to 0.976"));
        assert_eq!(range(&[1.0, 1.0]).as_deref(), Some("1"));
        assert_eq!(range(&[-1024.0, 40_217.6]).as_deref(), Some("-1024 to 40218"));
        assert_eq!(range(&[]), None);
    }
}
