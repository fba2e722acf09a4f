//! A plugin is first loaded in a child process, so that a crash, a hang or an exit in an initializer does not end this
//! one. The result is cached under the file's hash.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nnunet_formats::atomic;
use nnunet_libtorch::{LIBRARY_PATH, library_path};
use nnunet_plugin_core::abi::{ABI_MAJOR, ABI_MINOR, HandshakeError};
use serde::{Deserialize, Serialize};

use crate::loader;
use crate::plugin::{Description, program_with_tensors};
use crate::trust::OpenFile;
use crate::user_folders::cache_folder;

/// Time limit for loading.
const TIME_LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);
/// The child's plugin: its standard input.
const STDIN: &str = "/proc/self/fd/0";
/// SIGILL, SIGABRT, SIGBUS, SIGFPE and SIGSEGV.
const CRASHES: [i32; 5] = [4, 6, 7, 8, 11];

/// The result of loading a file in a child process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeResult {
    /// It can be used.
    Usable(Description),
    /// Its handshake does not fit this program.
    Incompatible(String),
    /// It cannot be loaded, for the reason given.
    Rejected(String),
    /// It crashed the process that loaded it.
    Crashes(String),
}

impl ProbeResult {
    /// Loads a file in this process, which should be a child process started for that purpose.
    #[must_use]
    pub fn here(path: &Path) -> Self {
        match loader::describe(path) {
            Ok(description) => Self::Usable(description),
            Err(error) if error.is::<HandshakeError>() => Self::Incompatible(format!("{error:#}")),
            Err(error) => Self::Rejected(format!("{error:#}")),
        }
    }

    /// The description of a usable file.
    ///
    /// # Errors
    /// Returns the status for `plugins list` and the reason if the file is not usable.
    pub fn usable(self) -> Result<Description, (&'static str, anyhow::Error)> {
        match self {
            Self::Usable(description) => Ok(description),
            Self::Incompatible(why) => Err(("incompatible", anyhow!(why))),
            Self::Rejected(why) | Self::Crashes(why) => Err(("broken", anyhow!(why))),
        }
    }

    /// Whether the same file always gives this result. It may be rejected only because a library is missing today.
    fn is_permanent(&self) -> bool {
        matches!(self, Self::Usable(_) | Self::Crashes(_))
    }
}

/// Loads a file in a child process, or takes the result from the cache.
///
/// # Errors
/// Returns an error if the child process cannot be started.
pub fn probe(open: &OpenFile) -> Result<ProbeResult> {
    let kept = cache_file(&open.sha256);
    let read = |file: &PathBuf| serde_json::from_slice(&std::fs::read(file).ok()?).ok();
    if let Some(result) = kept.as_ref().and_then(read) {
        return Ok(result);
    }
    let result = in_child(open)?;
    let Some(file) = kept.filter(|_| result.is_permanent()) else { return Ok(result) };
    let result = match result {
        ProbeResult::Crashes(why) => {
            ProbeResult::Crashes(format!("{why}; to try it again, remove {}", file.display()))
        }
        other => other,
    };
    keep(&file, &result);
    Ok(result)
}

/// Results are valid for one version of the program and its ABI.
fn cache_file(sha256: &str) -> Option<PathBuf> {
    let version = env!("CARGO_PKG_VERSION");
    Some(cache_folder()?.join(format!("probes/{version}-{ABI_MAJOR}.{ABI_MINOR}/{sha256}.json")))
}

/// Writes the cache. If this fails, the file is probed again next time.
fn keep(file: &Path, result: &ProbeResult) {
    let Some(folder) = file.parent() else { return };
    if let (Ok(()), Ok(text)) = (std::fs::create_dir_all(folder), serde_json::to_vec(result)) {
        let _ = atomic::write_bytes(file, &text);
    }
}

/// Name of the empty file beside the answer that the child makes before it loads the plugin.
#[must_use]
pub fn started(answer: &Path) -> PathBuf {
    answer.with_extension("started")
}

/// The child gets the descriptor that was hashed as its standard input.
fn in_child(open: &OpenFile) -> Result<ProbeResult> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let (answer, errors) = (folder.path().join("answer"), folder.path().join("errors"));
    let program = program_with_tensors()?;
    let mut command = Command::new(&program);
    if let Some(folders) = library_path(&program) {
        command.env(LIBRARY_PATH, folders);
    }
    let mut child = command
        .args(["plugins", "probe", STDIN, "--to"])
        .arg(&answer)
        .stdin(Stdio::from(open.for_child()?))
        .stdout(Stdio::null())
        .stderr(File::create(&errors).context("no temporary file")?)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > TIME_LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(ProbeResult::Rejected(format!("did not load within {} s", TIME_LIMIT.as_secs())));
        }
        std::thread::sleep(POLL);
    };
    let said = std::fs::read(&answer).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let has_started = started(&answer).exists();
    let errors = std::fs::read_to_string(&errors).unwrap_or_default();
    Ok(said.unwrap_or_else(|| ended(status, has_started, &errors)))
}

/// The result of a child that ended without an answer. Only signals that come from the code itself, after loading began,
/// are the plugin's fault: a process may also be killed from outside, or lack memory or a library.
fn ended(status: ExitStatus, has_started: bool, errors: &str) -> ProbeResult {
    let last = errors.lines().rev().find(|line| !line.trim().is_empty());
    let last = last.map_or(String::new(), |line| format!(": {}", line.trim()));
    if !has_started {
        return ProbeResult::Rejected(format!(
            "could not be tried: the child process ended ({status}){last}"
        ));
    }
    let why = format!("ends the process that loads it ({status}){last}");
    let is_crash = status.signal().is_some_and(|signal| CRASHES.contains(&signal));
    if is_crash { ProbeResult::Crashes(why) } else { ProbeResult::Rejected(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crashes_are_cached_and_rejections_are_not() {
        let crash = ended(ExitStatus::from_raw(6), true, "one\nlast words\n\n");
        assert!(crash.is_permanent());
        let (status, error) = crash.usable().unwrap_err();
        assert_eq!(status, "broken");
        assert!(
            error.to_string().contains("signal: 6") && error.to_string().contains("last words"),
            "{error}"
        );
        // Killed from outside, ended by exit, and ended before the plugin was loaded.
        for (status, has_started) in [(9, true), (15, true), (127 << 8, true), (6, false), (127 << 8, false)]
        {
            assert!(!ended(ExitStatus::from_raw(status), has_started, "").is_permanent(), "{status}");
        }
    }
}
