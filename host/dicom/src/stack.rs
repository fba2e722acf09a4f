//! Slices as a regular grid.

use std::path::PathBuf;

use nnunet_formats::Geometry;

use crate::slice::{Place, Slice};
use crate::{Error, Result};

/// Directions and spacings that differ by less are the same.
const SAME: f64 = 1e-3;
/// Share of the distance between slices by which it may vary.
const UNEVEN: f64 = 0.05;
/// A tilt of the gantry beyond this is not a rounding error, degrees.
const TILT: f64 = 0.5;
/// Thickness of a single slice without neighbors, if its file does not say it, mm.
const ALONE: f64 = 1.0;

/// Sorts the slices of a series by their position, and returns the geometry of the volume.
///
/// # Errors
/// Returns an error that says what is irregular; the slices then stay as they are.
pub(crate) fn sort(slices: &mut Vec<Slice>) -> Result<Geometry> {
    let mut placed = Vec::new();
    for slice in slices.iter() {
        placed.push((slice.place.clone()?, slice.clone()));
    }
    let Some((first, slice)) = placed.first().cloned() else { return Err(Error::Nothing(PathBuf::new())) };
    let wrong = |reason: String| Error::Grid { series: slice.name.clone(), reason };
    if let Some((_, other)) = placed.iter().find(|(place, _)| !is_alike(place, &first)) {
        return Err(wrong(format!(
            "{} and {} differ in size, spacing or orientation; is one of them a localizer?",
            slice.file.display(),
            other.file.display()
        )));
    }
    if let Some((_, other)) = placed.iter().find(|(place, _)| place.is_rescaled != first.is_rescaled) {
        return Err(wrong(format!(
            "only one of {} and {} has RescaleSlope and RescaleIntercept, so that their values do not mean the same",
            slice.file.display(),
            other.file.display()
        )));
    }
    let [row, column] = [&first.orientation[..3], &first.orientation[3..]].map(three);
    let normal = cross(row, column);
    let at = |place: &Place| dot(place.position, normal);
    placed.sort_by(|(a, _), (b, _)| at(a).total_cmp(&at(b)));
    let places: Vec<f64> = placed.iter().map(|(place, _)| at(place)).collect();
    let step = step(&places).map_err(&wrong)?.unwrap_or(first.thickness.unwrap_or(ALONE));
    let positions: Vec<[f64; 3]> = placed.iter().map(|(place, _)| place.position).collect();
    let (start, end) = (positions[0], positions[positions.len() - 1]);
    check_line(&positions, &places, [row, column], first.spacing).map_err(&wrong)?;
    check_tilt(start, end, normal).map_err(&wrong)?;
    let [between_rows, between_columns] = first.spacing;
    let [rows, columns] = first.size;
    let mut direction = [0.0; 9];
    for (axis, vector) in [row, column, normal].into_iter().enumerate() {
        (0..3).for_each(|world| direction[3 * world + axis] = vector[world]);
    }
    *slices = placed.into_iter().map(|(_, slice)| slice).collect();
    Ok(Geometry {
        size: [columns, rows, slices.len()],
        spacing: [between_columns, between_rows, step],
        origin: start,
        direction,
    })
}

fn is_alike(place: &Place, first: &Place) -> bool {
    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < SAME);
    place.size == first.size
        && near(&place.spacing, &first.spacing)
        && near(&place.orientation, &first.orientation)
}

/// What is strange about the distance between the slices of a grid: if it is a multiple of what their files say, slices may
/// be missing everywhere, which the distances alone do not show.
pub(crate) fn doubt(slices: &[Slice], geometry: &Geometry) -> Option<String> {
    let between = slices.get(1)?.place.as_ref().ok()?.between?;
    let step = geometry.spacing[2];
    let times = (step / between).round();
    let is_multiple = times >= 2.0 && (step / between - times).abs() < UNEVEN * times;
    is_multiple.then(|| {
        format!(
            "slices are {step:.2} mm apart, and their files say {between:.2} mm (SpacingBetweenSlices): is only one of \
             {times} there?"
        )
    })
}

/// The distance between neighbors, which must be the same everywhere; none of a single slice.
fn step(places: &[f64]) -> std::result::Result<Option<f64>, String> {
    let steps: Vec<f64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let same = steps.iter().filter(|step| **step < SAME).count();
    if same > 0 {
        return Err(format!(
            "{same} slices lie where another one does; it has several phases or echoes: separate them first"
        ));
    }
    let Some(median) = median(&steps) else { return Ok(None) };
    let is_gap = |step: &&f64| (**step - median).abs() > UNEVEN * median;
    let gap = |(step, place): (&f64, &f64)| {
        let missing = (step / median).round() - 1.0;
        let between = format!("between {place:.1} and {:.1} mm", place + step);
        if missing >= 1.0 {
            format!("{missing} missing {between}")
        } else {
            format!("{step:.2} mm {between}")
        }
    };
    let gaps: Vec<String> = steps.iter().zip(places).filter(|(step, _)| is_gap(step)).map(gap).collect();
    if gaps.is_empty() {
        return Ok(Some((places[places.len() - 1] - places[0]) / steps.len() as f64));
    }
    Err(format!(
        "slices are {median:.2} mm apart, but not everywhere: {}; export the series again, or leave it out",
        gaps.join(", ")
    ))
}

/// The smaller one of two: steps are too large where slices are missing.
fn median(steps: &[f64]) -> Option<f64> {
    let mut sorted = steps.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// Checks that the slices lie on the line from the first to the last: what a tilted gantry keeps, and what a shift of some
/// slices does not. A tilt that is a rounding error may also be one of each slice, up to half a voxel.
fn check_line(
    positions: &[[f64; 3]],
    places: &[f64],
    plane: [[f64; 3]; 2],
    spacing: [f64; 2],
) -> std::result::Result<(), String> {
    let in_plane = |position: &[f64; 3]| plane.map(|axis| dot(*position, axis));
    let points: Vec<[f64; 2]> = positions.iter().map(in_plane).collect();
    let (Some((first, low)), Some((last, high))) =
        (points.first().zip(places.first()), points.last().zip(places.last()))
    else {
        return Ok(());
    };
    let length = high - low;
    let tolerance = (TILT.to_radians().tan() * length).min(spacing[0].min(spacing[1]) / 2.0).max(SAME);
    // Where the line is, relative to the first slice.
    let line = |place: f64| [0, 1].map(|axis| (last[axis] - first[axis]) * (place - low) / length);
    let off = |(point, place): (&[f64; 2], &f64)| {
        let line = line(*place);
        (point[0] - first[0] - line[0]).hypot(point[1] - first[1] - line[1])
    };
    let most = points.iter().zip(places).map(off).fold(0.0, f64::max);
    if length < SAME || most <= tolerance {
        return Ok(());
    }
    let jumps = jumps(&points, places, tolerance);
    let jumps = if jumps.is_empty() { format!("by up to {most:.1} mm") } else { jumps.join(", ") };
    Err(format!(
        "its slices do not lie on a line, but are shifted in their plane: {jumps}; export the series again, or leave it \
         out"
    ))
}

/// Neighbors that are shifted against each other more than most are.
fn jumps(points: &[[f64; 2]], places: &[f64], tolerance: f64) -> Vec<String> {
    let steps: Vec<[f64; 2]> =
        points.windows(2).map(|pair| [0, 1].map(|axis| pair[1][axis] - pair[0][axis])).collect();
    let usual =
        [0, 1].map(|axis| median(&steps.iter().map(|step| step[axis]).collect::<Vec<_>>()).unwrap_or(0.0));
    let shift = |step: &[f64; 2]| (step[0] - usual[0]).hypot(step[1] - usual[1]);
    let all = steps.iter().map(shift).zip(places.windows(2));
    all.filter(|(shift, _)| *shift > tolerance)
        .map(|(shift, pair)| format!("by {shift:.1} mm between {:.1} and {:.1} mm", pair[0], pair[1]))
        .collect()
}

/// Checks that the slices lie straight above each other.
fn check_tilt(start: [f64; 3], end: [f64; 3], normal: [f64; 3]) -> std::result::Result<(), String> {
    let along: [f64; 3] = std::array::from_fn(|axis| end[axis] - start[axis]);
    let length = dot(along, along).sqrt();
    if length < SAME {
        return Ok(());
    }
    let angle = (dot(along, normal) / length).clamp(-1.0, 1.0).acos().to_degrees();
    if angle <= TILT {
        return Ok(());
    }
    Err(format!(
        "the gantry was tilted by {angle:.1} degrees, so that its voxels are not boxes; resample it first, for example \
         with dcm2niix"
    ))
}

fn three(values: &[f64]) -> [f64; 3] {
    [values[0], values[1], values[2]]
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(places: &[f64]) -> Vec<Slice> {
        let slice = |z: &f64| Slice {
            file: format!("{z}.dcm").into(),
            series: "1".to_owned(),
            name: "CT".to_owned(),
            number: None,
            modality: "CT".to_owned(),
            place: Ok(Place {
                size: [4, 6],
                spacing: [0.5, 0.7],
                position: [-10.0, 20.0, *z],
                orientation: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
                is_rescaled: true,
                thickness: Some(3.0),
                between: Some(2.5),
            }),
        };
        places.iter().map(slice).collect()
    }

    fn place(slice: &mut Slice) -> &mut Place {
        slice.place.as_mut().unwrap()
    }

    fn message(places: &[f64], change: impl Fn(&mut Vec<Slice>)) -> String {
        let mut all = slices(places);
        change(&mut all);
        sort(&mut all).unwrap_err().to_string()
    }

    #[test]
    fn slices_are_sorted_by_position() {
        let mut all = slices(&[5.0, 0.0, 2.5]);
        let geometry = sort(&mut all).unwrap();
        assert_eq!(all.iter_mut().map(|slice| place(slice).position[2]).collect::<Vec<_>>(), [0.0, 2.5, 5.0]);
        assert_eq!((geometry.size, geometry.spacing), ([6, 4, 3], [0.7, 0.5, 2.5]));
        assert_eq!(geometry.origin, [-10.0, 20.0, 0.0]);
    }

    #[test]
    fn slices_from_head_to_feet_run_against_the_normal() {
        let mut all = slices(&[0.0, 2.0]);
        // Rows to the left, columns to the front: the normal points to the feet.
        all.iter_mut().for_each(|slice| place(slice).orientation = [1.0, 0.0, 0.0, 0.0, -1.0, 0.0]);
        let geometry = sort(&mut all).unwrap();
        assert_eq!((geometry.origin[2], geometry.direction[8]), (2.0, -1.0));
    }

    #[test]
    fn irregular_series_are_refused_with_the_reason() {
        let nothing = |_: &mut Vec<Slice>| {};
        let text = message(&[0.0, 2.0, 4.0, 8.0, 10.0], nothing);
        assert!(text.contains("1 missing between 4.0 and 8.0 mm"), "{text}");
        assert!(message(&[0.0, 2.0, 2.0, 4.0], nothing).contains("where another one does"));
        let text = message(&[0.0, 2.0, 4.0], |all| {
            all.iter_mut().enumerate().for_each(|(i, slice)| place(slice).position[1] += 0.5 * i as f64);
        });
        assert!(text.contains("tilted by 14.0 degrees"), "{text}");
        let text = message(&[0.0, 2.0], |all| place(&mut all[1]).size = [4, 4]);
        assert!(text.contains("differ in size"), "{text}");
        let text = message(&[0.0, 2.0], |all| place(&mut all[1]).is_rescaled = false);
        assert!(text.contains("0.dcm and 2.dcm has RescaleSlope"), "{text}");
    }

    #[test]
    fn a_single_slice_is_as_thick_as_its_file_says() {
        assert_eq!(sort(&mut slices(&[4.0])).unwrap().spacing[2], 3.0);
        let mut one = slices(&[4.0]);
        place(&mut one[0]).thickness = None;
        assert_eq!(sort(&mut one).unwrap().spacing[2], ALONE);
    }

    #[test]
    fn slices_that_are_missing_everywhere_are_doubted() {
        let doubt = |places: &[f64]| {
            let mut all = slices(places);
            let geometry = sort(&mut all).unwrap();
            doubt(&all, &geometry)
        };
        assert!(doubt(&[0.0, 5.0, 10.0]).unwrap().contains("is only one of 2 there?"));
        // As the files say, overlapping, and not a multiple.
        for places in [[0.0, 2.5, 5.0], [0.0, 1.25, 2.5], [0.0, 3.75, 7.5]] {
            assert_eq!(doubt(&places), None, "{places:?}");
        }
        assert_eq!(doubt(&[0.0]), None);
    }

    #[test]
    fn slices_that_are_shifted_in_their_plane_are_no_tilt() {
        let heights = [0.0, 2.0, 4.0, 6.0, 8.0, 10.0];
        let shifted = |from: usize, to: usize, by: f64| {
            message(&heights, |all| all[from..to].iter_mut().for_each(|slice| place(slice).position[0] += by))
        };
        for (from, to) in [(3, 6), (2, 4)] {
            let text = shifted(from, to, 8.0);
            let low = heights[from - 1];
            let jump = format!("by 8.0 mm between {low:.1} and {:.1} mm", low + 2.0);
            assert!(text.contains("shifted in their plane") && text.contains(&jump), "{text}");
        }
        // Rounding errors of the positions.
        let mut rounded = slices(&heights);
        place(&mut rounded[2]).position[0] += 0.01;
        sort(&mut rounded).unwrap();
        // A tilt of few slices, which also are shifted.
        let text = message(&heights, |all| {
            all.iter_mut().enumerate().for_each(|(i, slice)| place(slice).position[1] += 0.5 * i as f64);
            place(&mut all[3]).position[1] += 3.0;
        });
        assert!(text.contains("by 3.0 mm between 4.0 and 6.0 mm"), "{text}");
    }
}
