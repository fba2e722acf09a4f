//! The readers, and files that they read.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use ndarray::{Array3, Array4};
use nnunet_data::dataset::Dataset;
use nnunet_data::{exchange, records};
use nnunet_formats::nifti::{self, Geometry};
use nnunet_formats::pickle::{self, Value};
use nnunet_formats::torch_zip::{self, Checkpoint, TensorData};
use nnunet_formats::{b2nd, meta_image, npz, nrrd, picture, tiff};
use nnunet_test_support::{files, golden};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{BASE, PER_BYTE};

/// Deflate's largest ratio, times the widening of 8-bit voxels to single precision and one copy of both.
const PER_COMPRESSED_BYTE: usize = 1032 * 6;
/// The same for LZW.
const PER_PICTURE_BYTE: usize = 4096 * 6;
/// The crate `tiff` reads the tags of the first page before one can tell it a limit.
const TIFF_TAGS: usize = 256 << 20;
/// The index of a Blosc2 file may be a run of one offset; a box of it is read with blocks of 64 MB at most.
const PER_BLOSC_BYTE: usize = 4096 * 2;
const BLOSC_BLOCKS: usize = 6 << 26;
/// What copies of shared objects may take in any pickle, 128 MB, and what the walk that makes them takes beside them.
const PICKLE_COPIES: usize = 160 << 20;
/// Larger files make rounds slow.
const LARGEST_SEED_FILE: usize = 300_000;
/// Most files that are taken from a folder.
const SEED_FILES: usize = 60;

/// One kind of file.
pub(crate) struct Target {
    pub(crate) ending: &'static str,
    pub(crate) seeds: Vec<Vec<u8>>,
    pub(crate) read: fn(&Path),
    /// Bytes in memory for a byte of the file.
    pub(crate) per_byte: usize,
    /// Bytes in memory for a file of any size.
    pub(crate) base: usize,
}

/// The readers, by name.
pub(crate) fn target(name: &str, folder: &Path) -> Option<Target> {
    let (ending, per_byte, read): (_, _, fn(&Path)) = match name {
        "nifti" => ("nii.gz", PER_COMPRESSED_BYTE, |path| drop(nifti::read(path))),
        "npz" => ("npz", PER_COMPRESSED_BYTE, |path| drop(npz::load_case(path))),
        "b2nd" => ("b2nd", PER_BLOSC_BYTE, crop),
        "mha" => ("mha", PER_COMPRESSED_BYTE, |path| drop(meta_image::read(path))),
        "nrrd" => ("nrrd", PER_COMPRESSED_BYTE, |path| drop(nrrd::read(path))),
        "tif" => ("tif", PER_PICTURE_BYTE, |path| drop(tiff::read(path))),
        "png" => ("png", PER_PICTURE_BYTE, |path| drop(picture::read_channels(path))),
        "bmp" => ("bmp", PER_PICTURE_BYTE, |path| drop(picture::read_channels(path))),
        "checkpoint" => ("model", PER_BYTE, |path| drop(torch_zip::load(path))),
        "zip" => ("zip", PER_BYTE, unpack),
        "pickle" => ("pkl", PER_BYTE, |path| {
            let _ = records::load(path, records::plans_from_pickle);
            let _ = records::load(path, records::case_from_pickle);
            let _ = pickle::load(path).map(|value| records::fingerprint_from_pickle(&value));
        }),
        "dataset" => ("json", PER_BYTE, |folder| {
            // Errors are what is wanted here.
            drop(std::fs::rename(folder.join("damaged.json"), folder.join("dataset.json")));
            drop(Dataset::load(folder));
        }),
        _ => return None,
    };
    let mut seeds = made(name, folder);
    seeds.extend(found(name).into_iter().filter_map(|path| std::fs::read(path).ok()));
    seeds.retain(|bytes| bytes.len() <= LARGEST_SEED_FILE);
    let base = match name {
        "tif" => BASE + TIFF_TAGS,
        "b2nd" => BASE + BLOSC_BLOCKS,
        "pickle" | "checkpoint" => BASE + PICKLE_COPIES,
        _ => BASE,
    };
    Some(Target { ending, seeds, read, per_byte, base })
}

/// Reads the first voxels of an array of Blosc2.
fn crop(path: &Path) {
    let Ok(file) = b2nd::CompressedArray::open(path) else { return };
    let [c, z, y, x] = file.shape().map(|len| len.min(12));
    let mut out = Array4::zeros((c, z, y, x));
    drop(file.crop(0..c, [0..z, 0..y, 0..x], out.view_mut()));
}

/// Nothing may appear outside of the folder that is unpacked to.
fn unpack(archive: &Path) {
    let above = archive.parent().unwrap();
    let before = std::fs::read_dir(above).unwrap().count();
    let to = above.join("unpacked");
    drop(exchange::install(archive, &to, true));
    drop(std::fs::remove_dir_all(&to));
    assert_eq!(std::fs::read_dir(above).unwrap().count(), before, "files outside of the folder");
}

/// Small files of our own.
fn made(name: &str, folder: &Path) -> Vec<Vec<u8>> {
    let image = Array3::from_shape_fn((5, 6, 7), |(z, y, x)| (z * y + x) as f32);
    let geometry = Geometry {
        size: [7, 6, 5],
        spacing: [1.0, 1.5, 2.0],
        origin: [3.0, 2.0, 1.0],
        direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    };
    let path = |ending: &str| folder.join(format!("seed.{ending}"));
    match name {
        "nifti" => {
            nifti::write_image(&path("nii.gz"), image.view(), &geometry).unwrap();
            nifti::write_labels(&path("nii"), image.mapv(|v| v as u8).view(), &geometry).unwrap();
            vec![std::fs::read(path("nii.gz")).unwrap(), std::fs::read(path("nii")).unwrap()]
        }
        "npz" => {
            let data = Array4::from_shape_fn((2, 5, 6, 7), |(c, z, y, x)| (c + z * y + x) as f32);
            npz::save_case(&path("npz"), data.view(), image.view()).unwrap();
            vec![std::fs::read(path("npz")).unwrap()]
        }
        "pickle" => {
            let value = Value::dict(vec![("a", Value::f64_array([1.0, 2.0])), ("b", Value::List(vec![Value::None]))]);
            records::save(&path("pkl"), &value).unwrap();
            vec![std::fs::read(path("pkl")).unwrap()]
        }
        "checkpoint" => {
            torch_zip::save(&path("model"), &small_checkpoint()).unwrap();
            vec![std::fs::read(path("model")).unwrap()]
        }
        "zip" => vec![small_archive()],
        "b2nd" => {
            let data = Array4::from_shape_fn((2, 5, 6, 7), |(c, z, y, x)| (c + z * y + x) as f32);
            b2nd::save(&path("b2nd"), data.view(), b2nd::Element::F32, [1, 4, 6, 7], [1, 2, 3, 7]).unwrap();
            vec![std::fs::read(path("b2nd")).unwrap()]
        }
        "mha" | "nrrd" | "tif" | "png" | "bmp" => Vec::new(),
        _ => vec![
            br#"{"modality":{"0":"CT"},"labels":{"0":"background","1":"organ"},"training":[{"image":"./imagesTr/a.nii.gz","label":"./labelsTr/a.nii.gz"}],"test":["./imagesTs/b.nii.gz"]}"#.to_vec(),
        ],
    }
}

fn small_checkpoint() -> Checkpoint {
    let tensor = |len| TensorData::from_f32(vec![len, 2], &vec![0.5; 2 * len]);
    let state = Value::dict(vec![("a.weight", Value::Tensor(0)), ("b.weight", Value::Tensor(1))]);
    Checkpoint {
        root: Value::dict(vec![("epoch", Value::Int(3)), ("state_dict", state)]),
        tensors: vec![tensor(3), tensor(50)],
    }
}

fn small_archive() -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for name in
        ["plans.pkl", "fold_0/model_final_checkpoint.model", "fold_0/model_final_checkpoint.model.pkl"]
    {
        archive.start_file(format!("2d/Task001_X/T__P/{name}"), SimpleFileOptions::default()).unwrap();
        archive.write_all(&[7; 300]).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Files of the golden data, which are the corpus to start from.
fn found(name: &str) -> Vec<PathBuf> {
    let all = |folder: &str, ending: &str| {
        files(&golden(folder), ending).into_iter().take(SEED_FILES).collect::<Vec<_>>()
    };
    match name {
        "nifti" => all("synthetic/twod/seed1/raw/Task504_SynTwoD/imagesTr", ".nii.gz"),
        "pickle" => ["synthetic/ct_aniso/seed1", "torch_zip/v1", "torch_zip/hostile"]
            .map(|folder| all(folder, ".pkl"))
            .concat(),
        "checkpoint" => {
            [all("torch_zip/v1", ".model"), all("torch_zip/v1", ".pt"), all("torch_zip/hostile", ".pt")]
                .concat()
        }
        // The bomb's 200 MB would be written over and over.
        "zip" => {
            let mut found = all("torch_zip/hostile", ".zip");
            found.retain(|path| !path.ends_with("zipbomb_model.zip"));
            found
        }
        "b2nd" => files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../stored/b2nd"), name),
        "dataset" => all("synthetic/ct_aniso/seed1/raw/Task501_SynCtAniso", ".json"),
        "mha" | "nrrd" | "tif" | "png" | "bmp" => {
            files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../stored/formats"), name)
        }
        _ => Vec::new(),
    }
}
