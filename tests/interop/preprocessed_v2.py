"""Preprocessed cases go back and forth between nnU-Net v2 and this program.

    python tests/interop/preprocessed_v2.py train DATASET CONFIGURATION     two short epochs on what is preprocessed
    python tests/interop/preprocessed_v2.py validate DATASET CONFIGURATION  the same, then its validation, as `--val` does
    python tests/interop/preprocessed_v2.py preprocess DATASET CONFIGURATION...
                                         preprocesses with Python, and keeps each array as .npy in the folder `arrays`

v2's folders come from the environment. Anything that nnU-Net, NumPy or blosc2 complain about is an error.
"""
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("nnUNet_n_proc_DA", "0")
os.environ.setdefault("nnUNet_compile", "f")

import blosc2
import numpy as np
import torch
from batchgenerators.utilities.file_and_folder_operations import load_json
from nnunetv2.experiment_planning.plan_and_preprocess_api import preprocess_dataset
from nnunetv2.paths import nnUNet_preprocessed, nnUNet_raw
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.dataset_name_id_conversion import convert_id_to_dataset_name

PLANS = "nnUNetPlans"


class Short(nnUNetTrainer):
    """Two epochs of a few steps with a narrow network."""

    def __init__(self, plans, configuration, fold, dataset_json, device=torch.device("cpu")):
        architecture = plans["configurations"][configuration]["architecture"]["arch_kwargs"]
        architecture["features_per_stage"] = [min(features, 8) for features in architecture["features_per_stage"]]
        self.messages = []
        super().__init__({**plans, "continue_training": False}, configuration, fold, dataset_json, device)
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 2, 3, 1

    def print_to_log_file(self, *args, **kwargs):
        self.messages.append(" ".join(str(arg) for arg in args))
        super().print_to_log_file(*args, **kwargs)


def train(dataset, configuration):
    name = convert_id_to_dataset_name(int(dataset))
    folder = Path(nnUNet_preprocessed, name)
    plans, description = load_json(str(folder / f"{PLANS}.json")), load_json(str(folder / "dataset.json"))
    splits = folder / "splits_final.json"
    ours = splits.read_bytes()
    splits.unlink()
    trainer = Short(plans, configuration, 0, description)
    trainer.run_training()
    complaints = [text for text in trainer.messages if "warning" in text.lower() or "error" in text.lower()]
    assert not complaints, complaints
    # Python makes the same split.
    assert splits.read_bytes() == ours
    assert len(trainer.logger.local_logger.my_fantastic_logging["train_losses"]) == 2


def validate(dataset, configuration):
    """What `nnUNetv2_train DATASET CONFIGURATION 0 --val` does: the final checkpoint predicts the validation cases from the
    preprocessed data, and the label maps are compared with those in gt_segmentations."""
    train(dataset, configuration)
    folder = Path(nnUNet_preprocessed, convert_id_to_dataset_name(int(dataset)))
    plans, description = load_json(str(folder / f"{PLANS}.json")), load_json(str(folder / "dataset.json"))
    trainer = Short(plans, configuration, 0, description)
    trainer.initialize()
    trainer.load_checkpoint(str(Path(trainer.output_folder, "checkpoint_final.pth")))
    trainer.perform_actual_validation(False)
    complaints = [text for text in trainer.messages if "warning" in text.lower() or "error" in text.lower()]
    assert not complaints, complaints
    cases = load_json(str(folder / "splits_final.json"))[0]["val"]
    output = Path(trainer.output_folder, "validation")
    made = sorted(path.name for path in output.iterdir() if path.name != "summary.json")
    assert made == sorted(case + description["file_ending"] for case in cases), made
    summary = load_json(str(output / "summary.json"))
    assert len(summary["metric_per_case"]) == len(cases)
    print(dataset, configuration, len(cases), "cases, mean Dice", summary["foreground_mean"]["Dice"])


def preprocess(dataset, configurations):
    preprocess_dataset(int(dataset), PLANS, configurations, [1] * len(configurations))
    folder = Path(nnUNet_preprocessed, convert_id_to_dataset_name(int(dataset)))
    plans = load_json(str(folder / f"{PLANS}.json"))
    for configuration in configurations:
        cases = folder / plans["configurations"][configuration]["data_identifier"]
        arrays = cases / "arrays"
        arrays.mkdir()
        for path in cases.glob("*.b2nd"):
            np.save(arrays / f"{path.stem}.npy", blosc2.open(urlpath=str(path), mode="r")[:])


if __name__ == "__main__":
    for package in ("nnunetv2", "numpy", "blosc2", "batchgenerators"):
        warnings.filterwarnings("error", module=package)
    command, dataset, *configurations = sys.argv[1:]
    if command == "preprocess":
        preprocess(dataset, configurations)
    else:
        {"train": train, "validate": validate}[command](dataset, *configurations)
