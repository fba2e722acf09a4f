//! Sampled positions of every class, for foreground oversampling.

use ndarray::ArrayView3;
use nnunet_numerics::RandomState;
use nnunet_plugin_core::vocabulary::ClassLocations;

/// Seed of v1's draw; one generator serves all classes of a case.
const SEED: u32 = 1234;
/// At most so many positions of a class,
const MAX_LOCATIONS: usize = 10_000;
/// but never less than this share of its voxels.
const MIN_SHARE: f64 = 0.01;

/// Positions (z, y, x) of every class, drawn without replacement.
#[must_use]
pub fn class_locations(seg: ArrayView3<'_, f32>, classes: &[i64]) -> Vec<ClassLocations> {
    let mut random = RandomState::new(SEED);
    classes
        .iter()
        .map(|class| {
            let label = *class as f32;
            let found = seg.indexed_iter().filter(|(_, value)| **value == label);
            let all: Vec<[i64; 3]> = found.map(|((z, y, x), _)| [z as i64, y as i64, x as i64]).collect();
            ClassLocations { class: *class, locations: sample(&all, &mut random) }
        })
        .collect()
}

fn sample(all: &[[i64; 3]], random: &mut RandomState) -> Vec<[i64; 3]> {
    if all.is_empty() {
        return Vec::new();
    }
    let wanted = MAX_LOCATIONS.min(all.len()).max((all.len() as f64 * MIN_SHARE).ceil() as usize);
    random.choice(all.len(), wanted).into_iter().map(|i| all[i]).collect()
}
