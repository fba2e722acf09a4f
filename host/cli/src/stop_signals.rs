//! The signals that ask trainings to stop.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

/// Ctrl-C, the request to end, and the signal that queues send before they take a machine away.
const ALWAYS: [i32; 3] = [SIGINT, SIGTERM, SIGUSR1];

/// The signals of this process: also that of a terminal or connection that is closed, unless the process was started so
/// that it ignores it (`nohup`).
#[must_use]
pub fn stop_signals() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let hangup = (!ignores(&status, SIGHUP)).then_some(SIGHUP);
    ALWAYS.into_iter().chain(hangup).collect()
}

/// Whether a process ignores a signal, by its `/proc/PID/status`; one that cannot be read says so of all.
fn ignores(status: &str, signal: i32) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_none_or(|mask| mask & (1 << (signal - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_known() {
        let status = |mask: &str| format!("SigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t0\n");
        assert!(ignores(&status("0000000000001001"), SIGHUP));
        assert!(!ignores(&status("0000000000001000"), SIGHUP));
        assert!(ignores("", SIGHUP));
    }
}
