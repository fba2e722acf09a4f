//! Which cases a run trains and validates on, and how its batches are made.

use std::sync::Arc;

use anyhow::Result;
use nnunet_data::records::Split;
use nnunet_engine::session::Session;
use nnunet_training::{BatchPlan, CaseSource, DummyCase, Engine, Run, SharedSampler};

use crate::fold_training::FoldTraining;
use crate::{components, ranks};

/// Cases and batches of a split.
pub(super) fn batches(
    fold: &dyn FoldTraining,
    engine: &Engine,
    split: &Split,
    session: &Session,
) -> Result<Run> {
    let blueprint = &engine.trainer.blueprint;
    let settings = fold.batch_settings(blueprint);
    let open = |names: &[String]| -> Result<Arc<dyn CaseSource>> {
        if blueprint.dummy_load {
            let (patch, labels) = (&settings.context.patch, settings.context.num_labels);
            return Ok(Arc::new(DummyCase::new(settings.channels, labels, patch, blueprint.seed)));
        }
        fold.cases(names, blueprint)
    };
    let augmentation = components::augmentation(&session.registry, &blueprint.augmentation)?;
    let ignored = settings.ignore_label.map(|label| vec![label]);
    let regions = blueprint.regions.as_ref().map(|all| {
        let regions = all.regions.iter().map(|region| region.labels.clone());
        regions.chain(ignored).collect()
    });
    let train_plan = BatchPlan {
        batch_size: settings.batch_size,
        oversample_foreground: blueprint.oversample_foreground_percent,
        sampler: engine.sampler.clone(),
        augmentation: Some(augmentation.into()),
        scales: scales(settings.context.patch.len(), &settings.strides, blueprint.deep_supervision),
        context: settings.context.clone(),
        regions,
        head: engine.head.clone(),
        seed: blueprint.seed,
    };
    // Another one, which knows other cases and is told no losses.
    let sampler =
        SharedSampler::new(engine.sampler.name(), components::sampler(&session.registry, &settings.sampler)?);
    Ok(Run {
        train: open(&split.train)?,
        validation: open(&split.val)?,
        validation_plan: BatchPlan { augmentation: None, sampler, ..train_plan.clone() },
        train_plan,
        threads: worker_threads(),
        uses_graphs: fold.settings().cuda_graphs && ranks::current().is_none(),
    })
}

/// Scale of every output of the network: one, then the inverse of the strides so far. The lowest resolution has no output.
fn scales(axes: usize, strides: &[Vec<usize>], deep_supervision: bool) -> Vec<Vec<f64>> {
    let mut scale = vec![1.0; axes];
    let mut all = vec![scale.clone()];
    let lower = strides.len().saturating_sub(1);
    for stride in strides.iter().take(if deep_supervision { lower } else { 0 }) {
        scale.iter_mut().zip(stride).for_each(|(scale, by)| *scale /= *by as f64);
        all.push(scale.clone());
    }
    all
}

/// v1's `nnUNet_n_proc_DA`, but no more than the machine has cores; else half the machine.
fn worker_threads() -> usize {
    let asked: Option<usize> = std::env::var("nnUNet_n_proc_DA").ok().and_then(|value| value.parse().ok());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    asked.unwrap_or(cores / 2).clamp(1, cores)
}
