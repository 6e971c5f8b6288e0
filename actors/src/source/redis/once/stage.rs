//! The stages of an owner.

use super::candidates::Candidates;
use super::loading::LoadingStage;
use super::owned::Owned;
use super::standby::Standby;

/// What the source is to the queue.
pub(super) enum OwnerStage {
    /// Of several parts of a queue none is owned yet.
    Choosing(Candidates),
    StandingBy(Standby),
    /// Its owner, but the memory is not what Redis says.
    Loading(LoadingStage),
    /// Its owner, with the right memory.
    Owning(Box<Owned>),
    /// Nothing more is taken.
    Ended,
}

impl OwnerStage {
    /// What is known of the memory that is still there, if anything.
    pub fn known(&mut self) -> Option<&mut Box<Owned>> {
        match self {
            OwnerStage::Owning(owned) => Some(owned),
            OwnerStage::Loading(loading) => loading.known.as_mut(),
            OwnerStage::Choosing(_) | OwnerStage::StandingBy(_) | OwnerStage::Ended => None,
        }
    }

    /// Goes on with the memory as it is, though Redis says something else.
    pub fn keep_memory(&mut self) {
        if let OwnerStage::Loading(LoadingStage { known, .. }) = self
            && let Some(owned) = known.take()
        {
            *self = OwnerStage::Owning(owned);
        }
    }
}
