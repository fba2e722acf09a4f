//! The weights of trainings that are compared.

use std::path::Path;

use nnunet_formats::pickle::Value;
use nnunet_formats::torch_zip;

/// Takes the weights of a finished fold, and removes it.
pub(crate) fn taken(fold: &Path) -> Vec<f32> {
    let checkpoint = torch_zip::load(&fold.join("model_final_checkpoint.model")).unwrap();
    std::fs::remove_dir_all(fold).unwrap();
    let entries = checkpoint.root.get("state_dict").unwrap().entries().unwrap();
    let tensors = entries.iter().filter_map(|(_, value)| match value {
        Value::Tensor(index) => checkpoint.tensors[*index].to_f32(),
        _ => None,
    });
    let all: Vec<f32> = tensors.flatten().collect();
    assert!(!all.is_empty());
    all
}

/// Sums are rounded in another order where processes share a batch.
#[track_caller]
pub(crate) fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let differences = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    let largest = differences.fold(0.0, f32::max);
    assert!(largest < 1e-4, "{what}: weights differ by {largest}");
}
