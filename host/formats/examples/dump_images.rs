//! Prints what is read in every image of a folder, one JSON object a line: `tests/bulk/compare.py` compares it with
//! SimpleITK and nibabel.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool of the tests")]

use std::path::Path;

use nnunet_formats::{Image, Result, meta_image, nifti, nrrd};
use serde_json::{Value, json};

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let itk = match path.extension().unwrap().to_str().unwrap() {
            "nrrd" => nrrd::read(&path),
            "mha" => meta_image::read(&path),
            _ => nifti::read(&path),
        };
        println!("{}", json!({ "name": name, "itk": entry(itk), "nibabel": entry(as_nibabel(&path)) }));
    }
}

fn as_nibabel(path: &Path) -> Result<Image> {
    nifti::read_keeping_nan(path)
}

fn entry(image: Result<Image>) -> Value {
    let Image { data, geometry } = match image {
        Ok(image) => image,
        Err(error) => return json!({ "error": error.to_string() }),
    };
    json!({
        "size": geometry.size, "spacing": geometry.spacing, "origin": geometry.origin,
        "direction": geometry.direction, "bits": data.iter().map(|value| value.to_bits()).collect::<Vec<u32>>(),
    })
}
