//! Preprocessors by class name: each changes a few settings of its parent.

use nnunet_plugin_core::{Variant, variants};

variants! { Variant::preprocessor;
    "GenericPreprocessor" ("")
        "Cubic resampling, one axis apart where spacing is very anisotropic; v1's default."
        |_| {};
    "GenericPreprocessor_linearResampling" ("GenericPreprocessor")
        "Linear resampling of images."
        |settings| settings.order_data = 1;
    "Preprocessor3DDifferentResampling" ("GenericPreprocessor")
        "Cubic along the separate axis too."
        |settings| {
            settings.order_z_data = 3;
            settings.order_z_seg = 1;
        };
    "Preprocessor3DBetterResampling" ("GenericPreprocessor")
        "Never an axis apart; cubic label indicators."
        |settings| {
            settings.force_separate_z = Some(false);
            settings.order_seg = 3;
        };
    "PreprocessorFor2D" ("GenericPreprocessor")
        "Slices: the first axis keeps its spacing."
        |settings| {
            settings.keep_first_axis_spacing = true;
            settings.remove_nan = false;
        };
    "PreprocessorFor2D_edgeLength512" ("PreprocessorFor2D")
        "Single slices, scaled so that the shorter edge has 512 pixels."
        |settings| settings.fixed_edge_length = Some(512);
    "PreprocessorFor2D_edgeLength768" ("PreprocessorFor2D")
        "Single slices, scaled so that the shorter edge has 768 pixels."
        |settings| settings.fixed_edge_length = Some(768);
    "PreprocessorFor3D_LeaveOriginalZSpacing" ("GenericPreprocessor")
        "Volumes whose first axis keeps its spacing."
        |settings| settings.keep_first_axis_spacing = true;
    "PreprocessorFor3D_NoResampling" ("GenericPreprocessor")
        "Every case keeps its spacing."
        |settings| settings.keep_spacing = true;
    "GenericPreprocessor_scale_uint8_to_0_1" ("PreprocessorFor2D")
        "Slices of 8-bit images, divided by 255."
        |settings| settings.normalization = Some("scale_uint8_to_0_1".to_owned());
    "DefaultPreprocessor" ("")
        "v2's default: normalizes, then resamples as the plans say."
        |settings| settings.remove_nan = false;
}
