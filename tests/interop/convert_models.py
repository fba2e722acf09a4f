"""Converts trained models from v1 to v2 and back, and compares what the other original predicts with what a model's own
original has predicted.

    python convert_models.py NNUNET V2_BIN REFERENCE    (in an environment with nnunet==1.7.1)

NNUNET is our program, V2_BIN the bin folder of an environment with nnunetv2==2.8.1, and REFERENCE the folder with `model_v1`
and `model_v2`: trained models and predictions. Prints every difference; ends with code 1 if there is any.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk

program, v2_bin, root = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), Path(sys.argv[3])
v1_bin = Path(sys.executable).parent
work = Path(tempfile.mkdtemp())
# Least share of voxels with the same label: of one network without mirroring, where both originals compute the same; and
# with mirroring and of several folds, where v1 averages probabilities and v2 logits.
SAME, AVERAGED, CASES = 0.9995, 0.997, 4
differences = []
environment = {**os.environ, "nnUNet_raw_data_base": str(work / "raw"), "nnUNet_preprocessed": str(work / "preprocessed"),
               "RESULTS_FOLDER": str(work / "v1"), "nnUNet_raw": str(work / "raw2"), "nnUNet_results": str(work / "v2"),
               "OMP_NUM_THREADS": "1", "nnUNet_def_n_proc": "1", "CUDA_VISIBLE_DEVICES": ""}


def run(*words):
    done = subprocess.run(list(map(str, words)), env=environment, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        differences.append(f"{' '.join(map(str, words))}: {done.stdout[-2000:]}")
        print(differences[-1], flush=True)
    return done.stdout


def compare(name, expected, predicted, least):
    files = sorted(predicted.glob("*.nii.gz"))
    shares, foreground = [], 0
    for file in files:
        a, b = (sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in (expected / file.name, file))
        shares.append(float((a == b).mean()))
        foreground += int((a > 0).sum())
    text = f"{name}: {len(files)} cases, share of equal voxels {min(shares, default=0):.6f} to {max(shares, default=0):.6f}"
    print(text, flush=True)
    if len(files) != CASES or not foreground or min(shares) < least:
        differences.append(text)


def to_v2(images):
    folder = root / "model_v1" / "results" / "nnUNet"
    for configuration, folds, stored in (("3d_fullres", [0, 1], "3d_f01_tta"), ("2d", [0], "2d_f0_tta")):
        model = folder / configuration / "Task004_Hippocampus" / "nnUNetTrainerV2_tiny__nnUNetPlansSmall"
        run(program, "convert", "model", "--to", "v2", "-i", model, "-f", *folds)
        made = work / "v2" / "Dataset004_Hippocampus" / f"nnUNetTrainer__nnUNetPlansSmall__{configuration}"
        predict = [v2_bin / "nnUNetv2_predict_from_modelfolder", "-i", images, "-m", made, "-device", "cpu", "-npp", 1, "-nps", 1]
        of_v1 = root / "model_v1" / "predictions"
        plain = configuration.split("_")[0] + "_f0_notta"
        run(*predict, "-o", work / f"v2_{plain}", "-f", 0, "--disable_tta")
        compare(f"v1 {configuration} in v2", of_v1 / plain, work / f"v2_{plain}", SAME)
        run(*predict, "-o", work / f"v2_{stored}", "-f", *folds)
        compare(f"v1 {configuration} in v2, folds {folds}, mirrored", of_v1 / stored, work / f"v2_{stored}", AVERAGED)
        # And back: the same weights.
        run(program, "convert", "model", "--to", "v1", "-i", made, "-f", folds[0])
        back = work / "v1" / "nnUNet" / configuration / "Task004_Hippocampus" / "nnUNetTrainerV2__nnUNetPlansSmall"
        same_weights(model / "fold_0" / "model_final_checkpoint.model", back / "fold_0" / "model_final_checkpoint.model")
        shutil.rmtree(back)


def same_weights(a, b):
    import torch
    a, b = (torch.load(path, map_location="cpu")["state_dict"] for path in (a, b))
    if set(a) != set(b) or any(not torch.equal(a[name], b[name]) for name in a):
        differences.append(f"{b}: not the weights of before")
        print(differences[-1])


def to_v1(images):
    folder = root / "model_v2" / "results" / "Dataset004_Hippocampus"
    for configuration, folds, plain, stored in (("3d_fullres", [0], "3d_notta", "3d_tta"),
                                                ("2d", [0, 1], "2d_f0_notta", "2d_f01_tta")):
        run(program, "convert", "model", "--to", "v1", "-i", folder / f"nnUNetTrainer__nnUNetPlansSmall__{configuration}")
        predict = [v1_bin / "nnUNet_predict", "-i", images, "-t", "Task004_Hippocampus", "-m", configuration, "-tr",
                   "nnUNetTrainerV2_lReLU_biasInSegOutput", "-p", "nnUNetPlansSmall", "--num_threads_preprocessing", 1,
                   "--num_threads_nifti_save", 1, "--disable_mixed_precision"]
        of_v2 = root / "model_v2" / "predictions"
        run(*predict, "-o", work / f"v1_{plain}", "-f", 0, "--disable_tta")
        compare(f"v2 {configuration} in v1", of_v2 / plain, work / f"v1_{plain}", SAME)
        run(*predict, "-o", work / f"v1_{stored}", "-f", *folds)
        compare(f"v2 {configuration} in v1, folds {folds}, mirrored", of_v2 / stored, work / f"v1_{stored}", AVERAGED)


def refused():
    for dataset, name, words in (("Dataset004_Hippocampus", "nnUNetTrainer__nnUNetResEncSmallPlans__3d_fullres", "PlainConvUNet"),
                                 ("Dataset005_HippoRegions", "nnUNetTrainer__nnUNetPlansSmall__3d_fullres", "regions")):
        done = subprocess.run([program, "convert", "model", "--to", "v1", "-i", root / "model_v2" / "results" / dataset / name,
                               "-o", work / "refused"], env=environment, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        print(done.stdout.strip())
        if done.returncode == 0 or words not in done.stdout or (work / "refused").exists():
            differences.append(f"{name}: {done.stdout}")


def main():
    for name in ("raw", "preprocessed", "v1", "raw2", "v2", "images"):
        (work / name).mkdir()
    for image in sorted((root / "model_v2" / "raw_test" / "imagesTs").glob("*.nii.gz"))[:CASES]:
        shutil.copy(image, work / "images")
    to_v2(work / "images")
    to_v1(work / "images")
    refused()
    print(f"{len(differences)} differences")
    shutil.rmtree(work)
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
