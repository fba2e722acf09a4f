//! Where plugins are found, which one wins, and which files are never run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use nnunet_tests::{World, plugin};

/// Copies a built plugin into a folder of the world.
fn place(world: &World, name: &str, folder: &str) -> PathBuf {
    fs::create_dir_all(world.path(folder)).unwrap();
    let to = world.path(folder).join(format!("lib{name}.so"));
    fs::copy(plugin(name), &to).unwrap();
    to
}

const USER: &str = "data/nnunet/plugins";

/// A shared library from C.
fn compile(world: &World, name: &str, code: &str) -> PathBuf {
    world.write("code.c", code);
    let to = world.path(name);
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&to)
        .arg(world.path("code.c"))
        .status()
        .unwrap();
    assert!(status.success());
    to
}

#[test]
fn the_search_path_goes_before_the_users_folder_and_hiding_is_said() {
    let world = World::new();
    place(&world, "my_planner", USER);
    let folder = place(&world, "my_planner", "found").parent().unwrap().display().to_string();
    let outcome = world.run_with("plugins list --kind planner --all", &[("NNUNET_PLUGIN_PATH", &folder)]);
    let rows: Vec<&str> = outcome.text.lines().filter(|line| line.contains(" MyPlanner ")).collect();
    assert!(rows[0].contains(" loaded ") && rows[0].contains("/found/"), "{}", outcome.text);
    assert!(rows[1].contains(" shadowed ") && rows[1].contains(USER), "{}", outcome.text);
    assert!(outcome.text.contains("warning: planner MyPlanner of plugin my-planner"), "{}", outcome.text);
    assert!(outcome.text.contains("is hidden by one of higher precedence"), "{}", outcome.text);
}

#[test]
fn a_file_found_twice_counts_once() {
    let world = World::new();
    let file = place(&world, "my_planner", USER);
    let text = world.succeed(&format!("--plugin {} plugins list --all", file.display()));
    assert_eq!(text.matches("MyPlanner").count(), 1, "{text}");
}

#[test]
fn pins_are_written_with_comments_kept_and_checked_before_loading() {
    let world = World::new();
    let file = place(&world, "my_planner", "lib");
    let toml = "# Our planner.\n[plugins]\nmine = { path = \"lib/libmy_planner.so\" } # cubes\n";
    world.write("nnunet.toml", toml);
    let said = world.succeed("plugins pin");
    let pinned = fs::read_to_string(world.path("nnunet.toml")).unwrap();
    assert!(pinned.starts_with("# Our planner.") && pinned.contains("# cubes"), "{pinned}");
    assert!(pinned.contains("version = \"0.1.0\"") && pinned.contains("sha256 = \""), "{pinned}");
    assert!(said.contains("mine 0.1.0 sha256 "), "{said}");
    assert!(world.succeed("plugins list").contains("MyPlanner"));

    // A byte more, and it is another file.
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    fs::write(&file, bytes).unwrap();
    let outcome = world.run("plugins list");
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("sha256: found "), "{}", outcome.text);
    assert!(outcome.text.contains("if the new file is meant, run nnunet plugins pin"), "{}", outcome.text);
    world.succeed("plugins pin");
    world.succeed("plugins list");
}

#[test]
fn a_plugin_of_the_users_folder_is_pinned_by_its_name() {
    let world = World::new();
    place(&world, "my_planner", USER);
    world.succeed("plugins pin my-planner");
    let pinned = fs::read_to_string(world.path("nnunet.toml")).unwrap();
    assert!(pinned.starts_with("[plugins.my-planner]\npath = "), "{pinned}");
    let outcome = world.run("plugins pin no-such");
    assert!(outcome.text.contains("there is no plugin `no-such`"), "{}", outcome.text);
}

#[test]
fn a_version_requirement_is_met_or_named() {
    let world = World::new();
    place(&world, "my_planner", "lib");
    let table = |version: &str| {
        world.write(
            "nnunet.toml",
            &format!("[plugins.mine]\npath = \"lib/libmy_planner.so\"\nversion = \"{version}\"\n"),
        );
        world.run("plugins list")
    };
    assert_eq!(table("0.1").code, 0);
    let outcome = table(">=2");
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("version: found 0.1.0, wanted >=2"), "{}", outcome.text);
    assert!(table("soon").text.contains("version must be a requirement"));
}

/// A library that ends the process in an initializer harms only the child that loads it first.
#[test]
fn a_plugin_that_crashes_at_load_is_listed_as_broken_and_the_rest_works() {
    let world = World::new();
    fs::create_dir_all(world.path("found")).unwrap();
    let code = "#include <stdio.h>\n#include <stdlib.h>\n\
        __attribute__((constructor)) static void start(void) { fputs(\"no license\\n\", stderr); abort(); }\n";
    compile(&world, "found/crash.so", code);
    let folder = world.path("found").display().to_string();
    for _ in 0..2 {
        let outcome = world.run_with("plugins list", &[("NNUNET_PLUGIN_PATH", &folder)]);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        let row = outcome.text.lines().find(|line| line.starts_with("plugin ")).unwrap();
        assert!(row.contains("crash.so") && row.contains(" broken "), "{row}");
        assert!(row.contains("ends the process that loads it (signal: 6 (SIGABRT)"), "{row}");
        assert!(row.contains("no license"), "{row}");
    }
    let outcome = world.run("--plugin found/crash.so plugins list");
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("plugin found/crash.so: ends the process"), "{}", outcome.text);
}

#[test]
fn a_library_that_is_no_plugin_is_broken_with_the_symbol_that_is_missing() {
    let world = World::new();
    compile(&world, "plain.so", "int nothing;\n");
    let outcome = world.run("--plugin plain.so plugins list");
    assert!(outcome.text.contains("has no symbol NNUNET_PLUGIN_HANDSHAKE"), "{}", outcome.text);
}

#[test]
fn a_folder_everybody_may_write_to_is_not_looked_into() {
    let world = World::new();
    place(&world, "my_planner", "open");
    fs::set_permissions(world.path("open"), fs::Permissions::from_mode(0o777)).unwrap();
    let folder = world.path("open").display().to_string();
    let outcome = world.run_with("plugins list", &[("NNUNET_PLUGIN_PATH", &folder)]);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(outcome.text.contains("open is writable by everybody"), "{}", outcome.text);
    assert!(!outcome.text.contains("MyPlanner"), "{}", outcome.text);
}

#[test]
fn the_list_as_json_says_what_the_table_says() {
    let world = World::new();
    place(&world, "my_planner", USER);
    let text = world.succeed("plugins list --kind planner --json");
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mine = rows.iter().find(|row| row["name"] == "MyPlanner").unwrap();
    assert_eq!(mine["plugin"], "my-planner");
    assert_eq!(mine["version"], "0.1.0");
    assert_eq!(mine["status"], "loaded");
    assert!(rows.iter().all(|row| row["kind"] == "planner"));
    let outcome = world.run("plugins list --kind planer");
    assert_eq!(outcome.code, 2);
    assert!(outcome.text.contains("there is no kind `planer`"), "{}", outcome.text);
}

#[test]
fn a_check_tries_every_component() {
    let world = World::new();
    let check = |name: &str, fault: &str| {
        let line = format!("plugins check {}", plugin(name).display());
        world.run_with(&line, &[("NNUNET_MISBEHAVE", fault)])
    };
    let good = check("my_postprocessor", "");
    assert_eq!(good.code, 0, "{}", good.text);
    assert!(good.text.contains("returns the same result on several threads at once"), "{}", good.text);
    let volumes = check("misbehaving", "");
    assert_eq!(volumes.code, 0, "{}", volumes.text);
    let said = "ok   architecture Pointwise: refuses the other number of axes: plugin misbehaving, architecture Pointwise: build: Pointwise is for volumes";
    assert!(volumes.text.contains(said), "{}", volumes.text);
    for (name, said) in [
        ("my_augmentation", "augmentation KSpaceSpikes: returns the same result for the same random numbers"),
        ("my_imaging", "format MetaImage: reads the .mha files that it writes"),
        ("my_imaging", "logger CsvLogger: accepts an epoch without a metric"),
    ] {
        let outcome = check(name, "");
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        assert!(outcome.text.contains(&format!("ok   {said}")), "{}", outcome.text);
    }
    let bad = check("misbehaving", "nan");
    assert_eq!(bad.code, 1, "{}", bad.text);
    assert!(
        bad.text.contains("FAIL trainer Misbehaving") && bad.text.contains("NaN is not finite"),
        "{}",
        bad.text
    );
}

/// Whatever the command is: a wrong parameter of a postprocessor would otherwise be noticed after days of training.
#[test]
fn wrong_parameters_in_use_are_an_error_of_every_command() {
    let world = World::new();
    let library = plugin("my_postprocessor").display().to_string();
    let list = |parameters: &str| {
        let choice = format!("[use]\npostprocessor = {{ name = \"LesionsInOrgan\", {parameters} }}\n");
        world.write("nnunet.toml", &choice);
        world.run(&format!("--plugin {library} plugins list"))
    };
    assert_eq!(list("lesion = 3").code, 0);
    for (parameters, message) in [
        (
            "leson = 3",
            "[use] postprocessor = \"LesionsInOrgan\": unknown key `leson`; did you mean `lesion`?",
        ),
        ("lesion = \"three\"", "invalid type: string \"three\""),
    ] {
        let outcome = list(parameters);
        assert_eq!(outcome.code, 1, "{parameters}: {}", outcome.text);
        assert!(outcome.text.contains(message), "{parameters}: {}", outcome.text);
    }
    // A plugin that is not there is an error of the commands that use it.
    assert_eq!(world.run("plugins list").code, 0);
}

#[test]
fn a_table_is_described_with_its_own_defaults() {
    let world = World::new();
    let tables = "[losses.Mine]\nextends = \"DC_and_topk_loss\"\nk = 33\n[losses.Other]\nextends = \"Mine\"\n\
        [trainers.Quick]\nextends = \"nnUNetTrainerV2\"\nmax_num_epochs = 7\n\
        [planners.Wide]\nextends = \"ExperimentPlanner3D_v21\"\nbase_num_features = 48\n";
    world.write("nnunet.toml", tables);
    for (name, line) in [
        ("Mine", "k = 33"),
        ("Other", "k = 33"),
        ("Quick", "max_num_epochs = 7 "),
        ("Wide", "base_num_features = 48 "),
    ] {
        let text = world.succeed(&format!("plugins inspect {name}"));
        assert!(text.contains(line), "{name}: {text}");
    }
}
