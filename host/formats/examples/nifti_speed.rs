//! Compares our reading of NIfTI voxels with that of the crate `nifti`: time, and the first voxel where they differ.
//!
//! Usage: cargo run --release -p nnunet-formats --example nifti_speed
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for measuring")]

use std::path::Path;
use std::time::{Duration, Instant};

use ndarray::Array3;
use nifti::{IntoNdArray, NiftiObject, ReaderOptions};
use nnunet_formats::{Geometry, nifti as ours};

const SHAPE: (usize, usize, usize) = (200, 256, 256);

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let image = Array3::from_shape_fn(SHAPE, |(z, y, x)| ((z * 31 + y * 7 + x * 3) % 4096) as i16 - 1024);
    let geometry = Geometry {
        size: [SHAPE.2, SHAPE.1, SHAPE.0],
        spacing: [1.0; 3],
        origin: [0.0; 3],
        direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    };
    for name in ["a.nii", "a.nii.gz"] {
        let path = folder.path().join(name);
        ours::write_i16(&path, image.view(), &geometry).unwrap();
        let best = |read: fn(&Path) -> Array3<f32>| (0..5).map(|_| timed(read, &path)).min().unwrap();
        println!("{name}: ours {:?}, crate {:?}", best(by_us), best(by_crate));
        assert_eq!(by_us(&path), by_crate(&path));
    }
}

fn timed(read: fn(&Path) -> Array3<f32>, path: &Path) -> Duration {
    let start = Instant::now();
    std::hint::black_box(read(path));
    start.elapsed()
}

fn by_us(path: &Path) -> Array3<f32> {
    ours::read(path).unwrap().data
}

/// In double precision, as scaling needs it, then as float32 in the order z, y, x.
fn by_crate(path: &Path) -> Array3<f32> {
    let object = ReaderOptions::new().read_file(path).unwrap();
    let volume = object.into_volume().into_ndarray::<f64>().unwrap();
    let values = volume.mapv(|value| value as f32).into_dimensionality::<ndarray::Ix3>().unwrap();
    values.reversed_axes().as_standard_layout().into_owned()
}
