//! From NIfTI's two transforms (RAS) to ITK's origin, spacing and direction (LPS), and back.

use super::Geometry;
use super::header::Header;

/// Largest cosine between two axes of a rotation; two transforms count as one when nothing in them differs by more.
const TOLERANCE: f64 = 1e-4;
/// ITK's `NIFTI_XFORM_SCANNER_ANAT`.
const SCANNER: i16 = 1;

type Matrix = [[f64; 3]; 3];

/// Directions of the axes in columns, and the position of the first voxel; RAS.
type Place = (Matrix, [f64; 3]);

/// ITK's rule (since 5.4): without a qform the sform; with both, the sform when it is the scanner's, or says the same as
/// the qform, whose quaternion is less exact. An sform that is not a rotation never counts. Without either, the image
/// lies at the origin.
///
/// # Errors
/// A skewed sform and no qform.
pub(super) fn from_header(header: &Header) -> Result<Geometry, String> {
    let spacing: [f64; 3] = std::array::from_fn(|axis| match f64::from(header.pixdim[axis + 1]).abs() {
        value if value > 0.0 && value.is_finite() => value,
        _ => 1.0,
    });
    let (direction, origin) = place(header, spacing)?;
    let flip = [-1.0, -1.0, 1.0];
    Ok(Geometry {
        size: header.size,
        spacing,
        origin: std::array::from_fn(|row| unsigned_zero(flip[row] * origin[row])),
        direction: std::array::from_fn(|i| unsigned_zero(flip[i / 3] * direction[i / 3][i % 3])),
    })
}

fn place(header: &Header, spacing: [f64; 3]) -> Result<Place, String> {
    let qform = || (quaternion_matrix(header), header.qoffset.map(f64::from));
    match (header.qform_code > 0, header.sform_code > 0) {
        (false, false) => Ok((NO_TRANSFORM, [0.0; 3])),
        (true, false) => Ok(qform()),
        (false, true) => {
            let found = from_sform(header).map(|(place, _)| place);
            found.ok_or_else(|| "its sform is not a rotation and it has no qform; resample it".to_owned())
        }
        (true, true) => Ok(match from_sform(header) {
            Some((place, lengths))
                if header.sform_code == SCANNER || (near(&lengths, &spacing) && same(&place, &qform())) =>
            {
                place
            }
            _ => qform(),
        }),
    }
}

/// LPS identity, in RAS.
const NO_TRANSFORM: Matrix = [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]];

fn same((matrix, origin): &Place, (other, other_origin): &Place) -> bool {
    matrix.iter().zip(other).all(|(a, b)| near(a, b)) && near(origin, other_origin)
}

fn near(a: &[f64; 3], b: &[f64; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= TOLERANCE)
}

fn unsigned_zero(value: f64) -> f64 {
    value + 0.0
}

/// The sform as a rotation with the lengths of its columns, if it is one.
fn from_sform(header: &Header) -> Option<(Place, [f64; 3])> {
    let column = |axis: usize| header.srow.map(|row| f64::from(row[axis]));
    let lengths: [f64; 3] = std::array::from_fn(|axis| dot(column(axis), column(axis)).sqrt());
    if lengths.iter().any(|length| *length <= 0.0 || !length.is_finite()) {
        return None;
    }
    let unit = |axis: usize| column(axis).map(|value| value / lengths[axis]);
    let skewed = [(0, 1), (0, 2), (1, 2)].iter().any(|(a, b)| dot(unit(*a), unit(*b)).abs() > TOLERANCE);
    let matrix = std::array::from_fn(|row| std::array::from_fn(|axis| unit(axis)[row]));
    (!skewed).then(|| ((matrix, column(3)), lengths))
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Rotation of the header's quaternion; `pixdim[0]` < 0 turns the third axis round.
fn quaternion_matrix(header: &Header) -> Matrix {
    let [b, c, d] = header.quaternion.map(f64::from);
    let rest = 1.0 - (b * b + c * c + d * d);
    let (a, b, c, d) = if rest < 1e-7 {
        let scale = 1.0 / (b * b + c * c + d * d).sqrt();
        (0.0, b * scale, c * scale, d * scale)
    } else {
        (rest.sqrt(), b, c, d)
    };
    let turn = if header.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), turn * 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, turn * 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), turn * (a * a + d * d - c * c - b * b)],
    ]
}

/// What the header must say of a geometry: quaternion (b, c, d), sign of the third axis, and sform rows, in RAS.
pub(super) fn to_header(geometry: &Geometry) -> ([f64; 3], f64, [[f64; 4]; 3]) {
    let flip = [-1.0, -1.0, 1.0];
    let mut r: Matrix =
        std::array::from_fn(|row| std::array::from_fn(|axis| flip[row] * geometry.direction[3 * row + axis]));
    let srow = std::array::from_fn(|row| {
        let axis = |axis: usize| r[row][axis] * geometry.spacing[axis];
        [axis(0), axis(1), axis(2), flip[row] * geometry.origin[row]]
    });
    let turn = if determinant(&r) < 0.0 { -1.0 } else { 1.0 };
    r.iter_mut().for_each(|row| row[2] *= turn);
    (quaternion(&r), turn, srow)
}

fn determinant(m: &Matrix) -> f64 {
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
}

/// Quaternion (b, c, d) of a rotation, with non-negative a.
fn quaternion(r: &Matrix) -> [f64; 3] {
    let a = r[0][0] + r[1][1] + r[2][2] + 1.0;
    if a > 0.5 {
        let a = 0.5 * a.sqrt();
        return [
            (r[2][1] - r[1][2]) / (4.0 * a),
            (r[0][2] - r[2][0]) / (4.0 * a),
            (r[1][0] - r[0][1]) / (4.0 * a),
        ];
    }
    let squares = [
        1.0 + r[0][0] - (r[1][1] + r[2][2]),
        1.0 + r[1][1] - (r[0][0] + r[2][2]),
        1.0 + r[2][2] - (r[0][0] + r[1][1]),
    ];
    let main = (0..3).max_by(|a, b| squares[*a].total_cmp(&squares[*b])).unwrap_or(0);
    let length = 0.5 * squares[main].max(0.0).sqrt();
    let (j, k) = ((main + 1) % 3, (main + 2) % 3);
    let mut q = [0.0; 3];
    q[main] = length;
    q[j] = (r[j][main] + r[main][j]) / (4.0 * length);
    q[k] = (r[k][main] + r[main][k]) / (4.0 * length);
    let a = r[k][j] - r[j][k];
    if a < 0.0 { q.map(|part| -part) } else { q }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit voxels, unturned by the qform; no sform.
    fn header() -> Header {
        Header {
            big_endian: false,
            size: [2, 3, 4],
            kind: crate::voxels::Kind::U8,
            pixdim: [1.0; 4],
            offset: 352,
            slope: 1.0,
            intercept: 0.0,
            qform_code: 1,
            sform_code: 0,
            quaternion: [0.0; 3],
            qoffset: [0.0; 3],
            srow: [[0.0; 4]; 3],
        }
    }

    #[test]
    fn quaternion_and_matrix_agree_for_all_signed_permutations() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            for signs in 0..8 {
                let mut direction = [0.0; 9];
                for (axis, row) in order.into_iter().enumerate() {
                    direction[3 * row + axis] = if signs >> axis & 1 == 1 { -1.0 } else { 1.0 };
                }
                let geometry = Geometry {
                    size: [2, 3, 4],
                    spacing: [1.0, 2.0, 3.0],
                    origin: [5.0, 6.0, 7.0],
                    direction,
                };
                let (q, turn, srow) = to_header(&geometry);
                let header = Header {
                    pixdim: [turn as f32, 1.0, 2.0, 3.0],
                    quaternion: q.map(|part| part as f32),
                    qoffset: [srow[0][3], srow[1][3], srow[2][3]].map(|part| part as f32),
                    srow: srow.map(|row| row.map(|part| part as f32)),
                    ..header()
                };
                let close = |found: Geometry| {
                    found.direction.iter().zip(direction).all(|(a, b)| (a - b).abs() < 1e-6)
                        && found.origin == geometry.origin
                };
                assert!(close(from_header(&header).unwrap()), "qform of {direction:?}");
                let by_sform = Header { qform_code: 0, sform_code: 1, ..header };
                assert!(close(from_header(&by_sform).unwrap()), "sform of {direction:?}");
            }
        }
    }

    /// Both transforms, the sform turned by `angle` about z: the first axis's direction tells which one counted.
    fn first_direction(sform_code: i16, angle: f64) -> Result<[f64; 2], String> {
        let (sin, cos) = angle.sin_cos();
        let row = |values: [f64; 3]| [values[0] as f32, values[1] as f32, values[2] as f32, 0.0];
        let geometry = from_header(&Header {
            sform_code,
            srow: [row([cos, -sin, 0.0]), row([sin, cos, 0.0]), row([0.0, 0.0, 1.0])],
            ..header()
        })?;
        Ok([-geometry.direction[0], -geometry.direction[3]])
    }

    #[test]
    fn of_two_transforms_the_scanners_or_the_more_exact_one_counts() {
        let (slight, strong) = (5e-5_f64, 0.1_f64);
        assert!((first_direction(1, strong).unwrap()[1] - strong.sin()).abs() < 1e-6, "the scanner's");
        assert_eq!(first_direction(2, strong).unwrap(), [1.0, 0.0], "another one is not believed");
        assert!(first_direction(2, slight).unwrap()[1] > 0.0, "unless it says the same, more exactly");
    }

    #[test]
    fn a_skewed_sform_alone_is_an_error() {
        let srow = [[1.0, 0.2, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        let header = Header { qform_code: 0, sform_code: 1, srow, ..header() };
        assert!(from_header(&header).unwrap_err().contains("not a rotation"));
    }
}
