//! Loads plugins without tensors, and makes, calls and drops every component a few times: what a memory checker should
//! watch.
//!
//! ```sh
//! cargo build --release -p my-imaging -p my-planner -p nnunet-engine --example plugin_calls
//! valgrind --leak-check=full target/release/examples/plugin_calls target/release/libmy_imaging.so
//! ```
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for tests")]

use std::path::Path;

use ndarray::Array3;
use nnunet_engine::loader;
use nnunet_engine::trust::OpenFile;
use nnunet_plugin_core::abi::v1::import;
use nnunet_plugin_core::vocabulary::{EpochReport, Fingerprint, ItkGeometry, Plans};
use nnunet_plugin_core::{
    Component, EpochLog, ExperimentLogger, Factory, ImageFormat, LabelVolume, Normalization,
    NormalizationContext, Planner, PlannerSettings, Postprocessor, Result, RunEnd, RunInfo,
};

fn main() {
    let folder = tempfile::tempdir().unwrap();
    for file in std::env::args_os().skip(1) {
        let (about, components) = loader::load(OpenFile::new(Path::new(&file)).unwrap(), import).unwrap();
        for component in &components {
            for _ in 0..3 {
                call(component, folder.path()).unwrap();
            }
        }
        println!("{}: {} components made, called and dropped", about.name, components.len());
    }
}

fn call(component: &Component, folder: &Path) -> Result<()> {
    let config = &component.info.defaults;
    match &component.factory {
        Factory::Planner(make) => planner(&*make(config)?),
        Factory::Normalization(make) => normalization(&*make(config)?),
        Factory::Format(make) => format(&*make(config)?, folder),
        Factory::Logger(make) => logger(&mut *make(config)?, folder),
        Factory::Postprocessor(make) => postprocessor(&*make(config)?),
        _ => Ok(()),
    }
}

fn planner(planner: &dyn Planner) -> Result<()> {
    let fingerprint =
        Fingerprint { all_spacings: vec![[2.0, 1.0, 1.0], [3.0, 1.0, 1.0]], ..Fingerprint::default() };
    planner.configure(&mut PlannerSettings::default())?;
    planner.target_spacing(&fingerprint)?;
    planner.finish(&mut Plans::default())
}

fn normalization(normalization: &dyn Normalization) -> Result<()> {
    let (mut channel, seg) = (Array3::from_elem((2, 3, 4), 5.0), Array3::zeros((2, 3, 4)));
    normalization.normalize(channel.view_mut(), &NormalizationContext::new(0, seg.view()))
}

fn format(format: &dyn ImageFormat, folder: &Path) -> Result<()> {
    let (path, voxels) = (folder.join("image.mha"), Array3::from_elem((2, 3, 4), 5.0));
    format.write(&path, voxels.view(), &ItkGeometry::default())?;
    assert_eq!(format.read(&path)?.voxels, voxels);
    assert!(format.read(&folder.join("missing.mha")).is_err());
    Ok(())
}

fn logger(logger: &mut dyn ExperimentLogger, folder: &Path) -> Result<()> {
    let mut run = RunInfo::default();
    run.folder = folder.to_owned();
    logger.run_begins(&run)?;
    logger.epoch_ends(&EpochLog::new(EpochReport::default(), &[0.5, f64::NAN]))?;
    logger.run_ends(&RunEnd::Finished)
}

fn postprocessor(postprocessor: &dyn Postprocessor) -> Result<()> {
    let mut volume = LabelVolume { labels: Array3::from_elem((2, 3, 4), 1), spacing: [1.0; 3] };
    postprocessor.apply(&mut volume)
}
