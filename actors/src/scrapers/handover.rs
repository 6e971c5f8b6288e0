//! The handover: a small file beside the state file, which says that this is of a
//! clean end, so that no total has fallen, and which scrapers have fetched all of
//! it. The next process reads it with the state, so that what is born there is new
//! to them, though they have yet to come.
//!
//! It holds for exactly one state: that of the end of a process in which nothing
//! was added after they came. So it names the state file that it belongs to by
//! size and time, and is removed as it is read.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{LeftOver, Scrapers};
use crate::private_file;
use crate::shard_set::{ShardSet, ShardsGone};

/// What follows the state file's name.
const ENDING: &str = ".scrapers";

/// The file beside a state file.
#[derive(Debug)]
pub struct Handover {
    state_file: PathBuf,
    path: PathBuf,
    /// Whether it tells of scrapers too.
    of_scrapers: bool,
}

/// What a process that ended cleanly has left.
#[derive(Debug)]
pub struct Left(pub(super) Vec<LeftOver>);

/// What is in it.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Letter {
    state: Fingerprint,
    /// In Unix milliseconds.
    written_at: u64,
    scrapers: Vec<LeftOver>,
}

/// Which state file it is of.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Fingerprint {
    bytes: u64,
    modified_ns: u128,
}

impl Handover {
    /// The one of this state file, which may tell of scrapers.
    pub fn beside(state_file: &Path, of_scrapers: bool) -> Self {
        // Where it can't be told, the state file can't be used either.
        let state_file = private_file::behind_links(state_file).unwrap_or(state_file.into());
        let mut path = OsString::from(&state_file);
        path.push(ENDING);
        Self { state_file, path: path.into(), of_scrapers }
    }

    /// What the process before has left, where it ended cleanly. To be called
    /// once, before anything is taken.
    pub fn open(&self) -> Option<Left> {
        self.take().unwrap_or_else(|error| {
            let path = self.path.display();
            tracing::warn!(%path, %error, "what scrapers have seen is not known");
            None
        })
    }

    /// Takes scrapers over and tells the shards, whose state is loaded and who
    /// have been sent nothing else; of those that were not left, each one's next
    /// scrape is its first one.
    pub fn receive(
        &self,
        Left(left): Left,
        scrapers: &Scrapers,
        shards: &ShardSet,
    ) -> Result<(), ShardsGone> {
        if !self.of_scrapers {
            return Ok(());
        }
        tracing::info!(scrapers = left.len(), "scrapers of the process before are known");
        shards.set_awaited(scrapers.take_over(left))
    }

    /// Leaves those scrapers to the next process that have fetched everything.
    /// The state file was written for the last time.
    pub fn leave(&self, scrapers: &Scrapers) {
        let left = if self.of_scrapers { scrapers.that_have_all() } else { Vec::new() };
        let count = left.len();
        match self.write(left) {
            Ok(()) if self.of_scrapers => {
                tracing::info!(scrapers = count, "scrapers have fetched the last totals");
            }
            Ok(()) => {}
            Err(error) => {
                let path = self.path.display();
                tracing::warn!(%path, %error, "what scrapers have seen can't be kept");
            }
        }
    }

    pub(super) fn take(&self) -> io::Result<Option<Left>> {
        let bytes = match private_file::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // It holds for this process alone, and only if it is certain to go.
        fs::remove_file(&self.path)?;
        let letter: Letter = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
        if letter.state != Fingerprint::of(&self.state_file)? {
            return Err(io::Error::other("it belongs to another state file"));
        }
        let passed = unix_milliseconds().saturating_sub(letter.written_at);
        let still = letter.scrapers.into_iter().filter_map(|mut left| {
            left.remembered_ms = left.remembered_ms.checked_sub(passed)?;
            Some(left)
        });
        Ok(Some(Left(still.collect())))
    }

    fn write(&self, scrapers: Vec<LeftOver>) -> io::Result<()> {
        let state = Fingerprint::of(&self.state_file)?;
        let letter = Letter { state, written_at: unix_milliseconds(), scrapers };
        // Half of it is no JSON, so it need not be renamed into its place.
        let bytes = serde_json::to_vec(&letter).map_err(io::Error::other)?;
        private_file::create(&self.path)?.write_all(&bytes)
    }
}

impl Fingerprint {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        Ok(Self { bytes: metadata.len(), modified_ns: modified.as_nanos() })
    }
}

fn unix_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
