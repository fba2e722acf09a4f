//! How long the test programs take.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::Result;

/// How many are printed.
const SHOWN: usize = 10;

/// Runs `cargo test`, passes on what it prints, and lists the slowest test programs.
pub(crate) fn run_and_list_slowest(command: &mut Command) -> Result<()> {
    // Cargo names a test program on standard error and the program its time on standard output: one pipe keeps the order.
    let (reader, writer) = std::io::pipe().map_err(|error| format!("no pipe: {error}"))?;
    let copy = writer.try_clone().map_err(|error| format!("no pipe: {error}"))?;
    let mut child = {
        let started = command.stdin(Stdio::null()).stdout(writer).stderr(copy).spawn();
        // The command keeps the writing ends open until they are replaced.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        started.map_err(|error| format!("cargo test cannot be started: {error}"))?
    };
    let (mut name, mut times) = (String::new(), Vec::new());
    for line in BufReader::new(reader).lines().map_while(std::result::Result::ok) {
        println!("{line}");
        if let Some(program) = line.trim_start().strip_prefix("Running ") {
            program.clone_into(&mut name);
        }
        if let Some(seconds) =
            line.split("finished in ").nth(1).and_then(|rest| rest.trim_end_matches('s').parse().ok())
        {
            times.push((seconds, name.clone()));
        }
    }
    times.sort_by(|a: &(f64, String), b| b.0.total_cmp(&a.0));
    println!("slowest of {} test programs:", times.len());
    times.iter().take(SHOWN).for_each(|(seconds, name)| println!("{seconds:8.1} s  {name}"));
    let status = child.wait().map_err(|error| format!("cargo test: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("the tests ended with {status}")) }
}
