//! Snapshots: the state at one point, though it goes on changing, and which
//! segments they have.

use std::collections::BTreeMap;

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::sharding::{SEGMENTS, Segment, ShardIndex};
use psg_engine::state::StoredSegment;
use psg_engine::store::{
    ExpirySettings, SharedTombstones, Snapshot, Store, StoreSettings, TombstoneKey,
    TombstoneSettings,
};
use psg_engine::timestamp::Moment;

use super::round_trip::{feed, payload};
use super::{begin, finish, instants, pipeline, restored, snapshot};
use crate::support::cases;
use crate::support::pipeline::{Pipeline, PipelineSettings};

proptest! {
    #![proptest_config(cases(48))]

    /// What is applied after a snapshot began is not in it, however the two
    /// are interleaved: new series, and slots that are used again, included.
    #[test]
    fn a_snapshot_is_the_state_at_its_begin(
        before in prop::collection::vec(payload(), 0..80),
        after in prop::collection::vec((payload(), 0usize..4), 0..120),
        cache_series in 0usize..20,
        // Few, so that some make room before their turn.
        max_exemplars in prop::sample::select(vec![1, 4, 1000]),
    ) {
        let settings =
            PipelineSettings { shards: 3, cache_series, max_exemplars, ..PipelineSettings::default() };
        let mut original = pipeline(&settings);
        feed(&mut original, &before, 10);
        let (expected, at) = (original.lines(Format::OpenMetrics), instants(&original));
        begin(&mut original, 1, true);
        let mut stored = Vec::new();
        for (payload, slices) in after {
            original.batch(&[payload]);
            go_on(&mut original, slices, &mut stored);
        }
        end(&mut original, &mut stored);
        prop_assert_eq!(stored.len() as u64, SEGMENTS);
        let mut copy = restored(&settings, &stored, at.run_time);
        prop_assert_eq!(copy.lines(Format::OpenMetrics), expected);
    }

    /// The same with totals of expired series: those that leave before their
    /// turn, because their series returns or because there are too many, are in
    /// it, and those that come meanwhile are not.
    #[test]
    fn a_snapshot_has_the_tombstones_of_its_begin(
        before in prop::collection::vec(payload(), 1..80),
        after in prop::collection::vec((payload(), any::<bool>(), 0usize..4), 0..120),
        max_tombstones in 1usize..40,
    ) {
        let settings = PipelineSettings {
            shards: 3,
            expiry: ExpirySettings::new(1000, 0),
            tombstone_ttl_ms: 1_000_000,
            max_tombstones,
            ..PipelineSettings::default()
        };
        let mut original = pipeline(&settings);
        feed(&mut original, &before, 500);
        original.expire();
        let at = instants(&original);
        let expected = snapshot(&mut original, 1, true);
        begin(&mut original, 2, true);
        let mut stored = Vec::new();
        for (payload, is_late, slices) in after {
            if is_late {
                original.now = Moment(original.now.0 + 1100);
                original.expire();
            }
            original.batch(&[payload]);
            go_on(&mut original, slices, &mut stored);
        }
        end(&mut original, &mut stored);
        let mut copies = [expected, stored].map(|stored| restored(&settings, &stored, at.run_time));
        // Every series returns, so that it shows what was kept of it.
        copies.iter_mut().for_each(|copy| feed(copy, &before, 0));
        let [expected, found] = copies.each_mut().map(|copy| copy.lines(Format::Text));
        prop_assert_eq!(found, expected);
    }

    /// The changed segments of each snapshot, put over those from before, are
    /// the whole state; those of one that was never committed come again.
    #[test]
    fn changed_segments_make_the_whole(
        rounds in prop::collection::vec((prop::collection::vec(payload(), 0..20), any::<bool>()), 1..8),
    ) {
        let settings = PipelineSettings { shards: 3, ..PipelineSettings::default() };
        let mut original = pipeline(&settings);
        original.stores.iter_mut().for_each(|store| store.watch_changes());
        let mut kept = BTreeMap::new();
        keep(&mut kept, snapshot(&mut original, 0, true));
        let mut last = 0;
        for (number, (payloads, is_stored)) in (1..).zip(rounds) {
            feed(&mut original, &payloads, 10);
            let changed = snapshot(&mut original, number, false);
            prop_assert!(changed.len() <= 20 + last, "{} segments", changed.len());
            last = changed.len();
            if is_stored {
                keep(&mut kept, changed);
                commit(&mut original, number);
                last = 0;
            }
        }
        keep(&mut kept, snapshot(&mut original, 99, false));
        commit(&mut original, 99);
        let stored: Vec<StoredSegment> = kept.into_values().collect();
        let at = instants(&original).run_time;
        let mut copy = restored(&settings, &stored, at);
        prop_assert_eq!(copy.lines(Format::OpenMetrics), original.lines(Format::OpenMetrics));
        prop_assert_eq!(snapshot(&mut original, 100, false), []);
    }
}

/// Writes slices of the snapshots under way.
fn go_on(pipeline: &mut Pipeline, slices: usize, stored: &mut Vec<StoredSegment>) {
    for store in &mut pipeline.stores {
        for _ in 0..slices {
            if let Snapshot::Done(segments) = store.snapshot_some(1) {
                stored.extend(segments);
            }
        }
    }
}

/// Ends those that are under way still.
fn end(pipeline: &mut Pipeline, stored: &mut Vec<StoredSegment>) {
    for store in &mut pipeline.stores {
        loop {
            match store.snapshot_some(9) {
                Snapshot::Done(segments) => stored.extend(segments),
                Snapshot::UnderWay => {}
                Snapshot::None => break,
            }
        }
    }
}

fn keep(kept: &mut BTreeMap<Segment, StoredSegment>, stored: Vec<StoredSegment>) {
    kept.extend(stored.into_iter().map(|stored| (stored.segment, stored)));
}

fn commit(pipeline: &mut Pipeline, number: u64) {
    pipeline.stores.iter_mut().for_each(|store| store.snapshot_committed(number));
}

/// A commit that comes late does not take away what a later snapshot has.
#[test]
fn a_commit_is_for_its_own_snapshot_only() {
    let mut original = pipeline(&PipelineSettings::default());
    original.stores.iter_mut().for_each(|store| store.watch_changes());
    original.batch(&[r#"{"name":"a","value":1}"#]);
    assert_eq!(snapshot(&mut original, 1, false).len(), 1);
    original.batch(&[r#"{"name":"b","value":1}"#]);
    assert_eq!(snapshot(&mut original, 2, false).len(), 2);
    commit(&mut original, 1);
    assert_eq!(snapshot(&mut original, 3, false).len(), 2);
    commit(&mut original, 3);
    assert_eq!(snapshot(&mut original, 4, false).len(), 0);
}

/// Where changes are not watched, all segments are given.
#[test]
fn without_marks_a_snapshot_has_all() {
    let mut original = pipeline(&PipelineSettings::default());
    assert_eq!(snapshot(&mut original, 1, false).len() as u64, SEGMENTS);
}

#[test]
fn a_cleared_store_is_empty_and_has_no_snapshot() {
    let mut original = pipeline(&PipelineSettings::default());
    original.batch(&[r#"{"name":"a","value":1}"#]);
    begin(&mut original, 1, true);
    original.stores.iter_mut().for_each(|store| store.clear());
    assert_eq!(original.exposition(Format::Text), "");
    assert_eq!((original.catalog.families(), original.catalog.live_series()), (0, 0));
    let all_none =
        original.stores.iter_mut().all(|store| matches!(store.snapshot_some(1), Snapshot::None));
    assert!(all_none);
    begin(&mut original, 2, true);
    assert_eq!(finish(&mut original).len() as u64, SEGMENTS);
}

/// What a store shows and keeps, new or cleared: two series come, and come back
/// after a while.
fn outcome(settings: StoreSettings, is_cleared: bool) -> (String, usize, String) {
    let new = || pipeline(&PipelineSettings { shards: 1, ..PipelineSettings::default() });
    let mut pipeline = new();
    let shared = SharedTombstones::new(settings.tombstones, TombstoneKey([9; 16]), 1);
    pipeline.stores[0] = Store::new(settings, shared, ShardIndex(0));
    if is_cleared {
        pipeline.batch(&[r#"{"name":"before","value":1}"#]);
        let mut store = pipeline.stores.remove(0);
        store.clear();
        store.end_replay();
        pipeline = new();
        pipeline.stores[0] = store;
    }
    let samples = [r#"{"name":"c_total","value":1}"#, r#"{"type":"gauge","name":"g","value":2}"#];
    pipeline.batch(&samples);
    pipeline.now.0 += 1000;
    pipeline.expire();
    pipeline.tell();
    let shown = pipeline.exposition(Format::OpenMetrics);
    let tombstones = pipeline.stores[0].tombstones().len();
    pipeline.batch(&samples);
    (shown, tombstones, pipeline.exposition(Format::OpenMetrics))
}

#[test]
fn a_cleared_store_keeps_each_of_its_settings() {
    let settings = |ttl_ms, tombstone_ttl_ms, empty_instance, created_timestamps| StoreSettings {
        expiry: ExpirySettings::new(ttl_ms, 0),
        tombstones: TombstoneSettings { ttl_ms: tombstone_ttl_ms, max: 1 },
        empty_instance,
        created_timestamps,
        max_exemplars: 0,
    };
    let without = outcome(settings(0, 0, false, false), false);
    for (what, of) in [
        ("expiry", (500, 0, false, false)),
        ("tombstones", (500, 5000, false, false)),
        ("empty instance", (0, 0, true, false)),
        ("created timestamps", (0, 0, false, true)),
    ] {
        let made = || settings(of.0, of.1, of.2, of.3);
        let as_new = outcome(made(), false);
        assert_ne!(as_new, without, "{what} shows");
        assert_eq!(outcome(made(), true), as_new, "{what}");
    }
    assert_eq!(outcome(settings(500, 5000, false, false), true).1, 1, "one tombstone");
}
