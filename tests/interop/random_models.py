"""Predicts with random models of nnU-Net v1 or v2, with Python and with this program, and compares.

    python random_models.py v1 FIRST LAST PROGRAM     (nnunet==1.7.1)
    python random_models.py v2 FIRST LAST PROGRAM     (nnunetv2==2.8.1)

A model of every seed from FIRST up to, without, LAST: its configuration, its images and the arguments are drawn, its weights are
untrained. Networks that have learned nothing are undecided between labels in many voxels, so two of a case's may differ. Ends
with code 1 when more do, or when probabilities differ by more than 2e-3 (the half precision both store).
"""
import copy
import json
import os
import pickle
import random
import subprocess
import sys
import tempfile
from collections import OrderedDict
from pathlib import Path

work = Path(tempfile.mkdtemp())
for variable in ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER", "nnUNet_raw", "nnUNet_results"):
    os.environ[variable] = str(work / variable)

import numpy as np
import SimpleITK as sitk
import torch
from scipy.ndimage import gaussian_filter

VOXELS, PROBABILITY = 2, 3e-3
DIRECTIONS = [(1, 0, 0, 0, 1, 0, 0, 0, 1), (0, 1, 0, 0, 0, 1, 1, 0, 0), (-1, 0, 0, 0, -1, 0, 0, 0, 1)]
INTENSITIES = {"mean": 60.0, "median": 60.0, "percentile_00_5": 5.0, "percentile_99_5": 120.0}


class Draw:
    """What models of both versions have in common."""

    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(seed)
        self.folder = work / str(seed)
        self.folder.mkdir()
        self.axes = self.one([2, 3, 3])
        self.channels = self.one([1, 1, 2, 3])
        self.labels = self.one([1, 2, 4])
        self.spacing = [self.one([0.8, 1.0, 1.3, 5.0]), self.one([0.9, 1.1]), self.one([0.9, 1.1, 2.0])]
        self.forward = self.one([[0, 1, 2], [1, 0, 2], [2, 0, 1]])
        self.backward = [self.forward.index(axis) for axis in range(3)]
        self.target = [self.spacing[axis] * self.one([1, 1.4, 0.8]) for axis in self.forward]
        self.patch = [self.one([8, 16]), self.one([16, 24]), self.one([16, 24])][-self.axes:]
        self.pools = self.one([1, 2, 3])
        is_flat = self.axes == 3 and self.chance(0.4)
        self.strides = [[1, 2, 2] if is_flat and i == 0 else [2] * self.axes for i in range(self.pools)]
        self.kernels = [[1, 3, 3] if is_flat and i == 0 else [3] * self.axes for i in range(self.pools + 1)]
        self.folds = self.one([[0], [0], [0, 1]])
        self.mirrors = self.chance(0.6)
        self.step = self.one([0.5, 0.5, 0.75, 1.0])

    def one(self, values):
        return self.random.choice(values)

    def chance(self, probability):
        return self.random.random() < probability

    def images(self):
        folder = self.folder / "images"
        folder.mkdir()
        generator = np.random.default_rng(self.seed)
        size = [self.random.randint(10, 24), self.random.randint(18, 34), self.random.randint(18, 34)]
        grid = np.ogrid[:size[0], :size[1], :size[2]]
        outside = sum(((axis - n / 2) / (0.45 * n)) ** 2 for axis, n in zip(grid, size)) > 1
        for case in range(2):
            direction = self.one(DIRECTIONS)
            for channel in range(self.channels):
                volume = gaussian_filter(generator.normal(size=size), 2)
                volume = np.clip(np.round(60 + 30 * volume / volume.std()), 1, 250)
                if self.seed % 3:
                    volume[outside] = 0
                image = sitk.GetImageFromArray(volume.astype(np.int16))
                image.SetSpacing(self.spacing[::-1])
                image.SetOrigin((3, -2, 7))
                image.SetDirection(direction)
                sitk.WriteImage(image, str(folder / f"case{case}_{channel:04d}.nii.gz"), True)
        return folder

    def predict(self, program, images, model, *more):
        """With this program."""
        arguments = ["-i", images, "-o", self.folder / "ours", "--model-folder", model, "--step_size", str(self.step)]
        mirror = [] if self.mirrors else ["--disable_tta"]
        subprocess.run([program, "predict", *arguments, *mirror, *more], check=True, stdout=subprocess.DEVNULL)

    def agree(self, key):
        """Whether the predictions in both folders are the same."""
        python, ours = self.folder / "python", self.folder / "ours"
        for case in range(2):
            a, b = [sitk.ReadImage(str(folder / f"case{case}.nii.gz")) for folder in (python, ours)]
            a, b = sitk.GetArrayFromImage(a), sitk.GetArrayFromImage(b)
            if a.shape != b.shape or (a != b).sum() > VOXELS:
                return False
            if (python / f"case{case}.npz").is_file():
                a, b = [np.load(folder / f"case{case}.npz")[key] for folder in (python, ours)]
                if a.shape != b.shape or np.abs(a.astype(np.float32) - b).max() > PROBABILITY:
                    return False
        return True


V1_TRAINERS = """nnUNetTrainerV2 nnUNetTrainerV2_BN nnUNetTrainerV2_LReLU_slope_2en1 nnUNetTrainerV2_ReLU nnUNetTrainerV2_GN
nnUNetTrainerV2_3ConvPerStageSameFilters nnUNetTrainerV2_Mish nnUNetTrainerV2_GeLU nnUNetTrainerV2_NoNormalization
nnUNetTrainerV2_ReLU_biasInSegOutput nnUNetTrainerV2_lReLU_biasInSegOutput nnUNetTrainerV2_ReLU_convReLUIN
nnUNetTrainerV2_lReLU_convReLUIN nnUNetTrainerV2_noDeepSupervision nnUNetTrainerV2_DA3_BN nnUNetTrainerV2_resample33
nnUNetTrainer""".split()
V1_VOLUME_TRAINERS = """nnUNetTrainerV2_FRN nnUNetTrainerV2_allConv3x3 nnUNetTrainerV2_ResencUNet_DA3
nnUNetTrainerV2_ResencUNet_SimonsInit nnUNetTrainerV2BraTSRegions""".split()
# Without Preprocessor3DBetterResampling, whose cubic masks meet one half exactly, and without
# PreprocessorFor3D_LeaveOriginalZSpacing, which v1 forgets when it predicts.
V1_PREPROCESSORS = """GenericPreprocessor GenericPreprocessor PreprocessorFor3D_NoResampling
Preprocessor3DDifferentResampling""".split()


def of_v1(seed, program):
    import nnunet
    from models import disturb
    from nnunet.inference.predict import predict_from_folder
    from nnunet.training.model_restore import recursive_find_python_class

    draw = Draw(seed)
    trainer = draw.one(V1_TRAINERS + (V1_VOLUME_TRAINERS if draw.axes == 3 else []))
    is_residual, has_regions = "Resenc" in trainer, "Regions" in trainer
    if has_regions:
        draw.labels = 3
    mode = "normal" if has_regions else draw.one(["normal", "normal", "fast", "fastest"])
    channels, labels = range(draw.channels), list(range(1, draw.labels + 1))
    each = lambda values: OrderedDict((channel, draw.one(values)) for channel in channels)
    stage = {
        "batch_size": 2, "num_pool_per_axis": [draw.pools] * draw.axes, "patch_size": np.array(draw.patch),
        "median_patient_size_in_voxels": np.array([20, 26, 26]), "current_spacing": np.array(draw.target),
        "original_spacing": np.array(draw.target), "do_dummy_2D_data_aug": False,
        "pool_op_kernel_sizes": draw.strides, "conv_kernel_sizes": draw.kernels,
    }
    if is_residual:
        stage["pool_op_kernel_sizes"] = [[1] * draw.axes] + draw.strides
        stage.update(num_blocks_encoder=[1] * (draw.pools + 1), num_blocks_decoder=[1] * draw.pools)
    intensities = {**INTENSITIES, "sd": 28.0, "mn": 1.0, "mx": 250.0, "local_props": {}}
    plans = {
        "num_stages": 1, "num_modalities": draw.channels, "modalities": {channel: "x" for channel in channels},
        "normalization_schemes": each(["nonCT", "CT", "CT2", "noNorm"]), "use_mask_for_norm": each([True, False]),
        "dataset_properties": {
            "all_sizes": [(20, 26, 26)], "all_spacings": [np.array(draw.spacing)], "all_classes": labels,
            "modalities": {channel: "x" for channel in channels}, "size_reductions": OrderedDict(case=1.0),
            "intensityproperties": OrderedDict((channel, intensities) for channel in channels),
        },
        # What names patients' files has been taken out.
        "num_classes": draw.labels, "all_classes": labels, "base_num_features": 8, "keep_only_largest_region": None,
        "min_region_size_per_class": None, "min_size_per_class": None, "transpose_forward": draw.forward,
        "transpose_backward": draw.backward, "data_identifier": "x", "plans_per_stage": {0: stage},
        "preprocessor_name": "PreprocessorFor2D" if draw.axes == 2 else draw.one(V1_PREPROCESSORS), "conv_per_stage": 2,
    }
    if draw.chance(0.3):
        plans["segmentation_export_params"] = {
            "interpolation_order": draw.one([0, 1, 3]), "interpolation_order_z": draw.one([0, 1]),
            "force_separate_z": draw.one([None, False]),
        }
    model, data = draw.folder / f"{trainer}__x", draw.folder / "data"
    model.mkdir()
    data.mkdir()
    (model / "plans.pkl").write_bytes(pickle.dumps(plans))
    search_in = os.path.join(nnunet.__path__[0], "training", "network_training")
    found = recursive_find_python_class([search_in], trainer, "nnunet.training.network_training")
    for fold in draw.folds:
        torch.manual_seed(7 * seed + fold)
        built = found(str(model / "plans.pkl"), fold, str(model), str(data), batch_dice=False, stage=0, fp16=False)
        built.initialize(training=False)
        disturb(built.network)
        os.makedirs(built.output_folder, exist_ok=True)
        built.save_checkpoint(os.path.join(built.output_folder, "model_final_checkpoint.model"))
    images = draw.images()
    draw.predict(program, images, model, "--mode", mode, *(["-z"] if mode == "normal" else []))
    predict_from_folder(
        str(model), str(images), str(draw.folder / "python"), draw.folds, mode == "normal", 1, 1, None, 0, 1,
        draw.mirrors, mixed_precision=False, mode=mode, step_size=draw.step)
    return draw.agree("softmax"), [trainer, mode, plans["preprocessor_name"]]


def of_v2(seed, program):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    draw = Draw(seed)
    stages, axes = draw.pools + 1, draw.axes
    dataset = {"channel_names": {str(i): "x" for i in range(draw.channels)}, "numTraining": 1, "file_ending": ".nii.gz"}
    if draw.chance(0.35):
        draw.labels = max(draw.labels, 2)
        every = list(range(1, draw.labels + 1))
        dataset["labels"] = {"background": 0, "whole": every, "core": every[1:]}
        dataset["regions_class_order"] = [1, 2]
    else:
        dataset["labels"] = {"background": 0, **{f"label{i}": i for i in range(1, draw.labels + 1)}}
    if draw.chance(0.3):
        dataset["labels"]["ignore"] = draw.labels + 1
    counts = lambda n: [draw.one([1, 2]) for _ in range(n)]
    network, blocks = draw.one([("PlainConvUNet", "n_conv_per_stage"), ("ResidualEncoderUNet", "n_blocks_per_stage")])
    arguments = {
        "n_stages": stages, "features_per_stage": [draw.one([4, 6, 8]) for _ in range(stages)],
        "conv_op": f"torch.nn.modules.conv.Conv{axes}d", "kernel_sizes": draw.kernels,
        "strides": [[1] * axes] + draw.strides, blocks: counts(stages), "n_conv_per_stage_decoder": counts(stages - 1),
        "conv_bias": draw.chance(0.8), "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{axes}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True}, "dropout_op": None, "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
    }
    norms = ["ZScoreNormalization", "CTNormalization", "NoNormalization", "RescaleTo01Normalization", "RGBTo01Normalization"]
    configuration = {
        "data_identifier": "x", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2, "patch_size": draw.patch,
        "median_image_size_in_voxels": draw.patch, "spacing": draw.target[-axes:], "batch_dice": False,
        "normalization_schemes": [draw.one(norms) for _ in range(draw.channels)],
        "use_mask_for_norm": [draw.chance(0.5) for _ in range(draw.channels)],
        "architecture": {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{network}", "arch_kwargs": arguments,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }
    linear = draw.chance(0.3)
    for what, order in (("data", 3), ("seg", 1), ("probabilities", draw.one([1, 1, 1, 3]))):
        kwargs = {"is_seg": what == "seg", "force_separate_z": draw.one([None, None, False])}
        kwargs.update({"memefficient_seg_resampling": False} if linear else {"order": order, "order_z": 0})
        function = "resample_torch_fornnunet" if linear else "resample_data_or_seg_to_shape"
        configuration.update({f"resampling_fn_{what}": function, f"resampling_fn_{what}_kwargs": kwargs})
    plans = {
        "dataset_name": "Dataset900_Random", "plans_name": "x", "original_median_spacing_after_transp": draw.target,
        "original_median_shape_after_transp": [20, 26, 26], "experiment_planner_used": "ExperimentPlanner",
        "image_reader_writer": draw.one(["SimpleITKIO", "NibabelIO", "NibabelIOWithReorient"]),
        "transpose_forward": draw.forward, "transpose_backward": draw.backward, "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            str(i): {**INTENSITIES, "std": 28.0, "min": 1.0, "max": 250.0} for i in range(draw.channels)},
        "configurations": {"parent": configuration, "child": {"inherits_from": "parent", "batch_size": 3}},
    }
    # The trainer looks at the ending of preprocessed cases.
    cases = work / "nnUNet_preprocessed" / "Dataset900_Random" / "x"
    cases.mkdir(parents=True, exist_ok=True)
    (cases / "case.npz").touch()
    model = draw.folder / "nnUNetTrainer__x__child"
    for fold in draw.folds:
        torch.manual_seed(10 * seed + fold)
        trainer = nnUNetTrainer({**copy.deepcopy(plans), "continue_training": False}, "child", fold, dataset,
                                device=torch.device("cpu"))
        trainer.initialize()
        for parameter in trainer.network.decoder.seg_layers.parameters():
            parameter.data *= 3
        (model / f"fold_{fold}").mkdir(parents=True)
        trainer.save_checkpoint(str(model / f"fold_{fold}" / "checkpoint_final.pth"))
    (model / "plans.json").write_text(json.dumps(plans))
    (model / "dataset.json").write_text(json.dumps(dataset))
    images, python = draw.images(), draw.folder / "python"
    python.mkdir()
    draw.predict(program, images, model, "--save_probabilities")
    predictor = nnUNetPredictor(draw.step, use_mirroring=draw.mirrors, perform_everything_on_device=False,
                                device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(model), tuple(draw.folds))
    predictor.predict_from_files_sequential(str(images), str(python), save_probabilities=True)
    return draw.agree("probabilities"), [network, plans["image_reader_writer"], configuration["resampling_fn_data"]]


def main():
    torch.set_num_threads(1)
    version, first, last, program = sys.argv[1:]
    failed = []
    for seed in range(int(first), int(last)):
        # Trainers of v1 change what their modules have in common.
        child = os.fork()
        if child == 0:
            agrees, words = (of_v1 if version == "v1" else of_v2)(seed, program)
            print("seed", seed, *words, "the same" if agrees else "differs", flush=True)
            os._exit(0 if agrees else 1)
        if os.waitpid(child, 0)[1] != 0:
            failed.append(seed)
    print("failed:", failed)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
