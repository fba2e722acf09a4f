"""Trains the same short budget here and with Python nnU-Net v2, with several seeds each, on the same plans, preprocessed
data and split of the hippocampus, and compares the mean Dice; then trains once here with Adam and compares the labels that
both programs predict with that model.

    python seeds_v2.py NNUNET DATA [--epochs 20] [--steps 40] [--batch 4] [--features 8] [--seeds 1 2 3]
                       [--adam-epochs 20] [--work FOLDER]          (in an environment with nnunetv2==2.8.1)

NNUNET is our program, DATA the folder Task004_Hippocampus with 40 training and 10 test cases. What is in FOLDER is not done
again. Models are compared on the test cases and on the validation cases of fold 0, predicted by one program, since both
predict the same labels. Ends with code 1 if the mean Dice here is lower by more than 0.005, or if fewer than 99.99 % of
the labels are equal.
"""
import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LEAST_DIFFERENCE, LEAST_EQUAL = -0.005, 0.9999
NAME, CONFIGURATION, PLANS = "Dataset004_Hippocampus", "3d_fullres", "nnUNetPlansBrief"
VALIDATION_BATCHES = 2


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("nnunet", type=lambda path: Path(path).resolve())
    parser.add_argument("data", type=lambda path: Path(path).resolve())
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--steps", type=int, default=40, help="steps of an epoch")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--features", type=int, default=8, help="features of the first stage")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--adam-epochs", type=int, default=20, help="0: without the training with Adam")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--train-python", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def environment(work, results):
    return {**os.environ, "nnUNet_raw": str(work / "raw"), "nnUNet_preprocessed": str(work / "preprocessed"),
            "nnUNet_results": str(results), "nnUNet_n_proc_DA": "0", "nnUNet_def_n_proc": "1", "nnUNet_compile": "false",
            "CUDA_VISIBLE_DEVICES": "", "PYTHONWARNINGS": "ignore"}


def run(words, variables, log):
    began = time.monotonic()
    with open(log, "a") as file:
        code = subprocess.run([str(word) for word in words], env=variables, stdin=subprocess.DEVNULL, stdout=file,
                              stderr=subprocess.STDOUT).returncode
    if code:
        sys.exit(f"{' '.join(map(str, words))}: code {code}, see {log}")
    return time.monotonic() - began


def prepare(args):
    """Raw data of v2, its preprocessed cases, smaller plans and a split; returns the cases that models are compared on."""
    raw, ready = args.work / "raw" / NAME, args.work / "preprocessed" / NAME
    described = json.loads((args.data / "dataset.json").read_text())
    if not ready.is_dir():
        shutil.rmtree(raw, ignore_errors=True)
        for part in ("imagesTr", "labelsTr", "imagesTs"):
            shutil.copytree(args.data / part, raw / part)
        labels = {name: int(value) for value, name in described["labels"].items()}
        dataset = {"channel_names": {"0": "MRI"}, "labels": labels, "file_ending": ".nii.gz",
                   "numTraining": len(list((raw / "labelsTr").glob("*.nii.gz")))}
        (raw / "dataset.json").write_text(json.dumps(dataset))
        program = Path(sys.executable).parent / "nnUNetv2_plan_and_preprocess"
        variables = {**environment(args.work, args.work), "nnUNet_n_proc_DA": "2"}
        run([program, "-d", 4, "-c", CONFIGURATION, "-np", 2], variables, args.work / "prepare.log")
    from nnunetv2.utilities.crossval_split import generate_crossval_split
    plans = json.loads((ready / "nnUNetPlans.json").read_text())
    plans["plans_name"] = PLANS
    own = plans["configurations"][CONFIGURATION]
    network = own["architecture"]["arch_kwargs"]
    network["features_per_stage"] = [args.features * 2 ** stage for stage in range(network["n_stages"])]
    own["batch_size"] = args.batch
    (ready / f"{PLANS}.json").write_text(json.dumps(plans, indent=4))
    cases = sorted(path.name[:-7] for path in (raw / "labelsTr").glob("*.nii.gz"))
    splits = generate_crossval_split(cases)
    (ready / "splits_final.json").write_text(json.dumps(splits, indent=4))
    return collect(args, [str(case) for case in splits[0]["val"]])


def collect(args, validation):
    images, labels = args.work / "images", {}
    images.mkdir(exist_ok=True)
    for case in validation:
        shutil.copy(args.data / "imagesTr" / f"{case}_0000.nii.gz", images)
        labels[case] = args.data / "labelsTr" / f"{case}.nii.gz"
    for image in sorted((args.data / "imagesTs").glob("*.nii.gz")):
        shutil.copy(image, images)
        case = image.name[:-len("_0000.nii.gz")]
        labels[case] = args.data / "labelsTs" / f"{case}.nii.gz"
    return images, labels


def model(results, trainer):
    return results / NAME / f"{trainer}__{PLANS}__{CONFIGURATION}"


def train_here(args, trainer, parent, epochs, seed):
    """Trains a fold with our program; returns the model's folder and the seconds it took."""
    results = args.work / "results" / f"here_{trainer}"
    config = args.work / f"{trainer}.toml"
    config.write_text(f'[trainers.{trainer}]\nextends = "{parent}"\nmax_num_epochs = {epochs}\nnum_batches_per_epoch = '
                      f"{args.steps}\nnum_val_batches_per_epoch = {VALIDATION_BATCHES}\nseed = {seed}\n")
    made, seconds = model(results, trainer), None
    if not (made / "fold_0" / "checkpoint_final.pth").is_file():
        words = [args.nnunet, "--config", config, "v2", "train", NAME, CONFIGURATION, 0, "-p", PLANS, "--tr", trainer]
        seconds = run(words + ["--device", "cpu"], environment(args.work, results), args.work / f"here_{trainer}.log")
    return made, seconds


def train_there(args, seed):
    """The same with Python, in a process of its own."""
    results = args.work / "results" / f"there_{seed}"
    made, seconds = model(results, "nnUNetTrainer"), None
    if not (made / "fold_0" / "checkpoint_final.pth").is_file():
        words = [sys.executable, __file__, args.nnunet, args.data, "--epochs", args.epochs, "--steps", args.steps,
                 "--train-python", seed]
        seconds = run(words, environment(args.work, results), args.work / f"there_{seed}.log")
    return made, seconds


def train_python(args):
    import numpy as np
    import torch
    from nnunetv2.run import run_training
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(args.train_python)
    trainer = run_training.get_trainer_from_args(NAME, CONFIGURATION, 0, "nnUNetTrainer", PLANS, device=torch.device("cpu"))
    trainer.num_epochs, trainer.num_iterations_per_epoch = args.epochs, args.steps
    trainer.num_val_iterations_per_epoch = VALIDATION_BATCHES
    trainer.run_training()


def predict_here(args, made, images, output):
    if not output.is_dir():
        words = [args.nnunet, "v2", "predict_from_modelfolder", "-i", images, "-m", made, "-f", 0, "-o", output]
        run(words + ["--device", "cpu", "--precision", "fp32"], environment(args.work, args.work), args.work / "predict.log")
    return output


def predict_there(args, made, images, output):
    if not output.is_dir():
        program = Path(sys.executable).parent / "nnUNetv2_predict_from_modelfolder"
        words = [program, "-i", images, "-m", made, "-f", 0, "-o", output, "-device", "cpu", "-npp", 1, "-nps", 1]
        run(words, environment(args.work, args.work), args.work / "predict.log")
    return output


def read(path):
    import SimpleITK as sitk
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def mean_dice(labels, predicted):
    """Over all cases and the foreground's labels."""
    found = []
    for case, reference in labels.items():
        a, b = read(reference), read(predicted / f"{case}.nii.gz")
        values = sorted(set(a[a > 0].tolist()))
        found += [2 * int(((a == v) & (b == v)).sum()) / int((a == v).sum() + (b == v).sum()) for v in values]
    return statistics.mean(found)


def compare_seeds(args, images, labels):
    dice = {"here": [], "there": []}
    print("| seed | Dice here | Dice of v2 | s here | s of v2 |\n|---|---|---|---|---|", flush=True)
    for seed in args.seeds:
        times = []
        for where, (made, seconds) in (("here", train_here(args, f"Brief_{seed}", "nnUNetTrainer", args.epochs, seed)),
                                       ("there", train_there(args, seed))):
            dice[where].append(mean_dice(labels, predict_here(args, made, images, args.work / f"{where}_{seed}")))
            times.append("-" if seconds is None else f"{seconds:.0f}")
        print(f"| {seed} | {dice['here'][-1]:.4f} | {dice['there'][-1]:.4f} | {times[0]} | {times[1]} |", flush=True)
    difference = statistics.mean(dice["here"]) - statistics.mean(dice["there"])
    print(f"means {statistics.mean(dice['here']):.4f} and {statistics.mean(dice['there']):.4f}, difference {difference:+.4f}",
          end="")
    if len(args.seeds) > 1:
        error = sum(statistics.variance(values) / len(values) for values in dice.values()) ** 0.5
        print(f", its standard error {error:.4f}", end="")
    print(f" ({len(labels)} cases, {args.epochs} x {args.steps} steps)", flush=True)
    return difference >= LEAST_DIFFERENCE


def compare_labels(args, images, labels):
    made, seconds = train_here(args, "BriefAdam", "nnUNetTrainerAdam", args.adam_epochs, args.seeds[0])
    here = predict_here(args, made, images, args.work / "adam_here")
    there = predict_there(args, made, images, args.work / "adam_there")
    equal = [(read(here / f"{case}.nii.gz") == read(there / f"{case}.nii.gz")) for case in labels]
    share = sum(int(one.sum()) for one in equal) / sum(one.size for one in equal)
    least = min(float(one.mean()) for one in equal)
    print(f"Adam, {args.adam_epochs} x {args.steps} steps: Dice {mean_dice(labels, here):.4f}; of the labels of both programs "
          f"{share:.6f} are equal, in the case with fewest {least:.6f}", flush=True)
    return share >= LEAST_EQUAL


def main():
    args = arguments()
    if args.train_python is not None:
        return train_python(args)
    args.work = (args.work or Path(tempfile.mkdtemp())).resolve()
    args.work.mkdir(parents=True, exist_ok=True)
    print(f"in {args.work}", flush=True)
    images, labels = prepare(args)
    good = compare_seeds(args, images, labels)
    if args.adam_epochs:
        good = compare_labels(args, images, labels) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
