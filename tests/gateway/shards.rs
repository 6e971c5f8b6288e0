//! Shards: how many there are must not show, and nothing is lost between them.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use psg_testkit::Rig;

type Families = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_number_of_shards_does_not_show() {
    let payloads = mixture(4_000);
    let one = exposed("1", &payloads);
    assert!(one.0.len() > 40, "only {} families", one.0.len());
    for shards in ["2", "3", "8"] {
        let many = exposed(shards, &payloads);
        assert_eq!(many.0, one.0, "text with {shards} shards");
        assert_eq!(many.1, one.1, "OpenMetrics with {shards} shards");
    }
}

#[test]
fn taken_is_processed_and_rejected() {
    let mut rig = Rig::with(&[("Redis__MetricQueueWorkers", "4"), ("Shards__Count", "4")]);
    let payloads = mixture(20_000);
    let seen = rig.send(&payloads);
    let (processed, rejected) = seen.totals();
    assert!(processed > 10_000 && rejected > 500, "{processed} processed, {rejected} rejected");
    assert_eq!(processed + rejected, rig.pushed());
    assert_eq!(seen.sum("prom_stream_gateway_rejected_samples_total") as u64, rejected);
    assert_eq!(rig.redis.pending(), 0);
}

#[test]
fn a_small_inbox_loses_nothing() {
    let mut rig = Rig::with(&[("Shards__InboxCapacity", "1"), ("Shards__Count", "3")]);
    let payloads: Vec<String> = (0..30_000)
        .map(|i| format!(r#"{{"name":"n_total","value":1,"labels":{{"i":"{}"}}}}"#, i % 500))
        .collect();
    let seen = rig.send(&payloads);
    assert_eq!(seen.sum("n_total"), 30_000.0);
    assert_eq!(seen.samples("n_total").count(), 500);
}

#[test]
fn readers_that_keep_forgetting_series_lose_nothing() {
    let mut rig = Rig::with(&[
        ("Metrics__ReaderCacheSeries", "5"),
        ("Redis__MetricQueueWorkers", "4"),
        ("Shards__Count", "3"),
        ("Shards__InboxCapacity", "2"),
    ]);
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut expected: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    let payloads: Vec<String> = (0..20_000)
        .map(|_| {
            let (family, series) = (random.random_range(0..40), random.random_range(0..50));
            *expected.entry((family, series)).or_default() += 1.0;
            format!(r#"{{"name":"n{family}","value":1,"labels":{{"i":"{series}"}}}}"#)
        })
        .collect();
    let seen = rig.send(&payloads);
    for ((family, series), sum) in expected {
        let got = seen.value(&format!("n{family}"), &[("i", &series.to_string())]);
        assert_eq!(got, Some(sum), "n{family} of {series}");
    }
}

fn exposed(shards: &str, payloads: &[String]) -> (Families, Families) {
    let mut rig = Rig::with(&[("Shards__Count", shards)]);
    let text = rig.send(payloads).produced();
    (text, rig.gateway.scrape_openmetrics().produced())
}

/// Samples of all types over some 60 families, about 7 % of them bad.
fn mixture(count: usize) -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    (0..count).map(|_| one_of_the_mixture(&mut random)).collect()
}

fn one_of_the_mixture(random: &mut ChaCha8Rng) -> String {
    let family = random.random_range(0..15);
    let value = random.random_range(0.0..100.0_f64);
    let (a, b) = (random.random_range(0..6), random.random_range(0..4));
    let labels = match random.random_range(0..4) {
        0 => "{}".to_owned(),
        1 => format!(r#"{{"a":"{a}"}}"#),
        2 => format!(r#"{{"a":"{a}","b":"{b}"}}"#),
        _ => format!(r#"{{"b":"{b}","a":"{a}"}}"#),
    };
    let (kind, rest) = match random.random_range(0..15) {
        0 => ("counter", r#","unfinished":"#),
        1..=4 => ("counter", ""),
        5..=8 => ("gauge", ""),
        9..=11 => ("histogram", r#","buckets":[1,10,50]"#),
        _ => ("summary", r#","quantiles":[0.5,0.99],"epsilons":[0.05,0.001]"#),
    };
    format!(
        r#"{{"type":"{kind}","name":"{kind}_{family}","value":{value},"labels":{labels}{rest}}}"#
    )
}
