//! The command line, and every command that needs no tensors. It does not link libtorch; commands that need it are
//! handed to the sibling program.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use nnunet_cli::commands::device::DeviceChoice;
use nnunet_cli::commands::{doctor, predict, train, train_v2, trainers};
use nnunet_cli::doctor::Libtorch;
use nnunet_cli::{GlobalOptions, TensorCommands, process_arguments};
use nnunet_engine::component_set::{ComponentSet, WITHOUT_TENSORS};
use nnunet_engine::session::Session;
use nnunet_libtorch::{LIBRARY_PATH, Search, library_path};
use nnunet_plugin_core::vocabulary::Blueprint;

/// Volumes come and go; memory that stays with the program need not be cleared by the system each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIBLING: &str = "nnunet-torch";

/// Where glibc's malloc takes its settings from; a user's own have precedence.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// libtorch takes and gives back a tensor's memory all the time. Without this every large tensor is a mapping of its
/// own, whose pages the system clears anew. Up to 512 MB at the end of the heap are kept.
const HEAP: &str = "glibc.malloc.mmap_threshold=8589934592:glibc.malloc.trim_threshold=536870912";

/// The heap in huge pages, where the system has them for those who ask: libtorch's tables of operators are some 50 MB at
/// every start. Not for trainings, where the heaps of many threads would be in huge pages too.
const HUGE_PAGES: &str = "glibc.malloc.hugetlb=1";

fn main() -> ExitCode {
    nnunet_cli::main(&HandOver)
}

/// Hands commands that need tensors to the sibling program.
struct HandOver;

impl TensorCommands for HandOver {
    fn component_set(&self) -> ComponentSet {
        WITHOUT_TENSORS
    }

    fn train(&self, _args: &train::Args, _options: &GlobalOptions) -> Result<ExitCode> {
        hand_over_with(HEAP)
    }

    fn train_v2(&self, _args: &train_v2::Args, _options: &GlobalOptions) -> Result<ExitCode> {
        hand_over_with(HEAP)
    }

    fn predict(&self, _args: &predict::Args, _options: &GlobalOptions) -> Result<ExitCode> {
        hand_over()
    }

    fn trainers(&self, _args: &trainers::Args, _options: &GlobalOptions) -> Result<ExitCode> {
        hand_over()
    }

    fn trainer_settings(&self, _name: &str, _session: &Session) -> Result<Blueprint> {
        hand_over()
    }

    fn check_plugin(&self, _file: &Path) -> Result<ExitCode> {
        hand_over()
    }

    fn libtorch(&self, device: DeviceChoice) -> Result<Libtorch> {
        doctor::ask(&mut start()?, device)
    }
}

fn sibling() -> Result<PathBuf> {
    Ok(std::env::current_exe().context("cannot find this program's own path")?.with_file_name(SIBLING))
}

/// The sibling program, ready to be started with a libtorch.
fn start() -> Result<Command> {
    let sibling = sibling()?;
    let mut command = Command::new(&sibling);
    match library_path(&sibling) {
        Some(folders) => command.env(LIBRARY_PATH, folders),
        None => bail!("{}", Search::of_program(&sibling)),
    };
    Ok(command)
}

fn hand_over<T>() -> Result<T> {
    hand_over_with(&format!("{HEAP}:{HUGE_PAGES}"))
}

/// Replaces this process by the sibling program with the same arguments, and these settings of malloc; returns only if that
/// fails.
fn hand_over_with<T>(heap: &str) -> Result<T> {
    let mut command = start()?;
    command.args(process_arguments().into_iter().skip(1));
    if std::env::var_os(TUNABLES).is_none() {
        command.env(TUNABLES, heap);
    }
    let error = command.exec();
    let sibling = Path::new(command.get_program()).display();
    Err(error).with_context(|| format!("cannot start {sibling}; it is installed beside nnunet"))
}
