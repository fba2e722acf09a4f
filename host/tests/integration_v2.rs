//! v2's whole way with v2's command names: two data sets (the others are in the test `interop`), four configurations in five folds, the best of them, a test set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_tests::World;

#[test]
fn data_sets_of_all_kinds_are_trained_selected_and_predicted() {
    let said = World::new().flow("integration_v2.sh", &[("STEPS", "4"), ("KINDS", "regions ignore")]);
    let count = |part: &str| said.lines().filter(|line| line.contains(part)).count();
    assert_eq!((count("  best: "), count("  final: mean Dice")), (2, 2), "{said}");
}
