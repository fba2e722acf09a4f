//! A fold of `nnUNetv2_train`: killed or stopped at any moment, it continues with `--c` to the files of an undisturbed run.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

use nnunet_formats::pickle::Value;
use serde_json::Value as Json;

use super::*;

const FOLD: &str = "nnUNet_results/Dataset900_Phantom/Saving__nnUNetPlansSmall__3d_fullres/fold_0";
const TRAINER: &str = "\n[trainers.Saving]\nextends = \"Short\"\nmax_num_epochs = 3\nnum_batches_per_epoch = 2\nsave_every = 1\n";
/// What the log says of an epoch, beside times.
const LINES: [&str; 6] =
    ["Current learning rate", "train_loss", "val_loss", "Pseudo dice", "Yayy!", "Dice by label"];

/// Files after which another one of the same state is written.
const MOMENTS: [&str; 4] =
    ["checkpoint_best.pth", "validation/summary.json", "checkpoint_latest.pth", "checkpoint_final.pth"];

/// What a fold leaves behind, without times.
#[derive(PartialEq)]
struct Fold {
    /// Names of all files; those of logs without their dates.
    names: Vec<String>,
    /// Bytes of files that have no times in them.
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// Content of checkpoints.
    checkpoints: BTreeMap<PathBuf, String>,
    /// By epoch and beginning of the line, what the logs of all runs say.
    log: BTreeMap<(usize, String), String>,
    /// By epoch, the numbers in the logs of all runs.
    numbers: BTreeMap<u64, Json>,
}

impl Fold {
    fn read(folder: &Path) -> Self {
        let mut fold = Self {
            names: Vec::new(),
            files: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            log: BTreeMap::new(),
            numbers: BTreeMap::new(),
        };
        for (path, bytes) in contents(folder) {
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let is_log = name.starts_with("training_log") || name.starts_with("events.out");
            fold.names.push(if is_log { without_digits(&name) } else { name.clone() });
            let text = || String::from_utf8(bytes.clone()).unwrap();
            if name.ends_with(".pth") {
                fold.checkpoints.insert(path.clone(), checkpoint(&path));
            } else if name.ends_with(".txt") {
                fold.read_log(&text());
            } else if name.ends_with(".jsonl") {
                fold.read_numbers(&text());
            } else if !is_log {
                fold.files.insert(path, bytes);
            }
        }
        fold.names.sort();
        fold.names.dedup();
        fold
    }

    /// An epoch that was cut off is trained again: what two logs say of it must be the same.
    fn read_log(&mut self, text: &str) {
        let mut epoch = 0;
        // After date and time.
        for line in text.lines().filter_map(|line| line.splitn(3, ' ').nth(2)) {
            if let Some(number) = line.strip_prefix("Epoch ").and_then(|rest| rest.trim().parse().ok()) {
                epoch = number;
            }
            if let Some(start) = LINES.iter().find(|start| line.starts_with(**start)) {
                let key = (epoch, (*start).to_owned());
                let known = self.log.entry(key).or_insert_with(|| line.to_owned());
                assert_eq!(known, line, "epoch {epoch}");
            }
        }
    }

    fn read_numbers(&mut self, text: &str) {
        // The last line of a killed run may be cut off.
        for mut line in text.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok()) {
            let Some(epoch) = line["epoch"].as_u64() else { continue };
            let values = line.as_object_mut().unwrap();
            values.retain(|key, _| key != "time" && !key.starts_with("seconds"));
            let known = self.numbers.entry(epoch).or_insert_with(|| line.clone());
            assert_eq!(*known, line, "epoch {epoch}");
        }
    }

    fn assert_is(&self, whole: &Self, when: &str) {
        assert_eq!(self.names, whole.names, "{when}");
        assert_eq!(self.log, whole.log, "{when}");
        assert_eq!(self.numbers, whole.numbers, "{when}");
        for (path, content) in &whole.checkpoints {
            assert!(self.checkpoints[path] == *content, "{when}: {} differs", path.display());
        }
        assert_same(&self.files, &whole.files);
    }
}

fn without_digits(name: &str) -> String {
    let name = name.split(".tfevents").next().unwrap_or(name);
    name.chars().filter(|letter| !letter.is_ascii_digit() && *letter != '_').collect()
}

/// All of a checkpoint but the times of its epochs, as text: numbers that are not finite equal themselves there.
fn checkpoint(path: &Path) -> String {
    fn without_times(value: &mut Value) {
        if let Value::Dict(entries) = value {
            entries.retain(|(key, _)| !key.as_str().is_some_and(|key| key.ends_with("_timestamps")));
            entries.iter_mut().for_each(|(_, value)| without_times(value));
        }
    }
    let mut content = torch_zip::load(path).unwrap();
    without_times(&mut content.root);
    format!("{:?} {:?}", content.root, content.tensors)
}

/// Between 0 and 1.
fn random() -> f64 {
    (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64
}

#[test]
fn a_fold_of_v2_goes_on_to_the_same_files() {
    let world = World::with_phantoms_of_v2();
    world.configure(TRAINER);
    let line = "v2 train 900 3d_fullres 0 -tr Saving -p nnUNetPlansSmall --npz -device cpu";
    let fold = world.path(FOLD);
    let start = Instant::now();
    world.succeed(line);
    let duration = start.elapsed();
    let whole = Fold::read(&fold);
    assert_eq!(whole.numbers.len(), 3);
    assert!(whole.checkpoints.len() == 2 && whole.files.len() > 6, "{:?}", whole.names);
    let when = RefCell::new(String::new());
    let killed = Killed {
        world: &world,
        line,
        fresh: &|| remove(&fold),
        again: &|| Some(format!("{line} --c")),
        check: &|| Fold::read(&fold).assert_is(&whole, &when.borrow()),
    };
    let half = kills().div_ceil(2);
    let mut hits = 0;
    for number in 0..half {
        let share = (f64::from(number) + random()) / f64::from(half);
        let signal = if number % 2 == 0 { "-KILL" } else { "-TERM" };
        *when.borrow_mut() = format!("{signal} after {share} of {duration:?}");
        hits += u32::from(killed.once(signal, &|since| since >= duration.mul_f64(share)));
    }
    for name in MOMENTS.iter().cycle().take(half as usize) {
        *when.borrow_mut() = format!("-KILL at {name}");
        hits += u32::from(killed.once("-KILL", &|_| fold.join(name).is_file()));
    }
    assert!(hits > 0, "no run was killed");
}
