//! Plugins made of the program's own components.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use nnunet_tests::{World, plugin};

const TABLES: &str = r#"
[trainers.Composed]
extends = "Short"
architecture = "UnetWithExcitation"
loss = "DiceAndEdges"
augmentation = "moreDAAndGaps"
"#;

/// A built-in loss plus a term, `moreDA` plus a transform and `Generic_UNet` with another block are trained, continued and
/// used to predict.
#[test]
fn components_of_the_host_are_parts_of_plugins() {
    let world = World::with_phantoms();
    world.configure(TABLES);
    let libraries = ["my_loss", "my_transform", "my_block"].map(|name| plugin(name).display().to_string());
    let with_plugins = |line: &str| {
        let named: String = libraries.iter().map(|library| format!("--plugin {library} ")).collect();
        world.succeed(&(named + line))
    };
    for library in &libraries {
        let text = world.succeed(&format!("plugins check {library}"));
        assert!(text.contains("all checks passed"), "{text}");
    }
    let train = "train 3d_fullres Composed 900 0 -p nnUNetPlansSmall --disable_validation_inference";
    with_plugins(train);
    let fold = world.path("results/nnUNet/3d_fullres/Task900_Phantom/Composed__nnUNetPlansSmall/fold_0");
    let drawing = std::fs::read(fold.join("network_architecture.pdf")).unwrap();
    assert!(String::from_utf8_lossy(&drawing).contains("UnetWithExcitation"));
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    world.write("nnunet.toml", &toml.replace("max_num_epochs = 2", "max_num_epochs = 3"));
    let text = with_plugins(&format!("{train} -c"));
    assert!(text.contains("epoch:  2") && !text.contains("epoch:  1"), "{text}");
    with_plugins(
        "predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o out -t 900 -m 3d_fullres -f 0 -tr Composed \
         -p nnUNetPlansSmall --disable_tta",
    );
    assert_eq!(nnunet_test_support::files(&world.path("out"), ".nii.gz").len(), 2);
}

/// A plugin's transform in the list of a built-in augmentation: a line of a table.
#[test]
fn a_transform_of_a_plugin_stands_in_a_list() {
    let world = World::with_phantoms();
    world.configure(
        "\n[trainers.WithGaps]\nextends = \"Short\"\naugmentation = { name = \"moreDA\", then = [{ transform = \"Gaps\", p = 1.0 }] }\n\
         [trainers.Without]\nextends = \"Short\"\naugmentation = { name = \"moreDA\", then = [{ transform = \"Gaps\", p = 0.0 }] }\n\
         [trainers.Wrong]\nextends = \"Short\"\naugmentation = { name = \"moreDA\", then = [{ transform = \"Gaps\", q = 1.0 }] }\n",
    );
    let train = |trainer: &str| {
        world.run(&format!(
            "--plugin {} train 3d_fullres {trainer} 900 0 -p nnUNetPlansSmall --disable_validation_inference",
            plugin("my_transform").display()
        ))
    };
    let losses = |trainer: &str| -> Vec<String> {
        let outcome = train(trainer);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        outcome.text.lines().filter(|line| line.starts_with("train loss")).map(str::to_owned).collect()
    };
    assert_ne!(losses("WithGaps"), losses("Without"));
    let wrong = train("Wrong");
    assert!(
        wrong.code == 1 && wrong.text.contains("transform Gaps: unknown field `q`, expected `p`"),
        "{}",
        wrong.text
    );
    let shown = world.succeed("plugins inspect moreDA");
    assert!(shown.contains("`spatial`, `noise`") && shown.contains("then"), "{shown}");
}

/// What a component of the host says of wrong parameters reaches the user, with both names.
#[test]
fn errors_of_the_hosts_components_name_both() {
    let world = World::new();
    world.write("nnunet.toml", "[use]\naugmentation = { name = \"moreDAAndGaps\", p_rott = 1.0 }\n");
    let outcome = world.run(&format!("--plugin {} plugins list", plugin("my_transform").display()));
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    let message = "plugin my-transform, augmentation moreDAAndGaps: augmentation moreDA of the host: ";
    assert!(outcome.text.contains(message) && outcome.text.contains("p_rott"), "{}", outcome.text);
}
