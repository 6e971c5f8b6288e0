//! Searches: what operators see of series, piece by piece, and its bounds.

use std::collections::BTreeSet;
use std::sync::Arc;

use psg_engine::catalog::Family;
use psg_engine::store::{ExpirySettings, Found, SearchJob, SearchOrder};
use psg_engine::timestamp::Moment;
use serde_json::json;

use crate::support::pipeline::{Pipeline, PipelineSettings};

fn order(pipeline: &Pipeline, names: &[&str]) -> SearchOrder {
    let family = |name: &&str| pipeline.catalog.get(name).expect("the family is there");
    let families: Vec<Arc<Family>> = names.iter().map(family).collect();
    SearchOrder { families: families.into(), labels: "".into(), series: 1000, bytes: 1 << 20 }
}

/// What each shard finds in slices of that many series.
fn search(pipeline: &mut Pipeline, order: &SearchOrder, budget: usize) -> Vec<Found> {
    let now = pipeline.now;
    let of_store = |store: &mut psg_engine::store::Store| {
        let mut job = SearchJob::new(order.clone());
        while !store.search_some(&mut job, budget, now) {}
        job.finish()
    };
    pipeline.stores.iter_mut().map(of_store).collect()
}

fn labels(found: &[Found]) -> BTreeSet<String> {
    let series = found.iter().flat_map(|found| &found.series);
    series.map(|series| series.labels.pairs().to_string()).collect()
}

fn counters(name: &str, count: usize) -> Vec<String> {
    let sample = |i| {
        format!(r#"{{"name":"{name}","value":{i},"labels":{{"id":"n{i}","parity":{}}}}}"#, i % 2)
    };
    (0..count).map(sample).collect()
}

#[test]
fn every_series_is_found_once_in_slices_of_any_size() {
    let mut pipeline = Pipeline::new(&PipelineSettings { shards: 3, ..Default::default() });
    pipeline.batch(&counters("a", 300));
    pipeline.batch(&counters("b", 50));
    pipeline.batch(&counters("other", 20));
    let order = order(&pipeline, &["b", "a"]);
    for budget in [1, 7, 64, 100_000] {
        let found = search(&mut pipeline, &order, budget);
        assert!(found.iter().all(|found| !found.is_cut));
        assert!(found.iter().all(|found| found.series.is_sorted_by_key(|series| series.family)));
        let count: usize = found.iter().map(|found| found.series.len()).sum();
        assert_eq!((count, labels(&found).len()), (350, 300), "{budget}");
    }
}

#[test]
fn labels_narrow_it_and_bounds_cut_it() {
    let mut pipeline = Pipeline::new(&PipelineSettings { shards: 2, ..Default::default() });
    pipeline.batch(&counters("a", 300));
    let all = order(&pipeline, &["a"]);
    let one = SearchOrder { labels: "ID=\"N17\"".into(), ..all.clone() };
    let found = search(&mut pipeline, &one, 10);
    assert_eq!(labels(&found), BTreeSet::from([r#"id="n17",parity="1""#.to_owned()]));
    assert!(found.iter().all(|found| !found.is_cut));

    let few = SearchOrder { series: 5, ..all.clone() };
    for found in search(&mut pipeline, &few, 10) {
        assert_eq!((found.series.len(), found.is_cut), (5, true));
    }
    // The one that passes the bound is the last.
    let small = SearchOrder { bytes: 100, ..all };
    for found in search(&mut pipeline, &small, 10) {
        assert_eq!((found.series.len(), found.is_cut), (2, true));
    }
}

#[test]
fn exactly_as_many_as_asked_for_is_not_cut() {
    let mut pipeline = Pipeline::new(&PipelineSettings { shards: 1, ..Default::default() });
    pipeline.batch(&counters("a", 8));
    let order = SearchOrder { series: 8, ..order(&pipeline, &["a"]) };
    let found = search(&mut pipeline, &order, 3);
    assert_eq!((found[0].series.len(), found[0].is_cut), (8, false));
}

#[test]
fn values_are_what_each_type_holds() {
    let mut pipeline = Pipeline::new(&PipelineSettings { shards: 1, ..Default::default() });
    pipeline.batch(&[
        r#"{"type":"counter","name":"c","value":2}"#,
        r#"{"type":"counter","name":"c","value":3}"#,
        r#"{"type":"gauge","name":"g","value":-4}"#,
        r#"{"type":"histogram","name":"h","value":1.5,"buckets":[1,2]}"#,
        r#"{"type":"histogram","name":"h","value":9,"buckets":[1,2]}"#,
        r#"{"type":"summary","name":"s","value":7,"quantiles":[0.5],"epsilons":[0.05]}"#,
    ]);
    let order = order(&pipeline, &["c", "g", "h", "s"]);
    let found = search(&mut pipeline, &order, 100).remove(0);
    let values: Vec<serde_json::Value> = found
        .series
        .iter()
        .map(|series| serde_json::to_value(&series.value).expect("it is JSON"))
        .collect();
    let bucket = |le: &str, count: u64| json!({"le": le, "count": count});
    let buckets = [bucket("1", 0), bucket("2", 1), bucket("+Inf", 2)];
    assert_eq!(
        values,
        [
            json!({"value": "5"}),
            json!({"value": "-4"}),
            json!({"count": 2, "sum": "10.5", "buckets": buckets}),
            json!({"count": 1, "sum": "7", "quantiles": [{"quantile": "0.5", "value": "7"}]}),
        ]
    );
}

#[test]
fn idle_series_are_told_how_idle_and_expired_ones_not_at_all() {
    let settings = PipelineSettings {
        shards: 1,
        expiry: ExpirySettings::new(10_000, 0),
        ..PipelineSettings::default()
    };
    let mut pipeline = Pipeline::new(&settings);
    pipeline.batch(&[r#"{"name":"a","labels":{"i":1}}"#]);
    pipeline.now = Moment(4_000);
    pipeline.batch(&[r#"{"name":"a","labels":{"i":2}}"#]);
    pipeline.now = Moment(9_000);
    let order = order(&pipeline, &["a"]);
    let idle = |pipeline: &mut Pipeline| -> Vec<u64> {
        search(pipeline, &order, 9).remove(0).series.iter().map(|series| series.idle_ms).collect()
    };
    assert_eq!(idle(&mut pipeline), [9_000, 5_000]);
    // Not yet taken out, but past its time: a scrape does not show it either.
    pipeline.now = Moment(12_000);
    assert_eq!(idle(&mut pipeline), [8_000]);
    pipeline.expire();
    assert_eq!(idle(&mut pipeline), [8_000]);
}

#[test]
fn a_listing_that_shrinks_between_two_slices_does_no_harm() {
    let settings = PipelineSettings {
        shards: 1,
        expiry: ExpirySettings::new(1_000, 0),
        ..PipelineSettings::default()
    };
    let mut pipeline = Pipeline::new(&settings);
    pipeline.batch(&counters("a", 100));
    let mut job = SearchJob::new(order(&pipeline, &["a"]));
    assert!(!pipeline.stores[0].search_some(&mut job, 500, pipeline.now));
    pipeline.now = Moment(2_000);
    pipeline.expire();
    pipeline.tell();
    pipeline.batch(&counters("a", 3));
    while !pipeline.stores[0].search_some(&mut job, 500, pipeline.now) {}
    assert!(job.finish().series.len() < 100);
}

#[test]
fn names_are_found_by_any_part_of_them() {
    let mut pipeline = Pipeline::new(&PipelineSettings::default());
    pipeline.batch(&counters("http_requests_total", 5));
    pipeline.batch(&counters("http", 1));
    pipeline.batch(&counters("my_http", 9));
    pipeline.batch(&counters("jobs_total", 3));
    let names = |part, count| -> (usize, Vec<String>) {
        let (found, best) = pipeline.catalog.matching(part, count);
        (found, best.iter().map(|family| family.name().to_owned()).collect())
    };
    let all = ["http", "http_requests_total", "my_http"].map(String::from).to_vec();
    assert_eq!(names("http", 10), (3, all.clone()));
    assert_eq!(names("http", 2), (3, all[..2].to_vec()));
    assert_eq!(names("TOTAL", 1), (2, vec!["http_requests_total".to_owned()]));
    assert_eq!(names("", 1), (4, vec!["my_http".to_owned()]));
    assert_eq!(names("none", 10), (0, vec![]));
    assert!(pipeline.catalog.get("jobs_total").is_some());
    assert!(pipeline.catalog.get("jobs").is_none());
}
