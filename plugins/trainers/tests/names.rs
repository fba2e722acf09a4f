//! Every trainer class of v1 and of v2 resolves under its name with the original's values.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_plugin_api::vocabulary::{Blueprint, Optimizer};
use nnunet_plugin_api::{
    Error, Kind, Registration, Result, SchedulePoint, TensorFactories, Trainer, TrainerContext, inventory,
};
use nnunet_trainers::{PLANNED_NETWORK, Resolved, name_in_v2, registered_in_v2, resolve};

fn names() -> Vec<String> {
    let all = inventory::iter::<Registration>().map(|registration| (registration.0)());
    all.filter(|component| component.info.kind == Kind::Trainer).map(|c| c.info.name.into_owned()).collect()
}

fn lookup(name: &str) -> Result<Box<dyn Trainer>> {
    let found = inventory::iter::<Registration>().map(|r| (r.0)()).find(|c| c.info.name == name);
    match found.as_ref().and_then(|component| component.factory.trainer()) {
        Some(make) => make(&Default::default()),
        None => Err(Error::message(format!("no {name}"))),
    }
}

fn resolved(name: &str, configuration: &str) -> Resolved {
    let context = TrainerContext { configuration: configuration.to_owned(), ..Default::default() };
    resolve(name, &context, &lookup).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn blueprint(name: &str) -> Blueprint {
    resolved(name, "3d_fullres").blueprint
}

/// The learning rate of an epoch.
fn rate(trainer: &Resolved, epoch: usize) -> f64 {
    let blueprint = &trainer.blueprint;
    let at = SchedulePoint {
        epoch,
        epochs: blueprint.max_num_epochs,
        steps: blueprint.num_batches_per_epoch,
        initial_lr: blueprint.initial_lr,
        ..SchedulePoint::default()
    };
    let schedule = nnunet_schedules::built_in(&blueprint.lr_schedule.choice().unwrap()).unwrap();
    schedule.learning_rate(&at).unwrap()
}

/// The 110 classes and 16 aliases of v1, the base class, and why some cannot train.
const UNAVAILABLE: [&str; 6] = [
    "NetworkTrainer",
    "nnUNetTrainerCascadeFullRes",
    "nnUNetTrainerNoDA",
    "nnUNetTrainerV2BraTSRegions_DDP",
    "nnUNetTrainerV2_fullEvals",
    "nnUNetTrainerV2_softDeepSupervision",
];

fn listed(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().filter(|line| !line.starts_with('#'))
}

/// v2's classes, by the names that they are registered under.
fn classes_of_v2() -> Vec<&'static str> {
    listed(include_str!("fixtures/classes_v2.txt")).map(registered_in_v2).collect()
}

#[test]
fn every_class_is_there_and_resolves() {
    let mut wanted: Vec<&str> = listed(include_str!("fixtures/classes.txt")).collect();
    wanted.push("NetworkTrainer");
    wanted.extend(classes_of_v2());
    let names = names();
    let missing: Vec<&&str> =
        wanted.iter().filter(|name| !names.iter().any(|other| other == *name)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    let extra: Vec<&String> = names.iter().filter(|name| !wanted.contains(&name.as_str())).collect();
    assert!(extra.is_empty(), "neither in v1 nor in v2: {extra:?}");
    let is_available = |name: &&String| !UNAVAILABLE.contains(&name.as_str());
    for name in names.iter().filter(is_available) {
        for configuration in ["2d", "3d_fullres"] {
            let trainer = resolved(name, configuration);
            assert_eq!(trainer.names.last(), Some(name));
        }
    }
}

#[test]
fn what_cannot_train_says_why() {
    for name in UNAVAILABLE {
        let Err(error) = lookup(name) else { panic!("{name} resolves") };
        assert!(error.to_string().contains("use nnUNetTrainerV2"), "{name}: {error}");
    }
}

#[test]
fn classes_of_v2_extend_its_root() {
    for name in classes_of_v2() {
        let trainer = resolved(name, "3d_fullres");
        assert_eq!(trainer.names[0], "nnUNetv2Trainer", "{name}");
        assert_eq!(trainer.blueprint.architecture.name, PLANNED_NETWORK, "{name}");
        assert!(trainer.blueprint.augmentation.name.starts_with("v2"), "{name}");
    }
    assert_eq!(name_in_v2(registered_in_v2("nnUNetTrainerNoDA")), "nnUNetTrainerNoDA");
}

#[test]
fn values_of_v2_are_those_of_its_classes() {
    let rate = |name: &str, epoch: usize| rate(&resolved(name, "3d_fullres"), epoch);
    let near = |ours: f64, wanted: f64| assert!((ours - wanted).abs() < 1e-12, "{ours} {wanted}");
    near(rate("nnUNetTrainerCosAnneal", 250), 0.01 * 0.5 * (1.0 + 0.5_f64.sqrt()));
    near(rate("nnUNetTrainer_warmup", 0), 0.01 / 50.0);
    near(rate("nnUNetTrainer_warmup", 49), 0.01);
    near(rate("nnUNetTrainer_warmup", 525), 0.01 * 0.5_f64.powf(0.9));
    assert!(matches!(blueprint("nnUNetTrainerAdam3en4").optimizer, Optimizer::AdamW { amsgrad: true, .. }));
    assert!(matches!(
        blueprint("nnUNetTrainerVanillaAdam").optimizer,
        Optimizer::Adam { amsgrad: false, .. }
    ));
    assert_eq!(resolved("nnUNetTrainer_onlyMirror01", "2d").blueprint.mirror_axes, Some(vec![0]));
    assert_eq!(blueprint("nnUNetTrainer_onlyMirror01_DA5").mirror_axes, Some(vec![0, 1]));
    assert_eq!(blueprint("nnUNetTrainer_8000epochs_NoMirroring").max_num_epochs, 8000);
    // One of two samples, as v2 rounds a third of them.
    let drawn = blueprint("nnUNetTrainer_probabilisticOversampling");
    assert_eq!((drawn.probabilistic_oversampling, drawn.oversample_foreground_percent), (true, 0.5));
}

#[test]
fn values_are_inherited_and_changed() {
    let dice = blueprint("nnUNetTrainerV2_Loss_DicewithBG_LR1en3");
    assert_eq!((dice.loss.name.as_str(), dice.initial_lr), ("SoftDiceLoss", 1e-3));
    assert_eq!(dice.loss.parameters["do_bg"], true);
    let momentum = |configuration: &str| {
        let blueprint = resolved("nnUNetTrainerV2_momentum09in2D", configuration).blueprint;
        matches!(blueprint.optimizer, Optimizer::Sgd { momentum: 0.9, .. })
    };
    assert_eq!((momentum("2d"), momentum("3d_fullres")), (true, false));
    let residual = blueprint("nnUNetTrainerV2_ResencUNet_DA3_BN");
    assert_eq!(
        (residual.architecture.name.as_str(), residual.augmentation.name.as_str()),
        ("FabiansUNet", "DA3")
    );
    assert_eq!(residual.architecture.parameters["norm"], "batch");
    let brats = blueprint("nnUNetTrainerV2BraTSRegions_DA4_BN_BD");
    assert_eq!(brats.regions.as_ref().map(|regions| regions.regions.len()), Some(3));
    assert_eq!(
        (brats.augmentation.name.as_str(), &brats.loss.parameters["batch_dice"]),
        ("DA4", &true.into())
    );
    let guess = blueprint("nnUNetTrainerV2CascadeFullRes_EducatedGuess3").augmentation.parameters;
    assert_eq!(guess["cascade_random_binary_transform_p"], 1.0);
    assert!(!blueprint("nnUNetTrainer").deep_supervision);
}

#[test]
fn learning_rates_are_those_of_v1() {
    let rate = |name: &str, epoch: usize| {
        self::rate(&resolved(&format!("nnUNetTrainerV2_{name}"), "3d_fullres"), epoch)
    };
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} instead of {b}");
    close(rate("warmup", 0), 2e-4);
    close(rate("warmup", 1), 2e-4);
    close(rate("warmup", 50), 1e-2);
    close(rate("warmup", 1049), 0.01 * (1.0_f64 - 999.0 / 1050.0).powf(0.9));
    close(rate("SGD_fixedSchedule", 600), 1e-3);
    close(rate("SGD_fixedSchedule", 900), 1e-5);
    close(rate("SGD_fixedSchedule2", 675), 1e-3);
    close(rate("cycleAtEnd", 1000), 1e-6);
    close(rate("cycleAtEnd", 1050), 1e-3);
    close(rate("cycleAtEnd2", 1100), 1e-2);
    close(rate("Loss_CE", 500), 0.01 * 0.5_f64.powf(0.9));
}

/// The page about the trainers says what the tables say. `NNUNET_WRITE=1` writes it anew.
#[test]
fn the_page_about_trainers_is_up_to_date() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/trainers.md");
    let page = page();
    if std::env::var_os("NNUNET_WRITE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let hint = "write it anew with NNUNET_WRITE=1 cargo test --release -p nnunet-trainers";
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/trainers.md is out of date; {hint}"
    );
}

fn page() -> String {
    let mut page = "# Trainers\n\n\
        All trainer classes of nnU-Net v1 and v2 by name. A trainer is its parent's values with a few changed; `nnunet trainers \
        show NAME` prints them all, `nnunet trainers diff A B` what differs. A trainer of your own names any of them as \
        `extends`.\n\n| trainer | parent | what it changes |\n|---|---|---|\n"
        .to_owned();
    let mut all: Vec<_> = inventory::iter::<Registration>()
        .map(|registration| (registration.0)().info)
        .filter(|info| info.kind == Kind::Trainer)
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let is_unavailable = |name: &str| UNAVAILABLE.contains(&name);
    for info in all.iter().filter(|info| !is_unavailable(&info.name)) {
        let parent = lookup(&info.name).unwrap().extends();
        page += &format!("| `{}` | {parent} | {} |\n", info.name, info.summary);
    }
    page += "\n## Not available\n\nNaming one of these gives the reason.\n\n| class | reason |\n|---|---|\n";
    for info in all.iter().filter(|info| is_unavailable(&info.name)) {
        page += &format!("| `{}` | {} |\n", info.name, info.summary.trim_start_matches("Not available: "));
    }
    page
}
