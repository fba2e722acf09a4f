//! The second stage of a cascade, and how the prediction of the first one is disturbed.

use nnunet_plugin_api::vocabulary::Blueprint;
use serde_json::{Value, json};

use nnunet_plugin_api::variants;

use crate::table::trainer;

/// Changes of the transform that disturbs the first stage's masks.
fn disturb(b: &mut Blueprint, parameters: Value) {
    b.augmentation.parameters.extend(parameters.as_object().cloned().unwrap_or_default());
}

/// Gentler disturbance of some of the labels.
fn educated_guess(b: &mut Blueprint, p: f64, p_per_label: f64) {
    disturb(
        b,
        json!({
            "cascade_random_binary_transform_p": p,
            "cascade_random_binary_transform_p_per_label": p_per_label,
            "cascade_random_binary_transform_size": [1.0, 5.0],
            "cascade_remove_conn_comp_max_size_percent_threshold": 0.1,
        }),
    );
}

fn keep_components(b: &mut Blueprint) {
    disturb(b, json!({ "cascade_remove_conn_comp_p": 0.0 }));
}

variants! { trainer;
    "nnUNetTrainerV2CascadeFullRes" ("nnUNetTrainerV2") "The second stage of a cascade."
        |_, _| {};
    "nnUNetTrainerV2CascadeFullRes_noConnComp" ("nnUNetTrainerV2CascadeFullRes") "No component is removed."
        |b, _| keep_components(b);
    "nnUNetTrainerV2CascadeFullRes_smallerBinStrel" ("nnUNetTrainerV2CascadeFullRes") "Smaller disturbance."
        |b, _| disturb(b, json!({ "cascade_random_binary_transform_size": [1.0, 5.0] }));
    "nnUNetTrainerV2CascadeFullRes_EducatedGuess" ("nnUNetTrainerV2CascadeFullRes")
        "Smaller disturbance of half of the labels."
        |b, _| educated_guess(b, 0.5, 0.5);
    "nnUNetTrainerV2CascadeFullRes_EducatedGuess2" ("nnUNetTrainerV2CascadeFullRes")
        "Smaller disturbance of half of the labels; no component is removed."
        |b, _| {
            educated_guess(b, 0.5, 0.5);
            keep_components(b);
        };
    "nnUNetTrainerV2CascadeFullRes_EducatedGuess3" ("nnUNetTrainerV2CascadeFullRes")
        "Smaller disturbance of a third of the labels in every sample; no component is removed."
        |b, _| {
            educated_guess(b, 1.0, 0.33);
            keep_components(b);
        };
    "nnUNetTrainerV2CascadeFullRes_lowerLR" ("nnUNetTrainerV2CascadeFullRes") "Learning rate 1e-3."
        |b, _| b.initial_lr = 1e-3;
    "nnUNetTrainerV2CascadeFullRes_shorter" ("nnUNetTrainerV2CascadeFullRes") "500 epochs."
        |b, _| b.max_num_epochs = 500;
    "nnUNetTrainerV2CascadeFullRes_shorter_lowerLR" ("nnUNetTrainerV2CascadeFullRes") "500 epochs, learning rate 1e-3."
        |b, _| {
            b.max_num_epochs = 500;
            b.initial_lr = 1e-3;
        };
}
