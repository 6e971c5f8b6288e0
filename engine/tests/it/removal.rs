//! Removal of a family: the name is free at once, all of it goes, and what was
//! on its way for it is thrown away.

use psg_engine::exposition::Format;
use psg_engine::store::ExpirySettings;
use psg_engine::timestamp::Moment;

use crate::support::pipeline::{Pipeline, PipelineSettings};

fn payload(kind: &str, label: usize, buckets: &str) -> String {
    format!(
        r#"{{"type":"{kind}","name":"n","value":1,"labels":{{"i":"{label}"}},"buckets":[{buckets}]}}"#
    )
}

fn pipeline() -> Pipeline {
    Pipeline::new(&PipelineSettings {
        shards: 3,
        expiry: ExpirySettings::new(1000, 0),
        tombstone_ttl_ms: 1_000_000,
        ..PipelineSettings::default()
    })
}

/// Retires the family and lets every shard remove it; tells what was removed.
pub fn remove(pipeline: &mut Pipeline, name: &str) -> (usize, usize) {
    let family = pipeline.catalog.retire(name).expect("the family is there");
    let mut all = (0, 0);
    for store in &mut pipeline.stores {
        let mut job = store.begin_removal(family.clone());
        while !store.remove_some(&mut job, 2) {}
        all = (all.0 + job.removed().series, all.1 + job.removed().tombstones);
    }
    all
}

#[test]
fn series_tombstones_type_and_layout_go() {
    let mut pipeline = pipeline();
    let batch = |labels: std::ops::Range<usize>| -> Vec<String> {
        labels.map(|label| payload("histogram", label, "1,2")).collect()
    };
    pipeline.batch(&batch(0..10));
    pipeline.now = Moment(2000);
    pipeline.expire();
    pipeline.tell();
    pipeline.batch(&batch(5..20));
    assert_eq!(remove(&mut pipeline, "n"), (15, 5));
    assert_eq!(
        (pipeline.catalog.families(), pipeline.exposition(Format::Text)),
        (0, String::new())
    );
    pipeline.tell();
    assert_eq!(pipeline.catalog.live_series(), 0);
    assert!(pipeline.stores.iter().all(|store| store.defined() == 0));
    // Another type and layout; nothing of the old totals is left.
    assert_eq!(
        pipeline.batch(&[payload("counter", 1, "7"), payload("counter", 6, "7")]),
        [None; 2]
    );
    let lines = pipeline.lines(Format::Text);
    assert_eq!(lines[1..], ["# TYPE n counter", r#"n{i="1"} 1"#, r#"n{i="6"} 1"#]);
    assert_eq!(pipeline.layout_mismatches, 0);
}

/// The reader knows the series, and even recognises its payload; a batch that
/// begins after the removal counts in the new family.
#[test]
fn a_reader_looks_before_it_uses_a_slot_that_it_knows() {
    for cache_series in [0, 2, 100] {
        let mut pipeline =
            Pipeline::new(&PipelineSettings { cache_series, ..PipelineSettings::default() });
        for _ in 0..6 {
            pipeline.batch(&[payload("counter", 1, "1"), payload("counter", 2, "1")]);
        }
        // Nobody tells the reader anything.
        remove(&mut pipeline, "n");
        for round in 1..=6 {
            assert_eq!(pipeline.batch(&[payload("counter", 1, "1")]), [None]);
            let lines = pipeline.lines(Format::Text);
            assert_eq!(lines[2..], [format!(r#"n{{i="1"}} {round}"#)]);
        }
        pipeline.tell();
        let defined: usize = pipeline.stores.iter().map(|store| store.defined()).sum();
        assert_eq!(
            (defined, pipeline.catalog.live_series(), pipeline.catalog.families()),
            (1, 1, 1)
        );
    }
}

#[test]
fn what_is_on_its_way_is_thrown_away() {
    let mut pipeline = pipeline();
    pipeline.batch(&[payload("counter", 1, "1")]);
    // Retired between the batch's first look and its values.
    let family = pipeline.catalog.retire("n").expect("the family is there");
    pipeline.batch_in_flight(&[payload("counter", 1, "1"), payload("counter", 2, "1")]);
    for store in &mut pipeline.stores {
        let mut job = store.begin_removal(family.clone());
        while !store.remove_some(&mut job, 1) {}
    }
    pipeline.batch_in_flight(&[payload("counter", 3, "1")]);
    let lines = pipeline.lines(Format::Text);
    assert!(lines.iter().all(|line| !line.contains("i=\"1\"")), "{lines:?}");
    pipeline.tell();
    pipeline.batch(&[payload("counter", 1, "1")]);
    pipeline.tell();
    let lines = pipeline.lines(Format::Text);
    assert!(lines.contains(&r#"n{i="1"} 1"#.to_owned()), "{lines:?}");
    drop(family);
    assert_eq!(pipeline.catalog.families(), 1);
}

#[test]
fn a_scrape_that_is_under_way_shows_nothing_of_it() {
    let mut pipeline = pipeline();
    let batch: Vec<String> = (0..50).map(|label| payload("gauge", label, "1")).collect();
    pipeline.batch(&batch);
    let catalog = pipeline.catalog.clone();
    let shown = pipeline.exposition_with(Format::Text, || drop(catalog.retire("n")));
    assert_eq!(shown, "");
}
