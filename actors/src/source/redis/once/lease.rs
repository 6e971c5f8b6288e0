//! The lease beside the reader: the reader renews it with all else that it asks,
//! but it may be held up, by full inboxes or by a state that is being loaded.
//! Then the *keeper*, which waits for nothing of that, does it over a connection
//! of its own: a gateway that works must not lose its queue for being busy.
//!
//! The keeper decides nothing. A renewal that is refused is left to the reader,
//! whose next answer says the same.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::keys::Keys;
use super::link::{Link, ScriptReply};
use super::scripts::Fence;
use crate::boot_clock::BootInstant;
use crate::serving_gate::ServingGate;
use crate::source::SourceError;
use crate::source::redis::shared_queue::SharedQueue;

/// The keeper steps in when nothing was renewed for this part of a lease, of
/// which the reader lets a third pass.
const OVERDUE: u32 = 2;
/// Looks of the keeper for each length of a lease.
const LOOKS: u32 = 8;

/// What reader and keeper know of the lease; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Holding(Arc<Mutex<Option<HeldLease>>>);

#[derive(Debug, Clone)]
struct HeldLease {
    epoch: u64,
    token: String,
    /// When the last renewal that was granted was sent.
    renewed: BootInstant,
}

/// Renews the lease when the reader does not.
#[derive(Debug)]
pub(in crate::source::redis) struct LeaseKeeper {
    queue: Arc<SharedQueue>,
    keys: Keys,
    holding: Holding,
    gate: ServingGate,
    length: Duration,
    link: Option<Link>,
}

impl Holding {
    /// The queue is held under this epoch, by a lease that was asked for then.
    pub(super) fn hold(&self, epoch: u64, token: &str, sent: BootInstant) {
        *self.0.lock() = Some(HeldLease { epoch, token: token.to_owned(), renewed: sent });
    }

    /// A renewal that was sent then was granted.
    pub(super) fn renewed(&self, sent: BootInstant) {
        if let Some(held) = &mut *self.0.lock() {
            held.renewed = held.renewed.max(sent);
        }
    }

    /// The queue is held no longer.
    pub(super) fn let_go(&self) {
        *self.0.lock() = None;
    }

    /// When the last renewal that was granted was sent, while it is held.
    pub(super) fn renewed_at(&self) -> Option<BootInstant> {
        self.0.lock().as_ref().map(|held| held.renewed)
    }

    /// What is held, where nobody has renewed it for too long.
    fn overdue(&self, length: Duration) -> Option<HeldLease> {
        let held = self.0.lock().clone()?;
        (BootInstant::now().since(held.renewed) >= length / OVERDUE).then_some(held)
    }
}

impl LeaseKeeper {
    /// Opens nothing before it is needed.
    pub fn new(
        queue: Arc<SharedQueue>,
        keys: Keys,
        holding: Holding,
        gate: ServingGate,
        length: Duration,
    ) -> Self {
        Self { queue, keys, holding, gate, length, link: None }
    }

    /// Looks after the lease as long as the process runs. Not to be run on the
    /// reader's thread.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(self.length / LOOKS).await;
            match self.holding.overdue(self.length) {
                None => self.link = None,
                Some(held) => {
                    if let Err(cause) = self.renew(&held).await {
                        tracing::debug!(%cause, "the lease was not renewed beside the reader");
                        self.link = None;
                    }
                }
            }
        }
    }

    async fn renew(&mut self, held: &HeldLease) -> Result<(), SourceError> {
        let link = match self.link.take() {
            Some(link) => link,
            None => Link::connect(&self.queue).await?,
        };
        let link = self.link.insert(link);
        let sent = BootInstant::now();
        let fence = Fence { epoch: held.epoch, token: &held.token };
        if let ScriptReply::Ok(_) = link.run(fence.renewal(&self.keys, self.length)).await? {
            self.gate.lease_until(sent.after(self.length));
            self.holding.renewed(sent);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(10);

    fn ago(seconds: u64) -> BootInstant {
        let now = BootInstant::now().since(BootInstant::at(Duration::ZERO));
        BootInstant::at(now.saturating_sub(Duration::from_secs(seconds)))
    }

    #[test]
    fn the_keeper_steps_in_only_while_the_queue_is_held_and_late() {
        let holding = Holding::default();
        assert!(holding.overdue(LENGTH).is_none(), "nothing is held");
        holding.hold(7, "token", ago(4));
        assert!(holding.overdue(LENGTH).is_none(), "the reader's time has not passed");
        holding.hold(7, "token", ago(6));
        assert_eq!(holding.overdue(LENGTH).map(|held| held.epoch), Some(7));
        holding.renewed(ago(8));
        assert!(holding.overdue(LENGTH).is_some(), "an older renewal takes nothing back");
        holding.renewed(ago(1));
        assert!(holding.overdue(LENGTH).is_none(), "somebody has renewed it");
        holding.hold(8, "token", ago(9));
        holding.let_go();
        assert!(holding.overdue(LENGTH).is_none(), "it was given back");
    }
}
