//! libtorch 2.11.0: `LIBTORCH`, else `LIBTORCH_USE_PYTORCH=1`, else a private folder filled from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use nnunet_libtorch::{Parts, VERSION, has_cuda, torch_version};

use crate::{Result, root};

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
    let installed = nnunet_libtorch::install(Path::new("python3"), parts, &|text| println!("{text}"))?;
    Ok((installed.clone(), installed.display().to_string()))
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
    let version = torch_version(libtorch).unwrap_or_default();
    if version.split('+').next() == Some(VERSION) {
        Ok(())
    } else {
        Err(wrong(format!("found version `{version}` in {}", libtorch.display())))
    }
}
