//! Voxels resampled per second, against what the memory of the machine allows: every output voxel written once and every
//! input voxel read once.
//!
//! ```sh
//! cargo bench -p nnunet-numerics --bench resample
//! ```
#![allow(clippy::print_stdout, reason = "a bench is a program for developers")]

use std::hint::black_box;
use std::time::Instant;

use ndarray::{Array3, Array4};
use nnunet_numerics::{Resampling, resample, resample_labels};

/// Size of the case and of its resampled form.
const FROM: [usize; 3] = [200, 280, 280];
const TO: [usize; 3] = [230, 322, 322];

fn main() {
    let bandwidth = bandwidth();
    println!("copying: {:.1} GB/s read and written together", bandwidth / 1e9);
    let (from, to) = (FROM.iter().product::<usize>() as f64, TO.iter().product::<usize>() as f64);
    let limit = to / ((from + to) * 4.0 / bandwidth);
    let image = Array4::from_shape_fn((1, FROM[0], FROM[1], FROM[2]), |(_, z, y, x)| {
        ((z * 7 + y * 3 + x) % 101) as f32
    });
    let label =
        Array3::from_shape_fn(FROM, |(z, y, x)| f32::from(u8::from((z / 40 + y / 40 + x / 40) % 2 == 0)));
    println!("| | million voxels/s | share of the memory limit |\n|---|---|---|");
    let row = |name: &str, seconds: f64| {
        println!("| {name} | {:.0} | {:.2} |", to / seconds / 1e6, to / seconds / limit);
    };
    let how = |order, separate| Resampling { order, order_z: 0, separate };
    row("image, cubic", best(|| drop(black_box(resample(image.view(), TO, how(3, None))))));
    row("image, cubic in the plane", best(|| drop(black_box(resample(image.view(), TO, how(3, Some(0)))))));
    row("label, linear", best(|| drop(black_box(resample_labels(label.view(), TO, how(1, None))))));
    row(
        "label, linear in the plane",
        best(|| drop(black_box(resample_labels(label.view(), TO, how(1, Some(0)))))),
    );
}

/// Shortest of a few runs, in seconds.
fn best(mut run: impl FnMut()) -> f64 {
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| time(&mut run)).fold(f64::INFINITY, f64::min)
}

/// Bytes per second that all cores together read and write when they copy.
fn bandwidth() -> f64 {
    use rayon::prelude::*;
    let from = vec![1.0_f32; 1 << 26];
    let mut to = vec![0.0_f32; 1 << 26];
    let seconds = best(|| {
        to.par_chunks_mut(1 << 20)
            .zip(from.par_chunks(1 << 20))
            .for_each(|(to, from)| to.copy_from_slice(from));
        black_box(&to);
    });
    (from.len() * 8) as f64 / seconds
}
