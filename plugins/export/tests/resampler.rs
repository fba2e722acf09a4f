//! Scores brought back slab by slab are those of the whole volume, to the bit.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use ndarray::{Array4, Axis, concatenate, s};
use nnunet_export::{ExportResampler, SlabResampler};
use nnunet_numerics::{Resampling, resample};

fn scores(network: [usize; 3]) -> Array4<f32> {
    let [z, y, x] = network;
    Array4::from_shape_fn((3, z, y, x), |(c, z, y, x)| {
        ((c * 53 + z * 131 + y * 37 + x * 17) % 101) as f32 / 101.0
    })
}

fn whole(scores: &Array4<f32>, grids: &ExportResampler) -> Array4<f32> {
    let back = grids.transpose_backward;
    let untransposed = scores.view().permuted_axes([0, back[0] + 1, back[1] + 1, back[2] + 1]);
    resample(untransposed.as_standard_layout().view(), grids.cropped, grids.how)
}

fn in_slabs(scores: &Array4<f32>, grids: ExportResampler, rows: usize) -> Array4<f32> {
    let mut slabs = SlabResampler::new(grids).unwrap();
    let mut parts = Vec::new();
    for first in (0..grids.network[0]).step_by(rows) {
        let here = scores.slice(s![.., first..(first + rows).min(grids.network[0]), .., ..]).to_owned();
        parts.extend(slabs.push(here).unwrap());
    }
    let mut next = 0;
    for part in &parts {
        assert_eq!(part.first, next);
        next += part.scores.shape()[grids.axis() + 1];
    }
    let views: Vec<_> = parts.iter().map(|part| part.scores.view()).collect();
    concatenate(Axis(grids.axis() + 1), &views).unwrap()
}

/// Transposed plans, a separate axis and none, grids that grow and shrink.
#[test]
fn slabs_equal_the_whole() {
    let network = [9, 12, 10];
    let scores = scores(network);
    for transpose_backward in [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1]] {
        for cropped in [[14, 9, 20], [5, 30, 11], [31, 6, 10]] {
            for separate in [None, Some(0), Some(1), Some(2)] {
                let how = Resampling { order: 1, order_z: 0, separate };
                let grids = ExportResampler { transpose_backward, network, cropped, how };
                let expected = whole(&scores, &grids);
                for rows in [1, 4, 100] {
                    assert_eq!(in_slabs(&scores, grids, rows), expected, "{grids:?} {rows}");
                }
            }
        }
    }
}

/// Where the grids are the same nothing is resampled; splines have no slabs, but classes.
#[test]
fn the_same_grid_and_splines() {
    let network = [4, 6, 5];
    let scores = scores(network);
    let how = Resampling { order: 3, order_z: 0, separate: None };
    let same = ExportResampler { transpose_backward: [1, 2, 0], network, cropped: [6, 5, 4], how };
    assert_eq!(in_slabs(&scores, same, 3), whole(&scores, &same));
    let splines = ExportResampler { cropped: [7, 9, 8], ..same };
    assert!(SlabResampler::new(splines).is_none());
    let class = splines.whole(scores.index_axis(Axis(0), 1));
    assert_eq!(class, whole(&scores, &splines).index_axis(Axis(0), 1));
}
