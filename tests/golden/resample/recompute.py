"""Computes the stored resampling results again from the stored inputs, with nnU-Net v1, and prints the differences.

    python recompute.py [--write]      (nnunet 1.7.1, batchgenerators 0.25.5, scikit-image 0.24, SciPy 1.15)

With --write the results replace the stored ones.
"""
import json
import os
import sys
import tempfile
from os.path import abspath, dirname, join

for variable in ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER"):
    os.environ.setdefault(variable, tempfile.mkdtemp())

import numpy as np
import SimpleITK as sitk
from batchgenerators.augmentations.utils import resize_segmentation
from nnunet.inference.segmentation_export import save_segmentation_nifti_from_softmax
from nnunet.preprocessing.preprocessing import resample_data_or_seg, resample_patient

HERE = dirname(abspath(__file__))


def patient(case, arrays):
    data, seg = resample_patient(arrays["data"], arrays["seg"].astype(np.float32), case["original_spacing"],
                                 case["target_spacing"], **case["kwargs"])
    return {"expected_data": data, "expected_seg": seg}


def softmax(case, arrays):
    kwargs = dict(case["kwargs"])
    if isinstance(kwargs.get("axis"), int):
        kwargs["axis"] = [kwargs["axis"]]
    return {"expected_data": resample_data_or_seg(arrays["softmax"], case["new_shape"], False, **kwargs)}


def segmentation(case, arrays):
    return {"expected_seg": resize_segmentation(arrays["seg"].astype(np.float32), case["new_shape"], case["order"])}


def export(case, arrays, name):
    image = sitk.ReadImage(join(HERE, f"{name}.nii.gz"))
    keys = ("original_spacing", "spacing_after_resampling", "size_after_cropping", "original_size_of_raw_data", "crop_bbox")
    properties = {key: case[key] for key in keys}
    properties["itk_spacing"] = image.GetSpacing()
    properties["itk_origin"] = image.GetOrigin()
    properties["itk_direction"] = image.GetDirection()
    folder = tempfile.mkdtemp()
    save_segmentation_nifti_from_softmax(
        arrays["softmax"].copy(), join(folder, "a.nii.gz"), properties, case["order"], case["region_class_order"], None, None,
        join(folder, "a.npz"), None, case["force_separate_z"], case["interpolation_order_z"], verbose=False)
    seg = sitk.GetArrayFromImage(sitk.ReadImage(join(folder, "a.nii.gz")))
    return {"expected_data": np.load(join(folder, "a.npz"))["softmax"].astype(np.float32), "expected_seg": seg}


def main():
    cases = json.load(open(join(HERE, "cases.json")))["cases"]
    worst = 0.0
    for name, case in cases.items():
        path = join(HERE, f"{name}.npz")
        arrays = dict(np.load(path))
        function = {"p": patient, "s": softmax, "r": segmentation}.get(name[0])
        found = function(case, arrays) if function else export(case, arrays, name)
        for key, value in found.items():
            difference = float(np.abs(value.astype(np.float64) - arrays[key]).max())
            worst = max(worst, difference)
            if difference:
                print(f"{name} {key}: {difference:.3g}")
            arrays[key] = value.astype(arrays[key].dtype)
        if "--write" in sys.argv:
            np.savez_compressed(path, **arrays)
    print(f"{len(cases)} cases, largest difference {worst:.3g}")


if __name__ == "__main__":
    main()
