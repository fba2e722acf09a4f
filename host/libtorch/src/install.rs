//! Installs libtorch from PyPI into this user's cache.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::VERSION;

/// What libtorch's CPU part is linked with besides itself: with these alone it runs on a machine without a GPU.
const CPU_NEEDS: [&str; 2] = ["nvidia-cuda-cupti==13.0.*", "nvidia-cuda-runtime==13.0.*"];
/// The Python whose torch is installed.
const PYTHON: &str = "3.12";
/// Written when an installation is complete.
const COMPLETE: &str = "nnunet-complete";

/// One sentence for the user.
type Result<T> = std::result::Result<T, String>;

/// Which parts of libtorch are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// Those for a GPU too, where a driver is seen.
    Seen,
    /// Those for a GPU in any case: for containers and login nodes.
    Cuda,
}

/// Where libtorch is installed, whether it is there or not; none where this user has no folder for a cache.
#[must_use]
pub fn installed() -> Option<PathBuf> {
    Some(folder()?.join("torch"))
}

fn folder() -> Option<PathBuf> {
    let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let cache = named.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join(format!("nnunet/libtorch-{VERSION}")))
}

/// Installs libtorch with the pip of a Python program, unless it is there already, and returns its folder. `tell` is
/// called before something is fetched.
///
/// # Errors
/// Returns an error if there is no folder for it, no pip, or no connection to PyPI.
pub fn install(python: &Path, parts: Parts, tell: &dyn Fn(&str)) -> Result<PathBuf> {
    let folder = folder().ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    install_into(&folder, python, parts, tell)?;
    Ok(folder.join("torch"))
}

/// Whether the packages that libtorch's part for CUDA needs lie beside it.
#[must_use]
pub fn has_cuda(libtorch: &Path) -> bool {
    let beside = libtorch.parent().unwrap_or(libtorch).join("nvidia");
    libtorch.join("lib/libtorch_cuda.so").is_file()
        && ["cudnn", "nccl", "cusparselt", "nvshmem"].iter().all(|name| beside.join(name).is_dir())
}

/// Whether what was asked for is installed in `folder`.
fn is_complete(folder: &Path, parts: Parts) -> bool {
    folder.join(COMPLETE).is_file() && (parts == Parts::Seen || has_cuda(&folder.join("torch")))
}

/// Installs torch from PyPI into `folder`: beside it first, renamed when complete, so that an interrupted or a second
/// installation does no harm.
fn install_into(folder: &Path, python: &Path, parts: Parts, tell: &dyn Fn(&str)) -> Result<()> {
    if is_complete(folder, parts) {
        return Ok(());
    }
    tell(&format!("installing libtorch {VERSION} from PyPI into {} (once)", folder.display()));
    let fresh = PathBuf::from(format!("{}.new-{}", folder.display(), std::process::id()));
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", fresh.display());
    fs::create_dir_all(&fresh).map_err(failed)?;
    let installed =
        pip(&fresh, python, parts).and_then(|()| fs::write(fresh.join(COMPLETE), VERSION).map_err(failed));
    if let Err(message) = installed {
        let _ = fs::remove_dir_all(&fresh);
        return Err(message);
    }
    if folder.exists() {
        if is_complete(folder, parts) {
            // Another set-up was faster.
            return fs::remove_dir_all(&fresh).map_err(failed);
        }
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    fs::rename(&fresh, folder).map_err(failed)
}

/// A private virtual environment brings pip; what it installs goes into `target`.
fn pip(target: &Path, python: &Path, parts: Parts) -> Result<()> {
    let environment = target.join("venv");
    let made = Command::new(python).args(["-m", "venv"]).arg(&environment).output();
    let has_own = made.is_ok_and(|output| output.status.success()) && environment.join("bin/pip").is_file();
    let mut pip = if has_own {
        Command::new(environment.join("bin/pip"))
    } else {
        // Debian's python3 comes without ensurepip; its python3-pip will do as well.
        let mut command = Command::new(python);
        command.args(["-m", "pip"]);
        if !Command::new(python)
            .args(["-m", "pip", "--version"])
            .output()
            .is_ok_and(|output| output.status.success())
        {
            return Err(format!(
                "{} has neither venv nor pip: apt-get install python3-venv",
                python.display()
            ));
        }
        command
    };
    let has_gpu = Path::new("/dev/nvidia0").exists() || Path::new("/proc/driver/nvidia").exists();
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--target"]).arg(target);
    // Only its libraries are used, so the version of the Python that runs pip need not be one that this torch supports.
    pip.args(["--only-binary=:all:", "--ignore-requires-python", "--python-version", PYTHON]);
    if !has_gpu && parts == Parts::Seen {
        pip.arg("--no-deps").args(CPU_NEEDS);
    }
    pip.arg(format!("torch=={VERSION}"));
    let failed = |reason: String| {
        format!(
            "torch=={VERSION} cannot be installed from PyPI ({reason}); check the network, or set LIBTORCH to a libtorch \
             {VERSION}"
        )
    };
    match pip.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!("pip ended with {status}"))),
        Err(error) => Err(failed(format!("pip cannot be started: {error}"))),
    }
}
