"""The brief training of train.rs with Python nnU-Net v1's own default trainer and number of worker processes."""
from nnunet.run.default_configuration import get_default_configuration

EPOCHS, TRAINING, VALIDATION = 1, 8, 1


def main():
    plans, folder, data, batch_dice, stage, trainer_class = get_default_configuration(
        "3d_fullres", "Task004_Hippocampus", "nnUNetTrainerV2", "nnUNetPlansv2.1")
    trainer = trainer_class(plans, 0, folder, data, batch_dice, stage, unpack_data=True, fp16=False)
    trainer.initialize(True)
    trainer.max_num_epochs, trainer.num_batches_per_epoch, trainer.num_val_batches_per_epoch = EPOCHS, TRAINING, VALIDATION
    trainer.run_training()


if __name__ == "__main__":
    main()
