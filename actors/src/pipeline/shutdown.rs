//! The end of a pipeline: what was taken is applied and kept, and shown until it
//! was fetched. Each step has its bound.
//!
//! From the beginning of the flow to its end:
//!
//! 1. The stop signal is set: no reader asks for more, clients of the embedded
//!    queue are cut; `/-/ready` answers 503.
//! 2. Readers take the replies that are on their way (5 s of silence at most),
//!    route them and end. Under exactly-once delivery the owner writes its last
//!    checkpoint instead, and keeps the queue and its lease until 5.
//!    What series have refused by then is written to the dead letters.
//! 3. The state file is written for the last time: a kill from now on loses
//!    nothing.
//! 4. Known scrapers fetch the last totals: `Http.ShutdownLingerSeconds` at
//!    most, and until a second signal. Only a rendering that began after 2, and
//!    shows nothing at its start, counts.
//! 5. The owner gives the queue back. The handover is written.
//! 6. HTTP takes no new connections, ends idle ones, and finishes its answers
//!    (3 s at most).
//! 7. The scraper ends, then the shards, each after its last message.
//! 8. Exit status 0, and a last log line with the totals. A reader that could
//!    not finish within 6 s makes it status 1.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::{Pipeline, RunningPipeline};
use crate::fatal::FatalError;
use crate::serving_gate::Permit;
use crate::settings::PipelineSettings;
use crate::shard::ShardMessage;
use crate::source::redis::once::ShutdownHandshake;
use crate::state_file::Keeper;
use crate::stop::{StopSignal, Stopper, stop_signal};

/// How long the readers may take to finish what they have taken.
const READERS_DEADLINE: Duration = Duration::from_secs(6);
/// How long the last checkpoint may take; a server that says nothing for five
/// seconds is given up before.
const LAST_CHECKPOINT_DEADLINE: Duration = Duration::from_secs(60);
/// How long the shards may take to apply what they were sent.
const SHARDS_DEADLINE: Duration = Duration::from_secs(6);
/// How long the last dead letters may take to be written.
const DEAD_LETTERS_DEADLINE: Duration = Duration::from_secs(2);

/// The pipeline's side of the [`ShutdownHandshake`] with an owner.
#[derive(Debug)]
pub(super) struct OwnerShutdown {
    /// Lets the owner give its queue back.
    release: Stopper,
    /// Told when the owner has written its last checkpoint.
    saved: StopSignal,
    /// A sender that is dropped counts as a signal.
    _held: ShutdownHandshake,
}

impl OwnerShutdown {
    pub(super) fn new() -> (Self, ShutdownHandshake) {
        let (release, is_released) = stop_signal();
        let (saved, is_saved) = stop_signal();
        let handshake = ShutdownHandshake { saved, release: is_released };
        (Self { release, saved: is_saved, _held: handshake.clone() }, handshake)
    }

    /// Of an owner that may give its queue back as soon as it has written the last
    /// checkpoint.
    pub(super) fn at_once() -> (Self, ShutdownHandshake) {
        let (shutdown, handshake) = Self::new();
        shutdown.release.stop();
        (shutdown, handshake)
    }
}

/// A pipeline that takes nothing any more, and still answers.
#[derive(Debug)]
pub struct Drained {
    pipeline: Pipeline,
    outcome: io::Result<()>,
}

/// What came of the samples of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Samples that were applied.
    pub processed: u64,
    /// Samples that were refused.
    pub rejected: u64,
}

impl RunningPipeline {
    /// Takes nothing more, and waits until all that was taken is applied and kept,
    /// and until known scrapers have fetched it, where they are waited for. What
    /// `hurry` says next ends that wait.
    ///
    /// # Errors
    /// Something that must end the process at once.
    pub async fn drain(
        self,
        hurry: Pin<&mut impl Stream<Item = &'static str>>,
    ) -> Result<Drained, FatalError> {
        let Self { pipeline, readers, keeper, handover, mut owner } = self;
        pipeline.stopper.stop();
        let mut finishing = pin!(readers.finish(readers_deadline(&pipeline.settings)));
        let mut finished = tokio::select! {
            error = pipeline.fatal.raised() => return Err(error),
            finished = &mut finishing => Some(finished),
            () = owner.saved.stopped() => None,
        };
        pipeline.flush_dead_letters().await;
        // Before scrapers are waited for: a kill meanwhile loses nothing.
        let kept = keeper.map_or(Ok(()), Keeper::end);
        if !matches!(finished, Some(Err(_))) {
            tokio::select! {
                error = pipeline.fatal.raised() => return Err(error),
                // An owner that has lost its Redis.
                early = &mut finishing, if finished.is_none() => finished = Some(early),
                () = pipeline.linger(hurry) => {}
            }
        }
        owner.release.stop();
        let finished = match finished {
            Some(finished) => finished,
            None => tokio::select! {
                error = pipeline.fatal.raised() => return Err(error),
                finished = finishing => finished,
            },
        };
        let outcome = finished.and(kept);
        if let (Ok(()), Some(handover)) = (&outcome, handover) {
            handover.leave(&pipeline.scrapers);
        }
        Ok(Drained { pipeline, outcome })
    }
}

impl Drained {
    /// Ends scrapes, then the shards, each after its last message. Who serves the
    /// pipeline should have stopped: whatever is asked later is not answered.
    pub fn close(self) -> io::Result<Totals> {
        // A reader that hangs may wait for a shard and hold what that waits for:
        // waiting for the shards might never end.
        self.outcome?;
        let Pipeline { handle, threads, .. } = self.pipeline;
        let services = handle.services();
        threads.tasks.iter().for_each(tokio::task::JoinHandle::abort);
        services.scrapes.stop();
        // A panic has ended the process already.
        let _ = threads.scraper.join();
        services.shards.stop();
        threads.shards.join();
        let metrics = Arc::clone(&services.metrics);
        Ok(Totals { processed: metrics.processed(), rejected: metrics.rejected() })
    }
}

impl Pipeline {
    async fn flush_dead_letters(&self) {
        let Some(letters) = &self.dead_letters else { return };
        self.wait_for_shards().await;
        if timeout(DEAD_LETTERS_DEADLINE, letters.flush()).await.is_err() {
            tracing::warn!("dead letters are left unwritten");
        }
    }

    /// Waits until what was routed is applied: what a series refuses is a letter, too.
    async fn wait_for_shards(&self) {
        let shards = self.handle.services().shards.clone();
        let settled = spawn_blocking(move || {
            let mut answers = shards.ask(|reply| ShardMessage::Settle { reply })?;
            answers.try_for_each(|answer| answer)
        });
        if timeout(SHARDS_DEADLINE, settled).await.is_err() {
            tracing::warn!("the shards have not applied everything in time");
        }
    }

    /// Waits until each known scraper has fetched the last totals, but not longer
    /// than it is allowed, and not beyond a further signal.
    async fn linger(&self, mut hurry: Pin<&mut impl Stream<Item = &'static str>>) {
        let (scrapers, limit) = (&self.scrapers, self.settings.scrape.linger);
        scrapers.totals_are_final();
        let shows_totals = matches!(self.handle.gate().permit(), Ok(Permit::Everything(_)));
        if limit.is_zero() || !shows_totals || scrapers.missing() == 0 {
            return;
        }
        let (waiting_for, seconds) = (scrapers.missing(), limit.as_secs());
        tracing::info!(waiting_for, seconds, "waiting for scrapers to fetch the last totals");
        tokio::select! {
            () = scrapers.all_have_final_totals() => {
                tracing::info!("every known scraper has fetched the last totals");
            }
            () = sleep(limit) => {
                let missing = scrapers.missing();
                tracing::warn!(missing, "some scrapers have not fetched the last totals");
            }
            signal = hurry.next() => {
                let missing = scrapers.missing();
                tracing::warn!(signal, missing, "not waiting any longer for scrapers");
            }
        }
    }
}

/// How long the readers may take to finish: to route what they have taken, or to
/// write a last checkpoint and then to keep the queue while scrapers come.
fn readers_deadline(settings: &PipelineSettings) -> Duration {
    match settings.queue.once {
        Some(_) => LAST_CHECKPOINT_DEADLINE + settings.scrape.linger,
        None => READERS_DEADLINE,
    }
}
