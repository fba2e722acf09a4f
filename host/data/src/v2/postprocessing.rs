//! v2's postprocessing: `postprocessing.pkl` or `postprocessing.json`. The functions they name are looked up among those
//! known here; nothing of the files is executed.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use ndarray::{Array3, Zip};
use nnunet_formats::json::{self, Json};
use nnunet_formats::pickle::{self, Value};
use nnunet_formats::{Geometry, Image};
use nnunet_numerics::connected_components_26;
use nnunet_plugin_core::{LabelVolume, Postprocessor};
use nnunet_preprocessing::v2::Class;

use super::evaluation::{contains, key};
use crate::images;
use crate::label_names::LabelNames;
use crate::selection::described;

/// The only function that v2's own postprocessing consists of.
const FUNCTION: &str = "remove_all_but_largest_component_from_segmentation";
/// Its argument.
const LABELS: &str = "labels_or_regions";
/// Functions and arguments in the JSON file.
const KEYS: [&str; 2] = ["postprocessing_fns", "postprocessing_kwargs"];
/// Label maps have 16 bits at most.
const MOST_LABELS: f64 = 65536.0;

/// The module of that function, by which Python finds it.
const MODULE: &str = "nnunetv2.postprocessing.remove_connected_components";

/// What a step looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// All of these labels and regions together.
    Together(Vec<Class>),
    /// One label or region.
    One(Class),
}

/// Steps of which each keeps the largest component of some labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Postprocessing {
    /// In order.
    pub steps: Vec<Target>,
}

impl Postprocessing {
    /// Reads a file.
    ///
    /// # Errors
    /// Returns an error for a file that is damaged or names another function.
    pub fn load(path: &Path) -> Result<Self> {
        let file = match path.extension().is_some_and(|ending| ending == "json") {
            true => json::load(path)?,
            false => from_pickle(&pickle::load(path)?),
        };
        Self::from_json(&file).with_context(|| path.display().to_string())
    }

    /// What it does, for people: `keep the largest component of 1 (liver) and 2 (tumor) together, 2 (tumor)`.
    #[must_use]
    pub fn describe(&self, names: &LabelNames) -> String {
        let shown = |class: &Class| names.shown(&key(class));
        let entry = |step: &Target| match step {
            Target::One(class) => shown(class),
            Target::Together(classes) => {
                format!("{} together", classes.iter().map(shown).collect::<Vec<_>>().join(" and "))
            }
        };
        described(&self.steps.iter().map(entry).collect::<Vec<_>>())
    }

    /// Writes a pickle of functions and arguments, as v2 does; the functions are names in it.
    ///
    /// # Errors
    /// Returns an I/O error.
    pub fn save(&self, path: &Path) -> Result<()> {
        let function = Value::Global(format!("{MODULE}.{FUNCTION}"));
        let arguments = |step: &Target| Value::dict(vec![(LABELS, step.to_pickle())]);
        let pair = [
            Value::List(vec![function; self.steps.len()]),
            Value::List(self.steps.iter().map(arguments).collect()),
        ];
        Ok(pickle::save(path, &Value::Tuple(pair.into()))?)
    }

    /// The entries of `postprocessing.json` that say the same.
    #[must_use]
    pub fn to_json(&self) -> [(String, Json); 2] {
        let arguments =
            |step: &Target| Json::Object(vec![(LABELS.to_owned(), Json::from(&step.to_pickle()))]);
        let functions = vec![Json::Str(FUNCTION.to_owned()); self.steps.len()];
        let [first, second] = KEYS.map(str::to_owned);
        [(first, Json::Array(functions)), (second, Json::Array(self.steps.iter().map(arguments).collect()))]
    }

    /// Reads a label map, applies all steps and writes it.
    ///
    /// # Errors
    /// Returns an error for a file that is no label map, or an I/O error.
    pub fn apply_to_file(&self, from: &Path, to: &Path) -> Result<()> {
        let Image { geometry, mut data } = images::read(from)?;
        self.steps.iter().for_each(|step| step.keep_largest(&mut data, |label| label as i64));
        write(to, &data, &geometry).with_context(|| from.display().to_string())
    }

    fn from_json(file: &Json) -> Result<Self> {
        let list =
            |key: &str| file.get(key).and_then(Json::items).with_context(|| format!("no list `{key}`"));
        let (functions, arguments) = (list(KEYS[0])?, list(KEYS[1])?);
        ensure!(functions.len() == arguments.len(), "every function needs its arguments");
        let step = |(function, arguments): (&Json, &Json)| {
            let name = function.as_str().unwrap_or_default();
            let name = name.rsplit('.').next().unwrap_or(name);
            if name != FUNCTION {
                bail!("the function `{name}` is not known here; {FUNCTION} is");
            }
            let background = arguments.get("background_label").and_then(Json::as_f64).unwrap_or(0.0);
            ensure!(background == 0.0, "a background of {background} is not supported; 0 is");
            Target::from_json(arguments.get(LABELS).with_context(|| format!("no `{LABELS}`"))?)
        };
        Ok(Self { steps: functions.iter().zip(arguments).map(step).collect::<Result<_>>()? })
    }
}

/// A pair of functions and arguments as the JSON file holds them. Tuples, which are regions, and lists of labels become
/// arrays; [`Target::from_json`] tells them apart by what matters, their labels.
fn from_pickle(value: &Value) -> Json {
    let pair = Json::from(value);
    let part = |i: usize| pair.items().and_then(|items| items.get(i)).cloned().unwrap_or(Json::Null);
    Json::Object(vec![(KEYS[0].to_owned(), part(0)), (KEYS[1].to_owned(), part(1))])
}

impl Target {
    /// A label, or a list of labels and regions. In JSON a region looks like a list of labels, which has the same
    /// effect.
    fn from_json(labels: &Json) -> Result<Self> {
        let Some(items) = labels.items() else { return Ok(Target::One(Class::Label(label(labels)?))) };
        let class = |item: &Json| match item.items() {
            Some(labels) => labels.iter().map(label).collect::<Result<_>>().map(Class::Region),
            None => label(item).map(Class::Label),
        };
        items.iter().map(class).collect::<Result<_>>().map(Target::Together)
    }

    fn to_pickle(&self) -> Value {
        match self {
            Target::One(class) => class_to_pickle(class),
            Target::Together(classes) => Value::List(classes.iter().map(class_to_pickle).collect()),
        }
    }

    fn contains(&self, label: i64) -> bool {
        match self {
            Target::One(class) => contains(class, label),
            Target::Together(classes) => classes.iter().any(|class| contains(class, label)),
        }
    }

    /// Makes everything of these labels background that is not in their largest component; of several that are equally
    /// large all stay.
    pub(super) fn keep_largest<L: Copy + Default>(&self, labels: &mut Array3<L>, value: impl Fn(L) -> i64) {
        let mask = labels.mapv(|label| self.contains(value(label)));
        let found = connected_components_26(mask.view());
        let Some(largest) = found.sizes.iter().copied().max() else { return };
        Zip::from(labels).and(&found.labels).for_each(|label, component| {
            if *component > 0 && found.sizes[*component as usize - 1] < largest {
                *label = L::default();
            }
        });
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::One(class) => write!(f, "{}", key(class)),
            Target::Together(classes) => {
                let keys: Vec<String> = classes.iter().map(key).collect();
                write!(f, "[{}]", keys.join(", "))
            }
        }
    }
}

fn class_to_pickle(class: &Class) -> Value {
    match class {
        Class::Label(label) => Value::Int(*label),
        Class::Region(labels) => Value::Tuple(labels.iter().copied().map(Value::Int).collect()),
    }
}

fn label(value: &Json) -> Result<i64> {
    let value = value.as_f64().filter(|label| (0.0..MOST_LABELS).contains(label) && label.fract() == 0.0);
    Ok(value.context("a label is no whole number below 65536")? as i64)
}

/// Writes a label map of 8 bits, or of 16 where v2 writes these.
pub(super) fn write(path: &Path, labels: &Array3<f32>, geometry: &Geometry) -> Result<()> {
    let wrong =
        labels.iter().find(|label| label.fract() != 0.0 || !(0.0..MOST_LABELS as f32).contains(*label));
    if let Some(wrong) = wrong {
        bail!("not a label map: it contains {wrong}");
    }
    images::write_label_numbers(path, labels, geometry)
}

impl Postprocessor for Postprocessing {
    fn apply(&self, volume: &mut LabelVolume) -> nnunet_plugin_core::Result<()> {
        self.steps.iter().for_each(|step| step.keep_largest(&mut volume.labels, i64::from));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    fn parsed(text: &str) -> Result<Postprocessing> {
        Postprocessing::from_json(&json::parse(text).unwrap())
    }

    #[test]
    fn labels_and_regions_are_read_and_other_functions_refused() {
        let text = r#"{"postprocessing_fns": ["remove_all_but_largest_component_from_segmentation"],
            "postprocessing_kwargs": [{"labels_or_regions": [1, [2, 3]]}]}"#;
        let step = Target::Together(vec![Class::Label(1), Class::Region(vec![2, 3])]);
        assert_eq!(parsed(text).unwrap().steps, [step]);
        let other = text.replace("remove_all", "rm_minus_r");
        assert!(parsed(&other).unwrap_err().to_string().contains("not known here"));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postprocessing.pkl");
        let all = Target::Together(vec![Class::Label(1), Class::Label(300)]);
        let written = Postprocessing { steps: vec![all.clone(), Target::One(Class::Region(vec![1, 2]))] };
        written.save(&path).unwrap();
        // A region in a list of its own has the same effect.
        let region = Target::Together(vec![Class::Label(1), Class::Label(2)]);
        assert_eq!(Postprocessing::load(&path).unwrap().steps, [all, region]);
    }

    #[test]
    fn voxels_that_touch_at_a_corner_belong_together() {
        let mut labels = Array3::zeros((2, 2, 5));
        for place in [[0, 0, 0], [1, 1, 1], [0, 0, 3]] {
            labels[place] = 1;
        }
        let mut volume = LabelVolume { labels, spacing: [1.0; 3] };
        Postprocessing { steps: vec![Target::One(Class::Label(1))] }.apply(&mut volume).unwrap();
        assert_eq!((volume.labels[[0, 0, 0]], volume.labels[[1, 1, 1]], volume.labels[[0, 0, 3]]), (1, 1, 0));
    }
}
