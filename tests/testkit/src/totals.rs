//! What producers push, as a function of seed, producer and batch number alone;
//! so what the totals must be is known exactly, whatever was repeated.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Exposition;

/// What each exposed line must show: by name and labels.
pub type Totals = BTreeMap<String, f64>;

/// The bounds of the histograms.
const BOUNDS: [f64; 3] = [1.0, 5.0, 20.0];

/// The payloads of a batch, oldest first.
pub fn batch(seed: u64, producer: usize, number: u64) -> Vec<String> {
    let stream = seed ^ (producer as u64) << 48 ^ number;
    let mut random = ChaCha8Rng::seed_from_u64(stream);
    let count = random.random_range(1..40);
    let mut payloads: Vec<String> = (0..count).map(|_| payload(&mut random, producer)).collect();
    payloads.push(format!(
        r#"{{"type":"gauge","name":"g","value":{number},"labels":{{"p":"{producer}"}}}}"#
    ));
    payloads
}

fn payload(random: &mut ChaCha8Rng, producer: usize) -> String {
    let series = random.random_range(0..30);
    // Quarters add up exactly in any order, tenths do not.
    let quarters = f64::from(random.random_range(0..100)) / 4.0;
    let tenths = f64::from(random.random_range(0..100)) / 10.0;
    match random.random_range(0..4) {
        0 => format!(
            r#"{{"name":"c_total","value":{quarters},"labels":{{"p":"{producer}","k":"{series}"}}}}"#
        ),
        1 => format!(r#"{{"name":"t_total","value":{tenths},"labels":{{"k":"{series}"}}}}"#),
        2 => format!(
            r#"{{"type":"histogram","name":"h","value":{quarters},"labels":{{"k":"{series}"}},"buckets":[1,5,20]}}"#
        ),
        _ => format!(
            r#"{{"type":"summary","name":"s","value":{quarters},"labels":{{"k":"{series}"}},"quantiles":[0.5],"epsilons":[0.05]}}"#
        ),
    }
}

/// Adds to `totals` what a payload does to them, so many times.
pub fn add(totals: &mut Totals, payload: &str, times: f64) {
    let sample: serde_json::Value = serde_json::from_str(payload).expect("we made it");
    let value = sample["value"].as_f64().expect("a number");
    let mut labels: Vec<(String, String)> = sample["labels"].as_object().map_or(vec![], |labels| {
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        labels.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    });
    let name = sample["name"].as_str().expect("a text");
    let mut add = |suffix: &str, labels: &[(String, String)], value: f64| {
        *totals.entry(key(&format!("{name}{suffix}"), labels)).or_default() += value * times;
    };
    match sample["type"].as_str() {
        Some("histogram") => {
            add("_sum", &labels, value);
            add("_count", &labels, 1.0);
            for bound in BOUNDS.into_iter().chain([f64::INFINITY]) {
                let text = if bound.is_infinite() { "+Inf".into() } else { bound.to_string() };
                labels.push(("le".into(), text));
                add("_bucket", &labels, f64::from(u8::from(value <= bound)));
                labels.pop();
            }
        }
        Some("summary") => {
            add("_sum", &labels, value);
            add("_count", &labels, 1.0);
        }
        Some("gauge") => {}
        _ => add("", &labels, value),
    }
}

/// What a scrape shows of all that only rises.
pub fn shown(seen: &Exposition) -> Totals {
    let rising = |name: &str| name != "g" && name != "s" && !name.starts_with("prom_stream");
    let samples = seen.families.iter().flat_map(|family| &family.samples);
    let samples = samples.filter(|sample| rising(&sample.name));
    samples.map(|sample| (key(&sample.name, &sample.labels), sample.number())).collect()
}

/// Where a scrape shows less than another did before it, if anywhere.
pub fn fallen(before: &Totals, now: &Totals) -> Option<String> {
    before.iter().find_map(|(key, floor)| {
        let found = now.get(key).copied();
        let is_less = found.is_none_or(|found| found < *floor);
        is_less.then(|| format!("{key} was {floor}, then {found:?}"))
    })
}

/// Where a scrape differs from what was pushed, if anywhere.
pub fn difference(expected: &Totals, found: &Totals) -> Option<String> {
    let keys = expected.keys().chain(found.keys());
    keys.into_iter().find_map(|key| {
        let of = |totals: &Totals| totals.get(key).copied().unwrap_or(0.0);
        let (expected, found) = (of(expected), of(found));
        // Tenths are added in the order in which producers' batches met.
        let tolerance = if key.starts_with("t_") { 1e-6 } else { 0.0 };
        let differs = (expected - found).abs() > tolerance;
        differs.then(|| format!("{key} is {found}, pushed was {expected}"))
    })
}

fn key(name: &str, labels: &[(String, String)]) -> String {
    let mut labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    labels.sort();
    format!("{name}{{{}}}", labels.join(","))
}
