"""Makes the stored v2 variants: untrained networks saved by nnU-Net v2's own trainers, plans that differ from the usual
ones in one thing each, an image, and v2's predictions.

    python tests/stored/make_v2_variants.py      (in an environment with nnunetv2==2.8.1, SimpleITK and scipy)
"""
import copy
import json
import shutil
from pathlib import Path

import make_v2_cascade as v2
import numpy as np
import SimpleITK as sitk
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.training.nnUNetTrainer.variants.network_architecture.nnUNetTrainerBN import nnUNetTrainerBN

OUT = Path(__file__).parent / "v2_variants"
CONFIGURATION = "3d_fullres"
TRAINERS = {"instance": nnUNetTrainer, "batch": nnUNetTrainerBN}


def plans(reader="SimpleITKIO", spacing=(1.6, 1.1, 1.2), resampling=None):
    changed = copy.deepcopy(v2.plans)
    configuration = v2.configuration(list(spacing), [16, 24, 24])
    if resampling is not None:
        name, kwargs = resampling
        for what in ("data", "seg", "probabilities"):
            configuration[f"resampling_fn_{what}"] = name
            configuration[f"resampling_fn_{what}_kwargs"] = {**kwargs, **({"is_seg": what == "seg"} if kwargs else {})}
    changed["image_reader_writer"] = reader
    changed["configurations"] = {CONFIGURATION: configuration}
    return changed


LINEAR = ("resample_torch_fornnunet",
          {"force_separate_z": None, "memefficient_seg_resampling": False, "separate_z_anisotropy_threshold": 3})
# Name: checkpoint, ending of the images, plans.
VARIANTS = {
    "nibabel": ("instance", ".nii", plans("NibabelIO")),
    "nibabel_turned": ("instance", ".nii.gz", plans("NibabelIOWithReorient")),
    "sitk_turned": ("instance", ".nii.gz", plans("SimpleITKIOWithReorient")),
    "linear": ("instance", ".nii.gz", plans(resampling=LINEAR)),
    "linear_separate": ("instance", ".nii.gz", plans(spacing=(4.0, 1.1, 1.2), resampling=LINEAR)),
    "kept": ("instance", ".nii.gz", plans(resampling=("no_resampling_hack", {}))),
    "batch_norm": ("batch", ".nii.gz", plans()),
}


def checkpoint(name):
    torch.manual_seed(3)
    trainer = TRAINERS[name]({**plans(), "continue_training": False}, CONFIGURATION, 0, v2.dataset,
                             device=torch.device("cpu"))
    trainer.initialize()
    for parameter in trainer.network.decoder.seg_layers.parameters():
        parameter.data *= 3
    for buffer_name, buffer in trainer.network.named_buffers():
        if buffer_name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        if buffer_name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    trainer.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
    trainer.save_checkpoint(str(OUT / f"{name}.pth"))


def images(ending):
    """The phantom lying on its side."""
    folder = v2.work / f"images{ending}"
    folder.mkdir()
    plain = v2.work / "plain.nii.gz"
    v2.phantom(plain)
    image = sitk.ReadImage(str(plain))
    image.SetDirection((0, 1, 0, 0, 0, 1, 1, 0, 0))
    sitk.WriteImage(image, str(folder / f"case_0000{ending}"), True)
    return folder


def predict(name, folders):
    weights, ending, changed = VARIANTS[name]
    model = v2.work / name
    (model / "fold_0").mkdir(parents=True)
    shutil.copy(OUT / f"{weights}.pth", model / "fold_0" / "checkpoint_final.pth")
    dataset = {**v2.dataset, "file_ending": ending}
    for file, content in (("plans.json", changed), ("dataset.json", dataset)):
        (model / file).write_text(json.dumps(content, indent=1))
    output = v2.work / f"{name}_predicted"
    v2.predict(model, folders[ending], output, probabilities=True)
    stored = OUT / name
    stored.mkdir()
    for file in ("plans.json", "dataset.json"):
        shutil.copy(model / file, stored)
    for file in (f"case{ending}", "case.pkl"):
        shutil.copy(output / file, stored)
    probabilities = np.load(output / "case.npz")["probabilities"]
    np.savez_compressed(stored / "case.npz", probabilities=probabilities[1:2].astype(np.float16))
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(output / f"case{ending}")))
    print(name, np.bincount(labels.ravel()))


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    # The trainer looks at the ending of preprocessed cases.
    cases = v2.work / "nnUNet_preprocessed" / v2.DATASET / "nnUNetPlans_x"
    cases.mkdir(parents=True)
    (cases / "case.npz").touch()
    for name in TRAINERS:
        checkpoint(name)
    folders = {ending: images(ending) for ending in (".nii", ".nii.gz")}
    for folder in folders.values():
        for file in folder.iterdir():
            shutil.copy(file, OUT)
    for name in VARIANTS:
        predict(name, folders)
