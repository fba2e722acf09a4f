//! Shorter and longer trainings.

use nnunet_plugin_api::variants;

use crate::table::trainer;

variants! { trainer;
    "nnUNetTrainer_1epoch" ("nnUNetv2Trainer") "1 epoch." |b, _| b.max_num_epochs = 1;
    "nnUNetTrainer_5epochs" ("nnUNetv2Trainer") "5 epochs." |b, _| b.max_num_epochs = 5;
    "nnUNetTrainer_10epochs" ("nnUNetv2Trainer") "10 epochs." |b, _| b.max_num_epochs = 10;
    "nnUNetTrainer_20epochs" ("nnUNetv2Trainer") "20 epochs." |b, _| b.max_num_epochs = 20;
    "nnUNetTrainer_50epochs" ("nnUNetv2Trainer") "50 epochs." |b, _| b.max_num_epochs = 50;
    "nnUNetTrainer_100epochs" ("nnUNetv2Trainer") "100 epochs." |b, _| b.max_num_epochs = 100;
    "nnUNetTrainer_250epochs" ("nnUNetv2Trainer") "250 epochs." |b, _| b.max_num_epochs = 250;
    "nnUNetTrainer_500epochs" ("nnUNetv2Trainer") "500 epochs." |b, _| b.max_num_epochs = 500;
    "nnUNetTrainer_750epochs" ("nnUNetv2Trainer") "750 epochs." |b, _| b.max_num_epochs = 750;
    "nnUNetTrainer_2000epochs" ("nnUNetv2Trainer") "2000 epochs." |b, _| b.max_num_epochs = 2000;
    "nnUNetTrainer_4000epochs" ("nnUNetv2Trainer") "4000 epochs." |b, _| b.max_num_epochs = 4000;
    "nnUNetTrainer_8000epochs" ("nnUNetv2Trainer") "8000 epochs." |b, _| b.max_num_epochs = 8000;
    "nnUNetTrainer_250epochs_NoMirroring" ("nnUNetTrainerNoMirroring") "250 epochs, no mirroring."
        |b, _| b.max_num_epochs = 250;
    "nnUNetTrainer_2000epochs_NoMirroring" ("nnUNetTrainerNoMirroring") "2000 epochs, no mirroring."
        |b, _| b.max_num_epochs = 2000;
    "nnUNetTrainer_4000epochs_NoMirroring" ("nnUNetTrainerNoMirroring") "4000 epochs, no mirroring."
        |b, _| b.max_num_epochs = 4000;
    "nnUNetTrainer_8000epochs_NoMirroring" ("nnUNetTrainerNoMirroring") "8000 epochs, no mirroring."
        |b, _| b.max_num_epochs = 8000;
}
