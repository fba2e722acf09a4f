"""Parameters that nnU-Net v2's trainers draw, ten thousand times each: writes distributions.json beside this file.

    python make_distributions.py

Needs nnunetv2 2.8.1 with batchgeneratorsv2 0.3.6. Of each parameter 201 quantiles are kept, with the share of draws that
are no larger. Where a transform or a channel was not drawn, the value is NONE.
"""
import importlib.metadata
import json
import os
from os.path import abspath, dirname, join

for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(variable, "/nonexistent")

import numpy as np
import torch
from batchgeneratorsv2.helpers.scalar_type import sample_scalar
from batchgeneratorsv2.transforms.local.brightness_gradient import BrightnessGradientAdditiveTransform
from batchgeneratorsv2.transforms.local.local_gamma import LocalGammaTransform
from batchgeneratorsv2.transforms.local.local_transform import LocalTransform
from batchgeneratorsv2.transforms.nnunet import random_binary_operator as binary
from batchgeneratorsv2.transforms.nnunet.remove_connected_components import (
    RemoveRandomConnectedComponentFromOneHotEncodingTransform,
)
from batchgeneratorsv2.transforms.noise.blank_rectangle import BlankRectangleTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.noise.median_filter import MedianFilterTransform
from batchgeneratorsv2.transforms.noise.sharpen import SharpeningTransform
from batchgeneratorsv2.transforms.intensity.brightness import (
    BrightnessAdditiveTransform,
    MultiplicativeBrightnessTransform,
)
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.spatial import spatial
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
from batchgeneratorsv2.transforms.spatial.rot90 import Rot90Transform
from batchgeneratorsv2.transforms.spatial.transpose import TransposeAxesTransform
from batchgeneratorsv2.transforms.utils.random import OneOfTransform, RandomTransform
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerDA5 import nnUNetTrainerDA5

HERE = dirname(abspath(__file__))
DRAWS, QUANTILES, NONE = 10_000, 201, -9.0
torch.manual_seed(1)
np.random.seed(1)
torch.set_num_threads(1)

drawn, places, matrices = {}, [], []
prefix = ""


def note(name, value):
    drawn.setdefault(prefix + name, []).append(float(value))


def matrix(original):
    def make(angles, scales):
        matrices.append((angles, scales))
        return original(angles, scales)
    return make


spatial.create_affine_matrix_3d = matrix(spatial.create_affine_matrix_3d)
spatial.create_affine_matrix_2d = matrix(spatial.create_affine_matrix_2d)


def kernel(self, shape):
    """Draws as the original, and returns a kernel from which the strength can be read."""
    places.append([(sample_scalar(self.loc, shape, d), sample_scalar(self.scale, shape, d)) for d in range(len(shape))])
    return np.ones(shape, np.float32)


LocalTransform._generate_kernel = kernel


def first(params, flags, values):
    """What the first channel got: `flags` has indices of channels or a flag for each."""
    chosen = list(params[flags])
    if flags == "apply_channel":
        return params[values][0] if chosen[0] else NONE
    index = [int(channel) for channel in chosen]
    return params[values][index.index(0)] if 0 in index else NONE


def leaf(transform, image, applied):
    params = transform.get_parameters(image=image) if applied else None
    if isinstance(transform, GaussianNoiseTransform):
        note("noise", params["sigmas"] if applied else NONE)
    elif isinstance(transform, GaussianBlurTransform):
        chosen = applied and bool(params["apply_to_channel"][0])
        for axis in range(image.ndim - 1):
            note(f"blur{axis}", params["sigmas"][0][axis] if chosen else NONE)
    elif isinstance(transform, MultiplicativeBrightnessTransform):
        note("brightness", first(params, "apply_to_channel", "multipliers") if applied else NONE)
    elif isinstance(transform, BrightnessAdditiveTransform):
        note("added", params["shift"][0] if applied and 0 in params["apply_to_channel"] else NONE)
    elif isinstance(transform, ContrastTransform):
        kind = "contrast" if transform.preserve_range else "contrast_free"
        note(kind, first(params, "apply_to_channel", "multipliers") if applied else NONE)
    elif isinstance(transform, SimulateLowResolutionTransform):
        scales = [scale[-1] for scale in params["scales"]] if applied else []
        note("lowres", first({**params, "scales": scales}, "apply_to_channel", "scales") if applied else NONE)
    elif isinstance(transform, GammaTransform):
        kind = "gamma_inverted" if transform.p_invert_image else "gamma"
        note(kind, first(params, "apply_to_channel", "gamma") if applied else NONE)
    elif isinstance(transform, MirrorTransform):
        for axis in range(image.ndim - 1):
            note(f"mirror{axis}", axis in params["axes"])
    elif isinstance(transform, MedianFilterTransform):
        note("median", first(params, "apply_channel", "filter_sizes") if applied else NONE)
    elif isinstance(transform, SharpeningTransform):
        note("sharpening", first(params, "apply_channel", "strengths") if applied else NONE)
    elif isinstance(transform, BlankRectangleTransform) and applied and params["apply_channel"][0]:
        boxes = params["rectangles"][0]
        note("rectangles", len(boxes))
        for axis, (low, high) in enumerate(zip(*boxes[0])):
            note(f"rectangle_edge{axis}", high - low)
            note(f"rectangle_from{axis}", low)
    elif isinstance(transform, BrightnessGradientAdditiveTransform):
        chosen = applied and params["kernels"][0] is not None
        note("gradient", params["kernels"][0].flat[0] if chosen else NONE)
    elif isinstance(transform, LocalGammaTransform):
        chosen = applied and params["kernels"][0] is not None
        note("local_gamma", params["gammas"][0] if chosen else NONE)
    elif isinstance(transform, (Rot90Transform, TransposeAxesTransform)):
        moved = torch.arange(27.0).reshape(1, 3, 3, 3)
        moved = transform._apply_to_image(moved, **transform.get_parameters(image=moved)) if applied else moved
        kind = "rot90" if isinstance(transform, Rot90Transform) else "transpose"
        note(kind, moved[0, 0, 0, 0] * 27 + moved[0, 0, 1, 2])


def draw(transform, image):
    if isinstance(transform, OneOfTransform):
        chosen = np.random.choice(len(transform.list_of_transforms))
        for index, choice in enumerate(transform.list_of_transforms):
            # The others are noted as not applied.
            draw(choice, image) if index == chosen else leaf(choice.transform, image, False)
    elif isinstance(transform, RandomTransform):
        applied = transform.get_parameters()["apply_transform"]
        if isinstance(transform.transform, binary.ApplyRandomBinaryOperatorTransform):
            cascade(transform.transform, image, applied, "binary")
        elif isinstance(transform.transform, RemoveRandomConnectedComponentFromOneHotEncodingTransform):
            cascade(transform.transform, image, applied, "remove")
        else:
            leaf(transform.transform, image, applied)
    elif isinstance(transform, spatial.SpatialTransform):
        matrices.clear()
        transform.get_parameters(image=image)
        angles, scales = matrices[0] if matrices else ([0] * 3, [1] * 3)
        if prefix in ("default_", "da5_"):
            for axis in range(3):
                note(f"angle{axis}", angles[axis])
                note(f"scale{axis}", scales[axis])
        else:
            note("angle", angles if np.isscalar(angles) else 0)
            note("scale", scales[-1])
    else:
        leaf(transform, image, True)


OPERATIONS = ["binary_dilation_torch", "binary_erosion_torch", "binary_closing_torch", "binary_opening_torch"]


def cascade(transform, image, applied, kind):
    """What happens to the first of three labels."""
    params = transform.get_parameters(image=image) if applied else {"apply_to_channels": []}
    chosen = -3 in params["apply_to_channels"]
    if kind == "remove":
        return note("remove", chosen)
    at = params["apply_to_channels"].index(-3) if chosen else None
    note("binary_operation", OPERATIONS.index(params["operators"][at].__name__) if chosen else NONE)
    note("binary_radius", params["strel_size"][at] if chosen else NONE)


THIRTY, FIFTEEN, HALF = np.pi / 6, np.pi / 12, np.pi


def run(name, trainer, patch, rotation, dummy=False, only_spatial=False, only_cascade=False):
    global prefix
    prefix = name + "_"
    axes = tuple(range(len(patch)))
    transforms = trainer.get_training_transforms(
        patch, (-rotation, rotation), None, axes, dummy, is_cascaded=only_cascade, foreground_labels=[1, 2, 3]).transforms
    image = torch.zeros((2, *patch))
    if only_spatial:
        transforms = [transform for transform in transforms if isinstance(transform, spatial.SpatialTransform)]
        image = torch.zeros((2, *patch[-2:]))
    if only_cascade:
        kinds = binary.ApplyRandomBinaryOperatorTransform, RemoveRandomConnectedComponentFromOneHotEncodingTransform
        transforms = [transform for transform in transforms if isinstance(getattr(transform, "transform", None), kinds)]
    for _ in range(DRAWS):
        for transform in transforms:
            draw(transform, image)


run("default", nnUNetTrainer, (20, 24, 22), THIRTY)
run("dummy", nnUNetTrainer, (4, 20, 20), HALF, dummy=True, only_spatial=True)
run("square", nnUNetTrainer, (20, 20), HALF, only_spatial=True)
run("elongated", nnUNetTrainer, (20, 40), FIFTEEN, only_spatial=True)
run("cascade", nnUNetTrainer, (4, 4, 4), THIRTY, only_cascade=True)
run("cascade5", nnUNetTrainerDA5, (4, 4, 4), THIRTY, only_cascade=True)
run("da5", nnUNetTrainerDA5, (30, 30, 30), THIRTY)
for (location, scale), *_ in places:
    note("location", location)
    note("width", scale)


def summary(values):
    values = np.sort(np.array(values))
    points = np.unique(np.quantile(values, np.linspace(0, 1, QUANTILES), method="inverted_cdf"))
    shares = np.searchsorted(values, points + 1e-9, side="right") / len(values)
    return [[round(float(point), 6), round(float(share), 5)] for point, share in zip(points, shares)]


versions = {name: importlib.metadata.version(name) for name in ("nnunetv2", "batchgeneratorsv2", "torch", "numpy")}
with open(join(HERE, "distributions.json"), "w") as file:
    lines = [f" {json.dumps(name)}: {json.dumps(summary(values), separators=(',', ':'))}" for name, values in drawn.items()]
    file.write("{\n" + f'"versions": {json.dumps(versions)},\n"draws": {DRAWS},\n"parameters": {{\n')
    file.write(",\n".join(lines) + "\n}}\n")
