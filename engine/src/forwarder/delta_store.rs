//! The deltas of a forwarder. A series has a slot as in a
//! [`Store`](crate::store::Store), as long as the intake knows it or it has a delta.

use super::lanes::LaneDeltas;
use crate::catalog::FamilyRef;
use crate::exemplar::KeptExemplar;
use crate::labels::{LabelsAsSent, SeriesLabels};
use crate::metric::Observations;
use crate::metric::native::{NativeMode, NativeSettings};
use crate::partition::delta::{AddedSample, DeltaValue, Full};
use crate::partition::writer::Delta;
use crate::partition::{Chunk, Lane, LaneSet, Partitions};
use crate::series::{Generation, Handle, SeriesKey, Slot};
use crate::timestamp::{Moment, SampleTime, Ttl};
use crate::updates::{DetailedUpdate, Details, UpdateRun, Updates, ValueUpdate};

/// Series that had no sample for so long are let go of.
const IDLE_MS: u64 = 60_000;
/// All of them are looked at so often.
const LOOK_MS: u64 = 10_000;
/// The deltas of all lanes.
#[derive(Debug)]
pub struct DeltaStore {
    partitions: Partitions,
    native: NativeSettings,
    slots: Vec<Option<DeltaSeries>>,
    free: Vec<Slot>,
    lanes: Vec<LaneDeltas>,
    changed: LaneSet,
    looked: Moment,
}

#[derive(Debug)]
struct DeltaSeries {
    value: DeltaValue,
    /// How many samples it is; 0 where there is no delta.
    samples: u64,
    ttl: Option<Ttl>,
    exemplar: Option<Box<KeptExemplar>>,
    used: Moment,
    lane: Lane,
    /// Whether the intake knows it.
    is_held: bool,
    /// Whether its values are not to be counted.
    keeps_values: bool,
    family: FamilyRef,
    labels: SeriesLabels,
    display: Option<LabelsAsSent>,
}

impl DeltaStore {
    /// Without series. What is native is, as the settings have it.
    pub fn new(partitions: Partitions, native: NativeSettings) -> Self {
        Self {
            partitions,
            native,
            slots: Vec::new(),
            free: Vec::new(),
            lanes: partitions.lanes().map(|_| LaneDeltas::default()).collect(),
            changed: LaneSet::default(),
            looked: Moment::default(),
        }
    }

    /// A handle on a new series.
    pub fn define(&mut self, key: SeriesKey) -> Handle {
        let SeriesKey { family, labels, display, hash: _, admission: _ } = key;
        let is_native = || {
            family.shape().native().is_some()
                || self.native.mode_of(family.name()) != NativeMode::Off
        };
        let series = DeltaSeries {
            value: DeltaValue::none(family.shape()),
            samples: 0,
            ttl: None,
            exemplar: None,
            used: self.looked,
            lane: self.partitions.lane_of(family.name()),
            is_held: true,
            keeps_values: is_native(),
            family,
            labels,
            display,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot.0 as usize] = Some(series);
                slot
            }
            None => {
                self.slots.push(Some(series));
                Slot((self.slots.len() - 1) as u32)
            }
        };
        handle(slot)
    }

    /// Adds samples to the deltas of lanes that are open; how many these are, and how
    /// many were passed over.
    pub fn apply(&mut self, updates: &Updates, now: Moment, open: &LaneSet) -> (u64, u64) {
        let (mut taken, mut passed_over) = (0, 0);
        let mut add =
            |this: &mut Self, update: &ValueUpdate, detailed: Option<&DetailedUpdate<'_>>| {
                match this.add(update, detailed, updates, now, open) {
                    true => taken += 1,
                    false => passed_over += 1,
                }
            };
        for run in updates.runs() {
            match run {
                UpdateRun::Values(values) => {
                    values.iter().for_each(|update| add(self, update, None))
                }
                UpdateRun::Detailed(update) => add(self, &update.update, Some(&update)),
            }
        }
        for slot in &updates.forget {
            held(&mut self.slots, *slot).is_held = false;
            self.free_if_unused(*slot);
        }
        (taken, passed_over)
    }

    /// Adds a sample to the delta of its series, if its lane is open.
    #[inline]
    fn add(
        &mut self,
        update: &ValueUpdate,
        detailed: Option<&DetailedUpdate<'_>>,
        updates: &Updates,
        now: Moment,
        open: &LaneSet,
    ) -> bool {
        let ValueUpdate { slot, op, value } = *update;
        let series = held(&mut self.slots, slot);
        if !open.contains(series.lane) {
            return false;
        }
        let lane = &mut self.lanes[series.lane.get()];
        if series.samples == 0 {
            lane.begin(slot, &series.family, series.labels.pairs());
        }
        let sample = AddedSample {
            value,
            op,
            observations: detailed.map_or(Observations::One, |detailed| detailed.observations),
            time: SampleTime {
                taken_at: updates.taken_at,
                timestamp: detailed.and_then(|detailed| detailed.details.timestamp),
            },
        };
        let mut before = series.value.bytes();
        if series.add(sample) == Err(Full) {
            lane.finish_delta(&series.delta());
            series.clear();
            before = series.value.bytes();
            let added = series.add(sample);
            debug_assert_eq!(added, Ok(()), "any one sample is a delta");
        }
        lane.note_added(&series.value, before);
        series.samples += 1;
        series.used = now;
        self.changed.insert(series.lane);
        if let Some(detailed) = detailed {
            series.note_details(detailed, lane);
        }
        true
    }

    /// What a lane has.
    pub fn lane(&self, lane: Lane) -> &LaneDeltas {
        &self.lanes[lane.get()]
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes all off a lane.
    pub fn flush(&mut self, lane: Lane) -> Option<Chunk> {
        let (mut frames, slots) = self.lanes[lane.get()].take();
        for slot in slots {
            let series = held(&mut self.slots, slot);
            frames.push(&series.delta());
            series.clear();
            self.free_if_unused(slot);
        }
        let chunk = frames.finish()?;
        self.changed.insert(lane);
        Some(chunk)
    }

    /// The same without taking it off.
    pub fn copy(&self, lane: Lane) -> Option<Chunk> {
        let lane = self.lane(lane);
        let mut frames = lane.frames();
        for slot in lane.slots() {
            frames.extend(self.slots[slot.0 as usize].as_ref().map(DeltaSeries::delta));
        }
        frames.finish()
    }

    /// Puts what was stored of a lane before all that comes.
    pub fn restore(&mut self, lane: Lane, chunk: Chunk) {
        self.lanes[lane.get()].restore(chunk);
    }

    /// The lanes that have changed since the last call.
    pub fn take_changed(&mut self) -> LaneSet {
        std::mem::take(&mut self.changed)
    }

    /// Series that had no sample for a while and have no delta, of those that the intake
    /// knows; none where it is too early to look again.
    pub fn idle(&mut self, now: Moment) -> Vec<Handle> {
        let passed = |since: Moment| now.0.saturating_sub(since.0);
        if passed(self.looked) < LOOK_MS {
            return Vec::new();
        }
        self.looked = now;
        let is_idle = |series: &DeltaSeries| {
            series.is_held && series.samples == 0 && passed(series.used) >= IDLE_MS
        };
        let slots = self.slots.iter().enumerate();
        let idle = slots.filter(|(_, series)| series.as_ref().is_some_and(is_idle));
        idle.map(|(slot, _)| handle(Slot(slot as u32))).collect()
    }

    /// Frees the slot of a series that the intake does not know and that has no delta.
    fn free_if_unused(&mut self, slot: Slot) {
        let series = &mut self.slots[slot.0 as usize];
        if series.take_if(|series| !series.is_held && series.samples == 0).is_some() {
            self.free.push(slot);
        }
    }
}

impl DeltaSeries {
    #[inline]
    fn add(&mut self, sample: AddedSample<'_>) -> Result<(), Full> {
        self.value.add(sample, self.family.shape(), self.keeps_values)
    }

    /// Takes what a sample says besides its value.
    #[cold]
    fn note_details(&mut self, detailed: &DetailedUpdate<'_>, lane: &mut LaneDeltas) {
        let DetailedUpdate { update: _, details, observations: _, exemplar } = *detailed;
        let Details { timestamp: _, ttl, observations: _, exemplar: _, more_samples } = details;
        debug_assert_eq!(more_samples, 0, "no producer sends what a router has added up");
        self.ttl = ttl.or(self.ttl);
        let Some(new) = exemplar else { return };
        match self.exemplar.as_deref() {
            Some(old) if old.timestamp > new.timestamp => return,
            Some(_) => {}
            None => lane.note_exemplar(new),
        }
        self.exemplar = Some(Box::new(new.clone()));
    }

    fn delta(&self) -> Delta<'_> {
        Delta {
            family: &self.family,
            labels: self.labels.pairs(),
            display: self.display.as_ref().map(LabelsAsSent::pairs),
            samples: self.samples,
            ttl: self.ttl,
            exemplar: self.exemplar.as_deref(),
            value: &self.value,
        }
    }

    /// Ends its delta.
    fn clear(&mut self) {
        self.value.clear();
        self.samples = 0;
        self.ttl = None;
        self.exemplar = None;
    }
}

fn handle(slot: Slot) -> Handle {
    Handle { slot, generation: Generation::default() }
}

/// The series in a slot that the intake knows, or that has a delta.
#[inline]
fn held(slots: &mut [Option<DeltaSeries>], slot: Slot) -> &mut DeltaSeries {
    slots[slot.0 as usize].as_mut().expect("a slot that is held is in use")
}
