//! Models of nnU-Net v2 against v2's own predictions. v2's trainers saved them, untrained.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use nnunet_formats::pickle::{self, Value};
use nnunet_formats::torch_zip::{self, Checkpoint, TensorData};
use nnunet_formats::{Geometry, nifti, npz};
use nnunet_tests::{World, copy_folder, plugin, repository};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Share of voxels whose label must be that of v2.
const LABELS: f64 = 0.999;
/// Largest difference of a probability; v2's are stored in half precision.
const PROBABILITIES: f32 = 2e-3;

fn stored(folder: &str) -> PathBuf {
    repository().join("tests/stored").join(folder)
}

#[track_caller]
fn assert_labels(ours: &Path, v2: &Path) {
    let [ours, v2] = [ours, v2].map(|path| nifti::read(path).unwrap());
    assert_eq!(ours.geometry.size, v2.geometry.size);
    let place = |image: &nifti::Image| {
        let geometry = image.geometry;
        [geometry.spacing.as_slice(), &geometry.origin, &geometry.direction].concat()
    };
    assert!(place(&ours).iter().zip(place(&v2)).all(|(a, b)| (a - b).abs() < 1e-5));
    let equal = ours.data.iter().zip(&v2.data).filter(|(a, b)| a == b).count();
    assert!(equal as f64 >= LABELS * v2.data.len() as f64, "{equal} of {} labels are equal", v2.data.len());
}

#[track_caller]
fn assert_probabilities<'a>(ours: impl Iterator<Item = &'a f32>, v2: impl Iterator<Item = &'a f32>) {
    let worst = ours.zip(v2).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= PROBABILITIES, "{worst}");
}

/// Every reader, every way of resampling, and the norm of `nnUNetTrainerBN` (`tests/stored/make_v2_variants.py`).
#[test]
fn readers_resampling_and_norms_are_v2s() {
    let world = World::new();
    let all = stored("v2_variants");
    for (variant, weights, ending) in [
        ("nibabel", "instance", ".nii"),
        ("nibabel_turned", "instance", ".nii.gz"),
        ("sitk_turned", "instance", ".nii.gz"),
        ("linear", "instance", ".nii.gz"),
        ("linear_separate", "instance", ".nii.gz"),
        ("kept", "instance", ".nii.gz"),
        ("batch_norm", "batch", ".nii.gz"),
    ] {
        let model = world.path(variant);
        copy_folder(&all.join(variant), &model);
        std::fs::create_dir(model.join("fold_0")).unwrap();
        let checkpoint = model.join("fold_0/checkpoint_final.pth");
        std::fs::copy(all.join(format!("{weights}.pth")), checkpoint).unwrap();
        let image = all.join(format!("case_0000{ending}"));
        world.succeed(&format!(
            "predict -i {} --model-folder {variant} --disable_tta --save_probabilities -o out/{variant}",
            image.display()
        ));
        let [ours, v2] = [world.path("out").join(variant), model];
        println!("{variant}");
        assert_labels(&ours.join(format!("case{ending}")), &v2.join(format!("case{ending}")));
        let probabilities = |folder: &Path| npz::load_f32(&folder.join("case.npz"), "probabilities").unwrap();
        let (found, expected) = (probabilities(&ours), probabilities(&v2));
        assert_probabilities(found.slice(ndarray::s![1..2, .., .., ..]).iter(), expected.iter());
        assert_kept(&ours.join("case.pkl"), &v2.join("case.pkl"));
        world.succeed(&format!("ensemble -f out/{variant} out/{variant} -o merged/{variant} --save_npz"));
        let merged = world.path("merged").join(variant);
        assert_labels(&merged.join(format!("case{ending}")), &v2.join(format!("case{ending}")));
        assert_probabilities(found.iter(), probabilities(&merged).iter());
    }
}

/// What v2 needs to write label maps from probabilities is the same.
#[track_caller]
fn assert_kept(ours: &Path, v2: &Path) {
    let [ours, v2] = [ours, v2].map(|path| pickle::load(path).unwrap());
    for (key, expected) in v2.entries().unwrap() {
        let key = key.as_str().unwrap();
        let found = ours.get(key).unwrap_or_else(|| panic!("{key} is missing"));
        assert!(is_close(found, expected), "{key}: {found:?} instead of {expected:?}");
    }
}

fn is_close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            let near = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
            a.shape == b.shape && near(a.to_f64().unwrap(), b.to_f64().unwrap())
        }
        _ => match (a.entries(), b.entries(), a.items(), b.items(), a.as_f64(), b.as_f64()) {
            (Some(a), Some(b), ..) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && is_close(&a.1, &b.1))
            }
            (_, _, Some(a), Some(b), ..) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_close(a, b))
            }
            (.., Some(a), Some(b)) => (a - b).abs() < 1e-5,
            _ => a == b,
        },
    }
}

/// Both stages were saved by v2's trainer, and v2 has predicted with them (`tests/stored/make_v2_cascade.py`).
#[test]
fn a_cascade_of_v2_predicts_as_v2() {
    let world = World::new();
    copy_folder(&stored("v2_cascade"), &world.path("v2"));
    let predict = "predict -i v2/images --model-folder v2/nnUNetTrainer__nnUNetPlans__3d_cascade_fullres \
                   --disable_tta --save_probabilities";
    world.succeed(&format!("{predict} -o given -prev_stage_predictions v2/first"));
    assert!(!world.path("given/3d_lowres_predictions").exists());
    world.succeed(&format!("{predict} -o both"));
    for (ours, v2) in [("both/3d_lowres_predictions", "first"), ("both", "expected"), ("given", "expected")] {
        let file = |folder: &str| world.path(folder).join("case.nii.gz");
        assert_labels(&file(ours), &file(&format!("v2/{v2}")));
    }
    let read = |folder: &str| npz::load_f32(&world.path(folder).join("case.npz"), "probabilities").unwrap();
    let (ours, v2) = (read("given"), read("v2/expected"));
    assert_probabilities(ours.iter(), v2.iter());

    std::fs::remove_dir_all(world.path("v2/nnUNetTrainer__nnUNetPlans__3d_lowres")).unwrap();
    let alone = world.run(&format!("{predict} -o alone"));
    assert!(alone.text.contains("needs label maps of 3d_lowres"), "{}", alone.text);
    std::fs::remove_file(world.path("v2/first/case.nii.gz")).unwrap();
    let without = world.run(&format!("{predict} -o without -l v2/first"));
    assert!(
        without.code != 0 && without.text.contains("no label map v2/first/case.nii.gz"),
        "{}",
        without.text
    );
}

/// An archive as `nnUNetv2_export_model_to_zip` makes it of several configurations.
fn archive(folder: &Path, models: &[&str], to: &Path) {
    let mut zip = ZipWriter::new(File::create(to).unwrap());
    for model in models {
        for name in ["plans.json", "dataset.json", "fold_0/checkpoint_final.pth"] {
            let file = format!("Dataset900_Phantom/{model}/{name}");
            zip.start_file(file, SimpleFileOptions::default()).unwrap();
            zip.write_all(&std::fs::read(folder.join(model).join(name)).unwrap()).unwrap();
        }
    }
    zip.finish().unwrap();
}

#[test]
fn an_archive_with_both_stages_predicts_with_either() {
    let world = World::new();
    let all = stored("v2_cascade");
    let models = ["nnUNetTrainer__nnUNetPlans__3d_lowres", "nnUNetTrainer__nnUNetPlans__3d_cascade_fullres"];
    archive(&all, &models, &world.path("both.zip"));
    let predict =
        format!("predict -i {} --model-folder both.zip --disable_tta", all.join("images").display());
    for (configuration, expected) in [("3d_lowres", "first"), ("3d_cascade_fullres", "expected")] {
        world.succeed(&format!("{predict} -c {configuration} -o {configuration}"));
        assert_labels(
            &world.path(configuration).join("case.nii.gz"),
            &all.join(expected).join("case.nii.gz"),
        );
    }
    let neither = world.run(&format!("{predict} -c 2d -o 2d"));
    assert!(neither.code != 0 && neither.text.contains("holds 2 models"), "{}", neither.text);
}

/// A network and a normalization that only plugins have, named in the `plans.json` of a v2 model.
#[test]
fn plugins_serve_models_of_v2() {
    let world = World::new();
    std::fs::create_dir_all(world.path("model/fold_0")).unwrap();
    std::fs::create_dir(world.path("images")).unwrap();
    let function = serde_json::json!("resample_data_or_seg_to_shape");
    let plans = serde_json::json!({
        "transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2], "label_manager": "LabelManager",
        "configurations": { "3d_fullres": {
            "patch_size": [8, 8, 8], "spacing": [1.0, 1.0, 1.0], "preprocessor_name": "DefaultPreprocessor",
            "normalization_schemes": ["Percentiles"], "use_mask_for_norm": [false],
            "resampling_fn_data": function, "resampling_fn_data_kwargs": { "order": 3 },
            "resampling_fn_probabilities": function, "resampling_fn_probabilities_kwargs": { "order": 1 },
            "architecture": { "network_class_name": "somebodys_networks.Pointwise", "arch_kwargs": {} },
        } },
    });
    world.write("model/plans.json", &plans.to_string());
    world.write(
        "model/dataset.json",
        r#"{"channel_names": {"0": "MRI"}, "labels": {"background": 0, "a": 1}, "file_ending": ".nii.gz"}"#,
    );
    // The network's two outputs are -x and x: label 1 is where the normalized image is above 0.
    let configuration = Value::dict(vec![("configuration", Value::str("3d_fullres"))]);
    let root = Value::dict(vec![
        ("network_weights", Value::dict(vec![("weight", Value::Tensor(0))])),
        ("init_args", configuration),
        ("trainer_name", Value::str("nnUNetTrainer")),
        ("inference_allowed_mirroring_axes", Value::Tuple(vec![Value::Int(0)])),
    ]);
    let weight = TensorData::from_f32(vec![2, 1, 1, 1, 1], &[-1.0, 1.0]);
    torch_zip::save(
        &world.path("model/fold_0/checkpoint_final.pth"),
        &Checkpoint { root, tensors: vec![weight] },
    )
    .unwrap();
    // Half precision, which v2 adds up scores in, holds scores this far from 0 for any weight of a tile.
    let image = ndarray::Array3::from_shape_fn((10, 11, 12), |(z, y, x)| match 1 + x + 12 * y + 132 * z {
        low @ ..=14 => low as f32,
        high => (1000 + high) as f32,
    });
    let geometry = Geometry {
        size: [12, 11, 10],
        spacing: [1.0; 3],
        origin: [0.0; 3],
        direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    };
    nifti::write_image(&world.path("images/a_0000.nii.gz"), image.view(), &geometry).unwrap();
    let predict = "predict -i images -o out --model-folder model";
    let without = world.run(predict);
    assert_ne!(without.code, 0);
    assert!(without.text.contains("Percentiles") || without.text.contains("Pointwise"), "{}", without.text);
    let plugins = ["misbehaving", "my_imaging"].map(|name| format!("--plugin {}", plugin(name).display()));
    world.succeed(&format!("{predict} {}", plugins.join(" ")));
    let labels = nifti::read(&world.path("out/a.nii.gz")).unwrap().data;
    // The 1st percentile of 1320 voxels is that of the 14th.
    let expected = image.mapv(|value| f32::from(u8::from(value > 14.0)));
    assert_eq!(labels, expected);
}

/// Outputs 1 and 2 of a model become those of labels 298 and 299 of 300.
fn widened(model: &Path) {
    let json = model.join("dataset.json");
    let labels: Vec<String> = (0..300).map(|label| format!("\"l{label}\": {label}")).collect();
    let labels = labels.join(", ").replace("\"l0\"", "\"background\"");
    let text =
        format!(r#"{{"channel_names": {{"0": "MRI"}}, "file_ending": ".nii.gz", "labels": {{{labels}}}}}"#);
    std::fs::write(json, text).unwrap();
    let file = model.join("fold_0/checkpoint_final.pth");
    let mut checkpoint = torch_zip::load(&file).unwrap();
    let weights = checkpoint.root.get("network_weights").and_then(Value::entries).unwrap();
    let outputs: Vec<(bool, usize)> = weights
        .iter()
        .filter_map(|(name, value)| match (name.as_str(), value) {
            (Some(name), Value::Tensor(index)) if name.contains("seg_layers") => {
                Some((name.ends_with("bias"), *index))
            }
            _ => None,
        })
        .collect();
    for (is_bias, index) in outputs {
        let tensor = &mut checkpoint.tensors[index];
        if tensor.shape[0] == 300 {
            continue;
        }
        let old = tensor.to_f32().unwrap();
        let len = old.len() / tensor.shape[0];
        let other = if is_bias { -1000.0 } else { 0.0 };
        let row = |label: usize| match label {
            0 => old[..len].to_vec(),
            298 | 299 => old[(label - 297) * len..(label - 296) * len].to_vec(),
            _ => vec![other; len],
        };
        let values: Vec<f32> = (0..300).flat_map(row).collect();
        let shape = std::iter::once(300).chain(tensor.shape[1..].iter().copied()).collect();
        *tensor = TensorData::from_f32(shape, &values);
    }
    // Of the rest only plain values can be written again.
    let root = &checkpoint.root;
    let configuration = root.get("init_args").and_then(|arguments| arguments.get("configuration")).unwrap();
    let arguments = Value::dict(vec![("configuration", configuration.clone())]);
    let kept = ["network_weights", "trainer_name", "inference_allowed_mirroring_axes"];
    let mut entries: Vec<_> = kept.iter().map(|key| (*key, root.get(key).unwrap().clone())).collect();
    entries.push(("init_args", arguments));
    checkpoint.root = Value::dict(entries);
    torch_zip::save(&file, &checkpoint).unwrap();
}

/// v2 writes 16 bits for such models; formats that hold no such labels refuse them.
#[test]
fn a_model_of_300_labels_writes_all_of_them() {
    let world = World::new();
    copy_folder(&stored("v2_cascade"), &world.path("v2"));
    let model = "v2/nnUNetTrainer__nnUNetPlans__3d_lowres";
    let predict = format!("predict -i v2/images --model-folder {model} --disable_tta");
    world.succeed(&format!("{predict} -o few"));
    widened(&world.path(model));
    world.succeed(&format!("{predict} -o many --save_probabilities"));
    let read = |folder: &str| nifti::read(&world.path(folder).join("case.nii.gz")).unwrap().data;
    let expected = read("few").mapv(|label| if label > 0.0 { label + 297.0 } else { 0.0 });
    assert!(expected.iter().any(|label| *label == 299.0));
    assert!(read("many") == expected);
    world.succeed("ensemble -f many many -o merged");
    assert!(read("merged") == expected);
}
