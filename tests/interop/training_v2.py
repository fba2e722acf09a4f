"""Goes on with models that were trained elsewhere, by the commands' own functions of Python nnU-Net v2.

    python training_v2.py DATASET...

needs nnunetv2==2.8.1 and its three environment variables. The trainer is called Mine, as the test's in TOML. Of every data
set's model of 3d_fullres, fold 0 predicts the training images (into the folder DATASET_there) and is trained for one more
epoch; then its folder is removed, and another model is trained for one epoch from the start. Prints for each the data set, the
epoch it begins at, and all training losses, those of the checkpoint it continues included. One process, since most of the
time goes into loading PyTorch.
"""
import os
import shutil
import sys
from pathlib import Path

os.environ.update(nnUNet_n_proc_DA="0", nnUNet_compile="false")

import torch
from nnunetv2.run import run_training
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

import python_v2

CONFIGURATION, EPOCHS, MORE = "3d_fullres", 1, 3


class Mine(nnUNetTrainer):
    def __init__(self, plans, configuration, fold, dataset_json, device=torch.device("cpu")):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 5, 2


def train(dataset, epochs, going_on):
    trainer = run_training.get_trainer_from_args(dataset, CONFIGURATION, 0, "Mine", continue_training=going_on,
                                                 device=torch.device("cpu"))
    trainer.num_epochs = epochs
    run_training.maybe_load_checkpoint(trainer, going_on, False)
    begins = trainer.current_epoch
    trainer.run_training()
    trainer.perform_actual_validation(False)
    losses = trainer.logger.get_value("train_losses", None)
    print(f"\ntrained {dataset} {begins} " + " ".join(str(float(loss)) for loss in losses), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    python_v2.use_threads()
    run_training.recursive_find_trainer_class_by_name = lambda name: Mine
    for dataset in sys.argv[1:]:
        model = Path(os.environ["nnUNet_results"]) / dataset / f"Mine__nnUNetPlans__{CONFIGURATION}"
        code, text = python_v2.run(
            "nnUNetv2_predict_from_modelfolder", "-i", Path(os.environ["nnUNet_raw"]) / dataset / "imagesTr", "-m", model, "-f", 0,
            "-device", "cpu", "-npp", 1, "-nps", 1, "-o", f"{dataset}_there")
        if code:
            sys.exit(text)
        train(dataset, MORE, True)
        shutil.rmtree(model)
        train(dataset, EPOCHS, False)
