//! Sampled voxels of each class, for foreground oversampling.

use ndarray::ArrayView3;
use nnunet_numerics::RandomState;
use nnunet_plugin_core::vocabulary::ClassLocations;

/// Random seed of v1; one generator is used for all classes of a case.
const SEED: u32 = 1234;
/// Maximum number of voxels per class,
const MAX_LOCATIONS: usize = 10_000;
/// but at least this fraction of the class's voxels.
const MIN_SHARE: f64 = 0.01;

/// Voxels (z, y, x) of each class, drawn without replacement.
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
