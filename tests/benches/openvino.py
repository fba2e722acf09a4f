"""A model of nnU-Net v2, a case of one patch for it, and OpenVINO's time for the same network.

    python openvino.py write NET FOLDER    (nnunetv2==2.8.1, torch==2.11.0, openvino==2026.4)
    python openvino.py run FOLDER THREADS RESULT    (seconds to load and of a forward pass, to a file)

NET is large (31 million parameters, patch 96 x 128 x 128) or hippocampus (patch 40 x 56 x 40). Called by openvino.rs.
"""
import json
import sys
import time
from pathlib import Path

MODEL = "nnUNetTrainer__nnUNetPlans__3d_fullres"
# Features of each stage, and the patch.
NETS = {
    "large": ([32, 64, 128, 256, 320, 320], [96, 128, 128]),
    "hippocampus": ([32, 64, 128, 256], [40, 56, 40]),
}
CLASSES = 3


def write(net, folder):
    import nibabel
    import numpy as np
    import openvino
    import torch
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    features, patch = NETS[net]
    stages = len(features)
    arguments = {
        "n_stages": stages, "features_per_stage": features, "kernel_sizes": [[3] * 3] * stages,
        "strides": [[1] * 3] + [[2] * 3] * (stages - 1), "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1), "conv_bias": True, "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None, "dropout_op_kwargs": None, "nonlin_kwargs": {"inplace": True},
    }
    torch.manual_seed(1)
    network = PlainConvUNet(
        input_channels=1, num_classes=CLASSES, conv_op=torch.nn.Conv3d, norm_op=torch.nn.InstanceNorm3d,
        nonlin=torch.nn.LeakyReLU, deep_supervision=False, **arguments).eval()
    print(f"{net}: {sum(p.numel() for p in network.parameters()) / 1e6:.1f} million parameters")
    names = {"conv_op": "torch.nn.modules.conv.Conv3d", "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
             "nonlin": "torch.nn.LeakyReLU"}
    configuration = {
        "data_identifier": "x", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2, "patch_size": patch,
        "median_image_size_in_voxels": patch, "spacing": [1.0] * 3, "batch_dice": False,
        "normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [False],
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": {**arguments, **names}, "_kw_requires_import": list(names),
        },
    }
    for what, order in (("data", 3), ("seg", 1), ("probabilities", 1)):
        configuration[f"resampling_fn_{what}"] = "resample_data_or_seg_to_shape"
        configuration[f"resampling_fn_{what}_kwargs"] = {
            "is_seg": what == "seg", "order": order, "order_z": 0, "force_separate_z": None}
    intensities = ("mean", "std", "median", "min", "max", "percentile_00_5", "percentile_99_5")
    plans = {
        "dataset_name": "Dataset900_Bench", "plans_name": "nnUNetPlans", "original_median_spacing_after_transp": [1.0] * 3,
        "original_median_shape_after_transp": patch, "experiment_planner_used": "ExperimentPlanner",
        "image_reader_writer": "SimpleITKIO", "transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager", "configurations": {"3d_fullres": configuration},
        "foreground_intensity_properties_per_channel": {"0": {name: 1.0 for name in intensities}},
    }
    dataset = {"channel_names": {"0": "x"}, "labels": {"background": 0, "a": 1, "b": 2}, "numTraining": 1,
               "file_ending": ".nii.gz"}
    fold = folder / MODEL / "fold_0"
    fold.mkdir(parents=True)
    (folder / MODEL / "plans.json").write_text(json.dumps(plans))
    (folder / MODEL / "dataset.json").write_text(json.dumps(dataset))
    torch.save({
        "network_weights": network.state_dict(), "trainer_name": "nnUNetTrainer", "inference_allowed_mirroring_axes": (0, 1, 2),
        "init_args": {"configuration": "3d_fullres", "fold": 0, "plans": plans, "dataset_json": dataset},
    }, fold / "checkpoint_final.pth")
    (folder / "images").mkdir()
    image = np.random.default_rng(1).integers(0, 200, patch[::-1]).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), folder / "images" / "case_0000.nii.gz")
    converted = openvino.convert_model(network, example_input=torch.zeros([1, 1, *patch]), input=[1, 1, *patch])
    openvino.save_model(converted, folder / "network.xml", compress_to_fp16=False)


def run(folder, threads, result):
    start = time.perf_counter()
    import numpy as np
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    compiled = core.compile_model(folder / "network.xml", "CPU", settings)
    loaded = time.perf_counter()
    data = np.random.default_rng(1).normal(size=tuple(compiled.input(0).shape)).astype(np.float32)
    begin = time.perf_counter()
    compiled(data)
    result.write_text(f"{loaded - start:.3f} {time.perf_counter() - begin:.3f}")


def main():
    if sys.argv[1] == "write":
        write(sys.argv[2], Path(sys.argv[3]))
    else:
        run(Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))


if __name__ == "__main__":
    main()
