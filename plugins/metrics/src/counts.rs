//! Voxels of the foreground classes, or regions, in prediction and truth.

use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_plugin_api::{MetricInput, Result};

/// Voxels of a class: true positives, false positives, false negatives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Counts {
    pub(crate) right: f64,
    pub(crate) wrong: f64,
    pub(crate) missed: f64,
}

/// Counts of each foreground class or region, which count from 1. The device is read once.
pub(crate) fn counts(input: &MetricInput<'_>) -> Result<Vec<Counts>> {
    let outputs = input.logits.size()[1];
    let classes = if input.regions { outputs } else { outputs - 1 };
    let counted = counted(input)?;
    let strongest = input.logits.f_argmax(1, false)?;
    let mut all = Vec::new();
    for i in 0..classes {
        let (found, truth) = if input.regions {
            // A sigmoid of more than one half.
            (input.logits.f_select(1, i)?.f_gt(0.0)?, input.target.f_select(1, i)?.f_gt(0.5)?)
        } else {
            (strongest.f_eq(i + 1)?, input.target.f_select(1, 0)?.f_eq(i + 1)?)
        };
        let right = found.f_logical_and(&truth)?;
        for mask in [&right, &found, &truth] {
            let mask = counted.as_ref().map_or(Ok(mask.shallow_clone()), |by| mask.f_logical_and(by))?;
            all.push(mask.f_sum(Kind::Int64)?);
        }
    }
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let all = Vec::<i64>::try_from(Tensor::f_stack(&all, 0)?)?;
    let of_class = all.chunks_exact(3).map(|class| {
        let [right, found, truth] = [class[0], class[1], class[2]].map(|count| count as f64);
        Counts { right, wrong: found - right, missed: truth - right }
    });
    Ok(of_class.collect())
}

/// The voxels that count; none where all do.
fn counted(input: &MetricInput<'_>) -> Result<Option<Tensor>> {
    let Some(label) = input.ignore_label else { return Ok(None) };
    Ok(Some(if input.regions {
        input.target.f_select(1, -1)?.f_lt(0.5)?
    } else {
        input.target.f_select(1, 0)?.f_ne(label)?
    }))
}
