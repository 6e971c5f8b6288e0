//! The forwarder: what a router of a partition does with samples. It takes them in as a
//! gateway does, but adds them up as [deltas](crate::partition::delta), by the lanes in
//! which they go to the homes of their metrics. What a home decides, about types,
//! layouts and limits, is not decided here: there is nothing that a delta can't say.
//!
//! Which lane a sample goes to, and what a delta comes to, depend on nothing but the
//! samples and the settings: who reads the same stream again comes to the same.

mod delta_store;
mod lanes;

use crate::catalog::Catalog;
use crate::intake::{Intake, IntakeSettings};
use crate::partition::{Chunk, Lane, LaneSet, Partitions};
use crate::reject::{DroppedExemplar, Reject};
use crate::series::ReaderIndex;
use crate::sharding::{ShardCount, ShardIndex};
use crate::state::StateError;
use crate::timestamp::{Moment, UnixTime};
use crate::wire::UnknownFields;
use delta_store::DeltaStore;

/// What a forwarder is tuned by.
#[derive(Debug, Clone)]
pub struct ForwarderSettings {
    /// How payloads are taken in.
    pub intake: IntakeSettings,
    /// How many homes there are.
    pub partitions: Partitions,
}

/// One router's samples on their way.
#[derive(Debug)]
pub struct Forwarder {
    settings: ForwarderSettings,
    intake: Intake,
    deltas: DeltaStore,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct TakenBatch {
    /// Samples that lanes took.
    pub taken: u64,
    /// Samples of lanes that were not open.
    pub passed_over: u64,
    /// Samples that were not recognised and had to be parsed, refused ones included.
    pub parsed: u64,
    /// The newest timestamp that an accepted payload had.
    pub newest: Option<UnixTime>,
    /// Unknown fields of the samples that were parsed.
    pub unknown_fields: UnknownFields,
    /// Exemplars that were dropped, by [`DroppedExemplar`].
    pub dropped_exemplars: [u64; DroppedExemplar::ALL.len()],
}

/// All series are in one shard, as to the intake.
const SHARD: ShardIndex = ShardIndex(0);

impl Forwarder {
    /// One without deltas.
    pub fn new(settings: ForwarderSettings) -> Self {
        // Nothing is refused but for what the payload says itself.
        let intake = IntakeSettings { overflow: false, ..settings.intake.clone() };
        let catalog = Catalog::of_variants();
        let native = settings.intake.native.clone();
        Self {
            intake: Intake::new(intake, catalog, ShardCount::new(1), ReaderIndex(0)),
            deltas: DeltaStore::new(settings.partitions, native),
            settings,
        }
    }

    /// Forgets all deltas and series.
    pub fn clear(&mut self) {
        *self = Self::new(self.settings.clone());
    }

    /// Takes elements of one claim, all at places at which the lanes in `open` take what
    /// is theirs; what others' is has been delivered. `refuse` is told the bytes of each
    /// sample that is refused, and why.
    pub fn take_batch<'e>(
        &mut self,
        elements: impl IntoIterator<Item = &'e [u8]>,
        claimed_at: UnixTime,
        now: Moment,
        open: &LaneSet,
        mut refuse: impl FnMut(&[u8], Reject),
    ) -> TakenBatch {
        let Self { intake, deltas, .. } = self;
        intake.begin(claimed_at);
        for element in elements {
            intake.route(element, &mut refuse);
        }
        intake.define_with(|_, key| Ok(deltas.define(key)));
        let routed = intake.finish();
        debug_assert!(routed.refused.is_empty(), "a store of deltas refuses nothing");
        let mut taken = TakenBatch {
            parsed: routed.parsed,
            newest: routed.newest,
            unknown_fields: routed.unknown_fields,
            dropped_exemplars: routed.dropped_exemplars,
            ..TakenBatch::default()
        };
        for updates in &routed.updates {
            let (into_lanes, passed_over) = deltas.apply(updates, now, open);
            taken.taken += into_lanes;
            taken.passed_over += passed_over;
        }
        taken
    }

    /// About how many bytes of frames a lane has.
    pub fn bytes(&self, lane: Lane) -> usize {
        self.deltas.lane(lane).bytes()
    }

    /// How many samples a lane has.
    pub fn samples(&self, lane: Lane) -> u64 {
        self.deltas.lane(lane).samples()
    }

    /// How many series it keeps in memory.
    pub fn series(&self) -> usize {
        self.deltas.series()
    }

    /// Takes all off a lane; `None` where there is nothing.
    pub fn flush(&mut self, lane: Lane) -> Option<Chunk> {
        self.deltas.flush(lane)
    }

    /// What a lane has, to be stored. It stays there.
    pub fn segment(&self, lane: Lane) -> Vec<u8> {
        self.deltas.copy(lane).map_or(Vec::new(), |chunk| chunk.encode())
    }

    /// Gives a lane what was stored of one; what it takes then comes after that.
    pub fn restore(&mut self, lane: Lane, segment: &[u8]) -> Result<(), StateError> {
        if !segment.is_empty() {
            self.deltas.restore(lane, Chunk::decode(segment)?);
        }
        Ok(())
    }

    /// The lanes whose segments have changed since the last call.
    pub fn take_changed(&mut self) -> LaneSet {
        self.deltas.take_changed()
    }

    /// Lets go of series that had no sample for a while; to be called now and then,
    /// between two batches.
    pub fn forget_idle(&mut self, now: Moment) {
        let idle = self.deltas.idle(now);
        if idle.is_empty() {
            return;
        }
        self.intake.forget(SHARD, &idle);
        for updates in self.intake.finish().updates {
            self.deltas.apply(&updates, now, &LaneSet::default());
        }
    }
}
