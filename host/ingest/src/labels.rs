//! Values of masks as labels.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use nnunet_data::dataset::LARGEST_LABEL;
use serde::Serialize;

/// What marks a voxel in a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A number, or a place in a palette.
    Number(i64),
    /// A color.
    Color([u8; 3]),
}

impl Value {
    /// Whether it is zero or black.
    fn is_background(self) -> bool {
        matches!(self, Self::Number(0) | Self::Color([0, 0, 0]))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Color([red, green, blue]) => write!(f, "#{red:02x}{green:02x}{blue:02x}"),
        }
    }
}

impl FromStr for Value {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some(digits) = text.strip_prefix('#') else {
            return Ok(Self::Number(
                text.parse().with_context(|| format!("`{text}` is neither a number nor #rrggbb"))?,
            ));
        };
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 6);
        let [_, red, green, blue] = number.with_context(|| format!("`{text}` is not #rrggbb"))?.to_be_bytes();
        Ok(Self::Color([red, green, blue]))
    }
}

/// `VALUE=NAME`: the user's name for a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The value.
    pub value: Value,
    /// The name.
    pub name: String,
}

impl FromStr for Named {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (value, name) = text.split_once('=').with_context(|| format!("`{text}` is not VALUE=NAME"))?;
        ensure!(!name.is_empty(), "`{text}` has no name");
        Ok(Self { value: value.parse()?, name: name.to_owned() })
    }
}

/// A label of the new data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Its number.
    pub label: u8,
    /// Its name.
    pub name: String,
    /// The values of the masks that have become this label.
    pub values: Vec<String>,
    /// Cases in which it occurs.
    pub cases: usize,
}

/// The labels that values become.
#[derive(Debug)]
pub(crate) struct Labels {
    numbers: BTreeMap<Value, u8>,
    /// By number, background first.
    pub(crate) all: Vec<Label>,
}

impl Labels {
    /// Labels for the values of masks, of which `found` has the number of cases; with the names of the user in their order,
    /// else by value.
    ///
    /// # Errors
    /// Returns an error if there are no values but the background, too many, or some that the user does not name.
    pub(crate) fn new(found: &BTreeMap<Value, usize>, named: &[Named]) -> Result<Self> {
        let of_user = |value: Value| named.iter().any(|named| named.value == value);
        let open: Vec<Value> =
            found.keys().copied().filter(|value| !value.is_background() && !of_user(*value)).collect();
        if let (false, Some(value)) = (named.is_empty(), open.first()) {
            anyhow::bail!(
                "--labels has no name for {value}, which is in the masks; {value}=background leaves it out"
            );
        }
        let only = open.len() == 1;
        let unnamed = open.into_iter().map(|value| {
            let name = if only { "foreground".to_owned() } else { format!("value {value}") };
            Named { value, name }
        });
        let mut labels = Self { numbers: BTreeMap::new(), all: vec![label(0, BACKGROUND)] };
        let background = found.keys().copied().filter(|value| value.is_background() && !of_user(*value));
        let background = background.map(|value| Named { value, name: BACKGROUND.to_owned() });
        for named in background.chain(named.iter().cloned()).chain(unnamed) {
            labels.add(named, found)?;
        }
        ensure!(labels.all.len() > 1, "the masks have nothing but background");
        Ok(labels)
    }

    /// A name that is there already gets one more value.
    fn add(&mut self, named: Named, found: &BTreeMap<Value, usize>) -> Result<()> {
        let there = self.all.iter().position(|label| label.name == named.name);
        let number = there.unwrap_or(self.all.len());
        ensure!(
            number as i64 <= LARGEST_LABEL,
            "the masks have more than {LARGEST_LABEL} values: are they masks?"
        );
        if there.is_none() {
            self.all.push(label(number as u8, &named.name));
        }
        let label = &mut self.all[number];
        label.values.push(named.value.to_string());
        // Of several values the cases of each are not known together.
        label.cases = label.cases.max(found.get(&named.value).copied().unwrap_or(0));
        self.numbers.insert(named.value, number as u8);
        Ok(())
    }

    /// The label of a value that has been found.
    pub(crate) fn of(&self, value: Value) -> u8 {
        self.numbers.get(&value).copied().unwrap_or(0)
    }
}

/// The name of label 0.
const BACKGROUND: &str = "background";

fn label(number: u8, name: &str) -> Label {
    Label { label: number, name: name.to_owned(), values: Vec::new(), cases: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: &[i64]) -> BTreeMap<Value, usize> {
        values.iter().map(|value| (Value::Number(*value), 3)).collect()
    }

    fn names(labels: &Labels) -> Vec<&str> {
        labels.all.iter().map(|label| label.name.as_str()).collect()
    }

    #[test]
    fn values_become_consecutive_labels() {
        let labels = Labels::new(&found(&[0, 255]), &[]).unwrap();
        assert_eq!(names(&labels), ["background", "foreground"]);
        assert_eq!((labels.of(Value::Number(0)), labels.of(Value::Number(255))), (0, 1));
        let labels = Labels::new(&found(&[0, 85, 170, 255]), &[]).unwrap();
        assert_eq!(names(&labels), ["background", "value 85", "value 170", "value 255"]);
        assert_eq!(labels.all[2].values, ["170"]);
    }

    #[test]
    fn users_name_labels_and_merge_them() {
        let named: Vec<Named> = ["2=tumor", "1=liver", "3=tumor", "9=background"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let labels = Labels::new(&found(&[0, 1, 2, 3, 9]), &named).unwrap();
        assert_eq!(names(&labels), ["background", "tumor", "liver"]);
        let numbers: Vec<u8> = [0, 1, 2, 3, 9].iter().map(|value| labels.of(Value::Number(*value))).collect();
        assert_eq!(numbers, [0, 2, 1, 1, 0]);
        let error = Labels::new(&found(&[0, 1, 2]), &named[..1]).unwrap_err().to_string();
        assert!(error.contains("no name for 1"), "{error}");
    }

    #[test]
    fn colors_are_values() {
        let red: Named = "#ff0000=vessel".parse().unwrap();
        assert_eq!(red, Named { value: Value::Color([255, 0, 0]), name: "vessel".to_owned() });
        assert_eq!(red.value.to_string(), "#ff0000");
        for wrong in ["#ff00=x", "red=x", "1", "1="] {
            assert!(wrong.parse::<Named>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn masks_that_are_images_are_refused() {
        assert!(Labels::new(&found(&[0]), &[]).unwrap_err().to_string().contains("nothing but background"));
        let many: Vec<i64> = (0..300).collect();
        assert!(Labels::new(&found(&many), &[]).unwrap_err().to_string().contains("more than 255"));
    }
}
