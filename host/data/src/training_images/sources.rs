//! Tasks of v1 and data sets of v2 as sources of training images.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_formats::Geometry;

use super::record::Source;
use crate::dataset::Dataset;
use crate::v2::RawDataset;

impl Source for Dataset {
    fn names(&self) -> Vec<String> {
        self.training.clone()
    }

    fn channels(&self) -> Vec<String> {
        self.modalities.clone()
    }

    fn images(&self, case: &str) -> Result<Vec<PathBuf>> {
        Ok(Dataset::images(self, case))
    }
}

impl Source for RawDataset {
    fn names(&self) -> Vec<String> {
        RawDataset::names(self)
    }

    fn channels(&self) -> Vec<String> {
        self.description.channels()
    }

    fn images(&self, case: &str) -> Result<Vec<PathBuf>> {
        Ok(self.case(case)?.images.clone())
    }

    fn as_read(&self, file: &Geometry) -> Geometry {
        self.reader.geometry(file)
    }
}
