"""Three training steps of nnU-Net v2, from stored weights and batches, in double precision (sums of the Dice in single).

    python make_train_step_v2.py        (in an environment with nnunetv2==2.8.1, torch 2.11.0; writes beside itself)

NAME.json has the network, the losses and the versions; NAME.safetensors has the initial weights (`init.*`), the batches
(`data_STEP`, `target_STEP_LEVEL`) and every seventh element of the weights after the last step (`final.*`).
"""
import json
import os
import struct
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ[variable] = tempfile.mkdtemp()

import nnunetv2.training.nnUNetTrainer.nnUNetTrainer as module
import numpy as np
import torch
from importlib.metadata import version

STEPS, STRIDE = 3, 7
LABELS = {"background": 0, "a": 1, "b": 2}
REGIONS = {"background": 0, "whole": [1, 2], "core": [2]}
# Name: network, axes, dataset.json's labels, Dice over the batch, labels of a previous stage.
CASES = {
    "plain_2d": ("PlainConvUNet", 2, LABELS, True, 0),
    "plain_3d": ("PlainConvUNet", 3, LABELS, False, 0),
    "residual_2d": ("ResidualEncoderUNet", 2, LABELS, True, 0),
    "residual_3d": ("ResidualEncoderUNet", 3, LABELS, False, 0),
    "regions": ("PlainConvUNet", 2, REGIONS, False, 0),
    "ignore": ("PlainConvUNet", 2, {**LABELS, "ignore": 3}, True, 0),
    "regions_ignore": ("ResidualEncoderUNet", 2, {**REGIONS, "ignore": 3}, True, 0),
    "cascade": ("PlainConvUNet", 3, LABELS, False, 2),
}


def arch_kwargs(network, axes):
    blocks = "n_conv_per_stage" if network == "PlainConvUNet" else "n_blocks_per_stage"
    return {
        "n_stages": 3, "features_per_stage": [4, 6, 8], "conv_op": f"torch.nn.modules.conv.Conv{axes}d",
        "kernel_sizes": [[1] + [3] * (axes - 1)] + [[3] * axes] * 2,
        "strides": [[1] * axes, [1] * (axes - 2) + [2] * 2, [2] * axes], blocks: [1, 1, 1],
        "n_conv_per_stage_decoder": [1, 1], "conv_bias": True,
        "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{axes}d", "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None, "dropout_op_kwargs": None, "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
    }


def trainer(network, axes, labels, batch_dice, previous):
    patch = [4, 16, 16] if axes == 3 else [16, 16]
    configuration = {
        "data_identifier": "x", "patch_size": patch, "batch_size": 2, "spacing": [1.0] * axes, "batch_dice": batch_dice,
        "architecture": {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{network}",
            "arch_kwargs": arch_kwargs(network, axes), "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }
    configurations = {"c": configuration, "first": {**configuration}}
    if previous:
        configuration["previous_stage"] = "first"
    plans = {"dataset_name": "Dataset900_X", "plans_name": "P", "configurations": configurations, "continue_training": False,
             "label_manager": "LabelManager"}
    order = {"regions_class_order": [1, 2]} if isinstance(labels.get("whole"), list) else {}
    description = {"channel_names": {"0": "MRI"}, "labels": labels, "file_ending": ".nii.gz", **order}
    module.infer_dataset_class = lambda folder: None
    made = module.nnUNetTrainer(plans, "c", 0, description, torch.device("cpu"))
    made.initialize()
    made.network.double()
    return made


def batch(made, labels, previous, random):
    """Labels of all values at all resolutions, and what v2's transforms make of them."""
    patch = made.configuration_manager.patch_size
    values = sorted({v for entry in labels.values() for v in (entry if isinstance(entry, list) else [entry])})
    seg = torch.from_numpy(random.choice(values, (2, 1, *patch)).astype(np.int16))
    data = torch.from_numpy(random.normal(size=(2, made.num_input_channels - previous, *patch)))
    seg_prev = torch.from_numpy(random.integers(0, 3, (2, 1, *patch)).astype(np.int16))
    manager = made.label_manager
    transforms = made.get_validation_transforms(
        made._get_deep_supervision_scales(), is_cascaded=previous > 0, foreground_labels=manager.foreground_labels,
        regions=manager.foreground_regions if manager.has_regions else None, ignore_label=manager.ignore_label)
    samples = []
    for sample in range(2):
        segmentation = torch.cat((seg[sample], seg_prev[sample])) if previous else seg[sample]
        samples.append(transforms(image=data[sample], segmentation=segmentation))
    targets = [torch.stack([sample["segmentation"][level] for sample in samples])
               for level in range(len(samples[0]["segmentation"]))]
    return {"data": torch.stack([sample["image"] for sample in samples]), "target": targets}


def save(path, tensors):
    kinds = {np.dtype("float32"): "F32", np.dtype("float64"): "F64", np.dtype("uint8"): "U8"}
    header, chunks, at = {}, [], 0
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": kinds[array.dtype], "shape": list(array.shape), "data_offsets": [at, at + len(raw)]}
        chunks.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def make(number, name, network, axes, labels, batch_dice, previous):
    torch.manual_seed(number)
    random = np.random.default_rng(number)
    made = trainer(network, axes, labels, batch_dice, previous)
    parameters = dict(made.network.named_parameters())
    for key, parameter in parameters.items():
        # New residual blocks add nothing, and norms are alike: these are not.
        around = 1.0 if key.endswith("norm.weight") else 0.0
        if "norm." in key or key.endswith("bias"):
            parameter.data = around + 0.2 * torch.randn_like(parameter)
        parameter.data = parameter.data.float().double()
    tensors = {f"init.{key}": value.detach().numpy().astype(np.float32) for key, value in parameters.items()}
    losses, norms = [], []
    for step in range(STEPS):
        made_batch = batch(made, labels, previous, random)
        tensors[f"data_{step}"] = made_batch["data"].numpy().astype(np.float32)
        made_batch["data"] = torch.from_numpy(tensors[f"data_{step}"]).double()
        for level, target in enumerate(made_batch["target"]):
            tensors[f"target_{step}_{level}"] = target.numpy().astype(np.uint8)
        losses.append(float(made.train_step(made_batch)["loss"]))
        norms.append(float(torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in parameters.values() if p.grad is not None]))))
    for key, value in parameters.items():
        tensors[f"final.{key}"] = value.detach().numpy().flatten()[::STRIDE].copy()
    save(HERE / f"{name}.safetensors", tensors)
    facts = {
        "versions": {package: version(package) for package in ("nnunetv2", "torch", "dynamic_network_architectures")},
        "network": network, "arch_kwargs": arch_kwargs(network, axes), "patch": made.configuration_manager.patch_size,
        "input_channels": made.num_input_channels, "outputs": made.label_manager.num_segmentation_heads,
        "batch_dice": batch_dice, "regions": made.label_manager.has_regions, "ignore": made.label_manager.ignore_label,
        "lr": made.initial_lr, "losses": losses, "clipped_norms": norms, "order": list(parameters), "stride": STRIDE,
        "state_dict": list(made.network.state_dict()),
    }
    (HERE / f"{name}.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    for number, (name, case) in enumerate(CASES.items()):
        make(number, name, *case)
