//! Expiry, case by case: what leaves, when, and what it gives back.

use psg_engine::exposition::Format;
use psg_engine::limits::SeriesLimits;
use psg_engine::store::ExpirySettings;
use psg_engine::timestamp::Moment;

use crate::support::pipeline::{Pipeline, PipelineSettings};

const COUNTER: &str = r#"{"type":"counter","name":"c","value":1}"#;
const GAUGE: &str = r#"{"type":"gauge","name":"g","value":7}"#;

fn pipeline(series_ttl_ms: u64, gauge_ttl_ms: u64) -> Pipeline {
    let expiry = ExpirySettings::new(series_ttl_ms, gauge_ttl_ms);
    Pipeline::new(&PipelineSettings { expiry, shards: 1, ..PipelineSettings::default() })
}

fn names(pipeline: &mut Pipeline) -> Vec<String> {
    let lines = pipeline.lines(Format::Text);
    lines.iter().filter(|line| !line.starts_with('#')).cloned().collect()
}

#[test]
fn a_scrape_shows_nothing_that_is_past_its_time_even_before_it_is_let_go() {
    let mut pipeline = pipeline(60_000, 10_000);
    pipeline.batch(&[COUNTER, GAUGE]);
    pipeline.now = Moment(10_000);
    assert_eq!(names(&mut pipeline), ["c 1", "g 7"], "not a moment too early");
    pipeline.now = Moment(10_200);
    assert_eq!(names(&mut pipeline), ["c 1"]);
    pipeline.now = Moment(60_200);
    assert_eq!(pipeline.exposition(Format::Text), "", "no header either");
    assert_eq!(pipeline.catalog.families(), 2, "nothing was let go so far");
}

#[test]
fn what_expires_gives_everything_back_once_its_holder_lets_go() {
    let limits =
        SeriesLimits { max_series: 1, max_series_per_metric: 1, max_series_bytes: usize::MAX };
    let expiry = ExpirySettings::new(1000, 0);
    let settings = PipelineSettings { limits, expiry, ..PipelineSettings::default() };
    let mut pipeline = Pipeline::new(&settings);
    pipeline.batch(&[GAUGE]);
    pipeline.now = Moment(2000);
    pipeline.expire();
    assert_eq!(pipeline.catalog.live_series(), 1, "the reader may still send values for it");
    pipeline.tell();
    assert_eq!((pipeline.catalog.live_series(), pipeline.catalog.families()), (0, 0));
    assert_eq!(pipeline.batch(&[COUNTER]), [None], "its place is free");
    assert_eq!(pipeline.stores.iter().map(|store| store.expired()).sum::<u64>(), 1);
}

#[test]
fn a_value_of_a_reader_that_was_not_told_yet_shows_it_again_without_admission() {
    let limits =
        SeriesLimits { max_series: 1, max_series_per_metric: 1, max_series_bytes: usize::MAX };
    let expiry = ExpirySettings::new(1000, 0);
    let settings = PipelineSettings { limits, expiry, ..PipelineSettings::default() };
    let mut pipeline = Pipeline::new(&settings);
    pipeline.batch(&[GAUGE]);
    pipeline.now = Moment(2000);
    pipeline.expire();
    assert_eq!(pipeline.exposition(Format::Text), "");
    assert_eq!(pipeline.batch(&[GAUGE]), [None]);
    assert_eq!(names(&mut pipeline), ["g 7"]);
    pipeline.tell();
    assert_eq!(names(&mut pipeline), ["g 7"], "it lives, and the reader has let go of it");
    pipeline.now = Moment(4000);
    pipeline.expire();
    assert_eq!(pipeline.catalog.families(), 0, "nobody holds it any more");
}

#[test]
fn samples_keep_a_series_alive() {
    let mut pipeline = pipeline(1000, 0);
    for step in 0..50 {
        pipeline.now = Moment(step * 900);
        pipeline.batch(&[COUNTER]);
        pipeline.expire();
        pipeline.tell();
    }
    assert_eq!(names(&mut pipeline), ["c 50"]);
}

#[test]
fn without_a_time_to_live_nothing_expires() {
    let mut pipeline = pipeline(0, 0);
    pipeline.batch(&[COUNTER, GAUGE]);
    pipeline.now = Moment(u64::from(u32::MAX) * 10);
    pipeline.expire();
    assert_eq!(names(&mut pipeline), ["c 1", "g 7"]);
    assert!(pipeline.stores.iter().all(|store| store.next_expiry().is_none()));
}

#[test]
fn series_that_go_leave_the_others_in_their_order() {
    let mut pipeline = pipeline(1000, 0);
    let payload = |number: u32| {
        format!(r#"{{"type":"gauge","name":"g","value":{number},"labels":{{"i":"{number}"}}}}"#)
    };
    let all: Vec<String> = (0..20).map(payload).collect();
    pipeline.batch(&all);
    pipeline.now = Moment(900);
    let odd: Vec<&String> = all.iter().skip(1).step_by(2).collect();
    pipeline.batch(&odd);
    pipeline.now = Moment(1200);
    pipeline.expire();
    pipeline.tell();
    let left: Vec<String> =
        (0..20).skip(1).step_by(2).map(|i| format!("g{{i=\"{i}\"}} {i}\n")).collect();
    let header = "# HELP g \n# TYPE g gauge\n";
    assert_eq!(pipeline.exposition(Format::Text), format!("{header}{}", left.concat()));
    pipeline.batch(&all);
    assert_eq!(names(&mut pipeline).len(), 20);
}

fn with_ttl(name: &str, ttl: &str) -> String {
    format!(r#"{{"type":"gauge","name":"{name}","value":1,"ttl":{ttl}}}"#)
}

#[test]
fn the_last_ttl_that_came_with_a_sample_holds() {
    let mut pipeline = pipeline(5000, 0);
    pipeline.batch(&[with_ttl("short", "1"), with_ttl("long", "60"), with_ttl("never", "0")]);
    pipeline.batch(&[with_ttl("lengthened", "1"), with_ttl("shortened", "60")]);
    pipeline.batch(&[with_ttl("lengthened", "60"), with_ttl("shortened", "1")]);
    // Without one it stays what it was.
    pipeline.batch(&[with_ttl("short", "null"), with_ttl("usual", "null")]);
    let mut left_at = |milliseconds| {
        pipeline.now = Moment(milliseconds);
        let shown = names(&mut pipeline).join(" ");
        pipeline.expire();
        pipeline.tell();
        assert_eq!(names(&mut pipeline).join(" "), shown, "expired is what was not shown");
        shown
    };
    assert_eq!(left_at(1200), "lengthened 1 long 1 never 1 usual 1");
    assert_eq!(left_at(5200), "lengthened 1 long 1 never 1");
    assert_eq!(left_at(60_200), "never 1");
    assert_eq!(left_at(u64::from(u32::MAX)), "never 1");
}

#[test]
fn a_ttl_that_comes_after_for_ever_is_kept() {
    let mut pipeline = pipeline(0, 0);
    for (step, ttl) in ["0", "1", "0", "7", "1"].into_iter().enumerate() {
        pipeline.now = Moment(step as u64 * 100);
        pipeline.batch(&[with_ttl("g", ttl)]);
    }
    pipeline.now = Moment(3000);
    pipeline.expire();
    assert_eq!(names(&mut pipeline), [""; 0]);
    pipeline.tell();
    assert_eq!(pipeline.catalog.families(), 0);
}

/// Else a producer that changes its mind would fill the memory.
#[test]
fn a_ttl_that_always_changes_leaves_no_heap_of_old_deadlines() {
    let mut pipeline = pipeline(0, 0);
    for round in 0..2000 {
        let ttls = [80_000 - round * 40, 40, 30_000_000 + round];
        let batch: Vec<String> = ttls.iter().map(|ttl| with_ttl("g", &ttl.to_string())).collect();
        pipeline.batch(&batch);
        pipeline.now = Moment(pipeline.now.0 + 39_000);
        pipeline.expire();
    }
    assert_eq!(names(&mut pipeline), ["g 1"]);
    let waiting: usize = pipeline.stores.iter().map(|store| store.deadlines()).sum();
    assert!(waiting <= 1100, "{waiting}");
}
