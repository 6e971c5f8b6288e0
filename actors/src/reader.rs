//! A reader: the actor that takes elements from its source and routes them.
//! The loop around the source is written here, once for every kind of source.

mod dispatcher;

use std::pin::pin;

use crate::backoff::Backoff;
use crate::shard_set::ShardsGone;
use crate::source::{QueueSource, Taken};
use crate::stop::StopSignal;

pub use dispatcher::{Dispatcher, DispatcherSettings};

/// The reader's data. [`Reader::run`] is its life.
#[derive(Debug)]
pub struct Reader<S> {
    source: S,
    dispatcher: Dispatcher,
    stop: StopSignal,
}

impl<S: QueueSource> Reader<S> {
    /// A reader that works until its source has ended.
    pub fn new(source: S, dispatcher: Dispatcher, stop: StopSignal) -> Self {
        Self { source, dispatcher, stop }
    }

    /// Takes and routes until the stop signal has come and all that was taken
    /// is in the shards' inboxes.
    pub async fn run(mut self) {
        // The shards have ended: so has the process.
        let _ = self.work().await;
    }

    async fn work(&mut self) -> Result<(), ShardsGone> {
        let Self { source, dispatcher, stop } = self;
        let mut backoff = Backoff::default();
        loop {
            match handling_expiry(dispatcher, source.take()).await? {
                Ok(Taken::Batch(batch)) => {
                    backoff.reset();
                    dispatcher.dispatch(batch).await?;
                }
                Ok(Taken::Forget) => {
                    backoff.reset();
                    dispatcher.forget_all();
                }
                Ok(Taken::Ended) => return Ok(()),
                Err(error) => {
                    tracing::debug!(kind = error.kind.as_str(), %error, "nothing could be taken");
                    handling_expiry(dispatcher, wait(stop, backoff.delay())).await?;
                }
            }
        }
    }
}

async fn wait(stop: &mut StopSignal, delay: std::time::Duration) {
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = stop.stopped() => {}
    }
}

/// Waits for `future`, and meanwhile gives back at once what shards let
/// expire. The future is never dropped before it is done.
async fn handling_expiry<F: Future>(
    dispatcher: &mut Dispatcher,
    future: F,
) -> Result<F::Output, ShardsGone> {
    let mut future = pin!(future);
    loop {
        tokio::select! {
            biased;
            output = &mut future => return Ok(output),
            handled = dispatcher.handle_expiry() => handled?,
        }
    }
}
