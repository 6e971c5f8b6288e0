//! Recovering: what a holder does whose record has gone.
//!
//! Where somebody has deleted or damaged the owner hash alone, the rest still says
//! all that it said: the record is restored as it was. Where more has gone (a Redis
//! without persistence was restarted), the memory is the better copy and is
//! written as a whole under a new record; lists that are still there and were not
//! read are claimed again, under numbers that were never used.

use std::time::{Duration, Instant};

use psg_engine::timestamp::UnixTime;

use super::checkpoint_plan::{CheckpointPace, CheckpointPhase};
use super::context::Context;
use super::ledger::{ClaimedList, Ledger, Release};
use super::link::{Link, ScriptReply};
use super::owned::Owned;
use super::record::{Record, StreamPosition, fields_of_part, new_nonce, time_field};
use super::scripts::{self, Call};
use super::stage::OwnerStage;
use super::transition::{Outcome, Transition};
use crate::boot_clock::BootInstant;

/// Looks for a record that has gone, for each length of a lease.
const LOOKS: u32 = 8;

/// A record as the holder knows it, and what else has to be there for it to hold.
#[derive(Debug)]
struct KnownRecord {
    record: Record,
    head: Vec<u8>,
    /// Elements of the claimed lists, from the base on.
    lengths: Vec<u64>,
    /// When these were claimed, where that is known.
    times: Vec<(u64, UnixTime)>,
}

/// The record has gone, or is damaged, and this process was the last that held
/// it. What a record means that is there again is found out as after any cut.
pub(super) async fn recover(
    context: &mut Context,
    link: &mut Link,
    stage: &mut OwnerStage,
    damage: Option<String>,
) -> Outcome {
    let Some(owned) = stage.known() else {
        // Nothing was ever loaded: there is no memory to keep.
        return damage
            .map_or(Ok(Transition::StandBy), |damage| Err(context.access.unreadable(damage)));
    };
    let (now, lease) = (BootInstant::now(), context.settings.lease);
    let renewed = context.settings.holding.renewed_at();
    // Under a token of its own nobody else has held it since.
    if damage.is_none() && !context.absence.may_write(now, renewed, lease) {
        context.access.pause(lease / LOOKS).await;
        return Ok(Transition::Reconnect);
    }
    context.epoch += 1;
    for known in owned.known_records(context) {
        match link.run(put_back(context, &known)).await? {
            ScriptReply::Ok(_) => {
                let owner = &context.access.keys.owner;
                let what = damage.map(|damage| format!(" ({damage})")).unwrap_or_default();
                tracing::warn!("somebody has deleted or changed {owner}{what}: restored as it was");
                return Ok(Transition::Reconnect);
            }
            ScriptReply::Lost { .. } => return Err(context.displaced()),
            ScriptReply::Other(..) => {}
        }
    }
    match damage {
        Some(damage) => Err(context.access.unreadable(damage)),
        None => write_from_memory(context, link, stage).await,
    }
}

fn put_back(context: &Context, known: &KnownRecord) -> Call {
    let KnownRecord { record, head, lengths, times } = known;
    let keys = &context.access.keys;
    let call = context.fence().call(scripts::PUT_BACK, &[&keys.owner, &keys.state]);
    let call = call.arg(record.version).arg(record.tip).arg(record.base).arg(&record.index);
    let call = call.bytes(head).arg(context.settings.lease.as_millis()).arg(&keys.work);
    let call = call.arg(record.base.list).arg(lengths.len()).args(lengths);
    let fields = fields_of_part(record.layout, record.stream).into_iter();
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let times = times.iter().map(|(list, time)| (time_field(*list), time.micros().to_string()));
    let fields: Vec<(String, String)> = fields.chain(times).collect();
    call.fields(&fields).args(record.index.fields())
}

/// Writes a new record out of the memory.
async fn write_from_memory(
    context: &mut Context,
    link: &mut Link,
    stage: &mut OwnerStage,
) -> Outcome {
    // Before the script is sent: whether or not its answer comes, the memory must
    // not be replaced by the empty record that it writes.
    stage.keep_memory();
    let Some(owned) = stage.known() else { return Ok(Transition::StandBy) };
    tracing::warn!("redis has lost the state of the queue: writing it from memory");
    let version = owned.expected.version.next();
    owned.founding = Some(version);
    let last = owned.expected.claim.unwrap_or(owned.expected.tip).number;
    let Release { first, keep, trim } = owned.ledger.release_up_to(owned.ledger.position());
    let last_index = trim.map_or(-1, |(_, last)| i128::from(last));
    let call = context.fence().call(scripts::FOUND, &[&context.access.keys.owner]);
    let call =
        call.arg(version).arg(context.settings.lease.as_millis()).arg(&context.access.keys.work);
    let call = call.arg(first).arg(keep - first).arg((last + 1).saturating_sub(keep));
    let call = call.arg(last_index).arg(format!("{:x}", new_nonce()));
    let at = owned.ledger.place_of(owned.ledger.position());
    let stream = StreamPosition { at, line: owned.expected.line };
    let stream = context.access.part.has_places().then_some(stream);
    let mut call = call.fields(&fields_of_part(context.layout, stream));
    if stream.is_some() {
        let times = (keep..=last).map(|list| owned.ledger.claimed_at(list));
        call = call
            .args(times.map(|time| time.map(|time| time.micros().to_string()).unwrap_or_default()));
    }
    match link.run(call).await? {
        ScriptReply::Ok(_) => Ok(Transition::Reconnect),
        ScriptReply::Lost { .. } | ScriptReply::Other(..) => Err(context.displaced()),
    }
}

impl Owned {
    /// Goes on under a record that was written from memory, with the lists
    /// that were claimed again.
    pub(super) fn own_from_memory(
        &mut self,
        context: &Context,
        record: &Record,
        lists: Vec<ClaimedList>,
    ) {
        let was_whole = self.replay.is_none();
        let pace = CheckpointPace::new(Duration::ZERO, Instant::now());
        let ledger = Ledger::new(record.base, record.at(), lists);
        *self = Owned::new(record, Vec::new(), ledger, pace);
        self.write_all = true;
        if was_whole {
            // A memory that had every element before only gains by these.
            self.replay = None;
        }
        if self.replay.is_none() {
            context.caught_up();
        }
    }

    /// Whether a record says of its version what this process has written of it.
    pub(super) fn has_written(&self, context: &Context, record: &Record, head: &[u8]) -> bool {
        self.known_records(context).iter().any(|known| {
            let Record { version, base, index, stream, .. } = &known.record;
            (version, base, index, stream)
                == (&record.version, &record.base, &record.index, &record.stream)
                && known.head == head
        })
    }

    /// The record as it may have been, the likeliest first: a commit in doubt may
    /// be done.
    fn known_records(&self, context: &Context) -> Vec<KnownRecord> {
        let record = |version, ledger: &Ledger, index| Record {
            epoch: 0,
            version,
            tip: self.expected.tip,
            base: ledger.base(),
            index,
            layout: context.layout,
            stream: context.access.part.has_places().then(|| StreamPosition {
                at: ledger.place_of(ledger.base()),
                line: self.expected.line,
            }),
        };
        let mut known = Vec::new();
        if let CheckpointPhase::Committing(plan) = &self.phase {
            let mut ledger = self.ledger.clone();
            ledger.cover(plan.covered);
            known.push(KnownRecord {
                record: record(plan.new, &ledger, plan.index.clone()),
                head: plan.head.clone(),
                lengths: ledger.present().collect(),
                times: ledger.times().collect(),
            });
        }
        known.push(KnownRecord {
            record: record(self.expected.version, &self.ledger, self.index.clone()),
            head: self.head.clone(),
            lengths: self.ledger.present().collect(),
            times: self.ledger.times().collect(),
        });
        known
    }
}
