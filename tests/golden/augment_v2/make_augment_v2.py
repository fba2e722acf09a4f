"""Transforms of batchgeneratorsv2 with fixed parameters: writes expected.npz and cases.json beside this file.

    python make_augment_v2.py

Needs nnunetv2 2.8.1 with batchgeneratorsv2 0.3.6. Inputs are computed from formulas, which the test repeats, so only
results are stored. Random numbers are not used: parameters are given as functions, or put in place of the drawn ones.
"""
import json
import os
from os.path import abspath, dirname, join
from types import SimpleNamespace

for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(variable, "/nonexistent")

import importlib.metadata

import numpy as np
import torch
from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.local.brightness_gradient import BrightnessGradientAdditiveTransform
from batchgeneratorsv2.transforms.local.local_gamma import LocalGammaTransform
from batchgeneratorsv2.transforms.nnunet import random_binary_operator as binary
from batchgeneratorsv2.transforms.nnunet.remove_connected_components import (
    RemoveRandomConnectedComponentFromOneHotEncodingTransform,
)
from batchgeneratorsv2.transforms.nnunet.seg_to_onehot import MoveSegAsOneHotToDataTransform
from batchgeneratorsv2.transforms.noise.blank_rectangle import BlankRectangleTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.noise.median_filter import MedianFilterTransform
from batchgeneratorsv2.transforms.noise.sharpen import SharpeningTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
from batchgeneratorsv2.transforms.spatial.rot90 import Rot90Transform
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.spatial.transpose import TransposeAxesTransform
from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import DownsampleSegForDSTransform
from batchgeneratorsv2.transforms.utils.nnunet_masking import MaskImageTransform
from batchgeneratorsv2.transforms.utils.pseudo2d import Convert2DTo3DTransform, Convert3DTo2DTransform
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTransform
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainer_noDummy2DDA import (
    nnUNetTrainer_noDummy2DDA,
)
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerDA5 import nnUNetTrainerDA5

HERE = dirname(abspath(__file__))
torch.set_num_threads(1)

cases, arrays = {}, {}


def image(shape, channels=2):
    """(channels, z, y, x); slices have z = 0."""
    full = (1,) * (3 - len(shape)) + tuple(shape)
    c, z, y, x = np.indices((channels, *full))
    values = ((c * 5 + z * 31 + y * 17 + x * 7 + z * y * x % 11) % 23).astype(np.float32) / np.float32(5) - np.float32(2)
    return torch.from_numpy(values.reshape(channels, *shape).copy())


def labels(shape):
    """Two balls, a slab, and -1 at one border."""
    full = (1,) * (3 - len(shape)) + tuple(shape)
    z, y, x = np.indices(full)
    seg = np.zeros(full, np.int16)
    seg[(y + 2 * x) % 9 < 3] = 3
    seg[(2 * z - full[0]) ** 2 + (y - 5) ** 2 * 4 + (x - 4) ** 2 * 4 <= 60] = 1
    seg[(2 * z - full[0]) ** 2 + (y - 8) ** 2 * 4 + (x - 9) ** 2 * 4 <= 40] = 2
    seg[x < 2] = -1
    return torch.from_numpy(seg.reshape(1, *shape).copy())


def store(name, parameters, data=None, seg=None):
    cases[name] = parameters
    if data is not None:
        arrays[name + "_data"] = np.ascontiguousarray(data.numpy().astype(np.float32))
    if seg is not None:
        arrays[name + "_seg"] = np.ascontiguousarray(seg.numpy().astype(np.float32))


def spatial(name, shape, patch, angles=None, scales=None, dummy=False, mode_image="bilinear", mode_seg="bilinear"):
    transform = SpatialTransform(
        patch[1:] if dummy else patch, patch_center_dist_from_border=0, random_crop=False,
        p_rotation=float(angles is not None), rotation=lambda image, dim: angles[dim],
        p_scaling=float(scales is not None), scaling=lambda image, dim: scales[dim],
        p_synchronize_scaling_across_axes=-1, border_mode_seg="constant", padding_value_seg=-1,
        mode_image=mode_image, mode_seg=mode_seg)
    sample = {"image": image(shape), "segmentation": labels(shape)}
    if dummy:
        sample = Convert2DTo3DTransform()(**transform(**Convert3DTo2DTransform()(**sample)))
    else:
        sample = transform(**sample)
    store(name, dict(shape=shape, patch=patch, angles=angles, scales=scales, dummy=dummy, mode_image=mode_image,
                     mode_seg=mode_seg), sample["image"], sample["segmentation"])


WIDE, PATCH = [13, 16, 15], [9, 11, 8]
spatial("spatial_none", WIDE, PATCH)
spatial("spatial_none_even", [14, 16, 14], [9, 11, 7])
spatial("spatial_rotation", WIDE, PATCH, [0.4, -0.3, 0.5])
spatial("spatial_shrink", WIDE, PATCH, None, [1.4] * 3)
spatial("spatial_enlarge", WIDE, PATCH, None, [0.7] * 3)
spatial("spatial_half", [13, 17, 15], [9, 11, 9], None, [0.5] * 3)
spatial("spatial_both", WIDE, PATCH, [-0.5, 0.2, 0.35], [0.8] * 3)
spatial("spatial_per_axis", WIDE, PATCH, [0.1, 0.0, -0.45], [0.75, 1.1, 1.43])
spatial("spatial_tight", PATCH, PATCH, [0.5, 0.5, -0.5], [1.2] * 3)
spatial("spatial_seg_nearest", WIDE, PATCH, [0.4, -0.3, 0.5], [0.9] * 3, mode_seg="nearest")
spatial("spatial_nearest", WIDE, PATCH, [0.4, -0.3, 0.5], [1.3] * 3, mode_image="nearest", mode_seg="nearest")
spatial("spatial_dummy", [4, 18, 18], [4, 12, 11], [0.0, 2.1], [0.9, 0.9], dummy=True)
spatial("spatial_2d", [20, 19], [13, 12], [0.0, -1.2], [1.1, 1.1])
spatial("spatial_2d_per_axis", [20, 19], [13, 12], [0.0, 3.0], [0.75, 1.3])

VOLUME, SLICE = [7, 10, 9], [12, 11]


def each(name, transform, shape, parameters):
    store(name, dict(shape=shape, **parameters), transform(image=image(shape))["image"])


for index, sigma in enumerate([[0.5, 0.62, 0.71], [0.8, 0.95, 1.0], [0.3, 1.2, 1.5]]):
    blur = GaussianBlurTransform(lambda shape, dim: sigma[dim - 1], False, False, 1)
    each(f"blur_{index}", blur, VOLUME, dict(sigma=sigma))
blur = GaussianBlurTransform(lambda shape, dim: [0.55, 0.9][dim - 1], False, False, 1)
each("blur_2d", blur, SLICE, dict(sigma=[0.55, 0.9]))
for factor in (0.75, 1.1):
    each(f"brightness_{factor}", MultiplicativeBrightnessTransform(factor, True, 1), VOLUME, dict(factor=factor))
for factor, keep in ((0.75, True), (1.25, True), (1.8, False)):
    each(f"contrast_{factor}", ContrastTransform(factor, keep, True, 1), VOLUME, dict(factor=factor, keep=keep))
for exponent, invert, retain in ((0.7, 1, 1), (0.8, 0, 1), (1.5, 1, 1), (1.3, 0, 0)):
    each(f"gamma_{exponent}", GammaTransform(exponent, invert, True, 1, retain), VOLUME,
         dict(gamma=exponent, invert=bool(invert), retain=bool(retain)))
for zoom, keep_first, shape in ((0.5, False, VOLUME), (0.63, False, VOLUME), (0.97, False, VOLUME), (0.25, False, VOLUME),
                                (0.55, True, VOLUME), (0.6, False, SLICE)):
    lowres = SimulateLowResolutionTransform(zoom, False, True, (0,) if keep_first else None, None, 1)
    each(f"lowres_{zoom}", lowres, shape, dict(zoom=zoom, keep_first=keep_first))
for axes in ([], [0], [1, 2], [0, 1, 2]):
    sample = MirrorTransform((0, 1, 2)).apply({"image": image(VOLUME), "segmentation": labels(VOLUME)}, axes=axes)
    store("mirror_" + "".join(map(str, axes)), dict(shape=VOLUME, axes=axes), sample["image"], sample["segmentation"])
for axes, turns in (([1, 2], 1), ([1, 2], 3), ([1, 3], 2), ([2, 3], 1)):
    shape = [6, 6, 6]
    sample = Rot90Transform(1).apply({"image": image(shape), "segmentation": labels(shape)}, axis_combinations=[axes],
                                     num_rot_per_combination=[turns])
    store(f"rot90_{axes[0]}{axes[1]}_{turns}", dict(shape=shape, axes=[axis - 1 for axis in axes], turns=turns),
          sample["image"], sample["segmentation"])
for order in ([0, 2, 3, 1], [0, 3, 2, 1]):
    sample = TransposeAxesTransform({0, 1, 2}).apply(
        {"image": image([5, 5, 5]), "segmentation": labels([5, 5, 5])}, axis_order=order)
    store("transpose_" + "".join(map(str, order)), dict(shape=[5, 5, 5], order=order), sample["image"],
          sample["segmentation"])
for size in (2, 3):
    each(f"median_{size}", MedianFilterTransform(size), VOLUME, dict(size=size))
for strength, shape in ((0.3, VOLUME), (0.9, SLICE)):
    each(f"sharpen_{strength}", SharpeningTransform(strength), shape, dict(strength=strength))

boxes = [([1, 0, 2], [3, 4, 9]), ([0, 5, 0], [7, 8, 3])]
result = BlankRectangleTransform(1, torch.mean, 1)._apply_to_image(
    image(VOLUME), apply_channel=[True, True], rectangles=[boxes, boxes])
store("rectangles", dict(shape=VOLUME, boxes=boxes), result)

PLACES = [(-0.4, 4.0), (0.7, 2.5), (1.4, 5.0)]


def place(kind):
    return lambda shape, dim: PLACES[dim][kind]


gradient = BrightnessGradientAdditiveTransform(scale=place(1), loc=place(0), max_strength=lambda image, kernel: -3.0,
                                               mean_centered=False, same_for_all_channels=False)
each("gradient", gradient, VOLUME, dict(places=PLACES, strength=-3.0))
for exponent in (0.3, 2.5):
    local = LocalGammaTransform(scale=place(1), loc=place(0), gamma=exponent, same_for_all_channels=False)
    each(f"local_gamma_{exponent}", local, VOLUME, dict(places=PLACES, gamma=exponent))

sample = MaskImageTransform([0], 0, 0).apply({"image": image(VOLUME), "segmentation": labels(VOLUME)})
store("mask", dict(shape=VOLUME), sample["image"])
store("remove_label", dict(shape=VOLUME), None, RemoveLabelTransform(-1, 0)(segmentation=labels(VOLUME))["segmentation"])


def previous(shape):
    sample = {"image": image(shape), "segmentation": torch.cat((labels(shape), labels(shape).flip(1)))}
    return MoveSegAsOneHotToDataTransform(1, [1, 2, 3])(**sample)


for shape in ([9, 13, 14], [17, 18]):
    kind = f"{len(shape)}d"
    sample = previous(shape)
    store(f"onehot_{kind}", dict(shape=shape), sample["image"], sample["segmentation"])
    for operation in ("dilation", "erosion", "closing", "opening"):
        for radius in (1.0, 1.6, 2.0, 2.3, 3.9):
            transform = binary.ApplyRandomBinaryOperatorTransform([-3, -2, -1])
            result = transform._apply_to_image(previous(shape)["image"], apply_to_channels=[-3], strel_size=[radius],
                                               operators=[getattr(binary, f"binary_{operation}_torch")])
            store(f"binary_{kind}_{operation}_{radius}", dict(shape=shape, operation=operation, radius=radius), result[2:])
    remove = RemoveRandomConnectedComponentFromOneHotEncodingTransform([-3, -2, -1], 0, 0.15, 1)
    result = remove._apply_to_image(sample["image"], apply_to_channels=[-2])
    store(f"remove_component_{kind}", dict(shape=shape), result[2:])

for shape, scales in (([8, 12, 12], [[1, 1, 1], [1, 0.5, 0.5], [0.5, 0.25, 0.25]]), ([12, 16], [[1, 1], [0.5, 0.5]])):
    results = DownsampleSegForDSTransform(scales)(segmentation=labels(shape))["segmentation"]
    for level, result in enumerate(results):
        store(f"downsample_{len(shape)}d_{level}", dict(shape=shape, scale=scales[level]), None, result)


def initial_patch(trainer, patch):
    fake = SimpleNamespace(configuration_manager=SimpleNamespace(patch_size=patch), print_to_log_file=lambda *_: None)
    rotation, dummy, initial, mirror = trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size(fake)
    return dict(patch=patch, rotation=float(rotation[1]), dummy=bool(dummy), initial=[int(i) for i in initial],
                mirror=list(mirror))


PATCHES = [[128, 128, 128], [40, 56, 40], [160, 192, 96], [20, 256, 256], [16, 320, 320], [56, 160, 192], [64, 64, 192],
           [28, 85, 84], [512, 512], [56, 40], [256, 512], [300, 192], [448, 576], [96, 63]]
initial = {trainer.__name__: [initial_patch(trainer, patch) for patch in PATCHES]
           for trainer in (nnUNetTrainer, nnUNetTrainerDA5, nnUNetTrainer_noDummy2DDA)}



def box(shape, wide, patch, position=None):
    """The lowest and highest corner of random boxes, or that of a box around a position."""
    loader = object.__new__(nnUNetDataLoader)
    loader.patch_size, loader.has_ignore, loader.annotated_classes_key = wide, False, (-1, 0, 1)
    loader.need_to_pad = (np.array(wide) - np.array(patch)).astype(int)
    places = {1: np.array([[0, *position]])} if position else None
    randint, ends = np.random.randint, []
    for draw in (lambda low, high: low, lambda low, high: high - 1):
        # Only the ends of the range are of interest; a class and a position are drawn with np.random.choice.
        np.random.randint = draw
        ends.append([int(at) for at in loader.get_bbox(shape, position is not None, places)[0]])
    np.random.randint = randint
    return dict(shape=shape, wide=wide, patch=patch, position=position, corners=ends)


boxes = [box(shape, wide, patch, position)
         for shape, wide, patch, positions in (
             ([40, 50, 45], [20, 25, 31], [16, 16, 20], [[0, 0, 0], [39, 49, 44], [20, 30, 11]]),
             ([10, 12, 35], [20, 25, 31], [16, 16, 20], [[0, 0, 0], [9, 11, 34], [5, 6, 17]]),
             ([19, 24, 31], [20, 25, 31], [16, 17, 20], [[9, 9, 9]]),
             ([7, 30, 20], [1, 26, 25], [1, 16, 20], [[3, 29, 0], [6, 1, 19]]))
         for position in [None, *positions]]

versions = {name: importlib.metadata.version(name)
            for name in ("nnunetv2", "batchgeneratorsv2", "torch", "numpy", "scipy", "scikit-image")}
np.savez_compressed(join(HERE, "expected.npz"), **arrays)
with open(join(HERE, "cases.json"), "w") as file:
    json.dump(dict(versions=versions, cases=cases, initial_patch=initial, boxes=boxes), file, indent=1)
    file.write("\n")
