"""Adds 3d_lowres and 3d_cascade_fullres to plans of nnU-Net v2 for images that are too small to get them.

    python3 add_stages.py PLANS_FILE...
"""
import copy
import json
import math
import sys
from pathlib import Path

STAGES = 3


def low_resolution(plans):
    """Half the resolution of 3d_fullres, and a network of three stages."""
    full = plans["configurations"]["3d_fullres"]
    architecture = copy.deepcopy(full["architecture"])
    arguments = architecture["arch_kwargs"]
    arguments.update(
        n_stages=STAGES, features_per_stage=arguments["features_per_stage"][:STAGES],
        kernel_sizes=[[3, 3, 3]] * STAGES, strides=[[1, 1, 1], [2, 2, 2], [2, 2, 2]],
        n_conv_per_stage=[2] * STAGES, n_conv_per_stage_decoder=[2] * (STAGES - 1))
    size = [edge / 2 for edge in full["median_image_size_in_voxels"]]
    return {
        # Otherwise it is inherited, and both have the same data.
        "data_identifier": f"{plans['plans_name']}_3d_lowres",
        "inherits_from": "3d_fullres",
        "patch_size": [4 * math.ceil(edge / 4) for edge in size],
        "median_image_size_in_voxels": size,
        "spacing": [2 * edge for edge in full["spacing"]],
        "architecture": architecture,
        "next_stage": "3d_cascade_fullres",
    }


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        plans = json.loads(path.read_text())
        plans["configurations"]["3d_lowres"] = low_resolution(plans)
        plans["configurations"]["3d_cascade_fullres"] = {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"}
        path.write_text(json.dumps(plans, indent=4))
