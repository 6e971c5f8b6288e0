//! A snapshot: the state of one shard at one point, written in slices while
//! samples go on being applied.
//!
//! A snapshot is a barrier: a shard's answer is its state at exactly that point
//! of its inbox, though it goes on applying. It goes through the slots once, then
//! through the tombstones, in slices with messages in between, and appends each
//! to its segment. A series that is about to change before its turn is written
//! first, as it still is (copy on write, series by series), and a tombstone that
//! goes before its turn leaves a copy. So nothing waits for more than a slice.
//!
//! Where only changed segments are asked for, each sample marks the segment of
//! its series. Marks that went into a snapshot are kept until it is committed,
//! so one that is given up loses nothing.

use super::extras::SeriesExtras;
use super::sets::{NumberSet, SegmentSet};
use super::tick::milliseconds_of;
use super::tombstones::Tombstone;
use super::{Series, Store, held};
use crate::catalog::Admission;
use crate::exemplar::KeptExemplar;
use crate::record::{SeriesRecord, TombstoneRecord};
use crate::series::Slot;
use crate::sharding::{SEGMENTS, Segment, ShardCount};
use crate::state::{Instants, SegmentWriter, StoredSegment, StoredSeries, StoredTombstone};
use crate::timestamp::UnixTime;

/// Bytes that cost about as much as visiting another series.
const BYTES_PER_UNIT: usize = 128;

/// What a snapshot has to have.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotOrder {
    /// Rises from one to the next; see [`Store::snapshot_committed`].
    pub number: u64,
    /// Whether all segments are asked for; else those that have changed since a
    /// committed one, where changes are watched.
    pub all: bool,
    /// When it is taken, the same for every shard.
    pub taken: Instants,
}

/// How far a snapshot is.
#[derive(Debug)]
pub enum Snapshot {
    /// There is none.
    None,
    /// Something is left to write.
    UnderWay,
    /// The segments that were asked for, those without any series included.
    Done(Vec<StoredSegment>),
}

/// A snapshot under way.
#[derive(Debug)]
pub(super) struct SnapshotJob {
    taken: Instants,
    wanted: SegmentSet,
    /// Whether it is stored when totals began.
    has_created: bool,
    /// By number of the segment; of those that are wanted.
    writers: Box<[Option<SegmentWriter>]>,
    /// The slots from here on have yet to be visited,
    next: usize,
    /// up to the number that there were when it began,
    end: usize,
    /// but for these.
    skipped: NumberSet,
    /// Tombstones are left to visit, once all slots were.
    has_tombstones: bool,
    /// Which segment is to be finished next, once all of them were visited.
    finishing: usize,
    done: Vec<StoredSegment>,
}

impl SnapshotJob {
    /// Leaves out what is in a slot.
    pub fn skip(&mut self, slot: Slot) {
        if self.has_to_visit(slot) {
            self.skipped.insert(slot.0);
        }
    }

    fn has_to_visit(&self, slot: Slot) -> bool {
        (self.next..self.end).contains(&(slot.0 as usize))
    }

    /// Writes a series as it is, before it changes, unless that is done.
    fn write_early(&mut self, slot: Slot, series: &Series, extras: &SeriesExtras) {
        if self.has_to_visit(slot) && !self.skipped.contains(slot.0) {
            self.skipped.insert(slot.0);
            self.write(slot, series, extras);
        }
    }

    /// Writes a live series of a living family; returns how many bytes.
    fn write(&mut self, slot: Slot, series: &Series, extras: &SeriesExtras) -> usize {
        let segment = series.segment();
        if !series.is_live() || !self.wanted.contains(segment) || series.family.is_retired() {
            return 0;
        }
        let now = self.taken.now;
        let writer = self.writer(segment);
        let record = SeriesRecord {
            family: writer.family(series.family.family()),
            labels: series.labels.pairs().as_text(),
            display: extras.display.get(&slot).map(|labels| labels.pairs().as_text()),
            idle: series.touched.age_ms(now),
            ttl: extras.own_ttl(slot, series).map(milliseconds_of),
            overflow: match series.admission {
                Admission::Counted => false,
                Admission::Overflow => true,
            },
            value: series.value.record(now),
        };
        let exemplars = extras.exemplars(slot, series.flags).into_iter();
        let exemplars = exemplars.flat_map(|of| of.iter().map(KeptExemplar::record)).collect();
        writer.append(&StoredSeries { record, exemplars, created: extras.created.get(slot.0) })
    }

    /// Writes a tombstone of a living family; returns how many bytes.
    fn write_tombstone(&mut self, tombstone: &Tombstone) -> usize {
        let segment = tombstone.id.segment();
        if !self.wanted.contains(segment) || tombstone.family.is_retired() {
            return 0;
        }
        let now = self.taken.now;
        let writer = self.writer(segment);
        let record = TombstoneRecord {
            family: writer.family(tombstone.family.family()),
            id: tombstone.id.to_bytes(),
            age: tombstone.died.age_ms(now),
        };
        let created = tombstone.created.map(UnixTime::from);
        writer.append_tombstone(&StoredTombstone {
            record,
            total: tombstone.total.record(now),
            created,
        })
    }

    fn writer(&mut self, segment: Segment) -> &mut SegmentWriter {
        let has_created = self.has_created;
        self.writers[segment.get()].get_or_insert_with(|| SegmentWriter::new(has_created))
    }

    /// Finishes segments; true when all are.
    fn finish_some(&mut self, mut budget: usize) -> bool {
        while budget > 0 {
            let Some(segment) = Segment::from_number(self.finishing as u16) else { return true };
            self.finishing += 1;
            if self.wanted.contains(segment) {
                let writer = self.writers[segment.get()].take();
                let writer = writer.unwrap_or_else(|| SegmentWriter::new(self.has_created));
                let stored = writer.finish(segment, self.taken.run_time);
                budget = budget.saturating_sub(1 + stored.bytes.len() / BYTES_PER_UNIT / 8);
                self.done.push(stored);
            }
        }
        false
    }
}

impl Store {
    /// Begins to note which segments change.
    pub fn watch_changes(&mut self) {
        self.changes.marks.get_or_insert_default();
    }

    /// Begins a snapshot of the state as it is now. One that is still under way
    /// is dropped.
    pub fn begin_snapshot(&mut self, order: SnapshotOrder, shards: ShardCount) {
        let changed_tombstones = self.tombstones.take_changed();
        let changed = self.changes.marks.as_mut().map(|marks| {
            marks.mark_all(&changed_tombstones);
            marks.take(order.number)
        });
        let wanted = match changed {
            Some(changed) if !order.all => changed,
            Some(_) | None => shards.segments_of(self.shard).collect(),
        };
        let end = self.slots.len();
        let job = Box::new(SnapshotJob {
            taken: order.taken,
            wanted,
            has_created: self.extras.created.is_kept(),
            writers: (0..SEGMENTS).map(|_| None).collect(),
            next: 0,
            end,
            skipped: NumberSet::below(end),
            has_tombstones: true,
            finishing: 0,
            done: Vec::new(),
        });
        self.tombstones.begin_walk();
        self.changes.snapshot = Some(job);
    }

    /// Goes on with the snapshot under way, for about as long as `budget`
    /// visits of a series take.
    pub fn snapshot_some(&mut self, budget: usize) -> Snapshot {
        let Some(mut job) = self.changes.snapshot.take() else { return Snapshot::None };
        if job.next < job.end {
            self.visit_some(&mut job, budget);
        } else if job.has_tombstones {
            let cost = |tombstone: &Tombstone| 1 + job.write_tombstone(tombstone) / BYTES_PER_UNIT;
            job.has_tombstones = !self.tombstones.walk_some(budget, cost);
        } else if job.finish_some(budget) {
            return Snapshot::Done(job.done);
        }
        self.changes.snapshot = Some(job);
        Snapshot::UnderWay
    }

    /// The snapshot with this number is stored: what it had has no longer
    /// changed, but for what came since. Of one that is never committed, the
    /// next has all that it had.
    pub fn snapshot_committed(&mut self, number: u64) {
        if let Some(marks) = &mut self.changes.marks {
            marks.committed(number);
        }
    }

    /// To be called before the series in a slot changes, becomes live or is removed.
    pub(super) fn before_change(&mut self, slot: Slot) {
        let series = held(&mut self.slots, slot);
        self.changes.mark(series.segment());
        if let Some(job) = &mut self.changes.snapshot {
            job.write_early(slot, series, &self.extras);
        }
    }

    fn visit_some(&self, job: &mut SnapshotJob, budget: usize) {
        let mut spent = 0;
        while spent < budget && job.next < job.end {
            let slot = Slot(job.next as u32);
            if let Some(series) = &self.slots[job.next]
                && !job.skipped.contains(slot.0)
            {
                spent += job.write(slot, series, &self.extras) / BYTES_PER_UNIT;
            }
            job.next += 1;
            spent += 1;
        }
    }
}
