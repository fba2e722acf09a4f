//! The 348 bytes of a NIfTI-1 header.

use crate::voxels::Kind;

/// Bytes of the header.
pub(super) const HEADER: usize = 348;
/// Largest length of an axis we believe.
const MAX_AXIS: i16 = i16::MAX;

/// The fields we use.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub big_endian: bool,
    pub size: [usize; 3],
    pub kind: Kind,
    pub pixdim: [f32; 4],
    pub offset: usize,
    pub slope: f32,
    pub intercept: f32,
    pub qform_code: i16,
    pub sform_code: i16,
    pub quaternion: [f32; 3],
    pub qoffset: [f32; 3],
    pub srow: [[f32; 4]; 3],
}

fn kind(code: i16) -> Result<Kind, String> {
    Ok(match code {
        2 => Kind::U8,
        4 => Kind::I16,
        8 => Kind::I32,
        16 => Kind::F32,
        64 => Kind::F64,
        256 => Kind::I8,
        512 => Kind::U16,
        768 => Kind::U32,
        1024 => Kind::I64,
        1280 => Kind::U64,
        _ => return Err(format!("voxel type {code} is not supported")),
    })
}

/// Reads numbers at fixed places in either byte order.
struct Fields<'a> {
    bytes: &'a [u8; HEADER],
    big_endian: bool,
}

impl Fields<'_> {
    fn i16(&self, at: usize) -> i16 {
        let bytes = [self.bytes[at], self.bytes[at + 1]];
        if self.big_endian { i16::from_be_bytes(bytes) } else { i16::from_le_bytes(bytes) }
    }

    fn f32(&self, at: usize) -> f32 {
        let bytes = [self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], self.bytes[at + 3]];
        if self.big_endian { f32::from_be_bytes(bytes) } else { f32::from_le_bytes(bytes) }
    }

    fn f32s<const N: usize>(&self, at: usize) -> [f32; N] {
        std::array::from_fn(|i| self.f32(at + 4 * i))
    }
}

impl Header {
    /// Parses a header.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Result<Self, String> {
        let big_endian = is_big_endian(bytes)?;
        if &bytes[344..347] != b"n+1" {
            return Err("not a single-file NIfTI-1 image (magic n+1)".to_owned());
        }
        let fields = Fields { bytes, big_endian };
        Ok(Self {
            big_endian,
            size: size(&fields)?,
            kind: kind(fields.i16(70))?,
            pixdim: fields.f32s(76),
            offset: offset(fields.f32(108))?,
            slope: fields.f32(112),
            intercept: fields.f32(116),
            qform_code: fields.i16(252),
            sform_code: fields.i16(254),
            quaternion: fields.f32s(256),
            qoffset: fields.f32s(268),
            srow: [fields.f32s(280), fields.f32s(296), fields.f32s(312)],
        })
    }

    /// Bytes of the voxels.
    pub(super) fn data_len(&self) -> Option<usize> {
        self.kind.bytes(self.size)
    }
}

/// The byte order, by the length that every header begins with.
fn is_big_endian(bytes: &[u8; HEADER]) -> Result<bool, String> {
    let first = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    match first {
        348 => Ok(false),
        _ if first.swap_bytes() == 348 => Ok(true),
        540 => Err("NIfTI-2 is not read; convert it to NIfTI-1".to_owned()),
        _ => Err("not a NIfTI-1 image".to_owned()),
    }
}

/// How many volumes an image of three or four axes has; the header becomes that of one of them.
pub(super) fn volumes(bytes: &mut [u8; HEADER]) -> Result<usize, String> {
    let big_endian = is_big_endian(bytes)?;
    let fields = Fields { bytes, big_endian };
    let axes = fields.i16(40);
    let longer = (5..=axes.clamp(4, 7) as usize).any(|axis| fields.i16(40 + 2 * axis) != 1);
    if !(3..=7).contains(&axes) || longer {
        return Err(format!("it has {axes} axes; images of three or four can be split"));
    }
    let count = if axes == 3 { 1 } else { fields.i16(48) };
    let mut put = |at: usize, value: i16| {
        let value = if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        bytes[at..at + 2].copy_from_slice(&value);
    };
    put(40, 3);
    put(48, 1);
    usize::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| format!("it claims {count} volumes"))
}

fn size(fields: &Fields<'_>) -> Result<[usize; 3], String> {
    let axes = fields.i16(40);
    if !(1..=7).contains(&axes) {
        return Err(format!("it claims {axes} axes"));
    }
    let mut size = [1; 3];
    for axis in 0..axes as usize {
        let len = fields.i16(42 + 2 * axis);
        if !(1..=MAX_AXIS).contains(&len) {
            return Err(format!("axis {axis} has length {len}"));
        }
        match size.get_mut(axis) {
            Some(slot) => *slot = len as usize,
            None if len == 1 => {}
            None => return Err("more than three axes: store one volume per file".to_owned()),
        }
    }
    Ok(size)
}

fn offset(value: f32) -> Result<usize, String> {
    if (HEADER as f32..1e9).contains(&value) {
        Ok(value as usize)
    } else {
        Err(format!("voxels at byte {value}"))
    }
}
