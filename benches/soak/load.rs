//! The load: the product's own load tool as a child.

use std::process::Command;

use tempfile::TempDir;

use super::Options;
use super::support::Failure;
use super::support::child::ChildGuard;

/// A running load tool.
pub struct Load {
    child: ChildGuard,
    _directory: TempDir,
}

impl Load {
    /// Starts it; it goes on until this is dropped.
    pub fn start(redis_port: u16, options: &Options) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(&options.gateway);
        command.args(["load", "--seed", "1", "--connections", "2"]);
        command.args(["--redis", &format!("redis://127.0.0.1:{redis_port}")]);
        command.args(["--rate", &options.rate.to_string()]);
        command.args(["--series", &options.series.to_string()]);
        command.args(["--churn", &(options.churn * options.rate).max(1).to_string()]);
        command.args(["--mix", "counter=4,gauge=4,histogram=2,summary=1,shuffled=1,bad=1"]);
        let child = ChildGuard::start("the load", &mut command, directory.path().join("log"))?;
        Ok(Load { child, _directory: directory })
    }

    /// Fails where it has ended.
    pub fn check(&mut self) -> Result<(), Failure> {
        self.child.check()
    }
}
