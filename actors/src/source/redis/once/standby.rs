//! Standing by: who does not own the queue looks who does, and takes it over where
//! that is right.

use std::time::Duration;

use super::context::{Context, Raised};
use super::link::Link;
use super::stored::{FIELDS, OF_OWNER, Stored};
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

impl Standby {
    /// Looks who owns the queue, and takes it over where that is right.
    pub async fn step(&mut self, context: &mut Context, link: &mut Link) -> Outcome {
        let seen = context.look(link, &FIELDS[..OF_OWNER]).await?;
        let owner = Owner::of(&seen);
        let lease = context.settings.lease;
        if self.watch.may_take(&owner, BootInstant::now(), lease) || owner.has_ended() {
            let taken = take_over(context, link, &seen, owner).await;
            if taken.is_err() {
                // There is nobody to stand by for any longer.
                self.is_announced = false;
                context.settings.gate.close("the queue could not be taken over yet");
            }
            return taken;
        }
        context.works();
        if !std::mem::replace(&mut self.is_announced, true) {
            tracing::info!("standing by: another gateway owns the queue");
        }
        context.settings.gate.stand_by();
        context.pause((lease / 4).min(LONGEST_LOOK)).await;
        Ok(Transition::Stay)
    }
}

async fn take_over(context: &mut Context, link: &mut Link, seen: &Stored, owner: Owner) -> Outcome {
    let (token, deadline) = match owner {
        Owner::Nobody => Default::default(),
        Owner::Damaged(damage) => return Err(context.unreadable(damage)),
        Owner::Released { .. } => (String::new(), "*".to_owned()),
        Owner::Holder { token, deadline, .. } => (token, deadline),
    };
    let whole = context.look(link, &FIELDS).await?;
    if !whole.has_the_owner_of(seen) {
        return Ok(Transition::Stay);
    }
    let epoch = match whole.record(context.memory.head_check()) {
        _ if whole.is_absent() => None,
        Ok((record, _)) => Some(record.epoch),
        Err(damage) => return Err(context.unreadable(damage)),
    };
    match context.raise(link, epoch, &token, &deadline).await? {
        // Another standby was faster, or the owner is back.
        Raised::Lost | Raised::Gone => Ok(Transition::Stay),
        Raised::Damaged(damage) => Err(context.unreadable(damage)),
        Raised::Record(record, _) => {
            context.works();
            tracing::info!(epoch = record.epoch, "this gateway owns the queue");
            context.settings.gate.close("the last checkpoint is being loaded");
            Ok(Transition::Load)
        }
    }
}
