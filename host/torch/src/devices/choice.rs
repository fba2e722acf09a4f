//! The device that `--device` names, and how exactly libtorch computes on it.

use std::sync::Once;

use anyhow::{Result, anyhow, bail};
use nnunet_cli::commands::device::DeviceChoice;
use nnunet_cli::doctor::driver;
use nnunet_cli::report;
use nnunet_data::memory;
use nnunet_plugin_api::tch::{self, Device};
use nnunet_plugin_api::vocabulary::Precision;

use super::cuda;

/// Whether devices have been printed.
static SAID: Once = Once::new();

/// The device of a job. The first call prints it.
///
/// # Errors
/// Returns an error if a GPU that was asked for cannot be used: what is missing, and what to do about it.
pub(crate) fn resolve(choice: DeviceChoice) -> Result<Device> {
    let (device, why) = select(choice)?;
    let why = why.map(|why| format!("; no GPU is used: {why}")).unwrap_or_default();
    SAID.call_once(|| report::line(&format!("device: {}{why}", describe(device))));
    Ok(device)
}

/// The devices of a job that several share. The first call prints them.
///
/// # Errors
/// As [`resolve`].
pub(crate) fn resolve_all(choices: &[DeviceChoice]) -> Result<Vec<Device>> {
    if let [choice] = choices {
        return Ok(vec![resolve(*choice)?]);
    }
    let devices: Vec<Device> = choices.iter().map(|choice| Ok(select(*choice)?.0)).collect::<Result<_>>()?;
    let described: Vec<String> = devices.iter().map(|device| about(*device)).collect();
    SAID.call_once(|| report::line(&format!("devices: {}", described.join(", "))));
    Ok(devices)
}

/// The device of a choice, and for `auto` the reason why it is not a GPU.
pub(super) fn select(choice: DeviceChoice) -> Result<(Device, Option<String>)> {
    match choice {
        DeviceChoice::Cpu => Ok((Device::Cpu, None)),
        DeviceChoice::Auto => Ok(match cuda::start() {
            Ok(_) => (Device::Cuda(0), None),
            Err(missing) => (Device::Cpu, Some(missing.to_string())),
        }),
        DeviceChoice::Cuda(index) => Ok((gpu(index)?, None)),
    }
}

/// Number of GPUs that work.
pub(crate) fn gpu_count() -> usize {
    cuda::start().unwrap_or(0)
}

fn gpu(index: usize) -> Result<Device> {
    let count =
        cuda::start().map_err(|missing| anyhow!("--device cuda:{index}: {missing}; {}", missing.remedy()))?;
    if index >= count {
        let last = count - 1;
        bail!("--device cuda:{index}: there is no such GPU; the last of {count} is cuda:{last}");
    }
    Ok(Device::Cuda(index))
}

/// Sets how exactly and repeatably libtorch computes. `--deterministic` adds one thread, so that sums do not depend on the
/// number of cores, and no search for the fastest convolution on CUDA; single precision that was asked for excludes TF32.
///
/// # Errors
/// Returns an error of libtorch.
pub(crate) fn set_numerics(deterministic: bool, precision: Precision) -> Result<()> {
    if deterministic {
        tch::set_num_threads(1);
    }
    Ok(nnunet_torch_ops::set_cuda_numerics(!deterministic, precision != Precision::Fp32)?)
}

/// The device's name as PyTorch writes it.
pub(crate) fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

fn describe(device: Device) -> String {
    let others = match tch::Cuda::device_count() {
        count if count > 1 && device.is_cuda() => format!("; one of {count} GPUs"),
        _ => String::new(),
    };
    about(device) + &others
}

/// A device with what the driver knows about it.
fn about(device: Device) -> String {
    let Device::Cuda(index) = device else { return name(device) };
    let found = driver::find().ok();
    let version = found.as_ref().and_then(|driver| driver.version.clone());
    let version = version.map(|version| format!(", driver {version}")).unwrap_or_default();
    match found.and_then(|driver| driver.gpus.into_iter().nth(index)) {
        Some(gpu) => {
            format!("{} ({}, {}{version})", name(device), gpu.name, memory::readable(gpu.memory))
        }
        None => name(device),
    }
}
