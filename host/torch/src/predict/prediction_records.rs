//! `predictions.json`: what was done to each case, with what, in what time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use anyhow::{Context, Result, anyhow};
use nnunet_cli::report;
use nnunet_data::memory;
use nnunet_engine::lock::lock;
use nnunet_engine::session::Session;
use serde::Serialize;
use serde_json::Value;

/// Seconds by stage.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Seconds {
    pub(crate) preprocess: f64,
    pub(crate) network: f64,
    pub(crate) export: f64,
}

/// One case.
#[derive(Debug, Clone, Serialize)]
struct Done {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Differences from the training images.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unlike_training: Vec<String>,
    seconds: Seconds,
    /// Tiles, each seen by every network in every mirror image.
    tiles: usize,
    device: String,
    /// The most memory the program had until the case was done.
    peak_memory_bytes: u64,
}

/// A file and its hash (BLAKE3).
#[derive(Debug, Clone, Serialize)]
struct Hashed {
    path: String,
    blake3: String,
}

/// What a run predicts with. Hashing takes a while, since checkpoints have hundreds of megabytes.
#[derive(Debug, Serialize)]
struct Files {
    checkpoints: Vec<Hashed>,
    plugins: Vec<Hashed>,
}

/// What all cases of a run have in common.
#[derive(Debug, Serialize)]
struct Settings {
    program: &'static str,
    model: String,
    device: String,
    precision: String,
    /// The most memory that was planned before the start.
    planned_peak_bytes: u64,
    /// The same for the GPU, if one is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    planned_device_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Content<'a> {
    #[serde(flatten)]
    settings: &'a Settings,
    #[serde(flatten)]
    files: &'a Files,
    cases: &'a BTreeMap<String, Value>,
}

/// The record of a run; it is written anew, atomically, after every case.
pub(crate) struct Records {
    path: PathBuf,
    settings: Settings,
    files: Arc<HashedFiles>,
    /// None until the first case of this run is done.
    cases: Mutex<Option<BTreeMap<String, Value>>>,
    /// Cases of this run that failed, with the error.
    failed: Mutex<BTreeMap<String, String>>,
    /// Differences of cases from the training images.
    unlike: Mutex<BTreeMap<String, Vec<String>>>,
}

/// What all cases have in common.
pub(crate) struct Common<'a> {
    pub(crate) model: &'a Path,
    pub(crate) checkpoints: &'a [PathBuf],
    pub(crate) device: String,
    pub(crate) precision: String,
    pub(crate) planned_peak_bytes: u64,
    pub(crate) planned_device_bytes: Option<u64>,
}

impl Records {
    /// The files are hashed in the background, while the first case is predicted.
    pub(crate) fn new(path: PathBuf, common: &Common<'_>, session: &Session) -> Result<Self> {
        let settings = Settings {
            program: concat!("nnunet ", env!("CARGO_PKG_VERSION")),
            model: common.model.display().to_string(),
            device: common.device.clone(),
            precision: common.precision.clone(),
            planned_peak_bytes: common.planned_peak_bytes,
            planned_device_bytes: common.planned_device_bytes,
        };
        let files = Arc::new(HashedFiles {
            checkpoints: common.checkpoints.to_vec(),
            plugins: session.plugins.iter().map(|plugin| plugin.path.clone()).collect(),
            known: OnceLock::new(),
        });
        let background = Arc::clone(&files);
        thread::Builder::new().name("hashes".to_owned()).spawn(move || drop(background.get()))?;
        let (cases, failed, unlike) = Default::default();
        Ok(Self { path, settings, files, cases, failed, unlike })
    }

    /// Differences of a case that is not done yet from the training images.
    pub(crate) fn note(&self, case: &str, unlike_training: Vec<String>) {
        lock(&self.unlike).insert(case.to_owned(), unlike_training);
    }

    /// A case that is done, or failed, on a device.
    pub(crate) fn add(
        &self,
        case: &str,
        error: Option<String>,
        seconds: Seconds,
        tiles: usize,
        device: &str,
    ) -> Result<()> {
        let files = self.files.get()?;
        let mut cases = lock(&self.cases);
        let cases = cases.get_or_insert_with(|| earlier_cases(&self.path, &files.checkpoints));
        let (device, peak_memory_bytes) = (device.to_owned(), memory::resident().1);
        if let Some(error) = &error {
            let mut failed = lock(&self.failed);
            failed.insert(case.to_owned(), error.clone());
        }
        let unlike_training = lock(&self.unlike).remove(case).unwrap_or_default();
        let done = Done { error, unlike_training, seconds, tiles, device, peak_memory_bytes };
        let done = serde_json::to_value(done)?;
        let mut fields = done.clone();
        fields["case"] = case.into();
        report::event("predicted_case", &fields);
        cases.insert(case.to_owned(), done);
        let text = serde_json::to_vec_pretty(&Content { settings: &self.settings, files, cases })?;
        Ok(nnunet_formats::atomic::write_bytes(&self.path, &text)?)
    }

    /// Cases of this run that failed, a line each.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = lock(&self.failed);
        failed.iter().map(|(case, error)| format!("  {case}: {error}")).collect()
    }
}

/// Files to be hashed once, by whoever needs it first.
struct HashedFiles {
    checkpoints: Vec<PathBuf>,
    plugins: Vec<PathBuf>,
    known: OnceLock<Result<Files>>,
}

impl HashedFiles {
    /// The hashes; waits for them where another thread is at it.
    fn get(&self) -> Result<&Files> {
        let hashed =
            |paths: &[PathBuf]| paths.iter().map(|path| hashed(path)).collect::<Result<Vec<Hashed>>>();
        let files = || Ok(Files { checkpoints: hashed(&self.checkpoints)?, plugins: hashed(&self.plugins)? });
        self.known.get_or_init(files).as_ref().map_err(|error| anyhow!("{error:#}"))
    }
}

/// The cases that an earlier run with the same checkpoints has recorded in the same file; none where it cannot be read.
fn earlier_cases(path: &Path, checkpoints: &[Hashed]) -> BTreeMap<String, Value> {
    let read = || -> Option<BTreeMap<String, Value>> {
        let content: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let is_same = *content.get("checkpoints")? == serde_json::to_value(checkpoints).ok()?;
        serde_json::from_value(content.get("cases")?.clone()).ok().filter(|_| is_same)
    };
    read().unwrap_or_default()
}

fn hashed(path: &Path) -> Result<Hashed> {
    let mut hasher = blake3::Hasher::new();
    let file = nnunet_formats::input::open(path)?;
    hasher.update_reader(file).with_context(|| path.display().to_string())?;
    Ok(Hashed { path: path.display().to_string(), blake3: hasher.finalize().to_hex().to_string() })
}
