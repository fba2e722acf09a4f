//! How an image differs from the training images.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nnunet_formats::Geometry;

use super::intensities::{Band, bands};
use super::range::{Range, shown};
use super::{Channel, TrainingImages};
use crate::images;
use crate::orientation::Orientation;

/// A spacing is unlike those of the training beyond this factor.
const SPACING: f64 = 1.5;
/// Intensities are of another scale beyond this factor.
const SCALE: f64 = 5.0;
/// Channels are compared with each other within this factor.
const ALIKE: f64 = 1.5;
/// CT has one zero everywhere: it is shifted if its darkest voxels are outside by this share of all intensities.
const SHIFT: f64 = 0.25;

/// A case that is to be predicted.
#[derive(Debug, Clone)]
pub struct Image {
    /// Where its voxels lie, as they are read.
    pub geometry: Geometry,
    /// Percentiles by channel.
    pub bands: Vec<Option<Band>>,
}

impl Image {
    /// Reads a case, without its voxels if nothing is known of the intensities of the training images. `as_read` says where
    /// an image lies that is read from a file.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read.
    pub fn read(
        files: &[PathBuf],
        training: &TrainingImages,
        as_read: impl Fn(&Geometry) -> Geometry,
    ) -> Result<Self> {
        let geometry = as_read(&images::read_geometry(files.first().context("a case without images")?)?);
        let are_known = !training.channels.is_empty() || training.foreground.iter().any(Option::is_some);
        let files = if are_known { files } else { &[] };
        let all: Vec<_> = files.iter().map(|file| bands(file)).collect::<Result<_>>()?;
        Ok(Self { geometry, bands: all.concat() })
    }
}

/// What differs.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// Its axes run in other directions.
    Orientation(String),
    /// Its voxels are of another size.
    Spacing(String),
    /// Its intensities are of another scale, or shifted.
    Intensities(String),
    /// Two channels look like each other's.
    Channels(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Orientation(text) | Self::Spacing(text) | Self::Intensities(text) | Self::Channels(text)) =
            self;
        f.write_str(text)
    }
}

impl TrainingImages {
    /// How an image differs from the training images, as far as they are known.
    #[must_use]
    pub fn differences(&self, image: &Image) -> Vec<Difference> {
        let mut found: Vec<Difference> = self.orientation_of(&image.geometry).into_iter().collect();
        found.extend(self.spacing_of(&image.geometry));
        let swapped = self.swapped(&image.bands);
        // Channels that are swapped have each other's intensities.
        if swapped.is_empty() {
            found.extend(self.intensities_of(&image.bands));
        }
        found.extend(swapped);
        found
    }

    /// Whether images lie like this in the training; also if the training's orientations are not known.
    #[must_use]
    pub fn has_orientation(&self, geometry: &Geometry) -> bool {
        self.orientations.is_empty() || self.orientations.contains_key(&Orientation::of(geometry).letters())
    }

    fn orientation_of(&self, geometry: &Geometry) -> Option<Difference> {
        if self.has_orientation(geometry) {
            return None;
        }
        let known: Vec<String> =
            self.orientations.iter().map(|(letters, cases)| format!("{letters} ({cases} cases)")).collect();
        let own = Orientation::of(geometry).letters();
        Some(Difference::Orientation(format!(
            "its orientation is {own}, that of the training images {}",
            known.join(", ")
        )))
    }

    fn spacing_of(&self, geometry: &Geometry) -> Option<Difference> {
        let known = self.spacings?;
        let (spacing, names) = if self.orientations.is_empty() {
            (geometry.spacing, ["x", "y", "z"])
        } else {
            (Orientation::of(geometry).geometry(geometry).spacing, ["left-right", "back-front", "feet-head"])
        };
        let unlike = (0..3).filter(|axis| !known[*axis].has_within(spacing[*axis], SPACING));
        let described: Vec<String> = unlike
            .map(|axis| {
                let (own, name) = (shown(spacing[axis]), names[axis]);
                format!("{own} mm ({name}), where the training images have {} mm", known[axis])
            })
            .collect();
        (!described.is_empty())
            .then(|| Difference::Spacing(format!("its spacing is {}", described.join(", and "))))
    }

    fn intensities_of(&self, bands: &[Option<Band>]) -> Vec<Difference> {
        let measured = |(number, band): (usize, &Option<Band>)| {
            let band = (*band)?;
            let own = Range { min: band.low, max: band.high };
            match (self.channels.get(number), self.foreground.get(number).copied().flatten()) {
                (Some(channel), _) => channel.is_unlike(&band).then(|| {
                    format!(
                        "the intensities of channel {number} ({}) are {own}; those of the training images begin at {} and \
                         end at {}",
                        channel.name, channel.percentile_00_5, channel.percentile_99_5
                    )
                }),
                (None, Some(labeled)) => (own.max < labeled.min || own.min > labeled.max).then(|| {
                    format!(
                        "the intensities of channel {number} are {own}; those of what is labeled in the training images \
                         are {labeled}"
                    )
                }),
                (None, None) => None,
            }
        };
        bands.iter().enumerate().filter_map(measured).map(Difference::Intensities).collect()
    }

    /// Pairs of channels of which each has the intensities of the other.
    fn swapped(&self, bands: &[Option<Band>]) -> Vec<Difference> {
        let fits = |channel: usize, of: usize| -> Option<bool> {
            Some(self.channels.get(of)?.is_alike(&(*bands.get(channel)?)?))
        };
        let mut found = Vec::new();
        for a in 0..bands.len() {
            for b in a + 1..bands.len() {
                let own = [fits(a, a), fits(b, b)];
                if own == [Some(false); 2] && [fits(a, b), fits(b, a)] == [Some(true); 2] {
                    let name =
                        |channel: usize| self.channels.get(channel).map_or("", |known| known.name.as_str());
                    found.push(Difference::Channels(format!(
                        "channels {a} ({}) and {b} ({}) have each other's intensities: are the files swapped?",
                        name(a),
                        name(b)
                    )));
                }
            }
        }
        found
    }
}

impl Channel {
    /// Whether intensities are of another scale; for CT, also whether they are shifted. Other images may be: each is
    /// normalized by its own mean. But where they end before those of the training begin, or are far below zero where those of
    /// the training never are, they are inverted or something else.
    fn is_unlike(&self, band: &Band) -> bool {
        if !self.width.has_within(band.width(), SCALE) {
            return true;
        }
        let all = self.percentile_99_5.max - self.percentile_00_5.min;
        let Range { min, max } = self.percentile_00_5;
        let is_shifted = band.low < min - SHIFT * all || band.low > max + SHIFT * all;
        let is_elsewhere = band.high < min || band.low > self.percentile_99_5.max;
        let is_negative = min >= 0.0 && band.low < -SHIFT * all;
        is_elsewhere || is_negative || (self.name.eq_ignore_ascii_case("ct") && is_shifted)
    }

    /// Whether intensities could be those of this channel.
    fn is_alike(&self, band: &Band) -> bool {
        let all = self.percentile_99_5.max - self.percentile_00_5.min;
        let Range { min, max } = self.percentile_00_5;
        let begins = band.low >= min - SHIFT * all && band.low <= max + SHIFT * all;
        begins && self.width.has_within(band.width(), ALIKE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(letters: &str, spacing: [f64; 3]) -> Geometry {
        let world = Geometry {
            size: [10, 20, 30],
            spacing,
            origin: [0.0; 3],
            direction: [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0],
        };
        Orientation::from_letters(letters).unwrap().inverse().geometry(&world)
    }

    fn range(min: f64, max: f64) -> Range {
        Range { min, max }
    }

    fn channel(name: &str, low: [f64; 2], high: [f64; 2]) -> Channel {
        Channel {
            name: name.to_owned(),
            percentile_00_5: range(low[0], low[1]),
            percentile_99_5: range(high[0], high[1]),
            width: range(high[0] - low[1], high[1] - low[0]),
        }
    }

    /// CT and PET, thick slices.
    fn training() -> TrainingImages {
        TrainingImages {
            orientations: [("LPS".to_owned(), 18), ("RAS".to_owned(), 2)].into(),
            spacings: Some([range(0.7, 1.0), range(0.7, 1.0), range(2.5, 5.0)]),
            channels: vec![
                channel("CT", [-1024.0, -1000.0], [400.0, 1300.0]),
                channel("PET", [0.0, 0.0], [5.0, 20.0]),
            ],
            foreground: Vec::new(),
        }
    }

    fn band(low: f64, high: f64) -> Option<Band> {
        Some(Band { low, high })
    }

    fn found(geometry: Geometry, bands: [Option<Band>; 2]) -> Vec<String> {
        let image = Image { geometry, bands: bands.to_vec() };
        training().differences(&image).iter().map(ToString::to_string).collect()
    }

    const USUAL: [Option<Band>; 2] =
        [Some(Band { low: -1010.0, high: 700.0 }), Some(Band { low: 0.0, high: 9.0 })];

    #[test]
    fn images_like_those_of_the_training_have_no_differences() {
        assert!(found(geometry("LPS", [0.8, 0.8, 3.0]), USUAL).is_empty());
        assert!(found(geometry("RAS", [0.65, 0.8, 6.0]), USUAL).is_empty());
    }

    #[test]
    fn orientations_and_spacings_are_those_of_the_body() {
        let text = found(geometry("SAR", [0.8, 0.8, 3.0]), USUAL);
        assert_eq!(
            text,
            ["its orientation is SAR, that of the training images LPS (18 cases), RAS (2 cases)"]
        );
        let text = found(geometry("LPS", [0.8, 0.8, 0.5]), USUAL);
        assert_eq!(text, ["its spacing is 0.5 mm (feet-head), where the training images have 2.5 to 5 mm"]);
    }

    #[test]
    fn intensities_of_another_scale_and_shifted_ones_are_named() {
        let usual = geometry("LPS", [0.8, 0.8, 3.0]);
        for ct in [band(14.0, 1724.0), band(0.0, 1.0), band(0.0, 255.0)] {
            let text = found(usual, [ct, USUAL[1]]);
            assert!(text.len() == 1 && text[0].contains("channel 0 (CT)"), "{text:?}");
        }
        let text = found(usual, [USUAL[0], band(0.0, 20_000.0)]);
        assert!(
            text[0].ends_with("are 0 to 20000; those of the training images begin at 0 and end at 5 to 20"),
            "{text:?}"
        );
        let text = found(usual, [USUAL[1], USUAL[0]]);
        assert_eq!(
            text,
            ["channels 0 (CT) and 1 (PET) have each other's intensities: are the files swapped?"]
        );
    }

    #[test]
    fn inverted_images_are_named_and_shifted_ones_that_are_no_ct_are_not() {
        let usual = geometry("LPS", [0.8, 0.8, 3.0]);
        for inverted in [band(-9.0, 0.0), band(-9.0, 1.0)] {
            let text = found(usual, [USUAL[0], inverted]);
            assert!(text.len() == 1 && text[0].contains("channel 1 (PET)"), "{text:?}");
        }
        for shifted in [band(4.0, 13.0), band(-1.0, 8.0)] {
            assert!(found(usual, [USUAL[0], shifted]).is_empty());
        }
    }

    #[test]
    fn only_what_is_known_is_compared() {
        let image = Image { geometry: geometry("SAR", [9.0; 3]), bands: USUAL.to_vec() };
        assert!(TrainingImages::default().differences(&image).is_empty());
        let labeled = TrainingImages {
            spacings: training().spacings,
            foreground: vec![Some(range(-50.0, 150.0)), None],
            ..TrainingImages::default()
        };
        let text: Vec<String> = labeled.differences(&image).iter().map(ToString::to_string).collect();
        assert!(text.len() == 1 && text[0].contains("9 mm (x)"), "{text:?}");
        let shifted = Image { geometry: geometry("LPS", [0.8, 0.8, 3.0]), bands: vec![band(300.0, 900.0)] };
        let text = labeled.differences(&shifted)[0].to_string();
        assert!(text.ends_with("those of what is labeled in the training images are -50 to 150"), "{text}");
    }
}
