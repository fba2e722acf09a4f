//! NIfTI-1 images in two files. `tests/stored/make_nifti_pairs.py` wrote them, and what SimpleITK reads in them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use ndarray::Array3;
use nnunet_formats::json::{self, Json};
use nnunet_formats::nifti::{read, read_geometry, split, write_image, write_labels};
use nnunet_formats::{Geometry, Image};

/// The header stores cosines of angles in single precision.
const COSINE: f64 = 1e-6;

fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/stored/nifti_pairs").join(name)
}

fn numbers(entry: &Json, key: &str) -> Vec<f64> {
    entry.get(key).unwrap().items().unwrap().iter().filter_map(Json::as_f64).collect()
}

fn near(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}

fn message(path: &Path) -> String {
    read(path).unwrap_err().to_string()
}

/// Every voxel type in both byte orders, a scaled image whose voxels begin later, and one with compressed voxels; by
/// the name of either file.
#[test]
fn pairs_are_read_as_simpleitk_reads_them() {
    let Json::Object(entries) = json::load(&stored("expected.json")).unwrap() else { panic!("no object") };
    assert_eq!(entries.len(), 22);
    for (name, entry) in entries {
        let image = read(&stored(&name)).unwrap();
        let values: Vec<f64> = image.data.iter().map(|value| f64::from(*value)).collect();
        assert_eq!(values, numbers(&entry, "values"), "{name}");
        let Geometry { size, spacing, origin, direction } = image.geometry;
        assert_eq!(size, [5, 4, 3], "{name}");
        assert_eq!(spacing.to_vec(), numbers(&entry, "spacing"), "{name}");
        assert_eq!(origin.to_vec(), numbers(&entry, "origin"), "{name}");
        assert!(near(&direction, &numbers(&entry, "direction"), COSINE), "{name}: {direction:?}");
        let voxels = stored(&name).with_extension("img");
        assert_eq!(read(&voxels).unwrap().data, image.data, "{name}");
        assert_eq!(read_geometry(&voxels).unwrap(), image.geometry, "{name}");
    }
}

#[test]
fn a_pair_comes_back_and_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let Image { data, geometry } = read(&stored("float32.hdr")).unwrap();
    for name in ["a.hdr", "a.img"] {
        let path = folder.path().join(name);
        write_labels(&path, Array3::zeros(data.dim()).view(), &geometry).unwrap();
        write_image(&path, data.view(), &geometry).unwrap();
        let back = read(&path).unwrap();
        assert_eq!(back.data, data);
        assert!(near(&back.geometry.direction, &geometry.direction, COSINE));
        assert_eq!(back.geometry.origin, geometry.origin);
        let mut names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["a.hdr", "a.img"], "nothing else is left");
    }
}

/// Neither is an image whose voxels are missing read, nor a file under the name of the other kind.
#[test]
fn what_is_not_a_pair_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::copy(stored("int16.hdr"), path("a.hdr")).unwrap();
    assert!(message(&path("a.hdr")).contains("a.img"), "{}", message(&path("a.hdr")));
    std::fs::write(path("a.img"), [0; 7]).unwrap();
    assert!(message(&path("a.hdr")).contains("truncated: 7 bytes of voxels instead of 120"));
    std::fs::copy(stored("int16.hdr"), path("b.nii")).unwrap();
    assert!(message(&path("b.nii")).contains("its voxels are in another file"));
    let error = split(&path("b.nii"), |i| path(&format!("{i}.nii.gz"))).unwrap_err().to_string();
    assert!(error.contains("its voxels are in another file"), "{error}");
    let Image { data, geometry } = read(&stored("int16.hdr")).unwrap();
    write_image(&path("c.nii"), data.view(), &geometry).unwrap();
    std::fs::rename(path("c.nii"), path("c.hdr")).unwrap();
    assert!(message(&path("c.hdr")).contains("rename it to .nii"));
}

/// Analyze 7.5 has no orientation: reading it would mirror some images.
#[test]
fn analyze_images_are_refused() {
    let error = message(&stored("analyze.img"));
    assert!(error.contains("analyze.hdr: it has no NIfTI magic: an Analyze 7.5 image"), "{error}");
}
