//! Hooks of trainers: called in order, inherited, contained behind the adapters of the ABI, and back where they were when an
//! epoch is taken up again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod cubes;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nnunet_architectures::GenericUnet;
use nnunet_plugin_api::abi::v1::{leaked_modes, through_adapters};
use nnunet_plugin_api::tch::{Kind as Element, Tensor, no_grad, no_grad_guard};
use nnunet_plugin_api::vocabulary::{Blueprint, ParameterGroup};
use nnunet_plugin_api::{
    Batch, Component, EpochReport, Fold, Info, Kind, Metrics, Result, SchedulePoint, Tally, TensorFactories,
    Trainer, TrainerContext, TrainerState, Training, ValidationCase, built_in_step,
};
use nnunet_training::{Engine, Stopped};

use cubes::{Listener, Root, cases, engine_of, weights};

/// Libtorch has one random generator for all threads.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

type Make = Box<dyn Fn() -> Box<dyn Trainer> + Send + Sync>;

/// A trainer of the root's, called directly or as if it were a plugin's.
fn engine_with(crossing: bool, make: impl Fn() -> Box<dyn Trainer> + Send + Sync + 'static) -> Engine {
    let make: Make = Box::new(make);
    let component = Component::trainer(Info::new(Kind::Trainer, "T", ""), move |_| Ok(make()));
    let component = if crossing { through_adapters(component, "p") } else { component };
    let lookup = |name: &str| -> Result<Box<dyn Trainer>> {
        if name == "root" {
            return Ok(Box::new(Root));
        }
        component.factory.trainer().unwrap()(&Default::default())
    };
    nnunet_plugin_api::tch::manual_seed(3);
    engine_of("T", &GenericUnet::default(), &lookup)
}

fn run(engine: &mut Engine) -> Result<Stopped> {
    engine.run(&cases(&["fine", "also"]), &mut Listener::default())
}

/// Extends the root; every hook is a function of its own.
struct Own<F>(F);

impl<F: FnMut(&mut dyn Training, &Batch) -> Result<Option<Tensor>> + Send> Trainer for Own<F> {
    fn extends(&self) -> String {
        "root".to_owned()
    }

    fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        (self.0)(training, batch)
    }
}

fn of_step<F>(step: F) -> impl Fn() -> Box<dyn Trainer> + Send + Sync
where
    F: FnMut(&mut dyn Training, &Batch) -> Result<Option<Tensor>> + Clone + Send + Sync + 'static,
{
    move || Box::new(Own(step.clone()))
}

#[test]
fn a_copy_of_the_built_in_step_trains_bit_for_bit_as_it_does() {
    let _turn = turn();
    let ended = |crossing: bool, own: bool| {
        let mut engine = engine_with(
            crossing,
            of_step(move |training, batch| own.then(|| built_in_step(training, batch)).transpose()),
        );
        assert_eq!(run(&mut engine).unwrap(), Stopped::Finished);
        (weights(&engine), engine.history)
    };
    let built_in = ended(false, false);
    for (crossing, own) in [(false, true), (true, true), (true, false)] {
        assert!(ended(crossing, own) == built_in, "crossing {crossing}, own {own}");
    }
}

#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn add(&self, what: impl Into<String>) -> Result<()> {
        self.0.lock().unwrap().push(what.into());
        Ok(())
    }
}

/// Notes every hook; its state is the number of batches.
struct Noting {
    calls: Calls,
    batches: f64,
}

impl Trainer for Noting {
    fn extends(&self) -> String {
        "root".to_owned()
    }

    fn on_train_start(&mut self, training: &mut dyn Training) -> Result<()> {
        let spacing = training.case_properties("fine")?;
        assert_eq!(spacing["shape"][3], 16);
        self.calls.add("train")
    }

    fn on_train_end(&mut self, training: &mut dyn Training) -> Result<()> {
        assert_eq!(training.progress()?.epoch, 2);
        self.calls.add("end")
    }

    fn on_epoch_start(&mut self, training: &mut dyn Training) -> Result<()> {
        self.calls.add(format!("epoch {}", training.progress()?.epoch))
    }

    fn on_batch(&mut self, training: &mut dyn Training, batch: &mut Batch) -> Result<()> {
        self.batches += 1.0;
        batch.data = batch.data.f_narrow(0, 0, 1)?;
        for target in &mut batch.targets {
            *target = target.f_narrow(0, 0, 1)?;
        }
        batch.cases.truncate(1);
        self.calls.add(format!("batch {}", training.progress()?.step))
    }

    fn train_step(&mut self, _training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        assert_eq!((batch.data.size()[0], batch.cases.len()), (1, 1), "what on_batch left");
        Ok(None)
    }

    fn validation_step(
        &mut self,
        _training: &mut dyn Training,
        outputs: &[Tensor],
        batch: &Batch,
    ) -> Result<Vec<Tally>> {
        assert_eq!(outputs[0].size()[0], batch.data.size()[0]);
        Ok(vec![Tally::new("half", 1.0, 2.0)])
    }

    fn metrics(&mut self, report: &EpochReport, metrics: &mut Metrics) -> Result<()> {
        assert!(report.learning_rate > 0.0);
        metrics.insert("batches".to_owned(), self.batches);
        Ok(())
    }

    fn is_best(&mut self, _report: &EpochReport, metrics: &Metrics) -> Result<Option<bool>> {
        self.calls.add(format!("{metrics:?}"))?;
        Ok(Some(true))
    }

    fn save_state(&self) -> Result<TrainerState> {
        let tensor = Tensor::from_slice(&[self.batches as f32]);
        Ok(TrainerState { tensors: [("batches".to_owned(), tensor)].into(), ..TrainerState::default() })
    }

    fn load_state(&mut self, state: TrainerState) -> Result<()> {
        self.batches = state.tensors["batches"].double_value(&[0]);
        Ok(())
    }
}

#[test]
fn hooks_are_called_in_order_on_both_sides() {
    let _turn = turn();
    for crossing in [false, true] {
        let calls = Calls::default();
        let made = calls.clone();
        let mut engine =
            engine_with(crossing, move || Box::new(Noting { calls: made.clone(), batches: 0.0 }));
        run(&mut engine).unwrap();
        let epoch = |i: usize, batches: f64| {
            let mut all = vec![format!("epoch {i}")];
            all.extend((0..3).map(|step| format!("batch {step}")));
            all.push(format!("{{\"batches\": {batches:?}, \"half\": 0.5}}"));
            all
        };
        let expected = [vec!["train".to_owned()], epoch(0, 3.0), epoch(1, 6.0), vec!["end".to_owned()]];
        assert_eq!(*calls.0.lock().unwrap(), expected.concat(), "crossing: {crossing}");
        let state = engine.trainer.save_state().unwrap().remove("T").unwrap();
        assert_eq!(state.tensors["batches"].double_value(&[0]), 6.0);
    }
}

/// Half the rate from the second step of an epoch on, and none for the segmentation layers.
struct Rates;

impl Trainer for Rates {
    fn extends(&self) -> String {
        "root".to_owned()
    }

    fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
        let parameters = "seg_outputs.*".to_owned();
        blueprint.parameter_groups = vec![ParameterGroup { parameters, ..ParameterGroup::default() }];
        Ok(())
    }

    fn learning_rate_at(&self, at: &SchedulePoint, rate: f64) -> Result<Option<f64>> {
        assert_eq!((at.epochs, at.steps), (2, 3));
        Ok(Some(match (at.group.as_str(), at.step) {
            ("", 0) => rate,
            ("", _) => rate / 2.0,
            _ => 0.0,
        }))
    }
}

#[test]
fn learning_rates_of_groups_and_steps_are_those_of_the_hook() {
    let _turn = turn();
    let ended = |crossing: bool| {
        let mut engine = engine_with(crossing, || Box::new(Rates));
        let before = weights(&engine);
        run(&mut engine).unwrap();
        let names: Vec<String> = engine.store.parameters().iter().map(|p| p.name.clone()).collect();
        (names, before, weights(&engine))
    };
    let (names, before, after) = ended(false);
    for ((name, before), after) in names.iter().zip(&before).zip(&after) {
        // The normalization cancels the bias of the convolution before it, which starts as zero and has no gradient.
        let stays = name.starts_with("seg_outputs") || name.ends_with(".conv.bias");
        assert_eq!(before == after, stays, "{name}");
    }
    assert!(ended(true).2 == after, "through both adapters");
}

/// A user stops in the second epoch: trainer and second network are as after the first one.
#[test]
fn an_epoch_that_is_not_finished_leaves_no_trace_in_trainers_and_networks() {
    let _turn = turn();
    struct Averaging(f64);
    impl Trainer for Averaging {
        fn extends(&self) -> String {
            "root".to_owned()
        }
        fn on_train_start(&mut self, training: &mut dyn Training) -> Result<()> {
            training.add_network("average")
        }
        fn predicts_with(&self) -> Result<Option<String>> {
            Ok(Some("average".to_owned()))
        }
        fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
            self.0 += 1.0;
            let loss = built_in_step(training, batch)?;
            for (mut average, now) in
                training.parameters_of("average")?.into_iter().zip(training.parameters()?)
            {
                let _ = no_grad(|| average.tensor.f_lerp_(&now.tensor, 0.5))?;
            }
            Ok(Some(loss))
        }
        fn save_state(&self) -> Result<TrainerState> {
            let mut state = TrainerState::default();
            state.values.insert("steps".to_owned(), self.0.into());
            Ok(state)
        }
        fn load_state(&mut self, state: TrainerState) -> Result<()> {
            self.0 = state.values["steps"].as_f64().unwrap();
            Ok(())
        }
    }
    for crossing in [false, true] {
        let made = || engine_with(crossing, || Box::new(Averaging(0.0)));
        let averages = |engine: &Engine| -> Vec<Tensor> {
            let store = engine.predicting_store().unwrap();
            store.parameters().iter().map(|parameter| parameter.tensor.copy()).collect()
        };
        let mut whole = made();
        run(&mut whole).unwrap();
        assert!(averages(&whole) != weights(&whole), "the average is not the trained network");
        let mut broken = made();
        let mut listener = Listener { stop_after_steps: Some(4), ..Listener::default() };
        let stopped = broken.run(&cases(&["fine", "also"]), &mut listener).unwrap();
        assert_eq!((stopped, broken.epoch), (Stopped::Cancelled, 1));
        let steps = broken.trainer.save_state().unwrap()["T"].values["steps"].clone();
        assert_eq!(steps, 3.0, "of the first epoch");
        run(&mut broken).unwrap();
        assert!(averages(&whole) == averages(&broken) && weights(&whole) == weights(&broken));
        broken.adopt_predicting().unwrap();
        assert!(weights(&broken) == averages(&whole));
    }
}

/// What a plugin's hook must not return, and what users read.
#[test]
fn what_hooks_must_not_return_is_named() {
    let _turn = turn();
    let message = |step: fn(&mut dyn Training, &Batch) -> Result<Option<Tensor>>| {
        let mut engine = engine_with(true, of_step(step));
        run(&mut engine).unwrap_err().to_string()
    };
    for (text, part) in [
        (message(|_, _| panic!("as requested")), "train_step: panicked: as requested"),
        (message(|_, batch| Ok(Some(batch.data.shallow_clone()))), "train_step: loss: expected a floating"),
        (message(|_, _| Ok(Some(Tensor::from(f32::NAN)))), "failed again after a restart"),
        (message(|_, _| Ok(Some(Tensor::from(f32::NAN)))), "train_step: loss NaN is not finite"),
        (
            message(|training, batch| training.forward_of("nobody", &batch.data).map(|mut all| all.pop())),
            "there is no network `nobody`",
        ),
    ] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
        assert!(text.contains("plugin p, trainer T: ") || part.contains("restart"), "{text}");
    }
}

struct Changing(fn(&mut Batch) -> Result<()>);

impl Trainer for Changing {
    fn extends(&self) -> String {
        "root".to_owned()
    }

    fn on_batch(&mut self, _training: &mut dyn Training, batch: &mut Batch) -> Result<()> {
        (self.0)(batch)
    }
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let _turn = turn();
    let message = |change: fn(&mut Batch) -> Result<()>| {
        let mut engine = engine_with(true, move || Box::new(Changing(change)));
        run(&mut engine).unwrap_err().to_string()
    };
    for (text, part) in [
        (message(|_| panic!("as requested")), "on_batch: panicked: as requested"),
        (
            message(|batch| {
                batch.data = batch.data.f_narrow(2, 0, 3)?;
                Ok(())
            }),
            "on_batch: images: expected [2, 1, 16, 16, 16], got [2, 1, 3, 16, 16]",
        ),
        (
            message(|batch| {
                batch.targets.pop();
                Ok(())
            }),
            "on_batch: targets: expected 2, got 1",
        ),
        (
            message(|batch| {
                batch.data = batch.data.f_mul_scalar(f64::NAN)?;
                Ok(())
            }),
            "on_batch: images with values that are not finite",
        ),
        (
            message(|batch| {
                batch.targets[0] = batch.targets[0].f_to_kind(Element::Bool)?;
                Ok(())
            }),
            "on_batch: targets: expected Int64 or floating point, got Bool",
        ),
    ] {
        assert!(
            text.contains("plugin p, trainer T: ") && text.contains(part),
            "`{part}` is missing in: {text}"
        );
    }
}

#[test]
fn modes_that_a_hook_leaves_changed_are_restored() {
    let _turn = turn();
    let before = leaked_modes();
    let mut engine = engine_with(
        true,
        of_step(|training, batch| {
            let loss = built_in_step(training, batch)?;
            std::mem::forget(no_grad_guard());
            Ok(Some(loss))
        }),
    );
    run(&mut engine).unwrap();
    assert_eq!(leaked_modes() - before, 6, "once in each step");
}

/// A fixed split, and scores that are made of the image and the host's.
struct Validating(&'static str);

impl Trainer for Validating {
    fn extends(&self) -> String {
        "root".to_owned()
    }

    fn split(&self, cases: &[String], fold: &str) -> Result<Option<Fold>> {
        let at = fold.parse().unwrap_or(cases.len());
        match (self.0, cases.get(at)) {
            ("unknown", _) => Ok(Some(Fold { train: cases.to_vec(), val: vec!["nobody".to_owned()] })),
            (_, None) => Ok(None),
            (_, Some(val)) => {
                let train = cases.iter().filter(|case| *case != val).rev().cloned().collect();
                Ok(Some(Fold { train, val: vec![val.clone()] }))
            }
        }
    }

    fn validate_case(&mut self, case: &mut dyn ValidationCase) -> Result<Option<Tensor>> {
        let predicted = case.predict()?;
        match self.0 {
            "none" => Ok(None),
            "panic" => panic!("as requested"),
            "shape" => Ok(Some(predicted.f_narrow(1, 0, 1)?)),
            "nan" => Ok(Some(predicted.f_mul_scalar(f64::NAN)?)),
            "kind" => Ok(Some(predicted.f_to_kind(nnunet_plugin_api::tch::Kind::Int64)?)),
            _ => {
                let patch = case.forward(&case.image().f_unsqueeze(0)?)?.f_squeeze_dim(0)?;
                let named = case.name().len() as f64;
                Ok(Some(predicted.f_add(&patch)?.f_mul_scalar(named)?))
            }
        }
    }
}

/// A case of two voxels, whose network doubles and whose prediction is the image.
struct TwoVoxels(Tensor);

impl ValidationCase for TwoVoxels {
    fn name(&self) -> &str {
        "two"
    }

    fn image(&self) -> &Tensor {
        &self.0
    }

    fn forward(&mut self, patches: &Tensor) -> Result<Tensor> {
        Ok(patches.f_mul_scalar(2.0)?)
    }

    fn predict(&mut self) -> Result<Tensor> {
        Ok(self.0.copy())
    }
}

#[test]
fn splits_and_validations_are_the_same_on_both_sides() {
    let _turn = turn();
    let cases = ["a", "b", "c"].map(str::to_owned);
    for crossing in [false, true] {
        let with = |word| engine_with(crossing, move || Box::new(Validating(word)));
        let validated = |word: &'static str| {
            let image = Tensor::from_slice(&[1.0_f32, 2.0, 3.0, 4.0]).reshape([2, 2, 1, 1]);
            with(word).trainer.take_trainers().validate_case(&mut TwoVoxels(image))
        };
        let scores = validated("").unwrap().unwrap();
        assert_eq!(Vec::<f32>::try_from(scores.flatten(0, -1)).unwrap(), [9.0, 18.0, 27.0, 36.0]);
        assert!(validated("none").unwrap().is_none());
        let trainer = with("").trainer;
        let fold = trainer.split(&cases, "1").unwrap().unwrap();
        assert_eq!((fold.train, fold.val), (vec!["a".to_owned(), "c".to_owned()], vec!["b".to_owned()]));
        assert!(trainer.split(&cases, "all").unwrap().is_none());
        let unknown = with("unknown").trainer.split(&cases, "1").unwrap_err().to_string();
        assert_eq!(unknown, "trainer T: split: there is no case nobody");
        if crossing {
            let message = |word| validated(word).unwrap_err().to_string();
            let hook = "plugin p, trainer T: validate_case:";
            assert_eq!(
                message("shape"),
                format!("{hook} scores: expected [classes, [2, 1, 1]], got [2, 1, 1, 1]")
            );
            assert_eq!(message("kind"), format!("{hook} scores: expected floating-point numbers, got Int64"));
            assert!(message("nan").starts_with(hook) && message("nan").contains("a score"));
            assert!(message("panic").starts_with(&format!("{hook} panicked: as requested")));
        }
    }
}
