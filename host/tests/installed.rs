//! The programs as users install them: in a folder of their own, with the libtorch of `nnunet setup` or that of a Python
//! environment; completions and man pages.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use nnunet_tests::{Outcome, World, programs};

/// Nothing of the user who runs the tests may help.
const NOTHING_NAMED: [(&str, &str); 4] =
    [("LIBTORCH", ""), ("NNUNET_LIBTORCH", ""), ("VIRTUAL_ENV", ""), ("CONDA_PREFIX", "")];

/// Both programs in the folder `env/bin` of a world.
fn installed() -> World {
    let world = World::new();
    fs::create_dir_all(world.path("env/bin")).unwrap();
    for name in ["nnunet", "nnunet-torch"] {
        fs::copy(programs().join(name), world.path("env/bin").join(name)).unwrap();
    }
    world
}

fn run(world: &World, line: &str) -> Outcome {
    world.run_program(&world.path("env/bin/nnunet"), line, &NOTHING_NAMED)
}

/// The libtorch of the build, which cargo names to tests.
fn libtorch() -> PathBuf {
    PathBuf::from(std::env::var_os("LIBTORCH").unwrap()).canonicalize().unwrap()
}

/// A torch in the Python environment of the programs.
fn place_of_torch(world: &World) -> PathBuf {
    let packages = world.path("env/lib/python3.11/site-packages");
    fs::create_dir_all(&packages).unwrap();
    packages.join("torch")
}

#[test]
fn libtorch_is_found_where_setup_installs_it_and_in_the_environment() {
    let world = installed();
    let cache = world.path("cache/nnunet/libtorch-2.11.0");
    fs::create_dir_all(&cache).unwrap();
    for place in [cache.join("torch"), place_of_torch(&world)] {
        symlink(libtorch(), &place).unwrap();
        let outcome = run(&world, "doctor");
        let line = outcome.text.lines().find(|line| line.starts_with("libtorch: 2.11.0")).map(str::to_owned);
        let line = line.unwrap_or_else(|| panic!("{}: {}", place.display(), outcome.text));
        assert!(run(&world, "trainers list").text.contains("nnUNetTrainerV2"), "{line}");
        fs::remove_file(&place).unwrap();
    }
}

#[test]
fn without_libtorch_or_with_another_version_the_remedy_is_named() {
    let world = installed();
    let refused = |what: &str| {
        let outcome = run(&world, "trainers list");
        assert_ne!(outcome.code, 0, "{what}: {}", outcome.text);
        assert!(outcome.text.contains("Run `nnunet setup`"), "{what}: {}", outcome.text);
        outcome.text
    };
    refused("no libtorch");
    assert!(run(&world, "plugins list --kind planner").text.contains("ExperimentPlanner3D_v21"));
    let other = place_of_torch(&world);
    fs::create_dir_all(other.join("lib")).unwrap();
    fs::write(other.join("lib/libtorch_cpu.so"), "").unwrap();
    fs::write(other.join("version.py"), "__version__ = '2.1.2+cu121'\n").unwrap();
    assert!(refused("an old torch").contains("is version 2.1.2+cu121"));
}

#[test]
fn completions_are_printed_for_the_three_shells() {
    let world = World::new();
    for (shell, beginning) in [("bash", "_nnunet() {"), ("zsh", "#compdef nnunet"), ("fish", "# ")] {
        let script = world.succeed(&format!("completions {shell}"));
        assert!(script.starts_with(beginning), "{shell}: {}", &script[..40]);
        assert!(script.contains("plan_and_preprocess") && script.contains("overwrite"), "{shell}");
    }
    world.write("nnunet.bash", &world.succeed("completions bash"));
    // What bash offers after `nnunet plan_a`.
    let ask = ". ./nnunet.bash && complete -p nnunet && COMP_WORDS=(nnunet plan_a) COMP_CWORD=1 && \
               _nnunet nnunet plan_a nnunet && printf '%s\\n' \"${COMPREPLY[@]}\"";
    let shell = Command::new("bash").args(["-c", ask]).current_dir(world.path(".")).output().unwrap();
    let offered = String::from_utf8_lossy(&shell.stdout);
    assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
    assert!(offered.lines().any(|word| word == "plan_and_preprocess"), "{offered}");
}

#[test]
fn every_command_has_a_man_page() {
    let world = World::new();
    world.succeed("man_pages --dir man");
    let read = |page: &str| fs::read_to_string(world.path("man").join(format!("{page}.1")));
    let first = read("nnunet").unwrap();
    // nnunet\-predict(1)
    let named = first.lines().filter_map(|line| line.strip_suffix("(1)")).map(|name| name.replace('\\', ""));
    let named: Vec<String> = named.collect();
    assert!(named.len() >= 30 && named.contains(&"nnunet-predict".to_owned()), "{named:?}");
    for page in named {
        let text = read(&page).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{page}");
    }
}
