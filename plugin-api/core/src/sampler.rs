//! Samplers: they choose the cases of a batch, and where their patches lie.

use serde::{Deserialize, Serialize};

use crate::{Config, Error, RandomStream, Result};

/// Chooses which case a sample of a batch is cut from, for which class, and around which voxel. `sampler` in a trainer's
/// table or blueprint names one.
///
/// Batches are made ahead by several threads. They call [`Sampler::choose`] and [`Sampler::voxel`] at the same time, and
/// all random numbers are those of the sample, so that a batch is the same for any number of threads.
///
/// ```
/// use nnunet_plugin_api::{
///     Choice, Component, Info, Kind, RandomStream, Registration, Result, SampledCase, Sampler, SamplerContext, inventory,
/// };
///
/// /// Cases with more foreground come more often.
/// #[derive(Default)]
/// struct ByForeground(Vec<SampledCase>);
///
/// impl Sampler for ByForeground {
///     fn begin(&mut self, cases: &[SampledCase]) -> Result<()> {
///         self.0 = cases.to_vec();
///         Ok(())
///     }
///
///     fn choose(&self, context: &SamplerContext, random: &mut RandomStream) -> Result<Choice> {
///         let weight = |case: &SampledCase| 1.0 + case.voxels_of_classes.iter().sum::<usize>() as f64;
///         let case = random.weighted(self.0.iter().map(weight));
///         let class = context.foreground_class(&self.0[case], random);
///         Ok(Choice { case, class })
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Sampler, "ByForeground", "Cases with more foreground come more often.");
///     Component::sampler(info, |_config| Ok(Box::new(ByForeground::default())))
/// }));
///
/// let case = |name: &str, voxels| SampledCase { voxels_of_classes: vec![voxels], ..SampledCase::new(name) };
/// let mut sampler = ByForeground::default();
/// sampler.begin(&[case("little", 0), case("much", 999)]).unwrap();
/// let mut random = RandomStream::from_seed(1);
/// let mut choose = || sampler.choose(&SamplerContext::default(), &mut random).unwrap().case;
/// assert!((0..100).filter(|_| choose() == 1).count() > 90);
/// ```
///
/// Source: v1's `DataLoader3D` and `DataLoader2D`, v2's `nnUNetDataLoader`.
pub trait Sampler: Send + Sync {
    /// Called once, before the first sample is chosen: the cases, which are numbered in this order.
    ///
    /// # Errors
    /// Returns an error if the sampler cannot work with these cases.
    fn begin(&mut self, cases: &[SampledCase]) -> Result<()>;

    /// The case of a sample, and the class that its patch must contain.
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn choose(&self, context: &SamplerContext, random: &mut RandomStream) -> Result<Choice>;

    /// The voxel around which the patch is cut, as an index of `voxels`: sampled positions (z, y, x) of the chosen class, of
    /// the preprocessed case; without a class those of all annotated voxels, where a data set has an ignore label. Without
    /// either the patch is anywhere in the case, and this is not called. By default all are equally likely.
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn voxel(
        &self,
        _context: &SamplerContext,
        voxels: &[[i64; 3]],
        random: &mut RandomStream,
    ) -> Result<usize> {
        Ok(random.below(voxels.len()))
    }

    /// Whether what is chosen depends on [`Sampler::observe`]. The losses of samples are computed for such samplers only, and
    /// the batches of an epoch are made when the losses of the epoch before are known.
    fn learns(&self) -> bool {
        false
    }

    /// Called after the training steps of every epoch, if the sampler [learns](Sampler::learns): the loss of every sample, in
    /// the order of the steps. They count from the next epoch on.
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn observe(&mut self, _losses: &[SampleLoss]) -> Result<()> {
        Ok(())
    }

    /// What the sampler needs to continue, for the checkpoint.
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn save_state(&self) -> Result<Config> {
        Ok(Config::new())
    }

    /// Takes over what [`Sampler::save_state`] returned, before [`Sampler::begin`] or later: an epoch that has to be taken up
    /// again starts from the state that it began with.
    ///
    /// # Errors
    /// Returns an error if the state is not one of this sampler's.
    fn load_state(&mut self, _state: Config) -> Result<()> {
        Ok(())
    }
}

/// A case as samplers know it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SampledCase {
    /// Its name.
    pub name: String,
    /// Shape of the preprocessed case, (z, y, x).
    pub shape: [usize; 3],
    /// By class, in the order of the plans or of `dataset.json`, where v2's regions are classes too: how many of its voxels
    /// are known (at most 10000 or so are sampled in preprocessing); 0 if the case does not have the class.
    pub voxels_of_classes: Vec<usize>,
    /// How many annotated voxels are known, where a data set has an ignore label.
    pub annotated_voxels: Option<usize>,
}

impl SampledCase {
    /// A case of which only the name is known.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The classes that the case has.
    #[must_use]
    pub fn classes(&self) -> Vec<usize> {
        let classes = self.voxels_of_classes.iter().enumerate().filter(|(_, voxels)| **voxels > 0);
        classes.map(|(class, _)| class).collect()
    }

    /// One of its classes, all with the same probability; `None` if it has none.
    pub fn any_class(&self, random: &mut RandomStream) -> Option<usize> {
        let classes = self.classes();
        classes.get(random.below(classes.len())).copied()
    }
}

/// Which sample is chosen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamplerContext {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The batch of the epoch, from 0.
    pub batch: usize,
    /// The sample of the batch, from 0.
    pub sample: usize,
    /// Samples of a batch.
    pub batch_size: usize,
    /// Fraction of the samples that must contain foreground (`oversample_foreground_percent`).
    pub foreground: f64,
    /// Axes of a patch: 3, or 2 for slices.
    pub axes: usize,
}

impl SamplerContext {
    /// Whether the sample is one of the last ones of its batch, which must contain foreground (v1 and v2).
    ///
    /// ```
    /// use nnunet_plugin_api::SamplerContext;
    ///
    /// let context = |sample| SamplerContext { sample, batch_size: 2, foreground: 0.33, ..Default::default() };
    /// assert!(!context(0).needs_foreground() && context(1).needs_foreground());
    /// ```
    #[must_use]
    pub fn needs_foreground(&self) -> bool {
        // As NumPy rounds: half to even.
        self.sample >= (self.batch_size as f64 * (1.0 - self.foreground)).round_ties_even() as usize
    }

    /// The class of a sample by the rule of v1 and v2: if it [needs foreground](SamplerContext::needs_foreground), one of the
    /// case's classes, all with the same probability.
    pub fn foreground_class(&self, case: &SampledCase, random: &mut RandomStream) -> Option<usize> {
        if self.needs_foreground() { case.any_class(random) } else { None }
    }
}

/// What a sample is cut from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choice {
    /// Number of the case.
    pub case: usize,
    /// Class that the patch must contain, an index of [`SampledCase::voxels_of_classes`]; `None`: the patch lies anywhere.
    pub class: Option<usize>,
}

impl Choice {
    /// Checks that the case exists and has the class. The program does so with every choice.
    ///
    /// # Errors
    /// Returns an error that says what does not exist.
    pub fn check(&self, cases: &[SampledCase]) -> Result<()> {
        let Some(case) = cases.get(self.case) else {
            return Err(Error::message(format!("there is no case {}: there are {}", self.case, cases.len())));
        };
        match self.class {
            Some(class) if case.voxels_of_classes.get(class).is_none_or(|voxels| *voxels == 0) => {
                Err(Error::message(format!("case {} has no voxels of class {class}", case.name)))
            }
            _ => Ok(()),
        }
    }
}

/// The loss of a sample that was trained on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleLoss {
    /// Name of the case.
    pub case: String,
    /// The loss of the sample alone; of a trainer with a training step of its own that asks for no loss, that of the batch.
    pub loss: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_case_and_a_class_that_it_has() {
        let cases = [SampledCase { voxels_of_classes: vec![0, 7], ..SampledCase::new("a") }];
        let check = |case, class| Choice { case, class }.check(&cases).map_err(|error| error.to_string());
        assert!(check(0, None).is_ok() && check(0, Some(1)).is_ok());
        assert_eq!(check(0, Some(0)).unwrap_err(), "case a has no voxels of class 0");
        assert!(check(0, Some(2)).is_err());
        assert_eq!(check(1, None).unwrap_err(), "there is no case 1: there are 1");
    }
}
