//! `nnUNetv2_plot_overlay_pngs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::{Array3, Array4, Axis};
use nnunet_data::v2::{CaseFiles, Folders, PlansFile, RawDataset, load_case, stored_cases};
use nnunet_data::{failures, folders as data};
use nnunet_pictures::{OVERLAY_INTENSITY, overlay};

use super::effort::default_processes;
use crate::report;

/// Configurations that are drawn where none is named: the first that the plans have.
const DEFAULT_CONFIGURATIONS: [&str; 2] = ["3d_fullres", "2d"];

/// Arguments of v2's command.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Data set, by number or name.
    #[arg(short = 'd', required = true, value_name = "DATASET")]
    dataset: String,
    /// Folder for the pictures.
    #[arg(short = 'o', required = true, value_name = "FOLDER")]
    output: PathBuf,
    /// Cases at a time; 8 by default, or nnUNet_def_n_proc.
    #[arg(long = "np", value_name = "N")]
    processes: Option<usize>,
    /// Channel that is drawn.
    #[arg(long, default_value_t = 0, value_name = "N")]
    channel_idx: usize,
    /// Draw the raw images; without it the preprocessed ones.
    #[arg(long)]
    use_raw: bool,
    /// Name of the plans whose preprocessed images are drawn.
    #[arg(short = 'p', default_value = "nnUNetPlans", value_name = "NAME")]
    plans: String,
    /// Configuration whose preprocessed images are drawn; 3d_fullres by default, or else 2d.
    #[arg(short = 'c', value_name = "NAME")]
    configuration: Option<String>,
    /// Weight of the labels' colors.
    #[arg(long, default_value_t = OVERLAY_INTENSITY, value_name = "SHARE")]
    overlay_intensity: f64,
}

/// Image (channels, z, y, x) and labels (z, y, x).
type Case = (Array4<f32>, Array3<f32>);

pub(super) fn run(args: &Args) -> Result<()> {
    let folders = Folders::from_environment();
    let name = folders.dataset_name(&args.dataset)?;
    let drawn = if args.use_raw {
        let raw = RawDataset::load(&folders.raw()?.join(name))?;
        let files = raw.cases.iter().map(|case| case.images.len()).min().unwrap_or(0);
        ensure_channel(args.channel_idx, files)?;
        let read = |case: &CaseFiles| read_raw(&raw, case, args.channel_idx);
        draw_all(args, &raw.cases, |case| &case.name, read, 0)?
    } else {
        let cases = preprocessed(args, &folders.preprocessed()?.join(name))?;
        let read = |case: &String| load_case(&cases.0, case);
        draw_all(args, &cases.1, |case| case, read, args.channel_idx)?
    };
    report::line(&format!("drew {drawn} cases into {}", args.output.display()));
    Ok(())
}

/// One channel of a raw case, turned as the reader of the data set does.
fn read_raw(raw: &RawDataset, case: &CaseFiles, channel: usize) -> Result<Case> {
    let read = raw.reader.read(&case.images[channel..=channel], Some(&case.label))?;
    Ok((read.data, read.seg.context("the case has no labels")?))
}

/// The folder of the preprocessed cases that are meant, and their names.
fn preprocessed(args: &Args, dataset: &Path) -> Result<(PathBuf, Vec<String>)> {
    let plans = PlansFile::load(&dataset.join(format!("{}.json", args.plans)))?;
    let known = || DEFAULT_CONFIGURATIONS.into_iter().find(|name| plans.has(name));
    let configuration =
        args.configuration.as_deref().or_else(known).context("name a configuration with -c")?;
    let folder = dataset.join(plans.configuration(configuration)?.data_identifier);
    let hint = "preprocess this configuration first, or draw the raw images with --use_raw";
    let names = if folder.is_dir() { stored_cases(&folder)? } else { Vec::new() };
    ensure!(!names.is_empty(), "{} has no preprocessed cases; {hint}", folder.display());
    Ok((folder, names))
}

fn draw_all<C: Sync>(
    args: &Args,
    cases: &[C],
    name: impl Fn(&C) -> &String + Sync,
    read: impl Fn(&C) -> Result<Case> + Sync,
    channel: usize,
) -> Result<usize> {
    data::create(&args.output)?;
    let pool = failures::threads(args.processes.unwrap_or_else(default_processes))?;
    let one = |case: &C| {
        let picture = args.output.join(format!("{}.png", name(case)));
        read(case)
            .and_then(|read| draw(&read, channel, args.overlay_intensity, &picture))
            .with_context(|| name(case).clone())
    };
    pool.install(|| failures::each("cases cannot be drawn", cases, one))?;
    Ok(cases.len())
}

fn draw((image, labels): &Case, channel: usize, intensity: f64, picture: &Path) -> Result<()> {
    ensure_channel(channel, image.len_of(Axis(0)))?;
    // Voxels outside of the body have the label -1 in preprocessed cases.
    let labels = labels.mapv(|label| (label as i64).max(0));
    let slice = fullest(&labels);
    let image = image.index_axis(Axis(0), channel);
    Ok(overlay(picture, image.index_axis(Axis(0), slice), labels.index_axis(Axis(0), slice), intensity)?)
}

fn ensure_channel(channel: usize, channels: usize) -> Result<()> {
    ensure!(channel < channels, "there is no channel {channel}; the images have {channels}");
    Ok(())
}

/// The slice with the largest share of each foreground label, on average over the labels; the first of several.
fn fullest(labels: &Array3<i64>) -> usize {
    let mut counts: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    let slices = labels.len_of(Axis(0));
    for (slice, labels) in labels.axis_iter(Axis(0)).enumerate() {
        for label in labels.iter().filter(|label| **label > 0) {
            counts.entry(*label).or_insert_with(|| vec![0.0; slices])[slice] += 1.0;
        }
    }
    let share = |slice: usize| -> f64 {
        counts.values().map(|counts| counts[slice] / counts.iter().sum::<f64>()).sum::<f64>()
    };
    let mut best = (0, 0.0);
    for slice in 0..slices {
        let share = share(slice) / counts.len().max(1) as f64;
        if share > best.1 {
            best = (slice, share);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Label 1 has most voxels in slice 1; half of label 2 and a third of label 1 are in slice 2.
    #[test]
    fn the_slice_is_chosen_by_shares_of_labels() {
        let labels = [[1, 1, 0, 0], [1, 1, 1, 2], [1, 1, 2, 0], [2, 2, 2, 2]];
        let of = |rows: &[[i64; 4]]| Array3::from_shape_vec((rows.len(), 1, 4), rows.concat()).unwrap();
        assert_eq!(fullest(&of(&labels)), 3);
        assert_eq!(fullest(&of(&labels[..3])), 1);
        assert_eq!(fullest(&of(&[[0, 1, 1, 1], [2, 0, 0, 1]])), 1);
        assert_eq!(fullest(&of(&[[0; 4], [0; 4]])), 0);
    }
}
