//! The C header is the interface's own, and a postprocessor written in C works like any other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::path::PathBuf;
use std::process::Command;

use ndarray::Array3;
use nnunet_formats::nifti::{self, Geometry};
use nnunet_tests::{World, repository};

/// The macro with which a C plugin presents itself.
const TRAILER: &str = r##"
#if defined(__x86_64__) && defined(__linux__)
#define NNUNET_TARGET "x86_64-unknown-linux-gnu"
#elif defined(__aarch64__) && defined(__linux__)
#define NNUNET_TARGET "aarch64-unknown-linux-gnu"
#endif

#define NNUNET_TEXT(text) { (const uint8_t *)(text), sizeof(text) - 1 }

/* Write it once: name, version and licence are literals, the last is an array of pointers to components. */
#define NNUNET_PLUGIN(name, version, licence, components)                                                  \
  const struct NnunetHandshake NNUNET_PLUGIN_HANDSHAKE = {                                                 \
      {'N', 'N', 'U', 'N', 'E', 'T', 'P', 'L'}, sizeof(struct NnunetHandshake), NNUNET_ABI_MAJOR, 2,       \
      NNUNET_FLAGS_OF_C, NNUNET_TEXT(name), NNUNET_TEXT(version), NNUNET_TEXT(licence), NNUNET_TEXT("C"),  \
      NNUNET_TEXT(__VERSION__), NNUNET_TEXT(NNUNET_TARGET), NNUNET_TEXT(""), NNUNET_TEXT("")};             \
  const struct NnunetPlugin NNUNET_PLUGIN_C_V1 = {sizeof(struct NnunetPlugin),                             \
                                                  sizeof(components) / sizeof(*(components)), (components)};
"##;

/// DLPack's structs, unless its own header came before.
const DLPACK: &str = r"
#ifndef DLPACK_DLPACK_H_
typedef struct { uint32_t major; uint32_t minor; } DLPackVersion;
typedef struct { int32_t device_type; int32_t device_id; } DLDevice;
typedef struct { uint8_t code; uint8_t bits; uint16_t lanes; } DLDataType;
typedef struct {
  void *data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape;
  int64_t *strides;
  uint64_t byte_offset;
} DLTensor;
typedef struct DLManagedTensorVersioned {
  DLPackVersion version;
  void *manager_ctx;
  void (*deleter)(struct DLManagedTensorVersioned *self);
  uint64_t flags;
  DLTensor dl_tensor;
} DLManagedTensorVersioned;
#endif
";

/// The header as the types say it must be.
fn generated() -> String {
    let api = repository().join("plugin-api/core/src/abi");
    let names = [
        ("Handshake", "NnunetHandshake"),
        ("StaticText", "NnunetText"),
        ("CError", "NnunetError"),
        ("CHost", "NnunetHost"),
        ("CLabels", "NnunetLabels"),
        ("CIntensities", "NnunetIntensities"),
        ("CChannel", "NnunetChannel"),
        ("CSample", "NnunetSample"),
        ("CGeometry", "NnunetGeometry"),
        ("CSink", "NnunetSink"),
        ("CGridChange", "NnunetGridChange"),
        ("CTextSink", "NnunetTextSink"),
        ("CComponent", "NnunetComponent"),
        ("CPlugin", "NnunetPlugin"),
        ("ABI_MAJOR", "NNUNET_ABI_MAJOR"),
        ("FLAGS_OF_C", "NNUNET_FLAGS_OF_C"),
        ("ERROR_CAPACITY", "NNUNET_ERROR_CAPACITY"),
        ("CONTENT_IMAGE", "NNUNET_CONTENT_IMAGE"),
        ("CONTENT_LABELS", "NNUNET_CONTENT_LABELS"),
        ("CONTENT_SCORES", "NNUNET_CONTENT_SCORES"),
    ];
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        style: cbindgen::Style::Tag,
        header: Some(
            "/* The C interface of nnunet's plugins. Generated from plugin-api/core/src/abi; do not edit. */"
                .to_owned(),
        ),
        include_guard: Some("NNUNET_PLUGIN_H".to_owned()),
        after_includes: Some(DLPACK.to_owned()),
        trailer: Some(TRAILER.to_owned()),
        documentation_style: cbindgen::DocumentationStyle::C99,
        usize_is_size_t: true,
        cpp_compat: true,
        no_includes: false,
        ..cbindgen::Config::default()
    };
    config.export.rename = names.map(|(from, to)| (from.to_owned(), to.to_owned())).into_iter().collect();
    config.export.include = names.map(|(from, _)| from.to_owned()).to_vec();
    config.export.exclude = [
        "ABI_MINOR",
        "COMPONENT_BEFORE_1_4",
        "LIBTORCH_OF_SHIM",
        "LIBTORCH_VERSION",
        "HANDSHAKE_SYMBOL",
        "ROOT_SYMBOL",
        "C_SYMBOL",
        "MAGIC",
        "Flags",
    ]
    .map(str::to_owned)
    .to_vec();
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(api.join("handshake.rs"))
        .with_src(api.join("c/types.rs"))
        .generate()
        .unwrap();
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).unwrap()
}

/// Run with `NNUNET_BLESS=1` after an intended change.
#[test]
fn the_header_is_up_to_date() {
    let path = repository().join("plugin-api/include/nnunet_plugin.h");
    let wanted = generated();
    if std::env::var_os("NNUNET_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == wanted,
        "{} differs from the types it is made from; run with NNUNET_BLESS=1",
        path.display()
    );
}

fn compile(world: &World) -> PathBuf {
    compile_with(world, "plugin-api/include", "c-postprocessor/clear_border")
}

fn compile_with(world: &World, include: &str, source: &str) -> PathBuf {
    let name = source.rsplit('/').next().unwrap();
    let to = world.path(&format!("lib{name}.so"));
    let status = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-I"])
        .arg(repository().join(include))
        .arg("-o")
        .arg(&to)
        .arg(repository().join("examples").join(format!("{source}.c")))
        .status()
        .unwrap();
    assert!(status.success());
    to
}

/// Label maps of a folder by name.
fn predictions(world: &World, folder: &str) -> Vec<Array3<f32>> {
    let files = nnunet_test_support::files(&world.path(folder), ".nii.gz");
    assert_eq!(files.len(), 2, "{folder}");
    files.iter().map(|file| nifti::read(file).unwrap().data).collect()
}

/// Background within a voxel of the border.
fn cleared(mut labels: Array3<f32>) -> Array3<f32> {
    let (z, y, x) = labels.dim();
    let last = |index: usize, length: usize| index == 0 || index + 1 == length;
    for ((i, j, k), label) in labels.indexed_iter_mut() {
        if last(i, z) || last(j, y) || last(k, x) {
            *label = 0.0;
        }
    }
    labels
}

/// By name on the command line, and by the project's choice, which goes before the model's own postprocessing.
#[test]
fn a_postprocessor_in_c_treats_predictions() {
    let world = World::with_phantoms();
    compile(&world);
    world.succeed("train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference");
    let predict = |output: &str, more: &str| {
        world.succeed(&format!(
            "--plugin libclear_border.so predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o {output} -t 900 \
             -m 3d_fullres -f 0 -tr Short -p nnUNetPlansSmall --disable_tta {more}"
        ))
    };
    predict("plain", "");
    let plain = predictions(&world, "plain");
    let wanted: Vec<Array3<f32>> = plain.iter().cloned().map(cleared).collect();
    assert_ne!(wanted, plain, "there is nothing to clear");
    predict("named", "-pp ClearBorder");
    assert_eq!(predictions(&world, "named"), wanted);

    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    world.write("nnunet.toml", &(toml + "\n[use]\npostprocessor = \"ClearBorder\"\n"));
    let own = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall/postprocessing.json";
    world.write(own, "{\"for_which_classes\": [1, 2], \"min_valid_object_sizes\": \"None\"}");
    let text = predict("chosen", "");
    assert!(text.contains("ClearBorder of [use] in nnunet.toml is used instead of "), "{text}");
    assert_eq!(predictions(&world, "chosen"), wanted);
    assert!(!world.path("chosen/postprocessing.json").exists());
    predict("none", "-pp None");
    assert_eq!(predictions(&world, "none"), plain);
}

#[test]
fn the_example_passes_our_own_check() {
    let world = World::new();
    compile(&world);
    let text = world.succeed("plugins check libclear_border.so");
    assert!(text.contains("all checks passed"), "{text}");
}

/// A splitter and a resampler, whose arrays are DLPack's.
#[test]
fn a_splitter_and_a_resampler_in_c_pass_our_own_check_and_split() {
    let world = World::with_phantoms();
    compile_with(&world, "plugin-api/include", "c-arrays/nearest");
    let text = world.succeed("plugins check libnearest.so");
    assert!(text.contains("all checks passed"), "{text}");
    assert!(text.contains("resampler NearestVoxel") && text.contains("splitter Alternating"), "{text}");
    world.succeed("--plugin libnearest.so split -t 900 -s Alternating --overwrite");
}

#[test]
fn a_postprocessor_in_c_is_listed_and_used() {
    is_listed_and_used("plugin-api/include");
}

/// The header of ABI 1.1, in which structs have no size.
#[test]
fn a_postprocessor_with_the_header_of_1_1_works_as_before() {
    is_listed_and_used("tests/stored/c-interface-1.1");
}

fn is_listed_and_used(include: &str) {
    let world = World::new();
    compile_with(&world, include, "c-postprocessor/clear_border");
    let list = world.succeed("--plugin libclear_border.so plugins list --kind postprocessor");
    let row = list.lines().find(|line| line.contains(" ClearBorder ")).expect("it is listed");
    assert!(row.contains("loaded"), "{row}");

    std::fs::create_dir(world.path("labels")).unwrap();
    let geometry = Geometry {
        size: [6, 5, 4],
        spacing: [1.0; 3],
        origin: [0.0; 3],
        direction: [1., 0., 0., 0., 1., 0., 0., 0., 1.],
    };
    let full = Array3::from_elem((4, 5, 6), 1_u8);
    nifti::write_labels(&world.path("labels/case.nii.gz"), full.view(), &geometry).unwrap();
    let command =
        "--plugin libclear_border.so apply_postprocessing -i labels -o OUT --postprocessor ClearBorder";
    for (parameters, left) in [("", 2 * 3 * 4), (" --parameters margin=2", 0)] {
        world.succeed(&(command.replace("OUT", "out") + parameters));
        let cleared = nifti::read(&world.path("out/case.nii.gz")).unwrap();
        assert_eq!(cleared.data.iter().filter(|value| **value == 1.0).count(), left, "{parameters}");
    }
    let outcome = world.run(&(command.replace("OUT", "out") + " --parameters margin=-3"));
    assert_eq!(outcome.code, 1);
    let message = "plugin clear-border, postprocessor ClearBorder: create: parameter `margin`: a whole number of voxels is needed";
    assert!(outcome.text.contains(message), "{}", outcome.text);
}
