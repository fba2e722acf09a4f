//! Pictures (`.png`, `.bmp`, and those in `.tif`), with the values that scikit-image reads.

use std::io::{BufRead, BufReader, Seek};
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::{ExtendedColorType, ImageDecoder, ImageFormat};
use ndarray::{Array3, Array4, ArrayView3, Axis};
use png::ColorType;

use crate::pixels::{Picture, most_bytes};
use crate::voxels::unreadable;
use crate::{Error, Geometry, Image, Result, atomic};

/// Reads a gray picture as float32, a slice of v2's thickness.
///
/// # Errors
/// Returns an error if the file is damaged or has colors.
pub fn read(path: &Path) -> Result<Image> {
    let picture = decode(path)?;
    picture.check_gray(path)?;
    Image::new(path, Geometry::picture(picture.width, picture.height), picture.values)
}

/// The size, which is all that is known of a picture, of gray or of colors.
///
/// # Errors
/// Returns an error if the file is damaged.
pub fn read_geometry(path: &Path) -> Result<Geometry> {
    let picture = decode(path)?;
    Ok(Geometry::picture(picture.width, picture.height))
}

/// Reads all channels, one of gray, three or four of colors: (channel, 1, y, x).
///
/// # Errors
/// Returns an error if the file is damaged, has another number of channels, or is a TIFF of several pages.
pub fn read_channels(path: &Path) -> Result<Array4<f32>> {
    let Picture { width, height, channels, values } = decode(path)?;
    if !matches!(channels, 1 | 3 | 4) {
        return Err(Error::invalid(path, format!("it has {channels} channels; 1, 3 and 4 are read")));
    }
    let array = Array3::from_shape_vec((height, width, channels), values);
    let array = array.map_err(|error| Error::invalid(path, error))?.permuted_axes([2, 0, 1]);
    Ok(array.as_standard_layout().into_owned().insert_axis(Axis(1)))
}

/// The places in its palette that a PNG picture stores, (1, y, x); none for pictures without a palette and other files.
/// Programs that draw masks number their labels so.
///
/// # Errors
/// Returns an error if the file is damaged.
pub fn read_indices(path: &Path) -> Result<Option<Array3<u16>>> {
    let file = crate::input::open(path)?;
    let most = most_bytes(path, &file)?;
    let mut file = BufReader::new(file);
    // Signature, length and type of the first block, width, height and depth stand before the type of the colors.
    let start = file.fill_buf().map_err(|source| Error::io(path, source))?;
    if !start.starts_with(b"\x89PNG") || start.get(PNG_COLORS) != Some(&(ColorType::Indexed as u8)) {
        return Ok(None);
    }
    let PngSamples { width, height, values, .. } = png_samples(path, file, most)?;
    let indices = Array3::from_shape_vec((1, height, width), values);
    indices.map(Some).map_err(|error| Error::invalid(path, error))
}

/// Where a PNG picture says what its colors are.
const PNG_COLORS: usize = 25;

/// Writes labels of (1, y, x) as gray values.
///
/// # Errors
/// Returns an error if there are several slices, the shape is not the geometry's, or the file cannot be written.
pub fn write_labels(path: &Path, labels: ArrayView3<'_, u8>, geometry: &Geometry) -> Result<()> {
    geometry.check_shape(path, labels.shape())?;
    let [width, height, slices] = geometry.size;
    if slices != 1 {
        return Err(Error::invalid(path, format!("a picture has one slice, and this volume has {slices}")));
    }
    let is_bmp = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("bmp"));
    let format = if is_bmp { ImageFormat::Bmp } else { ImageFormat::Png };
    let (values, gray): (Vec<u8>, _) = (labels.iter().copied().collect(), ExtendedColorType::L8);
    atomic::replace(path, |temporary| {
        image::save_buffer_with_format(temporary, &values, width as u32, height as u32, gray, format)
            .map_err(|error| Error::invalid(path, error))
    })
}

/// Writes an image of (1, y, x) whose values are those of 8 bits.
///
/// # Errors
/// Returns an error if there are other values, or as [`write_labels`].
pub fn write_image(path: &Path, image: ArrayView3<'_, f32>, geometry: &Geometry) -> Result<()> {
    if let Some(value) = image.iter().find(|value| **value != f32::from(**value as u8)) {
        return Err(Error::invalid(path, format!("a picture has whole values up to 255, not {value}")));
    }
    write_labels(path, image.mapv(|value| value as u8).view(), geometry)
}

/// By content, as scikit-image does.
fn decode(path: &Path) -> Result<Picture> {
    let file = crate::input::open(path)?;
    let most = most_bytes(path, &file)?;
    let mut file = BufReader::new(file);
    let start = file.fill_buf().map_err(|source| Error::io(path, source))?;
    if start.starts_with(b"\x89PNG") {
        png(path, file, most)
    } else if start.starts_with(b"BM") {
        bmp(path, file, most)
    } else {
        crate::tiff::picture(path)
    }
}

/// What a PNG picture stores: colors, shades, or places in a palette, row by row.
struct PngSamples {
    width: usize,
    height: usize,
    colors: ColorType,
    depth: u8,
    values: Vec<u16>,
    palette: Vec<u8>,
}

fn png_samples(path: &Path, file: impl BufRead + Seek, most: usize) -> Result<PngSamples> {
    let wrong = |why: &dyn std::fmt::Display| unreadable(path, "PNG picture", why);
    let mut reader = png::Decoder::new(file).read_info().map_err(|error| wrong(&error))?;
    let len = reader.output_buffer_size().filter(|len| *len <= most);
    let mut bytes = vec![0; len.ok_or_else(|| wrong(&"it cannot be so large"))?];
    let frame = reader.next_frame(&mut bytes).map_err(|error| wrong(&error))?;
    let (width, height) = (frame.width as usize, frame.height as usize);
    let (colors, depth) = (frame.color_type, frame.bit_depth as u8);
    let rows = bytes.chunks_exact(frame.line_size);
    let values =
        rows.flat_map(|row| samples(row, depth).into_iter().take(width * colors.samples())).collect();
    let palette = reader.info().palette.as_deref().unwrap_or_default().to_vec();
    Ok(PngSamples { width, height, colors, depth, values, palette })
}

fn png(path: &Path, file: impl BufRead + Seek, most: usize) -> Result<Picture> {
    let PngSamples { width, height, colors, depth, values, palette } = png_samples(path, file, most)?;
    let channels = colors.samples();
    let samples = values.into_iter();
    let color = |index: u16| palette.as_chunks::<3>().0.get(usize::from(index)).copied();
    let values: Option<Vec<f32>> = match colors {
        ColorType::Indexed => {
            let colors: Option<Vec<[u8; 3]>> = samples.map(color).collect();
            colors.map(|colors| colors.into_iter().flatten().map(f32::from).collect())
        }
        // Pillow, below scikit-image, widens two and four bits to eight and keeps the upper eight of colors.
        ColorType::Grayscale => {
            let scale = match depth {
                2 => 85.0,
                4 => 17.0,
                _ => 1.0,
            };
            Some(samples.map(|value| f32::from(value) * scale).collect())
        }
        ColorType::GrayscaleAlpha | ColorType::Rgb | ColorType::Rgba => {
            Some(samples.map(|value| f32::from(if depth == 16 { value >> 8 } else { value })).collect())
        }
    };
    let values =
        values.ok_or_else(|| unreadable(path, "PNG picture", "a color that is not in its palette"))?;
    Ok(Picture { width, height, channels: if colors == ColorType::Indexed { 3 } else { channels }, values })
}

/// The numbers of a row, of `depth` bits each.
fn samples(row: &[u8], depth: u8) -> Vec<u16> {
    match depth {
        16 => row.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect(),
        8 => row.iter().copied().map(u16::from).collect(),
        _ => {
            let parts = |byte: &u8| {
                let byte = *byte;
                (0..8 / depth).rev().map(move |i| u16::from(byte >> (i * depth) & ((1 << depth) - 1)))
            };
            row.iter().flat_map(parts).collect()
        }
    }
}

fn bmp(path: &Path, file: impl BufRead + Seek, most: usize) -> Result<Picture> {
    let wrong = |why: &dyn std::fmt::Display| unreadable(path, "BMP picture", why);
    let decoder = BmpDecoder::new(file).map_err(|error| wrong(&error))?;
    let ((width, height), channels) =
        (decoder.dimensions(), usize::from(decoder.color_type().channel_count()));
    let white = decoder.get_palette().and_then(white);
    let len = usize::try_from(decoder.total_bytes()).ok().filter(|len| *len <= most);
    let mut bytes = vec![0; len.ok_or_else(|| wrong(&"it cannot be so large"))?];
    decoder.read_image(&mut bytes).map_err(|error| wrong(&error))?;
    let (width, height) = (width as usize, height as usize);
    Ok(match white {
        Some(white) => {
            let values = bytes.iter().step_by(channels).map(|value| f32::from(*value) / white).collect();
            Picture { width, height, channels: 1, values }
        }
        None => Picture { width, height, channels, values: bytes.into_iter().map(f32::from).collect() },
    })
}

/// Pillow takes a palette of black and white for values 0 and 1, and one of shades in order for gray values: what a value
/// of one is drawn as. `None` for colors.
fn white(palette: &[[u8; 3]]) -> Option<f32> {
    let used = palette.iter().rposition(|color| *color != [0; 3]).map_or(1, |last| last + 1);
    if let [[0, 0, 0], [255, 255, 255]] = palette[..used] {
        return Some(255.0);
    }
    let in_order = palette[..used].iter().enumerate().all(|(i, color)| *color == [i as u8; 3]);
    in_order.then_some(1.0)
}
