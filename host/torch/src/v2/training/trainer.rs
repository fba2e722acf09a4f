//! v2's trainers, and what they leave to plans and data set.

use anyhow::{Context, Result, ensure};
use nnunet_cli::label_dice::region_key;
use nnunet_data::v2::Class;
use nnunet_engine::config::assignments;
use nnunet_engine::session::Session;
use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice, Plans, Region, Regions, Stage};
use nnunet_plugin_api::{Config, Kind, TrainerContext};
use nnunet_trainers::{PLANNED_NETWORK, Resolved, registered_in_v2};

use super::job::Job;
use super::state;
use crate::components;

/// The trainer that was asked for, with all its parents.
pub(super) fn resolve(job: &Job<'_>, session: &Session) -> Result<Resolved> {
    let name = &job.settings.trainer;
    let resolved = components::resolve_trainer_as(
        &session.registry,
        name,
        &context(job),
        &set(job)?,
        &registered_in_v2,
    )?;
    let root = resolved.names.first().map_or("", String::as_str);
    ensure!(
        registered_in_v2(root) == registered_in_v2("nnUNetTrainer"),
        "the trainer {name} extends {root}, which is a trainer of v1; take one that extends nnUNetTrainer"
    );
    Ok(resolved)
}

/// Settings and parameters of the command line; a training that continues, or is validated, has those that it began with
/// too.
fn set(job: &Job<'_>) -> Result<Config> {
    let now = assignments(&job.args.set)?;
    let goes_on = job.args.continue_training || job.args.val;
    let Some(path) = state::newest(&job.settings.output).filter(|_| goes_on) else { return Ok(now) };
    let mut all = state::set_of(&path)?;
    all.extend(now);
    Ok(all)
}

/// The configuration in the terms of v1's plans, as far as trainers look at them.
fn context(job: &Job<'_>) -> TrainerContext {
    let configuration = &job.configuration;
    let stage = Stage {
        batch_size: configuration.batch_size,
        patch_size: configuration.patch_size.clone(),
        do_dummy_2d_data_aug: job.is_dummy_2d(),
        ..Stage::default()
    };
    let plans = Plans { plans_per_stage: vec![stage], ..Plans::default() };
    // Trainers know v1's names of configurations, and v2's may be any.
    let name = if job.axes() == 2 { "2d" } else { &job.settings.configuration };
    TrainerContext { configuration: name.to_owned(), plans, stage: 0 }
}

/// Sets what follows from plans and data set: the network, regions, and the label that is ignored.
pub(super) fn complete(job: &Job<'_>, blueprint: &mut Blueprint, session: &Session) -> Result<()> {
    if blueprint.architecture.name == PLANNED_NETWORK {
        let mut planned = job.network.choice(&session.registry)?;
        planned.parameters.extend(std::mem::take(&mut blueprint.architecture.parameters));
        blueprint.architecture = planned;
    }
    if job.dataset.has_regions() {
        blueprint.regions = Some(regions(job)?);
        adapt_to_regions(&mut blueprint.loss)
            .with_context(|| format!("the trainer {}", job.settings.trainer))?;
    }
    if let Some(label) = job.dataset.ignore_label() {
        ignore(&mut blueprint.loss, label, session);
    }
    Ok(())
}

fn regions(job: &Job<'_>) -> Result<Regions> {
    let region = |class: Class| {
        let labels = match class {
            Class::Label(label) => vec![label],
            Class::Region(labels) => labels,
        };
        let labels: Vec<u8> = labels.into_iter().map(u8::try_from).collect::<Result<_, _>>()?;
        Ok::<_, anyhow::Error>(Region { name: region_key(&labels), labels })
    };
    let regions = job.dataset.foreground().into_iter().map(region).collect::<Result<Vec<_>>>()?;
    let class_order = match &job.heads {
        nnunet_inference::SegmentationHeads::Regions(order) => order.clone(),
        nnunet_inference::SegmentationHeads::Labels(_) => Vec::new(),
    };
    Ok(Regions { regions, class_order })
}

/// Losses over labels become those over regions that v2 takes instead.
fn adapt_to_regions(loss: &mut ComponentChoice) -> Result<()> {
    const OVER_LABELS: [&str; 3] = ["RobustCrossEntropyLoss", "TopKLoss", "DC_and_topk_loss"];
    ensure!(!OVER_LABELS.contains(&loss.name.as_str()), "its loss {} does not support regions", loss.name);
    let mut set = |key: &str, value: serde_json::Value| {
        loss.parameters.entry(key).or_insert(value);
    };
    match loss.name.as_str() {
        "DC_and_CE_loss" => {
            set("smooth", 1e-5.into());
            set("do_bg", true.into());
            loss.name = "DC_and_BCE_loss".to_owned();
        }
        "SoftDiceLoss" => {
            set("apply_nonlin", "sigmoid".into());
            set("do_bg", true.into());
        }
        _ => {}
    }
    Ok(())
}

/// Tells a loss about the label that is ignored, under the name that it has there.
fn ignore(loss: &mut ComponentChoice, label: i64, session: &Session) {
    let values =
        [("ignore_label", label.into()), ("ignore_index", label.into()), ("use_ignore_label", true.into())];
    for (key, value) in values {
        if components::has_parameter(&session.registry, Kind::Loss, &loss.name, key) {
            loss.parameters.entry(key).or_insert(value);
        }
    }
}
