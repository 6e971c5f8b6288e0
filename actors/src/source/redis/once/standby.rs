//! Standing by: who does not own the queue looks who does, and takes it over where
//! that is right.

use std::time::Duration;

use super::access::Access;
use super::context::{Context, Raised};
use super::interruption::Interruption;
use super::link::Link;
use super::stored::{FIELDS, Misfit, OF_OWNER, Stored};
use super::transition::{Outcome, Transition};
use super::watch::{Owner, Watch};
use crate::boot_clock::BootInstant;

/// How often a standby looks, at least.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Standby {
    watch: Watch,
    is_announced: bool,
}

/// What a standby saw when it was time to take the queue over.
#[derive(Debug)]
pub(super) struct Seen {
    stored: Stored,
    owner: Owner,
}

impl Standby {
    /// How long it waits between two looks.
    pub fn pace(lease: Duration) -> Duration {
        (lease / 4).min(LONGEST_LOOK)
    }

    /// Looks who owns the queue, and takes it over where that is right.
    pub async fn step(&mut self, context: &mut Context, link: &mut Link) -> Outcome {
        let lease = context.settings.lease;
        if let Some(seen) = self.look(&mut context.access, link, lease).await? {
            let taken = take_over(context, link, seen).await;
            if taken.is_err() {
                // There is nobody to stand by for any longer.
                self.is_announced = false;
            }
            return taken;
        }
        context.access.works();
        if !std::mem::replace(&mut self.is_announced, true) {
            tracing::info!("standing by: another gateway owns the queue");
        }
        context.settings.gate.stand_by();
        context.access.pause(Self::pace(lease)).await;
        Ok(Transition::Stay)
    }

    /// Looks who owns the queue; what was seen, where it is time to take it over.
    pub async fn look(
        &mut self,
        access: &mut Access,
        link: &mut Link,
        lease: Duration,
    ) -> Result<Option<Seen>, Interruption> {
        let stored = access.look(link, &FIELDS[..OF_OWNER]).await?;
        let owner = Owner::of(&stored, access.part);
        let is_due = self.watch.may_take(&owner, BootInstant::now(), lease);
        Ok((is_due || owner.has_ended()).then_some(Seen { stored, owner }))
    }
}

/// Takes the queue over, where nothing has changed since it was looked at.
pub(super) async fn take_over(context: &mut Context, link: &mut Link, seen: Seen) -> Outcome {
    let taken = try_to_take(context, link, seen).await;
    if taken.is_err() {
        context.settings.gate.close("the queue could not be taken over yet");
    }
    taken
}

async fn try_to_take(context: &mut Context, link: &mut Link, seen: Seen) -> Outcome {
    let Seen { stored, owner } = seen;
    let (token, deadline) = match owner {
        Owner::Nobody => Default::default(),
        Owner::Damaged(damage) => return Err(context.access.unreadable(damage)),
        Owner::Elsewhere(other) => return Err(context.access.split_otherwise(other)),
        Owner::Released { .. } => (String::new(), "*".to_owned()),
        Owner::Holder { token, deadline, .. } => (token, deadline),
    };
    let whole = context.access.look(link, &FIELDS).await?;
    if !whole.has_the_owner_of(&stored) {
        return Ok(Transition::Stay);
    }
    if whole.is_absent() {
        context.access.check_the_first().await?;
    }
    let epoch = match whole.record(context.expected()) {
        _ if whole.is_absent() => None,
        Ok((record, _)) => Some(record.epoch),
        Err(Misfit::OtherLayout(other)) => return Err(context.access.split_otherwise(other)),
        Err(Misfit::Damage(damage)) => return Err(context.access.unreadable(damage)),
    };
    match context.raise(link, epoch, &token, &deadline).await? {
        // Another standby was faster, or the owner is back.
        Raised::Lost | Raised::Gone => Ok(Transition::Stay),
        Raised::Damaged(damage) => Err(context.access.unreadable(damage)),
        Raised::Record(record, _) => {
            context.access.is_taken();
            let queue = &context.access.keys.queue;
            tracing::info!(epoch = record.epoch, queue, "this gateway owns the queue");
            context.settings.gate.close("the last checkpoint is being loaded");
            Ok(Transition::Load)
        }
    }
}
