//! Any plans are used, or refused in a line and without taking memory: v1's pickles and v2's JSON, changed at random.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nnunet_formats::json;
use nnunet_formats::pickle;
use nnunet_test_support::odd;
use nnunet_tests::{World, copy_folder, repository};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, TestCaseError, any};
use proptest::test_runner::TestRunner;

/// Changed files of each kind; more with `NNUNET_PLANS`.
const FEW: u32 = 16;
/// Bytes that a refusal may take beside those of the program with the unchanged plans.
const MOST: u64 = 200 << 20;
/// Far more time than a run takes, also on a loaded machine.
const LONGEST: Duration = Duration::from_secs(240);

/// How a run ended.
struct Ended {
    code: Option<i32>,
    text: String,
    /// The most memory it had.
    peak: u64,
}

fn run(world: &World, line: &str) -> Ended {
    let errors = std::fs::File::create(world.path("errors")).unwrap();
    let mut child = world.command(line).stdout(Stdio::null()).stderr(errors).spawn().unwrap();
    let (start, mut peak) = (Instant::now(), 0);
    let status = loop {
        peak = peak.max(memory(&child));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > LONGEST {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{line} did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let text = String::from_utf8_lossy(&std::fs::read(world.path("errors")).unwrap()).into_owned();
    Ended { code: status.code(), text, peak }
}

/// The most memory that a process had so far; 0 when it has ended.
fn memory(child: &Child) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes << 10)
}

/// Runs a command with files that `change` changes by pairs of numbers.
fn check(world: &World, line: &str, change: impl Fn(&[(usize, usize)])) {
    change(&[]);
    let usual = run(world, line);
    assert_eq!(usual.code, Some(0), "{}", usual.text);
    let cases = std::env::var("NNUNET_PLANS").ok().map_or(FEW, |text| text.parse().unwrap());
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let changes = vec((any::<usize>(), any::<usize>()), 1..4);
    let outcome = TestRunner::new(config).run(&changes, |changes| {
        change(&changes);
        let Ended { code, text, peak } = run(world, line);
        let fail = |what: &str| Err(TestCaseError::fail(format!("{what}\n{text}")));
        if text.contains("panicked") || text.contains("internal error") {
            return fail("it panicked");
        }
        match code {
            Some(0) => Ok(()),
            Some(1) if !text.contains("error: ") => fail("no error is printed"),
            Some(1) if text.contains('\u{1b}') => fail("control characters are printed"),
            Some(1) if peak > usual.peak + MOST => {
                fail(&format!("{peak} bytes, {} with the unchanged plans", usual.peak))
            }
            Some(1) => Ok(()),
            other => fail(&format!("it ended with {other:?}")),
        }
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn plans_of_v2_are_used_or_refused() {
    let world = World::new();
    copy_folder(&repository().join("tests/stored/v2_cascade"), &world.path("v2"));
    let model = "v2/nnUNetTrainer__nnUNetPlans__3d_lowres";
    let plans = world.path(model).join("plans.json");
    let whole = json::load(&plans).unwrap();
    let line =
        format!("predict -i v2/images -o out --model-folder {model} --disable_tta --overwrite_existing");
    check(&world, &line, |changes| {
        let mut changed = whole.clone();
        changes.iter().for_each(|(place, how)| odd::change(&mut changed, *place, *how));
        json::save(&plans, &changed).unwrap();
    });
}

#[test]
fn plans_of_v1_are_used_or_refused() {
    let world = World::with_phantoms();
    world.succeed("train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference");
    let model = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall";
    let beside = world.path(model).join("fold_0/model_final_checkpoint.model.pkl");
    let mut whole = pickle::load(&beside).unwrap();
    // Lists of every case make most of the plans, and are not read.
    let plans = odd_plans(&mut whole).clone();
    let images = "raw/nnUNet_raw_data/Task900_Phantom/imagesTs";
    let line =
        format!("predict -i {images} -o out --model-folder {model} -f 0 --disable_tta --overwrite_existing");
    check(&world, &line, |changes| {
        let mut changed = plans.clone();
        changes.iter().for_each(|(place, how)| odd::change(&mut changed, *place, *how));
        let mut file = whole.clone();
        *odd_plans(&mut file) = changed;
        pickle::save(&beside, &file).unwrap();
    });
}

/// The plans in the file beside a checkpoint.
fn odd_plans(file: &mut pickle::Value) -> &mut pickle::Value {
    let (pickle::Value::Dict(entries) | pickle::Value::OrderedDict(entries)) = file else {
        panic!("not a dictionary")
    };
    let found = entries.iter_mut().find(|(key, _)| key.as_str() == Some("plans"));
    &mut found.expect("plans").1
}
