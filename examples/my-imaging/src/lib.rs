//! Three components in one plugin, one file each: MetaImage files are read and written, channels are scaled between
//! two percentiles, and every epoch becomes a line of a CSV file. It needs no libtorch.
//!
//! ```sh
//! cargo build --release -p my-imaging
//! nnunet --plugin target/release/libmy_imaging.so plan_and_preprocess -t 4 -pl2d None
//! ```
//!
//! with `"file_ending": ".mha"` in `dataset.json`, and in `nnunet.toml`
//!
//! ```toml
//! [planners.Scaled]
//! extends = "ExperimentPlanner3D_v21"
//! normalization = "Percentiles"
//!
//! [loggers.CsvLogger]
//! separator = ";"
//! ```

mod csv_logger;
mod meta_image;
mod percentiles;

nnunet_plugin_api::export_plugin!();
