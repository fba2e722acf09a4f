"""Writes this folder's training steps, with nnunet 1.7.1 (torch 2.1.2, safetensors) on one thread:

    python make_train_step.py

Five small U-Nets take three optimizer steps on random images. NAME.json holds the settings, and losses and norms of the
gradients of all steps in double precision; NAME_final.safetensors the weights after them, in double precision;
BASE_init.safetensors the initial weights, BASE_batches.safetensors the batches and NAME_step1.safetensors the weights after
the first step in single precision. Of the weights after steps every 11th element is kept. `unet2d_clip_active` and `unet3d_clip_active` multiply the weights of the outputs by 40,
so that the gradients are clipped.
"""
import json
import os
import tempfile
from os.path import abspath, dirname, join

for variable in ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER"):
    os.environ.setdefault(variable, tempfile.mkdtemp())

import numpy
import torch
from nnunet.network_architecture.generic_UNet import Generic_UNet
from nnunet.network_architecture.initialization import InitWeights_He
from nnunet.training.data_augmentation.downsampling import downsample_seg_for_ds_transform2
from nnunet.training.loss_functions.deep_supervision import MultipleOutputLoss2
from nnunet.training.loss_functions.dice_loss import DC_and_CE_loss
from safetensors.torch import load_file, save_file
from torch import nn

HERE = dirname(abspath(__file__))
STEPS, CLIP, RATE, STRIDE = 3, 12, 1e-2, 11
WEIGHTS = [2 / 3, 1 / 3, 0]
CONFIGS = {
    "unet3d": {"in_channels": 1, "num_classes": 3, "base": 4, "conv_per_stage": 2, "patch": [16, 24, 16], "batch_size": 2,
               "pool": [[2, 2, 2]] * 3, "conv": [[3, 3, 3]] * 4},
    "unet2d": {"in_channels": 1, "num_classes": 3, "base": 6, "conv_per_stage": 2, "patch": [40, 32], "batch_size": 4,
               "pool": [[2, 2]] * 3, "conv": [[3, 3]] * 4},
}
# Name of the run, its configuration, whether the Dice sums the batch, and by what the outputs' weights are multiplied.
RUNS = [
    ("unet3d_batchdice_true", "unet3d", True, 1), ("unet3d_batchdice_false", "unet3d", False, 1),
    ("unet3d_clip_active", "unet3d", True, 40), ("unet2d_batchdice_true", "unet2d", True, 1),
    ("unet2d_batchdice_false", "unet2d", False, 1), ("unet2d_clip_active", "unet2d", True, 40),
]


def network(config):
    three = len(config["patch"]) == 3
    conv, norm, dropout = ((nn.Conv3d, nn.InstanceNorm3d, nn.Dropout3d) if three else
                           (nn.Conv2d, nn.InstanceNorm2d, nn.Dropout2d))
    return Generic_UNet(config["in_channels"], config["base"], config["num_classes"], len(config["pool"]), 2, 2, conv, norm,
                        {"eps": 1e-5, "affine": True}, dropout, {"p": 0, "inplace": True}, nn.LeakyReLU,
                        {"negative_slope": 1e-2, "inplace": True}, True, False, lambda x: x, InitWeights_He(1e-2),
                        config["pool"], config["conv"], False, True, True)


def make_start(base, config, seed):
    """He initialization, then biases and norms are moved so that a wrong mapping of names shows."""
    torch.manual_seed(seed)
    weights = network(config).state_dict()
    for key, value in weights.items():
        if value.dim() == 1:
            value += 0.1 * torch.randn(value.shape)
    save_file({key: value.contiguous() for key, value in weights.items()}, join(HERE, f"{base}_init.safetensors"))


def make_batches(base, config, seed):
    """Smooth labels in noise; every second sample has no label 2, so that summing the Dice over the batch matters."""
    random = numpy.random.RandomState(seed)
    batches = {}
    axes = numpy.meshgrid(*[numpy.linspace(-1, 1, n) for n in config["patch"]], indexing="ij")
    scales = [[1] * len(axes)] + [list(1 / numpy.cumprod(config["pool"], 0)[i]) for i in range(len(config["pool"]) - 1)]
    for step in range(STEPS):
        labels = numpy.zeros((config["batch_size"], 1, *config["patch"]))
        for sample in range(config["batch_size"]):
            distance = sum((axis - random.uniform(-0.4, 0.4)) ** 2 for axis in axes)
            labels[sample, 0][distance < 0.5] = 1
            if sample % 2 == 0:
                labels[sample, 0][distance < 0.15] = 2
        images = labels * 0.7 + random.standard_normal(labels.shape)
        batches[f"data_{step}"] = torch.from_numpy(images.astype(numpy.float32))
        pyramid = downsample_seg_for_ds_transform2(labels, scales, order=0)
        for level, target in enumerate(pyramid):
            batches[f"target_{step}_{level}"] = torch.from_numpy(numpy.ascontiguousarray(target)).to(torch.uint8)
    save_file(batches, join(HERE, f"{base}_batches.safetensors"))


def take_steps(config, batch_dice, outputs_times, start, batches, kind):
    model = network(config)
    model.load_state_dict({key: value * outputs_times if key.startswith("seg_outputs") else value
                           for key, value in start.items()})
    model.to(kind).train()
    loss = MultipleOutputLoss2(DC_and_CE_loss({"batch_dice": batch_dice, "smooth": 1e-5, "do_bg": False}, {}), WEIGHTS)
    optimizer = torch.optim.SGD(model.parameters(), RATE, weight_decay=3e-5, momentum=0.99, nesterov=True)
    steps, weights = [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        targets = [batches[f"target_{step}_{level}"].to(kind) for level in range(len(config["pool"]))]
        value = loss(model(batches[f"data_{step}"].to(kind)), targets)
        value.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        steps.append({"loss": value.item(), "lr": RATE, "grad_norm_before_clip": norm.item()})
        weights.append({key: value.detach().flatten()[::STRIDE].clone() for key, value in model.state_dict().items()})
    names = [name for name, _ in model.named_parameters()]
    return steps, weights, names


def main():
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    if "COMPARE" not in os.environ:
        for seed, (base, config) in enumerate(CONFIGS.items()):
            make_start(base, config, 4242 + seed)
            make_batches(base, config, 99 + seed)
    for name, base, batch_dice, outputs_times in RUNS:
        config = CONFIGS[base]
        start, batches = (load_file(join(HERE, f"{base}_{what}.safetensors")) for what in ("init", "batches"))
        arguments = (config, batch_dice, outputs_times, start, batches)
        steps, weights, names = take_steps(*arguments, torch.float64)
        single, first, _ = take_steps(*arguments, torch.float32)
        if "COMPARE" in os.environ:
            compare(name, steps, weights[-1], single[0], first[0])
            continue
        save_file(weights[-1], join(HERE, f"{name}_final.safetensors"))
        save_file(first[0], join(HERE, f"{name}_step1.safetensors"))
        about = {"config": config, "base": base, "batch_dice": batch_dice, "outputs_times": outputs_times, "stride": STRIDE,
                 "parameter_order_in_optimizer": names, "steps": steps}
        with open(join(HERE, f"{name}.json"), "w") as file:
            json.dump(about, file, indent=1)


def compare(name, steps, weights, single, first):
    """With COMPARE=1: how far a run on another processor, or with THREADS=2, is from what is stored."""
    with open(join(HERE, f"{name}.json")) as file:
        stored = json.load(file)["steps"]

    def relative(a, b, key):
        return abs(a[key] / b[key] - 1)

    def largest(ours, file):
        return max(float((value - load_file(join(HERE, file))[key]).abs().max()) for key, value in ours.items())

    keys = ("loss", "grad_norm_before_clip")
    double = [max(relative(a, b, key) for a, b in zip(steps, stored)) for key in keys]
    print(name, "double: loss %.1e norm %.1e weights %.1e" % (*double, largest(weights, f"{name}_final.safetensors")),
          "single: loss %.1e norm %.1e" % tuple(relative(single, stored[0], key) for key in keys),
          "weights %.1e" % largest(first, f"{name}_step1.safetensors"))


if __name__ == "__main__":
    main()
