//! The state file: totals that outlive the process where Redis does not keep
//! them. It is written once in each interval and when the gateway stops, and
//! loaded before anything is taken.
//!
//! It is replaced as a whole: written beside, made durable, renamed. So
//! whenever the process or the machine dies, there is the old one or the new
//! one. A lock file beside it keeps a second gateway away.

mod keeper;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use psg_engine::state::{Head, StateError, StoredSegment, archive};
use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;

use crate::private_file;
use crate::settings::StateFileSettings;

pub use keeper::{Keeper, start};

/// A state file that no other gateway has.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// Where the next one is written before it takes its place.
    beside: PathBuf,
    /// The time between two writings.
    interval: Duration,
    /// Locked as long as it is open.
    _lock: File,
}

/// Why there is no use in going on with a state file.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum StateFileError {
    #[error("Metrics.StateFile {}: another gateway uses it", path.display())]
    InUse { path: PathBuf },
    #[error(
        "Metrics.StateFile {}: there is no folder {}: make it, or mount the volume there",
        path.display(),
        folder.display()
    )]
    NoFolder { path: PathBuf, folder: PathBuf },
    #[error("Metrics.StateFile {}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    /// It is there, but is nothing that can be loaded. It is left as it is.
    #[error(
        "Metrics.StateFile {}: {error}; it is left untouched: move it away to begin without it",
        path.display()
    )]
    Unreadable { path: PathBuf, error: Box<dyn std::error::Error + Send + Sync> },
}

impl StateFile {
    /// Locks the file and makes sure that it can be written.
    pub fn open(settings: &StateFileSettings) -> Result<Self, StateFileError> {
        let StateFileSettings { path, interval } = settings;
        if let Some(folder) = missing_folder(path) {
            return Err(StateFileError::NoFolder { path: path.clone(), folder });
        }
        let path = private_file::behind_links(path).map_err(|error| failed(path, error))?;
        let lock_path = with_ending(&path, ".lock");
        let lock = private_file::open_or_create(&lock_path);
        let lock = lock.map_err(|error| failed(&lock_path, error))?;
        match is_locked_by_us(&lock) {
            Ok(true) => {}
            Ok(false) => return Err(StateFileError::InUse { path }),
            Err(error) => return Err(failed(&lock_path, error)),
        }
        if path.is_dir() {
            return Err(failed(&path, io::Error::other("expected a file, got a folder")));
        }
        let beside = with_ending(&path, ".new");
        let file = Self { path, beside, interval: *interval, _lock: lock };
        file.try_writing().map_err(|error| failed(&file.beside, error))?;
        Ok(file)
    }

    /// The state in the file, if there is one.
    pub fn read(&self) -> Result<Option<(Head, Vec<StoredSegment>)>, StateFileError> {
        let bytes = match private_file::read(&self.path) {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&self.path, error)),
        };
        archive::read(&bytes).map(Some).map_err(|error: StateError| self.unreadable(error))
    }

    /// Puts a whole state in the place of the one that is there; returns how
    /// many bytes it has.
    pub fn write(&self, head: &Head, segments: &[StoredSegment]) -> io::Result<u64> {
        let beside = private_file::create(&self.beside)?;
        let written = write_all(beside, head, segments).inspect_err(|_| {
            // A disk that is full needs the room.
            let _ = fs::remove_file(&self.beside);
        })?;
        fs::rename(&self.beside, &self.path)?;
        self.sync_folder()?;
        Ok(written)
    }

    fn unreadable(
        &self,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StateFileError {
        StateFileError::Unreadable { path: self.path.clone(), error: error.into() }
    }

    fn try_writing(&self) -> io::Result<()> {
        private_file::create(&self.beside)?;
        fs::remove_file(&self.beside)?;
        self.sync_folder()
    }

    /// A rename is durable once its folder is.
    fn sync_folder(&self) -> io::Result<()> {
        File::open(folder_of(&self.path))?.sync_all()
    }
}

/// Writes the state durably; how many bytes it has.
fn write_all(mut file: File, head: &Head, segments: &[StoredSegment]) -> io::Result<u64> {
    let mut written = 0;
    for piece in archive::write(head, segments) {
        file.write_all(&piece)?;
        written += piece.len() as u64;
    }
    file.sync_all()?;
    Ok(written)
}

/// The folder of a state file, where it is not there.
pub fn missing_folder(path: &Path) -> Option<PathBuf> {
    let path = private_file::behind_links(path).ok()?;
    let folder = folder_of(&path);
    let is_missing = fs::metadata(folder).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
    is_missing.then(|| folder.to_owned())
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Whether the lock is ours now, and not another gateway's.
///
/// Who only reads the file, a backup, may hold a lock that is shared. A gateway
/// never does, but beside such a reader; and then it has a lock of the other
/// kind as well, which two can't share.
fn is_locked_by_us(file: &File) -> io::Result<bool> {
    let lock = |operation| match operation {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK | Errno::ACCESS) => Ok(false),
        Err(error) => Err(io::Error::from(error)),
    };
    if lock(flock(file, FlockOperation::NonBlockingLockExclusive))? {
        return Ok(true);
    }
    Ok(lock(flock(file, FlockOperation::NonBlockingLockShared))?
        && lock(fcntl_lock(file, FlockOperation::NonBlockingLockExclusive))?)
}

fn failed(path: &Path, error: io::Error) -> StateFileError {
    StateFileError::Io { path: path.into(), error }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}
