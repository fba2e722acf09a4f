//! Starts the processes, waits for them, and ends all when one fails.

use std::ffi::OsString;
use std::net::TcpListener;
use std::process::{ExitCode, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use signal_hook::iterator::Signals;

use super::rank_process::{RankProcess, Shared};
use crate::commands::train::STOPPED;
use crate::{report, stop_signals};

/// Time that the others have to notice that a process has ended, and to say so.
const TO_NOTICE: Duration = Duration::from_secs(15);
/// Time after which processes that have not ended are killed.
const TO_END: Duration = Duration::from_secs(25);
/// Time between two looks at the processes.
const PAUSE: Duration = Duration::from_millis(50);

/// A training to be started as several processes.
pub(super) struct Launch {
    /// Its command line.
    pub(super) words: Vec<OsString>,
    pub(super) size: usize,
    pub(super) restarts: usize,
}

/// How the processes of an attempt have ended.
enum Ended {
    Well,
    /// The user has stopped them.
    Stopped,
    /// One has failed first.
    Failed {
        rank: usize,
        status: ExitStatus,
    },
}

impl Launch {
    /// # Errors
    /// Returns an error that names the process that failed first in the last attempt.
    pub(super) fn run(&self) -> Result<ExitCode> {
        let mut signals = Signals::new(stop_signals()).context("cannot wait for signals")?;
        for attempt in 0.. {
            match self.attempt(attempt, &mut signals)? {
                Ended::Well => return Ok(ExitCode::SUCCESS),
                Ended::Stopped => return Ok(ExitCode::from(STOPPED)),
                Ended::Failed { rank, status } if attempt >= self.restarts => {
                    bail!("rank {rank} of {} has ended with {status}", self.size)
                }
                Ended::Failed { rank, status } => report::line(&format!(
                    "rank {rank} has ended with {status}; starting all again ({} of {})",
                    attempt + 1,
                    self.restarts
                )),
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn attempt(&self, attempt: usize, signals: &mut Signals) -> Result<Ended> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let shared = Shared {
            words: self.words.clone(),
            size: self.size,
            port: free_port()?,
            attempt,
            threads: (cores / self.size).max(1),
        };
        let mut processes: Vec<RankProcess> = Vec::new();
        for rank in 0..self.size {
            match RankProcess::start(rank, &shared) {
                Ok(process) => processes.push(process),
                Err(error) => {
                    processes.iter().for_each(|process| process.send(Signal::KILL));
                    return Err(error);
                }
            }
        }
        watch(&mut processes, signals)
    }
}

/// Waits for all processes.
fn watch(processes: &mut [RankProcess], signals: &mut Signals) -> Result<Ended> {
    let mut stopping = false;
    let mut failed: Option<(usize, ExitStatus, Instant)> = None;
    let mut asked = false;
    loop {
        for _ in signals.pending() {
            stopping = true;
            processes.iter().for_each(|process| process.send(Signal::TERM));
        }
        for process in &mut *processes {
            process.look()?;
            let status = process.ended.filter(|status| !status.success() && failed.is_none());
            if let Some(status) = status.filter(|status| status.code() != Some(i32::from(STOPPED))) {
                failed = Some((process.rank, status, Instant::now()));
            }
        }
        if processes.iter().all(|process| process.ended.is_some()) {
            break;
        }
        if let Some((_, _, since)) = failed {
            if since.elapsed() > TO_END {
                processes.iter().for_each(|process| process.send(Signal::KILL));
            } else if since.elapsed() > TO_NOTICE && !asked {
                asked = true;
                processes.iter().for_each(|process| process.send(Signal::TERM));
            }
        }
        thread::sleep(PAUSE);
    }
    let is_stopped =
        |process: &RankProcess| process.ended.is_some_and(|status| status.code() == Some(i32::from(STOPPED)));
    Ok(match failed {
        Some((rank, status, _)) if !stopping => Ended::Failed { rank, status },
        _ if stopping || processes.iter().any(is_stopped) => Ended::Stopped,
        _ => Ended::Well,
    })
}

/// A port of this machine that nobody uses.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    Ok(listener.local_addr().context("no port is free")?.port())
}
