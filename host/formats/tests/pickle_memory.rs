//! What hostile pickles take in memory, measured by the allocator: one test, so that nothing else is counted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::io::{Cursor, Write};

use nnunet_formats::{pickle, torch_zip};
use peak_alloc::PeakAlloc;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Most bytes that reading may take.
const MOST: usize = 200 << 20;

#[test]
fn memory_stays_small() {
    long_names();
    shared_lists();
}

/// The bytes that `work` takes at most.
fn taken(work: impl FnOnce()) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    work();
    MEMORY.peak_usage().saturating_sub(before)
}

/// Opcodes that keep the object on top of the stack as number `index`.
fn keep(pickle: &mut Vec<u8>, index: u8) {
    pickle.extend([b'q', index]);
}

/// Many views of a storage with a long name, which the pickle holds once.
fn long_names() {
    let mut pickle = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n".to_vec();
    keep(&mut pickle, 0);
    let name = "n".repeat(60_000);
    pickle.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX");
    pickle.extend((name.len() as u32).to_le_bytes());
    pickle.extend(name.bytes());
    pickle.extend(b"X\x03\0\0\0cpuK\x01tQ");
    keep(&mut pickle, 1);
    pickle.push(b']');
    for offset in 0..20_000_u16 {
        pickle.extend(b"h\0(h\x01M");
        pickle.extend(offset.to_le_bytes());
        pickle.extend(b"K\0\x85K\x01\x85\x89NtRa");
    }
    pickle.push(b'.');
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let data = format!("archive/data/{name}");
    for (name, content) in [("archive/data.pkl", &pickle[..]), (data.as_str(), &[0; 4])] {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), archive.finish().unwrap().into_inner()).unwrap();
    let bytes = taken(|| assert_eq!(torch_zip::load(file.path()).unwrap().tensors.len(), 20_000));
    assert!(bytes < MOST, "{bytes} bytes");
}

/// Sets made of the same long list.
fn shared_lists() {
    let mut pickle = b"\x80\x02c__builtin__\nset\n".to_vec();
    keep(&mut pickle, 0);
    pickle.push(b']');
    keep(&mut pickle, 1);
    pickle.push(b'(');
    pickle.extend(std::iter::repeat_n(b'N', 200_000));
    pickle.extend(b"e\x85");
    keep(&mut pickle, 2);
    pickle.push(b']');
    for _ in 0..10_000 {
        pickle.extend(b"h\0h\x02Ra");
    }
    pickle.push(b'.');
    let bytes = taken(|| {
        let error = pickle::read(&pickle).unwrap_err().to_string();
        assert!(error.contains("repeats shared objects"), "{error}");
    });
    assert!(bytes < MOST, "{bytes} bytes");
}
