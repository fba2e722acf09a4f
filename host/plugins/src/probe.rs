//! A plugin is first loaded by a child process: one that crashes, hangs or exits in an initialiser harms nobody. The
//! verdict is kept by the file's hash, so that later starts cost a hash only.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nnunet_formats::atomic;
use nnunet_plugin_api::abi::{ABI_MAJOR, ABI_MINOR, HandshakeError};
use serde::{Deserialize, Serialize};

use crate::loader;
use crate::plugin::{Description, program_with_tensors};
use crate::user_folders::cache_folder;

/// Longest time an initialiser and the manifest may take.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);

/// What came of loading a file elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It can be used.
    Usable(Description),
    /// Its handshake does not fit this program.
    Incompatible(String),
    /// It cannot be loaded, for the reason given.
    Refused(String),
    /// It ended the process that loaded it.
    Crashes(String),
}

impl Verdict {
    /// Looks at a file in this process; only a process made for it should.
    #[must_use]
    pub fn here(path: &Path) -> Self {
        match loader::describe(path) {
            Ok(description) => Self::Usable(description),
            Err(error) if error.is::<HandshakeError>() => Self::Incompatible(format!("{error:#}")),
            Err(error) => Self::Refused(format!("{error:#}")),
        }
    }

    /// The description of a usable file.
    ///
    /// # Errors
    /// Why it is not usable, with the word for the list.
    pub fn usable(self) -> Result<Description, (&'static str, anyhow::Error)> {
        match self {
            Self::Usable(description) => Ok(description),
            Self::Incompatible(why) => Err(("incompatible", anyhow!(why))),
            Self::Refused(why) | Self::Crashes(why) => Err(("broken", anyhow!(why))),
        }
    }

    /// Whether the same file gives the same verdict another time. A refusal may be for a library that is missing today.
    fn lasts(&self) -> bool {
        matches!(self, Self::Usable(_) | Self::Crashes(_))
    }
}

/// The verdict about a file, from the cache or from a child process.
///
/// # Errors
/// The child cannot be started.
pub fn verdict(path: &Path, sha256: &str) -> Result<Verdict> {
    let kept = cache_file(sha256);
    let read = |file: &PathBuf| serde_json::from_slice(&std::fs::read(file).ok()?).ok();
    if let Some(verdict) = kept.as_ref().and_then(read) {
        return Ok(verdict);
    }
    let verdict = in_child(path)?;
    if let Some(file) = kept.filter(|_| verdict.lasts()) {
        keep(&file, &verdict);
    }
    Ok(verdict)
}

/// Verdicts hold for one version of the program and its ABI.
fn cache_file(sha256: &str) -> Option<PathBuf> {
    let version = env!("CARGO_PKG_VERSION");
    Some(cache_folder()?.join(format!("verdicts/{version}-{ABI_MAJOR}.{ABI_MINOR}/{sha256}.json")))
}

/// A cache that cannot be written only costs time.
fn keep(file: &Path, verdict: &Verdict) {
    let Some(folder) = file.parent() else { return };
    if let (Ok(()), Ok(text)) = (std::fs::create_dir_all(folder), serde_json::to_vec(verdict)) {
        let _ = atomic::write_bytes(file, &text);
    }
}

fn in_child(path: &Path) -> Result<Verdict> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let (answer, errors) = (folder.path().join("answer"), folder.path().join("errors"));
    let program = program_with_tensors()?;
    let mut child = Command::new(&program)
        .args(["plugins", "probe"])
        .arg(path)
        .arg("--to")
        .arg(&answer)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&errors).context("no temporary file")?)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(Verdict::Refused(format!("did not load within {} s", PATIENCE.as_secs())));
        }
        std::thread::sleep(POLL);
    };
    let said = std::fs::read(&answer).ok().and_then(|text| serde_json::from_slice(&text).ok());
    Ok(said.unwrap_or_else(|| crashed(status, &std::fs::read_to_string(&errors).unwrap_or_default())))
}

fn crashed(status: ExitStatus, errors: &str) -> Verdict {
    let last = errors.lines().rev().find(|line| !line.trim().is_empty());
    let last = last.map_or(String::new(), |line| format!(": {}", line.trim()));
    Verdict::Crashes(format!("ends the process that loads it ({status}){last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crashes_are_remembered_and_refusals_are_not() {
        use std::os::unix::process::ExitStatusExt;
        let crash = crashed(ExitStatus::from_raw(6), "one\nlast words\n\n");
        assert!(crash.lasts());
        let (status, error) = crash.usable().unwrap_err();
        assert_eq!(status, "broken");
        assert!(
            error.to_string().contains("signal: 6") && error.to_string().contains("last words"),
            "{error}"
        );
        assert!(!Verdict::Refused(String::new()).lasts());
    }
}
