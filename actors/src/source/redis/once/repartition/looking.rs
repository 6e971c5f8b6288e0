//! Whether anything is on its way: then nothing may be moved.

use std::collections::BTreeMap;

use redis::cmd;

use super::super::loading::load_segments;
use super::super::part::Duty;
use super::super::record::NOTHING;
use super::{Held, RepartitionError, Slot, Work, odd, refused, sources_key};

/// What to do where a gateway has not ended cleanly.
const STOP_CLEANLY: &str = "start the gateways as they were, let them take everything, and stop \
                            them";

impl Work {
    /// Refuses where something is claimed and not covered, taken and not delivered, or
    /// waits where nobody will look for it.
    pub(super) async fn look(&mut self) -> Result<(), RepartitionError> {
        let mut ends = BTreeMap::new();
        for held in &self.held {
            let slot = &mut self.slots[held.slot];
            let Some((record, _)) = &held.record else { continue };
            let owner = &slot.keys(held.part.duty).owner;
            if record.base.list <= record.tip.number {
                let message = format!("{owner} speaks of lists that no checkpoint covers");
                return Err(refused(format!("{message}: {STOP_CLEANLY}")));
            }
            if held.part.duty == Duty::Router {
                nothing_is_undelivered(slot, held).await?;
                ends.insert(held.part.partition, record.at());
            }
        }
        for slot in &mut self.slots {
            if slot.number < self.plan.from.get() {
                places_are_known(slot, &ends).await?;
            }
            let mut queues = vec![slot.home.queue.clone()];
            if slot.number >= self.plan.to.get() {
                queues.push(slot.intake.queue.clone());
            }
            for queue in queues {
                if slot.ask::<bool>(cmd("EXISTS").arg(&queue)).await? {
                    let message = format!("{queue} is not empty");
                    return Err(refused(format!("{message}: {STOP_CLEANLY}")));
                }
            }
        }
        Ok(())
    }
}

async fn nothing_is_undelivered(slot: &mut Slot, held: &Held) -> Result<(), RepartitionError> {
    let Some((record, _)) = &held.record else { return Ok(()) };
    let keys = slot.intake.clone();
    let segments = load_segments(&keys.state, &mut slot.link, &record.index).await?;
    let segments =
        segments.ok_or_else(|| refused(format!("segments are missing in {}", keys.state)))?;
    if segments.iter().all(|stored| stored.bytes == NOTHING) {
        return Ok(());
    }
    let owner = &keys.owner;
    Err(refused(format!("{owner} has samples that no home has taken yet: {STOP_CLEANLY}")))
}

/// No home may have more of a router's stream than that knows of.
async fn places_are_known(
    slot: &mut Slot,
    ends: &BTreeMap<usize, u64>,
) -> Result<(), RepartitionError> {
    let sources = sources_key(&slot.home);
    let places: Vec<(String, String)> = slot.ask(cmd("HGETALL").arg(&sources)).await?;
    for (field, value) in places {
        let router = field.split(':').next().and_then(|router| router.parse().ok());
        let place = value.rsplit(' ').next().and_then(|place| place.parse::<u64>().ok());
        let (Some(router), Some(place)) = (router, place) else { return Err(odd(&sources).into()) };
        let is_known = ends.get(&router).is_none_or(|end| place <= *end);
        if !is_known {
            let message = format!("{sources} has a place that partition {router} does not know");
            return Err(refused(format!("{message}: {STOP_CLEANLY}")));
        }
    }
    Ok(())
}
