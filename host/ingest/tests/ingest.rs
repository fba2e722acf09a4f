//! Folders of images and masks as data sets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use nnunet_data::dataset::Dataset;
use nnunet_data::phantom::PhantomOptions;
use nnunet_data::v2::RawDataset;
use nnunet_formats::nifti;
use nnunet_ingest::{Named, Outcome, Request, convert, examples, has_series, ingest};
use serde_json::Value;

const OPTIONS: PhantomOptions = PhantomOptions { seed: 3, train_cases: 3, test_cases: 1 };

fn request(folder: &Path, name: &str) -> Request {
    Request {
        images: vec![folder.join("images")],
        masks: folder.join("masks"),
        tests: vec![folder.join("test")],
        series: Vec::new(),
        channels: Vec::new(),
        labels: Vec::new(),
        name: name.parse().unwrap(),
        to: folder.join("raw").join(name),
    }
}

fn labels(outcome: &Outcome) -> Vec<(String, String, usize)> {
    let row = |label: &nnunet_ingest::Label| (label.name.clone(), label.values.join(" "), label.cases);
    outcome.labels.iter().map(row).collect()
}

fn read(path: PathBuf) -> nifti::Image {
    nifti::read(&path).unwrap()
}

/// Writes a PNG picture of 2 rows and 3 columns.
fn png(path: &Path, color: png::ColorType, palette: Option<&[u8]>, values: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), 3, 2);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    if let Some(palette) = palette {
        encoder.set_palette(palette.to_vec());
    }
    encoder.write_header().unwrap().write_image_data(values).unwrap();
}

#[test]
fn dicom_series_and_masks_become_a_task() {
    let folder = tempfile::tempdir().unwrap();
    examples::write_dicom(folder.path(), &OPTIONS).unwrap();
    let request = request(folder.path(), "Task001_Phantom");
    let made = ingest(&request).unwrap();
    assert_eq!((made.cases, made.tests, made.channels.as_slice()), (3, 1, &["MR".to_owned()][..]));
    let dataset = Dataset::load(&request.to).unwrap();
    assert_eq!(dataset.training, ["patient_01", "patient_02", "patient_03"]);
    assert_eq!((dataset.labels, dataset.test.len()), (vec![0, 1, 2], 1));
    let image = read(request.to.join("imagesTr/patient_01_0000.nii.gz"));
    let label = read(request.to.join("labelsTr/patient_01.nii.gz"));
    assert_eq!(image.geometry, label.geometry);
    assert_eq!(image.geometry.origin, [-100.0, -150.0, 20.0]);
    let expected = nnunet_data::phantom::phantom_case(3, 0);
    assert_eq!(image.data, expected.image.mapv(f32::round));
    assert_eq!(label.data, expected.label.mapv(f32::from));
    let again = ingest(&request).unwrap_err().to_string();
    assert!(again.contains("exists already"), "{again}");
}

#[test]
fn a_series_with_a_missing_slice_is_refused_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    examples::write_dicom(folder.path(), &OPTIONS).unwrap();
    std::fs::remove_file(folder.path().join("images/patient_02/slice_010.dcm")).unwrap();
    let request = request(folder.path(), "Task001_Phantom");
    let error = format!("{:#}", ingest(&request).unwrap_err());
    assert!(error.contains("patient_02") && error.contains("1 missing between 29.0 and 31.0 mm"), "{error}");
    assert!(!folder.path().join("raw").exists());
}

#[test]
fn series_are_chosen_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    for (name, seed) in [("a", 1), ("b", 2)] {
        let other = tempfile::tempdir().unwrap();
        examples::write_dicom(other.path(), &PhantomOptions { seed, train_cases: 1, test_cases: 0 }).unwrap();
        let to = folder.path().join("images/patient_01").join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::rename(other.path().join("images/patient_01"), to).unwrap();
    }
    let images = [folder.path().join("images")];
    assert!(has_series(&images[0]));
    let error = format!("{:#}", convert(&images, &[], &folder.path().join("out")).unwrap_err());
    assert!(error.contains("2 series; choose with --series"), "{error}");
    let error =
        format!("{:#}", convert(&images, &["phantom".to_owned()], &folder.path().join("out")).unwrap_err());
    assert!(error.contains("2 series have \"phantom\" in their names"), "{error}");
    // Those of one name are told apart by their identifiers.
    assert!(error.contains("2.25.1000)") && error.contains("2.25.2000)"), "{error}");
    let by_id = folder.path().join("by_id");
    assert_eq!(convert(&images, &["2.25.2000".to_owned()], &by_id).unwrap().cases, 1);
    let expected = nnunet_data::phantom::phantom_case(2, 0).image.mapv(f32::round);
    assert_eq!(read(by_id.join("patient_01_0000.nii.gz")).data, expected);
    assert!(!folder.path().join("out").exists());
    std::fs::remove_dir_all(images[0].join("patient_01/b")).unwrap();
    assert_eq!(convert(&images, &["PHANTOM".to_owned()], &folder.path().join("out")).unwrap().cases, 1);
    assert!(folder.path().join("out/patient_01_0000.nii.gz").is_file());
}

/// Blanks of names become underscores, so that two folders may be meant by one name.
#[test]
fn two_folders_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    examples::write_dicom(folder.path(), &OPTIONS).unwrap();
    let images = folder.path().join("images");
    std::fs::rename(images.join("patient_02"), images.join("patient 01")).unwrap();
    let error = format!("{:#}", convert(&[images], &[], &folder.path().join("out")).unwrap_err());
    assert!(error.starts_with("patient_01: ") && error.ends_with("patient_01 are the same case"), "{error}");
}

#[test]
fn channels_keep_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a_0000", "a_0001", "b_0000", "b_0002"] {
        png(&folder.path().join(format!("images/{name}.png")), png::ColorType::Grayscale, None, &[0; 6]);
    }
    let images = [folder.path().join("images")];
    let error = format!("{:#}", convert(&images, &[], &folder.path().join("out")).unwrap_err());
    assert!(error.contains("channel 0002, which") && error.contains("channel 0001, which"), "{error}");
}

#[test]
fn pictures_with_gray_masks_become_a_data_set_of_v2() {
    let folder = tempfile::tempdir().unwrap();
    examples::write_pictures(folder.path(), &OPTIONS).unwrap();
    let mut request = request(folder.path(), "Dataset001_Phantom");
    request.labels = ["255=head", "127=body"].map(|text| text.parse::<Named>().unwrap()).to_vec();
    let made = ingest(&request).unwrap();
    let row = |name: &str, value: &str| (name.to_owned(), value.to_owned(), 3);
    assert_eq!(labels(&made), [row("background", "0"), row("head", "255"), row("body", "127")]);
    assert_eq!(RawDataset::load(&request.to).unwrap().cases.len(), 3);
    let json: Value =
        serde_json::from_slice(&std::fs::read(request.to.join("dataset.json")).unwrap()).unwrap();
    assert_eq!(json["labels"], serde_json::json!({ "background": 0, "head": 1, "body": 2 }));
    let image = read(request.to.join("imagesTr/patient_01_0000.nii.gz"));
    assert_eq!(image.geometry, read(request.to.join("labelsTr/patient_01.nii.gz")).geometry);
}

#[test]
fn palettes_and_colors_of_masks_are_labels_and_images_with_colors_have_three_channels() {
    let folder = tempfile::tempdir().unwrap();
    let colors: Vec<u8> = (0..18).collect();
    for name in ["a", "b"] {
        png(&folder.path().join(format!("images/{name}.png")), png::ColorType::Rgb, None, &colors);
    }
    let palette = [0, 0, 0, 128, 0, 0, 0, 128, 0];
    for name in ["a", "b"] {
        let path = folder.path().join(format!("masks/{name}_mask.png"));
        png(&path, png::ColorType::Indexed, Some(&palette), &[0, 0, 2, 0, 2, 2]);
    }
    let mut request = request(folder.path(), "Task001_Colors");
    request.tests.clear();
    let made = ingest(&request).unwrap();
    assert_eq!(made.channels, ["red", "green", "blue"]);
    assert_eq!(labels(&made)[1], ("foreground".to_owned(), "2".to_owned(), 2));
    let green = read(request.to.join("imagesTr/a_0001.nii.gz"));
    assert_eq!(green.data.iter().copied().collect::<Vec<_>>(), [1.0, 4.0, 7.0, 10.0, 13.0, 16.0]);
    let label = read(request.to.join("labelsTr/a.nii.gz"));
    assert_eq!(label.data.iter().copied().collect::<Vec<_>>(), [0.0, 0.0, 1.0, 0.0, 1.0, 1.0]);

    // The same masks, in colors.
    let rgb: Vec<u8> =
        [0, 0, 2, 0, 2, 2].iter().flat_map(|index| palette[3 * index..3 * index + 3].to_vec()).collect();
    for name in ["a", "b"] {
        png(&folder.path().join(format!("masks/{name}_mask.png")), png::ColorType::Rgb, None, &rgb);
    }
    request.to = folder.path().join("raw/Task002_Colors");
    let made = ingest(&request).unwrap();
    assert_eq!(labels(&made)[1], ("foreground".to_owned(), "#008000".to_owned(), 2));
    assert_eq!(read(request.to.join("labelsTr/a.nii.gz")).data, label.data);
}

/// Images of the same name may be of other patients, and a folder with some of the cases would be predicted.
#[test]
fn converted_images_replace_none_and_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    examples::write_dicom(folder.path(), &OPTIONS).unwrap();
    let (images, out) = ([folder.path().join("images")], folder.path().join("out"));
    convert(&images, &[], &out).unwrap();
    let error = format!("{:#}", convert(&images, &[], &out).unwrap_err());
    assert!(error.contains("out has patient_01_0000.nii.gz, patient_02"), "{error}");
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 3);
    // The results may lie among the patients.
    let among = images[0].join("out");
    std::fs::create_dir(&among).unwrap();
    assert_eq!(convert(&images, &[], &among).unwrap().cases, 3);
    std::fs::remove_dir_all(&among).unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    // Seen only when the voxels are read.
    let slice = images[0].join("patient_02/slice_005.dcm");
    let bytes = std::fs::read(&slice).unwrap();
    std::fs::write(&slice, &bytes[..bytes.len() - 100]).unwrap();
    convert(&images, &[], &out).unwrap_err();
    assert!(!out.exists());
}

/// Each fault hides nothing of the others, whether it is seen in the list of files, in their headers or in their voxels.
#[test]
fn all_faults_are_reported_together() {
    let folder = tempfile::tempdir().unwrap();
    examples::write_dicom(folder.path(), &PhantomOptions { seed: 3, train_cases: 8, test_cases: 1 }).unwrap();
    let path = |name: &str| folder.path().join(name);
    let slice = |case: usize| path(&format!("images/patient_0{case}/slice_005.dcm"));
    std::fs::remove_file(slice(1)).unwrap();
    let bytes = std::fs::read(slice(2)).unwrap();
    std::fs::write(slice(2), &bytes[..bytes.len() - 100]).unwrap();
    std::fs::write(slice(3), &bytes[..200]).unwrap();
    std::fs::remove_dir_all(path("images/patient_04")).unwrap();
    std::fs::create_dir(path("images/patient_04")).unwrap();
    std::fs::remove_file(path("masks/patient_05.nii.gz")).unwrap();
    std::fs::write(path("masks/patient_06.nii.gz"), "junk").unwrap();
    let small =
        nnunet_formats::Geometry { size: [2, 2, 2], ..read(path("masks/patient_01.nii.gz")).geometry };
    nifti::write_labels(&path("masks/patient_07.nii.gz"), ndarray::Array3::ones((2, 2, 2)).view(), &small)
        .unwrap();
    let mut moved = read(path("masks/patient_08.nii.gz"));
    moved.geometry.origin[0] += 2.0 * moved.geometry.spacing[0];
    let labels = moved.data.mapv(|label| label as u8);
    nifti::write_labels(&path("masks/patient_08.nii.gz"), labels.view(), &moved.geometry).unwrap();
    let error = ingest(&request(folder.path(), "Task001_Phantom")).unwrap_err().to_string();
    for part in [
        "8 faults:",
        "patient_01: series \"phantom\"",
        "patient_02: ",
        "patient_03: ",
        "patient_04: ",
        "no masks of patient_05.",
        "patient_06.nii.gz: ",
        "patient_07.nii.gz has [2, 2, 2] voxels",
        "patient_08.nii.gz lies 2.00 voxels from its image",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!path("raw").exists());
}

/// `IMG_0001` is no channel of `IMG`.
#[test]
fn pictures_of_cameras_are_cases() {
    let folder = tempfile::tempdir().unwrap();
    for number in 1..4 {
        for (kind, values) in [("images", [10 * number; 6]), ("masks", [0, 1, 0, 1, 0, 1])] {
            let path = folder.path().join(format!("{kind}/IMG_000{number}.png"));
            png(&path, png::ColorType::Grayscale, None, &values);
        }
    }
    let mut request = request(folder.path(), "Task001_Camera");
    request.tests.clear();
    let made = ingest(&request).unwrap();
    assert_eq!((made.cases, made.channels.len()), (3, 1));
    assert_eq!(read(request.to.join("imagesTr/IMG_0002_0000.nii.gz")).data[[0, 0, 0]], 20.0);
    assert!(request.to.join("labelsTr/IMG_0003.nii.gz").is_file());
    let out = folder.path().join("out");
    assert_eq!(convert(&[folder.path().join("images")], &[], &out).unwrap().cases, 3);
}

#[test]
fn images_without_masks_are_named() {
    let folder = tempfile::tempdir().unwrap();
    examples::write_pictures(folder.path(), &OPTIONS).unwrap();
    std::fs::remove_file(folder.path().join("masks/patient_02.png")).unwrap();
    let error = ingest(&request(folder.path(), "Task001_X")).unwrap_err().to_string();
    assert!(error.contains("no masks of patient_02"), "{error}");
}
