//! libtorch 2.11.0: `LIBTORCH`, else `LIBTORCH_USE_PYTORCH=1`, else a private folder filled from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::{Result, root, run};

const VERSION: &str = "2.11.0";
/// What libtorch's CPU part is linked with besides itself: with these alone it runs on a machine without a GPU.
const CPU_NEEDS: [&str; 2] = ["nvidia-cuda-cupti==13.0.*", "nvidia-cuda-runtime==13.0.*"];
/// Written when an installation is complete.
const COMPLETE: &str = "nnunet-complete";

/// Which parts of libtorch are installed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    /// Those for a GPU too, where a driver is seen.
    Seen,
    /// Those for a GPU in any case: for containers and login nodes.
    Cuda,
}

/// Finds or installs libtorch and links it as `.libtorch`, so that plain cargo commands work too.
pub(crate) fn set_up() -> Result<PathBuf> {
    set_up_with(Parts::Seen)
}

/// `cargo setup`, with `--cuda` for a GPU that is not there yet. The program looks for a GPU when it starts: a later one
/// needs no new build.
pub(crate) fn set_up_from(arguments: &[String]) -> Result<()> {
    let parts = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Parts::Seen,
        ["--cuda"] => Parts::Cuda,
        _ => return Err("usage: cargo setup [--cuda]".to_owned()),
    };
    set_up_with(parts).map(|_| ())
}

fn set_up_with(parts: Parts) -> Result<PathBuf> {
    check_compiler()?;
    let (libtorch, source) = find(parts)?;
    check(&libtorch, &source)?;
    if parts == Parts::Cuda && !has_cuda(&libtorch) {
        return Err(format!(
            "{source}: this libtorch lacks the packages for CUDA, and is not ours to change: install torch=={VERSION} \
             with its dependencies there, or unset the variable"
        ));
    }
    let link = root().join(".libtorch");
    if fs::read_link(&link).ok().as_deref() != Some(&libtorch) {
        let _ = fs::remove_file(&link);
        let made = std::os::unix::fs::symlink(&libtorch, &link);
        made.map_err(|error| format!("cannot make the link {}: {error}", link.display()))?;
    }
    Ok(libtorch)
}

fn check_compiler() -> Result<()> {
    let name = env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let found = Command::new(&name).arg("--version").output().is_ok();
    if found { Ok(()) } else { Err(format!("there is no C++ compiler `{name}`: apt-get install g++")) }
}

fn find(parts: Parts) -> Result<(PathBuf, String)> {
    // Cargo sets LIBTORCH to our own link when the user has none.
    let own_link = root().join(".libtorch");
    if let Some(folder) = env::var_os("LIBTORCH").map(PathBuf::from).filter(|folder| *folder != own_link) {
        return Ok((folder, "LIBTORCH".to_owned()));
    }
    if env::var("LIBTORCH_USE_PYTORCH").is_ok_and(|value| value == "1") {
        let code = "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])";
        let output = Command::new("python3").args(["-c", code]).output();
        let path = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
        let path = path.ok_or("LIBTORCH_USE_PYTORCH=1, but the python3 on PATH has no torch; install torch==2.11.0 into it or unset the variable")?;
        return Ok((String::from_utf8_lossy(&path).trim().into(), "LIBTORCH_USE_PYTORCH=1".to_owned()));
    }
    let folder = cache()?.join(format!("nnunet/libtorch-{VERSION}"));
    install(&folder, parts)?;
    Ok((folder.join("torch"), folder.display().to_string()))
}

pub(crate) fn cache() -> Result<PathBuf> {
    let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    named
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME is set".to_owned())
}

fn check(libtorch: &Path, source: &str) -> Result<()> {
    let wrong = |what: String| {
        format!("{source}: {what}; wanted libtorch {VERSION} (unset it to let cargo setup install one)")
    };
    if !libtorch.join("lib/libtorch_cpu.so").is_file() || !libtorch.join("include").is_dir() {
        return Err(wrong(format!("{} has no lib/libtorch_cpu.so and include", libtorch.display())));
    }
    let from_wheel = fs::read_to_string(libtorch.join("version.py")).unwrap_or_default();
    let line = from_wheel.lines().find_map(|line| line.strip_prefix("__version__ = "));
    let version = line.map(|quoted| quoted.trim_matches('\'').to_owned());
    let version =
        version.or_else(|| fs::read_to_string(libtorch.join("build-version")).ok()).unwrap_or_default();
    let version = version.trim();
    if version.split('+').next() == Some(VERSION) {
        Ok(())
    } else {
        Err(wrong(format!("found version `{version}` in {}", libtorch.display())))
    }
}

/// Whether the packages that libtorch's part for CUDA needs lie beside it.
fn has_cuda(libtorch: &Path) -> bool {
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
fn install(folder: &Path, parts: Parts) -> Result<()> {
    if is_complete(folder, parts) {
        return Ok(());
    }
    println!("installing libtorch {VERSION} from PyPI into {} (once)", folder.display());
    let fresh = PathBuf::from(format!("{}.new-{}", folder.display(), std::process::id()));
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", fresh.display());
    fs::create_dir_all(&fresh).map_err(failed)?;
    let installed =
        pip(&fresh, parts).and_then(|()| fs::write(fresh.join(COMPLETE), VERSION).map_err(failed));
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
fn pip(target: &Path, parts: Parts) -> Result<()> {
    let environment = target.join("venv");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&environment).output();
    let has_own = made.is_ok_and(|output| output.status.success()) && environment.join("bin/pip").is_file();
    let mut pip = if has_own {
        Command::new(environment.join("bin/pip"))
    } else {
        // Debian's python3 comes without ensurepip; its python3-pip will do as well.
        let mut command = Command::new("python3");
        command.args(["-m", "pip"]);
        if !Command::new("python3")
            .args(["-m", "pip", "--version"])
            .output()
            .is_ok_and(|output| output.status.success())
        {
            return Err("python3 has neither venv nor pip: apt-get install python3-venv".to_owned());
        }
        command
    };
    let has_gpu = Path::new("/dev/nvidia0").exists() || Path::new("/proc/driver/nvidia").exists();
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--target"]).arg(target);
    if !has_gpu && parts == Parts::Seen {
        pip.arg("--no-deps").args(CPU_NEEDS);
    }
    pip.arg(format!("torch=={VERSION}"));
    run(&mut pip).map_err(|error| format!("torch=={VERSION} cannot be installed from PyPI ({error}); check the network, or set LIBTORCH to a libtorch {VERSION}"))
}
