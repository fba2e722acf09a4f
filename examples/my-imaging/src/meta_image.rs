//! An image format: MetaImage files (`.mha`), uncompressed, as ITK writes them. The header is lines of `Key = Value`;
//! after the line `ElementDataFile = LOCAL` come the voxels.

use std::collections::HashMap;
use std::path::Path;

use nnunet_plugin_api::ndarray::{Array3, ArrayView3};
use nnunet_plugin_api::vocabulary::ItkGeometry;
use nnunet_plugin_api::{
    Component, Error, ImageFormat, ImageVolume, Info, Kind, Registration, Result, inventory,
};

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Format, "MetaImage", "Uncompressed MetaImage files.")
        .describe("8- and 16-bit integers and single precision, three axes.")
        .reads(".mha")
        .writes(".mha");
    Component::format(info, |_config| Ok(Box::new(MetaImage)))
}));

struct MetaImage;

/// The line that ends the header.
const LAST: &[u8] = b"ElementDataFile = LOCAL\n";

impl ImageFormat for MetaImage {
    fn read(&self, path: &Path) -> Result<ImageVolume> {
        let wrong = |what: &str| Error::message(format!("{}: {what}", path.display()));
        let bytes = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
        let end = bytes.windows(LAST.len()).position(|window| window == LAST);
        let end = end.ok_or_else(|| wrong("not a MetaImage with its voxels in the same file"))?;
        let header = Header::parse(&bytes[..end]).map_err(|error| wrong(&error.to_string()))?;
        let values = header.voxels(&bytes[end + LAST.len()..]).map_err(|error| wrong(&error.to_string()))?;
        let [x, y, z] = header.size;
        let voxels = Array3::from_shape_vec((z, y, x), values)
            .map_err(|_| wrong("fewer or more voxels than DimSize says; copy it again"))?;
        Ok(ImageVolume { voxels, geometry: header.geometry })
    }

    fn write(&self, path: &Path, voxels: ArrayView3<'_, f32>, geometry: &ItkGeometry) -> Result<()> {
        let bytes = voxels.iter().flat_map(|value| value.to_le_bytes());
        save(path, header(voxels.dim(), "MET_FLOAT", geometry), bytes)
    }

    fn write_labels(&self, path: &Path, labels: ArrayView3<'_, u8>, geometry: &ItkGeometry) -> Result<()> {
        save(path, header(labels.dim(), "MET_UCHAR", geometry), labels.iter().copied())
    }
}

fn save(path: &Path, header: Vec<u8>, voxels: impl Iterator<Item = u8>) -> Result<()> {
    let bytes: Vec<u8> = header.into_iter().chain(voxels).collect();
    std::fs::write(path, bytes).map_err(|error| Error::message(format!("{}: {error}", path.display())))
}

/// MetaImage lists the direction of one axis after the other: ITK's matrix by column.
fn by_column(matrix: [f64; 9]) -> [f64; 9] {
    [0, 3, 6, 1, 4, 7, 2, 5, 8].map(|i| matrix[i])
}

fn header((z, y, x): (usize, usize, usize), kind: &str, geometry: &ItkGeometry) -> Vec<u8> {
    let words = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    let lines = [
        "ObjectType = Image".to_owned(),
        "NDims = 3".to_owned(),
        "BinaryData = True".to_owned(),
        "BinaryDataByteOrderMSB = False".to_owned(),
        "CompressedData = False".to_owned(),
        format!("TransformMatrix = {}", words(&by_column(geometry.direction))),
        format!("Offset = {}", words(&geometry.origin)),
        format!("ElementSpacing = {}", words(&geometry.spacing)),
        format!("DimSize = {x} {y} {z}"),
        format!("ElementType = {kind}"),
    ];
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    [text.as_bytes(), LAST].concat()
}

struct Header {
    size: [usize; 3],
    kind: String,
    geometry: ItkGeometry,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let keys: HashMap<&str, &str> =
            text.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.trim(), v.trim())).collect();
        let key = |name: &str| {
            keys.get(name).copied().ok_or_else(|| Error::message(format!("the key {name} is missing")))
        };
        if keys.get("CompressedData") == Some(&"True") || keys.get("BinaryDataByteOrderMSB") == Some(&"True")
        {
            return Err(Error::message("compressed and big-endian voxels are not read"));
        }
        let size = numbers::<3>("DimSize", key("DimSize")?)?.map(|len| len as usize);
        let direction = by_column(numbers("TransformMatrix", key("TransformMatrix")?)?);
        let origin = numbers("Offset", key("Offset")?)?;
        let spacing = numbers("ElementSpacing", key("ElementSpacing")?)?;
        let geometry = ItkGeometry { origin, spacing, direction };
        Ok(Self { size, kind: key("ElementType")?.to_owned(), geometry })
    }

    fn voxels(&self, bytes: &[u8]) -> Result<Vec<f32>> {
        let pairs = || bytes.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
        match self.kind.as_str() {
            "MET_UCHAR" => Ok(bytes.iter().map(|byte| f32::from(*byte)).collect()),
            "MET_SHORT" => Ok(pairs().map(|pair| f32::from(i16::from_le_bytes(pair))).collect()),
            "MET_USHORT" => Ok(pairs().map(|pair| f32::from(u16::from_le_bytes(pair))).collect()),
            "MET_FLOAT" => {
                let fours = bytes.chunks_exact(4).map(|four| [four[0], four[1], four[2], four[3]]);
                Ok(fours.map(f32::from_le_bytes).collect())
            }
            other => Err(Error::message(format!("voxels of type {other} are not read"))),
        }
    }
}

fn numbers<const N: usize>(key: &str, text: &str) -> Result<[f64; N]> {
    let read: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    read.try_into().map_err(|_| Error::message(format!("{key} needs {N} numbers, got `{text}`")))
}
