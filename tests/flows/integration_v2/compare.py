"""Compares what rest.py left for two programs on the same models.

    python compare.py RESULTS_A OUTPUT_A RESULTS_B OUTPUT_B      (with SimpleITK)
"""
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

SHARE, SCORE = 0.999, 1e-6
results_a, output_a, results_b, output_b = map(Path, sys.argv[1:])
faults = []


def information(results):
    return json.loads((results / "inference_information.json").read_text())


def postprocessing(found):
    functions, arguments = pickle.loads(Path(found["best_model_or_ensemble"]["postprocessing_file"]).read_bytes())
    # Python's labels are numbers of NumPy in places.
    return json.dumps([[function.__name__ for function in functions], arguments], default=int)


def labels(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


a, b = information(results_a), information(results_b)
chosen = [found["best_model_or_ensemble"]["selected_model_or_models"] for found in (a, b)]
if chosen[0] != chosen[1]:
    faults.append(f"choices differ: {chosen}")
scores = [found["all_results"] for found in (a, b)]
if scores[0].keys() != scores[1].keys() or any(abs(one - scores[1][name]) > SCORE for name, one in scores[0].items()):
    faults.append(f"scores differ: {scores}")
if postprocessing(a) != postprocessing(b):
    faults.append(f"postprocessings differ: {postprocessing(a)} {postprocessing(b)}")
for folder in sorted(path for path in output_a.iterdir() if path.is_dir()):
    equal = voxels = foreground = 0
    names = [sorted(path.name for path in root.glob("*.nii.gz")) for root in (folder, output_b / folder.name)]
    if names[0] != names[1] or not names[0]:
        faults.append(f"{folder.name}: cases {names}")
        continue
    for name in names[0]:
        one, other = labels(folder / name), labels(output_b / folder.name / name)
        equal, voxels, foreground = equal + (one == other).sum(), voxels + one.size, foreground + (one > 0).sum()
    means = [json.loads((root / folder.name / "summary.json").read_text())["foreground_mean"]["Dice"]
             for root in (output_a, output_b)]
    print(f"  {folder.name}: {100 * equal / voxels:.4f} % of the labels are equal, {100 * foreground / voxels:.1f} % foreground, "
          f"mean Dice {means[0]:.4f} and {means[1]:.4f}")
    if equal < SHARE * voxels:
        faults.append(f"{folder.name}: only {equal} of {voxels} labels are equal")
    if not foreground:
        faults.append(f"{folder.name}: there is no foreground, nothing is compared")
sys.exit("\n".join(faults) or None)
