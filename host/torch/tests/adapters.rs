//! Every built-in component does the same behind both adapters of the stable ABI as when it is called directly: what
//! holds for a plugin's component holds for ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "adapters/observe.rs"]
mod observe;

use std::collections::BTreeMap;

// All built-ins of both programs.
use nnunet_host_torch as _;
use nnunet_plugin_api::abi::v1::through_adapters;
use nnunet_plugin_api::{Factory, Kind, Make, Registration, Result, TensorFactory, inventory};
use observe as see;

/// What a component does with made-up data, as text; or its error.
fn observed<T: ?Sized>(made: Result<Box<T>>, observe: fn(Box<T>) -> Result<String>) -> String {
    made.and_then(observe).unwrap_or_else(|error| format!("error: {error}"))
}

/// The constructor in a factory of a kind with tensors.
fn opened<T: ?Sized + 'static>(factory: &TensorFactory) -> &Make<T> {
    factory.downcast().expect("its kind's")
}

/// Built-in components of every kind: none may be left out.
const COUNTS: [(Kind, usize); 17] = [
    (Kind::Planner, 35),
    (Kind::Preprocessor, 11),
    (Kind::Normalization, 10),
    (Kind::Resampler, 6),
    (Kind::Splitter, 4),
    (Kind::Sampler, 4),
    (Kind::Format, 5),
    (Kind::Transform, 23),
    (Kind::Augmentation, 13),
    (Kind::Architecture, 8),
    (Kind::Head, 2),
    (Kind::Loss, 13),
    (Kind::Optimizer, 6),
    (Kind::Schedule, 10),
    (Kind::Metric, 4),
    (Kind::Trainer, 185),
    (Kind::Postprocessor, 3),
];
/// Trainers that are there to say why they cannot train. Nothing else may fail here: two equal errors compare nothing.
const REFUSE: [&str; 6] = [
    "NetworkTrainer",
    "nnUNetTrainerCascadeFullRes",
    "nnUNetTrainerNoDA",
    "nnUNetTrainerV2BraTSRegions_DDP",
    "nnUNetTrainerV2_fullEvals",
    "nnUNetTrainerV2_softDeepSupervision",
];

/// Errors from the other side have component and method in front.
fn same(direct: &str, crossed: &str) -> bool {
    match direct.strip_prefix("error: ") {
        Some(message) => crossed.starts_with("error: plugin itself, ") && crossed.ends_with(message),
        None => direct == crossed,
    }
}

#[test]
fn all_built_ins_pass_both_adapters_unchanged() {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut refuse = Vec::new();
    for registration in inventory::iter::<Registration>() {
        let (direct, crossed) = ((registration.0)(), through_adapters((registration.0)(), "itself"));
        assert_eq!(direct.info, crossed.info);
        let config = direct.info.defaults.clone();
        macro_rules! both {
            ($a:expr, $b:expr, $observe:path) => {
                (observed($a(&config), $observe), observed($b(&config), $observe))
            };
        }
        let (a, b) = match (&direct.factory, &crossed.factory) {
            (Factory::Planner(a), Factory::Planner(b)) => both!(a, b, see::planner),
            (Factory::Preprocessor(a), Factory::Preprocessor(b)) => both!(a, b, see::preprocessor),
            (Factory::Normalization(a), Factory::Normalization(b)) => both!(a, b, see::normalization),
            (Factory::Splitter(a), Factory::Splitter(b)) => both!(a, b, see::splitter),
            (Factory::Sampler(a), Factory::Sampler(b)) => both!(a, b, see::sampler),
            (Factory::Schedule(a), Factory::Schedule(b)) => both!(a, b, see::schedule),
            (Factory::Resampler(a), Factory::Resampler(b)) => both!(a, b, see::resampler),
            (Factory::Format(a), Factory::Format(b)) => both!(a, b, see::format),
            (Factory::Transform(a), Factory::Transform(b)) => both!(a, b, see::transform),
            (Factory::Augmentation(a), Factory::Augmentation(b)) => both!(a, b, see::augmentation),
            (Factory::Postprocessor(a), Factory::Postprocessor(b)) => both!(a, b, see::postprocessor),
            (Factory::Logger(a), Factory::Logger(b)) => both!(a, b, see::logger),
            (Factory::Tensors(a), Factory::Tensors(b)) => match direct.info.kind {
                Kind::Architecture => both!(opened(a), opened(b), see::architecture),
                Kind::Loss => both!(opened(a), opened(b), see::loss),
                Kind::Head => both!(opened(a), opened(b), see::head),
                Kind::Metric => both!(opened(a), opened(b), see::metric),
                Kind::Optimizer => both!(opened(a), opened(b), see::optimizer),
                _ => both!(opened(a), opened(b), see::trainer),
            },
            _ => panic!("{} {} does not cross", direct.info.kind, direct.info.name),
        };
        assert!(same(&a, &b), "{} {}\ndirect:  {a}\ncrossed: {b}", direct.info.kind, direct.info.name);
        if a.starts_with("error: ") {
            refuse.push(direct.info.name.clone());
        }
        *counts.entry(direct.info.kind).or_default() += 1;
    }
    refuse.sort();
    assert_eq!(refuse, REFUSE, "components that refuse the made-up data");
    assert_eq!(counts, BTreeMap::from(COUNTS), "built-in components");
}
