"""Makes the stored v2 cascade: two untrained networks saved by nnU-Net v2's own trainer, an image, and v2's predictions.

    python tests/stored/make_v2_cascade.py      (in an environment with nnunetv2==2.8.1, SimpleITK and scipy)
"""
import json
import os
import shutil
import tempfile
from pathlib import Path

work = Path(tempfile.mkdtemp())
for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ[name] = str(work / name)
os.environ["nnUNet_def_n_proc"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import SimpleITK as sitk
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from scipy.ndimage import gaussian_filter

DATASET = "Dataset900_Phantom"
# With these every label is found.
SEEDS = {"3d_lowres": 3, "3d_cascade_fullres": 1}
OUT = Path(__file__).parent / "v2_cascade"


def network():
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": 2, "features_per_stage": [4, 8], "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3, 3, 3], [3, 3, 3]], "strides": [[1, 1, 1], [2, 2, 2]], "n_conv_per_stage": [1, 1],
            "n_conv_per_stage_decoder": [1], "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d", "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None, "dropout_op_kwargs": None, "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def resampling(order, is_seg):
    return {"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": None}


def configuration(spacing, patch):
    return {
        "data_identifier": "nnUNetPlans_x", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2,
        "patch_size": patch, "median_image_size_in_voxels": patch, "spacing": spacing,
        "normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [True],
        "resampling_fn_data": "resample_data_or_seg_to_shape", "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": resampling(3, False), "resampling_fn_seg_kwargs": resampling(1, True),
        "resampling_fn_probabilities_kwargs": resampling(1, False), "batch_dice": False, "architecture": network(),
    }


low = configuration([2.4, 2.0, 2.2], [12, 16, 16])
low["next_stage"] = "3d_cascade_fullres"
high = configuration([1.6, 1.1, 1.2], [16, 24, 24])
high["previous_stage"] = "3d_lowres"
plans = {
    "dataset_name": DATASET, "plans_name": "nnUNetPlans", "original_median_spacing_after_transp": [1.5, 1.0, 1.2],
    "original_median_shape_after_transp": [20, 30, 28], "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [1, 0, 2], "transpose_backward": [1, 0, 2], "experiment_planner_used": "ExperimentPlanner",
    "label_manager": "LabelManager", "foreground_intensity_properties_per_channel": {
        "0": {"max": 120.0, "mean": 40.0, "median": 40.0, "min": 1.0, "percentile_00_5": 2.0, "percentile_99_5": 100.0,
              "std": 25.0}},
    "configurations": {"3d_lowres": low, "3d_cascade_fullres": high},
}
dataset = {
    "channel_names": {"0": "MRI"}, "labels": {"background": 0, "a": 1, "b": 2}, "numTraining": 1,
    "file_ending": ".nii.gz",
}


def phantom(path):
    random = np.random.default_rng(5)
    volume = gaussian_filter(random.normal(size=(30, 20, 28)), 2.5)
    volume = np.round(40 + 25 * volume / volume.std()).clip(1, 120).astype(np.uint8)
    z, y, x = np.ogrid[:30, :20, :28]
    volume[((z - 15) / 13) ** 2 + ((y - 9) / 8.5) ** 2 + ((x - 14) / 12) ** 2 > 1] = 0
    image = sitk.GetImageFromArray(volume)
    image.SetSpacing((1.2, 1.5, 1.0))
    image.SetOrigin((3, -2, 7))
    sitk.WriteImage(image, str(path), True)


def model(name, seed):
    torch.manual_seed(seed)
    trainer = nnUNetTrainer({**plans, "continue_training": False}, name, 0, dataset, device=torch.device("cpu"))
    trainer.initialize()
    for parameter in trainer.network.decoder.seg_layers.parameters():
        parameter.data *= 3
    if name == "3d_cascade_fullres":
        # The labels of the first stage shall matter.
        trainer.network.encoder.stages[0][0].convs[0].conv.weight.data[:, 1:] *= 4
    trainer.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
    folder = Path(trainer.output_folder)
    trainer.save_checkpoint(str(folder / "checkpoint_final.pth"))
    for file, content in (("plans.json", plans), ("dataset.json", dataset)):
        (folder.parent / file).write_text(json.dumps(content, indent=1))
    return folder.parent


def predict(folder, images, output, previous=None, probabilities=False):
    output.mkdir()
    predictor = nnUNetPredictor(device=torch.device("cpu"), use_mirroring=False, allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), (0,))
    predictor.predict_from_files_sequential(
        str(images), str(output), save_probabilities=probabilities,
        folder_with_segs_from_prev_stage=None if previous is None else str(previous))


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "images").mkdir(parents=True)
    (OUT / "expected").mkdir()
    phantom(OUT / "images" / "case_0000.nii.gz")
    # The trainer looks at the ending of preprocessed cases.
    cases = work / "nnUNet_preprocessed" / DATASET / "nnUNetPlans_x"
    cases.mkdir(parents=True)
    (cases / "case.npz").touch()
    folders = {name: model(name, seed) for name, seed in SEEDS.items()}
    first, second = work / "first", work / "second"
    predict(folders["3d_lowres"], OUT / "images", first)
    predict(folders["3d_cascade_fullres"], OUT / "images", second, first, probabilities=True)
    (OUT / "first").mkdir()
    shutil.copy(first / "case.nii.gz", OUT / "first")
    shutil.copy(second / "case.nii.gz", OUT / "expected")
    probabilities = np.load(second / "case.npz")["probabilities"].astype(np.float16)
    np.savez_compressed(OUT / "expected" / "case.npz", probabilities=probabilities)
    for folder in folders.values():
        to = OUT / folder.name
        (to / "fold_0").mkdir(parents=True)
        for name in ("plans.json", "dataset.json", "fold_0/checkpoint_final.pth"):
            shutil.copy(folder / name, to / name)
    for name in (OUT / "first", OUT / "expected"):
        labels = sitk.GetArrayFromImage(sitk.ReadImage(str(name / "case.nii.gz")))
        print(name.name, np.bincount(labels.ravel()))
