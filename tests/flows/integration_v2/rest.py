"""What follows a cross-validation of nnU-Net v2: the best configuration or ensemble is found, a test set predicted with folds
0 and 3, merged, postprocessed and evaluated.

    python3 rest.py links|python DATASET PLANS TRAINER IMAGES LABELS OUTPUT CONFIGURATION...

`links` runs the commands on the PATH, `python` those of Python nnU-Net v2, in this process (NNUNET_V2's python). Every
configuration predicts, whatever is chosen.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

FOLDS = [0, 3]
side, dataset, plans, trainer, images, labels, output, *configurations = sys.argv[1:]
output = Path(output)
results = Path(os.environ["nnUNet_results"]) / dataset
on_cpu = ["-device", "cpu", "-npp", 1, "-nps", 1]

if side == "python":
    sys.path.insert(0, str(Path(__file__).parent.parent.parent / "interop"))
    import python_v2
    python_v2.use_threads()


def run(command, *words):
    words = [str(word) for word in words]
    print("$", command, *words, flush=True)
    if side == "python":
        code, text = python_v2.run(command, *words)
    else:
        done = subprocess.run([command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        code, text = done.returncode, done.stdout
    if code:
        sys.exit(f"{side}: {command} ends with {code}: {text[-3000:]}")


def model(configuration):
    return results / f"{trainer}__{plans}__{configuration}"


def predict(configuration):
    """With the previous stage's label maps, in a cascade."""
    if (output / configuration).exists():
        return
    previous = json.loads((model(configuration) / "plans.json").read_text())["configurations"][configuration]
    previous = previous.get("previous_stage")
    if previous:
        predict(previous)
    more = ["-prev_stage_predictions", output / previous] if previous else []
    run("nnUNetv2_predict", "-i", images, "-o", output / configuration, "-d", dataset, "-c", configuration, "-tr", trainer,
        "-p", plans, "-f", *FOLDS, "--save_probabilities", *on_cpu, *more)


def postprocess(folder, file, to):
    copies = model(configurations[0])
    run("nnUNetv2_apply_postprocessing", "-i", output / folder, "-o", output / to, "-pp_pkl_file", file, "-np", 1,
        "-plans_json", copies / "plans.json", "-dataset_json", copies / "dataset.json")


def evaluate(folder):
    copies = model(configurations[0])
    run("nnUNetv2_evaluate_folder", labels, output / folder, "-djfile", copies / "dataset.json", "-pfile",
        copies / "plans.json", "-o", output / folder / "summary.json", "-np", 1)
    mean = json.loads((output / folder / "summary.json").read_text())["foreground_mean"]["Dice"]
    print(f"  {folder}: mean Dice {mean:.4f}", flush=True)


run("nnUNetv2_find_best_configuration", dataset, "-c", *configurations, "-tr", trainer, "-p", plans, "-np", 1)
found = json.loads((results / "inference_information.json").read_text())
best = found["best_model_or_ensemble"]
chosen = [one["configuration"] for one in best["selected_model_or_models"]]
print(f"  best: {' and '.join(chosen)} of", {name: round(dice, 4) for name, dice in found["all_results"].items()}, flush=True)
for configuration in configurations:
    predict(configuration)
# Two are merged in any case, those that were chosen if they are two.
merged = chosen if len(chosen) > 1 else configurations[:2]
run("nnUNetv2_ensemble", "-i", *(output / one for one in merged), "-o", output / "ensemble", "-np", 1)
postprocess("ensemble" if len(chosen) > 1 else chosen[0], best["postprocessing_file"], "final")
for folder in (*configurations, "ensemble", "final"):
    evaluate(folder)
