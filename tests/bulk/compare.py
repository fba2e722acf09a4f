#!/usr/bin/env python3
"""Compares what the program reads in the files of `make_images.py` with SimpleITK and nibabel.

Usage: compare.py FOLDER DUMP, where DUMP is the compiled example `dump_images` of the package nnunet-formats.
Values must be equal bit for bit, geometry to 1e-6 (NIfTI stores single precision), and files that SimpleITK refuses must
be refused. `DIFFERENCES` lists what is meant to differ, with the reason; a listed difference that is none any more is an
error too.
"""
import fnmatch
import json
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk

sys.path.insert(0, str(Path(__file__).parent))
from differences import DIFFERENCES, NIBABEL_DIFFERENCES  # noqa: E402

SLICE_THICKNESS = 999.0


def by_itk(path):
    """What v1 and v2's SimpleITKIO make of a file: one channel, float32, three axes."""
    image = sitk.ReadImage(str(path))
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise RuntimeError("several values a voxel")
    array = sitk.GetArrayFromImage(image)
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    spacing, origin = list(image.GetSpacing()), list(image.GetOrigin())
    direction = np.array(image.GetDirection()).reshape(array.ndim, array.ndim)
    if array.ndim == 2:
        array = array[None]
        spacing.append(max(spacing) * SLICE_THICKNESS)
        origin.append(0.0)
        direction = np.block([[direction, np.zeros((2, 1))], [np.zeros((1, 2)), np.ones((1, 1))]])
    elif array.ndim != 3:
        raise RuntimeError(f"{array.ndim} axes")
    return array, np.concatenate([spacing, origin, direction.ravel()])


def by_nibabel(path):
    """What v2's NibabelIO makes of a NIfTI file: values in double precision as float32, voxel-to-world matrix."""
    image = nibabel.load(str(path))
    array = image.get_fdata()
    if array.ndim != 3:
        raise RuntimeError(f"{array.ndim} axes")
    codes = int(image.header["qform_code"]), int(image.header["sform_code"])
    # Without either nibabel makes a transform from size and spacing, with the origin in the middle of the image.
    return array.transpose(2, 1, 0).astype(np.float32), image.affine if max(codes) > 0 else None


def ours(entry):
    shape = entry["size"][::-1]
    values = np.array(entry["bits"], dtype=np.uint32).view(np.float32).reshape(shape)
    return values, np.concatenate([entry["spacing"], entry["origin"], entry["direction"]])


def affine(place):
    spacing, origin, direction = place[:3], place[3:6], place[6:].reshape(3, 3)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = direction * spacing, origin
    return np.diag([-1.0, -1, 1, 1]) @ matrix


def near(a, b):
    return a.shape == b.shape and np.allclose(a, b, rtol=2e-6, atol=1e-6, equal_nan=True)


def same_values(a, b):
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def attempt(read, *arguments):
    try:
        return read(*arguments), None
    except Exception as error:  # noqa: BLE001 - whatever the reader raises is a refusal
        return None, str(error).strip().splitlines()[-1][:120] if str(error) else type(error).__name__


def difference(mine, error, theirs, refusal, place_of=lambda place: place):
    if (mine is None) != (theirs is None):
        return f"we refuse it: {error}" if mine is None else f"only we read it; they say: {refusal}"
    if mine is None:
        return None
    if not same_values(mine[0], theirs[0]):
        return f"values {mine[0].ravel()[:4]} {mine[0].shape}, theirs {theirs[0].ravel()[:4]} {theirs[0].shape}"
    if theirs[1] is not None and not near(place_of(mine[1]), theirs[1]):
        return f"place {place_of(mine[1]).ravel().round(6).tolist()}, theirs {theirs[1].ravel().round(6).tolist()}"
    return None


def compare(entries, folder, read, allowed, key, place_of=lambda place: place):
    wrong, met = [], {}
    for entry in entries:
        mine = None if "error" in entry[key] else ours(entry[key])
        theirs, refusal = attempt(read, folder / entry["name"])
        found = difference(mine, entry[key].get("error"), theirs, refusal, place_of)
        rule = next((pattern for pattern in allowed if fnmatch.fnmatch(entry["name"], pattern)), None)
        if found and rule:
            met.setdefault(rule, []).append(entry["name"])
        elif found:
            wrong.append(f"{entry['name']}: {found}")
    for rule, names in met.items():
        print(f"  {', '.join(names)}: {allowed[rule]}")
    wrong += [f"{rule} is listed as a difference and there is none" for rule in set(allowed) - set(met)]
    return wrong


def main():
    folder, dump = Path(sys.argv[1]), sys.argv[2]
    output = subprocess.run([dump, folder], check=True, capture_output=True, text=True).stdout
    entries = [json.loads(line) for line in output.splitlines()]
    assert len(entries) == len(list(folder.iterdir())) > 300, f"{len(entries)} files"
    print(f"SimpleITK {sitk.Version_VersionString()}: {len(entries)} files")
    wrong = compare(entries, folder, by_itk, DIFFERENCES, "itk")
    nifti = [entry for entry in entries if ".nii" in entry["name"]]
    print(f"nibabel {nibabel.__version__}: {len(nifti)} files")
    wrong += compare(nifti, folder, by_nibabel, NIBABEL_DIFFERENCES, "nibabel", affine)
    print(*wrong, sep="\n")
    sys.exit(f"{len(wrong)} unexplained differences" if wrong else 0)


if __name__ == "__main__":
    sitk.ProcessObject_SetGlobalWarningDisplay(False)
    main()
