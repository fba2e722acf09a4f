"""Trains a short while with Python nnU-Net v2, by the commands' own functions.

    python training_v2.py DATASET CONFIGURATION EPOCHS [--c]

needs nnunetv2==2.8.1 and its three environment variables. The trainer is called Mine, as the test's in TOML. Prints all
training losses, those of the checkpoint it continues included.
"""
import os
import sys

os.environ.update(nnUNet_n_proc_DA="0", nnUNet_def_n_proc="1", nnUNet_compile="false")

import torch
from nnunetv2.run import run_training
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


class Mine(nnUNetTrainer):
    def __init__(self, plans, configuration, fold, dataset_json, device=torch.device("cpu")):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = int(sys.argv[3]), 5, 2


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_training.recursive_find_trainer_class_by_name = lambda name: Mine
    going_on = "--c" in sys.argv
    trainer = run_training.get_trainer_from_args(sys.argv[1], sys.argv[2], 0, "Mine", continue_training=going_on,
                                                 device=torch.device("cpu"))
    run_training.maybe_load_checkpoint(trainer, going_on, False)
    print("\nbegins at %d" % trainer.current_epoch)
    trainer.run_training()
    trainer.perform_actual_validation(False)
    print("\nlosses " + " ".join(str(float(loss)) for loss in trainer.logger.get_value("train_losses", None)))
