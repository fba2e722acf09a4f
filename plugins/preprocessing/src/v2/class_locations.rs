//! Sampled positions of every label or region, for foreground oversampling (v2 `_sample_foreground_locations`).

use std::collections::BTreeMap;

use ndarray::ArrayView3;
use nnunet_numerics::RandomState;

/// Seed of v2's draw; one generator serves all classes of a case.
const SEED: u32 = 1234;
/// At most so many positions of a class,
const MAX_LOCATIONS: usize = 10_000;
/// but never less than this share of its voxels.
const MIN_SHARE: f64 = 0.01;

/// A label, or labels that are sampled together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// One label.
    Label(i64),
    /// Several.
    Region(Vec<i64>),
}

/// Positions of a class, (0, z, y, x): v2 counts the channel of the label map too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locations {
    /// What they are positions of.
    pub class: Class,
    /// Drawn without replacement; empty when the class is absent.
    pub positions: Vec<[i64; 4]>,
}

/// Positions of every class.
#[must_use]
pub fn class_locations(seg: ArrayView3<'_, f32>, classes: &[Class]) -> Vec<Locations> {
    let wanted = |class: &Class| match class {
        Class::Label(label) => vec![*label],
        Class::Region(labels) => labels.clone(),
    };
    let mut found: BTreeMap<i64, Vec<[u32; 3]>> =
        classes.iter().flat_map(wanted).map(|label| (label, Vec::new())).collect();
    for ((z, y, x), value) in seg.indexed_iter() {
        if let Some(positions) = found.get_mut(&(*value as i64)) {
            positions.push([z as u32, y as u32, x as u32]);
        }
    }
    let mut random = RandomState::new(SEED);
    let of = |class: &Class| {
        let parts: Vec<&[[u32; 3]]> = wanted(class).iter().map(|label| found[label].as_slice()).collect();
        Locations { class: class.clone(), positions: sample(&parts, &mut random) }
    };
    classes.iter().map(of).collect()
}

/// Draws from several lists as if they were one.
fn sample(parts: &[&[[u32; 3]]], random: &mut RandomState) -> Vec<[i64; 4]> {
    let total: usize = parts.iter().map(|part| part.len()).sum();
    if total == 0 {
        return Vec::new();
    }
    let count = MAX_LOCATIONS.min(total).max((total as f64 * MIN_SHARE).ceil() as usize);
    let at = |mut offset: usize| {
        for part in parts {
            match part.get(offset) {
                Some([z, y, x]) => return [0, i64::from(*z), i64::from(*y), i64::from(*x)],
                None => offset -= part.len(),
            }
        }
        [0; 4]
    };
    random.choice(total, count).into_iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    /// Values of `DefaultPreprocessor._sample_foreground_locations` for the same label map.
    #[test]
    fn positions_are_those_of_python() {
        let seg = Array3::from_shape_fn((2, 2, 3), |(z, y, x)| ((x + 2 * y + z) % 3) as f32);
        let classes = [Class::Label(1), Class::Region(vec![2, 1]), Class::Label(7)];
        let found = class_locations(seg.view(), &classes);
        assert_eq!(found[0].positions, [[0, 0, 0, 1], [0, 0, 1, 2], [0, 1, 0, 0], [0, 1, 1, 1]]);
        assert_eq!(
            found[1].positions,
            [
                [0, 0, 1, 2],
                [0, 1, 0, 1],
                [0, 1, 0, 0],
                [0, 1, 1, 2],
                [0, 0, 1, 0],
                [0, 0, 0, 2],
                [0, 1, 1, 1],
                [0, 0, 0, 1]
            ]
        );
        assert!(found[2].positions.is_empty());
    }
}
