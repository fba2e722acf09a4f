//! Plugins of other builds: of an earlier minor of the ABI, copied under another name, made by another compiler.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

use nnunet_plugin_core::abi::LIBTORCH_OF_SHIM;
use nnunet_tests::{World, plugin, repository};

/// The stored plugins of earlier minors, unpacked; none on machines they were not made for.
fn stored(world: &World, test: &str) -> Vec<PathBuf> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        eprintln!("skipped {test}: the stored plugins are for x86_64 Linux");
        return Vec::new();
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(repository().join("tests/stored")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".gz") else { continue };
        let (packed, mut bytes) = (std::fs::File::open(entry.path()).unwrap(), Vec::new());
        flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
        std::fs::write(world.path(name), bytes).unwrap();
        files.push(world.path(name));
    }
    assert!(!files.is_empty());
    files
}

/// Three kinds of components of the stored plugin, used.
#[test]
fn plugins_of_earlier_minors_work() {
    let world = World::with_phantoms();
    let scaled = "\n[planners.Scaled]\nextends = \"Small\"\nnormalization = \"Percentiles\"\nplans_identifier = \"nnUNetPlansScaled\"\ndata_identifier = \"nnUNetData_scaled\"\n";
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    world.write("nnunet.toml", &(toml + scaled));
    for file in stored(&world, "plugins_of_earlier_minors_work") {
        let name = file.display();
        let list = world.succeed(&format!("--plugin {name} --json plugins list --kind normalization"));
        let row = list.lines().find(|line| line.contains("Percentiles")).unwrap();
        let minor = file.file_stem().unwrap().to_str().unwrap().rsplit_once('-').unwrap().1;
        let listed = [format!("\"abi\":\"{minor}\""), "\"status\":\"loaded\"".to_owned()];
        assert!(listed.iter().all(|word| row.contains(word)), "{row}");
        world.succeed(&format!(
            "--plugin {name} plan_and_preprocess -t 900 -pl3d Scaled -pl2d None -tl 2 -tf 2"
        ));
        let made = world.path("preprocessed/Task900_Phantom/nnUNetData_scaled_stage0/phantom_000.npz");
        let case = nnunet_formats::npz::load_f32(&made, "data").unwrap();
        let image = case.index_axis(ndarray::Axis(0), 0);
        let (low, high) = image.iter().fold((1.0_f32, 0.0_f32), |(l, h), v| (l.min(*v), h.max(*v)));
        assert_eq!((low, high), (0.0, 1.0), "{name}");
    }
}

/// Two images of one file have nothing to do with each other.
#[test]
fn a_copy_under_another_name_is_an_image_of_its_own() {
    let world = World::new();
    std::fs::copy(plugin("my_planner"), world.path("one.so")).unwrap();
    std::fs::copy(plugin("my_planner"), world.path("two.so")).unwrap();
    let list = world.succeed("--plugin one.so --plugin two.so plugins list --kind planner --all");
    let rows: Vec<&str> = list.lines().filter(|line| line.contains(" MyPlanner ")).collect();
    assert_eq!(rows.len(), 2, "{list}");
    assert!(rows.iter().all(|row| row.contains("ambiguous")), "{list}");
}

/// The compiler of a toolchain in words, if it is there.
fn compiler(toolchain: &str) -> Option<String> {
    let output = Command::new("rustup").args(["run", toolchain, "rustc", "--version"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `rustc 1.95.0 (...)` as (1, 95).
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix("rustc ")?.split('.').map_while(|part| part.parse().ok());
    Some((parts.next()?, parts.next()?))
}

/// The toolchain of rustup that `NNUNET_OTHER_TOOLCHAIN` names, or else one whose compiler is another than `ours` and
/// new enough for this repository.
fn other_toolchain(ours: &str) -> Option<String> {
    if let Ok(named) = std::env::var("NNUNET_OTHER_TOOLCHAIN") {
        return Some(named);
    }
    let list = Command::new("rustup").args(["toolchain", "list"]).output().ok()?;
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    let fits = |name: &&str| {
        compiler(name).is_some_and(|version| version != ours && number(&version) >= number("rustc 1.95"))
    };
    names.filter(|name| !name.starts_with("no ")).find(fits).map(str::to_owned)
}

#[test]
fn a_plugin_by_another_compiler_works() {
    let world = World::new();
    let ours =
        world.succeed(&format!("--plugin {} plugins inspect my-planner", plugin("my_planner").display()));
    let ours = ours.lines().find_map(|line| line.trim().strip_prefix("built by")).unwrap().trim().to_owned();
    let Some(toolchain) = other_toolchain(&ours) else {
        eprintln!("skipped a_plugin_by_another_compiler_works: rustup has no toolchain but that of {ours}");
        return;
    };
    let built = Command::new("rustup")
        .args(["run", &toolchain, "cargo", "build", "--package", "my-planner", "--target-dir"])
        .arg(world.path("build"))
        .current_dir(repository())
        // Those of the toolchain this test runs in.
        .env_remove("RUSTC")
        .env_remove("RUSTUP_TOOLCHAIN")
        .status()
        .unwrap();
    assert!(built.success(), "{toolchain}");
    let file = world.path("build/debug/libmy_planner.so");
    let about = world.succeed(&format!("--plugin {} plugins inspect my-planner", file.display()));
    assert!(about.contains(&compiler(&toolchain).unwrap()), "{about}");
    let list = world.succeed(&format!("--plugin {} plugins list --kind planner", file.display()));
    let row = list.lines().find(|line| line.contains(" MyPlanner ")).unwrap();
    assert!(row.contains("loaded"), "{row}");
}

/// A copy of the plugin whose handshake names another oldest libtorch.
fn for_libtorch(world: &World, version: &str) -> String {
    let mut bytes = std::fs::read(plugin("shim_loss")).unwrap();
    let wanted = LIBTORCH_OF_SHIM.as_bytes();
    assert_eq!(wanted.len(), version.len());
    let is_there = |at: &usize| bytes[*at..].starts_with(wanted);
    let places: Vec<usize> = (0..bytes.len() - wanted.len()).filter(is_there).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + wanted.len()].copy_from_slice(version.as_bytes());
    }
    let name = format!("shim-{version}.so");
    std::fs::write(world.path(&name), bytes).unwrap();
    name
}

/// The example uses no C++ of libtorch, so any libtorch since its own will do.
#[test]
fn a_plugin_of_the_stable_shim_alone_needs_a_least_libtorch() {
    let world = World::new();
    let library = plugin("shim_loss");
    let about = world.succeed(&format!("--plugin {} plugins inspect shim-loss", library.display()));
    assert!(about.contains(&format!(">={LIBTORCH_OF_SHIM}")), "{about}");
    let text = world.succeed(&format!("plugins check {}", library.display()));
    assert!(text.contains("all checks passed"), "{text}");
    let earlier = for_libtorch(&world, "2.10.7");
    let list = world.succeed(&format!("--plugin {earlier} plugins list --kind loss"));
    assert!(list.lines().any(|row| row.contains(" ShimCrossEntropy ") && row.contains("loaded")), "{list}");
    let later = for_libtorch(&world, "2.99.0");
    let refused = world.run(&format!("--plugin {later} plugins list"));
    let message = "libtorch: the plugin needs at least 2.99.0, and this program has ";
    assert!(refused.code == 1 && refused.text.contains(message), "{}", refused.text);
    let symbols = Command::new("nm").args(["--dynamic", "--undefined-only"]).arg(&library).output().unwrap();
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    assert!(symbols.contains("torch_call_dispatcher"), "{symbols}");
    let is_of_libtorch =
        |line: &str| ["_ZN2at", "_ZN3c10", "_ZN5torch"].iter().any(|name| line.contains(name));
    assert!(!symbols.lines().any(is_of_libtorch), "C++ of libtorch: {symbols}");
}

/// Its loss is trained with and gives the weights that the built-in cross entropy gives.
#[test]
fn a_loss_of_the_stable_shim_alone_trains_like_the_built_in_one() {
    let world = World::with_phantoms();
    world.configure(
        "\n[trainers.Shim]\nextends = \"Short\"\nloss = \"ShimCrossEntropy\"\n\
         [trainers.Own]\nextends = \"Short\"\nloss = \"RobustCrossEntropyLoss\"\n",
    );
    let weights = |trainer: &str| {
        world.succeed(&format!(
            "--plugin {} train 3d_fullres {trainer} 900 0 -p nnUNetPlansSmall --disable_validation_inference",
            plugin("shim_loss").display()
        ));
        let fold = format!("results/nnUNet/3d_fullres/Task900_Phantom/{trainer}__nnUNetPlansSmall/fold_0");
        let path = world.path(&fold).join("model_final_checkpoint.model");
        nnunet_formats::torch_zip::load(&path).unwrap().tensors
    };
    let (shim, own) = (weights("Shim"), weights("Own"));
    assert!(!shim.is_empty() && shim == own, "the weights differ");
}
