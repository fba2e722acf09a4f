//! `plugins check`: a plugin against everything the host relies on.

mod arrays;
mod findings;
mod resamplers;
mod samples;
mod tensors;

use std::path::Path;

use anyhow::{Result, ensure};
use nnunet_cli::report;
use nnunet_engine::loader;
use nnunet_engine::plugin::Description;
use nnunet_engine::probe;
use nnunet_engine::trust::OpenFile;
use nnunet_plugin_api::abi::v1::import_with_tensors;
use nnunet_plugin_api::{Component, Config, Factory, Info, TensorFactories};

use findings::{Finding, Report};

/// Runs the command.
pub(crate) fn run(file: &Path) -> Result<()> {
    let mut report = Report { component: file.display().to_string(), failed: 0 };
    let open = OpenFile::new(file)?;
    report.note(&format!("only its owner can write to it; sha256 {}", open.sha256), Ok(()));
    probe::probe(&open)?.usable().map_err(|(_, error)| error)?;
    report.note("loads in a child process; handshake, layout and manifest fit", Ok(()));
    let (about, components) = loader::load(open, import_with_tensors)?;
    report.note("has a license and components", described(&about));
    for component in &components {
        report.component = format!("{} {}", component.info.kind, component.info.name);
        check(component, &mut report);
    }
    ensure!(report.failed == 0, "{} checks failed", report.failed);
    report::line("all checks passed");
    Ok(())
}

fn described(about: &Description) -> Finding {
    match (about.license.is_empty(), about.components.is_empty()) {
        (_, true) => Err("nothing is registered; is inventory::submit! missing?".to_owned()),
        (true, _) => Err("Cargo.toml has no license".to_owned()),
        _ => Ok(()),
    }
}

fn check(component: &Component, report: &mut Report) {
    let info = &component.info;
    report.note("describes itself", metadata(info));
    report.note("refuses a parameter it does not know", unknown_parameter(component));
    match &component.factory {
        Factory::Planner(make) => arrays::planner(make, report),
        Factory::Preprocessor(make) => arrays::preprocessor(make, report),
        Factory::Normalization(make) => arrays::normalization(make, report),
        Factory::Resampler(make) => resamplers::resampler(make, report),
        Factory::Postprocessor(make) => arrays::postprocessor(make, report),
        Factory::Augmentation(make) => samples::augmentation(make, report),
        Factory::Format(make) => samples::format(info, make, report),
        Factory::Logger(make) => samples::logger(make, report),
        factory => check_tensors(factory, report),
    }
}

fn check_tensors(factory: &Factory, report: &mut Report) {
    if let Some(make) = factory.architecture() {
        tensors::architecture(make, report);
    }
    if let Some(make) = factory.loss()
        && let Some(loss) = report.made("is created from its defaults", make(&Config::new()))
    {
        tensors::loss(&*loss, report);
    }
    if let Some(make) = factory.trainer() {
        tensors::trainer(make, report);
    }
}

fn metadata(info: &Info) -> Finding {
    if info.summary.is_empty() {
        return Err("the summary is empty".to_owned());
    }
    match info.parameters().iter().find(|parameter| parameter.doc.is_empty()) {
        Some(parameter) => {
            Err(format!("parameter `{}` has no text; write a comment above the field", parameter.name))
        }
        None => Ok(()),
    }
}

/// Only components that have parameters are asked.
fn unknown_parameter(component: &Component) -> Finding {
    let mut config = Config::new();
    config.insert("no_such_parameter".to_owned(), 1.into());
    let accepted = match &component.factory {
        _ if component.info.parameters().is_empty() => false,
        Factory::Postprocessor(make) => make(&config).is_ok(),
        Factory::Resampler(make) => make(&config).is_ok(),
        Factory::Augmentation(make) => make(&config).is_ok(),
        Factory::Logger(make) => make(&config).is_ok(),
        Factory::Tensors(factory) => factory.create(&config).is_ok(),
        _ => false,
    };
    if accepted { Err("no_such_parameter was accepted; use deny_unknown_fields".to_owned()) } else { Ok(()) }
}
