//! Writes checkpoints that `torch.load` opens, also with `weights_only=True` when they hold tensors only.

use std::io::Write;
use std::path::Path;

use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use super::{Checkpoint, TensorData, element_size};
use crate::pickle::to_bytes_protocol2;
use crate::{Error, Result, atomic};

/// Folder inside the archive.
const ROOT: &str = "archive";
/// Alignment of tensor data, so that it can be mapped.
const ALIGNMENT: u16 = 64;

/// Writes a checkpoint.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn save(path: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let pickle = to_bytes_protocol2(&checkpoint.root, &|out, index| {
        if let Some(tensor) = checkpoint.tensors.get(index) {
            write_tensor(out, index, tensor);
        }
    });
    atomic::replace(path, |temporary| {
        let failed = |error: std::io::Error| Error::io(path, error);
        let file = std::fs::File::create(temporary).map_err(failed)?;
        let mut archive = zip::ZipWriter::new(std::io::BufWriter::with_capacity(1 << 20, file));
        let mut member = |name: &str, bytes: &[u8]| -> std::io::Result<()> {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .with_alignment(ALIGNMENT)
                .large_file(bytes.len() as u64 > u64::from(u32::MAX) / 2);
            archive.start_file(format!("{ROOT}/{name}"), options)?;
            archive.write_all(bytes)
        };
        member("data.pkl", &pickle).map_err(failed)?;
        member("byteorder", b"little").map_err(failed)?;
        for (index, tensor) in checkpoint.tensors.iter().enumerate() {
            member(&format!("data/{index}"), &tensor.data).map_err(failed)?;
        }
        member("version", b"3\n").map_err(failed)?;
        archive.finish().map_err(|error| failed(error.into()))?.flush().map_err(failed)
    })
}

/// `torch._utils._rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict())`.
fn write_tensor(out: &mut Vec<u8>, index: usize, tensor: &TensorData) {
    use crate::pickle::ops::{global, int, text_op};
    let elements = tensor.data.len() / element_size(&tensor.storage).unwrap_or(1);
    global(out, "torch._utils", "_rebuild_tensor_v2");
    out.extend(b"((");
    text_op(out, "storage");
    global(out, "torch", &format!("{}Storage", tensor.storage));
    text_op(out, &index.to_string());
    text_op(out, "cpu");
    int(out, elements as i64);
    out.extend(b"tQ");
    int(out, 0);
    write_shape(out, &tensor.shape);
    write_shape(out, &contiguous_strides(&tensor.shape));
    out.push(0x89);
    global(out, "collections", "OrderedDict");
    out.extend(b")RtR");
}

fn write_shape(out: &mut Vec<u8>, shape: &[usize]) {
    out.push(b'(');
    shape.iter().for_each(|len| crate::pickle::ops::int(out, *len as i64));
    out.push(b't');
}

fn contiguous_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}
