//! Facts about libtorch for `nnunet doctor`.

use nnunet_cli::commands::device::DeviceChoice;
use nnunet_cli::doctor::{Cuda, Libtorch};
use nnunet_plugin_api::tch::{self, TchError};
use nnunet_torch_ops::ranks;

use super::choice::{name, select};
use super::cuda;

/// Describes this process's libtorch, and loads its part for CUDA whether there is a driver or not.
pub(crate) fn facts(device: DeviceChoice) -> Libtorch {
    // The device comes first: once libtorch has been asked for devices, a backend loaded later is not seen.
    let chosen = select(device);
    let folder = cuda::libtorch_folder();
    let cuda = cuda_facts(folder.as_deref());
    let (device, error) = match chosen {
        Ok((device, why)) => (Some(name(device)), why),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    Libtorch {
        version: folder.as_deref().and_then(nnunet_libtorch::torch_version),
        cuda,
        folder,
        threads: usize::try_from(tch::get_num_threads()).unwrap_or(0),
        onednn: tch::utils::has_mkldnn(),
        distributed: ranks::are_available().then(backends),
        device,
        error,
    }
}

/// What processes that train together exchange gradients with.
fn backends() -> String {
    match nccl_version() {
        Ok(version) => format!("gloo; between GPUs NCCL {version}"),
        Err(error) => format!("gloo; between GPUs through main memory, without NCCL ({error})"),
    }
}

/// The version of NCCL, whose library is loaded for it. libtorch_cuda comes first, since it brings its own.
///
/// # Errors
/// Returns an error if there is no library.
pub(crate) fn nccl_version() -> Result<String, String> {
    // Beside torch in the folder of Python's packages.
    let packages =
        cuda::libtorch_folder().and_then(|torch| Some(torch.parent()?.to_owned())).unwrap_or_default();
    ranks::nccl_version(&packages.join("nvidia/nccl/lib/libnccl.so.2")).map_err(|error| match error {
        // Where it was thrown in C++ is of no interest here.
        TchError::Torch(text) => text.lines().next().unwrap_or_default().to_owned(),
        other => other.to_string(),
    })
}

fn cuda_facts(folder: Option<&std::path::Path>) -> Cuda {
    let loaded = match folder {
        _ if nnunet_torch_ops::cuda_is_registered() => Ok(()),
        Some(folder) => cuda::load(folder),
        None => Err(cuda::NoCuda::Loader("libtorch_cpu.so was not found".to_owned())),
    };
    Cuda {
        version: folder.and_then(nnunet_libtorch::cuda_version),
        is_loaded: loaded.is_ok(),
        remedy: loaded.as_ref().err().map(cuda::NoCuda::remedy),
        error: loaded.err().map(|error| error.to_string()),
        cudnn: cuda::cudnn_version()
            .map(|version| format!("{}.{}.{}", version / 10_000, version % 10_000 / 100, version % 100)),
    }
}
