//! The new states, made of the old ones and written beside them.

use psg_engine::regroup::{GatewayState, RegroupSettings, Regrouped, regroup};
use psg_engine::state::Head;

use super::super::link::ScriptReply;
use super::super::loading::load_segments;
use super::super::part::Duty;
use super::super::record::{Revision, SegmentIndex, field, new_nonce};
use super::super::scripts;
use super::{RepartitionError, Work, next_key, odd, refused};

/// Bytes that one script writes, but for a segment that is larger.
const STAGE_BYTES: usize = 128 * 1024;

impl Work {
    /// Writes what each record is to become, and says so in its `next`.
    pub(super) async fn stage(
        &mut self,
        settings: &RegroupSettings,
    ) -> Result<Regrouped, RepartitionError> {
        let states = self.states().await?;
        let to = self.plan.to;
        let made = regroup(&states, settings, to.get(), |name| to.home_of(name));
        let made =
            made.map_err(|cause| refused(format!("the totals are left as they are: {cause}")))?;
        for (partition, state) in made.states.iter().enumerate() {
            // Nothing was ever stored: the new homes begin as gateways do.
            if !states.is_empty() {
                self.stage_one(partition, state).await?;
            }
        }
        Ok(made)
    }

    /// What the homes have stored; those that never wrote a checkpoint have nothing.
    async fn states(&mut self) -> Result<Vec<GatewayState>, RepartitionError> {
        let mut states = Vec::new();
        for held in self.held.iter().filter(|held| held.part.duty != Duty::Router) {
            let Some((record, head)) = &held.record else { continue };
            if head.is_empty() {
                continue;
            }
            let slot = &mut self.slots[held.slot];
            let keys = slot.keys(held.part.duty).clone();
            let head = Head::decode(head)
                .map_err(|cause| refused(format!("{}: its head: {cause}", keys.owner)))?;
            let segments = load_segments(&keys.state, &mut slot.link, &record.index).await?;
            let segments = segments
                .ok_or_else(|| refused(format!("segments are missing in {}", keys.state)))?;
            states.push(GatewayState { head, segments });
        }
        Ok(states)
    }

    async fn stage_one(
        &mut self,
        partition: usize,
        state: &GatewayState,
    ) -> Result<(), RepartitionError> {
        let duty = if self.plan.to.get() == 1 { Duty::Whole } else { Duty::Home };
        // That of partition 0 is held as the router's where there will be one partition.
        let holder = |held: &&super::Held| {
            let is_intake = held.part.duty != Duty::Home;
            held.slot == partition && is_intake == (duty == Duty::Whole)
        };
        let held = self.held.iter().find(holder).ok_or_else(|| odd("hold"))?;
        let slot = &mut self.slots[partition];
        let keys = slot.keys(duty).clone();
        let fence = held.fence(&self.token);
        let old = held.record.as_ref().map_or(0, |(record, _)| record.version.number);
        let version = Revision { number: old + 1, nonce: new_nonce() };
        let mut index = SegmentIndex::default();
        let mut rest = &state.segments[..];
        while !rest.is_empty() {
            let mut call = fence.call(scripts::PREPARE, &[&keys.owner, &keys.state]);
            let mut bytes = 0;
            while let [stored, others @ ..] = rest {
                if bytes > 0 && bytes + stored.bytes.len() > STAGE_BYTES {
                    break;
                }
                let number = stored.segment.get() as u16;
                index.set(number, version);
                bytes += stored.bytes.len();
                call = call.arg(field(number, version)).bytes(&stored.bytes);
                rest = others;
            }
            expect_ok("prepare", slot.link.run(call).await?)?;
        }
        let call = fence.call(scripts::NOTE, &[&keys.owner, &next_key(&keys)]);
        let call = call.arg("version").arg(version).arg("index").arg(&index);
        let call = call.arg("head").bytes(&state.head.encode());
        expect_ok("note", slot.link.run(call).await?)
    }
}

pub(super) fn expect_ok(name: &str, reply: ScriptReply) -> Result<(), RepartitionError> {
    match reply {
        ScriptReply::Ok(_) => Ok(()),
        ScriptReply::Lost { .. } => Err(refused(
            "a gateway has started meanwhile: stop all gateways, and run this again".to_owned(),
        )),
        ScriptReply::Other(..) => Err(odd(name).into()),
    }
}
