//! The packages from PyPI that libtorch_cuda needs beside torch.

use std::path::Path;

use nnunet_libtorch::cuda_version;

/// Beginnings of the names of libraries, and the package each is in.
const PACKAGES: [(&str, &str); 15] = [
    ("libcudnn", "nvidia-cudnn-cu13"),
    ("libnccl", "nvidia-nccl-cu13"),
    ("libcusparseLt", "nvidia-cusparselt-cu13"),
    ("libnvshmem", "nvidia-nvshmem-cu13"),
    ("libcublas", "nvidia-cublas"),
    ("libcufft", "nvidia-cufft"),
    ("libcufile", "nvidia-cufile"),
    ("libcurand", "nvidia-curand"),
    ("libcusparse", "nvidia-cusparse"),
    ("libcusolver", "nvidia-cusolver"),
    ("libcudart", "nvidia-cuda-runtime"),
    ("libcupti", "nvidia-cuda-cupti"),
    ("libnvrtc", "nvidia-cuda-nvrtc"),
    ("libnvJitLink", "nvidia-nvjitlink"),
    ("libnvToolsExt", "nvidia-nvtx"),
];

/// The package a library is in, with the version that this torch wants of it, as pip takes it.
pub(crate) fn package(library: &str, libtorch: &Path) -> Option<String> {
    let (_, name) = PACKAGES.iter().find(|(start, _)| library.starts_with(start))?;
    let metadata = metadata(libtorch).and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    let of_name = |line: &'_ str| -> Option<String> {
        let version = line.strip_prefix("Requires-Dist: ")?.strip_prefix(name)?;
        // Not of a package whose name only begins like this.
        version.starts_with('=').then(|| version.to_owned())
    };
    let wanted = metadata.lines().find_map(of_name);
    let wanted = wanted.and_then(|rest| Some(rest.split(';').next()?.trim().to_owned()));
    let toolkit = || cuda_version(libtorch).map(|version| format!("=={version}.*"));
    Some(format!("{name}{}", wanted.or_else(toolkit).unwrap_or_default()))
}

/// torch's `METADATA` from its wheel.
fn metadata(libtorch: &Path) -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir(libtorch.parent()?).ok()?;
    let mut folders = entries.flatten().map(|entry| entry.path());
    let is_torch = |path: &std::path::PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("torch-") && name.ends_with(".dist-info")
    };
    folders.find(is_torch).map(|folder| folder.join("METADATA"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_names_its_package_and_version() {
        let folder = tempfile::tempdir().unwrap();
        let torch = folder.path().join("torch");
        let wheel = folder.path().join("torch-2.11.0.dist-info");
        for path in [&torch, &wheel] {
            std::fs::create_dir(path).unwrap();
        }
        let lines = "Requires-Dist: nvidia-cudnn-cu13==9.19.0.56; platform_system == \"Linux\"\n\
                     Requires-Dist: nvidia-cusparselt-cu13==0.8.0\n";
        std::fs::write(wheel.join("METADATA"), lines).unwrap();
        let version =
            "__all__ = ['__version__', 'cuda']\n__version__ = '2.11.0+cu130'\ncuda: Optional[str] = '13.0'\n";
        std::fs::write(torch.join("version.py"), version).unwrap();
        assert_eq!(package("libcudnn.so.9", &torch).as_deref(), Some("nvidia-cudnn-cu13==9.19.0.56"));
        assert_eq!(package("libcublasLt.so.13", &torch).as_deref(), Some("nvidia-cublas==13.0.*"));
        assert_eq!(package("libcusparse.so.12", &torch).as_deref(), Some("nvidia-cusparse==13.0.*"));
        assert_eq!(package("libfoo.so", &torch), None);
        assert_eq!(cuda_version(&torch).as_deref(), Some("13.0"));
    }
}
