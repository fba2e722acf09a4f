//! Tables with the names and colors of labels, which ITK-SNAP and 3D Slicer load beside label maps.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use nnunet_data::label_names::LabelNames;
use nnunet_formats::atomic;
use nnunet_pictures::label_color;

/// The table for ITK-SNAP: Segmentation, Import Label Descriptions.
pub const ITK_SNAP: &str = "labels_itksnap.txt";
/// The table for 3D Slicer: a color table, to be loaded before the label maps.
pub const SLICER: &str = "labels_slicer.ctbl";

/// Writes both tables into a folder. A label without a name is called by its number.
///
/// # Errors
/// Returns an I/O error.
pub fn write(folder: &Path, labels: &[u16], names: &LabelNames) -> Result<()> {
    let named: Vec<(u16, String)> =
        labels.iter().filter(|label| **label > 0).map(|label| (*label, name(*label, names))).collect();
    atomic::write_bytes(&folder.join(ITK_SNAP), itk_snap(&named).as_bytes())?;
    Ok(atomic::write_bytes(&folder.join(SLICER), slicer(&named).as_bytes())?)
}

fn name(label: u16, names: &LabelNames) -> String {
    names.get(&label.to_string()).map_or_else(|| format!("label {label}"), str::to_owned)
}

fn itk_snap(labels: &[(u16, String)]) -> String {
    let mut text =
        "# ITK-SnAP Label Description File\n# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL\n".to_owned();
    text += "    0     0    0    0        0  0  0    \"Clear Label\"\n";
    for (label, name) in labels {
        let [red, green, blue] = label_color(*label);
        // Quotes end the name.
        let name = name.replace(['"', '\n'], " ");
        let _ = writeln!(text, "{label:5}  {red:4} {green:4} {blue:4}        1  1  1    \"{name}\"");
    }
    text
}

fn slicer(labels: &[(u16, String)]) -> String {
    let mut text =
        "# Color table: number, name, red, green, blue, opacity\n0 background 0 0 0 0\n".to_owned();
    for (label, name) in labels {
        let [red, green, blue] = label_color(*label);
        // A blank ends the name.
        let name = name.split_whitespace().collect::<Vec<_>>().join("_");
        let _ = writeln!(text, "{label} {name} {red} {green} {blue} 255");
    }
    text
}

#[cfg(test)]
mod tests {
    use nnunet_formats::json;

    use super::*;

    #[test]
    fn labels_have_names_and_colors() {
        let folder = tempfile::tempdir().unwrap();
        let names = LabelNames::of(
            &json::parse(r#"{"labels": {"0": "background", "1": "left \"kidney\""}}"#).unwrap(),
        );
        write(folder.path(), &[0, 1, 9], &names).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let snap = read(ITK_SNAP);
        assert!(snap.ends_with("    1   230   60   60        1  1  1    \"left  kidney \"\n    9   230   60   60        1  1  1    \"label 9\"\n"), "{snap}");
        let slicer = read(SLICER);
        assert!(slicer.ends_with("\n1 left_\"kidney\" 230 60 60 255\n9 label_9 230 60 60 255\n"), "{slicer}");
    }
}
