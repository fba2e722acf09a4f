//! Images that are unlike those of the training: their differences, for the user.

use nnunet_cli::report;
use nnunet_data::training_images::{Difference, Image, TrainingImages};

use crate::case::Case;
use crate::family::CaseProcessing;

/// What the training images look like, and how the images of cases are read.
pub(super) struct Comparison<'a> {
    pub(super) training: &'a TrainingImages,
    pub(super) processing: &'a dyn CaseProcessing,
    /// Images of another orientation are turned.
    pub(super) reorients: bool,
}

impl Comparison<'_> {
    /// Warns the user of differences between a case and the training images, and returns them. Images that cannot be read
    /// have none: they fail later, by name.
    pub(super) fn warn(&self, case: &Case) -> Vec<String> {
        if *self.training == TrainingImages::default() {
            return Vec::new();
        }
        let image = Image::read(&case.images, self.training, |file| self.processing.as_read(file));
        let mut found = image.map(|image| self.training.differences(&image)).unwrap_or_default();
        let is_orientation = |difference: &Difference| matches!(difference, Difference::Orientation(_));
        let is_turned = self.reorients && found.iter().any(is_orientation);
        found.retain(|difference| !(self.reorients && is_orientation(difference)));
        if is_turned {
            let target = self.training.main_orientation().unwrap_or_default();
            report::line(&format!("{}: turned to {target}; its label map is turned back", case.name));
        }
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        if !texts.is_empty() {
            let hint = if found.iter().any(is_orientation) { " (--reorient turns such images)" } else { "" };
            report::warning(&format!(
                "{} is unlike the training images: {}{hint}",
                case.name,
                texts.join("; ")
            ));
        }
        texts
    }
}
