//! A queue source: where elements come from. It has one verb, [`QueueSource::take`];
//! the loop around it (routing, backing off, stopping) is the reader's.

pub mod redis;
mod push_queue;
pub mod push_source;
pub mod embedded;

use crate::error_kind::ErrorKind;
use std::ops::Range;

use psg_engine::timestamp::UnixTime;

/// Bytes kept of an element that is larger than the bound.
pub const HEAD_BYTES: usize = 512;

/// Hands out the elements of a queue, each once.
pub trait QueueSource: 'static {
    /// Waits until elements are there and hands some out, oldest first.
    ///
    /// After the stop signal that the source was made with, nothing more is
    /// asked of the queue; what is already under way is still handed out, then
    /// [`Taken::Ended`] comes. After an error the next call reconnects. The
    /// future is never dropped before it is done: what it took would be lost.
    fn take(&mut self) -> impl Future<Output = Result<Taken<'_>, SourceError>>;
}

/// What a call of [`QueueSource::take`] brought.
#[derive(Debug)]
pub enum Taken<'a> {
    /// Elements, in the order of the queue; may be none.
    Batch(Batch<'a>),
    /// The memory is about to be replaced: what the taker knows of series is
    /// void.
    Forget,
    /// The stop signal was obeyed; nothing follows.
    Ended,
}

/// Elements where they lie in the source's read buffer.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The buffer that the ranges point into.
    pub buffer: &'a [u8],
    /// One for each element.
    pub elements: &'a [Slice],
    /// Present where it matters where elements stood in the queue.
    pub origin: Option<Origin>,
}

/// Where in the stream of a queue a batch comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// So many elements were ever claimed before its first one.
    pub place: u64,
    /// When they were claimed, by the server's clock.
    pub claimed_at: UnixTime,
}

/// Where one element lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slice {
    /// All of its bytes.
    Whole(Range<usize>),
    /// It was larger than the bound and was skipped as it streamed in; only
    /// its first bytes (at most [`HEAD_BYTES`]) were kept.
    TooLarge {
        /// Where the kept bytes lie.
        head: Range<usize>,
        /// How long the element was.
        length: u64,
    },
}

impl Slice {
    /// How long the element was in the queue, in bytes.
    #[expect(clippy::len_without_is_empty, reason = "an element without bytes is one like others")]
    pub fn len(&self) -> usize {
        match self {
            Slice::Whole(range) => range.len(),
            Slice::TooLarge { length, .. } => usize::try_from(*length).unwrap_or(usize::MAX),
        }
    }

    /// Where those of its bytes lie that are there.
    pub fn range(&self) -> Range<usize> {
        let (Slice::Whole(range) | Slice::TooLarge { head: range, .. }) = self;
        range.clone()
    }

    /// Goes with bytes that were moved: those at `from` lie at `to` now.
    pub fn shift(&mut self, from: usize, to: usize) {
        let (Slice::Whole(range) | Slice::TooLarge { head: range, .. }) = self;
        *range = range.start - from + to..range.end - from + to;
    }
}

/// Why nothing could be taken.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// For `redis_errors_total{kind}`.
    pub kind: ErrorKind,
    /// Lower case, no full stop, no secret.
    pub message: String,
}

/// Why elements that the gateway itself pushes are not on the queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// It has no room, and did not get any in time.
    #[error("the queue is full")]
    Full,
    /// They are more than it can ever hold.
    #[error("expected less than the queue holds (Embedded.MaxQueueBytes)")]
    NeverFits,
    /// It can't be reached, or refuses; lower case, no full stop, no secret.
    #[error("the queue can't be pushed to: {0}")]
    Away(String),
    /// An answer did not come: they may be on it all the same.
    #[error("the queue did not answer, and may have the samples all the same: {0}")]
    Silent(String),
}
