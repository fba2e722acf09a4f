"""One training step of Python nnU-Net v1 or v2 on synthetic batches: prints seconds per step and peak memory in MB.

Called by train_step.rs with v1 or v2, the number of steps and the work.
"""
import resource
import sys
import time

import torch
from torch import nn

CLASSES = 3
PATCH, BATCH, POOLS = {"hippocampus": ((40, 56, 40), 9, 3), "large": ((128, 128, 128), 2, 5)}[sys.argv[3]]
# Half as much for each lower resolution; none for the lowest of more than three.
WEIGHTS = [0.5**i if i < 3 or i < POOLS - 1 else 0 for i in range(POOLS)]
WEIGHTS = [weight / sum(WEIGHTS) for weight in WEIGHTS]


def network_and_loss_v1():
    from nnunet.network_architecture.generic_UNet import Generic_UNet
    from nnunet.network_architecture.initialization import InitWeights_He
    from nnunet.training.loss_functions.deep_supervision import MultipleOutputLoss2
    from nnunet.training.loss_functions.dice_loss import DC_and_CE_loss

    network = Generic_UNet(
        1, 32, CLASSES, POOLS, 2, 2, nn.Conv3d, nn.InstanceNorm3d, {"eps": 1e-5, "affine": True}, nn.Dropout3d,
        {"p": 0, "inplace": True}, nn.LeakyReLU, {"negative_slope": 1e-2, "inplace": True}, True, False, lambda x: x,
        InitWeights_He(1e-2), [[2] * 3] * POOLS, [[3] * 3] * (POOLS + 1), False, True, True)
    return network, MultipleOutputLoss2(DC_and_CE_loss({"batch_dice": False, "smooth": 1e-5, "do_bg": False}, {}), WEIGHTS)


def network_and_loss_v2():
    from dynamic_network_architectures.architectures.unet import PlainConvUNet
    from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
    from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper

    network = PlainConvUNet(
        1, POOLS + 1, [min(32 << i, 320) for i in range(POOLS + 1)], nn.Conv3d, 3, [1] + [2] * POOLS, 2, CLASSES, 2, True,
        nn.InstanceNorm3d, {"eps": 1e-5, "affine": True}, None, None, nn.LeakyReLU, {"inplace": True}, True)
    loss = DC_and_CE_loss({"batch_dice": False, "smooth": 1e-5, "do_bg": False, "ddp": False}, {})
    return network, DeepSupervisionWrapper(loss, WEIGHTS)


def main():
    version, steps = sys.argv[1], int(sys.argv[2])
    network, loss = network_and_loss_v1() if version == "v1" else network_and_loss_v2()
    optimizer = torch.optim.SGD(network.parameters(), 1e-2, weight_decay=3e-5, momentum=0.99, nesterov=True)
    data = torch.randn(BATCH, 1, *PATCH)
    targets = [torch.randint(0, CLASSES, (BATCH, 1, *(n >> i for n in PATCH))).float() for i in range(POOLS)]
    seconds = []
    for _ in range(steps + 1):
        start = time.time()
        optimizer.zero_grad()
        value = loss(network(data), targets)
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12)
        optimizer.step()
        value.item()
        seconds.append(time.time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nresult {min(seconds[1:]):.4f} {peak:.0f}")


main()
