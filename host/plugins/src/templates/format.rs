//! MyFormat: an image format for nnunet. `"file_ending": ".ending"` in dataset.json is how a data set asks for it.

use std::path::Path;

use nnunet_plugin_api::ndarray::{Array3, ArrayView3};
use nnunet_plugin_api::vocabulary::ItkGeometry;
use nnunet_plugin_api::{
    Component, Error, ImageFormat, ImageVolume, Info, Kind, Registration, Result, export_plugin, inventory,
};

export_plugin!();

/// The host gives files with this ending to this format.
const ENDING: &str = ".ending";
/// Size, spacing, origin and direction.
const NUMBERS: usize = 18;

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Format, "MyFormat", "A line of numbers, then the voxels.");
    Component::format(info.reads(ENDING).writes(ENDING), |_config| Ok(Box::new(MyFormat)))
}));

struct MyFormat;

impl ImageFormat for MyFormat {
    /// Voxels are (z, y, x); everything about the grid is in ITK's order, (x, y, z).
    fn read(&self, path: &Path) -> Result<ImageVolume> {
        let wrong = |what: &str| Error::message(format!("{}: {what}", path.display()));
        let bytes = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| wrong("no first line"))?;
        let line = String::from_utf8_lossy(&bytes[..end]);
        let numbers: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let numbers: [f64; NUMBERS] = numbers.try_into().map_err(|_| wrong("needs 18 numbers first"))?;
        let fours = bytes[end + 1..].chunks_exact(4);
        let voxels: Vec<f32> = fours.map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
        let [x, y, z] = [0, 1, 2].map(|axis| numbers[axis] as usize);
        let voxels = Array3::from_shape_vec((z, y, x), voxels).map_err(|_| wrong("is cut off; copy it again"))?;
        let three = |start: usize| [0, 1, 2].map(|axis| numbers[start + axis]);
        let direction = std::array::from_fn(|i| numbers[9 + i]);
        Ok(ImageVolume { voxels, geometry: ItkGeometry { spacing: three(3), origin: three(6), direction } })
    }

    /// Label maps are written with it too.
    fn write(&self, path: &Path, voxels: ArrayView3<'_, f32>, geometry: &ItkGeometry) -> Result<()> {
        let (z, y, x) = voxels.dim();
        let size = [x, y, z].map(|len| len as f64);
        let numbers = size.iter().chain(&geometry.spacing).chain(&geometry.origin).chain(&geometry.direction);
        let line = numbers.map(f64::to_string).collect::<Vec<_>>().join(" ") + "\n";
        let bytes: Vec<u8> =
            line.into_bytes().into_iter().chain(voxels.iter().flat_map(|value| value.to_le_bytes())).collect();
        std::fs::write(path, bytes).map_err(|error| Error::message(format!("{}: {error}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let file = std::env::temp_dir().join(format!("image-{}{ENDING}", std::process::id()));
        let voxels = Array3::from_shape_fn((2, 3, 4), |(z, y, x)| (z * 12 + y * 4 + x) as f32);
        let geometry = ItkGeometry { origin: [1.0, 2.0, 3.0], spacing: [0.5, 0.75, 2.0], ..ItkGeometry::default() };
        MyFormat.write(&file, voxels.view(), &geometry).unwrap();
        assert_eq!(MyFormat.read(&file).unwrap(), ImageVolume { voxels, geometry });
        std::fs::write(&file, "1 1 1\n").unwrap();
        assert!(MyFormat.read(&file).unwrap_err().to_string().contains("needs 18 numbers first"));
        std::fs::remove_file(file).unwrap();
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
