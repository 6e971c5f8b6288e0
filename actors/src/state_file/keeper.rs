//! The keeper: the actor that writes the state file, in each interval and at the
//! end. It has a thread of its own, since it waits for shards and for the disk.

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use psg_engine::store::Restored;

use super::{StateFile, StateFileError};
use crate::checkpoint::{Checkpoints, Loaded};
use crate::shard_set::ShardsGone;

/// Writing takes at most this part of the time: one in ten.
const SHARE: u32 = 10;
/// Names that a warning lists of those that could not be loaded.
const NAMES_LOGGED: usize = 10;

/// A keeper at work.
#[derive(Debug)]
pub struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<bool>,
}

/// What runs on the keeper's thread.
#[derive(Debug)]
struct KeeperWorker {
    file: StateFile,
    checkpoints: Checkpoints,
    stop: Receiver<()>,
    /// Whether the last writing failed: trouble is logged when it begins.
    is_in_trouble: bool,
}

/// Loads what is in the file into shards without series, and starts the keeper.
/// `is_whole` says whether the process before ended with its last writing.
pub async fn start(
    file: StateFile,
    mut checkpoints: Checkpoints,
    is_whole: bool,
) -> Result<Keeper, StateFileError> {
    if let Some((head, segments)) = file.read()? {
        let loaded = checkpoints.load(head, &segments, is_whole).await;
        log_loaded(&file, &loaded.map_err(|error| file.unreadable(error))?);
    }
    let (stop_sender, stop) = bounded(1);
    let path = file.path.clone();
    let worker = KeeperWorker { file, checkpoints, stop, is_in_trouble: false };
    let thread = std::thread::Builder::new().name("state-file".into());
    let thread = thread.spawn(move || worker.run());
    let thread = thread.map_err(|error| StateFileError::Io { path, error })?;
    Ok(Keeper { stop: stop_sender, thread })
}

impl Keeper {
    /// Writes the state for the last time; whether that went well. Nothing may
    /// be sent to the shards any more.
    pub fn end(self) -> io::Result<()> {
        // A keeper that has gone has panicked, which ended the process.
        let _ = self.stop.send(());
        match self.thread.join() {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(io::Error::other("the state file could not be written")),
        }
    }
}

impl KeeperWorker {
    fn run(mut self) -> bool {
        let mut rest = self.file.interval;
        loop {
            let is_last = match self.stop.recv_timeout(rest) {
                Err(RecvTimeoutError::Timeout) => false,
                Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
            };
            let begun = Instant::now();
            let Ok(is_written) = self.checkpoint() else { return false };
            rest = rest_after(begun.elapsed(), self.file.interval);
            if is_last {
                return is_written;
            }
        }
    }

    fn checkpoint(&mut self) -> Result<bool, ShardsGone> {
        let before = Instant::now();
        let taken = self.checkpoints.begin(true)?.collect_blocking()?;
        let written = self.file.write(&taken.head, &taken.segments);
        let metrics = self.checkpoints.metrics();
        match &written {
            Ok(bytes) => {
                metrics.succeeded(before.elapsed(), *bytes);
                self.checkpoints.committed(taken.number)?;
            }
            Err(_) => metrics.failed(),
        }
        self.log(&written);
        Ok(written.is_ok())
    }

    /// Logs trouble when it begins and when it is over.
    fn log(&mut self, written: &io::Result<u64>) {
        let path = self.file.path.display();
        match written {
            Ok(_) if self.is_in_trouble => {
                tracing::info!(%path, "the state file can be written again");
            }
            Err(error) if !self.is_in_trouble => {
                tracing::error!(%path, %error, "the state file can't be written; \
                    what is there stays as it is, and it is tried again in each interval");
            }
            Ok(_) | Err(_) => {}
        }
        self.is_in_trouble = written.is_err();
    }
}

/// How long the keeper rests after a writing that took so long.
fn rest_after(took: Duration, interval: Duration) -> Duration {
    interval.saturating_sub(took).max(took * (SHARE - 1))
}

fn log_loaded(file: &StateFile, loaded: &Loaded) {
    let Restored { series, left_out } = loaded.restored;
    tracing::info!(path = %file.path.display(), series, "state loaded");
    if !loaded.left_out.is_empty() {
        let names = &loaded.left_out[..loaded.left_out.len().min(NAMES_LOGGED)];
        tracing::warn!(
            ?names,
            metrics = loaded.left_out.len(),
            series = left_out,
            "some metrics of the state are left out"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_slow_is_given_time() {
        let check = |took: u64, interval: u64, rest: u64| {
            let of = Duration::from_millis;
            assert_eq!(rest_after(of(took), of(interval)), of(rest), "{took} of {interval}");
        };
        check(0, 60_000, 60_000);
        check(2000, 60_000, 58_000);
        check(6000, 60_000, 54_000);
        check(10_000, 60_000, 90_000);
        check(500, 1000, 4500);
    }
}
