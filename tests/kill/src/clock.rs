//! The simulator's time, in a file that every host reads.

use std::fs;
use std::path::{Path, PathBuf};

use counterfoil::clock::{Clock, Timestamp};

/// Reads the time from a file.
#[derive(Debug, Clone)]
pub struct FileClock(pub PathBuf);

impl Clock for FileClock {
    fn now(&self) -> Timestamp {
        let text = fs::read_to_string(&self.0).unwrap();
        Timestamp::from_unix(text.parse().unwrap())
    }
}

/// Writes the time for all to read. It is never seen in part.
pub fn write(file: &Path, now: Timestamp) {
    let new = file.with_extension("new");
    fs::write(&new, now.unix().to_string()).unwrap();
    fs::rename(&new, file).unwrap();
}
