//! What a checkpoint says of its training.

use std::path::Path;

use nnunet_engine::provenance::{self, PluginUse};
use nnunet_engine::registry::Origin;
use nnunet_engine::session::Session;
use nnunet_formats::pickle::Value;
use nnunet_plugin_api::Kind;
use nnunet_plugin_api::vocabulary::Precision;
use nnunet_training::Engine;

use super::job::Job;
use crate::plugins_used;
use crate::v1::model_info::ModelInfo;

/// What the `.pkl` beside a checkpoint says. v1 finds classes by name, so it gets the nearest ancestor it knows.
pub(super) fn info(job: &Job<'_>, engine: &Engine, session: &Session) -> ModelInfo {
    let names = &engine.trainer.names;
    let built_in = |name: &&String| {
        session.registry.find(Kind::Trainer, name).is_ok_and(|e| e.origin == Origin::BuiltIn)
    };
    // Data-parallel classes want to know devices; their parent predicts the same.
    let plain = |name: &&String| built_in(name) && !name.ends_with("_DP") && !name.ends_with("_DDP");
    let v1_trainer = names.iter().rev().find(plain).map_or("nnUNetTrainerV2", String::as_str).to_owned();
    let path = |path: &Path| Value::Str(path.display().to_string());
    let fold = job.args.fold.parse().map_or_else(|_| Value::str(&job.args.fold), Value::Int);
    let mut init = vec![
        path(&job.plans_file),
        fold,
        path(&job.settings.model),
        path(&job.preprocessed),
        Value::Bool(job.batch_dice),
        Value::Int(job.stage as i64),
        Value::Bool(!job.args.use_compressed_data),
        Value::Bool(false),
        Value::Bool(engine.trainer.blueprint.precision != Precision::Fp32),
    ];
    let blueprint = &engine.trainer.blueprint;
    if job.is_second_stage() {
        // v1's constructor takes it before the precision.
        init.insert(init.len() - 1, Value::str(&blueprint.previous_trainer));
    }
    ModelInfo {
        init: Value::Tuple(init),
        v1_trainer,
        trainer: job.args.trainer.clone(),
        plans: job.plans.clone(),
        architecture: blueprint.architecture.clone(),
        mirror_axes: blueprint.mirror_axes.clone(),
        head: blueprint.head.clone(),
        regions: blueprint.regions.clone(),
        set: engine.trainer.set.clone(),
        plugins: all_plugins(job, engine, session),
    }
}

/// The plugins behind the plans and their data, as they were then, and behind this training.
fn all_plugins(job: &Job<'_>, engine: &Engine, session: &Session) -> Vec<PluginUse> {
    // Plans that Python made, or an earlier version, only name these.
    let schemes = job.plans.normalization_schemes.iter().map(|name| (Kind::Normalization, name.clone()));
    let preprocessor = [(Kind::Preprocessor, job.plans.preprocessor_name.clone())];
    let now = plugins_used::of_training(&engine.trainer, schemes.chain(preprocessor), session);
    provenance::join(job.plans_plugins.clone(), now)
}
