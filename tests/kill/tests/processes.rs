//! Processes that are started, spoken to and ended.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_counterfoil-kill");

/// A process, which ends with this.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    /// Whether it was ended by the suite.
    is_over: bool,
}

impl Process {
    /// Starts one of the two programs. What it complains of goes to `log`.
    pub fn start(program: &str, config: &str, log: &Path) -> Self {
        Self::spawn(Command::new(PROGRAM).args([program, config]), log)
    }

    /// As [`start`](Self::start), where no file may grow beyond so many kilobytes.
    pub fn start_limited(program: &str, config: &str, log: &Path, kilobytes: u32) -> Self {
        // Without the signal a write that is too much is an error, as on a full disk.
        let script = format!("trap '' XFSZ; ulimit -S -f {kilobytes}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("bash");
        Self::spawn(shell.args(["-c", &script, PROGRAM, program, config]), log)
    }

    fn spawn(command: &mut Command, log: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log);
        let mut child = command
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines,
            is_over: false,
        }
    }

    /// The next line that it says, if one comes in time.
    pub fn line_within(&self, time: Duration) -> Option<String> {
        match self.lines.recv_timeout(time) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                // It has ended by itself.
                std::thread::sleep(time);
                None
            }
        }
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.is_over = true;
    }

    /// Lets files grow again, as when somebody has made room on the disk.
    pub fn lift_limit(&self) {
        let id = self.child.id().to_string();
        let mut prlimit = Command::new("prlimit");
        let lifted = prlimit.args(["--pid", &id, "--fsize=unlimited:"]).status();
        assert!(lifted.unwrap().success(), "prlimit of {id}");
    }

    /// Freezes it, as a machine does that swaps, or lets it go on.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success(), "kill -s {name} {id}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_over {
            self.kill();
        }
    }
}
