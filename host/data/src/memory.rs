//! How much memory there is: of the machine, and of the control group the program runs in.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use nnunet_engine::lock::lock;

/// Share of the free memory that is used unless the user says otherwise.
const DEFAULT_SHARE: f64 = 0.8;
/// The free memory that is assumed if it cannot be determined.
const UNKNOWN: u64 = 4 << 30;

/// Bytes to use by default: a share of what is free on the machine and within the control group.
#[must_use]
pub fn default_budget() -> u64 {
    let free =
        [free_on_machine(), free_in_group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")];
    let free = free.into_iter().flatten().min().unwrap_or(UNKNOWN);
    (free as f64 * DEFAULT_SHARE) as u64
}

fn free_on_machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

fn free_in_group(limit: impl AsRef<Path>, used: impl AsRef<Path>) -> Option<u64> {
    let number = |path: &Path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    Some(number(limit.as_ref())?.saturating_sub(number(used.as_ref()).unwrap_or(0)))
}

/// Reads `8G`, `512M`, `1.5GiB` or a plain number of bytes; units are powers of 1024.
///
/// # Errors
/// Returns an error for any other text.
pub fn parse_size(text: &str) -> Result<u64> {
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let number: f64 = trimmed[..digits]
        .parse()
        .with_context(|| format!("`{text}` is not a size; write for example 8G or 512M"))?;
    let power = match trimmed[digits..]
        .trim_start()
        .to_ascii_uppercase()
        .trim_end_matches("IB")
        .trim_end_matches('B')
    {
        "" => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        _ => bail!("`{text}` is not a size; write for example 8G or 512M"),
    };
    let bytes = number * 1024_f64.powi(power);
    if bytes < 1.0 {
        bail!("`{text}`: the memory limit must be at least 1 byte");
    }
    Ok(bytes as u64)
}

/// A memory budget, shared by the cases in progress.
#[derive(Debug)]
pub struct Budget {
    total: u64,
    free: Mutex<u64>,
    returned: Condvar,
}

/// Bytes in use; they return when it is dropped.
#[derive(Debug)]
pub struct Share<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    /// So many bytes.
    #[must_use]
    pub fn new(total: u64) -> Self {
        Self { total, free: Mutex::new(total), returned: Condvar::new() }
    }

    /// Waits until so many bytes are free; never asks for more than there are.
    pub fn take(&self, bytes: u64) -> Share<'_> {
        let bytes = bytes.min(self.total);
        let mut free = self
            .returned
            .wait_while(lock(&self.free), |free| *free < bytes)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= bytes;
        Share { budget: self, bytes }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *lock(&self.budget.free) += self.bytes;
        self.budget.returned.notify_all();
    }
}

/// Bytes of this process in memory now, and the most there were; 0 when the system does not say.
#[must_use]
pub fn resident() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    };
    (bytes("VmRSS:").unwrap_or(0), bytes("VmHWM:").unwrap_or(0))
}

/// A human-readable size.
#[must_use]
pub fn readable(bytes: u64) -> String {
    if bytes < 1 << 30 {
        return format!("{:.0} MB", bytes as f64 / f64::from(1 << 20));
    }
    format!("{:.1} GB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in
            [("512M", 512 << 20), ("8G", 8 << 30), ("1.5 GiB", 3 << 29), ("100", 100), ("2kb", 2048)]
        {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "G", "8X", "-1G", "0"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_group_without_a_limit_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let (limit, used) = (folder.path().join("max"), folder.path().join("current"));
        std::fs::write(&limit, "max\n").unwrap();
        std::fs::write(&used, "10\n").unwrap();
        assert_eq!(free_in_group(&limit, &used), None);
        std::fs::write(&limit, "100\n").unwrap();
        assert_eq!(free_in_group(&limit, &used), Some(90));
    }
}
