//! Seconds and memory of a training step on the CPU, against Python nnU-Net v1 and v2, one after the other: the network
//! of the hippocampus plan (patch 40 x 56 x 40, batch 9) with synthetic batches; with the word `large` one of six stages
//! (patch 128 x 128 x 128, batch 2).
//!
//! ```sh
//! python3 -m venv v1 && v1/bin/pip install nnunet==1.7.1 torch==2.1.2 "numpy<1.24"
//! python3 -m venv v2 && v2/bin/pip install nnunetv2 torch==2.11.0
//! NNUNET_V1=v1/bin NNUNET_V2=v2/bin cargo bench -p nnunet-training --bench train_step [-- large]
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench is a program for developers"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use nnunet_architectures::{GenericUnet, ParameterStore};
use nnunet_losses::{DiceCe, DiceCeConfig};
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::vocabulary::Plans;
use nnunet_plugin_api::{Architecture, NetworkSpec, Trainer, TrainerContext};
use nnunet_training::{
    Batch, Cases, Engine, History, MeasuredMetrics, Schedules, SecondNetworks, SharedSampler, optimizer,
};

const CLASSES: i64 = 3;
/// Tells a child of this program which number format to measure.
const FORMAT: &str = "NNUNET_BENCH_FORMAT";
/// Tells it whose operators.
const OPERATORS: &str = "NNUNET_BENCH_OPERATORS";
const LIBTORCH: &str = "libtorch";

/// What is trained.
struct Work {
    name: &'static str,
    patch: [i64; 3],
    batch: i64,
    pools: usize,
    /// Steps after the first; the fastest counts.
    steps: usize,
}

const HIPPOCAMPUS: Work = Work { name: "hippocampus", patch: [40, 56, 40], batch: 9, pools: 3, steps: 3 };
const LARGE: Work = Work { name: "large", patch: [128; 3], batch: 2, pools: 5, steps: 1 };

/// As `nnunet` starts the program with tensors.
const HEAP: &str = "glibc.malloc.mmap_threshold=8589934592:glibc.malloc.trim_threshold=536870912";

fn main() {
    let work = if std::env::args().any(|word| word == "large") { LARGE } else { HIPPOCAMPUS };
    if let Ok(format) = std::env::var(FORMAT) {
        if std::env::var(OPERATORS).is_ok_and(|operators| operators == LIBTORCH) {
            nnunet_torch_ops::use_libtorch_operators();
        }
        measure(&work, if format == "bf16" { Kind::BFloat16 } else { Kind::Float });
        return;
    }
    println!("| program | s per step | peak memory |\n|---|---|---|");
    for version in ["v1", "v2"] {
        let Some(python) = std::env::var_os(format!("NNUNET_{}", version.to_uppercase())) else { continue };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/train_step.py");
        let mut command = Command::new(PathBuf::from(python).join("python"));
        row(
            &format!("Python {version}, fp32"),
            command.arg(script).args([version, &work.steps.to_string(), work.name]),
        );
    }
    for (title, format, operators) in
        [("fp32, libtorch's operators", "fp32", LIBTORCH), ("fp32", "fp32", "own"), ("bf16", "bf16", "own")]
    {
        let mut command = Command::new(std::env::current_exe().unwrap());
        row(
            &format!("this program, {title}"),
            command.arg(work.name).env(FORMAT, format).env(OPERATORS, operators).env("GLIBC_TUNABLES", HEAP),
        );
    }
}

fn row(title: &str, command: &mut Command) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(result) = text.lines().find_map(|line| line.strip_prefix("result ")) else {
        panic!("{title}: {text}{}", String::from_utf8_lossy(&output.stderr));
    };
    let (seconds, megabytes) = result.split_once(' ').unwrap();
    println!("| {title} | {seconds} | {megabytes} MB |");
}

struct Root;

impl Trainer for Root {
    fn extends(&self) -> String {
        String::new()
    }
}

fn measure(work: &Work, kind: Kind) {
    nnunet_torch_ops::keep_tensor_memory().unwrap();
    let mut engine = engine(work, kind);
    let volume = |level: usize| {
        let [z, y, x] = work.patch.map(|len| len >> level);
        [work.batch, 1, z, y, x]
    };
    let target = |level: usize| Tensor::randint(CLASSES, volume(level), (Kind::Int64, Device::Cpu));
    let batch = Batch {
        data: Tensor::randn(volume(0), (Kind::Float, Device::Cpu)),
        targets: (0..work.pools).map(target).collect(),
        cases: Vec::new(),
    };
    let mut fastest = f64::INFINITY;
    for step in 0..=work.steps {
        let start = Instant::now();
        engine.train_step(&batch, 0.01).unwrap();
        if step > 0 {
            fastest = fastest.min(start.elapsed().as_secs_f64());
        }
    }
    println!("result {fastest:.4} {:.0}", peak_megabytes());
}

fn engine(work: &Work, kind: Kind) -> Engine {
    let spec = NetworkSpec {
        num_input_channels: 1,
        num_classes: CLASSES as usize,
        base_num_features: 32,
        conv_per_stage: 2,
        patch_size: work.patch.map(|len| len as usize).to_vec(),
        pool_op_kernel_sizes: vec![vec![2; 3]; work.pools],
        conv_kernel_sizes: vec![vec![3; 3]; work.pools + 1],
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    };
    let mut store = ParameterStore::new(Device::Cpu);
    let network = GenericUnet::default().build(&mut store, &spec).unwrap();
    let context = TrainerContext { configuration: String::new(), plans: Plans::default(), stage: 0 };
    let trainer = nnunet_trainers::resolve("root", &context, &|_| Ok(Box::new(Root))).unwrap();
    Engine {
        optimizer: optimizer(&trainer.blueprint, &store).unwrap(),
        schedules: Schedules::built_in(&trainer.blueprint).unwrap(),
        loss: Box::new(DiceCe::new(DiceCeConfig::default())),
        head: None,
        metrics: MeasuredMetrics::default(),
        kind,
        scaler: None,
        num_classes: spec.num_classes,
        ignore_label: None,
        trainer,
        store,
        network,
        cases: Cases::default(),
        sampler: SharedSampler::named("v1").unwrap(),
        networks: SecondNetworks::default(),
        epoch: 0,
        history: History::default(),
    }
}

fn peak_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<f64>().unwrap() / 1024.0
}
