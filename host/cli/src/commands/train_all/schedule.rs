//! Runs the jobs: each as soon as a device is free and those it depends on are done.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use nnunet_data::folders;
use nnunet_data::models::{has_checkpoint, is_unfinished};
use nnunet_formats::atomic;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use signal_hook::iterator::Signals;

use super::request::Request;
use super::training_process::{self, Message, Start};
use crate::commands::device::DeviceChoice;
use crate::commands::train::STOPPED;
use crate::global_options::GlobalOptions;
use crate::{report, stop_signals};

/// A job.
struct Job {
    /// For people, and for the names of its files.
    name: String,
    /// What runs it, without device.
    words: Vec<String>,
    /// Its fold; none of the search for the best configuration.
    fold: Option<PathBuf>,
    /// Jobs that must be done before.
    after: Vec<usize>,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
    Failed(String),
}

/// A job that runs.
struct Running {
    device: DeviceChoice,
    begun: Instant,
    /// Its process, once there is one.
    process: Option<u32>,
    bar: ProgressBar,
}

/// Runs all jobs.
///
/// # Errors
/// Returns an error that names the jobs that failed.
pub(super) fn run(request: &Request, devices: &[DeviceChoice], options: &GlobalOptions) -> Result<ExitCode> {
    folders::create(&request.records)?;
    if let Some(why) = &request.no_comparison {
        report::line(why);
    }
    let (messages, arriving) = channel();
    listen(messages.clone())?;
    let mut schedule = Schedule {
        request,
        options: options.to_words(),
        jobs: jobs(request),
        free: devices.to_vec(),
        threads: threads(devices),
        running: BTreeMap::new(),
        messages,
        stopping: false,
    };
    schedule.skip_finished();
    schedule.work(&arriving)?;
    schedule.end()
}

/// All trainings, and the search for the best configuration after them.
fn jobs(request: &Request) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut of_configuration: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for configuration in &request.configurations {
        let after = configuration.after.as_deref().and_then(|first| of_configuration.get(first)).cloned();
        for fold in &request.folds {
            of_configuration.entry(&configuration.name).or_default().push(jobs.len());
            jobs.push(Job {
                name: format!("{}_fold_{fold}", configuration.name),
                words: request.train(configuration, fold),
                fold: Some(Request::fold_folder(configuration, request.version, fold)),
                after: after.clone().unwrap_or_default(),
                state: State::Waiting,
            });
        }
    }
    if let Some(words) = request.find_best() {
        let after = (0..jobs.len()).collect();
        jobs.push(Job {
            name: "find_best_configuration".to_owned(),
            words,
            fold: None,
            after,
            state: State::Waiting,
        });
    }
    jobs
}

/// Passes on the signals that ask to stop.
fn listen(messages: Sender<Message>) -> Result<()> {
    let mut signals = Signals::new(stop_signals()).context("cannot wait for signals")?;
    let wait = move || {
        for _ in signals.forever() {
            let _ = messages.send(Message::Stop);
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).context("cannot wait for signals")?;
    Ok(())
}

/// Threads of each training where several share the processor; the user's own choice has precedence.
fn threads(devices: &[DeviceChoice]) -> Option<usize> {
    let is_chosen = std::env::var_os("OMP_NUM_THREADS").is_some();
    let all = thread::available_parallelism().map_or(1, usize::from);
    (devices.len() > 1 && !is_chosen).then(|| (all / devices.len()).max(1))
}

struct Schedule<'a> {
    request: &'a Request,
    /// Options of the program for every job.
    options: Vec<String>,
    jobs: Vec<Job>,
    /// Devices that nothing runs on.
    free: Vec<DeviceChoice>,
    threads: Option<usize>,
    running: BTreeMap<usize, Running>,
    messages: Sender<Message>,
    stopping: bool,
}

impl Schedule<'_> {
    /// Trainings that an earlier run has finished with the same arguments, and that nobody has begun anew since.
    fn skip_finished(&mut self) {
        for index in 0..self.jobs.len() {
            let job = &self.jobs[index];
            let recorded = std::fs::read_to_string(self.record(job)).is_ok_and(|text| text == record_of(job));
            if recorded && job.fold.as_deref().is_some_and(|fold| !is_unfinished(fold)) {
                self.jobs[index].state = State::Done;
                self.say(index, "skipped", "was finished by an earlier run", &json!({}));
            }
        }
    }

    /// The file that says that a job is done.
    fn record(&self, job: &Job) -> PathBuf {
        self.request.records.join(format!("{}.done", job.name))
    }

    fn log(&self, job: &Job) -> PathBuf {
        self.request.records.join(format!("{}.log", job.name))
    }

    fn work(&mut self, arriving: &Receiver<Message>) -> Result<()> {
        loop {
            self.start_jobs()?;
            let waits_only = self.stopping && self.running.values().all(|running| running.process.is_none());
            if self.running.is_empty() || waits_only {
                return Ok(());
            }
            let message = arriving.recv().context("no job is left that could report")?;
            self.receive(message)?;
        }
    }

    fn start_jobs(&mut self) -> Result<()> {
        while let (false, Some(index), Some(device)) = (self.stopping, self.next(), self.free.last().copied())
        {
            self.free.pop();
            self.start(index, device)?;
        }
        Ok(())
    }

    /// The first job that can be started.
    fn next(&self) -> Option<usize> {
        let is_done = |index: &usize| self.jobs[*index].state == State::Done;
        self.jobs.iter().position(|job| job.state == State::Waiting && job.after.iter().all(is_done))
    }

    fn start(&mut self, index: usize, device: DeviceChoice) -> Result<()> {
        let job = &self.jobs[index];
        let mut words = [self.options.clone(), job.words.clone()].concat();
        if let Some(fold) = &job.fold {
            words.extend(["--device".to_owned(), device.to_string()]);
            if has_checkpoint(fold) {
                words.push(self.request.continue_flag().to_owned());
            }
        }
        let start = Start { job: index, words, log: self.log(job), threads: self.threads };
        training_process::start(start, self.messages.clone())?;
        self.jobs[index].state = State::Running;
        let bar = ProgressBar::hidden();
        self.running.insert(index, Running { device, begun: Instant::now(), process: None, bar });
        let (device, log) = (device.to_string(), self.log(&self.jobs[index]));
        self.say(index, "running", &format!("runs on {device}"), &json!({ "device": device, "log": log }));
        Ok(())
    }

    fn receive(&mut self, message: Message) -> Result<()> {
        match message {
            Message::RunsAlready(job) => {
                let text = "an earlier train_all was killed, and its process still runs: waiting for its end";
                report::line(&format!("{}: {text}", self.jobs[job].name));
            }
            Message::Started(job, process) => {
                if let Some(running) = self.running.get_mut(&job) {
                    running.process = Some(process);
                }
                if self.stopping {
                    ask_to_stop(process);
                }
            }
            Message::Event(job, event) => self.show(job, &event),
            Message::Ended(job, outcome) => self.ended(job, outcome)?,
            Message::Stop => self.stop(),
        }
        Ok(())
    }

    /// What a training reports.
    fn show(&mut self, index: usize, event: &Value) {
        let name = &self.jobs[index].name;
        let Some(running) = self.running.get_mut(&index) else { return };
        if event["event"] == "training" {
            let epochs = event["epochs"].as_u64().and_then(|epochs| usize::try_from(epochs).ok());
            running.bar = report::bar(epochs.unwrap_or(0), name);
            running.bar.set_position(event["first_epoch"].as_u64().unwrap_or(0));
        } else if event["event"] == "epoch" {
            running.bar.inc(1);
            let metric = event["metric"].as_f64();
            running.bar.set_message(metric.map(|dice| format!("Dice {dice:.3}")).unwrap_or_default());
            let fields = json!({ "job": name, "epoch": event["epoch"], "metric": event["metric"] });
            report::event("job_epoch", &fields);
        }
    }

    fn ended(&mut self, index: usize, outcome: Result<()>) -> Result<()> {
        let Some(running) = self.running.remove(&index) else { return Ok(()) };
        running.bar.finish_and_clear();
        self.free.push(running.device);
        let seconds = running.begun.elapsed().as_secs_f64();
        let job = &self.jobs[index];
        let (state, text, fields) = match outcome {
            Ok(()) => {
                atomic::write_bytes(&self.record(job), record_of(job).as_bytes())?;
                (State::Done, format!("done after {seconds:.0} s"), json!({ "seconds": seconds }))
            }
            Err(error) => {
                let error = format!("{error:#}");
                let (text, fields) =
                    (format!("failed: {error}"), json!({ "seconds": seconds, "error": &error }));
                (State::Failed(error), text, fields)
            }
        };
        let word = if state == State::Done { "done" } else { "failed" };
        self.jobs[index].state = state;
        self.say(index, word, &text, &fields);
        Ok(())
    }

    /// The first time trainings write checkpoints and end; they end at once when they are asked again.
    fn stop(&mut self) {
        if !self.stopping {
            report::line("stopping: trainings end after this step; interrupt again to stop immediately");
        }
        self.stopping = true;
        self.running.values().filter_map(|running| running.process).for_each(ask_to_stop);
    }

    fn say(&self, index: usize, state: &str, text: &str, fields: &Value) {
        let name = &self.jobs[index].name;
        report::line(&format!("{name} {text}"));
        let mut all = json!({ "job": name, "state": state });
        if let (Some(all), Some(fields)) = (all.as_object_mut(), fields.as_object()) {
            all.extend(fields.clone());
        }
        report::event("job", &all);
    }

    fn end(self) -> Result<ExitCode> {
        let done = self.jobs.iter().filter(|job| job.state == State::Done).count();
        if self.stopping {
            report::line(&format!(
                "stopped: {done} of {} jobs are done; run it again to go on",
                self.jobs.len()
            ));
            return Ok(ExitCode::from(STOPPED));
        }
        let failed: Vec<String> = self.jobs.iter().filter_map(described_failure).collect();
        if failed.is_empty() {
            report::line(&format!(
                "all {done} jobs are done; logs are in {}",
                self.request.records.display()
            ));
            return Ok(ExitCode::SUCCESS);
        }
        let waiting = self.jobs.iter().filter(|job| job.state == State::Waiting).count();
        let rest = if waiting > 0 {
            format!("\n{waiting} jobs depend on them and were not run")
        } else {
            String::new()
        };
        let (count, all) = (failed.len(), self.jobs.len());
        bail!(
            "{count} of {all} jobs failed; logs are in {}:\n{}{rest}",
            self.request.records.display(),
            failed.join("\n")
        )
    }
}

fn described_failure(job: &Job) -> Option<String> {
    match &job.state {
        State::Failed(error) => Some(format!("  {}: {error}", job.name)),
        _ => None,
    }
}

/// What the record of a job holds: other arguments make another job.
fn record_of(job: &Job) -> String {
    format!("{}\n", job.words.join(" "))
}

fn ask_to_stop(process: u32) {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // A process that has ended meanwhile needs no signal.
        let _ = kill_process(pid, Signal::TERM);
    }
}
