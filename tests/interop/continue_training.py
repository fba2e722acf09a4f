"""Lets Python nnU-Net v1 go on with a training that this program began.

    python continue_training.py FOLD_FOLDER

needs nnunet==1.7.1 and its three environment variables. Prints all training losses, old and new.
"""
import sys
from os.path import join

from nnunet.training.model_restore import restore_model

EPOCHS, TRAINING, VALIDATION = 1, 10, 1


def main():
    checkpoint = join(sys.argv[1], "model_final_checkpoint.model")
    trainer = restore_model(checkpoint + ".pkl", checkpoint, train=True, fp16=False)
    trainer.max_num_epochs = trainer.epoch + EPOCHS
    trainer.num_batches_per_epoch, trainer.num_val_batches_per_epoch = TRAINING, VALIDATION
    trainer.save_final_checkpoint = trainer.save_best_checkpoint = trainer.save_intermediate_checkpoints = False
    trainer.run_training()
    print("\nlosses " + " ".join(str(float(loss)) for loss in trainer.all_tr_losses))


if __name__ == "__main__":
    main()
