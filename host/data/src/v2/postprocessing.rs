//! v2's postprocessing: `postprocessing.pkl` or `postprocessing.json`. The functions they name are looked up among those
//! known here; nothing of the files is executed.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use ndarray::Zip;
use nnunet_formats::json::{self, Json};
use nnunet_formats::pickle::{self, Value};
use nnunet_numerics::connected_components_26;
use nnunet_plugin_core::{LabelVolume, Postprocessor};

/// The only function that v2's own postprocessing consists of.
const FUNCTION: &str = "remove_all_but_largest_component_from_segmentation";

/// Steps of which each keeps the largest component of some labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Postprocessing {
    /// Labels that are looked at together, step by step.
    steps: Vec<Vec<u8>>,
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

    fn from_json(file: &Json) -> Result<Self> {
        let list =
            |key: &str| file.get(key).and_then(Json::items).with_context(|| format!("no list `{key}`"));
        let (functions, arguments) = (list("postprocessing_fns")?, list("postprocessing_kwargs")?);
        ensure!(functions.len() == arguments.len(), "every function needs its arguments");
        let step = |(function, arguments): (&Json, &Json)| {
            let name = function.as_str().unwrap_or_default();
            let name = name.rsplit('.').next().unwrap_or(name);
            if name != FUNCTION {
                bail!("the function `{name}` is not known here; {FUNCTION} is");
            }
            let background = arguments.get("background_label").and_then(Json::as_f64).unwrap_or(0.0);
            ensure!(background == 0.0, "a background of {background} is not supported; 0 is");
            let labels = arguments.get("labels_or_regions").context("no `labels_or_regions`")?;
            let mut found = Vec::new();
            collect(labels, &mut found)?;
            Ok(found)
        };
        Ok(Self { steps: functions.iter().zip(arguments).map(step).collect::<Result<_>>()? })
    }
}

/// A pair of functions and arguments as the JSON file holds them.
fn from_pickle(value: &Value) -> Json {
    let pair = Json::from(value);
    let part = |i: usize| pair.items().and_then(|items| items.get(i)).cloned().unwrap_or(Json::Null);
    Json::Object(vec![
        ("postprocessing_fns".to_owned(), part(0)),
        ("postprocessing_kwargs".to_owned(), part(1)),
    ])
}

/// All labels of a label, a region, or a list of both.
fn collect(labels: &Json, found: &mut Vec<u8>) -> Result<()> {
    match labels {
        Json::Array(items) => items.iter().try_for_each(|item| collect(item, found)),
        label => {
            let label = label.as_f64().filter(|label| (0.0..256.0).contains(label) && label.fract() == 0.0);
            found.push(label.context("a label is no whole number below 256")? as u8);
            Ok(())
        }
    }
}

impl Postprocessor for Postprocessing {
    fn apply(&self, volume: &mut LabelVolume) -> nnunet_plugin_core::Result<()> {
        for step in &self.steps {
            let mask = volume.labels.mapv(|label| step.contains(&label));
            let found = connected_components_26(mask.view());
            let Some(largest) = found.sizes.iter().copied().max() else { continue };
            Zip::from(&mut volume.labels).and(&found.labels).for_each(|label, component| {
                if *component > 0 && found.sizes[*component as usize - 1] < largest {
                    *label = 0;
                }
            });
        }
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
        assert_eq!(parsed(text).unwrap().steps, [[1, 2, 3]]);
        let other = text.replace("remove_all", "rm_minus_r");
        assert!(parsed(&other).unwrap_err().to_string().contains("not known here"));
    }

    #[test]
    fn voxels_that_touch_at_a_corner_belong_together() {
        let mut labels = Array3::zeros((2, 2, 5));
        for place in [[0, 0, 0], [1, 1, 1], [0, 0, 3]] {
            labels[place] = 1;
        }
        let mut volume = LabelVolume { labels, spacing: [1.0; 3] };
        Postprocessing { steps: vec![vec![1]] }.apply(&mut volume).unwrap();
        assert_eq!((volume.labels[[0, 0, 0]], volume.labels[[1, 1, 1]], volume.labels[[0, 0, 3]]), (1, 1, 0));
    }
}
