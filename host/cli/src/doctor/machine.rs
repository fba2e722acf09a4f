//! Processor, memory and limits of this process.

use std::path::Path;

use rustix::process::{Resource, getrlimit};
use serde::Serialize;

/// Flags of processors that compute bf16 natively.
const BF16: [&str; 3] = ["avx512_bf16", "amx_bf16", "bf16"];
/// Flags that decide which kernels are used.
const VECTORS: [&str; 6] = ["avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd"];

/// What the system grants.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Name of the processor.
    pub processor: Option<String>,
    /// Its vector instructions.
    pub vectors: Vec<String>,
    /// Whether it computes bf16 natively.
    pub native_bf16: bool,
    /// Processors of the machine.
    pub processors: usize,
    /// Threads that this process may run at a time: affinity and the control group's quota included.
    pub threads: usize,
    /// The control group's quota, in processors.
    pub processor_quota: Option<f64>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes that are available.
    pub memory_available: Option<u64>,
    /// The control group's limit, in bytes.
    pub memory_limit: Option<u64>,
    /// Free bytes of shared memory.
    pub shared_memory: Option<u64>,
    /// Files that may be open at a time, and the most that may be asked for.
    pub open_files: [Option<u64>; 2],
}

impl Machine {
    /// Of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let entry = |name: &str| {
            let line = processor.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let flags = entry("flags").or_else(|| entry("Features")).unwrap_or_default();
        let has = |flag: &&str| flags.split(' ').any(|other| other == *flag);
        let files = getrlimit(Resource::Nofile);
        Self {
            processor: entry("model name"),
            vectors: VECTORS.iter().filter(|flag| has(flag)).map(|flag| (*flag).to_owned()).collect(),
            native_bf16: BF16.iter().any(has),
            processors: processor.lines().filter(|line| line.starts_with("processor")).count(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            processor_quota: processor_quota(),
            memory: of_memory("MemTotal:"),
            memory_available: of_memory("MemAvailable:"),
            memory_limit: number("/sys/fs/cgroup/memory.max")
                .or_else(|| number("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
                .filter(|limit| *limit < 1 << 60),
            shared_memory: free_space(Path::new("/dev/shm")),
            open_files: [files.current, files.maximum],
        }
    }
}

/// Free bytes where a path lies.
#[must_use]
pub fn free_space(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail * found.f_frsize)
}

fn of_memory(key: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// `200000 100000` or `max 100000`.
fn processor_quota() -> Option<f64> {
    let text = std::fs::read_to_string("/sys/fs/cgroup/cpu.max").ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_of_the_tests_is_described() {
        let machine = Machine::of_this_process();
        assert!(machine.threads >= 1 && machine.memory.is_some_and(|bytes| bytes > 1 << 20), "{machine:?}");
        assert!(machine.open_files[0].is_none_or(|files| files > 0));
        assert!(free_space(Path::new("/")).is_some());
        assert_eq!(free_space(Path::new("/does/not/exist")), None);
    }
}
