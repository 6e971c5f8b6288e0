//! A segment: written series by series in any order, read in two steps, the
//! families first, since they have to be claimed before the series come back.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::check;
use super::frame::{self, Content};
use super::{RunTime, StateError, StoredSegment};
use crate::catalog::{Family, RestoredFamily};
use crate::metric::Shape;
use crate::record::{
    self, FamilyRecord, SegmentRecord, SeriesRecord, ShapeRecord, TombstoneRecord, WindowSettings,
};
use crate::sharding::Segment;
use crate::timestamp::UnixTime;

const SEGMENT: Content =
    Content { magic: *b"PSGS", name: "a segment of a state", newest: WITH_CREATED };
/// The version of segments without created times, and of those with them.
const PLAIN: u16 = 1;
const WITH_CREATED: u16 = 2;

/// A record, and when its total began, where that is known.
pub(crate) type Told<R> = (R, Option<UnixTime>);

/// A segment that is being written.
#[derive(Debug, Default)]
pub(crate) struct SegmentWriter {
    families: Vec<Arc<Family>>,
    /// Positions in `families` by uid.
    positions: HashMap<u64, u32, RandomState>,
    count: u64,
    series: Vec<u8>,
    buried: u64,
    tombstones: Vec<u8>,
    /// Whether it tells when totals began.
    has_created: bool,
}

impl SegmentWriter {
    /// One without series, which may tell when totals began.
    pub(crate) fn new(has_created: bool) -> Self {
        Self { has_created, ..Self::default() }
    }

    /// The position of a family, which is then one of the segment's.
    pub(crate) fn family(&mut self, family: &Arc<Family>) -> u32 {
        *self.positions.entry(family.uid()).or_insert_with(|| {
            self.families.push(family.clone());
            (self.families.len() - 1) as u32
        })
    }

    /// Appends a series of a family that has its position.
    pub(crate) fn append(&mut self, series: &SeriesRecord<'_>, created: Option<UnixTime>) {
        self.count += 1;
        record::append(&mut self.series, series);
        if self.has_created {
            record::append(&mut self.series, &created.map(UnixTime::micros));
        }
    }

    /// Appends a tombstone of a family that has its position.
    pub(crate) fn append_tombstone(
        &mut self,
        tombstone: &TombstoneRecord<'_>,
        created: Option<UnixTime>,
    ) {
        self.buried += 1;
        record::append(&mut self.tombstones, tombstone);
        if self.has_created {
            record::append(&mut self.tombstones, &created.map(UnixTime::micros));
        }
    }

    /// Bytes of series so far.
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    /// Bytes of tombstones so far.
    pub(crate) fn tombstones_len(&self) -> usize {
        self.tombstones.len()
    }

    /// The bytes to store.
    pub(crate) fn finish(self, segment: Segment, taken: RunTime) -> StoredSegment {
        let families: Vec<_> = self.families.iter().map(|family| describe(family)).collect();
        let content = self.series.len() + self.tombstones.len();
        let version = if self.has_created { WITH_CREATED } else { PLAIN };
        let mut blob = frame::begin(SEGMENT, version, content + 128 * families.len() + 16);
        let number = segment.get() as u16;
        let RunTime(taken) = taken;
        let (series, tombstones) = (self.count, self.buried);
        let header = SegmentRecord { segment: number, taken, families, series, tombstones };
        record::append(&mut blob, &header);
        blob.extend_from_slice(&self.series);
        blob.extend_from_slice(&self.tombstones);
        StoredSegment { segment, bytes: frame::finish(blob).into() }
    }
}

fn describe(family: &Family) -> FamilyRecord<'_> {
    let shape = match family.shape() {
        Shape::Counter => ShapeRecord::Counter,
        Shape::Gauge => ShapeRecord::Gauge,
        Shape::Histogram(layout) => ShapeRecord::Histogram(Cow::Borrowed(layout.bounds())),
        Shape::Summary(plan) => ShapeRecord::Summary {
            objectives: Cow::Borrowed(plan.objectives()),
            window: plan.window_settings(),
        },
    };
    FamilyRecord { uid: family.uid(), name: family.name(), help: family.help(), shape }
}

/// A stored segment that is undamaged, with its families read.
#[derive(Debug)]
pub struct OpenSegment {
    segment: Segment,
    taken: RunTime,
    families: Vec<RestoredFamily>,
    /// Of each family, how windows were cut.
    windows: Vec<Option<WindowSettings>>,
    count: u64,
    buried: u64,
    has_created: bool,
    /// Whether these times hold.
    believes_created: bool,
    bytes: bytes::Bytes,
}

impl OpenSegment {
    /// Reads all but the series of a stored segment.
    pub fn open(stored: &StoredSegment) -> Result<Self, StateError> {
        let (version, mut rest) = frame::open(SEGMENT, &stored.bytes)?;
        let header: SegmentRecord<'_> = record::take(&mut rest, "its list of families")?;
        if usize::from(header.segment) != stored.segment.get() {
            let (expected, got) = (stored.segment.get(), usize::from(header.segment));
            return Err(StateError::OtherSegment { expected, got });
        }
        let window_of = |family: &FamilyRecord<'_>| match &family.shape {
            ShapeRecord::Summary { window, .. } => Some(*window),
            ShapeRecord::Counter | ShapeRecord::Gauge | ShapeRecord::Histogram(_) => None,
        };
        Ok(Self {
            segment: stored.segment,
            taken: RunTime(header.taken),
            windows: header.families.iter().map(window_of).collect(),
            count: header.series,
            buried: header.tombstones,
            has_created: version >= WITH_CREATED,
            believes_created: true,
            bytes: stored.bytes.slice_ref(rest),
            families: header.families.into_iter().map(check::family).collect::<Result<_, _>>()?,
        })
    }

    /// From now on it does not tell when totals began.
    pub(super) fn forget_created(&mut self) {
        self.believes_created = false;
    }

    /// Which one it is.
    pub fn segment(&self) -> Segment {
        self.segment
    }

    /// When it was taken.
    pub fn taken(&self) -> RunTime {
        self.taken
    }

    /// The families of its series.
    pub fn families(&self) -> &[RestoredFamily] {
        &self.families
    }

    /// How the windows of the family at this position were cut.
    pub(crate) fn window_settings(&self, family: u32) -> Option<WindowSettings> {
        self.windows.get(family as usize).copied().flatten()
    }

    /// Its series, one by one.
    pub fn series(&self) -> SeriesReader<'_> {
        SeriesReader {
            left: self.count,
            buried: self.buried,
            rest: &self.bytes,
            families: &self.families,
            has_created: self.has_created,
            believes_created: self.believes_created,
        }
    }
}

/// Reads the series of a segment, then its tombstones.
#[derive(Debug)]
pub struct SeriesReader<'a> {
    left: u64,
    buried: u64,
    rest: &'a [u8],
    families: &'a [RestoredFamily],
    has_created: bool,
    believes_created: bool,
}

impl<'a> SeriesReader<'a> {
    /// The next series; `None` behind the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Told<SeriesRecord<'a>>>, StateError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let series: SeriesRecord<'a> = record::take(&mut self.rest, "a series")?;
        let family = self.families.get(series.family as usize);
        check::series(&series, family.ok_or(StateError::malformed("a series of no family"))?)?;
        Ok(Some((series, self.created()?)))
    }

    /// The next tombstone, once there are no more series; `None` behind the
    /// last one, which has to be the end.
    pub(crate) fn next_tombstone(
        &mut self,
    ) -> Result<Option<Told<TombstoneRecord<'a>>>, StateError> {
        if self.buried == 0 {
            return record::expect_end(self.rest).map(|()| None);
        }
        self.buried -= 1;
        let tombstone: TombstoneRecord<'a> = record::take(&mut self.rest, "a tombstone")?;
        let family = self.families.get(tombstone.family as usize);
        let family = family.ok_or(StateError::malformed("a tombstone of no family"))?;
        check::tombstone(&tombstone, family)?;
        Ok(Some((tombstone, self.created()?)))
    }

    /// What follows a record where the segment has it.
    fn created(&mut self) -> Result<Option<UnixTime>, StateError> {
        if !self.has_created {
            return Ok(None);
        }
        let micros: Option<i64> = record::take(&mut self.rest, "when a total began")?;
        Ok(micros.filter(|_| self.believes_created).map(UnixTime::from_micros))
    }
}
