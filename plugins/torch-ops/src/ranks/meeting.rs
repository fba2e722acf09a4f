//! How a process finds the others.

use std::time::Duration;

/// Where the processes of a group meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// Number of this process, from 0.
    pub rank: usize,
    /// Number of processes.
    pub size: usize,
    /// Host of the store.
    pub host: String,
    /// Port of the store.
    pub port: u16,
    /// Whether this process runs the store.
    pub serves: bool,
    /// The store's keys begin with it, so that a group does not see those of an earlier one.
    pub prefix: String,
    /// Address of this process for the others.
    pub address: String,
    /// Longest time that an operation may wait for the others.
    pub timeout: Duration,
}
