//! Plugins on their way from an author to users, from an empty folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use nnunet_tests::{World, author_shell, plugin, programs, repository};

fn run(folder: &Path, script: &str) -> String {
    let output = author_shell(folder, script).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{text}");
    text
}

const GIT: &str = "git -c user.name=A -c user.email=a@b.c -c commit.gpgsign=false";

/// A new crate has no path of the checkout; it is installed from git, updated, packed, removed, and installed from the pack
/// and from an archive of its sources.
#[test]
fn a_plugin_is_installed_from_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let shell = |script: &str| run(folder.path(), script);
    // `crop` has tensors in no part of it, and is fast to build.
    shell("nnunet plugins new postprocessor crop");
    for name in ["Cargo.toml", "README.md", "src/lib.rs"] {
        let text = fs::read_to_string(folder.path().join("crop").join(name)).unwrap();
        assert!(!text.contains(&repository().display().to_string()), "{name}: {text}");
    }
    shell(&format!("cd crop && git init -q && git add . && {GIT} commit -q -m first"));
    let files = shell("cd crop && git ls-files");
    assert!(files.contains("Cargo.toml") && !files.contains(".cargo"), "{files}");

    let text = shell("nnunet plugins install file://$PWD/crop");
    assert!(text.contains("installed crop 0.1.0"), "{text}");
    let text = shell("nnunet plugins update");
    assert!(text.contains("crop 0.1.0"), "{text}");
    shell(&format!(
        "cd crop && sed -i 's/^version = \"0.1.0\"/version = \"0.2.0\"/' Cargo.toml && {GIT} commit -q -a -m second"
    ));
    let text = shell("nnunet plugins update crop");
    assert!(text.contains("crop 0.1.0 is now 0.2.0"), "{text}");
    let text = shell("nnunet plugins update other || true");
    assert!(text.contains("not known where plugin `other` came from"), "{text}");

    let text = shell("mkdir packs && nnunet plugins pack crop -o packs");
    assert!(
        text.contains("plugin crop 0.2.0 (Apache-2.0)") && text.contains("with postprocessor Crop"),
        "{text}"
    );
    let text = shell("nnunet plugins remove crp || true");
    assert!(text.contains("there is no plugin `crp`") && text.contains("did you mean `crop`"), "{text}");
    shell("nnunet plugins remove crop");
    assert!(!shell("nnunet plugins list").contains(" Crop "));
    let text = shell("nnunet plugins install packs/crop-0.2.0-*.zip");
    assert!(text.contains("with postprocessor Crop") && text.contains("installed crop 0.2.0"), "{text}");
    assert!(shell("nnunet plugins list").contains(" Crop "));

    shell("nnunet plugins remove crop");
    shell("tar czf crop-0.2.0.crate --exclude target --exclude .git --exclude .cargo crop");
    let text = shell("nnunet plugins install crop-0.2.0.crate");
    assert!(text.contains("installed crop 0.2.0"), "{text}");
}

/// A program that was copied out of its checkout has the sources that plugins are built with.
#[test]
fn a_program_without_a_checkout_makes_crates_that_cargo_can_resolve() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("bin")).unwrap();
    fs::copy(programs().join("nnunet"), folder.path().join("bin/nnunet")).unwrap();
    run(folder.path(), "bin/nnunet plugins new trainer alone");
    let config = fs::read_to_string(folder.path().join("alone/.cargo/config.toml")).unwrap();
    let cache = folder.path().join("cache/nnunet/api");
    assert!(config.contains(&cache.display().to_string()), "{config}");
    let script =
        "cargo metadata --format-version 1 --offline --filter-platform $(rustc -vV | sed -n 's/host: //p')";
    let metadata = run(&folder.path().join("alone"), script);
    assert!(metadata.contains("nnunet-plugin-torch"), "{metadata}");
}

/// A plugin that is listed in nnunet.toml and missing is an error of the commands that use it.
#[test]
fn a_missing_plugin_blocks_only_what_uses_it() {
    let world = World::new();
    let toml = "[plugins.organs]\npath = \"organs.so\"\n[postprocessors.Mine]\nextends = \"LesionsInOrgan\"\nlesion = 3\n\
        [use]\npostprocessor = { name = \"Mine\", lesion = 4 }\n";
    world.write("nnunet.toml", toml);
    let text = world.succeed("plugins list --kind planner");
    assert!(text.contains("ExperimentPlanner3D_v21") && text.contains("organs.so is not used"), "{text}");
    let refused = world.succeed("plugins list --refused");
    assert!(refused.contains("missing") && refused.contains("there is no such file"), "{refused}");
    assert!(!refused.contains("ExperimentPlanner3D_v21"), "{refused}");
    fs::create_dir(world.path("labels")).unwrap();
    let outcome = world.run("apply_postprocessing -i labels -o out -pp Mine");
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    let message = "[postprocessors.Mine]: there is no postprocessor `LesionsInOrgan`";
    assert!(outcome.text.contains(message) && outcome.text.contains("not used: "), "{}", outcome.text);
    fs::copy(plugin("my_postprocessor"), world.path("organs.so")).unwrap();
    assert!(world.succeed("plugins list").contains(" Mine "));
    assert!(world.succeed("plugins list --refused").contains("every plugin that was found is used"));
}

/// A built-in component must not be used silently in place of a plugin's that is meant to replace it.
#[test]
fn a_missing_plugin_that_replaces_built_ins_is_an_error_of_every_command() {
    let world = World::new();
    world.write("nnunet.toml", "[plugins.organs]\npath = \"organs.so\"\nallow-override = true\n");
    let outcome = world.run("plugins list");
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    assert!(outcome.text.contains("organs.so: there is no such file"), "{}", outcome.text);
}

/// Everything that a registry needs of the crates that plugins depend on. They are not compiled again here.
#[test]
fn the_crates_that_plugins_depend_on_can_be_packaged() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["nnunet-plugin-core", "nnunet-plugin-torch", "nnunet-plugin-api", "nnunet-plugin-test"];
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["package", "--no-verify", "--allow-dirty", "--offline", "--target-dir"]).arg(folder.path());
    for name in names {
        cargo.args(["-p", name]);
    }
    let output = cargo.current_dir(repository()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = |name: &str| {
        let archive = folder.path().join(format!("package/{name}-0.1.0.crate"));
        let output = Command::new("tar").arg("tzf").arg(archive).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(files("nnunet-plugin-torch").contains("shim/autocast.cpp"), "its build script compiles it");
    assert!(files("nnunet-plugin-api").contains("include/nnunet_plugin.h"));
    assert!(names.iter().all(|name| files(name).contains("README.md")));
}
