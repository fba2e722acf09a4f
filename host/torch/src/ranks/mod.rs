//! A training as one of several processes: how they find each other, and what is said when one of them ends.

mod environment;
mod gpus;

use std::net::UdpSocket;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nnunet_cli::commands::device::DeviceChoice;
use nnunet_cli::report;
use nnunet_torch_ops::ranks::{self, Meeting, Ranks};

pub(crate) use self::environment::is_restarted;
use self::environment::{Place, place};
use crate::devices;

/// Longest time that an operation of libtorch's c10d waits for other processes; as in PyTorch.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Longest time that processes wait for the first one to prepare files.
const PREPARATION: Duration = Duration::from_secs(24 * 60 * 60);
/// Time in which a process that fails says why.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Runs a training. Where a launcher has started several processes for it, they join; if `alone`, the first one works alone.
///
/// # Errors
/// Returns an error if the processes do not find each other or were started with different arguments, or the error of the
/// training, which names the process that ended first.
pub(crate) fn run(
    choice: DeviceChoice,
    alone: bool,
    work: impl FnOnce(DeviceChoice) -> Result<ExitCode>,
) -> Result<ExitCode> {
    let Some(place) = place(&|name| std::env::var(name).ok())? else { return work(choice) };
    if alone {
        return if place.rank == 0 { work(choice) } else { Ok(ExitCode::SUCCESS) };
    }
    let ranks = join(&place)?;
    let trained = || {
        check_arguments(ranks)?;
        let choice = gpus::of_rank(choice, devices::gpu_count, place.local_rank);
        gpus::connect(ranks, choice)?;
        work(choice)
    };
    trained().map_err(|error| explained(ranks, error))
}

/// The processes that train together with this one.
pub(crate) fn current() -> Option<&'static Ranks> {
    ranks::current()
}

/// Whether this process writes the files.
pub(crate) fn is_first() -> bool {
    current().is_none_or(Ranks::is_first)
}

/// Runs work that writes files which all processes then find: in the first one, then in the others.
pub(crate) fn first<T>(step: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(ranks) = current() else { return work() };
    let key = format!("done/{step}");
    if ranks.is_first() {
        let result = work()?;
        ranks.note(&key, "")?;
        return Ok(result);
    }
    ranks.noted(&key, PREPARATION)?;
    work()
}

fn join(place: &Place) -> Result<&'static Ranks> {
    let Place { rank, size, host, port, .. } = place;
    report::line(&format!("rank {rank} of {size}; they meet at {host}:{port}"));
    let meeting = Meeting {
        rank: *rank,
        size: *size,
        host: host.clone(),
        port: *port,
        serves: place.serves,
        prefix: format!("nnunet/attempt_{}", place.attempt),
        address: own_address(host, *port)?,
        timeout: TIMEOUT,
    };
    ranks::join(&meeting)
        .with_context(|| format!("rank {rank} of {size} cannot join the others at {host}:{port}"))
}

/// The address from which this machine reaches the first one: the others reach it there.
fn own_address(host: &str, port: u16) -> Result<String> {
    let found = ["0.0.0.0:0", "[::]:0"].into_iter().find_map(|any| {
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect((host, port)).ok()?;
        Some(socket.local_addr().ok()?.ip().to_string())
    });
    found.with_context(|| format!("the host {host} (MASTER_ADDR) has no address that can be reached"))
}

/// Processes with different arguments would wait for each other for ever.
fn check_arguments(ranks: &Ranks) -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--local")).collect();
    let all = ranks.gather(words.join(" ").as_bytes())?;
    let Some(other) = all.iter().position(|words| *words != all[0]) else { return Ok(()) };
    let [first, other_words] = [0, other].map(|rank| String::from_utf8_lossy(&all[rank]));
    bail!(
        "rank {other} was started with `{other_words}`, and rank 0 with `{first}`; trainings that do not belong together need \
         WORLD_SIZE=1"
    )
}

/// What libtorch says when another process is gone.
const LOST: [&str; 5] = ["Connection", "gloo", "recvValue", "sendBytes", "Broken pipe"];

/// The error of a process, for the others too; where it follows from the end of another process, the error names that one.
fn explained(ranks: &Ranks, error: anyhow::Error) -> anyhow::Error {
    let text = format!("{error:#}");
    let is_lost = LOST.iter().any(|word| text.contains(word));
    let key = |rank: usize| format!("ended/{rank}");
    let noted = ranks.note(&key(ranks.rank()), if is_lost { "" } else { &text });
    if !is_lost {
        // The others ask the first process, if it has the store, what has happened.
        if ranks.is_first() {
            std::thread::sleep(LAST_WORDS);
        }
        return error.context(format!("rank {}", ranks.rank()));
    }
    if noted.is_err() {
        return anyhow!("rank 0 has ended, and with it the training ({text})");
    }
    let others = (0..ranks.size()).filter(|rank| *rank != ranks.rank());
    let found: Vec<String> = others
        .filter_map(|rank| match ranks.noted(&key(rank), LAST_WORDS) {
            Ok(why) if why.is_empty() => None,
            Ok(why) => Some(format!("rank {rank} has failed: {why}")),
            Err(_) => Some(format!("rank {rank} has ended without a message")),
        })
        .collect();
    if ranks.is_first() {
        std::thread::sleep(LAST_WORDS);
    }
    anyhow!(
        "{} ({text})",
        if found.is_empty() { "a connection was lost".to_owned() } else { found.join("; ") }
    )
}
