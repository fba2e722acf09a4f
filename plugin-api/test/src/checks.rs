//! All checks of one component.

use nnunet_plugin_core::{Component, Config, Factory, Info};

use crate::findings::{Checked, Finding, Report};
use crate::{arrays, resamplers, samplers, samples, schedules};

/// Checks a component with made-up inputs; `found` gets every finding.
///
/// ```
/// use nnunet_plugin_api::{Component, Info, Kind, LabelVolume, Postprocessor, Result};
///
/// struct Random;
/// impl Postprocessor for Random {
///     fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
///         let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
///         volume.labels[[0, 0, 0]] = (now % 251) as u8;
///         std::thread::sleep(std::time::Duration::from_micros(10));
///         Ok(())
///     }
/// }
///
/// let info = Info::new(Kind::Postprocessor, "Random", "Sets a voxel to a random label.");
/// let component = Component::postprocessor(info, |_| Ok(Box::new(Random)));
/// let mut failed = Vec::new();
/// nnunet_plugin_test::check(&component, &mut |finding| failed.extend(finding.error.map(|_| finding.check)));
/// assert!(failed.contains(&"returns the same result twice".to_owned()));
/// ```
pub fn check(component: &Component, found: &mut dyn FnMut(Finding)) {
    let info = &component.info;
    let report = &mut Report { component: format!("{} {}", info.kind, info.name), found };
    report.note("describes itself", metadata(info));
    report.note("refuses a parameter it does not know", unknown_parameter(component));
    match &component.factory {
        Factory::Planner(make) => arrays::planner(make, report),
        Factory::Preprocessor(make) => arrays::preprocessor(make, report),
        Factory::Normalization(make) => arrays::normalization(make, report),
        Factory::Resampler(make) => resamplers::resampler(make, report),
        Factory::Sampler(make) => samplers::sampler(make, report),
        Factory::Transform(make) => samples::transform(make, report),
        Factory::Splitter(make) => samples::splitter(make, report),
        Factory::Schedule(make) => schedules::schedule(make, report),
        Factory::Postprocessor(make) => arrays::postprocessor(make, report),
        Factory::Augmentation(make) => samples::augmentation(make, report),
        Factory::Format(make) => samples::format(info, make, report),
        Factory::Logger(make) => samples::logger(make, report),
        factory => check_tensors(factory, report),
    }
}

#[cfg(feature = "torch")]
fn check_tensors(factory: &Factory, report: &mut Report<'_>) {
    use crate::{blocks, heads, metrics, tensors};
    use nnunet_plugin_torch::TensorFactories;

    if let Some(make) = factory.architecture() {
        tensors::architecture(make, report);
    }
    if let Some(make) = factory.block()
        && let Some(block) = report.made("is created from its defaults", make(&Config::new()))
    {
        blocks::block(&*block, report);
    }
    if let Some(make) = factory.loss()
        && let Some(loss) = report.made("is created from its defaults", make(&Config::new()))
    {
        tensors::loss(&*loss, report);
    }
    if let Some(make) = factory.optimizer()
        && let Some(optimizer) = report.made("is created from its defaults", make(&Config::new()))
    {
        tensors::optimizer(optimizer, report);
    }
    if let Some(make) = factory.head() {
        heads::head(make, report);
    }
    if let Some(make) = factory.metric() {
        metrics::metric(make, report);
    }
    if let Some(make) = factory.trainer() {
        tensors::trainer(make, report);
    }
}

#[cfg(not(feature = "torch"))]
fn check_tensors(_factory: &Factory, report: &mut Report<'_>) {
    report.note("can be checked", Err("needs the feature `torch` of nnunet-plugin-test".to_owned()));
}

fn metadata(info: &Info) -> Checked {
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
fn unknown_parameter(component: &Component) -> Checked {
    let mut config = Config::new();
    config.insert("no_such_parameter".to_owned(), 1.into());
    let accepted = match &component.factory {
        _ if component.info.parameters().is_empty() => false,
        Factory::Postprocessor(make) => make(&config).is_ok(),
        Factory::Sampler(make) => make(&config).is_ok(),
        Factory::Transform(make) => make(&config).is_ok(),
        Factory::Splitter(make) => make(&config).is_ok(),
        Factory::Schedule(make) => make(&config).is_ok(),
        Factory::Resampler(make) => make(&config).is_ok(),
        Factory::Augmentation(make) => make(&config).is_ok(),
        Factory::Logger(make) => make(&config).is_ok(),
        Factory::Tensors(factory) => factory.create(&config).is_ok(),
        _ => false,
    };
    if accepted { Err("no_such_parameter was accepted; use deny_unknown_fields".to_owned()) } else { Ok(()) }
}
