//! The sampler of a training, as the threads that make batches share it, and what it learns from.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use nnunet_plugin_api::{
    Choice, Config, Error, Factory, Kind, RandomStream, Registration, Result, SampleLoss, SampledCase,
    Sampler, SamplerContext, inventory,
};

use crate::case_source::CaseSource;
use crate::sample_losses::SampleLosses;

/// A sampler with its name. Copies are the same sampler.
#[derive(Clone)]
pub struct SharedSampler(Arc<Shared>);

struct Shared {
    name: String,
    learns: bool,
    sampler: RwLock<Box<dyn Sampler>>,
    /// The cases, once there are some.
    cases: Mutex<Option<Arc<Vec<SampledCase>>>>,
    losses: Mutex<SampleLosses>,
}

impl fmt::Debug for SharedSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedSampler").field(&self.0.name).finish()
    }
}

/// A sample that was chosen.
pub(crate) struct Drawn {
    pub(crate) case: usize,
    /// The voxel (z, y, x) around which the patch is cut; none: it may be anywhere.
    pub(crate) center: Option<[usize; 3]>,
}

impl SharedSampler {
    /// Shares a sampler.
    pub fn new(name: impl Into<String>, sampler: Box<dyn Sampler>) -> Self {
        let learns = sampler.learns();
        Self(Arc::new(Shared {
            name: name.into(),
            learns,
            sampler: RwLock::new(sampler),
            cases: Mutex::new(None),
            losses: Mutex::new(SampleLosses::default()),
        }))
    }

    /// A registered sampler with its default parameters. A program that knows plugins makes samplers itself.
    ///
    /// # Errors
    /// Returns an error if there is no such sampler.
    pub fn named(name: &str) -> Result<Self> {
        let all = inventory::iter::<Registration>().map(|registration| (registration.0)());
        let found = all.into_iter().find(|c| c.info.kind == Kind::Sampler && c.info.name == name);
        match found.as_ref().map(|component| &component.factory) {
            Some(Factory::Sampler(make)) => Ok(Self::new(name, make(&Config::new())?)),
            _ => Err(Error::message(format!("there is no sampler `{name}`"))),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it wants to know the losses of samples.
    #[must_use]
    pub fn learns(&self) -> bool {
        self.0.learns
    }

    /// The losses of the epoch so far.
    pub(crate) fn losses(&self) -> MutexGuard<'_, SampleLosses> {
        lock(&self.0.losses)
    }

    /// Passes the losses of an epoch on.
    pub(crate) fn observe(&self, losses: &[SampleLoss]) -> Result<()> {
        self.change(|sampler| sampler.observe(losses))
    }

    /// See [`Sampler::save_state`].
    ///
    /// # Errors
    /// Returns the error of the sampler.
    pub fn save_state(&self) -> Result<Config> {
        self.use_with(|sampler| sampler.save_state())
    }

    /// See [`Sampler::load_state`].
    ///
    /// # Errors
    /// Returns the error of the sampler.
    pub fn load_state(&self, state: Config) -> Result<()> {
        self.change(|sampler| sampler.load_state(state))
    }

    /// Draws a sample.
    pub(crate) fn draw(
        &self,
        source: &dyn CaseSource,
        context: &SamplerContext,
        random: &mut RandomStream,
    ) -> Result<Drawn> {
        let cases = self.cases(source)?;
        self.use_with(|sampler| {
            let choice = sampler.choose(context, random)?;
            choice.check(&cases)?;
            let voxels = voxels(source, choice);
            let center = match voxels {
                [] => None,
                voxels => {
                    let index = sampler.voxel(context, voxels, random)?;
                    let voxel = voxels
                        .get(index)
                        .ok_or_else(|| Error::message(format!("voxel {index} of {}", voxels.len())))?;
                    Some(voxel.map(|at| at.max(0) as usize))
                }
            };
            Ok(Drawn { case: choice.case, center })
        })
    }

    /// The cases; the sampler learns of them when they are asked for first.
    fn cases(&self, source: &dyn CaseSource) -> Result<Arc<Vec<SampledCase>>> {
        let mut known = lock(&self.0.cases);
        if let Some(cases) = &*known {
            return Ok(Arc::clone(cases));
        }
        let cases: Vec<SampledCase> = (0..source.len()).map(|case| described(source, case)).collect();
        self.change(|sampler| sampler.begin(&cases))?;
        Ok(Arc::clone(known.insert(Arc::new(cases))))
    }

    fn use_with<R>(&self, body: impl FnOnce(&dyn Sampler) -> Result<R>) -> Result<R> {
        let sampler = self.0.sampler.read().unwrap_or_else(PoisonError::into_inner);
        body(&**sampler).map_err(|error| error.within(format!("sampler {}", self.0.name)))
    }

    fn change<R>(&self, body: impl FnOnce(&mut dyn Sampler) -> Result<R>) -> Result<R> {
        let mut sampler = self.0.sampler.write().unwrap_or_else(PoisonError::into_inner);
        body(&mut **sampler).map_err(|error| error.within(format!("sampler {}", self.0.name)))
    }
}

/// The voxels around one of which a patch is cut: those of the class, else the annotated ones. v2 keeps to annotated
/// voxels even if a case has no foreground.
fn voxels<'a>(source: &'a dyn CaseSource, choice: Choice) -> &'a [[i64; 3]] {
    match choice.class {
        Some(class) => source.locations(choice.case).get(class).map_or(&[], Vec::as_slice),
        None => source.annotated(choice.case).unwrap_or_default(),
    }
}

fn described(source: &dyn CaseSource, case: usize) -> SampledCase {
    let [_, shape @ ..] = source.shape(case);
    SampledCase {
        name: source.name(case).to_owned(),
        shape,
        voxels_of_classes: source.locations(case).iter().map(Vec::len).collect(),
        annotated_voxels: source.annotated(case).map(<[_]>::len),
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::sampling_tests::Located;

    /// How often each center comes in 3000 draws.
    fn centers(source: &Located, sample: usize, axes: usize) -> BTreeMap<Option<[usize; 3]>, usize> {
        let sampler = SharedSampler::named("v2").unwrap();
        let mut random = RandomStream::from_seed(1);
        let context =
            SamplerContext { sample, batch_size: 2, foreground: 0.33, axes, ..SamplerContext::default() };
        let mut counts = BTreeMap::new();
        for _ in 0..3000 {
            let drawn = sampler.draw(source, &context, &mut random).unwrap();
            *counts.entry(drawn.center).or_insert(0) += 1;
        }
        counts
    }

    #[test]
    fn every_class_is_equally_likely_and_then_every_voxel() {
        let classes = vec![vec![[1, 1, 1]], vec![], vec![[2, 2, 2], [2, 3, 4]]];
        let source = Located { classes, annotated: None };
        let counts = centers(&source, 1, 3);
        assert_eq!(counts.len(), 3);
        assert!(counts[&Some([1, 1, 1])].abs_diff(1500) < 150);
        assert!(counts[&Some([2, 3, 4])].abs_diff(750) < 120);
        assert_eq!(centers(&source, 0, 3), BTreeMap::from([(None, 3000)]));
    }

    /// With an ignore label no patch is cut where nothing is annotated, unless nothing is.
    #[test]
    fn with_an_ignore_label_patches_lie_around_annotated_voxels() {
        let with = |classes, annotated| Located { classes, annotated: Some(annotated) };
        let source = with(vec![vec![[1, 1, 1]]], vec![[5, 5, 5]]);
        assert_eq!(centers(&source, 0, 3), BTreeMap::from([(Some([5, 5, 5]), 3000)]));
        assert_eq!(centers(&source, 1, 3), BTreeMap::from([(Some([1, 1, 1]), 3000)]));
        let source = with(vec![vec![]], vec![[5, 5, 5]]);
        assert_eq!(centers(&source, 1, 3), BTreeMap::from([(Some([5, 5, 5]), 3000)]));
        let source = with(vec![vec![]], vec![]);
        for sample in [0, 1] {
            assert_eq!(centers(&source, sample, 3), BTreeMap::from([(None, 3000)]));
        }
    }

    struct Wrong;

    impl Sampler for Wrong {
        fn begin(&mut self, _: &[SampledCase]) -> Result<()> {
            Ok(())
        }

        fn choose(&self, _: &SamplerContext, _: &mut RandomStream) -> Result<Choice> {
            Ok(Choice { case: 0, class: Some(1) })
        }
    }

    #[test]
    fn a_choice_that_is_not_there_names_sampler_and_case() {
        let source = Located { classes: vec![vec![[1, 1, 1]], vec![]], annotated: None };
        let sampler = SharedSampler::new("Wrong", Box::new(Wrong));
        let drawn = sampler.draw(&source, &SamplerContext::default(), &mut RandomStream::from_seed(1));
        assert_eq!(drawn.err().unwrap().to_string(), "sampler Wrong: case located has no voxels of class 1");
    }
}
