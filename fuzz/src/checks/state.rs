//! Stored state: whatever a segment holds, though its checksum be right, it is
//! an error or series, and series that came back are the same once they have
//! been stored again.

use psg_engine::exposition::Format;

use psg_engine::metric::summary::{Estimator, SummarySettings};
use psg_engine::name::NameRules;
use psg_engine::sharding::{Segment, ShardCount};
use psg_engine::state::{Head, Instants, Loading, RunTime, StoredSegment};
use psg_engine::store::{SearchJob, SearchOrder, Snapshot, SnapshotOrder, SurveyJob, TombstoneKey};
use psg_engine::timestamp::Moment;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::exposition;
use super::pipeline::{Pipeline, PipelineSettings};

/// When the state is read, by the process' clock.
const NOW: Moment = Moment(20_000);

/// The first byte chooses the estimator and whether the segment tells when totals
/// began, the second how long gateways have run with the state; the rest is what
/// the segment holds.
pub fn check(data: &[u8]) {
    for version in 1..=3 {
        let _ = Head::decode(&framed(*b"PSGH", version, data));
    }
    let [choice, age, content @ ..] = data else { return };
    let version = 1 + choice / 2 % 2;
    let estimator = match choice % 2 {
        0 => Estimator::CkmsTargeted,
        _ => Estimator::CkmsBiased,
    };
    let summary = SummarySettings { estimator, ..SummarySettings::default() };
    let run_time = RunTime((1 << (age % 64)) - 1);
    let number = segment_number(content).and_then(Segment::from_number);
    let segment = number.unwrap_or(Segment::of(0));
    let stored = StoredSegment { segment, bytes: framed(*b"PSGS", version, content).into() };
    let Some(mut first) = restore(&[stored], summary, run_time) else { return };
    exposition::check(&mut first);
    look_at_all_of(&mut first);
    let again = snapshot(&mut first, run_time);
    let mut second = restore(&again, summary, run_time).expect("it was just written");
    for format in Format::ALL {
        assert_eq!(second.lines(format), first.lines(format), "right: as first read");
    }
}

/// Does what operators ask for: the labels of all series, and all series.
fn look_at_all_of(pipeline: &mut Pipeline) {
    let families: Vec<_> =
        pipeline.catalog.largest(10).into_iter().map(|(_, family)| family).collect();
    let order = SearchOrder {
        families: families.into(),
        labels: "".into(),
        series: 100,
        bytes: usize::MAX,
    };
    let (mut survey, mut search) = (SurveyJob::default(), SearchJob::new(order));
    let store = &mut pipeline.stores[0];
    while !store.survey_some(&mut survey, 100) {}
    while !store.search_some(&mut search, 100, NOW) {}
    let found = search.finish().series;
    let names = found.iter().flat_map(|series| series.labels.pairs().iter());
    let is_name = |name: &str| NameRules::Utf8.takes_label(name);
    assert!(names.into_iter().all(|(name, _)| is_name(&name)), "not the labels of a sample");
    assert!(survey.finish().most(usize::MAX).iter().all(|label| is_name(&label.name)));
}

/// The content in a frame without a fault.
pub(super) fn framed(magic: [u8; 4], version: u8, content: &[u8]) -> Vec<u8> {
    let head = [magic, [version, 0, 0, 0]].concat();
    let checksum = xxh3_64_with_seed(content, xxh3_64(&head));
    [head.as_slice(), &checksum.to_le_bytes(), content].concat()
}

/// The number that a segment gives itself: seven bits in each byte, the lowest
/// first.
pub(super) fn segment_number(content: &[u8]) -> Option<u16> {
    let end = content.iter().take(3).position(|byte| *byte < 0x80)?;
    let number = content[..=end].iter().rev();
    let number = number.fold(0, |number, byte| number << 7 | u32::from(byte & 0x7f));
    u16::try_from(number).ok()
}

/// A pipeline with what is stored; `None` where that can't be read.
pub(super) fn restore(
    stored: &[StoredSegment],
    summary: SummarySettings,
    run_time: RunTime,
) -> Option<Pipeline> {
    let settings = PipelineSettings {
        shards: 1,
        summary,
        created_timestamps: true,
        ..PipelineSettings::default()
    };
    let mut pipeline = Pipeline::new(&settings);
    pipeline.now = NOW;
    let loading = Loading::new(stored, &pipeline.catalog, ShardCount::new(1)).ok()?;
    let at = Instants { now: NOW, run_time };
    pipeline.stores[0].restore(&loading.shards[0], at, TombstoneKey([7; 16])).ok()?;
    Some(pipeline)
}

/// All of it as segments, in order of their numbers.
pub(super) fn snapshot(pipeline: &mut Pipeline, run_time: RunTime) -> Vec<StoredSegment> {
    let taken = Instants { now: NOW, run_time };
    let order = SnapshotOrder { number: 1, all: true, taken };
    let store = &mut pipeline.stores[0];
    store.begin_snapshot(order, ShardCount::new(1));
    loop {
        match store.snapshot_some(100) {
            Snapshot::UnderWay => {}
            Snapshot::Done(mut segments) => {
                segments.sort_by_key(|stored| stored.segment.get());
                return segments;
            }
            Snapshot::None => panic!("a snapshot was begun"),
        }
    }
}
