//! v1's trainer classes that converted models belong to.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use nnunet_export::SegmentationHeads;
use nnunet_formats::pickle::Value as Pickle;
use nnunet_plugin_core::vocabulary::Regions;

use super::network::Network;
use super::widen::OutputBias;
use crate::folders::CASCADE;
use crate::v2::{Class as Label, Dataset};

/// v1's class with overlapping regions.
pub const REGIONS_IN_V1: &str = "nnUNetTrainerV2BraTSRegions";

/// A class, by what its network differs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Default,
    /// Its outputs have a bias.
    OutputBias,
    /// The second stage of a cascade.
    Cascade,
    Regions,
}

impl Class {
    /// The class for a network of v2; `regions` are those that v1's class has.
    ///
    /// # Errors
    /// Returns an error for regions that v1 does not have.
    pub(super) fn of(
        network: &Network,
        dataset: &Dataset,
        configuration: &str,
        regions: Option<&Regions>,
    ) -> Result<Self> {
        if dataset.has_regions() {
            ensure!(configuration != CASCADE, "the second stage of v1's cascade has labels, and no regions");
            check_regions(dataset, regions)?;
            return Ok(Self::Regions);
        }
        Ok(match configuration {
            CASCADE => Self::Cascade,
            _ if network.has_output_bias() => Self::OutputBias,
            _ => Self::Default,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Default => "nnUNetTrainerV2",
            Self::OutputBias => "nnUNetTrainerV2_lReLU_biasInSegOutput",
            Self::Cascade => "nnUNetTrainerV2CascadeFullRes",
            Self::Regions => REGIONS_IN_V1,
        }
    }

    /// The module with the class, below v1's modules of trainers.
    fn module(self) -> &'static str {
        match self {
            Self::Default => "nnUNetTrainerV2",
            Self::OutputBias => {
                "nnUNet_variants.architectural_variants.nnUNetTrainerV2_lReLU_biasInSegOutput"
            }
            Self::Cascade => "nnUNetTrainerV2_CascadeFullRes",
            Self::Regions => "competitions_with_custom_Trainers.BraTS2020.nnUNetTrainerV2BraTSRegions",
        }
    }

    /// The class as v1's checkpoints name it.
    pub(super) fn in_python(self) -> String {
        format!("<class 'nnunet.training.network_training.{}.{}'>", self.module(), self.name())
    }

    pub(super) fn output_bias(self) -> OutputBias {
        if self == Self::OutputBias { OutputBias::Kept } else { OutputBias::Carried }
    }

    /// The arguments of its constructor, for a model in `folder`.
    pub(super) fn arguments(self, folder: &Path, fold: &str, batch_dice: bool) -> Pickle {
        let path = |path: &Path| Pickle::Str(path.display().to_string());
        let mut arguments = vec![
            path(&folder.join("plans.pkl")),
            fold.parse().map_or_else(|_| Pickle::str(fold), Pickle::Int),
            path(folder),
            path(folder),
            Pickle::Bool(batch_dice),
            Pickle::Int(i64::from(self == Self::Cascade)),
            Pickle::Bool(true),
            Pickle::Bool(false),
        ];
        if self == Self::Cascade {
            arguments.push(Pickle::str(Self::Default.name()));
        }
        arguments.push(Pickle::Bool(true));
        Pickle::Tuple(arguments)
    }
}

fn check_regions(dataset: &Dataset, of_v1: Option<&Regions>) -> Result<()> {
    let Some(of_v1) = of_v1 else { bail!("v1's regions are not known here") };
    let own = dataset.foreground().into_iter().map(|class| match class {
        Label::Label(label) => vec![label],
        Label::Region(labels) => labels,
    });
    let theirs = of_v1.regions.iter().map(|region| region.labels.iter().map(|label| i64::from(*label)));
    let order = dataset.heads()?;
    let is_same = own.eq(theirs.map(Iterator::collect::<Vec<i64>>))
        && matches!(order, SegmentationHeads::Regions(order) if order == of_v1.class_order);
    ensure!(
        is_same,
        "these regions cannot be converted: in v1 they belong to a trainer's class, and {REGIONS_IN_V1} has others"
    );
    Ok(())
}
