//! Accounts: what became of the samples that each reader took, with those that show
//! what is refused. Taken = processed + rejected: a reader refuses what it can't send
//! to a shard, and a shard counts the rest, for the reader that has sent it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use psg_engine::catalog::Catalog;
use psg_engine::reject::{Reason, Reject};
use psg_engine::series::ReaderIndex;
use psg_engine::store::RefusedUpdates;
use psg_engine::timestamp::{Moment, UnixTime};
use psg_engine::wire::UnknownFields;

use crate::dead_letters::DeadLetterQueue;
use crate::reject_log::RejectLog;
use crate::rejects::{RejectBoard, RejectedSample};
use crate::self_metrics::{SelfMetrics, WorkerMetrics};

/// The accounts of all readers; cheap to clone.
#[derive(Debug, Clone)]
pub struct Accounts {
    of_readers: Arc<[Account]>,
    board: Arc<RejectBoard>,
}

/// The account of one reader.
#[derive(Debug)]
pub struct Account {
    worker: usize,
    /// What is counted of it.
    pub metrics: Arc<WorkerMetrics>,
    unknown_fields: Arc<Mutex<UnknownFields>>,
    log: Arc<RejectLog>,
    board: Arc<RejectBoard>,
    letters: Option<DeadLetterQueue>,
}

/// When samples were taken.
#[derive(Debug, Clone, Copy)]
pub struct TakenAt {
    /// By the monotonic clock.
    pub now: Moment,
    /// By the gateway's.
    pub unix: UnixTime,
}

impl Accounts {
    /// One for each worker. What is refused goes to `letters` too, where there are
    /// some.
    pub fn new(
        metrics: &SelfMetrics,
        catalog: &Catalog,
        expose_payloads: bool,
        letters: Option<DeadLetterQueue>,
    ) -> Self {
        let (workers, unknown_fields) = (&metrics.workers, &metrics.unknown_fields);
        let board = RejectBoard::new(
            workers.len(),
            catalog.clone(),
            unknown_fields.clone(),
            expose_payloads,
        );
        let board = Arc::new(board);
        let log = Arc::new(RejectLog::default());
        let account = |(worker, metrics): (usize, &Arc<WorkerMetrics>)| Account {
            worker,
            metrics: metrics.clone(),
            unknown_fields: unknown_fields.clone(),
            log: log.clone(),
            board: board.clone(),
            letters: letters.clone(),
        };
        let of_readers = workers.iter().enumerate().map(account).collect();
        Self { of_readers, board }
    }

    /// That of one reader.
    pub fn of(&self, reader: ReaderIndex) -> &Account {
        &self.of_readers[usize::from(reader.0)]
    }

    /// What was refused last, of all readers.
    pub(crate) fn rejects(&self) -> &Arc<RejectBoard> {
        &self.board
    }
}

impl Account {
    /// Counts the refusal of a sample of `length` bytes, of which some are known, or of
    /// several that were added up, and hands it to those who show it.
    pub fn refuse(&self, reject: Reject, sample: &[u8], length: u64, taken_at: TakenAt) {
        add(&self.metrics.rejected[reject.reason as usize], reject.samples);
        self.log.note(&reject, sample, taken_at.now);
        if let Some(letters) = &self.letters {
            letters.offer(sample, length);
        }
        self.board.note(self.worker, RejectedSample { at: taken_at.unix, reject, sample, length });
    }

    /// Counts the fields of a batch that no version knows.
    pub fn note_unknown(&self, fields: &UnknownFields) {
        if !fields.is_empty() {
            self.unknown_fields.lock().add(fields);
        }
    }

    /// Counts the samples that a shard has been sent, now that their series have
    /// them, or have refused some. Of those that are too many to be kept, no letter is
    /// left.
    pub fn settle(&self, samples: u64, refused: &RefusedUpdates, taken_at: TakenAt) {
        add(&self.metrics.processed, samples - refused.samples());
        for update in &refused.kept {
            let sample = serde_json::to_vec(update).expect("memory takes what is written");
            self.refuse(update.reject(), &sample, sample.len() as u64, taken_at);
        }
        let not_kept = refused.not_kept;
        add(&self.metrics.rejected[Reason::NonFinite as usize], not_kept);
        if let Some(letters) = &self.letters {
            letters.count_dropped(not_kept);
        }
    }
}

/// Adds to a counter.
pub fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}
