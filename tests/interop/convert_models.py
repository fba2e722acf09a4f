"""Converts trained models from v1 to v2 and back, and compares what the other original predicts with what a model's own
original has predicted.

    python convert_models.py NNUNET V2_BIN REFERENCE [PART ...]    (in an environment with nnunet==1.7.1)

NNUNET is our program, V2_BIN the bin folder of an environment with nnunetv2==2.8.1, and REFERENCE the folder with `model_v1`
and `model_v2`: trained models and predictions. Parts are the functions that `PARTS` names, all by default. Prints every
difference; ends with code 1 if there is any.

With mirroring and of several folds v1 averages probabilities and v2 logits, so that labels of few voxels differ: of the 2D
models up to 0.3 %. That it is nothing else shows v1 with logits in place of probabilities (LOGITS), which agrees with v2 as
well as without mirroring.
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
# v1's prediction, averaging logits as v2 does.
LOGITS = """
import nnunet.utilities.nd_softmax as softmax
softmax.softmax_helper = lambda x: x
from nnunet.inference.predict_simple import main
main()
"""
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
        if configuration == "2d":
            run(sys.executable, "-c", LOGITS, *predict[1:], "-o", work / f"logits_{stored}", "-f", *folds)
            compare("the same with averaged logits", of_v2 / stored, work / f"logits_{stored}", SAME)


def cascade_to_v2(images):
    """A second stage made of v1's trained model, whose first convolution also sees the first stage's labels."""
    import pickle
    import torch
    stages = work / "v1" / "nnUNet" / "3d_cascade_fullres" / "Task004_Hippocampus"
    name = "nnUNetTrainerV2CascadeFullRes__nnUNetPlansSmall"
    source = root / "model_v1" / "results" / "nnUNet" / "3d_fullres" / "Task004_Hippocampus" / "nnUNetTrainerV2_tiny__nnUNetPlansSmall"
    fold = stages / name / "fold_0"
    fold.mkdir(parents=True)
    loaded = torch.load(source / "fold_0" / "model_final_checkpoint.model", map_location="cpu", weights_only=False)
    first = "conv_blocks_context.0.blocks.0.conv.weight"
    loaded["state_dict"][first] = with_labels(loaded["state_dict"][first])
    torch.save({**loaded, "optimizer_state_dict": None}, fold / "model_final_checkpoint.model")
    with open(source / "fold_0" / "model_final_checkpoint.model.pkl", "rb") as file:
        info = pickle.load(file)
    plans = info["plans"]
    plans["plans_per_stage"] = {0: dict(plans["plans_per_stage"][0]), 1: plans["plans_per_stage"][0]}
    plans["num_stages"] = 2
    init = (str(stages / name / "plans.pkl"), 0, str(stages / name), str(stages / name), False, 1, True, False, "nnUNetTrainerV2", False)
    info = {**info, "init": init, "name": "nnUNetTrainerV2CascadeFullRes", "plans": plans}
    for path, content in ((fold / "model_final_checkpoint.model.pkl", info), (stages / name / "plans.pkl", plans)):
        with open(path, "wb") as file:
            pickle.dump(content, file)
    previous = root / "model_v1" / "predictions" / "2d_f0_notta"
    predict_cascade_v1(images, previous, work / "cascade_v1")
    run(program, "convert", "model", "--to", "v2", "-i", stages / name)
    made = work / "v2" / "Dataset004_Hippocampus" / "nnUNetTrainer__nnUNetPlansSmall__3d_cascade_fullres"
    predict_v2(images, made, work / "cascade_v2", "-prev_stage_predictions", previous)
    compare("v1 3d_cascade_fullres in v2", work / "cascade_v1", work / "cascade_v2", SAME)
    differ("the first stage's labels", root / "model_v1" / "predictions" / "3d_f0_notta", work / "cascade_v1")
    shutil.rmtree(stages)
    give_bias_to_outputs(made / "fold_0" / "checkpoint_final.pth")
    shutil.rmtree(work / "cascade_v2")
    predict_v2(images, made, work / "cascade_v2", "-prev_stage_predictions", previous)
    run(program, "convert", "model", "--to", "v1", "-i", made)
    predict_cascade_v1(images, previous, work / "cascade_back")
    compare("v2 3d_cascade_fullres in v1, with a bias of outputs", work / "cascade_v2", work / "cascade_back", SAME)
    differ("the bias of outputs", work / "cascade_v1", work / "cascade_v2")


def with_labels(weight):
    import torch
    labels = torch.randn((weight.shape[0], 2, *weight.shape[2:]), generator=torch.Generator().manual_seed(1))
    return torch.cat((weight, labels * weight.std() * 0.5), 1)


def give_bias_to_outputs(path):
    import torch
    loaded = torch.load(path, map_location="cpu", weights_only=False)
    for name, value in loaded["network_weights"].items():
        if "seg_layers" in name and name.endswith("bias"):
            value += torch.linspace(-1, 1, len(value))
    torch.save(loaded, path)


def differ(what, a, b):
    """That a comparison has something to compare: it changes some labels."""
    files = sorted(b.glob("*.nii.gz"))
    same = all((sitk.GetArrayFromImage(sitk.ReadImage(str(a / file.name))) == sitk.GetArrayFromImage(sitk.ReadImage(str(file)))).all()
               for file in files)
    if same:
        differences.append(f"{what} changes no label")
        print(differences[-1])


def predict_v2(images, model, output, *more):
    run(v2_bin / "nnUNetv2_predict_from_modelfolder", "-i", images, "-m", model, "-o", output, "-f", 0, "-device", "cpu", "-npp",
        1, "-nps", 1, "--disable_tta", *more)


def predict_v1(images, configuration, output, *more):
    run(v1_bin / "nnUNet_predict", "-i", images, "-o", output, "-t", "Task004_Hippocampus", "-m", configuration, "-f", 0, "-p",
        "nnUNetPlansSmall", "--num_threads_preprocessing", 1, "--num_threads_nifti_save", 1, "--disable_mixed_precision",
        "--disable_tta", *more)


def predict_cascade_v1(images, previous, output):
    predict_v1(images, "3d_cascade_fullres", output, "-l", previous)


def regions_and_caps_to_v1(images):
    """Models made of v2's trained one: one with v1's regions, and one with another largest number of features."""
    import torch
    # Where the version of numpy that v2 needs has what its checkpoints name.
    sys.modules.update({"numpy._core": np.core, "numpy._core.multiarray": np.core.multiarray})
    source = root / "model_v2" / "results" / "Dataset004_Hippocampus" / "nnUNetTrainer__nnUNetPlansSmall__3d_fullres"
    for name, change, trainer in (("regions", give_regions, "nnUNetTrainerV2BraTSRegions"),
                                  ("cap", cut_features, "nnUNetTrainerV2_lReLU_biasInSegOutput")):
        model = work / name / "Dataset004_Hippocampus" / source.name
        (model / "fold_0").mkdir(parents=True)
        for file in ("plans.json", "dataset.json"):
            shutil.copy(source / file, model)
        loaded = torch.load(source / "fold_0" / "checkpoint_final.pth", map_location="cpu", weights_only=False)
        change(model, loaded)
        torch.save({**loaded, "optimizer_state": None, "logging": {}}, model / "fold_0" / "checkpoint_final.pth")
        predict_v2(images, model, work / f"{name}_v2")
        made = work / "v1" / "nnUNet" / "3d_fullres" / "Task004_Hippocampus" / f"{trainer}__nnUNetPlansSmall"
        # Another model may have been converted to the same name.
        shutil.rmtree(made, ignore_errors=True)
        run(program, "convert", "model", "--to", "v1", "-i", model)
        predict_v1(images, "3d_fullres", work / f"{name}_v1", "-tr", trainer)
        compare(f"v2 with {name} in v1", work / f"{name}_v2", work / f"{name}_v1", SAME)
        if name == "regions":
            run(program, "convert", "model", "--to", "v2", "-i", made, "-o", work / "again" / "Dataset004_Hippocampus" / source.name)
            predict_v2(images, work / "again" / "Dataset004_Hippocampus" / source.name, work / "regions_again")
            compare("and again in v2", work / "regions_v1", work / "regions_again", SAME)


def give_regions(model, loaded):
    import json
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3}
    dataset = {**json.loads((model / "dataset.json").read_text()), "labels": labels, "regions_class_order": [1, 2, 3]}
    (model / "dataset.json").write_text(json.dumps(dataset))
    loaded["init_args"]["dataset_json"] = dataset
    for name, value in loaded["network_weights"].items():
        if "seg_layers" in name:
            background, first, second = value.clone()
            value[0], value[1], value[2] = first + second - 2 * background, second - first, second - first - background


def cut_features(model, loaded):
    import json
    few = 40
    plans = json.loads((model / "plans.json").read_text())
    network = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
    most, network["features_per_stage"][-1] = network["features_per_stage"][-1], few
    (model / "plans.json").write_text(json.dumps(plans))
    loaded["init_args"]["plans"] = plans
    for name, value in loaded["network_weights"].items():
        is_last = f"stages.{network['n_stages'] - 1}." in name and "encoder" in name
        if is_last and value.shape[0] == most:
            value = value[:few]
        if (is_last and value.ndim > 1 and value.shape[1] == most):
            value = value[:, :few]
        if name == "decoder.transpconvs.0.weight":
            value = value[:few]
        loaded["network_weights"][name] = value


def refused(_):
    for dataset, name, words in (("Dataset004_Hippocampus", "nnUNetTrainer__nnUNetResEncSmallPlans__3d_fullres", "averages"),
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
    for part in PARTS:
        if part.__name__ in sys.argv[4:] or not sys.argv[4:]:
            part(work / "images")
    print(f"{len(differences)} differences")
    shutil.rmtree(work)
    sys.exit(1 if differences else 0)


PARTS = (to_v2, to_v1, cascade_to_v2, regions_and_caps_to_v1, refused)

if __name__ == "__main__":
    main()
