"""Lets Python nnU-Net v1 go on with a training that this program began.

    python continue_training.py FOLD_FOLDER

needs nnunet==1.7.1 and its three environment variables. Prints all training losses, old and new, with the weights of Dice
and cross entropy that the test's trainer has, and the loss of the same network with random weights on the same data.
"""
import sys
from os.path import join

import numpy
from nnunet.network_architecture.initialization import InitWeights_He
from nnunet.training.loss_functions.deep_supervision import MultipleOutputLoss2
from nnunet.training.loss_functions.dice_loss import DC_and_CE_loss
from nnunet.training.model_restore import restore_model

EPOCHS, TRAINING, VALIDATION = 1, 10, 1
# As in the test's trainer.
LOSS = {"weight_ce": 0.3, "weight_dice": 1.0}


def random_loss(trainer):
    """The mean loss of a network that has learned nothing; the trainer keeps its weights."""
    kept = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    trainer.network.apply(InitWeights_He(1e-2))
    loss = numpy.mean([trainer.run_iteration(trainer.tr_gen, do_backprop=False) for _ in range(TRAINING)])
    trainer.network.load_state_dict(kept)
    return float(loss)


def main():
    checkpoint = join(sys.argv[1], "model_final_checkpoint.model")
    trainer = restore_model(checkpoint + ".pkl", checkpoint, train=True, fp16=False)
    trainer.max_num_epochs = trainer.epoch + EPOCHS
    trainer.num_batches_per_epoch, trainer.num_val_batches_per_epoch = TRAINING, VALIDATION
    trainer.save_final_checkpoint = trainer.save_best_checkpoint = trainer.save_intermediate_checkpoints = False
    dice = {"batch_dice": trainer.batch_dice, "smooth": 1e-5, "do_bg": False}
    trainer.loss = MultipleOutputLoss2(DC_and_CE_loss(dice, {}, **LOSS), trainer.ds_loss_weights)
    print("\nrandom %r" % random_loss(trainer))
    trainer.run_training()
    print("\nlosses " + " ".join(str(float(loss)) for loss in trainer.all_tr_losses))


if __name__ == "__main__":
    main()
