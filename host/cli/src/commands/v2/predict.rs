//! `nnUNetv2_predict` and `nnUNetv2_predict_from_modelfolder`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use nnunet_data::memory;
use nnunet_formats::json::{self, Json};

use super::effort::from_environment;
use crate::arguments::{fold, num_parts, part_id};
use crate::commands::TensorCommands;
use crate::commands::device::DeviceChoice;
use crate::commands::postprocessing_choice::PostprocessingChoice;
use crate::commands::predict::{
    self as common, AllInGpu, DEVICE, HOW, MODEL, Mode, OUTPUT, PARTS, Precision,
};
use crate::global_options::GlobalOptions;

/// Arguments of `nnUNetv2_predict`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    #[command(flatten)]
    shared: Shared,
    /// Data set, by number or name, in nnUNet_results.
    #[arg(help_heading = MODEL)]
    #[arg(short = 'd', required = true, value_name = "DATASET")]
    dataset: String,
    /// Name of the plans.
    #[arg(help_heading = MODEL)]
    #[arg(short = 'p', default_value = "nnUNetPlans", value_name = "NAME")]
    plans: String,
    /// Name of the trainer.
    #[arg(help_heading = MODEL)]
    #[arg(long = "tr", default_value = "nnUNetTrainer", value_name = "NAME")]
    trainer: String,
    /// Configuration of the plans.
    #[arg(help_heading = MODEL)]
    #[arg(short = 'c', required = true, value_name = "NAME")]
    configuration: String,
    /// Number of jobs that share the cases.
    #[arg(help_heading = PARTS)]
    #[arg(long = "num_parts", default_value = "1", value_name = "N", value_parser = num_parts)]
    num_parts: usize,
    /// Number of this job, from 0.
    #[arg(help_heading = PARTS)]
    #[arg(long = "part_id", default_value = "0", value_name = "N", value_parser = part_id)]
    part_id: usize,
}

/// Arguments of `nnUNetv2_predict_from_modelfolder`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct FromModelFolder {
    #[command(flatten)]
    shared: Shared,
    /// Folder of the model, with its fold_X folders, or the zip archive it was exported to.
    #[arg(help_heading = MODEL)]
    #[arg(short = 'm', required = true, value_name = "FOLDER")]
    model: PathBuf,
}

/// What both commands have.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
struct Shared {
    /// Folder of images, `CASE_0000.nii.gz` and so on; their ending must be that of the training data.
    #[arg(short = 'i', required = true, value_name = "FOLDER")]
    input: PathBuf,
    /// Folder for the label maps.
    #[arg(short = 'o', required = true, value_name = "FOLDER")]
    output: PathBuf,
    /// Folds to average, or all; by default every fold there is.
    #[arg(help_heading = MODEL)]
    #[arg(short = 'f', num_args = 1.., value_name = "FOLD", value_parser = fold)]
    folds: Vec<String>,
    /// Step of the tiles, as a share of the patch.
    #[arg(help_heading = HOW)]
    #[arg(long = "step_size", default_value_t = 0.5, value_name = "SHARE")]
    step_size: f64,
    /// No mirroring.
    #[arg(help_heading = HOW)]
    #[arg(long)]
    disable_tta: bool,
    /// Write probabilities too, to merge them with those of other models.
    #[arg(help_heading = OUTPUT)]
    #[arg(long)]
    save_probabilities: bool,
    /// Keep predictions that are there already; without it they are made again.
    #[arg(help_heading = OUTPUT)]
    #[arg(long, visible_alias = "c")]
    continue_prediction: bool,
    /// Name of the checkpoint.
    #[arg(help_heading = MODEL)]
    #[arg(long = "chk", default_value = "checkpoint_final.pth", value_name = "NAME")]
    checkpoint: String,
    /// Cases that are preprocessed at a time, where memory allows it; 3 by default, or nnUNet_npp.
    #[arg(help_heading = DEVICE)]
    #[arg(long = "npp", default_value_t = from_environment("nnUNet_npp", 3), hide_default_value = true, value_name = "N")]
    preprocessing: usize,
    /// Cases that are resampled and written at a time; 3 by default, or nnUNet_nps.
    #[arg(help_heading = DEVICE)]
    #[arg(long = "nps", default_value_t = from_environment("nnUNet_nps", 3), hide_default_value = true, value_name = "N")]
    export: usize,
    /// Label maps of a cascade's previous stage; predicted first when not given.
    #[arg(help_heading = HOW)]
    #[arg(long, value_name = "FOLDER")]
    prev_stage_predictions: Option<PathBuf>,
    /// Where the network runs: auto (the first GPU that works, else the CPU), cpu, cuda or cuda:N.
    #[arg(help_heading = DEVICE)]
    #[arg(long, default_value_t, value_name = "DEVICE")]
    device: DeviceChoice,
    /// Several devices that share the cases, separated by commas: cuda:0,cuda:1.
    #[arg(help_heading = DEVICE)]
    #[arg(long, value_delimiter = ',', value_name = "DEVICES", conflicts_with = "device")]
    devices: Vec<DeviceChoice>,
    /// Do not show a progress bar. There is none if the output is not a terminal.
    #[arg(help_heading = OUTPUT)]
    #[arg(long)]
    disable_progress_bar: bool,
    /// Add probabilities up in the machine's memory and not on the GPU.
    #[arg(help_heading = DEVICE)]
    #[arg(long)]
    not_on_device: bool,
    /// Memory to use, for example 8G; most of what is free by default.
    #[arg(help_heading = DEVICE)]
    #[arg(long = "max_ram", value_name = "SIZE", value_parser = memory::parse_size)]
    max_ram: Option<u64>,
    /// Memory of the GPU to use, for example 10G; by default all of it.
    #[arg(help_heading = DEVICE)]
    #[arg(long = "max_vram", value_name = "SIZE", value_parser = memory::parse_size)]
    max_vram: Option<u64>,
    /// Write the names and colors of the labels beside the label maps, for ITK-SNAP (labels_itksnap.txt) and 3D Slicer
    /// (labels_slicer.ctbl).
    #[arg(help_heading = OUTPUT)]
    #[arg(long)]
    label_tables: bool,
    /// Draw the slice of every case that has most foreground, with its labels, as CASE.png (CASE_overlay.png beside
    /// label maps that are pictures).
    #[arg(help_heading = OUTPUT)]
    #[arg(long)]
    overlay: bool,
    /// Turn images that lie unlike those of the training, and turn their label maps back. Not for cascades, and not with
    /// --save_probabilities.
    #[arg(help_heading = HOW)]
    #[arg(long)]
    reorient: bool,
    /// Number format of the network: bfloat16 on a GPU and single precision on the CPU by default.
    #[arg(help_heading = DEVICE)]
    #[arg(long, value_enum, default_value_t)]
    precision: Precision,
}

pub(super) fn run(args: &Args, options: &GlobalOptions, tensors: &impl TensorCommands) -> Result<ExitCode> {
    let all = common::Args {
        dataset: Some(args.dataset.clone()),
        configuration: Some(args.configuration.clone()),
        trainer: args.trainer.clone(),
        plans: args.plans.clone(),
        num_parts: args.num_parts,
        part_id: args.part_id,
        ..args.shared.for_predict()
    };
    // Without processes of its own v2 runs another function, whose arguments are fewer.
    let sequential = args.shared.preprocessing == 0 && args.shared.export == 0;
    let record = args.shared.record((!sequential).then_some((args.num_parts, args.part_id)));
    predict(&args.shared, &record, &all, options, tensors)
}

pub(super) fn run_from_model_folder(
    args: &FromModelFolder,
    options: &GlobalOptions,
    tensors: &impl TensorCommands,
) -> Result<ExitCode> {
    let all = common::Args { model_folder: Some(args.model.clone()), ..args.shared.for_predict() };
    predict(&args.shared, &args.shared.record(Some((1, 0))), &all, options, tensors)
}

fn predict(
    shared: &Shared,
    record: &Json,
    all: &common::Args,
    options: &GlobalOptions,
    tensors: &impl TensorCommands,
) -> Result<ExitCode> {
    // The program without tensors is replaced here by the one with them.
    let done = tensors.predict(all, options);
    if shared.output.is_dir() {
        let file = shared.output.join("predict_from_raw_data_args.json");
        json::save(&file, record)?;
    }
    done
}

impl Shared {
    fn for_predict(&self) -> common::Args {
        let at_least_one = |n: usize| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        common::Args {
            input: self.input.clone(),
            output: self.output.clone(),
            task: None,
            dataset: None,
            configuration: None,
            trainer: String::new(),
            model: String::new(),
            plans: String::new(),
            model_folder: None,
            folds: self.folds.clone(),
            save_npz: self.save_probabilities,
            disable_tta: self.disable_tta,
            overwrite_existing: !self.continue_prediction,
            step_size: self.step_size,
            checkpoint: Some(self.checkpoint.clone()),
            part_id: 0,
            num_parts: 1,
            mode: Mode::Normal,
            max_ram: self.max_ram,
            max_vram: self.max_vram,
            num_threads_preprocessing: at_least_one(self.preprocessing),
            num_threads_nifti_save: at_least_one(self.export),
            all_in_gpu: AllInGpu::None,
            cascade_trainer: String::new(),
            lowres: self.prev_stage_predictions.clone(),
            postprocessing: PostprocessingChoice::default(),
            label_tables: self.label_tables,
            reorient: self.reorient,
            overlay: self.overlay,
            continue_prediction: self.continue_prediction,
            not_on_device: self.not_on_device,
            disable_progress_bar: self.disable_progress_bar,
            device: self.device,
            devices: self.devices.clone(),
            precision: self.precision,
            disable_mixed_precision: false,
            of_v2: true,
        }
    }

    /// What v2 keeps of the arguments beside the predictions; `parts`: number of jobs and this one's, where v2 has
    /// processes for preprocessing and export.
    fn record(&self, parts: Option<(usize, usize)>) -> Json {
        let path = |path: &PathBuf| Json::Str(path.display().to_string());
        let count = |n: usize| Json::Int(n as i64);
        let mut entries = vec![
            ("list_of_lists_or_source_folder", path(&self.input)),
            ("output_folder_or_list_of_truncated_output_files", path(&self.output)),
            ("save_probabilities", Json::Bool(self.save_probabilities)),
            ("overwrite", Json::Bool(!self.continue_prediction)),
            (
                "folder_with_segs_from_prev_stage",
                self.prev_stage_predictions.as_ref().map_or(Json::Null, path),
            ),
        ];
        if let Some((number, this)) = parts {
            entries.extend([
                ("num_processes_preprocessing", count(self.preprocessing)),
                ("num_processes_segmentation_export", count(self.export)),
                ("num_parts", count(number)),
                ("part_id", count(this)),
            ]);
        }
        Json::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}
