//! Set-up, the demo, the reference pages and all checks, one command each: `cargo setup`, `cargo demo`, `cargo verify`,
//! `cargo interop`, `cargo reference`, `cargo lint`.
//!
//! Depends on std, and a crate that does: it builds in seconds, before there is a libtorch.

mod demo;
mod libtorch;
mod numeric;
mod python;
mod timing;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;

/// One sentence for the user.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) =
        arguments.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let done = match command {
        "setup" => libtorch::set_up_from(rest),
        "demo" => build().and_then(|()| demo::run(rest)),
        "verify" => test(rest),
        "interop" => build().and_then(|()| python::test(&libtorch::set_up()?)),
        "reference" => build().and_then(|()| reference()),
        "lint" => libtorch::set_up().and_then(|libtorch| lint(&libtorch)),
        _ => Err("usage: cargo setup [--cuda] | cargo demo [FOLDER] | cargo verify [TEST ARGUMENTS] | cargo interop | cargo reference | cargo lint"
            .to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The checkout. `cargo run` passes the present folder of this package when it starts the program; a path compiled in
/// with `env!` would be that of the build, and wrong after the checkout was moved together with its `target`.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let checkout = package.as_deref().and_then(|package| package.ancestors().nth(2)).map(Path::to_owned);
    checkout.or_else(|| std::env::current_dir().ok()).unwrap_or_else(|| PathBuf::from("."))
}

/// Builds everything.
fn build() -> Result<()> {
    let libtorch = libtorch::set_up()?;
    cargo(&libtorch, &["build", "--release", "--workspace"])
}

fn test(arguments: &[String]) -> Result<()> {
    numeric::show_processor();
    let libtorch = libtorch::set_up()?;
    // Pip loads gigabytes while the compiler works.
    let python = is_ci().then(|| thread::spawn(python::set_up));
    build()?;
    // What the memory checker runs. With other features than those of the workspace its dependencies would be built anew.
    cargo(&libtorch, &["build", "--release", "--workspace", "--example", "plugin_calls"])?;
    let tests = ["test", "--release", "--workspace", "--tests"];
    let mut all = cargo_command(&libtorch);
    // With all failures in one run.
    all.args(tests).arg("--no-fail-fast").args(arguments);
    if let Some(python) = python {
        cargo(&libtorch, &[&tests[..], &["--no-run"]].concat())?;
        all.envs(python.join().map_err(|_| "the set-up of Python panicked")??);
    }
    timing::run_and_list_slowest(&mut all)?;
    if arguments.is_empty() {
        numeric::test(&libtorch)?;
    }
    let without_tensors = ["--package", "nnunet-plugin-core", "--package", "nnunet-numerics"];
    cargo(&libtorch, &[&["test", "--release", "--doc"][..], &without_tensors].concat())?;
    // Examples in the documentation are run from a temporary folder, where the rpath leads nowhere.
    let library = libtorch.join("lib").display().to_string();
    let with_tensors = ["--package", "nnunet-plugin-torch", "--package", "nnunet-plugin-test"];
    let examples = [&["test", "--release", "--doc"][..], &with_tensors].concat();
    cargo_with(&libtorch, &examples, &[("LD_LIBRARY_PATH", &library)])
}

/// Writes what is made from the components' own words: what the light program knows of those with tensors, and the
/// reference pages; builds again with it.
fn reference() -> Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let program = target.join("release/nnunet-torch");
    let write = |arguments: &[&str], file: &str| -> Result<()> {
        // No plugin and no file of the user's has a say here.
        let nowhere = target.join("nowhere");
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(target.join("release")).env_remove("NNUNET_PLUGIN_PATH");
        command.env_remove("NNUNET_CONFIG").env("XDG_DATA_HOME", &nowhere).env("XDG_CONFIG_HOME", &nowhere);
        let output = command.output().map_err(|error| format!("{}: {error}", program.display()))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        std::fs::write(root().join(file), output.stdout).map_err(|error| format!("{file}: {error}"))
    };
    write(&["plugins", "docs", "--tensors", "--array"], "host/plugins/src/with_tensors.json")?;
    write(&["plugins", "docs"], "docs/components.md")?;
    write(&["config", "schema"], "docs/nnunet.schema.json")?;
    build()
}

fn lint(libtorch: &Path) -> Result<()> {
    cargo(libtorch, &["fmt", "--all", "--check"])?;
    cargo(libtorch, &["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

/// Runs cargo with the libtorch that was found.
fn cargo(libtorch: &Path, arguments: &[&str]) -> Result<()> {
    cargo_with(libtorch, arguments, &[])
}

/// The same with more environment variables.
fn cargo_with(libtorch: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Result<()> {
    run(cargo_command(libtorch).args(arguments).envs(variables.iter().copied()))
}

fn cargo_command(libtorch: &Path) -> Command {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.current_dir(root()).env("LIBTORCH", libtorch).env_remove("LIBTORCH_USE_PYTORCH");
    command
}

/// Whether nothing may be skipped.
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Runs a command; its failure is an error.
fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}").replace('"', "");
    println!("$ {}", shown.split_once("cargo ").map_or(shown.as_str(), |(_, rest)| rest));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` ended with {status}")),
        Err(error) => Err(format!("`{shown}` cannot be started: {error}")),
    }
}
