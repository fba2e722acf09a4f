"""Makes models with Python nnU-Net v1, and predicts with v1's or ours.

    python models.py make TASK TRAINER PLANS [TRAINER PLANS ...]
    python models.py predict INPUT OUTPUT MODEL_FOLDER [MODEL_FOLDER ...]

needs nnunet==1.7.1 and its three environment variables. `make` builds the trainers for 3d_fullres and saves fold 0 without
a step of training: its parameters are random, those of norms too, so that no two of them could be exchanged unseen.
`predict` writes label maps and probabilities of every model, without mirroring, to a folder of its name below OUTPUT.
"""
import os
import shutil
import sys
from os.path import basename, join

import nnunet
import torch
from nnunet.inference.predict import predict_from_folder
from nnunet.paths import network_training_output_dir, preprocessing_output_dir
from nnunet.training.model_restore import recursive_find_python_class


def make(task, trainer, plans):
    package = "nnunet.training.network_training"
    search_in = join(nnunet.__path__[0], "training", "network_training")
    output = join(network_training_output_dir, "3d_fullres", task, trainer + "__" + plans)
    data = join(preprocessing_output_dir, task)
    built = recursive_find_python_class([search_in], trainer, package)(
        join(data, plans + "_plans_3D.pkl"), 0, output, data, batch_dice=False, stage=0, fp16=False
    )
    built.initialize(training=False)
    disturb(built.network)
    built.save_checkpoint(join(built.output_folder, "model_final_checkpoint.model"))
    shutil.copy(built.plans_file, join(output, "plans.pkl"))


def disturb(network):
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2.0, generator=generator)
            elif value.dim() == 1:
                value.add_(torch.randn(value.shape, generator=generator), alpha=0.2)


def predict(source, output, model):
    predict_from_folder(
        model, source, join(output, basename(model)), [0], True, 1, 1, None, 0, 1, False, mixed_precision=False
    )


def main():
    torch.set_num_threads(1)
    torch.manual_seed(7)
    what, first, *rest = sys.argv[1:]
    if what == "make":
        for trainer, plans in zip(rest[::2], rest[1::2]):
            make(first, trainer, plans)
    else:
        for model in rest[1:]:
            os.makedirs(join(rest[0], basename(model)), exist_ok=True)
            predict(first, rest[0], model)


if __name__ == "__main__":
    main()
