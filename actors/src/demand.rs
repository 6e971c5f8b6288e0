//! Demand: whoever has changed the memory and must know that the change is safe
//! asks for a checkpoint, and waits until one is committed that began later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, watch};

/// The side that asks; cheap to clone.
#[derive(Debug, Clone)]
pub struct Demand {
    shared: Arc<Shared>,
    met: watch::Receiver<u64>,
}

/// The side that writes checkpoints. There is one.
#[derive(Debug)]
pub struct Supply {
    shared: Arc<Shared>,
    met: watch::Sender<u64>,
}

/// How many demands a checkpoint meets: those that came before it began.
#[derive(Debug, Clone, Copy, Default)]
pub struct Demands(u64);

/// Nobody writes checkpoints any more.
#[derive(Debug, thiserror::Error)]
#[error("the gateway ends")]
pub struct SupplyGone;

#[derive(Debug, Default)]
struct Shared {
    /// Demands so far.
    count: AtomicU64,
    got: Notify,
}

/// Both sides.
pub fn demand() -> (Demand, Supply) {
    let shared = Arc::new(Shared::default());
    let (sender, met) = watch::channel(0);
    (Demand { shared: shared.clone(), met }, Supply { shared, met: sender })
}

impl Demand {
    /// Whether what somebody asked for is not safe yet.
    pub fn is_open(&self) -> bool {
        self.shared.count.load(Ordering::Acquire) > *self.met.borrow()
    }

    /// Asks for a checkpoint that has all that the shards have now, and waits
    /// until it is committed.
    ///
    /// # Errors
    /// None will be.
    pub async fn meet(&self) -> Result<(), SupplyGone> {
        let number = self.shared.count.fetch_add(1, Ordering::AcqRel) + 1;
        self.shared.got.notify_one();
        let mut met = self.met.clone();
        met.wait_for(|met| *met >= number).await.map(|_| ()).map_err(|_| SupplyGone)
    }
}

impl Supply {
    /// Whether a checkpoint was asked for that has not been committed.
    pub fn is_wanted(&self) -> bool {
        self.shared.count.load(Ordering::Acquire) > *self.met.borrow()
    }

    /// Waits for the next demand. May be dropped and called again.
    pub async fn asked(&self) {
        self.shared.got.notified().await;
    }

    /// What a checkpoint will meet that begins now.
    pub fn begin(&self) -> Demands {
        Demands(self.shared.count.load(Ordering::Acquire))
    }

    /// That checkpoint is committed.
    pub fn committed(&self, Demands(met): Demands) {
        self.met.send_replace(met);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_met(waiting: std::pin::Pin<&mut impl Future<Output = Result<(), SupplyGone>>>) -> bool {
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
        let (demand, supply) = demand();
        assert!(!supply.is_wanted());
        let under_way = supply.begin();
        let mut waiting = pin!(demand.meet());
        assert!(!is_met(waiting.as_mut()));
        assert!(supply.is_wanted());
        supply.committed(under_way);
        assert!(!is_met(waiting.as_mut()));
        assert!(supply.is_wanted() && demand.is_open());
        let later = supply.begin();
        supply.committed(later);
        assert!(is_met(waiting.as_mut()));
        assert!(!supply.is_wanted() && !demand.is_open());
    }

    #[tokio::test]
    async fn who_writes_is_woken_and_missed_when_gone() {
        let (demand, supply) = demand();
        let writes = async move { supply.asked().await };
        let (outcome, ()) = tokio::join!(demand.meet(), writes);
        assert!(outcome.is_err());
    }
}
