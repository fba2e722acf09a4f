//! The commands that need tensors.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use nnunet_engine::component_set::ComponentSet;
use nnunet_engine::session::Session;
use nnunet_plugin_core::vocabulary::Blueprint;

use super::device::DeviceChoice;
use super::{predict, train, train_v2, trainers};
use crate::doctor::Libtorch;
use crate::global_options::GlobalOptions;

/// The commands that need tensors. The program with libtorch runs them; the one without hands them over to it.
pub trait TensorCommands {
    /// The components that this program can make.
    fn component_set(&self) -> ComponentSet;

    /// Trains a model on a fold.
    ///
    /// # Errors
    /// Returns an error if the training cannot be started or completed.
    fn train(&self, args: &train::Args, options: &GlobalOptions) -> Result<ExitCode>;

    /// Trains a model of v2 on a fold.
    ///
    /// # Errors
    /// Returns an error if the training cannot be started or completed.
    fn train_v2(&self, args: &train_v2::Args, options: &GlobalOptions) -> Result<ExitCode>;

    /// Predicts a folder of images.
    ///
    /// # Errors
    /// Returns an error that lists the cases that failed.
    fn predict(&self, args: &predict::Args, options: &GlobalOptions) -> Result<ExitCode>;

    /// Shows trainers.
    ///
    /// # Errors
    /// Returns an error if a trainer is unknown.
    fn trainers(&self, args: &trainers::Args, options: &GlobalOptions) -> Result<ExitCode>;

    /// The settings of a trainer for the configuration `3d_fullres`: what it sets and what it inherits.
    ///
    /// # Errors
    /// Returns an error if the trainer or a parent cannot be made.
    fn trainer_settings(&self, name: &str, session: &Session) -> Result<Blueprint>;

    /// Tests a plugin.
    ///
    /// # Errors
    /// Returns an error if the plugin cannot be loaded or a check fails.
    fn check_plugin(&self, file: &Path) -> Result<ExitCode>;

    /// Describes the libtorch of the program with tensors, and whether it can use a device.
    ///
    /// # Errors
    /// Returns an error if that program cannot be started.
    fn libtorch(&self, device: DeviceChoice) -> Result<Libtorch>;
}
