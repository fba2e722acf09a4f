"""Makes four small raw data sets of nnU-Net v2: labels, regions and an ignore label in volumes, and colored pictures.

    python tests/interop/datasets_v2.py FOLDER      (nnUNet_raw; in an environment with nnunetv2==2.8.1)
"""
import json
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image

CASES = 6
LABELS = {"background": 0, "large": 1, "small": 2}


def ball(shape, radius):
    at = np.indices(shape)
    center = np.reshape([n / 2 for n in shape], (-1,) + (1,) * len(shape))
    return np.sqrt(((at - center) ** 2).sum(0)) < radius


def labels(shape, case):
    found = np.zeros(shape, np.uint8)
    found[ball(shape, 8)] = 1
    found[ball(shape, 4 + case % 2)] = 2
    return found


def describe(folder, ending, channels, label_names, **more):
    description = {"channel_names": channels, "labels": label_names, "numTraining": CASES, "file_ending": ending, **more}
    (folder / "dataset.json").write_text(json.dumps(description))


def empty(raw, name):
    folder = raw / name
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    return folder


def volumes(folder, random, ignore=None):
    for case in range(CASES):
        shape = (18 + case, 24, 26)
        found = labels(shape, case)
        image = (found * 40 + random.normal(20, 5, shape)).astype(np.float32)
        image[:2] = 0
        if ignore:
            found[:, : shape[1] // 3] = ignore
        for part, array in (("imagesTr", image), ("labelsTr", found)):
            volume = sitk.GetImageFromArray(array)
            volume.SetSpacing((1.0, 1.2, 1.5 + 0.2 * case))
            ending = "_0000.nii.gz" if part == "imagesTr" else ".nii.gz"
            sitk.WriteImage(volume, str(folder / part / f"case_{case}{ending}"))


def pictures(folder, random):
    for case in range(CASES):
        shape = (40, 44 + case)
        found = labels(shape, case)
        image = np.stack([found * 60 + random.integers(0, 60, shape) for _ in range(3)], -1).astype(np.uint8)
        Image.fromarray(image).save(folder / f"imagesTr/case_{case}_0000.png")
        Image.fromarray(found).save(folder / f"labelsTr/case_{case}.png")


if __name__ == "__main__":
    raw, random = Path(sys.argv[1]), np.random.default_rng(5)
    nifti = (".nii.gz", {"0": "MRI"})
    folder = empty(raw, "Dataset901_Labels")
    volumes(folder, random)
    describe(folder, *nifti, LABELS)
    folder = empty(raw, "Dataset902_Regions")
    volumes(folder, random)
    describe(folder, *nifti, {"background": 0, "whole": [1, 2], "small": [2]}, regions_class_order=[1, 2])
    folder = empty(raw, "Dataset903_Ignore")
    volumes(folder, random, ignore=3)
    describe(folder, *nifti, {**LABELS, "ignore": 3})
    folder = empty(raw, "Dataset904_Pictures")
    pictures(folder, random)
    describe(folder, ".png", {"0": "R", "1": "G", "2": "B"}, LABELS)
