"""v1's batches on one core: patches per second of processor time.

Usage: augment.py FOLDER BATCHES Z Y X. FOLDER holds float32 npy cases, labels last.
"""
import json
import os
import pickle
import sys
import time
from collections import OrderedDict

import numpy as np

for name in ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER"):
    os.environ.setdefault(name, sys.argv[1])

from batchgenerators.dataloading.single_threaded_augmenter import SingleThreadedAugmenter
from nnunet.training.data_augmentation import data_augmentation_moreDA as more
from nnunet.training.data_augmentation.default_data_augmentation import (
    default_3D_augmentation_params as parameters,
    get_patch_size,
)
from nnunet.training.dataloading.dataset_loading import DataLoader3D, load_dataset

folder, batches = sys.argv[1], int(sys.argv[2])
patch = np.array([int(edge) for edge in sys.argv[3:6]])

for file in sorted(os.listdir(folder)):
    if file.endswith(".npy"):
        labels = np.load(os.path.join(folder, file), mmap_mode="r")[-1]
        places = {label: np.argwhere(labels == label)[::50] for label in (1, 2)}
        with open(os.path.join(folder, file[:-4] + ".pkl"), "wb") as out:
            pickle.dump(OrderedDict(class_locations=places), out)
        open(os.path.join(folder, file[:-4] + ".npz"), "wb").close()

turn = 30.0 / 360 * 2 * np.pi
for axis in "xyz":
    parameters["rotation_" + axis] = (-turn, turn)
generator = get_patch_size(
    patch, parameters["rotation_x"], parameters["rotation_y"], parameters["rotation_z"], parameters["scale_range"]
)
parameters.update(
    scale_range=(0.7, 1.4),
    do_elastic=False,
    selected_seg_channels=[0],
    mask_was_used_for_normalization={0: False},
    patch_size_for_spatialtransform=patch,
)
more.MultiThreadedAugmenter = lambda loader, transform, *_, **__: SingleThreadedAugmenter(loader, transform)
loader = DataLoader3D(load_dataset(folder), generator, patch, 2, False, oversample_foreground_percent=0.33)
scales = [[1, 1, 1], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]]
np.random.seed(1)
train, _ = more.get_moreDA_augmentation(
    loader, loader, patch, parameters, deep_supervision_scales=scales, pin_memory=False
)
next(train)
start = time.process_time()
for _ in range(batches):
    next(train)
print(json.dumps({"patches_per_second": 2 * batches / (time.process_time() - start)}))
