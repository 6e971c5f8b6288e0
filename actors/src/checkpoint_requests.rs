//! Requests for checkpoints: a change of the memory that has to be safe before it
//! is confirmed asks for one, and waits until one is committed that began later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, watch};

/// The side that asks; cheap to clone.
#[derive(Debug, Clone)]
pub struct CheckpointRequester {
    requested: Arc<Requested>,
    covered: watch::Receiver<u64>,
}

/// The side that writes checkpoints. There is one.
#[derive(Debug)]
pub struct CheckpointRequests {
    requested: Arc<Requested>,
    covered: watch::Sender<u64>,
}

/// How many requests a checkpoint covers: those that came before it began.
#[derive(Debug, Clone, Copy, Default)]
pub struct CoveredRequests(u64);

/// Nobody writes checkpoints any more.
#[derive(Debug, thiserror::Error)]
#[error("the gateway is shutting down")]
pub struct NoMoreCheckpoints;

#[derive(Debug, Default)]
struct Requested {
    count: AtomicU64,
    arrived: Notify,
}

/// Both sides.
pub fn checkpoint_requests() -> (CheckpointRequester, CheckpointRequests) {
    let requested = Arc::new(Requested::default());
    let (sender, covered) = watch::channel(0);
    let requester = CheckpointRequester { requested: requested.clone(), covered };
    (requester, CheckpointRequests { requested, covered: sender })
}

impl CheckpointRequester {
    /// Whether a requested checkpoint is not committed yet.
    pub fn is_pending(&self) -> bool {
        self.requested.count.load(Ordering::Acquire) > *self.covered.borrow()
    }

    /// Asks for a checkpoint that has all that the shards have now, and waits
    /// until it is committed.
    pub async fn request(&self) -> Result<(), NoMoreCheckpoints> {
        let number = self.requested.count.fetch_add(1, Ordering::AcqRel) + 1;
        self.requested.arrived.notify_one();
        let mut covered = self.covered.clone();
        covered
            .wait_for(|covered| *covered >= number)
            .await
            .map(drop)
            .map_err(|_| NoMoreCheckpoints)
    }
}

impl CheckpointRequests {
    /// Whether a requested checkpoint is not committed yet.
    pub fn is_pending(&self) -> bool {
        self.requested.count.load(Ordering::Acquire) > *self.covered.borrow()
    }

    /// Waits for the next request. May be dropped and called again.
    pub async fn next(&self) {
        self.requested.arrived.notified().await;
    }

    /// What a checkpoint covers that begins now.
    pub fn cover(&self) -> CoveredRequests {
        CoveredRequests(self.requested.count.load(Ordering::Acquire))
    }

    /// The checkpoint that covers those is committed.
    pub fn committed(&self, CoveredRequests(covered): CoveredRequests) {
        self.covered.send_replace(covered);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_covered(
        waiting: std::pin::Pin<&mut impl Future<Output = Result<(), NoMoreCheckpoints>>>,
    ) -> bool {
        match waiting.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => false,
            Poll::Ready(outcome) => {
                outcome.unwrap();
                true
            }
        }
    }

    #[test]
    fn only_a_checkpoint_that_began_later_will_do() {
        let (requester, requests) = checkpoint_requests();
        assert!(!requests.is_pending());
        let under_way = requests.cover();
        let mut waiting = pin!(requester.request());
        assert!(!is_covered(waiting.as_mut()));
        assert!(requests.is_pending());
        requests.committed(under_way);
        assert!(!is_covered(waiting.as_mut()));
        assert!(requests.is_pending() && requester.is_pending());
        let later = requests.cover();
        requests.committed(later);
        assert!(is_covered(waiting.as_mut()));
        assert!(!requests.is_pending() && !requester.is_pending());
    }

    #[tokio::test]
    async fn who_writes_is_woken_and_missed_when_gone() {
        let (requester, requests) = checkpoint_requests();
        let writes = async move { requests.next().await };
        let (outcome, ()) = tokio::join!(requester.request(), writes);
        assert!(outcome.is_err());
    }
}
