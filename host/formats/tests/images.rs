//! Images of formats that v2 reads. `tests/stored/make_formats.py` made them, and wrote down what v2 reads in them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use ndarray::{Array4, Axis};
use nnunet_formats::json::{self, Json};
use nnunet_formats::{Geometry, Image, Result, meta_image, nrrd, picture, tiff};

/// Largest difference of a place in mm, and of a cosine.
const TOLERANCE: f64 = 1e-9;

fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/stored/formats").join(name)
}

/// All stored files, with what is expected of them.
fn expected() -> Vec<(String, Json)> {
    let Json::Object(entries) = json::load(&stored("expected.json")).unwrap() else { panic!("no object") };
    assert!(entries.len() > 30, "only {} files", entries.len());
    entries
}

fn numbers(entry: &Json, key: &str) -> Option<Vec<f64>> {
    Some(entry.get(key)?.items().unwrap().iter().filter_map(Json::as_f64).collect())
}

/// (channels, z, y, x).
fn array(entry: &Json) -> Array4<f32> {
    let shape = numbers(entry, "shape").unwrap();
    let shape: [usize; 4] = std::array::from_fn(|axis| shape[axis] as usize);
    let values = numbers(entry, "values").unwrap();
    Array4::from_shape_vec(shape, values.into_iter().map(|value| value as f32).collect()).unwrap()
}

fn ending(name: &str) -> &str {
    name.rsplit('.').next().unwrap()
}

fn read(path: &Path) -> Result<Image> {
    match ending(path.to_str().unwrap()) {
        "mha" => meta_image::read(path),
        "nrrd" => nrrd::read(path),
        "tif" | "tiff" => tiff::read(path),
        _ => picture::read(path),
    }
}

fn read_geometry(path: &Path) -> Result<Geometry> {
    match ending(path.to_str().unwrap()) {
        "mha" => meta_image::read_geometry(path),
        "nrrd" => nrrd::read_geometry(path),
        "tif" | "tiff" => tiff::read_geometry(path),
        _ => picture::read_geometry(path),
    }
}

fn near(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= TOLERANCE)
}

fn same_place(a: &Geometry, b: &Geometry) -> bool {
    a.size == b.size
        && near(&a.spacing, &b.spacing)
        && near(&a.origin, &b.origin)
        && near(&a.direction, &b.direction)
}

#[test]
fn images_are_read_as_v2_reads_them() {
    for (name, entry) in expected() {
        let path = stored(&name);
        let wanted = array(&entry);
        let flat = wanted.dim().1 == 1;
        if flat && !matches!(ending(&name), "mha" | "nrrd") {
            assert_eq!(picture::read_channels(&path).unwrap(), wanted, "{name}");
        }
        let channels = wanted.dim().0;
        if channels > 1 {
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("it has {channels} channels")), "{error}");
            continue;
        }
        let image = read(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(image.data, wanted.index_axis(Axis(0), 0), "{name}");
        let geometry = &image.geometry;
        assert_eq!(read_geometry(&path).unwrap(), *geometry, "{name}");
        assert_eq!(geometry.size_zyx(), image.data.shape(), "{name}");
        assert!(near(&geometry.spacing_zyx(), &numbers(&entry, "spacing").unwrap()), "{name}: {geometry:?}");
        let (origin, direction) = (numbers(&entry, "origin"), numbers(&entry, "direction"));
        assert!(near(&geometry.origin, &origin.unwrap_or(vec![0.0; 3])), "{name}: {geometry:?}");
        let unit = vec![1., 0., 0., 0., 1., 0., 0., 0., 1.];
        assert!(near(&geometry.direction, &direction.unwrap_or(unit)), "{name}: {geometry:?}");
    }
}

#[test]
fn what_is_written_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    for (name, entry) in expected() {
        if array(&entry).dim().0 > 1 {
            continue;
        }
        let Image { data, geometry } = read(&stored(&name)).unwrap();
        let copy = folder.path().join(&name);
        let labels = data.mapv(|value| value as i64 as u8);
        let (write_labels, write_image): (fn(_, _, &_) -> _, fn(_, _, &_) -> _) = match ending(&name) {
            "mha" => (meta_image::write_labels, meta_image::write_image),
            "nrrd" => (nrrd::write_labels, nrrd::write_image),
            "tif" | "tiff" => (tiff::write_labels, tiff::write_image),
            _ => (picture::write_labels, picture::write_image),
        };
        write_labels(&copy, labels.view(), &geometry).unwrap();
        let back = read(&copy).unwrap();
        assert_eq!(back.data, labels.mapv(f32::from), "{name}");
        assert!(same_place(&back.geometry, &geometry), "{name}: {:?} and {geometry:?}", back.geometry);
        match write_image(&copy, data.view(), &geometry) {
            Ok(()) => assert_eq!(read(&copy).unwrap().data, data, "{name}"),
            Err(error) => assert!(error.to_string().contains("whole values up to 255"), "{error}"),
        }
    }
}

/// A slice that was read with two axes is written with two.
#[test]
fn a_slice_stays_a_slice() {
    let folder = tempfile::tempdir().unwrap();
    for (name, line) in [("slice.mha", "NDims = 2\n"), ("slice.nrrd", "dimension: 2\n")] {
        let image = read(&stored(name)).unwrap();
        let copy = folder.path().join(name);
        let write = if name.ends_with("mha") { meta_image::write_image } else { nrrd::write_image };
        write(&copy, image.data.view(), &image.geometry).unwrap();
        let bytes = std::fs::read(&copy).unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains(line), "{name}");
    }
}

#[test]
fn a_stack_has_its_spacing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.tif");
    let image = read(&stored("labels.tif")).unwrap();
    tiff::write_labels(&path, image.data.mapv(|value| value as u8).view(), &image.geometry).unwrap();
    let beside = std::fs::read_to_string(folder.path().join("case.json")).unwrap();
    assert_eq!(beside, "{\n    \"spacing\": [\n        3.0,\n        1.5,\n        1.0\n    ]\n}");
    std::fs::write(folder.path().join("case.json"), "{\"spacing\": [1, 2]}").unwrap();
    assert!(tiff::read_geometry(&path).unwrap_err().to_string().contains("three positive numbers"));
}

/// Places in a file: not all of a long one.
fn places(bytes: &[u8]) -> impl Iterator<Item = usize> {
    (0..bytes.len()).step_by(1 + bytes.len() / 400)
}

/// The beginning of a file is an error, or the image where only its end is missing.
#[test]
fn truncated_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for (name, _) in expected() {
        let bytes = std::fs::read(stored(&name)).unwrap();
        let whole = read(&stored(&name)).ok().map(|image| image.data);
        let path = folder.path().join(&name);
        let mut failed = 0;
        for len in places(&bytes) {
            std::fs::write(&path, &bytes[..len]).unwrap();
            match read(&path) {
                Ok(image) => assert_eq!(Some(image.data), whole, "{len} bytes of {name}"),
                Err(error) => {
                    assert!(error.to_string().contains(&name), "{error}");
                    failed += 1;
                }
            }
        }
        let all = places(&bytes).count();
        assert!(failed > all / 4, "{name}: only {failed} of {all} beginnings are errors");
    }
}

/// Bytes set to extreme values: whatever comes out, it is no panic.
#[test]
fn changed_files_do_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    for (name, _) in expected() {
        let bytes = std::fs::read(stored(&name)).unwrap();
        let path = folder.path().join(&name);
        for at in places(&bytes) {
            for value in [0, b'9', 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                std::fs::write(&path, &changed).unwrap();
                drop(read(&path));
            }
        }
    }
}

#[test]
fn what_is_not_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let error = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path).unwrap_err().to_string()
    };
    let mha = |more: &str, file: &str| {
        let text = format!(
            "NDims = 2\nDimSize = 2 2\nElementType = MET_UCHAR\n{more}\nElementDataFile = {file}\n1234"
        );
        error("a.mha", &text)
    };
    assert!(mha("", "a.raw").contains("in another file, a.raw"));
    assert!(mha("ElementNumberOfChannels = 3", "LOCAL").contains("several values"));
    assert!(mha("BinaryData = False", "LOCAL").contains("as text"));
    assert!(mha("ElementSpacing = 1 0", "LOCAL").contains("its spacing is"));
    assert!(mha("Offset = 1", "LOCAL").contains("not those of 2 axes"));
    assert!(mha("TransformMatrix = 1 0 1 0", "LOCAL").contains("must span space"));
    let nrrd = |fields: &str| {
        let fields =
            if fields.contains("encoding") { fields.to_owned() } else { format!("{fields}\nencoding: raw") };
        error("a.nrrd", &format!("NRRD0004\ntype: uint8\ndimension: 2\nsizes: 2 2\n{fields}\n\n1234"))
    };
    assert!(nrrd("encoding: bzip2").contains("encoding bzip2 is not read"));
    assert!(nrrd("data file: a.raw").contains("in another file, a.raw"));
    assert!(nrrd("kinds: vector domain").contains("several values"));
    assert!(nrrd("byte skip: -1").contains("a separate offset"));
    assert!(nrrd("axis mins: 1 2").contains("axis mins"));
    assert!(nrrd("space directions: none (1,0)").contains("`none`"));
    // Sizes that no file has are not allocated.
    let sizes = |sizes: &str| {
        error(
            "b.nrrd",
            &format!(
                "NRRD0004\ntype: float\ndimension: 3\nsizes: {sizes}\nendian: little\nencoding: raw\n\n"
            ),
        )
    };
    assert!(sizes("4000000 4000000 4000000").contains("would not fit"));
    assert!(sizes("100000 100000 100000").contains("truncated: 0 bytes"));
    assert!(error("a.png", "no picture").contains("a.png: not a readable"));
}
