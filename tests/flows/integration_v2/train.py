"""Trains all folds with Python nnU-Net v2, in one process.

    python train.py DATASET PLANS TRAINER CONFIGURATION...
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "interop"))
import python_v2

dataset, plans, trainer, *configurations = sys.argv[1:]
python_v2.use_threads()
for configuration in configurations:
    for fold in range(5):
        words = [dataset, configuration, fold, "-tr", trainer, "-p", plans, "--npz", "-device", "cpu"]
        code, text = python_v2.run("nnUNetv2_train", *words)
        if code:
            sys.exit(f"nnUNetv2_train {words} ends with {code}: {text[-3000:]}")
