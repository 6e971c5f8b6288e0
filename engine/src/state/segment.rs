//! A segment: written series by series in any order, read in two steps, the
//! families first, since they have to be claimed before the series come back.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::check;
use super::frame::{self, Content};
use super::sections::{ExemplarReader, Sections, StoredExemplars};
use super::{RunTime, StateError, StoredSegment};
use crate::catalog::Family;
use crate::labels::LabelPairs;
use crate::name::is_metric_name;
use crate::record::{
    self, ExemplarRecord, FamilyRecord, SegmentRecord, SeriesRecord, TombstoneRecord, ValueRecord,
};
use crate::record::{FIRST, NEWEST, WITH_SECTIONS};
use crate::sharding::Segment;
use crate::timestamp::UnixTime;

const SEGMENT: Content = Content { magic: *b"PSGS", name: "a segment of a state", newest: NEWEST };

#[derive(Debug)]
pub(crate) struct StoredSeries<'a> {
    pub record: SeriesRecord<'a>,
    pub exemplars: Vec<ExemplarRecord<'a>>,
    /// When its total began, where that is known.
    pub created: Option<UnixTime>,
}

#[derive(Debug)]
pub(crate) struct StoredTombstone<'a> {
    pub record: TombstoneRecord,
    pub total: ValueRecord<'a>,
    /// When the total began, where that is known.
    pub created: Option<UnixTime>,
}

/// A segment that is being written.
#[derive(Debug, Default)]
pub(crate) struct SegmentWriter {
    families: Vec<Arc<Family>>,
    /// Positions in `families` by uid.
    positions: HashMap<u64, u32, RandomState>,
    series: Records,
    exemplars: StoredExemplars,
    tombstones: Records,
    /// The version that its series and tombstones ask for.
    version: u16,
}

/// Records as they are stored, one after the other.
#[derive(Debug, Default)]
struct Records {
    /// Whether each is followed by the time at which its total began.
    has_created: bool,
    count: u64,
    bytes: Vec<u8>,
}

impl SegmentWriter {
    /// One without series, which may tell when totals began.
    pub(crate) fn new(has_created: bool) -> Self {
        let records = || Records { has_created, ..Records::default() };
        Self { series: records(), tombstones: records(), version: FIRST, ..Self::default() }
    }

    /// The position of a family, which is then one of the segment's.
    pub(crate) fn family(&mut self, family: &Arc<Family>) -> u32 {
        *self.positions.entry(family.uid()).or_insert_with(|| {
            self.families.push(family.clone());
            (self.families.len() - 1) as u32
        })
    }

    /// Appends a series of a family that has its position; returns how many bytes.
    pub(crate) fn append(&mut self, series: &StoredSeries<'_>) -> usize {
        let StoredSeries { record, exemplars, created } = series;
        if !exemplars.is_empty() {
            self.exemplars.append(self.series.count, exemplars);
        }
        self.version = self.version.max(of_series(record));
        self.series.append(*created, |bytes| {
            record::append(bytes, record);
        })
    }

    /// Appends a tombstone of a family that has its position; returns how many
    /// bytes.
    pub(crate) fn append_tombstone(&mut self, tombstone: &StoredTombstone<'_>) -> usize {
        let StoredTombstone { record, total, created } = tombstone;
        self.version = self.version.max(total.since());
        self.tombstones.append(*created, |bytes| {
            record::append(bytes, record);
            record::append_total(bytes, total);
        })
    }

    pub(crate) fn finish(self, segment: Segment, taken: RunTime) -> StoredSegment {
        let families: Vec<_> = self.families.iter().map(|family| family.record()).collect();
        let of_families = families.iter().map(of_family).max();
        let mut version = self.version.max(of_families.unwrap_or(FIRST));
        let sections = Sections::records(&families, self.exemplars);
        if !sections.is_empty() {
            version = version.max(WITH_SECTIONS);
        }
        if self.series.has_created {
            version = record::with_created(version);
        }
        debug_assert!(version <= NEWEST);
        let (series, tombstones) = (self.series, self.tombstones);
        let content = series.bytes.len() + tombstones.bytes.len();
        let mut blob = frame::begin(SEGMENT, version, content + 128 * families.len() + 16);
        let header = SegmentRecord {
            segment: segment.get() as u16,
            taken: taken.0,
            families,
            series: series.count,
            tombstones: tombstones.count,
        };
        record::append(&mut blob, &header);
        if version >= WITH_SECTIONS {
            record::append(&mut blob, &sections);
        }
        blob.extend_from_slice(&series.bytes);
        blob.extend_from_slice(&tombstones.bytes);
        StoredSegment { segment, bytes: frame::finish(blob).into() }
    }
}

impl Records {
    /// Appends one; returns how many bytes.
    fn append(&mut self, created: Option<UnixTime>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let before = self.bytes.len();
        self.count += 1;
        write(&mut self.bytes);
        if self.has_created {
            record::append(&mut self.bytes, &created.map(UnixTime::micros));
        }
        self.bytes.len() - before
    }
}

/// The version that a family asks for.
fn of_family(family: &FamilyRecord<'_>) -> u16 {
    let of_name = if is_metric_name(&family.name) { FIRST } else { WITH_SECTIONS };
    family.shape.since().max(of_name)
}

/// The version that a series asks for.
fn of_series(series: &SeriesRecord<'_>) -> u16 {
    let has_quoted_names = LabelPairs::from_text(series.labels).has_quoted_names();
    let of_names = if has_quoted_names { WITH_SECTIONS } else { FIRST };
    series.value.since().max(of_names)
}

/// A stored segment that is undamaged, with its families read.
#[derive(Debug)]
pub struct OpenSegment {
    segment: Segment,
    taken: RunTime,
    families: Vec<FamilyRecord<'static>>,
    series: u64,
    tombstones: u64,
    exemplars: StoredExemplars,
    has_created: bool,
    /// Whether these times hold.
    believes_created: bool,
    bytes: bytes::Bytes,
}

impl OpenSegment {
    /// Reads all but the series of a stored segment.
    pub fn open(stored: &StoredSegment) -> Result<Self, StateError> {
        let (version, mut rest) = frame::open(SEGMENT, &stored.bytes)?;
        let mut header: SegmentRecord<'static> = record::take(&mut rest, "its list of families")?;
        if usize::from(header.segment) != stored.segment.get() {
            let (expected, got) = (stored.segment.get(), usize::from(header.segment));
            return Err(StateError::OtherSegment { expected, got });
        }
        let sections = match version {
            WITH_SECTIONS.. => Sections::take(&mut rest)?,
            _ => Sections::default(),
        };
        sections.name_units(&mut header.families)?;
        header.families.iter().try_for_each(check::family)?;
        Ok(Self {
            segment: stored.segment,
            taken: RunTime(header.taken),
            families: header.families,
            series: header.series,
            tombstones: header.tombstones,
            exemplars: sections.exemplars,
            has_created: record::has_created(version),
            believes_created: true,
            bytes: stored.bytes.slice_ref(rest),
        })
    }

    /// Gives its families another `uid`.
    pub(super) fn renumber_families(&mut self, uid: impl Fn(u64) -> u64) {
        self.families.iter_mut().for_each(|family| family.uid = uid(family.uid));
    }

    /// From now on it does not tell when totals began.
    pub(super) fn forget_created(&mut self) {
        self.believes_created = false;
    }

    pub(crate) fn segment(&self) -> Segment {
        self.segment
    }

    pub(crate) fn taken(&self) -> RunTime {
        self.taken
    }

    /// The families of its series, by position.
    pub(crate) fn families(&self) -> &[FamilyRecord<'static>] {
        &self.families
    }

    /// The family that a series or a tombstone says it is of.
    pub(crate) fn family(&self, position: u32) -> Result<&FamilyRecord<'static>, StateError> {
        let family = self.families.get(position as usize);
        family.ok_or(StateError::malformed("a series or a tombstone of no family"))
    }

    pub(crate) fn reader(&self) -> SegmentReader<'_> {
        SegmentReader {
            stored: self,
            series: self.series,
            exemplars: self.exemplars.reader(),
            tombstones: self.tombstones,
            rest: &self.bytes,
        }
    }
}

/// Reads the series of a segment, then its tombstones.
#[derive(Debug)]
pub(crate) struct SegmentReader<'a> {
    stored: &'a OpenSegment,
    /// How many are left of either.
    series: u64,
    tombstones: u64,
    exemplars: ExemplarReader<'a>,
    rest: &'a [u8],
}

impl<'a> SegmentReader<'a> {
    /// The next series; `None` after the last one.
    pub(crate) fn next_series(&mut self) -> Result<Option<StoredSeries<'a>>, StateError> {
        if self.series == 0 {
            return self.exemplars.expect_end().map(|()| None);
        }
        let position = self.stored.series - self.series;
        self.series -= 1;
        let record: SeriesRecord<'a> = record::take(&mut self.rest, "a series")?;
        let family = self.stored.family(record.family)?;
        check::series(&record, family)?;
        let exemplars = self.exemplars.of(position)?;
        check::exemplars(&exemplars, family)?;
        Ok(Some(StoredSeries { record, exemplars, created: self.created()? }))
    }

    /// The next tombstone, once there are no more series; `None` after the last
    /// one, which has to be the end.
    pub(crate) fn next_tombstone(&mut self) -> Result<Option<StoredTombstone<'a>>, StateError> {
        if self.tombstones == 0 {
            return record::expect_end(self.rest).map(|()| None);
        }
        self.tombstones -= 1;
        let record: TombstoneRecord = record::take(&mut self.rest, "a tombstone")?;
        let total = record::take_total(&mut self.rest)?;
        check::total(&total, self.stored.family(record.family)?)?;
        Ok(Some(StoredTombstone { record, total, created: self.created()? }))
    }

    /// What follows a record where the segment has it.
    fn created(&mut self) -> Result<Option<UnixTime>, StateError> {
        if !self.stored.has_created {
            return Ok(None);
        }
        let micros: Option<i64> = record::take(&mut self.rest, "when a total began")?;
        let is_known = self.stored.believes_created;
        Ok(if is_known { micros.map(UnixTime::from_micros) } else { None })
    }
}
