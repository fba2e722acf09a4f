//! How a network that has been trained predicts whole cases of the training's data.

use anyhow::Result;
use nnunet_cli::commands::predict::AllInGpu;
use nnunet_inference::{Scores, SlidingWindow};
use nnunet_plugin_api::tch::Device;
use nnunet_training::Engine;

use super::job::Job;
use crate::devices;
use crate::memory_plan::{Sizes, largest};
use crate::on_device::OnDevice;
use crate::v1::{network, preprocessed_cases};

/// How whole cases of the training's data are predicted after it, and on a GPU what of it lies there.
pub(super) fn window(
    job: &Job<'_>,
    engine: &Engine,
    cases: &[String],
) -> Result<(SlidingWindow, Option<OnDevice>)> {
    let mut window = SlidingWindow::new(job.stage().patch_size.clone(), engine.num_classes);
    if let Some(axes) = &engine.trainer.blueprint.mirror_axes {
        window.mirror_axes.clone_from(axes);
    }
    if engine.trainer.blueprint.regions.is_some() {
        window.scores = Scores::Sigmoid;
    }
    window.head.clone_from(&engine.head);
    window.kind = engine.kind;
    window.device = engine.store.device();
    if window.device == Device::Cpu {
        return Ok((window, None));
    }
    let sizes = sizes(job, cases)?;
    let (needs, available) = devices::needs(&*engine.network, sizes.channels, &window, 0)?;
    let plan = OnDevice::new(&sizes, &window, needs, available, AllInGpu::None);
    plan.apply(&mut window);
    Ok((window, Some(plan)))
}

/// Sizes of the largest of preprocessed cases.
fn sizes(job: &Job<'_>, cases: &[String]) -> Result<Sizes> {
    let grids = |case: &String| -> Result<_> {
        let case = preprocessed_cases::properties(&job.data(), case)?;
        let cropped = case.size_after_cropping;
        Ok((cropped, case.size_after_resampling.unwrap_or(cropped)))
    };
    let grids = cases.iter().map(grids).collect::<Result<Vec<_>>>()?;
    let (raw, network) = largest(grids.into_iter());
    let spec = network::spec(&job.plans, job.stage(), None, job.is_second_stage());
    let export = job.plans.segmentation_export_params.unwrap_or_default();
    Ok(Sizes {
        raw,
        network,
        channels: spec.num_input_channels,
        folds: 1,
        features: spec.base_num_features,
        is_cubic: export.interpolation_order > 1,
        is_prepared: true,
    })
}
