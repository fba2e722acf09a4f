//! From NIfTI's two transforms (RAS) to ITK's origin, spacing and direction (LPS), and back.

use nifti::NiftiHeader;

use super::Geometry;
use super::header::Header;

/// Largest cosine between two axes of a rotation; two transforms count as one when nothing in them differs by more.
const TOLERANCE: f64 = 1e-4;
/// ITK's `NIFTI_XFORM_SCANNER_ANAT`.
const SCANNER: i16 = 1;

type Matrix = [[f64; 3]; 3];

/// Directions of the axes in columns, and the position of the first voxel; RAS, in the header's unit.
type Place = (Matrix, [f64; 3]);

/// ITK's rule (since 5.4): without a qform the sform; with both, the sform when it is the scanner's, or says the same as
/// the qform, whose quaternion is less exact. An sform that is not a rotation never counts. Without either, the image
/// lies at the origin. Negative voxel sizes reverse an axis of all but the sform. An image of two axes has the part of the
/// transform that lies in its plane.
///
/// # Errors
/// Returns a message if the only transform is an sform that is not a rotation, or if numbers are not those of an image.
pub(super) fn from_header(header: &Header) -> Result<Geometry, String> {
    let fields = &header.fields;
    let steps: [f64; 3] = std::array::from_fn(|axis| f64::from(fields.pixdim[axis + 1]));
    let spacing = steps.map(f64::abs);
    let (direction, origin) = place(fields, steps, spacing)?;
    let flip = [-1.0, -1.0, 1.0];
    let unit = header.unit();
    let geometry = Geometry {
        size: header.size,
        spacing: spacing.map(|length| unit * length),
        origin: std::array::from_fn(|row| unsigned_zero(unit * flip[row] * origin[row])),
        direction: std::array::from_fn(|i| unsigned_zero(flip[i / 3] * direction[i / 3][i % 3])),
    };
    if header.axes == 2 { geometry.slice() } else { geometry.checked() }
}

fn place(header: &NiftiHeader, steps: [f64; 3], spacing: [f64; 3]) -> Result<Place, String> {
    let signs = steps.map(f64::signum);
    let signed = |matrix: Matrix| matrix.map(|row| std::array::from_fn(|axis| row[axis] * signs[axis]));
    let qoffset = [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from);
    let qform = || (signed(quaternion_matrix(header)), qoffset);
    match (header.qform_code > 0, header.sform_code > 0) {
        (false, false) => Ok((signed(NO_TRANSFORM), [0.0; 3])),
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

/// The sform as a rotation with the lengths of its columns, if it is one and finite.
fn from_sform(header: &NiftiHeader) -> Option<(Place, [f64; 3])> {
    let rows = [header.srow_x, header.srow_y, header.srow_z];
    let column = |axis: usize| rows.map(|row| f64::from(row[axis]));
    let lengths: [f64; 3] = std::array::from_fn(|axis| dot(column(axis), column(axis)).sqrt());
    if lengths.iter().any(|length| *length <= 0.0)
        || !rows.as_flattened().iter().all(|value| value.is_finite())
    {
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
fn quaternion_matrix(header: &NiftiHeader) -> Matrix {
    let [b, c, d] = [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
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

/// The fields that store a geometry: quaternion (b, c, d), sign of the third axis, and sform rows, in RAS.
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
    fn fields() -> NiftiHeader {
        let [srow_x, srow_y, srow_z] = [[0.0; 4]; 3];
        NiftiHeader { qform_code: 1, sform_code: 0, srow_x, srow_y, srow_z, ..NiftiHeader::default() }
    }

    fn geometry_of(fields: NiftiHeader) -> Result<Geometry, String> {
        from_header(&Header { fields, size: [2, 3, 4], axes: 3, kind: crate::voxels::Kind::U8 })
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
                let [quatern_b, quatern_c, quatern_d] = q.map(|part| part as f32);
                let [srow_x, srow_y, srow_z] = srow.map(|row| row.map(|part| part as f32));
                let header = NiftiHeader {
                    pixdim: [turn as f32, 1.0, 2.0, 3.0, 1.0, 1.0, 1.0, 1.0],
                    quatern_b,
                    quatern_c,
                    quatern_d,
                    quatern_x: srow_x[3],
                    quatern_y: srow_y[3],
                    quatern_z: srow_z[3],
                    srow_x,
                    srow_y,
                    srow_z,
                    ..fields()
                };
                let close = |found: Geometry| {
                    found.direction.iter().zip(direction).all(|(a, b)| (a - b).abs() < 1e-6)
                        && found.origin == geometry.origin
                };
                assert!(close(geometry_of(header.clone()).unwrap()), "qform of {direction:?}");
                let by_sform = NiftiHeader { qform_code: 0, sform_code: 1, ..header };
                assert!(close(geometry_of(by_sform).unwrap()), "sform of {direction:?}");
            }
        }
    }

    /// Both transforms, the sform turned by `angle` about z: the first axis's direction tells which one counted.
    fn first_direction(sform_code: i16, angle: f64) -> Result<[f64; 2], String> {
        let (sin, cos) = angle.sin_cos();
        let row = |values: [f64; 3]| [values[0] as f32, values[1] as f32, values[2] as f32, 0.0];
        let geometry = geometry_of(NiftiHeader {
            sform_code,
            srow_x: row([cos, -sin, 0.0]),
            srow_y: row([sin, cos, 0.0]),
            srow_z: row([0.0, 0.0, 1.0]),
            ..fields()
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
        let [srow_x, srow_y, srow_z] = [[1.0, 0.2, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        let header = NiftiHeader { qform_code: 0, sform_code: 1, srow_x, srow_y, srow_z, ..fields() };
        assert!(geometry_of(header).unwrap_err().contains("not a rotation"));
    }
}
