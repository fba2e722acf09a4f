//! Samplers that learn from losses, called directly and through both adapters.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod cubes;

use std::sync::{Arc, Mutex, PoisonError};

use cubes::{Listener, cases, engine_of, weights};
use nnunet_architectures::GenericUnet;
use nnunet_plugin_api::abi::v1::through_adapters;
use nnunet_plugin_api::tch::{self, Tensor};
use nnunet_plugin_api::{
    Batch, Choice, Component, Config, Factory, Info, Kind, RandomStream, Result, SampleLoss, SampledCase,
    Sampler, SamplerContext, Trainer, Training, built_in_step,
};
use nnunet_training::{Engine, SharedSampler, Stopped};

/// Chooses the case with the highest loss so far; keeps all losses.
#[derive(Default)]
struct Hardest {
    cases: Vec<SampledCase>,
    losses: Config,
    seen: Arc<Mutex<Vec<SampleLoss>>>,
}

impl Sampler for Hardest {
    fn begin(&mut self, cases: &[SampledCase]) -> Result<()> {
        self.cases = cases.to_vec();
        Ok(())
    }

    fn choose(&self, _: &SamplerContext, random: &mut RandomStream) -> Result<Choice> {
        let loss = |case: &SampledCase| self.losses.get(&case.name).and_then(|loss| loss.as_f64());
        let case =
            random.weighted(self.cases.iter().map(|case| loss(case).map_or(1.0, |loss| (4.0 * loss).exp())));
        Ok(Choice { case, class: None })
    }

    fn learns(&self) -> bool {
        true
    }

    fn observe(&mut self, losses: &[SampleLoss]) -> Result<()> {
        self.seen.lock().unwrap().extend(losses.iter().cloned());
        self.losses.extend(losses.iter().map(|sample| (sample.case.clone(), sample.loss.into())));
        Ok(())
    }

    fn save_state(&self) -> Result<Config> {
        Ok(self.losses.clone())
    }

    fn load_state(&mut self, state: Config) -> Result<()> {
        self.losses = state;
        Ok(())
    }
}

/// How the steps of a trainer are made.
#[derive(Clone, Copy)]
enum Step {
    BuiltIn,
    Own,
    WithoutLoss,
}

struct Stepping(Step);

impl Trainer for Stepping {
    fn extends(&self) -> String {
        "root".to_owned()
    }

    fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        match self.0 {
            Step::BuiltIn => Ok(None),
            Step::Own => built_in_step(training, batch).map(Some),
            Step::WithoutLoss => Ok(Some(Tensor::from(0.25_f32))),
        }
    }
}

/// libtorch has one random generator for all threads: tests draw their initial weights one after the other.
static DRAWS: Mutex<()> = Mutex::new(());

fn engine(step: Step, crossing: bool) -> (Engine, Arc<Mutex<Vec<SampleLoss>>>) {
    let _draws = DRAWS.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(1);
    let mut engine = engine_of("stepping", &GenericUnet::default(), &|name| {
        Ok(if name == "root" { Box::new(cubes::Root) } else { Box::new(Stepping(step)) })
    });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&seen);
    let make = move |_: &Config| -> Result<Box<dyn Sampler>> {
        Ok(Box::new(Hardest { seen: Arc::clone(&shared), ..Hardest::default() }))
    };
    let component = Component::sampler(Info::new(Kind::Sampler, "Hardest", ""), make);
    let component = if crossing { through_adapters(component, "p") } else { component };
    let Factory::Sampler(make) = &component.factory else { panic!("a sampler") };
    engine.sampler = SharedSampler::new("Hardest", make(&Config::new()).unwrap());
    (engine, seen)
}

const CASES: [&str; 4] = ["a", "b", "c", "d"];

fn run(engine: &mut Engine, threads: usize, stop_after_steps: Option<usize>) -> Stopped {
    let mut run = cases(&CASES);
    run.threads = threads;
    engine.run(&run, &mut Listener { stop_after_steps, ..Listener::default() }).unwrap()
}

/// Two epochs of three steps of two samples.
#[test]
fn a_sampler_learns_the_same_on_both_sides_and_for_any_number_of_threads() {
    let results = [(false, 1), (true, 1), (false, 3)].map(|(crossing, threads)| {
        let (mut engine, seen) = engine(Step::BuiltIn, crossing);
        run(&mut engine, threads, None);
        let seen = seen.lock().unwrap().clone();
        (seen, engine.sampler.save_state().unwrap(), weights(&engine))
    });
    assert_eq!(results[0].0.len(), 12);
    for (seen, state, weights) in &results {
        assert_eq!((seen, state), (&results[0].0, &results[0].1));
        assert!(*weights == results[0].2, "weights differ");
    }
    let different: Vec<&SampleLoss> =
        results[0].0.iter().filter(|sample| sample.loss != results[0].0[0].loss).collect();
    assert!(!different.is_empty(), "losses are those of single samples");
}

/// The user stops in the second epoch.
#[test]
fn what_was_learned_in_an_epoch_that_is_not_finished_is_forgotten() {
    let (mut whole, _) = engine(Step::BuiltIn, false);
    run(&mut whole, 1, None);
    for crossing in [false, true] {
        let (mut broken, seen) = engine(Step::BuiltIn, crossing);
        assert_eq!(run(&mut broken, 2, Some(4)), Stopped::Cancelled);
        let after_one = broken.sampler.save_state().unwrap();
        assert_eq!(seen.lock().unwrap().len(), 6, "losses of the first epoch");
        assert_ne!(after_one, whole.sampler.save_state().unwrap());
        run(&mut broken, 2, None);
        assert_eq!(broken.sampler.save_state().unwrap(), whole.sampler.save_state().unwrap());
        assert!(weights(&broken) == weights(&whole));
    }
}

/// A trainer's own step: the losses it asks for, once, else the loss it returns.
#[test]
fn a_step_of_the_trainers_own_tells_losses_too() {
    let losses = |step| {
        let (mut engine, seen) = engine(step, false);
        run(&mut engine, 1, None);
        let seen = seen.lock().unwrap().clone();
        seen
    };
    assert_eq!(losses(Step::Own), losses(Step::BuiltIn));
    let fixed = losses(Step::WithoutLoss);
    assert!(fixed.len() == 12 && fixed.iter().all(|sample| sample.loss == 0.25), "{fixed:?}");
}
