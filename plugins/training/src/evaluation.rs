//! The online evaluation: hard counts of the foreground classes, or regions, over the validation batches.

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Kind, Tensor};

use crate::with_ranks;

/// Counts by foreground class or region. They stay on the device of the batches until they are asked for.
#[derive(Debug)]
pub struct OnlineEvaluation {
    regions: bool,
    classes: usize,
    /// Label of the voxels that do not count; with regions the targets have a mask of them behind those of the regions.
    ignored: Option<i64>,
    /// True positives of all classes, then what is wrong: false positives and false negatives together.
    counts: Option<Tensor>,
}

impl OnlineEvaluation {
    /// No counts yet; `outputs` are classes, background first, or `regions`.
    #[must_use]
    pub fn new(outputs: usize, regions: bool) -> Self {
        let classes = if regions { outputs } else { outputs.saturating_sub(1) };
        Self { regions, classes, ignored: None, counts: None }
    }

    /// Without the voxels of a label.
    #[must_use]
    pub fn ignoring(self, label: Option<i64>) -> Self {
        Self { ignored: label, ..self }
    }

    /// The voxels that count; none where all do.
    fn counted(&self, target: &Tensor) -> Result<Option<Tensor>> {
        let Some(label) = self.ignored else { return Ok(None) };
        Ok(Some(if self.regions {
            target.f_select(1, -1)?.f_lt(0.5)?
        } else {
            target.f_select(1, 0)?.f_ne(label)?
        }))
    }

    /// Adds a batch. Waits for nothing.
    ///
    /// # Shapes
    /// `logits` (batch, outputs, space...), `target` (batch, 1, space...) int64 or (batch, regions, space...) float.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    pub fn add(&mut self, logits: &Tensor, target: &Tensor) -> Result<()> {
        let counted = self.counted(target)?;
        let strongest = if self.regions { None } else { Some(logits.f_argmax(1, false)?) };
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        for i in 0..self.classes as i64 {
            let (p, t) = match &strongest {
                Some(strongest) => (strongest.f_eq(i + 1)?, target.f_select(1, 0)?.f_eq(i + 1)?),
                // A sigmoid of more than one half.
                None => (logits.f_select(1, i)?.f_gt(0.0)?, target.f_select(1, i)?.f_gt(0.5)?),
            };
            let count = |voxels: Tensor| -> Result<Tensor> {
                let voxels = match &counted {
                    Some(counted) => voxels.f_logical_and(counted)?,
                    None => voxels,
                };
                Ok(voxels.f_sum(Kind::Int64)?)
            };
            right.push(count(p.f_logical_and(&t)?)?);
            wrong.push(count(p.f_logical_xor(&t)?)?);
        }
        right.append(&mut wrong);
        if right.is_empty() {
            return Ok(());
        }
        let counts = Tensor::f_stack(&right, 0)?;
        self.counts = Some(match &self.counts {
            Some(sum) => sum.f_add(&counts)?,
            None => counts,
        });
        Ok(())
    }

    /// Adds the counts of the other processes that train together with this one.
    pub(crate) fn add_up_over_ranks(&mut self) -> Result<()> {
        self.counts = self.counts.take().map(with_ranks::sum).transpose()?;
        Ok(())
    }

    /// Dice of the classes that occurred at all, with their numbers: foreground classes, or regions, from 1. Waits for
    /// the device.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    pub fn dice_by_class(&self) -> Result<Vec<(usize, f64)>> {
        let Some(counts) = &self.counts else { return Ok(Vec::new()) };
        let counts = Vec::<i64>::try_from(counts)?;
        let (right, wrong) = counts.split_at(self.classes);
        let dice = right.iter().zip(wrong).map(|(tp, wrong)| (2.0 * *tp as f64) / (2 * tp + wrong) as f64);
        Ok((1..).zip(dice).filter(|(_, value)| !value.is_nan()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_counted_by_output() {
        let logits = Tensor::from_slice(&[1.0_f32, 1.0, -1.0, -1.0, 1.0, -1.0]).reshape([1, 2, 3]);
        let target = Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 0.0, 1.0, 0.0]).reshape([1, 2, 3]);
        let mut evaluation = OnlineEvaluation::new(2, true);
        evaluation.add(&logits, &target).unwrap();
        assert_eq!(evaluation.dice_by_class().unwrap(), [(1, 2.0 / 3.0), (2, 1.0)]);
    }

    #[test]
    fn a_class_that_does_not_occur_leaves_the_others_their_numbers() {
        let logits = Tensor::from_slice(&[0.0_f32, 0.0, 0.0, 0.0, 1.0, 1.0]).reshape([1, 3, 2]);
        let target = Tensor::from_slice(&[2_i64, 0]).reshape([1, 1, 2]);
        let mut evaluation = OnlineEvaluation::new(3, false);
        evaluation.add(&logits, &target).unwrap();
        assert_eq!(evaluation.dice_by_class().unwrap(), [(2, 2.0 / 3.0)]);
    }

    #[test]
    fn ignored_voxels_do_not_count() {
        let logits = Tensor::from_slice(&[0.0_f32, 0.0, 1.0, 1.0, 1.0, 0.0]).reshape([1, 2, 3]);
        let target = Tensor::from_slice(&[1_i64, 2, 0]).reshape([1, 1, 3]);
        let mut evaluation = OnlineEvaluation::new(2, false).ignoring(Some(2));
        evaluation.add(&logits, &target).unwrap();
        assert_eq!(evaluation.dice_by_class().unwrap(), [(1, 1.0)]);
        let logits = Tensor::from_slice(&[1.0_f32, 1.0, -1.0]).reshape([1, 1, 3]);
        let target = Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 0.0, 1.0, 0.0]).reshape([1, 2, 3]);
        let mut evaluation = OnlineEvaluation::new(1, true).ignoring(Some(2));
        evaluation.add(&logits, &target).unwrap();
        assert_eq!(evaluation.dice_by_class().unwrap(), [(1, 1.0)]);
    }
}
