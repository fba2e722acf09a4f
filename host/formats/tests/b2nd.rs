//! Arrays of Blosc2: files of the original, and what is written is read back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use ndarray::{Array4, Axis, s};
use nnunet_formats::b2nd::{CompressedArray, Element, load, save};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_assert_eq, proptest};

/// Files of `tests/stored/make_b2nd.py`.
fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/stored/b2nd").join(format!("{name}.b2nd"))
}

fn formula() -> Array4<f32> {
    Array4::from_shape_fn((2, 7, 9, 11), |(c, z, y, x)| ((7 * c + 5 * z + 3 * y + x * x) % 23) as f32)
}

#[test]
fn every_codec_and_filter_of_the_original_is_read() {
    for codec in ["BLOSCLZ", "LZ4", "LZ4HC", "ZLIB", "ZSTD"] {
        for filter in ["NOFILTER", "SHUFFLE"] {
            assert_eq!(
                load(&stored(&format!("{codec}_{filter}"))).unwrap(),
                formula() / 4.0,
                "{codec} {filter}"
            );
        }
    }
    assert_eq!(load(&stored("copied")).unwrap(), formula() / 4.0);
    assert_eq!(load(&stored("many_chunks")).unwrap(), formula());
}

#[test]
fn every_element_type_of_cases_is_read() {
    for name in ["int8", "int16", "uint8", "float16", "float64"] {
        assert_eq!(load(&stored(name)).unwrap(), formula(), "{name}");
    }
}

#[test]
fn chunks_of_one_value_are_read() {
    for (name, value) in [("zeros", 0.0), ("seven", 7.0), ("uninit", 0.0)] {
        let found = load(&stored(&format!("special_{name}"))).unwrap();
        assert_eq!(found, Array4::from_elem((2, 7, 9, 11), value), "{name}");
    }
    assert!(load(&stored("special_nan")).unwrap().iter().all(|value| value.is_nan()));
}

#[test]
fn cases_of_the_original_are_read() {
    assert_eq!(load(&stored("case")).unwrap(), formula() / 4.0);
    let label = formula().index_axis_move(Axis(0), 0).insert_axis(Axis(0));
    assert_eq!(load(&stored("case_seg")).unwrap(), label);
    // As v2 writes the previous stage's segmentation.
    assert_eq!(load(&stored("three_axes")).unwrap(), label);
}

#[test]
fn what_is_not_supported_is_named() {
    for (name, word) in [("bitshuffle", "bitshuffle"), ("delta", "delta"), ("axes", "2 axes")] {
        let message = load(&stored(&format!("refused_{name}"))).unwrap_err().to_string();
        assert!(message.contains(word) && message.contains(".b2nd"), "{message}");
    }
}

#[test]
fn a_crop_is_that_of_the_array() {
    for name in ["LZ4HC_SHUFFLE", "many_chunks", "case"] {
        let (file, whole) = (CompressedArray::open(&stored(name)).unwrap(), load(&stored(name)).unwrap());
        let mut crop = Array4::zeros((1, 4, 7, 1));
        file.crop(1..2, [2..6, 1..8, 10..11], crop.view_mut()).unwrap();
        assert_eq!(crop, whole.slice(s![1..2, 2..6, 1..8, 10..11]), "{name}");
    }
}

#[test]
fn a_file_that_is_cut_off_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(stored("LZ4HC_SHUFFLE")).unwrap();
    let path = folder.path().join("cut.b2nd");
    for len in [0, 9, 60, 150, 210, 1000, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..len]).unwrap();
        assert!(load(&path).is_err(), "{len}");
    }
}

/// Reads the first voxels; errors are what is wanted.
fn read_some(path: &Path) {
    let Ok(file) = CompressedArray::open(path) else { return };
    let [c, z, y, x] = file.shape().map(|len| len.min(12));
    let mut out = Array4::zeros((c, z, y, x));
    drop(file.crop(0..c, [0..z, 0..y, 0..x], out.view_mut()));
}

/// Numbers that a size or offset is set to.
const EXTREME: [u32; 4] = [0, 0x7f, 0xffff, 0x7fff_ffff];

#[test]
fn damaged_files_are_errors_and_no_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.b2nd");
    let names =
        ["BLOSCLZ_SHUFFLE", "LZ4_NOFILTER", "ZLIB_SHUFFLE", "ZSTD_SHUFFLE", "many_chunks", "special_seven"];
    for name in names {
        let bytes = std::fs::read(stored(name)).unwrap();
        // The header, the first chunk's, and the index at the end decide most.
        let places = (0..300).chain(bytes.len().saturating_sub(300)..bytes.len() - 4).step_by(3);
        for at in places {
            for number in EXTREME {
                let mut damaged = bytes.clone();
                let number = if at % 2 == 0 { number.to_le_bytes() } else { number.to_be_bytes() };
                damaged[at..at + 4].copy_from_slice(&number);
                std::fs::write(&path, &damaged).unwrap();
                read_some(&path);
            }
        }
    }
}

/// An array with runs of zeros, its chunks and blocks.
fn array() -> impl Strategy<Value = (Array4<f32>, [usize; 4], [usize; 4])> {
    let sizes = || [1..3_usize, 1..9_usize, 1..9_usize, 1..12_usize];
    (sizes(), sizes(), sizes()).prop_flat_map(|(shape, chunk, block)| {
        let block = std::array::from_fn(|axis: usize| block[axis].min(chunk[axis]));
        let values = vec(proptest::option::of(-300_i16..300), shape.iter().product::<usize>());
        (values, Just((shape, chunk, block))).prop_map(|(values, (shape, chunk, block))| {
            let values = values.into_iter().map(|value| value.map_or(0.0, f32::from)).collect();
            (Array4::from_shape_vec(shape, values).unwrap(), chunk, block)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back((array, chunk, block) in array()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("array.b2nd");
        save(&path, array.view(), Element::I16, chunk, block).unwrap();
        prop_assert_eq!(&load(&path).unwrap(), &array);
        let image = array.mapv(|value| value / 7.0);
        save(&path, image.view(), Element::F32, chunk, block).unwrap();
        prop_assert_eq!(load(&path).unwrap(), image);
    }
}
