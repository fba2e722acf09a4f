"""The trainer of integration_v2.sh for Python nnU-Net v2, which finds it by nnUNet_extTrainer."""
import os

import torch
from nnunetv2.training.nnUNetTrainer.variants.optimizer.nnUNetTrainerAdam import nnUNetTrainerAdam


class Quick(nnUNetTrainerAdam):
    def __init__(self, plans, configuration, fold, dataset_json, device=torch.device("cpu")):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs, self.initial_lr = 1, 1e-2
        self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = int(os.environ["STEPS"]), 1

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self):
        found = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        self.inference_allowed_mirroring_axes = (0,)
        return (*found[:3], (0,))
