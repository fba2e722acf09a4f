//! The data side of the program: data sets, images, preprocessed cases, plans, summaries and exported models.

pub mod components;
pub mod dataset;
pub mod exchange;
pub mod export;
pub mod failures;
pub mod folders;
pub mod generations;
pub mod images;
pub mod integrity;
pub mod label_names;
pub mod memory;
pub mod models;
pub mod orientation;
pub mod phantom;
pub mod pipeline;
pub mod records;
pub mod selection;
pub mod splitting;
pub mod summary;
pub mod training_images;
pub mod v2;

// The components of a crate that nothing else refers to are not linked in.
use nnunet_augmentation as _;
use nnunet_planning as _;
use nnunet_postprocessing as _;
use nnunet_preprocessing as _;
use nnunet_sampling as _;
use nnunet_schedules as _;
use nnunet_splitting as _;
