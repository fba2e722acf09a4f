//! The log file of a run, to which lines of plugins are added.

use std::sync::Mutex;

use crate::lock::lock;

/// Adds a line to the log file.
pub type Write = Box<dyn FnMut(&str) + Send>;

/// Lines that are kept until there is a log file.
const MOST_EARLY: usize = 1000;

static LOG: Mutex<RunLog> = Mutex::new(RunLog { write: None, early: Vec::new() });

struct RunLog {
    write: Option<Write>,
    early: Vec<String>,
}

impl RunLog {
    fn add(&mut self, line: &str) {
        match &mut self.write {
            Some(write) => write(line),
            // A plugin may log while a run is still being set up.
            None if self.early.len() < MOST_EARLY => self.early.push(line.to_owned()),
            None => {}
        }
    }
}

/// From now on lines of plugins are also written with `write`, first those that were logged before.
pub fn set(mut write: Write) {
    let mut log = lock(&LOG);
    std::mem::take(&mut log.early).iter().for_each(|line| write(line));
    log.write = Some(write);
}

/// A line of a plugin.
pub(crate) fn add(line: &str) {
    lock(&LOG).add(line);
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn lines_before_the_file_is_there_are_not_lost() {
        let written = Arc::new(Mutex::new(Vec::new()));
        add("early");
        let to = Arc::clone(&written);
        set(Box::new(move |line| to.lock().unwrap().push(line.to_owned())));
        add("late");
        assert_eq!(*written.lock().unwrap(), ["early", "late"]);
    }
}
