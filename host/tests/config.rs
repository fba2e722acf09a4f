//! `nnunet.toml`: what it selects, what wins, and what is made from the components' own words.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::fs;

use nnunet_plugin_core::{Info, Kind};
use nnunet_tests::{World, programs, repository};

#[test]
fn every_value_is_shown_with_the_place_it_comes_from() {
    let world = World::new();
    world.write("nnunet.toml", "[use]\ntrainer = \"Mine\"\n[trainers.Mine]\nextends = \"nnUNetTrainerV2\"\n");
    fs::create_dir_all(world.path("config/nnunet")).unwrap();
    world.write(
        "config/nnunet/nnunet.toml",
        "[use]\ntrainer = \"Theirs\"\nplans = \"nnUNetPlansX\"\n[folders]\nresults = \"/r\"\n",
    );
    let text = world.succeed("config show --origin");
    let line =
        |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{text}"));
    assert!(line("use.trainer = \"Mine\"").contains("# project file nnunet.toml"), "{text}");
    assert!(line("use.plans = \"nnUNetPlansX\"").contains("# user file "), "{text}");
    assert!(line("use.planner = \"ExperimentPlanner3D_v21\"").ends_with("# default"), "{text}");
    assert!(line("folders.results").ends_with("# environment RESULTS_FOLDER"), "{text}");
    let named = world.succeed("config show --origin --config config/nnunet/nnunet.toml");
    assert!(named.contains("# flag --config"), "{named}");
}

#[test]
fn the_project_chooses_what_the_command_line_does_not_name() {
    let world = World::new();
    world.write("nnunet.toml", "[use]\ntrainer = \"Mine\"\nplanner = \"Nobody\"\n");
    assert!(world.succeed("predict --help").contains("[default: Mine]"));
    let outcome = world.run("plan_and_preprocess -t 4");
    assert!(outcome.text.contains("there is no planner `Nobody`"), "{}", outcome.text);
    world.write("nnunet.toml", "");
    let outcome = world.run("train 3d_fullres 4 0");
    assert!(
        outcome.text.contains("may be left out where [use] in nnunet.toml names one"),
        "{}",
        outcome.text
    );
}

#[test]
fn folders_may_stand_in_the_file_and_the_environment_wins() {
    let world = World::new();
    world.write("nnunet.toml", "[folders]\nraw_data_base = \"elsewhere\"\n");
    let unset = world.run_with("plan_and_preprocess -t 4", &[("nnUNet_raw_data_base", "")]);
    assert!(unset.text.contains("nnUNet_raw_data_base=elsewhere"), "{}", unset.text);
    let set = world.run("plan_and_preprocess -t 4");
    assert!(!set.text.contains("elsewhere"), "{}", set.text);
}

#[test]
fn tables_of_parameters_follow_their_parents_in_any_order() {
    let world = World::new();
    world.write(
        "nnunet.toml",
        "[losses.A]\nextends = \"B\"\n[losses.B]\nextends = \"DC_and_topk_loss\"\nk = 5\n[preprocessors.P]\nextends = \"GenericPreprocessor\"\norder_data = 1\n",
    );
    let list = world.succeed("plugins list");
    for name in [" A ", " B ", " P "] {
        assert!(list.contains(name), "{list}");
    }
    world.write("nnunet.toml", "[losses.A]\nextends = \"Nothing\"\n");
    // It may come with a plugin, which other commands do not need.
    let text = world.succeed("plugins list");
    assert!(text.contains("[losses.A]: there is no loss `Nothing`"), "{text}");
    world.write("nnunet.toml", "[postprocessors.A]\nextends = \"MinimumSize\"\nmm = 5.0\n");
    let outcome = world.run("plugins list");
    assert!(outcome.text.contains("unknown key `mm`; did you mean `mm3`?"), "{}", outcome.text);
}

#[test]
fn a_component_tells_its_parameters() {
    let world = World::new();
    let text = world.succeed("plugins inspect MinimumSize");
    assert!(text.contains("mm3 = 10.0   number") && text.contains("[postprocessors.Mine]"), "{text}");
    assert!(
        world.succeed("plugins inspect planner:ExperimentPlanner3D_v21").contains("base_num_features = 32")
    );
    let adam = world.succeed("plugins inspect nnUNetTrainerV2_Adam");
    assert!(
        adam.contains("optimizer = { name = \"Adam\"") && adam.contains("max_num_epochs = 1000"),
        "{adam}"
    );
    let planner = world.succeed("plugins inspect ExperimentPlanner3D_v21_3cps");
    assert!(planner.contains("conv_per_stage = 3"), "{planner}");
    let outcome = world.run("plugins inspect MinimumSiz");
    assert!(outcome.text.contains("did you mean `MinimumSize`?"), "{}", outcome.text);
}

/// What is made from the components' own words is what they say now.
#[test]
fn reference_and_schema_are_current() {
    let world = World::new();
    let root = repository();
    let now = |program: &str, line: &str| {
        let outcome = world.run_program(&programs().join(program), line, &[]);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        outcome.text
    };
    let kept = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    let same = |text: &str, file: &str| {
        assert!(text == kept(file), "{file} is not what the components say; run cargo reference");
    };
    same(&now("nnunet-torch", "plugins docs --tensors --array"), "host/plugins/src/with_tensors.json");
    same(&now("nnunet", "plugins docs"), "docs/components.md");
    let infos: Vec<Info> = serde_json::from_str(&kept("host/plugins/src/with_tensors.json")).unwrap();
    for info in infos.iter().filter(|info| matches!(info.kind, Kind::Architecture | Kind::Loss)) {
        let silent: Vec<_> = info.parameters().into_iter().filter(|row| row.doc.is_empty()).collect();
        assert!(silent.is_empty(), "{} does not say what these mean: {silent:?}", info.name);
    }
    same(&now("nnunet", "config schema"), "docs/nnunet.schema.json");
}
