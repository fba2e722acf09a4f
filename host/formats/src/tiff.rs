//! TIFF stacks and pictures (`.tif`, `.tiff`), as v2's `Tiff3DIO` and scikit-image read them: a page is a slice. They
//! say nothing of their place; the spacing of a stack may stand beside it, in `CASE.json`.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use ndarray::ArrayView3;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::encoder::colortype::{ColorType as Voxel, Gray8, Gray16, Gray32Float};
use tiff::encoder::{Compression, DeflateLevel, TiffEncoder, TiffValue};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError, TiffResult};

use crate::json::{self, Json};
use crate::pixels::{Picture, most_bytes};
use crate::voxels::unreadable;
use crate::{Error, Geometry, Image, Result, atomic, case_and_channel};

/// The key of the spacing, (z, y, x), in the file beside a stack.
const SPACING: &str = "spacing";
/// Values of tags.
const PLANES: u16 = 2;
const WHITE_IS_ZERO: u16 = 0;

/// Reads a stack or a gray picture as float32. Its spacing is that of the file beside it; without one that of a stack
/// is 1, and a picture is a slice of v2's thickness.
///
/// # Errors
/// Returns an error if the file is damaged or has colors, its pages have several sizes, or the file beside it has no
/// spacing.
pub fn read(path: &Path) -> Result<Image> {
    let mut values = Vec::new();
    let size = Pages::open(path)?.for_each(|pages| {
        let page = pages.picture()?;
        page.check_gray(path)?;
        values.extend(page.values);
        let fits = values.len() <= pages.most;
        if fits { Ok(()) } else { Err(unreadable(path, FORMAT, "its pages cannot be so many")) }
    })?;
    Image::new(path, place(path, size)?, values)
}

/// Reads size and spacing only.
///
/// # Errors
/// As [`read`].
pub fn read_geometry(path: &Path) -> Result<Geometry> {
    place(path, Pages::open(path)?.for_each(|_| Ok(()))?)
}

/// Writes labels of (z, y, x) as uint8, and beside a stack its spacing.
///
/// # Errors
/// Returns an error if the shape is not the geometry's or the file cannot be written.
pub fn write_labels(path: &Path, labels: ArrayView3<'_, u8>, geometry: &Geometry) -> Result<()> {
    write::<Gray8>(path, labels, geometry)
}

/// Writes labels of (z, y, x) as uint16, and beside a stack its spacing.
///
/// # Errors
/// Returns an error if the shape is not the geometry's or the file cannot be written.
pub fn write_wide_labels(path: &Path, labels: ArrayView3<'_, u16>, geometry: &Geometry) -> Result<()> {
    write::<Gray16>(path, labels, geometry)
}

/// Writes an image of (z, y, x) as float32, and beside a stack its spacing.
///
/// # Errors
/// Returns an error if the shape is not the geometry's or the file cannot be written.
pub fn write_image(path: &Path, image: ArrayView3<'_, f32>, geometry: &Geometry) -> Result<()> {
    write::<Gray32Float>(path, image, geometry)
}

/// A picture with all its channels.
///
/// # Errors
/// Returns an error if the file is damaged or has several pages.
pub(crate) fn picture(path: &Path) -> Result<Picture> {
    let mut pages = Pages::open(path)?;
    if pages.decoder.more_images() {
        return Err(Error::invalid(path, "it has several pages, a picture has one"));
    }
    pages.picture()
}

const FORMAT: &str = "TIFF file";

/// A file at one of its pages.
struct Pages<'a> {
    path: &'a Path,
    decoder: Decoder<BufReader<File>>,
    /// No more bytes of voxels can be in the file.
    most: usize,
}

impl<'a> Pages<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let file = crate::input::open(path)?;
        let most = most_bytes(path, &file)?;
        let mut limits = Limits::default();
        limits.decoding_buffer_size = most;
        limits.intermediate_buffer_size = most;
        let decoder = Decoder::new(BufReader::new(file)).map_err(|error| wrong(path, &error))?;
        Ok(Self { path, decoder: decoder.with_limits(limits), most })
    }

    /// Calls `body` at every page; returns the size (x, y, z) of all.
    fn for_each(&mut self, mut body: impl FnMut(&mut Self) -> Result<()>) -> Result<[usize; 3]> {
        let path = self.path;
        let wrong = |error| wrong(path, &error);
        let (width, height) = self.decoder.dimensions().map_err(wrong)?;
        let mut slices = 0;
        loop {
            if self.decoder.dimensions().map_err(wrong)? != (width, height) {
                return Err(Error::invalid(path, "its pages have several sizes; slices have one"));
            }
            body(self)?;
            slices += 1;
            if !self.decoder.more_images() {
                return Ok([width as usize, height as usize, slices]);
            }
            self.decoder.next_image().map_err(wrong)?;
        }
    }

    /// The page.
    fn picture(&mut self) -> Result<Picture> {
        let path = self.path;
        self.check_kind()?;
        let mut read = || {
            let (width, height) = self.decoder.dimensions()?;
            let channels = usize::from(self.decoder.colortype()?.num_samples());
            let values = to_f32(self.decoder.read_image()?);
            Ok(Picture { width: width as usize, height: height as usize, channels, values })
        };
        read().map_err(|error| wrong(path, &error))
    }

    /// Refuses what is rare, and what the decoder would read in another way than tifffile.
    fn check_kind(&mut self) -> Result<()> {
        let path = self.path;
        let mut kind = || -> TiffResult<_> {
            let planes = self.decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration)?;
            let shades = self.decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation)?;
            Ok((self.decoder.colortype()?, planes, shades))
        };
        let (colors, planes, shades) = kind().map_err(|error| wrong(path, &error))?;
        let known = matches!(
            colors,
            ColorType::Gray(_) | ColorType::RGB(_) | ColorType::RGBA(_) | ColorType::Multiband { .. }
        );
        if !known || colors.bit_depth() < 8 {
            Err(Error::invalid(
                path,
                format!("pages of {colors:?} are not read; save it again in 8 or 16 bits"),
            ))
        } else if planes == Some(PLANES) && colors.num_samples() > 1 {
            Err(Error::invalid(
                path,
                "its channels are stored one after the other; save it again interleaved",
            ))
        } else if shades == Some(WHITE_IS_ZERO) {
            Err(Error::invalid(path, "its values are inverted (white is zero); save it again"))
        } else {
            Ok(())
        }
    }
}

fn wrong(path: &Path, error: &TiffError) -> Error {
    match error {
        TiffError::UnsupportedError(what) => {
            Error::invalid(path, format!("{what}; save it again, plain or with deflate"))
        }
        _ => unreadable(path, FORMAT, error),
    }
}

fn to_f32(read: DecodingResult) -> Vec<f32> {
    macro_rules! each {
        ($values:expr) => {
            $values.into_iter().map(|value| value as f32).collect()
        };
    }
    match read {
        DecodingResult::U8(values) => each!(values),
        DecodingResult::U16(values) => each!(values),
        DecodingResult::U32(values) => each!(values),
        DecodingResult::U64(values) => each!(values),
        DecodingResult::I8(values) => each!(values),
        DecodingResult::I16(values) => each!(values),
        DecodingResult::I32(values) => each!(values),
        DecodingResult::I64(values) => each!(values),
        DecodingResult::F16(values) => values.into_iter().map(half::f16::to_f32).collect(),
        DecodingResult::F32(values) => values,
        DecodingResult::F64(values) => each!(values),
    }
}

fn place(path: &Path, size: [usize; 3]) -> Result<Geometry> {
    let [width, height, slices] = size;
    match (beside(path), slices) {
        (Some(file), _) => Ok(Geometry::plain(size, spacing(&file)?)),
        (None, 1) => Ok(Geometry::picture(width, height)),
        (None, _) => Ok(Geometry::plain(size, [1.0; 3])),
    }
}

/// The file with the spacing of a stack: named as a label map is, without an image's channel.
fn beside(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_str()?;
    let case = case_and_channel(stem).map(|(case, _)| case);
    let files =
        [Some(stem), case].into_iter().flatten().map(|name| path.with_file_name(format!("{name}.json")));
    files.into_iter().find(|file| file.is_file())
}

/// (x, y, z).
fn spacing(file: &Path) -> Result<[f64; 3]> {
    let document = json::load(file)?;
    let numbers = document.get(SPACING).and_then(Json::items).unwrap_or_default();
    let numbers: Vec<f64> = numbers.iter().filter_map(Json::as_f64).collect();
    match numbers.as_slice() {
        [z, y, x] if numbers.iter().all(|length| *length > 0.0 && length.is_finite()) => Ok([*x, *y, *z]),
        _ => Err(Error::invalid(file, format!("`{SPACING}` should be three positive numbers, (z, y, x)"))),
    }
}

fn write<V: Voxel>(path: &Path, voxels: ArrayView3<'_, V::Inner>, geometry: &Geometry) -> Result<()>
where
    V::Inner: Copy,
    [V::Inner]: TiffValue,
{
    geometry.check_shape(path, voxels.shape())?;
    let [width, height, slices] = geometry.size;
    if slices > 1 || geometry.spacing != Geometry::picture(width, height).spacing {
        let spacing = geometry.spacing_zyx().map(Json::Float).to_vec();
        let document = Json::Object(vec![(SPACING.to_owned(), Json::Array(spacing))]);
        json::save(&path.with_extension("json"), &document)?;
    }
    atomic::replace(path, |temporary| {
        let io = |source| Error::io(path, source);
        let mut file = BufWriter::new(File::create(temporary).map_err(io)?);
        let pages = |file| -> TiffResult<()> {
            let mut encoder =
                TiffEncoder::new(file)?.with_compression(Compression::Deflate(DeflateLevel::Balanced));
            for slice in voxels.outer_iter() {
                let values: Vec<V::Inner> = slice.iter().copied().collect();
                encoder.write_image::<V>(width as u32, height as u32, &values)?;
            }
            Ok(())
        };
        pages(&mut file).map_err(|error| Error::invalid(path, error))?;
        file.flush().map_err(io)
    })
}
