//! Made-up images and label maps whose classes can be told apart by intensity.

use nnunet_plugin_core::ndarray::{Array3, Array4};

/// A label map: a box of label 1 in a corner, a plane of label 2 at the other end, and background.
///
/// ```
/// let labels = nnunet_plugin_test::phantoms::labels([6, 8, 10]);
/// assert_eq!((labels[[0, 0, 0]], labels[[5, 7, 9]], labels[[5, 7, 0]]), (1, 2, 0));
/// ```
#[must_use]
pub fn labels([z, y, x]: [usize; 3]) -> Array3<u8> {
    Array3::from_shape_fn((z, y, x), |(i, j, k)| {
        if i < z / 2 && j < y.div_ceil(2) { 1 } else { u8::from(k + 1 == x) * 2 }
    })
}

/// An image of these labels, (channels, z, y, x): intensities grow with the label, with a texture on top.
///
/// ```
/// let image = nnunet_plugin_test::phantoms::image(2, [6, 8, 10]);
/// assert_eq!(image.dim(), (2, 6, 8, 10));
/// assert!(image[[0, 0, 0, 0]] > image[[0, 5, 7, 0]], "label 1 is brighter than background");
/// ```
#[must_use]
pub fn image(channels: usize, size: [usize; 3]) -> Array4<f32> {
    let labels = labels(size);
    let [z, y, x] = size;
    Array4::from_shape_fn((channels, z, y, x), |(c, z, y, x)| {
        let texture = ((c + z * 7 + y * 3 + x) % 13) as f32 / 13.0;
        4.0 * f32::from(labels[[z, y, x]]) + texture
    })
}
