//! Checkpoints that torch wrote, in both formats, and files that mean harm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::io::{Cursor, Write};
use std::path::Path;

use nnunet_formats::json::{self, Json};
use nnunet_formats::pickle::{self, Value};
use nnunet_formats::torch_zip::{self, Checkpoint, TensorData};
use nnunet_test_support::{golden, reference};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Relative difference of sums that torch added in single precision.
const TOLERANCE: f64 = 1e-4;

fn tensor<'a>(checkpoint: &'a Checkpoint, name: &str) -> &'a TensorData {
    let Some(Value::Tensor(index)) = checkpoint.root.get(name) else { panic!("no tensor {name}") };
    &checkpoint.tensors[*index]
}

/// Elements of any type as f64.
fn numbers(tensor: &TensorData) -> Vec<f64> {
    let data = &tensor.data;
    match tensor.storage.as_str() {
        "Int" => data.as_chunks::<4>().0.iter().map(|b| f64::from(i32::from_le_bytes(*b))).collect(),
        "Short" => data.as_chunks::<2>().0.iter().map(|b| f64::from(i16::from_le_bytes(*b))).collect(),
        "Char" => data.iter().map(|b| f64::from(*b as i8)).collect(),
        "Byte" | "Bool" => data.iter().map(|b| f64::from(*b)).collect(),
        _ => tensor.to_f32().unwrap().into_iter().map(f64::from).collect(),
    }
}

fn floats(json: Option<&Json>) -> Vec<f64> {
    json.and_then(Json::items).unwrap().iter().map(|item| item.as_f64().unwrap()).collect()
}

#[test]
fn every_type_and_view_has_its_values() {
    let folder = golden("torch_zip/v1");
    let Json::Object(expected) = json::load(&folder.join("tensor_zoo.json")).unwrap() else { panic!() };
    assert!(expected.len() > 15);
    for file in ["tensor_zoo.pt", "tensor_zoo_legacy.pt"] {
        let zoo = torch_zip::load(&folder.join(file)).unwrap();
        for (name, wanted) in &expected {
            let found = tensor(&zoo, name);
            let shape: Vec<f64> = found.shape.iter().map(|len| *len as f64).collect();
            assert_eq!(shape, floats(wanted.get("shape")), "{file}: {name}");
            assert_eq!(numbers(found), floats(wanted.get("values")), "{file}: {name}");
        }
    }
}

#[test]
fn a_training_checkpoint_has_the_sums_that_torch_found() {
    let folder = golden("torch_zip/v1");
    let expected = json::load(&folder.join("model_final_checkpoint.expected.json")).unwrap();
    for file in ["model_final_checkpoint.model", "gpu_location_tags.model", "legacy_nonzip.model"] {
        let found = torch_zip::load(&folder.join(file)).unwrap();
        assert_eq!(found.root.get("epoch").and_then(Value::as_f64), expected.get("epoch").unwrap().as_f64());
        let state = found.root.get("state_dict").unwrap();
        let rows = expected.get("state_dict").and_then(Json::items).unwrap();
        assert_eq!(rows.len(), state.entries().unwrap().len());
        for row in rows {
            let row = row.items().unwrap();
            let name = row[0].as_str().unwrap();
            let Some(Value::Tensor(index)) = state.get(name) else { panic!("no tensor {name}") };
            let values = numbers(&found.tensors[*index]);
            let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
            for (ours, theirs) in [(values.iter().sum::<f64>(), &row[2]), (norm, &row[3])] {
                let theirs = theirs.as_f64().unwrap();
                assert!(
                    (ours - theirs).abs() <= TOLERANCE * norm.max(1.0),
                    "{file}, {name}: {ours}, {theirs}"
                );
            }
        }
    }
}

#[test]
fn names_of_data_parallel_and_roots_of_buffers_are_read() {
    let folder = golden("torch_zip/v1");
    let parallel = torch_zip::load(&folder.join("dataparallel_keys_no_optimizer.model")).unwrap();
    let state = parallel.root.get("state_dict").and_then(Value::entries).unwrap();
    assert!(state.iter().all(|(name, _)| name.as_str().unwrap().starts_with("module.")));
    assert_eq!(parallel.root.get("optimizer_state_dict"), Some(&Value::None));
    assert!(!torch_zip::load(&folder.join("saved_to_buffer_archive_root.model")).unwrap().tensors.is_empty());
}

#[test]
fn checkpoints_of_both_formats_have_the_same_content() {
    let folder = golden("torch_zip/v1");
    let zip = torch_zip::load(&folder.join("model_final_checkpoint.model")).unwrap();
    let expected = json::load(&folder.join("model_final_checkpoint.expected.json")).unwrap();
    assert_eq!(zip.root.get("epoch").and_then(Value::as_f64), expected.get("epoch").and_then(Json::as_f64));
    let state = zip.root.get("state_dict").and_then(Value::entries).unwrap();
    assert!(state.len() > 20);
    let legacy = torch_zip::load(&folder.join("legacy_nonzip.model")).unwrap();
    let old = legacy.root.get("state_dict").and_then(Value::entries).unwrap();
    for ((name, tensor), (old_name, old_tensor)) in state.iter().zip(old) {
        let (Value::Tensor(a), Value::Tensor(b)) = (tensor, old_tensor) else { panic!("no tensors") };
        assert_eq!(name, old_name);
        assert_eq!(zip.tensors[*a], legacy.tensors[*b]);
    }
}

#[test]
fn a_written_checkpoint_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.model");
    let checkpoint = Checkpoint {
        root: Value::dict(vec![("w", Value::Tensor(0)), ("s", Value::f32_scalar(2.5))]),
        tensors: vec![TensorData::from_f32(vec![2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])],
    };
    torch_zip::save(&path, &checkpoint).unwrap();
    let back = torch_zip::load(&path).unwrap();
    assert_eq!(back.tensors, checkpoint.tensors);
    assert_eq!(back.root, checkpoint.root);
}

/// A storage with no wanted tensor is not even looked at: here one byte of it is wrong, which its checksum shows.
#[test]
fn tensors_that_are_not_wanted_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.model");
    let values = [[1.0, 2.0, 3.0], [4.5, 5.5, 6.5]];
    let tensors = values.map(|values| TensorData::from_f32(vec![3], &values));
    let root = Value::dict(vec![("weight", Value::Tensor(0)), ("momentum", Value::Tensor(1))]);
    torch_zip::save(&path, &Checkpoint { root, tensors: tensors.to_vec() }).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(12).position(|window| window == tensors[1].data).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(torch_zip::load(&path).is_err());
    let (root, found) = torch_zip::open(&path).unwrap();
    let Some(Value::Tensor(wanted)) = root.get("weight") else { panic!("no tensor") };
    let mut read = Vec::new();
    let take = |index, tensor| -> Result<(), nnunet_formats::Error> {
        read.push((index, tensor));
        Ok(())
    };
    found.retain(|index| index == *wanted).read_each(take).unwrap();
    assert_eq!(read, [(*wanted, tensors[0].clone())]);
}

/// What is said of a hostile file. Files not named here are harmless, and read.
const SAID: [(&str, &str); 12] = [
    ("billion_laughs", "repeats shared objects"),
    ("deep_nesting", "nested too deeply"),
    ("evil_os_", "not allowed"),
    ("missing_storage", "data/0"),
    ("short_storage", "20 bytes instead of 48"),
    ("numel_lies_huge", "bytes instead of"),
    ("size_exceeds_storage", "reaches beyond its data"),
    ("rank_mismatch", "not described"),
    ("huge_expand", "repeat"),
    ("truncated_legacy.pt", "truncated"),
    ("no_data_pkl", "no data.pkl"),
    ("big_endian", "big-endian"),
];

#[test]
fn hostile_files_are_refused_in_one_line_that_names_them() {
    let folder = golden("torch_zip/hostile");
    let Json::Object(cases) = json::load(&folder.join("expected.json")).unwrap() else { panic!("no cases") };
    let mut seen = 0;
    for (name, case) in cases.into_iter().filter(|(name, _)| !name.ends_with(".zip")) {
        let path = folder.join(&name);
        let error = match name.ends_with(".pkl") {
            true => pickle::load(&path).err(),
            false => torch_zip::load(&path).err(),
        };
        let error = error.map(|error| error.to_string());
        let wanted = SAID.iter().find(|(start, _)| name.starts_with(start)).map(|(_, said)| *said);
        if case.get("a_safe_reader_must_reject") == Some(&Json::Bool(true)) || wanted.is_some() {
            let error = error.unwrap_or_else(|| panic!("{name} was accepted: {:?}", case.get("description")));
            assert!(error.contains(&name) && error.lines().count() == 1 && error.len() < 400, "{error}");
            assert!(wanted.is_none_or(|said| error.contains(said)), "{name}: {error}");
            seen += 1;
        }
    }
    assert!(seen > 35, "only {seen} hostile files");
}

#[test]
fn a_checkpoint_cut_anywhere_is_an_error() {
    let folder = golden("torch_zip/hostile");
    let cut = tempfile::NamedTempFile::new().unwrap();
    for name in ["good_small.pt", "good_small_legacy.pt"] {
        let whole = std::fs::read(folder.join(name)).unwrap();
        for len in 0..whole.len() {
            std::fs::write(cut.path(), &whole[..len]).unwrap();
            let error = torch_zip::load(cut.path()).expect_err("part of a checkpoint was accepted");
            assert!(error.to_string().contains("not a readable checkpoint"), "{name}, {len} bytes: {error}");
        }
    }
}

/// A checkpoint of `count` views, of different lengths, of one element.
fn repeated(path: &Path, count: u16) {
    let mut pickle = b"\x80\x02]".to_vec();
    for len in 0x7000..0x7000 + count {
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n");
        pickle.extend(b"X\x01\0\0\x000X\x03\0\0\0cpuK\x01tQK\0(M");
        pickle.extend(len.to_le_bytes());
        pickle.extend(b"t(K\0t\x89ccollections\nOrderedDict\n)RtRa");
    }
    pickle.push(b'.');
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [("archive/data.pkl", &pickle[..]), ("archive/data/0", &[0; 4])] {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    std::fs::write(path, archive.finish().unwrap().into_inner()).unwrap();
}

#[test]
fn views_cannot_fill_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.model");
    repeated(&path, 3);
    assert_eq!(torch_zip::load(&path).unwrap().tensors.len(), 3);
    repeated(&path, 2000);
    let error = torch_zip::load(&path).unwrap_err().to_string();
    assert!(error.contains("repeat their data"), "{error}");
}

#[test]
fn one_view_with_two_names_is_one_tensor() {
    let Some(folder) = reference("model_v2/results", "checkpoints::one_view_with_two_names") else { return };
    let model =
        "Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlansSmall__3d_fullres/fold_0/checkpoint_final.pth";
    let checkpoint = torch_zip::load(&folder.join(model)).unwrap();
    let weights = checkpoint.root.get("network_weights").unwrap();
    let index = |name: &str| weights.get(name).unwrap();
    let conv = "stages.0.0.convs.0.conv.weight";
    assert_eq!(index(&format!("encoder.{conv}")), index(&format!("decoder.encoder.{conv}")));
}
