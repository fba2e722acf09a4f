//! One of the devices that share the cases of a run: its model, and the plan for its memory.

use std::sync::Arc;

use anyhow::{Context, Result};
use nnunet_cli::commands::predict::{AllInGpu, Args};
use nnunet_cli::report;
use nnunet_data::memory;
use nnunet_inference::SlidingWindow;
use nnunet_plugin_api::Network;
use nnunet_plugin_api::tch::Device;

use super::pipeline::{Pipeline, Threads, Waiting};
use super::prediction_records::Records;
use super::unlike::Comparison;
use crate::case::Case;
use crate::devices;
use crate::family::LoadedModel;
use crate::memory_plan::{Plan, Sizes};
use crate::on_device::OnDevice;

/// What the devices of a run have in common.
pub(super) struct Run<'a> {
    pub(super) args: &'a Args,
    /// All cases of the input.
    pub(super) cases: &'a [Case],
    /// Those to predict.
    pub(super) open: &'a [&'a Case],
    /// Number of devices.
    pub(super) devices: usize,
}

impl Run<'_> {
    /// A line about a device, whose name is only needed where there are several.
    fn say(&self, device: Device, text: &str) {
        let name = if self.devices > 1 { format!("{}: ", devices::name(device)) } else { String::new() };
        report::line(&(name + text));
    }
}

/// A device with a model on it.
pub(super) struct Worker<'a> {
    run: &'a Run<'a>,
    model: LoadedModel,
    threads: Threads,
    /// Bytes that a case may take at most.
    available: u64,
    pub(super) plan: Plan,
    pub(super) on_device: Option<OnDevice>,
}

impl<'a> Worker<'a> {
    /// Plans for a model, whose memory is an equal share of what all devices may use.
    ///
    /// # Errors
    /// Returns an error if the device cannot be asked for its memory, or if the network fails on it.
    pub(super) fn new(run: &'a Run<'a>, mut model: LoadedModel) -> Result<Self> {
        let args = run.args;
        let (all, base) = (args.max_ram.unwrap_or_else(memory::default_budget), memory::resident().0);
        let devices = run.devices as u64;
        let max_ram = all - all.saturating_sub(base) / devices * (devices - 1);
        let available = max_ram.min(memory::default_budget());
        let sizes = Sizes::of(&model, run.cases, available);
        let on_device = place(run, &mut model, &sizes)?;
        let threads = Threads::of(args, run.open.len());
        let plan = Plan::new(&sizes, &mut model.window, base, max_ram, &args.output, threads.at_once());
        Ok(Self { run, model, threads, available, plan, on_device })
    }

    pub(super) fn model(&self) -> &LoadedModel {
        &self.model
    }

    /// Predicts waiting cases until there are none.
    ///
    /// # Errors
    /// Returns an error if the records cannot be written. Cases that fail are in the records.
    pub(super) fn work(&self, waiting: &Waiting<'_>, records: &Records) -> Result<()> {
        let model = &self.model;
        let pipeline = Pipeline {
            processing: &*model.processing,
            comparison: Comparison {
                training: &model.training_images,
                processing: &*model.processing,
                reorients: self.run.args.reorient,
            },
            window: &model.window,
            records,
            device: devices::name(model.window.device),
            plan: self.plan,
            threads: self.threads,
            folder: &self.run.args.output,
            available: self.available,
            channels: model.input_channels,
            on_device: self.on_device,
            one_at_a_time: Arc::default(),
        };
        let networks: Vec<&dyn Network> = model.networks.iter().map(|network| &**network).collect();
        pipeline.run(waiting, &networks)
    }
}

/// Chooses what lies on the GPU; none where the device is none.
fn place(run: &Run<'_>, model: &mut LoadedModel, sizes: &Sizes) -> Result<Option<OnDevice>> {
    let (args, device) = (run.args, model.window.device);
    if device == Device::Cpu {
        if args.max_vram.is_some() || args.all_in_gpu() != AllInGpu::None {
            run.say(device, "no GPU is used: --max-vram and --all_in_gpu have no effect");
        }
        return Ok(None);
    }
    let estimate = sizes.activations(&SlidingWindow { batch: 1, ..model.window.clone() });
    let network = model.networks.first().context("the model has no network")?;
    let (needs, available) = devices::needs(&**network, model.input_channels, &model.window, estimate)?;
    let max = args.max_vram.unwrap_or(available);
    let plan = OnDevice::new(sizes, &model.window, needs, max, args.all_in_gpu());
    run.say(device, &plan.describe(args.max_vram));
    plan.apply(&mut model.window);
    Ok(Some(plan))
}
