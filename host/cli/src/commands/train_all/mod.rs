//! `train_all`: the folds of several configurations as one job.

mod args;
mod emit;
mod request;
mod schedule;
mod training_process;

use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyhow::Result;
use nnunet_engine::session::Session;
use nnunet_plugin_core::Kind;
use serde_json::json;

pub(crate) use self::args::Args;
use self::request::Request;
use super::device::DeviceChoice;
use crate::global_options::GlobalOptions;
use crate::report;

/// Runs the command.
///
/// # Errors
/// Returns an error if the task or its plans are missing, or one that names the jobs that failed.
pub(crate) fn run(args: &Args, options: &GlobalOptions, session: &Session) -> Result<ExitCode> {
    let request = Request::new(args, &options.folders())?;
    // A mistyped name would come back from every job.
    for configuration in &request.configurations {
        session.registry.find(Kind::Trainer, &configuration.trainer)?;
    }
    if let Some(format) = args.emit {
        let script = emit::script(&request, format, options);
        report::record("script", &json!({ "script": script }), script.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let places = args.jobs.map_or(args.devices.len(), NonZeroUsize::get);
    let devices: Vec<DeviceChoice> = args.devices.iter().copied().cycle().take(places).collect();
    schedule::run(&request, &devices, options)
}
