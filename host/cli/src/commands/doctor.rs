//! `doctor`: checks this machine: libtorch, GPUs, memory, folders and plugins.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use nnunet_data::folders::{Folders, HOW_TO_SET};
use nnunet_data::memory;
use serde::Serialize;

use super::device::DeviceChoice;
use crate::commands::TensorCommands;
use crate::doctor::{Driver, Libtorch, Machine, driver, free_space};
use crate::global_options::GlobalOptions;
use crate::report;

/// v2's folders.
const V2_FOLDERS: [&str; 3] = ["nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"];
/// Fewer open files than this are too few for many cases at a time.
const FEW_FILES: u64 = 1024;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Device that networks are to run on: auto, cpu, cuda or cuda:N. The command fails if it cannot be used.
    #[arg(long, default_value_t, value_name = "DEVICE")]
    device: DeviceChoice,
    /// Describe libtorch only, as JSON; for the program without tensors.
    #[arg(long = "libtorch_only", hide = true)]
    libtorch_only: bool,
}

/// All findings.
#[derive(Serialize)]
struct Findings {
    version: &'static str,
    libtorch: Option<Libtorch>,
    driver: Option<Driver>,
    machine: Machine,
    folders: Vec<Folder>,
    plugins: Vec<Plugin>,
    /// Problems with what was asked for.
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Folder {
    /// The variable that names it.
    name: &'static str,
    path: Option<PathBuf>,
    free_bytes: Option<u64>,
    is_writable: bool,
}

#[derive(Serialize)]
struct Plugin {
    path: PathBuf,
    name: Option<String>,
    version: Option<String>,
    /// `active`, or why it is not used.
    state: String,
}

/// Runs the command.
///
/// # Errors
/// Returns an error if the results cannot be printed.
pub(crate) fn run(args: &Args, options: &GlobalOptions, tensors: &impl TensorCommands) -> Result<ExitCode> {
    if args.libtorch_only {
        report::result(&serde_json::to_string(&tensors.libtorch(args.device)?)?);
        return Ok(ExitCode::SUCCESS);
    }
    let findings = examine(args, options, tensors);
    if report::is_json() {
        report::event("doctor", &serde_json::to_value(&findings)?);
    } else {
        findings.lines().iter().for_each(|line| report::result(line));
    }
    Ok(if findings.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn examine(args: &Args, options: &GlobalOptions, tensors: &impl TensorCommands) -> Findings {
    let mut problems = Vec::new();
    let libtorch = tensors.libtorch(args.device).map_err(|error| problems.push(format!("{error:#}"))).ok();
    if let Some(libtorch) = libtorch.as_ref().filter(|libtorch| libtorch.device.is_none()) {
        problems.extend(libtorch.error.clone());
    }
    let folders = folders(&options.folders());
    let unusable = |folder: &&Folder| folder.path.is_some() && !folder.is_writable;
    problems.extend(folders.iter().filter(unusable).map(|folder| {
        let path = folder.path.as_deref().unwrap_or(Path::new(""));
        format!("{}: the folder {} is missing or cannot be written", folder.name, path.display())
    }));
    let plugins = plugins(options, tensors, &mut problems);
    let driver = driver::find().ok();
    Findings {
        version: env!("CARGO_PKG_VERSION"),
        libtorch,
        driver,
        machine: Machine::of_this_process(),
        folders,
        plugins,
        problems,
    }
}

fn folders(own: &Folders) -> Vec<Folder> {
    let above = |path: Result<PathBuf>| path.ok().and_then(|path| Some(path.parent()?.to_owned()));
    let v1 = [
        ("nnUNet_raw_data_base", above(own.raw())),
        ("nnUNet_preprocessed", own.preprocessed().ok()),
        ("RESULTS_FOLDER", above(own.results())),
    ];
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let v2 = V2_FOLDERS.map(|name| (name, variable(name)));
    let second = v2.into_iter().filter(|(name, path)| path.is_some() && *name != "nnUNet_preprocessed");
    v1.into_iter().chain(second).map(|(name, path)| Folder::new(name, path)).collect()
}

impl Folder {
    fn new(name: &'static str, path: Option<PathBuf>) -> Self {
        let free_bytes = path.as_deref().and_then(free_space);
        let is_writable = path.as_deref().is_some_and(|path| tempfile::tempfile_in(path).is_ok());
        Self { name, path, free_bytes, is_writable }
    }
}

fn plugins(
    options: &GlobalOptions,
    tensors: &impl TensorCommands,
    problems: &mut Vec<String>,
) -> Vec<Plugin> {
    match options.session(tensors.component_set()) {
        Ok(session) => {
            let active = session.plugins.iter().map(|plugin| Plugin {
                path: plugin.path.clone(),
                name: Some(plugin.about.name.clone()),
                version: Some(plugin.about.version.clone()),
                state: "active".to_owned(),
            });
            let rejected = session.rejected.iter().map(|plugin| Plugin {
                path: plugin.path.clone(),
                name: None,
                version: None,
                state: format!("{}: {:#}", plugin.status, plugin.error),
            });
            active.chain(rejected).collect()
        }
        Err(error) => {
            problems.push(format!("{error:#}"));
            Vec::new()
        }
    }
}

impl Findings {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("nnunet {}", self.version)];
        lines.extend(self.libtorch.iter().flat_map(libtorch_lines));
        lines.extend(self.gpu_lines());
        lines.extend(self.machine_lines());
        lines.extend(self.folders.iter().map(folder_line));
        if self.folders.iter().any(|folder| folder.path.is_none()) {
            lines.push(format!("folders that are not set: {HOW_TO_SET}"));
        }
        lines.extend(self.plugins.iter().map(|plugin| {
            format!("plugin: {} ({})", plugin.name.as_deref().unwrap_or("?"), plugin.path.display())
                + &format!(", {}", plugin.state)
        }));
        lines.extend(self.problems.iter().map(|problem| format!("PROBLEM: {problem}")));
        lines
    }

    fn gpu_lines(&self) -> Vec<String> {
        let Some(driver) = &self.driver else { return vec!["GPUs: no NVIDIA driver".to_owned()] };
        let own = driver.version.as_deref().unwrap_or("of unknown version");
        let (major, minor) = driver.cuda;
        let gpus =
            driver.gpus.iter().enumerate().map(|(index, gpu)| {
                format!("GPU: cuda:{index} {}, {}", gpu.name, memory::readable(gpu.memory))
            });
        std::iter::once(format!("driver: {own}, CUDA up to {major}.{minor}")).chain(gpus).collect()
    }

    fn machine_lines(&self) -> Vec<String> {
        let machine = &self.machine;
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), memory::readable);
        let quota = machine.processor_quota.map(|quota| format!(", quota of the control group {quota:.1}"));
        let limit = machine
            .memory_limit
            .map(|limit| format!(", limit of the control group {}", memory::readable(limit)));
        let [soft, hard] =
            machine.open_files.map(|files| files.map_or("unlimited".to_owned(), |n| n.to_string()));
        let few = machine.open_files[0].is_some_and(|files| files < FEW_FILES);
        vec![
            format!(
                "processor: {} ({}); bf16 is {}",
                machine.processor.as_deref().unwrap_or("unknown"),
                machine.vectors.join(" "),
                if machine.native_bf16 { "native" } else { "emulated" }
            ),
            format!(
                "threads: {} of {} processors{}",
                machine.threads,
                machine.processors,
                quota.unwrap_or_default()
            ),
            format!(
                "memory: {} available of {}{}; {} are used by default",
                bytes(machine.memory_available),
                bytes(machine.memory),
                limit.unwrap_or_default(),
                memory::readable(memory::default_budget())
            ),
            format!("shared memory: {} free", bytes(machine.shared_memory)),
            format!(
                "open files: {soft}, at most {hard}{}",
                if few { "; raise it with ulimit -n" } else { "" }
            ),
        ]
    }
}

fn libtorch_lines(libtorch: &Libtorch) -> Vec<String> {
    let cuda = &libtorch.cuda;
    let version = cuda.version.as_deref().unwrap_or("of unknown version");
    let state = match (&cuda.error, &cuda.cudnn) {
        (Some(error), _) => {
            format!("is not loaded: {error}; {}", cuda.remedy.as_deref().unwrap_or_default())
        }
        (None, Some(cudnn)) => format!("{version} is loaded, with cuDNN {cudnn}"),
        (None, None) => "is loaded".to_owned(),
    };
    let place = libtorch.folder.as_ref().map(|folder| format!(" in {}", folder.display()));
    let device = match (&libtorch.device, &libtorch.error) {
        (Some(device), Some(why)) => format!("{device}; no GPU is used: {why}"),
        (Some(device), None) => device.clone(),
        (None, _) => "none".to_owned(),
    };
    vec![
        format!(
            "libtorch: {}{}; {} threads, {} oneDNN",
            libtorch.version.as_deref().unwrap_or("of unknown version"),
            place.unwrap_or_default(),
            libtorch.threads,
            if libtorch.onednn { "with" } else { "without" }
        ),
        format!("CUDA: libtorch_cuda {state}"),
        format!(
            "training with several processes: {}",
            libtorch.distributed.as_deref().unwrap_or("not in this build, which trains in one process")
        ),
        format!("device: {device}"),
    ]
}

fn folder_line(folder: &Folder) -> String {
    let Some(path) = &folder.path else { return format!("{}: not set", folder.name) };
    let free = folder.free_bytes.map(|bytes| format!(", {} free", memory::readable(bytes)));
    let state = if folder.is_writable { "" } else { ", missing or not writable" };
    format!("{}: {}{}{state}", folder.name, path.display(), free.unwrap_or_default())
}

/// Asks the program with tensors for its libtorch.
///
/// # Errors
/// Returns an error if the program is missing or does not start.
pub fn ask(command: &mut Command, device: DeviceChoice) -> Result<Libtorch> {
    let device = device.to_string();
    let program = PathBuf::from(command.get_program());
    let output = command
        .args(["doctor", "--libtorch_only", "--device", &device])
        .output()
        .with_context(|| format!("cannot start {}; it is installed beside nnunet", program.display()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("{} does not start: {}", program.display(), text.trim().trim_start_matches("error: "));
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{} gave no answer", program.display()))
}
