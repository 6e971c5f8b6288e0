//! The handover: a small file beside the state file, which says that this is of a
//! clean end, so that no total has fallen, and which scrapers have fetched all of
//! it. The next process reads it with the state, so that series created there are
//! new to them, though they have yet to come.
//!
//! It holds for exactly one state: that of the end of a process in which nothing
//! was added after they came. So it names the state file that it belongs to by
//! size and time, and is removed as it is read.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{ScraperRecord, Scrapers};
use crate::private_file;
use crate::shard::ShardMessage;
use crate::shard_set::{ShardSet, ShardsGone};

/// What follows the state file's name.
const ENDING: &str = ".scrapers";

/// The file beside a state file.
#[derive(Debug)]
pub struct Handover {
    state_file: PathBuf,
    path: PathBuf,
    of_scrapers: bool,
}

/// What a process that ended cleanly has handed over.
#[derive(Debug)]
pub struct HandedOver(pub(super) Vec<ScraperRecord>);

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct HandoverRecord {
    state: Fingerprint,
    /// In Unix milliseconds.
    written_at: u64,
    scrapers: Vec<ScraperRecord>,
}

/// Which state file it is of.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Fingerprint {
    bytes: u64,
    modified_ns: u128,
}

impl Handover {
    /// The file of this state file, which may have scrapers.
    pub fn beside(state_file: &Path, of_scrapers: bool) -> Self {
        // Where links lead nowhere, the state file can't be used either.
        let state_file = private_file::behind_links(state_file).unwrap_or(state_file.into());
        let mut path = OsString::from(&state_file);
        path.push(ENDING);
        Self { state_file, path: path.into(), of_scrapers }
    }

    /// What the process before has handed over, where it ended cleanly. To be
    /// called once, before anything is taken from the queue.
    pub fn receive(&self) -> Option<HandedOver> {
        self.take().unwrap_or_else(|error| {
            let path = self.path.display();
            tracing::warn!(%path, %error, "what scrapers have seen is not known");
            None
        })
    }

    /// Takes scrapers over and tells the shards, whose state is loaded and who
    /// have been sent nothing else. To any other scraper, its next scrape is its
    /// first one.
    pub fn apply(
        &self,
        HandedOver(records): HandedOver,
        scrapers: &Scrapers,
        shards: &ShardSet,
    ) -> Result<(), ShardsGone> {
        if !self.of_scrapers {
            return Ok(());
        }
        tracing::info!(scrapers = records.len(), "scrapers of the process before are known");
        let horizon = scrapers.take_over(records);
        shards.broadcast(|| ShardMessage::SetAckHorizon(horizon))
    }

    /// Leaves those scrapers to the next process that have fetched everything.
    /// The state file was written for the last time.
    pub fn leave(&self, scrapers: &Scrapers) {
        let records = if self.of_scrapers { scrapers.that_have_all() } else { Vec::new() };
        let count = records.len();
        match self.write(records) {
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

    pub(super) fn take(&self) -> io::Result<Option<HandedOver>> {
        let bytes = match private_file::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // It holds for this process alone, and only if it is certain to go.
        fs::remove_file(&self.path)?;
        let record: HandoverRecord = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
        if record.state != Fingerprint::of(&self.state_file)? {
            return Err(io::Error::other("it belongs to another state file"));
        }
        let passed = unix_milliseconds().saturating_sub(record.written_at);
        let still_remembered = record.scrapers.into_iter().filter_map(|mut scraper| {
            scraper.remembered_ms = scraper.remembered_ms.checked_sub(passed)?;
            Some(scraper)
        });
        Ok(Some(HandedOver(still_remembered.collect())))
    }

    fn write(&self, scrapers: Vec<ScraperRecord>) -> io::Result<()> {
        let state = Fingerprint::of(&self.state_file)?;
        let record = HandoverRecord { state, written_at: unix_milliseconds(), scrapers };
        // Half of it is no JSON, so it need not be renamed into its place.
        let bytes = serde_json::to_vec(&record).map_err(io::Error::other)?;
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
