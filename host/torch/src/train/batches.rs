//! Which cases a run trains and validates on, and how its batches are made.

use std::sync::Arc;

use anyhow::Result;
use nnunet_cli::commands::train::CudaGraph;
use nnunet_data::records::Split;
use nnunet_engine::session::Session;
use nnunet_plugin_api::AugmentationContext;
use nnunet_plugin_api::vocabulary::{Blueprint, Stage};
use nnunet_training::{BatchPlan, CaseSource, DummyCase, Engine, Run, Sampling};

use super::cascade;
use super::job::Job;
use crate::components;
use crate::v1::preprocessed_cases::StageCases;

/// Cases and batches of a split.
pub(super) fn batches(job: &Job<'_>, engine: &Engine, split: &Split, session: &Session) -> Result<Run> {
    let (blueprint, stage) = (&engine.trainer.blueprint, job.stage());
    let previous = cascade::previous(job, blueprint)?;
    let open = |names: &[String]| -> Result<Arc<dyn CaseSource>> {
        if blueprint.dummy_load {
            let (channels, labels) = (job.plans.num_modalities(), job.plans.num_classes);
            return Ok(Arc::new(DummyCase::new(channels, labels, &stage.patch_size, blueprint.seed)));
        }
        let compressed = job.args.use_compressed_data;
        let channels = job.plans.num_modalities();
        Ok(Arc::new(StageCases::open(&job.data(), previous.as_deref(), names, channels, compressed)?))
    };
    let augmentation = components::augmentation(&session.registry, &blueprint.augmentation)?;
    let train_plan = BatchPlan {
        batch_size: blueprint.batch_size.unwrap_or(stage.batch_size),
        oversample_foreground: blueprint.oversample_foreground_percent,
        sampling: Sampling::default(),
        augmentation: Some(augmentation.into()),
        context: context(job, blueprint),
        scales: scales(stage, blueprint.deep_supervision),
        regions: blueprint.regions.as_ref().map(|all| all.regions.iter().map(|r| r.labels.clone()).collect()),
        seed: blueprint.seed,
    };
    Ok(Run {
        train: open(&split.train)?,
        validation: open(&split.val)?,
        validation_plan: BatchPlan { augmentation: None, ..train_plan.clone() },
        train_plan,
        threads: worker_threads(),
        uses_graphs: job.args.cuda_graph == CudaGraph::Auto,
    })
}

fn context(job: &Job<'_>, blueprint: &Blueprint) -> AugmentationContext {
    let stage = job.stage();
    AugmentationContext {
        patch: stage.patch_size.clone(),
        dummy_2d: stage.do_dummy_2d_data_aug,
        use_mask: job.plans.use_mask_for_norm.clone(),
        mirror_axes: blueprint.mirror_axes.clone(),
        num_labels: job.plans.num_classes,
    }
}

/// Scale of every output: one, then the product of the poolings so far.
fn scales(stage: &Stage, deep_supervision: bool) -> Vec<Vec<f64>> {
    let mut scale = vec![1.0; stage.patch_size.len()];
    let mut all = vec![scale.clone()];
    // The first stride of residual plans is none.
    let pools: Vec<&Vec<usize>> =
        stage.pool_op_kernel_sizes.iter().skip_while(|pool| pool.iter().all(|by| *by == 1)).collect();
    let lower = pools.len().saturating_sub(1);
    for pool in pools.into_iter().take(if deep_supervision { lower } else { 0 }) {
        scale.iter_mut().zip(pool).for_each(|(scale, by)| *scale /= *by as f64);
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
