"""Measures nnunet on a GPU beside the CPU and Python v2; see run.sh. Prints one JSON object."""

import gzip
import json
import os
import re
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

START = time.monotonic()
PROGRAMS, WORK, REHEARSAL = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
SECONDS = float(os.environ.get("SECONDS_AT_MOST", "480"))
# On the device of the tests everything is small: it shows that the script works, and no times.
FEATURES, STEPS, VOLUME = (2, 2, (64, 64, 50)) if REHEARSAL else (32, 50, (512, 512, 500))
EPOCH = 250
PLANS = {
    "hippocampus": ([40, 56, 40], 9) if not REHEARSAL else ([16, 16, 16], 2),
    "large": ([128, 128, 128], 2) if not REHEARSAL else ([32, 32, 32], 2),
}
CONFIG = f"""
[planners.Device]
extends = "ExperimentPlanner3D_v21"
base_num_features = {FEATURES}
plans_identifier = "nnUNetPlansDevice"
[trainers.Three]
extends = "nnUNetTrainerV2_noDataAugmentation"
max_num_epochs = 1
num_batches_per_epoch = 3
num_val_batches_per_epoch = 1
[trainers.One]
extends = "Three"
num_batches_per_epoch = 1
[trainers.Epochs]
extends = "nnUNetTrainerV2"
max_num_epochs = 2
num_batches_per_epoch = {STEPS}
num_val_batches_per_epoch = 1
"""


def say(text):
    print(f"[{time.monotonic() - START:.0f} s] {text}", file=sys.stderr, flush=True)


def nnunet(line, device=None):
    """Runs the program; returns its text and, on the device of the tests, what was counted."""
    environment = dict(os.environ, nnUNet_raw_data_base=str(WORK / "raw"), nnUNet_preprocessed=str(WORK / "pre"),
                       RESULTS_FOLDER=str(WORK / "results"), XDG_DATA_HOME=str(WORK / "data"),
                       XDG_CONFIG_HOME=str(WORK / "config"))
    report = WORK / "rehearsal.json"
    report.unlink(missing_ok=True)
    if device == "cuda" and REHEARSAL:
        environment.update(LD_PRELOAD=REHEARSAL, REHEARSAL_REPORT=str(report))
    words = [str(PROGRAMS / "nnunet-torch"), *line.split(), *(["--device", device] if device else [])]
    say("nnunet " + " ".join(words[1:]))
    done = subprocess.run(words, cwd=WORK, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    counts = json.loads(report.read_text().splitlines()[-1]) if report.exists() else None
    return done.stdout + done.stderr, counts


class Memory(threading.Thread):
    """The most memory that a GPU has in use, as nvidia-smi says, in MB."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.over = None, False

    def run(self):
        command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while not self.over:
            try:
                used = int(subprocess.run(command, capture_output=True, text=True).stdout.split()[0])
            except (OSError, ValueError, IndexError):
                return
            self.most = max(self.most or 0, used)
            time.sleep(0.2)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.join()


def set_up():
    (WORK / "nnunet.toml").write_text(CONFIG)
    nnunet("example-dataset -o raw/nnUNet_raw_data --train 10 --test 2 --seed 3")
    nnunet("plan_and_preprocess -t 900 -pl3d Device -pl2d None")


def edit(patch, batch):
    smallest = min(patch) // 4
    pools = max(1, min(5, smallest.bit_length() - 1))
    pooling = json.dumps([[2, 2, 2]] * pools, separators=(",", ":"))
    kernels = json.dumps([[3, 3, 3]] * (pools + 1), separators=(",", ":"))
    size = json.dumps(patch, separators=(",", ":"))
    nnunet(f"plans edit 900 -p nnUNetPlansDevice --set plans_per_stage.0.patch_size={size} "
           f"plans_per_stage.0.batch_size={batch} plans_per_stage.0.pool_op_kernel_sizes={pooling} "
           f"plans_per_stage.0.conv_kernel_sizes={kernels}")


def train(trainer, device, flags=""):
    return nnunet(f"train 3d_fullres {trainer} 900 0 -p nnUNetPlansDevice --disable_validation_inference --overwrite {flags}", device)


def fold(trainer):
    return WORK / f"results/nnUNet/3d_fullres/Task900_Phantom/{trainer}__nnUNetPlansDevice/fold_0"


def parity():
    """Three steps and labels, on the CPU and on the GPU."""
    states = {}
    for device in ("cpu", "cuda"):
        train("Three", device, "--fp32")
        states[device] = (fold("Three") / "model_final_checkpoint.model").read_bytes()
    result = {"steps_largest_difference": difference(states)}
    for flags, key in (("", "mirrored"), ("--disable_tta", "plain")):
        for device in ("cpu", "cuda"):
            nnunet(f"predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o {key}_{device} -t 900 --tr Three "
                   f"-p nnUNetPlansDevice -f 0 --precision fp32 {flags}", device)
        result[f"labels_equal_{key}"] = equal(WORK / f"{key}_cpu", WORK / f"{key}_cuda")
    return result


def difference(states):
    try:
        import io

        import torch
    except ImportError:
        return None
    load = lambda data: torch.load(io.BytesIO(data), map_location="cpu", weights_only=False)["state_dict"]
    cpu, cuda = load(states["cpu"]), load(states["cuda"])
    return max(float((cpu[key].float() - cuda[key].float()).abs().max()) for key in cpu)


def equal(a, b):
    """Share of voxels with the same label, the lowest of all cases."""
    shares = []
    for path in sorted(a.glob("*.nii.gz")):
        ours, theirs = (gzip.decompress((folder / path.name).read_bytes())[352:] for folder in (a, b))
        shares.append(sum(x == y for x, y in zip(ours, theirs)) / len(ours))
    return min(shares)


def kernels():
    """Operators, waiting reads and copies of one training step: what three steps have more than one, halved."""
    if not REHEARSAL:
        return {"skipped": "operators are counted on the device of the tests only"}
    counts = [train(trainer, "cuda", "--fp32")[1] for trainer in ("One", "Three")]
    keys = ("kernels", "waits", "uploads", "pinned_uploads", "early_uploads")
    return {key: (counts[1][key] - counts[0][key]) / 2 for key in keys}


def epochs(name):
    patch, batch = PLANS[name]
    edit(patch, batch)
    with Memory() as memory:
        text, counts = train("Epochs", "cuda")
    seconds = [float(value) for value in re.findall(r"This epoch took ([0-9.]+) s", text)][-1]
    waits = re.findall(r"waited for data ([0-9.]+) s, for copies ([0-9.]+) s; computed ([0-9.]+) s", text)[-1]
    data, copies, computed = map(float, waits)
    return {
        "patch": patch, "batch": batch, "seconds_per_epoch": seconds / STEPS * EPOCH,
        "share_waited": (data + copies) / max(data + copies + computed, 1e-9), "peak_memory_mb": memory.most,
        "counts": counts,
    }


def volume():
    """Prediction of one large volume."""
    z, y, x = VOLUME[2], VOLUME[1], VOLUME[0]
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, x, y, z, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 0, 0, 0, 0)
    struct.pack_into("<3f", header, 108, 352, 1, 0)
    struct.pack_into("<2h", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    header[344:348] = b"n+1\0"
    (WORK / "volume").mkdir()
    row = struct.pack(f"<{x}h", *((i * 37) % 997 for i in range(x)))
    with gzip.open(WORK / "volume/large_0000.nii.gz", "wb", compresslevel=1) as file:
        file.write(header)
        for plane in range(z):
            file.write(row[2 * (plane % 64):] + row[:2 * (plane % 64)])
            file.write(row * (y - 1))
    start = time.monotonic()
    with Memory() as memory:
        _, counts = nnunet("predict -i volume -o volume_out -t 900 --tr Epochs -p nnUNetPlansDevice -f 0", "cuda")
    return {"size": VOLUME, "seconds": time.monotonic() - start, "peak_memory_mb": memory.most, "counts": counts}


def python_v2():
    """Seconds of an epoch of v2's network with torch.compile, on batches that lie on the GPU."""
    try:
        import torch
        from dynamic_network_architectures.architectures.unet import PlainConvUNet
        from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
        from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
        from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss
    except ImportError as error:
        return {"skipped": str(error)}
    if not torch.cuda.is_available():
        return {"skipped": "torch finds no GPU"}
    result = {}
    for name, (patch, batch) in PLANS.items():
        stages = max(1, min(5, (min(patch) // 4).bit_length() - 1)) + 1
        features = [min(32 * 2**i, 320) for i in range(stages)]
        network = PlainConvUNet(1, stages, features, torch.nn.Conv3d, 3, [1] + [2] * (stages - 1), [2] * stages, 3,
                                [2] * (stages - 1), True, torch.nn.InstanceNorm3d, {"eps": 1e-5, "affine": True},
                                nonlin=torch.nn.LeakyReLU, nonlin_kwargs={"inplace": True},
                                deep_supervision=True).cuda()
        network = torch.compile(network)
        weights = [0.5**i for i in range(stages - 1)]
        weights[-1] = 0
        loss = DeepSupervisionWrapper(
            DC_and_CE_loss({"batch_dice": False, "smooth": 1e-5, "do_bg": False, "ddp": False}, {},
                           dice_class=MemoryEfficientSoftDiceLoss), [w / sum(weights) for w in weights])
        optimizer = torch.optim.SGD(network.parameters(), 1e-2, weight_decay=3e-5, momentum=0.99, nesterov=True)
        scaler = torch.amp.GradScaler("cuda")
        data = torch.randn(batch, 1, *patch, device="cuda")
        target = [torch.randint(0, 3, (batch, 1, *(n >> i for n in patch)), device="cuda").float()
                  for i in range(stages - 1)]

        def step():
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda"):
                value = loss(network(data), target)
            scaler.scale(value).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 12)
            scaler.step(optimizer)
            scaler.update()
            return value.item()

        for _ in range(5):
            step()
        torch.cuda.synchronize()
        start = time.monotonic()
        for _ in range(20):
            step()
        torch.cuda.synchronize()
        result[name] = {"seconds_per_epoch": (time.monotonic() - start) / 20 * EPOCH}
    return result


def main():
    result = {"is_rehearsal": bool(REHEARSAL)}
    parts = {
        "parity": parity,
        "per_step": kernels,
        "hippocampus": lambda: epochs("hippocampus"),
        "large": lambda: epochs("large"),
        "volume": volume,
        "python_v2": python_v2,
    }
    # The first command looks at these folders.
    for name in ("raw/nnUNet_raw_data", "pre", "results"):
        (WORK / name).mkdir(parents=True)
    try:
        result["doctor"] = json.loads(nnunet("--json doctor", "cuda")[0].splitlines()[0])
        set_up()
        for name, part in parts.items():
            if time.monotonic() - START > 0.9 * SECONDS:
                result[name] = {"skipped": "no time left"}
                continue
            try:
                result[name] = part()
            except Exception as error:  # One part's failure must not cost the others.
                result[name] = {"error": str(error)}
    except (RuntimeError, KeyboardInterrupt, ValueError) as error:
        result["error"] = str(error) or "out of time"
    result["seconds"] = time.monotonic() - START
    print(json.dumps(result))


main()
