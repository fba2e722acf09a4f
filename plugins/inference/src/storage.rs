//! Where large sums are kept.

use std::os::fd::AsRawFd;
use std::path::PathBuf;

use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::{Error, Result};

/// Where a large tensor is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// On a device; in the machine's memory when it does not fit there.
    Device(Device),
    /// In a file without a name in this folder, mapped into memory: the system moves parts of it out as it needs to.
    File(PathBuf),
}

impl Storage {
    /// A tensor of zeros.
    ///
    /// # Errors
    /// Returns an error if there is not enough memory, or if the folder cannot be written.
    pub fn zeros(&self, shape: &[i64], kind: Kind) -> Result<Tensor> {
        match self {
            Storage::Device(device) => {
                let there = Tensor::f_zeros(shape, (kind, *device));
                Ok(there.or_else(|_| Tensor::f_zeros(shape, (kind, Device::Cpu)))?)
            }
            Storage::File(folder) => in_file(folder.clone(), shape, kind),
        }
    }
}

/// The file has no name, so nothing is left behind whatever happens; libtorch opens it by its descriptor.
fn in_file(folder: PathBuf, shape: &[i64], kind: Kind) -> Result<Tensor> {
    let failed = |error: std::io::Error| Error::message(format!("{}: {error}", folder.display()));
    let elements: i64 = shape.iter().product();
    let file = tempfile::tempfile_in(&folder).map_err(failed)?;
    reserve(&file, elements as u64 * kind.elt_size_in_bytes() as u64).map_err(failed)?;
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(Tensor::f_from_file(&name, true, elements, (kind, Device::Cpu))?.f_reshape(shape)?)
}

/// Makes a file of zeros whose blocks exist: writing through a mapping to a file with holes ends the process with
/// SIGBUS when the disk is full.
fn reserve(file: &std::fs::File, bytes: u64) -> std::io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes.max(1)) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => write_zeros(file, bytes),
        done => Ok(done?),
    }
}

/// For file systems that cannot reserve blocks.
fn write_zeros(mut file: &std::fs::File, bytes: u64) -> std::io::Result<()> {
    let mut zeros = std::io::Read::take(std::io::repeat(0), bytes);
    std::io::copy(&mut zeros, &mut file).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_what_memory_holds() {
        let folder = tempfile::tempdir().unwrap();
        let mut tensor = Storage::File(folder.path().to_owned()).zeros(&[2, 3], Kind::Half).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let _ = tensor.get(1).f_add_scalar_(1.5).unwrap();
        let _ = tensor.f_add_scalar_(1.0).unwrap();
        assert_eq!(tensor.sum(Kind::Float).double_value(&[]), 6.0 + 4.5);
    }

    #[test]
    fn blocks_are_reserved() {
        use std::os::unix::fs::MetadataExt;

        let folder = tempfile::tempdir().unwrap();
        for (name, reserve) in [("a", reserve as fn(&std::fs::File, u64) -> _), ("b", write_zeros)] {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            reserve(&file, 1 << 20).unwrap();
            let metadata = file.metadata().unwrap();
            assert_eq!(metadata.len(), 1 << 20, "{name}");
            // A file system that compresses needs no blocks for written zeros.
            assert!(name == "b" || metadata.blocks() * 512 >= 1 << 20, "{name} has holes");
        }
    }
}
