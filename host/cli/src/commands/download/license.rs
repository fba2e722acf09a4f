//! The license of a model: shown, and to be accepted.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, Result, ensure};

use crate::report;

const TEXT: &str = "The weights of a trained model may be used as the license of the data allows that they were trained on. Some of \
                    these licenses permit commercial use, others do not. You are responsible for using the model accordingly.";

/// Shows the license of a model, and asks on a terminal whether it is accepted, unless it is already.
///
/// # Errors
/// Returns an error if it is not accepted.
pub(super) fn acknowledge(name: &str, description: Option<&str>, is_accepted: bool) -> Result<()> {
    report::line(name);
    description.into_iter().for_each(report::line);
    report::line(TEXT);
    let is_accepted = is_accepted || (is_interactive() && ask()?);
    ensure!(is_accepted, "{name} is not downloaded: accept the license of its data with --accept_license");
    Ok(())
}

fn is_interactive() -> bool {
    !report::is_json() && io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn ask() -> Result<bool> {
    let mut out = io::stderr();
    write!(out, "Do you accept it? [yes/no] ").and_then(|()| out.flush()).context("cannot ask")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
