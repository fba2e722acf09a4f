//! A job as a process of its own, whose events are read.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

/// What a job is started with.
#[derive(Debug, Clone)]
pub(super) struct Start {
    /// Index of the job.
    pub(super) job: usize,
    pub(super) words: Vec<String>,
    pub(super) log: PathBuf,
    /// Threads of libtorch, where not all.
    pub(super) threads: Option<usize>,
}

/// What a job reports.
#[derive(Debug)]
pub(super) enum Message {
    /// An earlier `train_all` was killed, and this job of it still runs.
    RunsAlready(usize),
    /// The process runs under this number.
    Started(usize, u32),
    /// A line of `--json`.
    Event(usize, Value),
    /// The process has ended.
    Ended(usize, Result<()>),
    /// The user asks to stop.
    Stop,
}

/// Starts a job in a thread, which sends messages until the job has ended.
///
/// # Errors
/// Returns an error if the thread cannot be started.
pub(super) fn start(start: Start, messages: Sender<Message>) -> Result<()> {
    let run = move || {
        let job = start.job;
        let ended = run(start, &messages);
        let _ = messages.send(Message::Ended(job, ended));
    };
    thread::Builder::new().name("job".to_owned()).spawn(run).context("cannot start a thread")?;
    Ok(())
}

fn run(start: Start, messages: &Sender<Message>) -> Result<()> {
    let Start { job, words, log, threads } = start;
    let mut errors = locked(&log.with_extension("errors"), || {
        let _ = messages.send(Message::RunsAlready(job));
    })?;
    errors.set_len(0).context("cannot empty the file of errors")?;
    let mut command = Command::new(std::env::current_exe().context("this program's own path")?);
    command.args(["--json", "--log_file"]).arg(&log).args(words);
    if let Some(threads) = threads {
        command.env("OMP_NUM_THREADS", threads.to_string());
    }
    // Ctrl-C on a terminal goes to this process alone, which passes it on. The process keeps the lock while it runs, also
    // when this one is killed.
    let of_its_own = errors.try_clone().context("cannot open the file of errors")?;
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(of_its_own);
    let mut child = command.spawn().context("cannot start a training")?;
    let _ = messages.send(Message::Started(job, child.id()));
    if let Some(output) = child.stdout.take() {
        pass_on(output, job, messages);
    }
    outcome(&mut child, &mut errors, &log)
}

/// Opens a file and waits until no other process has it locked.
fn locked(path: &Path, waits: impl FnOnce()) -> Result<File> {
    let place = || path.display().to_string();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .append(true)
        .open(path)
        .with_context(place)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            waits();
            file.lock().with_context(place)?;
        }
        // Some network file systems have no locks.
        Err(TryLockError::Error(error)) => tracing::warn!("{} cannot be locked: {error}", path.display()),
    }
    Ok(file)
}

fn pass_on(output: ChildStdout, job: usize, messages: &Sender<Message>) {
    for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
        if let Ok(event) = serde_json::from_str(&line) {
            let _ = messages.send(Message::Event(job, event));
        }
    }
}

/// Waits for the end of the process; its last error, if it failed.
fn outcome(child: &mut Child, errors: &mut File, log: &Path) -> Result<()> {
    let status = child.wait().context("cannot wait for a training")?;
    if status.success() {
        return Ok(());
    }
    let mut text = String::new();
    errors.rewind().and_then(|()| errors.read_to_string(&mut text)).context("cannot read the errors")?;
    let events = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let error = events.into_iter().find(|event| event["event"] == "error");
    match error.as_ref().and_then(|event| event["text"].as_str()) {
        Some(text) => Err(anyhow!("{text}")),
        None => bail!("ended with {status}; see {}", log.display()),
    }
}
