//! A created component as it crosses the boundary. One layout with and without tensors: a plugin built without libtorch
//! fits every host.

use abi_stable::StableAbi;

use super::architecture::ArchitectureObject;
use super::augmentation::AugmentationObject;
use super::format::FormatObject;
use super::later::LaterObject;
use super::logger::LoggerObject;
use super::loss::LossObject;
use super::normalization::NormalizationObject;
use super::planner::PlannerObject;
use super::postprocessor::PostprocessorObject;
use super::preprocessor::PreprocessorObject;
use super::trainer::TrainerObject;

/// A component of any kind. Frozen: kinds of later minors cross as the last variant.
#[repr(u8)]
#[derive(StableAbi)]
pub enum Created {
    /// A planner.
    Planner(PlannerObject),
    /// A preprocessor.
    Preprocessor(PreprocessorObject),
    /// A postprocessor.
    Postprocessor(PostprocessorObject),
    /// An architecture.
    Architecture(ArchitectureObject),
    /// A loss.
    Loss(LossObject),
    /// A trainer.
    Trainer(TrainerObject),
    /// A normalization.
    Normalization(NormalizationObject),
    /// An augmentation.
    Augmentation(AugmentationObject),
    /// An image format.
    Format(FormatObject),
    /// An experiment logger.
    Logger(LoggerObject),
    /// A component of a kind that this minor does not know.
    Later(LaterObject),
}
