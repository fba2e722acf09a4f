//! CUDA at run time. The linker drops libtorch_cuda from the program, since none of its symbols is used; so one build
//! runs with and without a GPU, and the library is loaded here where it can be of use.
#![allow(unsafe_code, reason = "loading a library runs its initializers")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LAZY};
use nnunet_plugin_api::tch;
use thiserror::Error;

use nnunet_cli::doctor::driver::{self, Driver, NoDriver};

use super::packages;

/// What is missing for the use of CUDA.
#[derive(Debug, Error)]
pub(crate) enum NoCuda {
    /// No driver that works.
    #[error("{0}")]
    Driver(#[from] NoDriver),
    /// The driver is older than libtorch.
    #[error("the NVIDIA driver runs CUDA up to {found}, and this libtorch is built for CUDA {wanted}")]
    OldDriver {
        /// Of the driver.
        found: String,
        /// Of libtorch.
        wanted: String,
    },
    /// libtorch has no part for CUDA.
    #[error("libtorch at {} has no lib/libtorch_cuda.so", .0.display())]
    NoLibrary(PathBuf),
    /// A library that libtorch_cuda needs is missing.
    #[error("libtorch_cuda needs {library}{}, which is missing", .package.as_ref().map(|name| format!(" of the package {name}")).unwrap_or_default())]
    NoPackage {
        /// The file's name.
        library: String,
        /// The package that has it, with its version.
        package: Option<String>,
        /// Where libtorch is.
        libtorch: PathBuf,
    },
    /// Another failure of the loader.
    #[error("libtorch_cuda cannot be loaded: {0}")]
    Loader(String),
    /// Everything is there, but libtorch counts no device.
    #[error("libtorch_cuda is loaded, but finds no GPU")]
    NoDevice,
}

impl NoCuda {
    /// The command or action that solves the problem.
    pub(crate) fn remedy(&self) -> String {
        match self {
            NoCuda::Driver(NoDriver::NotThere(_)) => {
                "install the GPU's driver; in a container, start it with its GPUs (docker run --gpus all)"
                    .to_owned()
            }
            NoCuda::Driver(_) | NoCuda::NoDevice => {
                "look at nvidia-smi, and at the variable CUDA_VISIBLE_DEVICES".to_owned()
            }
            NoCuda::OldDriver { wanted, .. } => format!("update the driver to one that runs CUDA {wanted}"),
            NoCuda::NoPackage { package: Some(package), libtorch, .. } if !is_own(libtorch) => {
                format!("pip install {package}, beside torch")
            }
            // `nnunet setup` installs into a folder of its own, which is used after the torch of an environment.
            NoCuda::NoLibrary(libtorch) if !is_own(libtorch) => format!(
                "install a torch {} with CUDA there, or run `nnunet setup --cuda` and set {} to the folder that it names",
                nnunet_libtorch::VERSION,
                nnunet_libtorch::VARIABLE
            ),
            NoCuda::NoLibrary(_) | NoCuda::NoPackage { .. } | NoCuda::Loader(_) => {
                "run `nnunet setup --cuda`".to_owned()
            }
        }
    }
}

/// Version of the cuDNN that libtorch_cuda has brought, as its number: 91900 for 9.19.0.
pub(crate) fn cudnn_version() -> Option<usize> {
    // SAFETY: the function takes nothing and returns a number (cudnn.h).
    unsafe {
        let function = Library::this().get::<unsafe extern "C" fn() -> usize>(b"cudnnGetVersion").ok()?;
        Some(function())
    }
}

/// Whether `nnunet setup` or `cargo setup` has installed it: both install into the same folder.
fn is_own(libtorch: &Path) -> bool {
    let libtorch = libtorch.canonicalize().unwrap_or_else(|_| libtorch.to_owned());
    libtorch.parent().is_some_and(|folder| folder.join("nnunet-complete").is_file())
}

/// Makes CUDA usable, once in a process and before its first tensor; gives the number of GPUs that libtorch can use.
///
/// # Errors
/// Returns an error that names what is missing.
pub(crate) fn start() -> Result<usize, &'static NoCuda> {
    static STARTED: OnceLock<Result<usize, NoCuda>> = OnceLock::new();
    STARTED.get_or_init(start_once).as_ref().copied()
}

fn start_once() -> Result<usize, NoCuda> {
    if !nnunet_torch_ops::cuda_is_registered() {
        let driver = driver::find()?;
        let libtorch =
            libtorch_folder().ok_or_else(|| NoCuda::Loader("libtorch_cpu.so was not found".to_owned()))?;
        compare_versions(&driver, &libtorch)?;
        load(&libtorch)?;
    }
    match usize::try_from(tch::Cuda::device_count()).unwrap_or(0) {
        0 => Err(NoCuda::NoDevice),
        count => Ok(count),
    }
}

fn compare_versions(driver: &Driver, libtorch: &Path) -> Result<(), NoCuda> {
    let wanted = nnunet_libtorch::cuda_version(libtorch);
    let major = wanted.as_deref().and_then(|version| version.split('.').next()?.parse::<i32>().ok());
    match (wanted, major) {
        (Some(wanted), Some(major)) if driver.cuda.0 < major => {
            let (found, minor) = driver.cuda;
            Err(NoCuda::OldDriver { found: format!("{found}.{minor}"), wanted })
        }
        _ => Ok(()),
    }
}

/// Loads the CUDA part of a libtorch for the rest of the process, whether there is a driver or not.
///
/// # Errors
/// Returns an error that names a missing library.
pub(crate) fn load(libtorch: &Path) -> Result<(), NoCuda> {
    let file = libtorch.join("lib/libtorch_cuda.so");
    if !file.is_file() {
        return Err(NoCuda::NoLibrary(libtorch.to_owned()));
    }
    // SAFETY: the library belongs to the libtorch that is loaded; its initializers register operators.
    let library = unsafe { Library::open(Some(&file), RTLD_GLOBAL | RTLD_LAZY) };
    let library = library.map_err(|error| loader_error(&driver::reason(&error), libtorch))?;
    std::mem::forget(library);
    Ok(())
}

/// `libcudnn.so.9: cannot open shared object file: No such file or directory`
fn loader_error(message: &str, libtorch: &Path) -> NoCuda {
    match message.split_once(": cannot open shared object file") {
        Some((before, _)) => {
            let library = before.rsplit([' ', '/']).next().unwrap_or(before).to_owned();
            let package = packages::package(&library, libtorch);
            NoCuda::NoPackage { library, package, libtorch: libtorch.to_owned() }
        }
        None => NoCuda::Loader(message.to_owned()),
    }
}

/// The folder of the libtorch that this process runs with.
pub(crate) fn libtorch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find(|line| line.ends_with("/libtorch_cpu.so"))?;
    let path = Path::new(path.get(path.find('/')?..)?);
    Some(path.parent()?.parent()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_library_and_its_package_are_named() {
        let message = "libcudnn.so.9: cannot open shared object file: No such file or directory";
        let error = loader_error(message, Path::new("/nowhere/torch"));
        assert!(error.to_string().contains("libcudnn.so.9 of the package nvidia-cudnn-cu13"), "{error}");
        assert!(error.remedy().starts_with("pip install nvidia-cudnn-cu13"), "{}", error.remedy());
    }

    #[test]
    fn a_libtorch_of_ours_is_completed_by_setup_and_another_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let libtorch = folder.path().join("torch");
        std::fs::create_dir(&libtorch).unwrap();
        let no_library = NoCuda::NoLibrary(libtorch.clone());
        let no_package = loader_error("libcudnn.so.9: cannot open shared object file", &libtorch);
        assert!(no_library.remedy().contains("set NNUNET_LIBTORCH"), "{}", no_library.remedy());
        std::fs::write(folder.path().join("nnunet-complete"), "2.11.0").unwrap();
        for error in [no_library, no_package] {
            assert_eq!(error.remedy(), "run `nnunet setup --cuda`", "{error}");
        }
    }

    #[test]
    fn a_driver_older_than_libtorch_is_named_with_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("version.py"), "cuda: Optional[str] = '13.0'\n").unwrap();
        let driver = |major| Driver { cuda: (major, 4), version: None, gpus: Vec::new() };
        let error = compare_versions(&driver(12), folder.path()).unwrap_err();
        assert!(
            error.to_string().contains("up to 12.4") && error.to_string().contains("CUDA 13.0"),
            "{error}"
        );
        compare_versions(&driver(13), folder.path()).unwrap();
    }

    #[test]
    fn the_libtorch_of_this_process_is_found() {
        let _ = tch::get_num_threads();
        assert!(libtorch_folder().unwrap().join("lib/libtorch_cpu.so").is_file());
    }
}
