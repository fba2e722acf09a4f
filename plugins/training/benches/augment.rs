//! Augmented patches per second of processor time on one core, of the default augmentations of v1 and v2: here and in the
//! originals, in one run.
//!
//! `NNUNET_V1=<folder of the venv's programs> NNUNET_V2=<the same of v2> cargo bench -p nnunet-training --bench augment`;
//! `-- v2` at the end measures v2 only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a benchmark reports and stops at the first problem"
)]

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ndarray::{Array4, ArrayViewMut4, Axis};
use nnunet_augmentation::Pipeline;
use nnunet_formats::npy::{self, MappedVolume};
use nnunet_plugin_api::{AugmentationContext, Config, Result, tch};
use nnunet_training::{BatchPlan, CaseSource, SharedSampler};

/// Cases of a task.
const CASES: usize = 4;
/// Clock ticks per second in `/proc`.
const TICKS: f64 = 100.0;

/// Patch, case, batches here and in v1.
const TASKS: [([usize; 3], [usize; 3], usize, usize); 2] =
    [([40, 56, 40], [36, 50, 35], 2000, 150), ([128, 128, 128], [180, 240, 240], 60, 10)];

/// A version of nnU-Net: its name, its augmentation, how it samples, the variable that says where it is, and the script
/// that measures it.
struct Version {
    name: &'static str,
    augmentation: &'static str,
    sampler: &'static str,
    variable: &'static str,
    script: &'static str,
}

const VERSIONS: [Version; 2] = [
    Version {
        name: "v1",
        augmentation: "moreDA",
        sampler: "v1",
        variable: "NNUNET_V1",
        script: "benches/augment.py",
    },
    Version {
        name: "v2",
        augmentation: "v2DA",
        sampler: "v2",
        variable: "NNUNET_V2",
        script: "benches/augment_v2.py",
    },
];

fn main() {
    tch::set_num_threads(1);
    println!("| version | patch | original | here | ratio |\n|---|---|---|---|---|");
    for (patch, case, ours, theirs) in TASKS {
        let folder = tempfile::tempdir().unwrap();
        make_cases(folder.path(), case);
        for version in VERSIONS.iter().filter(|version| is_wanted(version.name)) {
            let here = measure(version, folder.path(), patch, ours);
            let python = std::env::var_os(version.variable).map(PathBuf::from);
            let original =
                python.map(|python| measure_original(version, &python, folder.path(), patch, theirs));
            let shown = original.map_or("-".to_owned(), |original| format!("{original:.2}"));
            let ratio = original.map_or("-".to_owned(), |original| format!("{:.1}", here / original));
            println!("| {} | {patch:?} | {shown} patches/s | {here:.2} patches/s | {ratio} |", version.name);
        }
    }
}

/// Whether a version is to be measured: all are, unless the arguments name some.
fn is_wanted(version: &str) -> bool {
    let mut named = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    named.peek().is_none() || named.any(|name| name == version)
}

/// Noise in two adjoining balls and around them.
fn make_cases(folder: &Path, [z, y, x]: [usize; 3]) {
    let mut state = 0x9e37_79b9_u64;
    for case in 0..CASES {
        let mut array = Array4::from_shape_simple_fn((2, z, y, x), || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % 1000) as f32 / 250.0 - 2.0
        });
        let center = |at: usize, len: usize| (at as f64 / len as f64 - 0.5) / 0.3;
        for ((i, j, k), label) in array.index_axis_mut(Axis(0), 1).indexed_iter_mut() {
            let inside = center(i, z).powi(2) + center(j, y).powi(2) + center(k, x).powi(2) < 1.0;
            *label = if inside { 1.0 + f32::from(u8::from(k > x / 2)) } else { 0.0 };
        }
        npy::save(&folder.join(format!("case_{case}.npy")), array.view()).unwrap();
    }
}

struct Mapped {
    volumes: Vec<MappedVolume>,
    locations: Vec<Vec<[i64; 3]>>,
}

impl CaseSource for Mapped {
    fn len(&self) -> usize {
        self.volumes.len()
    }

    fn name(&self, _case: usize) -> &str {
        "case"
    }

    fn shape(&self, case: usize) -> [usize; 4] {
        let [channels, z, y, x] = self.volumes[case].shape();
        [channels - 1, z, y, x]
    }

    fn locations(&self, _case: usize) -> &[Vec<[i64; 3]>] {
        &self.locations
    }

    fn read(
        &self,
        case: usize,
        space: &[Range<usize>; 3],
        data: ArrayViewMut4<'_, f32>,
        seg: ArrayViewMut4<'_, f32>,
    ) -> Result<()> {
        self.volumes[case].crop(0..1, space.clone(), data);
        self.volumes[case].crop(1..2, space.clone(), seg);
        Ok(())
    }
}

fn measure(version: &Version, folder: &Path, patch: [usize; 3], batches: usize) -> f64 {
    let volumes: Vec<_> = (0..CASES)
        .map(|case| MappedVolume::open(&folder.join(format!("case_{case}.npy"))).unwrap())
        .collect();
    let [_, z, y, x] = volumes[0].shape().map(|len| len as i64);
    let source =
        Mapped { volumes, locations: vec![vec![[z / 2, y / 2, x / 2 - 3]], vec![[z / 2, y / 2, x / 2 + 3]]] };
    let plan = BatchPlan {
        batch_size: 2,
        oversample_foreground: 0.33,
        sampler: SharedSampler::named(version.sampler).unwrap(),
        augmentation: Some(Arc::new(Pipeline::named(version.augmentation, &Config::new()).unwrap())),
        context: AugmentationContext {
            patch: patch.to_vec(),
            use_mask: vec![false],
            num_labels: 2,
            ..Default::default()
        },
        scales: [1.0, 0.5, 0.25].map(|scale| vec![scale; 3]).to_vec(),
        regions: None,
        head: None,
        seed: 1,
    };
    let _ = plan.make(&source, 0, 0).unwrap();
    let before = processor_seconds();
    (1..=batches).for_each(|batch| drop(plan.make(&source, 0, batch).unwrap()));
    2.0 * batches as f64 / (processor_seconds() - before)
}

/// Time on the processor, of all threads of this process.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
}

fn measure_original(
    version: &Version,
    python: &Path,
    folder: &Path,
    patch: [usize; 3],
    batches: usize,
) -> f64 {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(version.script);
    let output = Command::new(python.join("python"))
        .arg(script)
        .arg(folder)
        .arg(batches.to_string())
        .args(patch.map(|edge| edge.to_string()))
        .env("OMP_NUM_THREADS", "1")
        .env("OPENBLAS_NUM_THREADS", "1")
        .env("MKL_NUM_THREADS", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rev().find(|line| line.starts_with('{'));
    let line = line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    let number = line.rsplit(':').next().unwrap().trim_end_matches('}').trim();
    number.parse().unwrap()
}
