"""v2's batches on one core: patches per second of processor time.

Usage: augment_v2.py FOLDER BATCHES Z Y X. FOLDER holds float32 npy cases, labels last.
"""
import json
import os
import sys
import time

for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(name, sys.argv[1])

import numpy as np
import torch
from nnunetv2.training.data_augmentation.compute_initial_patch_size import get_patch_size
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

# Batches before the measurement: the blur measures itself first.
WARM_UP = 20

folder, batches = sys.argv[1], int(sys.argv[2])
patch = [int(edge) for edge in sys.argv[3:6]]
torch.set_num_threads(1)


class Cases:
    """What nnUNetDataLoader asks of a data set, from mapped files."""

    def __init__(self):
        self.identifiers = sorted(file for file in os.listdir(folder) if file.endswith(".npy"))
        self.cases = {}
        for file in self.identifiers:
            case = np.load(os.path.join(folder, file), mmap_mode="r")
            places = {label: np.argwhere(case[-1:] == label)[::50] for label in (1, 2)}
            self.cases[file] = case[:-1], case[-1:], None, {"class_locations": places}

    def load_case(self, name):
        return self.cases[name]


class Labels:
    all_labels, has_ignore_label = [0, 1, 2], False


turn = 30.0 / 360 * 2 * np.pi
rotation = (-turn, turn)
transforms = nnUNetTrainer.get_training_transforms(
    patch, rotation, [[1, 1, 1], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]], (0, 1, 2), False, use_mask_for_norm=[False])
initial = get_patch_size(patch, rotation, rotation, rotation, (0.85, 1.25))
loader = nnUNetDataLoader(Cases(), 2, initial, patch, Labels, 0.33, transforms=transforms)
np.random.seed(1)
torch.manual_seed(1)
for _ in range(min(WARM_UP, batches)):
    next(loader)
start = time.process_time()
for _ in range(batches):
    next(loader)
print(json.dumps({"patches_per_second": 2 * batches / (time.process_time() - start)}))
