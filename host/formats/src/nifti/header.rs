//! The header of a NIfTI-1 file: read by the crate `nifti`, checked and completed here as ITK does.

use nifti::{Endianness, NiftiHeader, NiftiType};

use crate::voxels::{Kind, Scale};

/// Bytes of the header.
pub(super) const HEADER: usize = 348;
/// Magic of a single file.
const SINGLE: &[u8; 4] = b"n+1\0";
/// Magic of a header whose voxels are in another file.
const PAIR: &[u8; 4] = b"ni1\0";
/// Longest axis: lengths are signed 16-bit numbers.
pub(super) const LONGEST_AXIS: usize = i16::MAX as usize;

/// A header with sensible values.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub fields: NiftiHeader,
    /// x, y, z.
    pub size: [usize; 3],
    /// Two, or three.
    pub axes: usize,
    pub kind: Kind,
}

impl Header {
    /// Parses and checks a header.
    ///
    /// # Errors
    /// Returns a message if it is not the header of a NIfTI-1 image of one, two or three axes with one real number a
    /// voxel.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Result<Self, String> {
        let mut fields = fields(bytes)?;
        let (size, axes) = size(&fields.dim)?;
        let kind = kind(fields.data_type().ok(), fields.datatype)?;
        // Values that are not finite count as absent, as in ITK's reader.
        let finite = |value: &mut f32, otherwise: f32| {
            if !value.is_finite() {
                *value = otherwise;
            }
        };
        for value in [&mut fields.quatern_b, &mut fields.quatern_c, &mut fields.quatern_d]
            .into_iter()
            .chain([&mut fields.quatern_x, &mut fields.quatern_y, &mut fields.quatern_z])
            .chain([&mut fields.scl_slope, &mut fields.scl_inter])
        {
            finite(value, 0.0);
        }
        for value in &mut fields.pixdim[1..] {
            finite(value, 1.0);
            if *value == 0.0 {
                *value = 1.0;
            }
        }
        Ok(Self { fields, size, axes, kind })
    }

    pub(super) fn big_endian(&self) -> bool {
        self.fields.endianness == Endianness::Big
    }

    /// Whether the voxels are in a file of their own (`.hdr` and `.img`).
    pub(super) fn is_pair(&self) -> bool {
        &self.fields.magic == PAIR
    }

    /// Where the voxels begin in the file that contains them. In a single file an offset inside the header is nonsense.
    pub(super) fn offset(&self) -> usize {
        // Saturates; NaN becomes zero.
        let offset = self.fields.vox_offset as usize;
        if self.is_pair() { offset } else { offset.max(HEADER) }
    }

    /// Slope and intercept; none when they change nothing. A slope of zero stands for one.
    pub(super) fn scale(&self) -> Option<Scale> {
        let slope = f64::from(self.fields.scl_slope);
        let slope = if slope.abs() < f64::EPSILON { 1.0 } else { slope };
        let intercept = f64::from(self.fields.scl_inter);
        let changes = (slope - 1.0).abs() > f64::EPSILON || intercept.abs() > f64::EPSILON;
        changes.then_some(Scale { slope, intercept })
    }

    /// Millimeters in the header's unit of length.
    pub(super) fn unit(&self) -> f64 {
        match self.fields.xyzt_units & 7 {
            1 => 1000.0,
            3 => 0.001,
            _ => 1.0,
        }
    }

    /// Bytes of the voxels; `None` when no machine could hold them.
    pub(super) fn data_len(&self) -> Option<usize> {
        self.kind.bytes(self.size)
    }
}

fn fields(bytes: &[u8; HEADER]) -> Result<NiftiHeader, String> {
    let first = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    if first == 540 || first.swap_bytes() == 540 {
        return Err("NIfTI-2 is not read; convert it to NIfTI-1".to_owned());
    }
    if first != 348 && first.swap_bytes() != 348 {
        return Err("not a NIfTI-1 image".to_owned());
    }
    if ![SINGLE, PAIR].iter().any(|magic| bytes.ends_with(*magic)) {
        return Err(
            "it has no NIfTI magic: an Analyze 7.5 image, which has no orientation; convert it to NIfTI-1"
                .to_owned(),
        );
    }
    let fields = NiftiHeader::from_reader(bytes.as_slice());
    let fields = fields.map_err(|error| format!("not a NIfTI-1 image: {error}"))?;
    if fields.sizeof_hdr != 348 {
        return Err(format!("its header declares {} axes", fields.dim[0] as i16));
    }
    Ok(fields)
}

fn kind(known: Option<NiftiType>, code: i16) -> Result<Kind, String> {
    Ok(match known {
        Some(NiftiType::Uint8) => Kind::U8,
        Some(NiftiType::Int8) => Kind::I8,
        Some(NiftiType::Uint16) => Kind::U16,
        Some(NiftiType::Int16) => Kind::I16,
        Some(NiftiType::Uint32) => Kind::U32,
        Some(NiftiType::Int32) => Kind::I32,
        Some(NiftiType::Uint64) => Kind::U64,
        Some(NiftiType::Int64) => Kind::I64,
        Some(NiftiType::Float32) => Kind::F32,
        Some(NiftiType::Float64) => Kind::F64,
        Some(other) => {
            return Err(format!("voxels of type {other:?} are not read; save it with one number a voxel"));
        }
        None => return Err(format!("voxel type {code} is not supported")),
    })
}

/// Lengths of three axes, and how many axes the image has. As in ITK's reader lengths below one count as one, but for
/// the first axis, and so do those of axes beyond the count.
fn size(dim: &[u16; 8]) -> Result<([usize; 3], usize), String> {
    // The crate reads the signed lengths as unsigned ones.
    let dim = dim.map(|len| len as i16);
    if !(2..=7).contains(&dim[0]) {
        return Err(format!("its header declares {} axes", dim[0]));
    }
    let axes = dim[0] as usize;
    if dim[1] < 1 {
        return Err(format!("its first axis has length {}", dim[1]));
    }
    if dim[1..=axes].iter().skip(3).any(|len| *len > 1) {
        return Err("more than three axes: store one volume per file".to_owned());
    }
    let len = |axis: usize| if axis <= axes { dim[axis].max(1) as usize } else { 1 };
    Ok(([len(1), len(2), len(3)], axes.min(3)))
}

/// How many volumes an image of three or four axes has; the header becomes that of one of them.
pub(super) fn volumes(bytes: &mut [u8; HEADER]) -> Result<usize, String> {
    let header = fields(bytes)?;
    let dim = header.dim.map(|len| len as i16);
    let axes = dim[0];
    let longer = (5..=axes.clamp(4, 7) as usize).any(|axis| dim[axis] > 1);
    if !(3..=7).contains(&axes) || longer {
        return Err(format!("it has {axes} axes; images of three or four can be split"));
    }
    let count = if axes == 3 { 1 } else { dim[4] };
    put_i16(bytes, 40, 3, header.endianness);
    put_i16(bytes, 48, 1, header.endianness);
    usize::try_from(count)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| format!("its header declares {count} volumes"))
}

fn put_i16(bytes: &mut [u8; HEADER], at: usize, value: i16, order: Endianness) {
    let value = if order == Endianness::Big { value.to_be_bytes() } else { value.to_le_bytes() };
    bytes[at..at + 2].copy_from_slice(&value);
}

/// Voxels follow the header and an empty extension mark.
pub(super) fn set_offset(bytes: &mut [u8; HEADER], offset: f32, big_endian: bool) {
    let offset = if big_endian { offset.to_be_bytes() } else { offset.to_le_bytes() };
    bytes[108..112].copy_from_slice(&offset);
}
