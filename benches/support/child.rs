//! A child process that ends with whoever holds it, also when that panics.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Failure;

/// A running child whose output goes to a file.
pub struct ChildGuard {
    child: Child,
    name: &'static str,
    log: PathBuf,
}

impl ChildGuard {
    /// Starts it; `log` takes its output.
    pub fn start(name: &'static str, command: &mut Command, log: PathBuf) -> Result<Self, Failure> {
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().map_err(|error| format!("can't start {name}: {error}"))?;
        Ok(ChildGuard { child, name, log })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks `is_ready` until it holds; fails where the child ends or `limit`
    /// has passed before.
    pub fn wait_until(
        &mut self,
        what: &str,
        limit: Duration,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        while !is_ready() {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failure(&format!("ended with {status} before {what}")));
            }
            if Instant::now() > deadline {
                return Err(self.failure(&format!("was not {what} after {limit:?}")));
            }
            #[expect(clippy::disallowed_methods, reason = "between two looks at the condition")]
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Result<(), Failure> {
        self.child.wait()?;
        Ok(())
    }

    /// Fails where it has ended.
    pub fn check(&mut self) -> Result<(), Failure> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.failure(&format!("ended with {status}"))),
        }
    }

    /// Sends a signal, by its name.
    pub fn signal(&self, signal: &str) -> Result<(), Failure> {
        let mut command = Command::new("kill");
        let status = command.arg(format!("-{signal}")).arg(self.id().to_string()).status()?;
        match status.success() {
            true => Ok(()),
            false => Err(self.failure(&format!("can't be sent SIG{signal}"))),
        }
    }

    /// A failure of this child, with the end of what it printed.
    pub fn failure(&self, what: &str) -> Failure {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        format!("{} {what}; its last lines:\n{tail}", self.name).into()
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        // Either fails only where the child has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listened on a moment ago.
pub fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
