//! The two generations of nnU-Net, and the names of data sets in them.

/// A generation of nnU-Net.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Generation {
    /// nnU-Net v1.
    V1,
    /// nnU-Net v2.
    V2,
}

/// The name of a task as a data set, or of a data set as a task.
pub(super) fn other_name(name: &str) -> String {
    match (name.strip_prefix("Task"), name.strip_prefix("Dataset")) {
        (Some(rest), _) => format!("Dataset{rest}"),
        (None, Some(rest)) => format!("Task{rest}"),
        (None, None) => name.to_owned(),
    }
}
