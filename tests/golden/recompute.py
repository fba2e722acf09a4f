"""Computes losses, tiled predictions and the anisotropic network again and prints how far they are from what is stored.

    python recompute.py [THREADS]

Needs nnunet 1.7.1 and safetensors. The differences between processors are what the tolerances of the tests come from.
"""
import ast
import json
import os
import re
import sys
import tempfile
from os.path import abspath, dirname, join

for variable in ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER"):
    os.environ.setdefault(variable, tempfile.mkdtemp())

import numpy
import torch
from nnunet.network_architecture.generic_UNet import Generic_UNet
from nnunet.training.loss_functions import TopK_loss, crossentropy, dice_loss, focal_loss
from nnunet.utilities.nd_softmax import softmax_helper
from safetensors.torch import load_file
from torch import nn

HERE = dirname(abspath(__file__))
STRIDE = 7


def load(*path):
    with open(join(HERE, *path)) as file:
        return json.load(file)


def network(config):
    three = len(config["patch"]) == 3
    conv, norm, dropout = ((nn.Conv3d, nn.InstanceNorm3d, nn.Dropout3d) if three else
                           (nn.Conv2d, nn.InstanceNorm2d, nn.Dropout2d))
    return Generic_UNet(config["in_channels"], config["base"], config["num_classes"], len(config["pool"]), 2, 2, conv, norm,
                        {"eps": 1e-5, "affine": True}, dropout, {"p": 0, "inplace": True}, nn.LeakyReLU,
                        {"negative_slope": 1e-2, "inplace": True}, True, False, lambda x: x, None, config["pool"],
                        config["conv"], False, True, True).eval()


def anisotropic():
    stored = load_file(join(HERE, "train_step", "aniso3d_forward.safetensors"))
    model = network(load("train_step", "aniso3d_forward.json")["config"])
    model.load_state_dict({key[len("state_dict/"):]: v for key, v in stored.items() if key.startswith("state_dict/")})
    with torch.no_grad():
        outputs = model(stored["input"])
    return max(float((out.flatten()[::STRIDE] - stored[f"output_{i}"]).abs().max()) for i, out in enumerate(outputs))


def sliding_window():
    cases, folder = load("sliding_window", "cases.json"), join(HERE, "sliding_window")
    inputs, expected = (load_file(join(folder, f"{name}.safetensors")) for name in ("inputs", "expected"))
    worst, labels = 0.0, 0.0
    for name, case in cases["cases"].items():
        model = network(cases["config_" + case["net"][-2:]])
        model.load_state_dict(load_file(join(folder, case["net"] + ".safetensors")))
        model.do_ds = False
        model.inference_apply_nonlin = softmax_helper if case["nonlin"] == "softmax" else torch.sigmoid
        arguments = {key: tuple(v) if isinstance(v, list) else v for key, v in case["args"].items()}
        segmentation, scores = getattr(model, case["api"])(inputs[case["input"]].numpy(), **arguments)
        worst = max(worst, float(numpy.abs(scores.flatten()[::STRIDE] - expected[f"{name}/prob"].numpy()).max()))
        labels = max(labels, float((segmentation != expected[f"{name}/seg"].numpy()).mean()))
    return worst, labels


def make_loss(definition):
    """The loss that a text like `GDL(apply_nonlin=softmax_helper, **{'smooth': 1.0})` constructs."""
    names = {key: value for module in (dice_loss, crossentropy, TopK_loss, focal_loss) for key, value in vars(module).items()}
    names.update(softmax_helper=softmax_helper, softmax=softmax_helper, torch=torch, np=numpy, numpy=numpy)
    text = re.sub(r"\) \(.*$", ")", definition)
    ast.parse(text, mode="eval")
    return eval(text, names)


def losses():
    inputs, gradients = (numpy.load(join(HERE, "losses", name)) for name in ("inputs.npz", "grads.npz"))
    value_error, gradient_error, failed, compared = 0.0, 0.0, [], 0
    for key, entry in load("losses", "losses.json")["entries"].items():
        if "logits" not in entry or not entry["all_finite"]:
            continue
        logits = torch.tensor(inputs[entry["logits"]], requires_grad=True)
        target = torch.tensor(inputs[entry["target"]]).float()
        try:
            loss = make_loss(entry["definition"])
            mask = entry["mask"]
            value = loss(logits, target, torch.tensor(inputs[mask]).float()) if mask else loss(logits, target)
            value.backward()
        except Exception as error:
            failed.append((key, repr(error)))
            continue
        compared += 1
        value_error = max(value_error, abs(float(value) - entry["value"]) / max(abs(entry["value"]), 0.1))
        scale = max(1.0, float(numpy.abs(gradients[key]).max()))
        gradient_error = max(gradient_error, float(numpy.abs(logits.grad.numpy() - gradients[key]).max()) / scale)
    return value_error, gradient_error, compared, failed


def main():
    torch.set_num_threads(int((sys.argv[1:] or ["1"])[0]))
    print("anisotropic network, logits: %.1e" % anisotropic())
    print("sliding window, probabilities: %.1e; share of labels: %.1e" % sliding_window())
    value, gradient, compared, failed = losses()
    print("losses, values: %.1e; gradients: %.1e; %d compared, %d not: %s" % (value, gradient, compared, len(failed), failed[:3]))


if __name__ == "__main__":
    main()
