//! Arguments of `predict`; the work is done where tensors are.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::ArgPredicate;
use nnunet_data::memory;

use super::device::DeviceChoice;
use super::postprocessing_choice::PostprocessingChoice;
use crate::arguments::{NONE, fold_or_none, num_parts, part_id};

/// Headings of the help.
pub(super) const MODEL: &str = "Model";
pub(super) const HOW: &str = "Prediction and postprocessing";
pub(super) const OUTPUT: &str = "Output";
pub(super) const DEVICE: &str = "Device, precision and memory";
pub(super) const PARTS: &str = "Several jobs";

/// Arguments of v1's command.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder of images, `<case>_0000.nii.gz` and so on.
    #[arg(short = 'i', long = "input_folder")]
    pub input: PathBuf,
    /// Folder for the label maps.
    #[arg(short = 'o', long = "output_folder")]
    pub output: PathBuf,
    /// Task, by name or number.
    #[arg(help_heading = MODEL)]
    #[arg(short = 't', long = "task_name", required_unless_present_any = ["model_folder", "dataset"])]
    pub task: Option<String>,
    /// Data set of a v2 model, by name or number, in nnUNet_results; the configuration is -c.
    #[arg(help_heading = MODEL)]
    #[arg(short = 'd', long = "dataset", conflicts_with = "task", requires = "configuration")]
    pub dataset: Option<String>,
    /// Configuration of a v2 model: with -d, or of an archive with several.
    #[arg(help_heading = MODEL)]
    #[arg(short = 'c', long = "configuration", conflicts_with = "task")]
    pub configuration: Option<String>,
    /// Name of the trainer; with -d nnUNetTrainer by default.
    #[arg(help_heading = MODEL)]
    #[arg(long = "tr", visible_alias = "trainer_class_name", default_value = crate::defaults::TRAINER)]
    #[arg(default_value_if("dataset", ArgPredicate::IsPresent, "nnUNetTrainer"))]
    pub trainer: String,
    /// 2d, 3d_lowres, 3d_fullres or 3d_cascade_fullres.
    #[arg(help_heading = MODEL)]
    #[arg(short = 'm', long = "model", default_value = "3d_fullres")]
    pub model: String,
    /// Identifier of the plans; with -d nnUNetPlans by default.
    #[arg(help_heading = MODEL)]
    #[arg(short = 'p', long = "plans_identifier")]
    #[arg(default_value = crate::defaults::PLANS)]
    #[arg(default_value_if("dataset", ArgPredicate::IsPresent, "nnUNetPlans"))]
    pub plans: String,
    /// A model's folder, of v1 or v2, or the zip archive it was exported to, instead of task, trainer, model and
    /// plans. Of an archive with several models, -m (v1) or -c (v2) names one.
    #[arg(help_heading = MODEL)]
    #[arg(long = "model_folder")]
    pub model_folder: Option<PathBuf>,
    /// Folds to average, or all; by default every fold there is.
    #[arg(help_heading = MODEL)]
    #[arg(short = 'f', long = "folds", num_args = 1.., value_parser = fold_or_none)]
    pub folds: Vec<String>,
    /// No test-time augmentation (mirroring).
    #[arg(help_heading = HOW)]
    #[arg(long = "disable_tta")]
    pub disable_tta: bool,
    /// Also write the predicted probabilities (npz and pkl).
    #[arg(help_heading = OUTPUT)]
    #[arg(short = 'z', long = "save_npz", visible_alias = "save_probabilities")]
    pub save_npz: bool,
    /// Predict cases again that have a prediction.
    #[arg(help_heading = OUTPUT)]
    #[arg(long = "overwrite_existing")]
    pub overwrite_existing: bool,
    /// Step size of the sliding window, as a fraction of the patch size.
    #[arg(help_heading = HOW)]
    #[arg(long = "step_size", default_value_t = 0.5)]
    pub step_size: f64,
    /// Name of the checkpoint; the final one by default.
    #[arg(help_heading = MODEL)]
    #[arg(long = "chk")]
    pub checkpoint: Option<String>,
    /// Index of this job, from 0; with slurm its place in the array job.
    #[arg(help_heading = PARTS)]
    #[arg(long = "part_id", default_value = "0", value_parser = part_id)]
    pub part_id: usize,
    /// Number of jobs that share the cases; with slurm the size of the array job.
    #[arg(help_heading = PARTS)]
    #[arg(long = "num_parts", default_value = "1", value_parser = num_parts)]
    pub num_parts: usize,
    /// How predictions are resampled to the original grid: accuracy against speed.
    #[arg(help_heading = HOW)]
    #[arg(long, value_enum, default_value_t)]
    pub mode: Mode,
    /// Memory limit, for example 8G; most of the free memory by default.
    #[arg(help_heading = DEVICE)]
    #[arg(long = "max_ram", value_name = "SIZE", value_parser = memory::parse_size)]
    pub max_ram: Option<u64>,
    /// Limit of the GPU memory, for example 10G; all of it by default.
    #[arg(help_heading = DEVICE)]
    #[arg(long = "max_vram", value_name = "SIZE", value_parser = memory::parse_size)]
    pub max_vram: Option<u64>,
    /// Cases that are preprocessed at a time, where memory allows it; each uses all cores.
    #[arg(help_heading = DEVICE)]
    #[arg(long = "num_threads_preprocessing", alias = "npp", value_name = "N")]
    #[arg(default_value = "1")]
    pub num_threads_preprocessing: NonZeroUsize,
    /// Cases that are resampled and written at a time.
    #[arg(help_heading = DEVICE)]
    #[arg(long = "num_threads_nifti_save", alias = "nps", value_name = "N")]
    #[arg(default_value = "1")]
    pub num_threads_nifti_save: NonZeroUsize,
    /// Where the class scores of overlapping tiles are accumulated.
    #[arg(help_heading = DEVICE)]
    #[arg(long = "all_in_gpu", value_enum, default_value_t)]
    pub all_in_gpu: AllInGpu,
    /// Trainer of the second stage of a cascade; --tr then names that of the first.
    #[arg(help_heading = MODEL)]
    #[arg(
        long = "ctr",
        visible_alias = "cascade_trainer_class_name",
        value_name = "NAME",
        default_value = "nnUNetTrainerV2CascadeFullRes"
    )]
    pub cascade_trainer: String,
    /// Label maps of a cascade's first stage; predicted first when not given.
    #[arg(help_heading = HOW)]
    #[arg(short = 'l', long = "lowres_segmentations", value_name = "FOLDER")]
    #[arg(alias = "prev_stage_predictions")]
    pub lowres: Option<PathBuf>,
    /// Postprocessing of the label maps instead of the model's postprocessing.json; -pp None for none.
    #[command(flatten, next_help_heading = HOW)]
    pub postprocessing: PostprocessingChoice,
    /// Write the names and colors of the labels beside the label maps, for ITK-SNAP (labels_itksnap.txt) and 3D Slicer
    /// (labels_slicer.ctbl).
    #[arg(help_heading = OUTPUT)]
    #[arg(long = "label_tables")]
    pub label_tables: bool,
    /// Turn images that lie unlike those of the training, and turn their label maps back. Not for cascades, and not with -z.
    #[arg(help_heading = HOW)]
    #[arg(long)]
    pub reorient: bool,
    /// Draw the slice of every case that has most foreground, with its labels, as CASE.png (CASE_overlay.png beside
    /// label maps that are pictures).
    #[arg(help_heading = OUTPUT)]
    #[arg(long)]
    pub overlay: bool,
    /// Accepted for compatibility with v2: existing predictions are always kept, unless --overwrite_existing is given.
    #[arg(help_heading = OUTPUT)]
    #[arg(long = "continue_prediction")]
    pub continue_prediction: bool,
    /// Same as --all_in_gpu False (v2's name).
    #[arg(help_heading = DEVICE)]
    #[arg(long = "not_on_device", conflicts_with = "all_in_gpu")]
    pub not_on_device: bool,
    /// Accepted for compatibility with v2: progress bars are only drawn on a terminal.
    #[arg(help_heading = OUTPUT)]
    #[arg(long = "disable_progress_bar")]
    pub disable_progress_bar: bool,
    /// Where the network runs: auto (the first GPU that works, else the CPU), cpu, cuda or cuda:N.
    #[arg(help_heading = DEVICE)]
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// Several devices that share the cases, separated by commas: cuda:0,cuda:1. Each has networks of its own, and takes the
    /// next case as soon as it is free.
    #[arg(help_heading = DEVICE)]
    #[arg(long, value_delimiter = ',', value_name = "DEVICES", conflicts_with = "device")]
    pub devices: Vec<DeviceChoice>,
    /// Floating-point format of the network: bfloat16 on a GPU and single precision on the CPU by default.
    #[arg(help_heading = DEVICE)]
    #[arg(long, value_enum, default_value_t)]
    pub precision: Precision,
    /// Compute in single precision, as --precision fp32.
    #[arg(help_heading = DEVICE)]
    #[arg(long = "disable_mixed_precision")]
    pub disable_mixed_precision: bool,
    /// The command is v2's, which keeps predictions only with --continue_prediction.
    #[arg(skip)]
    pub of_v2: bool,
}

impl Args {
    /// Python's `None`, which v1's flags have by default, stands for a flag that is not given.
    pub(super) fn complete(&mut self) {
        self.folds.retain(|fold| fold != NONE);
        self.lowres = self.lowres.take().filter(|folder| folder.as_os_str() != NONE);
    }

    /// The devices that share the cases, one at least.
    #[must_use]
    pub fn all_devices(&self) -> Vec<DeviceChoice> {
        if self.devices.is_empty() { vec![self.device] } else { self.devices.clone() }
    }

    /// Where scores are accumulated, by v1's flag or v2's.
    #[must_use]
    pub fn all_in_gpu(&self) -> AllInGpu {
        if self.not_on_device { AllInGpu::False } else { self.all_in_gpu }
    }
}

/// Where scores are accumulated; the names are Python's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum AllInGpu {
    /// On the GPU if they fit into its memory.
    #[default]
    None,
    /// In main memory.
    False,
    /// On the GPU if they fit into its memory.
    True,
}

/// Floating-point formats of a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Precision {
    /// bfloat16 on a GPU, single precision on the CPU.
    #[default]
    Auto,
    /// Single precision.
    Fp32,
    /// bfloat16.
    Bf16,
    /// Half precision, on a GPU only; single on the CPU.
    Fp16,
}

/// v1's modes of prediction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Resample probabilities, then take the most probable label.
    #[default]
    Normal,
    /// Resample the label map by majority of linear weights.
    Fast,
    /// Resample the label map by nearest neighbor.
    Fastest,
}
