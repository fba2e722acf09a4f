"""The brief training of train.rs with Python nnU-Net v2's own default trainer and number of worker processes, and the final
validation that its command ends with."""
import json
import os
import sys
from pathlib import Path

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

EPOCHS, TRAINING, VALIDATION = 1, 8, 1


def main(plans):
    ready = Path(os.environ["nnUNet_preprocessed"]) / "Dataset004_Hippocampus"
    plans, dataset = (json.loads((ready / name).read_text()) for name in (f"{plans}.json", "dataset.json"))
    # As v2's command does.
    plans["continue_training"] = False
    trainer = nnUNetTrainer(plans, "3d_fullres", 0, dataset, device=torch.device("cpu"))
    trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch = EPOCHS, TRAINING, VALIDATION
    trainer.run_training()
    trainer.perform_actual_validation()


if __name__ == "__main__":
    main(sys.argv[1])
