//! One of the processes, whose lines are shown with its number before them.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::report;

/// What all processes of an attempt have in common.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) words: Vec<OsString>,
    pub(super) size: usize,
    /// Where the processes meet.
    pub(super) port: u16,
    /// How often they have been started before.
    pub(super) attempt: usize,
    /// Threads of each, unless the user has chosen.
    pub(super) threads: usize,
}

/// A process.
pub(super) struct RankProcess {
    pub(super) rank: usize,
    child: Child,
    readers: Vec<JoinHandle<()>>,
    /// How it has ended, once it has.
    pub(super) ended: Option<ExitStatus>,
}

impl RankProcess {
    /// # Errors
    /// Returns an error if the process cannot be started.
    pub(super) fn start(rank: usize, shared: &Shared) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("this program's own path")?);
        if let Some(name) = std::env::args_os().next() {
            // Commands may be called by the name of a link.
            command.arg0(name);
        }
        command.args(&shared.words);
        let (local, size) = (rank.to_string(), shared.size.to_string());
        command.env("RANK", &local).env("LOCAL_RANK", &local);
        command.env("WORLD_SIZE", &size).env("LOCAL_WORLD_SIZE", &size);
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", shared.port.to_string());
        command.env("TORCHELASTIC_RESTART_COUNT", shared.attempt.to_string());
        command.env_remove("TORCHELASTIC_USE_AGENT_STORE");
        if std::env::var_os("OMP_NUM_THREADS").is_none() {
            command.env("OMP_NUM_THREADS", shared.threads.to_string());
        }
        // Ctrl-C on a terminal goes to the launcher alone, which passes it on.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start rank {rank}"))?;
        let outputs: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|output| Box::new(output) as Box<dyn Read + Send>),
            child.stderr.take().map(|output| Box::new(output) as Box<dyn Read + Send>),
        ];
        let readers = outputs.into_iter().flatten().map(|output| thread::spawn(move || show(rank, output)));
        Ok(Self { rank, readers: readers.collect(), child, ended: None })
    }

    /// Looks whether the process has ended.
    ///
    /// # Errors
    /// Returns an error of the system.
    pub(super) fn look(&mut self) -> Result<()> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().context("cannot wait for a process")?;
            if self.ended.is_some() {
                self.readers.drain(..).for_each(|reader| drop(reader.join()));
            }
        }
        Ok(())
    }

    pub(super) fn send(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.ended.is_none()) {
            // A process that has ended meanwhile needs no signal.
            let _ = kill_process(pid, signal);
        }
    }
}

fn show(rank: usize, output: impl Read) {
    for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
        if !report::pass_on(&line, "rank", rank) {
            report::line(&format!("[{rank}] {line}"));
        }
    }
}
