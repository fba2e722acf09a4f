//! What a program costs: time and memory, of itself and its children.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Time, memory and page faults of a process and its children.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// From start to end.
    pub seconds: f64,
    /// Of all processors.
    pub processor_seconds: f64,
    /// The largest sum of the memory of all processes (proportional set size), in units of 2^20 bytes.
    pub megabytes: f64,
    /// Pages that the system had to provide.
    pub page_faults: f64,
}

/// Looking at the memory of large programs takes time that they miss: so many times as long nothing is looked at.
const REST: f64 = 10.0;

/// Runs a program that must succeed; what it prints is not kept.
pub fn measure(command: &mut Command) -> Cost {
    let start = Instant::now();
    let before = of_ended_children();
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = silent.process_group(0).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut megabytes: f64 = 0.0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let look = Instant::now();
        megabytes = megabytes.max(group_memory(child.id()));
        std::thread::sleep(look.elapsed().mul_f64(REST).max(Duration::from_millis(20)));
    };
    assert!(status.success(), "{command:?} ended with {status}");
    let after = of_ended_children();
    Cost {
        seconds: start.elapsed().as_secs_f64(),
        processor_seconds: after.processor_seconds - before.processor_seconds,
        megabytes,
        page_faults: after.page_faults - before.page_faults,
    }
}

struct Ended {
    processor_seconds: f64,
    page_faults: f64,
}

/// What the system has counted for children of this process that have ended, and theirs.
fn of_ended_children() -> Ended {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let number = |index: usize| fields[index].parse::<f64>().unwrap();
    // proc(5), cminflt, cutime and cstime; times are in hundredths of a second.
    Ended { processor_seconds: (number(13) + number(14)) / 100.0, page_faults: number(8) }
}

fn group_memory(group: u32) -> f64 {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids: BTreeSet<u32> = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    ids.into_iter().filter(|id| group_of(*id) == Some(group)).filter_map(memory).sum()
}

fn group_of(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

fn memory(id: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}
