//! What prometheus-client, the client library of Rust, exposes of the same values:
//! the same in OpenMetrics and in protobuf, read by its own schema.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::prometheus_protobuf::encode_to_vec;
use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model::{
    Metric, MetricFamily,
};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, NativeHistogramConfig};
use prometheus_client::registry::{Registry, Unit};
use prost::Message;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use psg_testkit::exposition::OWN;
use psg_testkit::producers::seed;
use psg_testkit::{Exposition, Format, Rig, totals};

/// How a scraper asks for it.
const ACCEPT_PROTOBUF: (&str, &str) = (
    "Accept",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
);

const BOUNDS: [f64; 3] = [1.0, 5.0, 20.0];

type Labels = Vec<(String, String)>;

/// The metrics of [`totals::batch`], as a program has them.
struct Program {
    registry: Registry,
    counters: BTreeMap<&'static str, Family<Labels, Counter<f64>>>,
    gauge: Family<Labels, Gauge<f64, AtomicU64>>,
    histogram: Family<Labels, Histogram>,
}

impl Program {
    fn new() -> Self {
        let mut registry = Registry::default();
        let mut counters = BTreeMap::new();
        for (name, stem) in [("c_total", "c"), ("t_total", "t")] {
            let family = counters.entry(name).or_insert_with(Family::default);
            registry.register(stem, "", family.clone());
        }
        let gauge = Family::default();
        registry.register("g", "", gauge.clone());
        let histogram = Family::new_with_constructor((|| Histogram::new(BOUNDS)) as fn() -> _);
        registry.register("h", "", histogram.clone());
        Self { registry, counters, gauge, histogram }
    }

    fn observe(&self, payload: &str) {
        let sample: Value = serde_json::from_str(payload).expect("we made it");
        let value = sample["value"].as_f64().expect("a number");
        let labels = sample["labels"].as_object().expect("labels").iter();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let labels: Labels = labels.map(|(name, value)| (name.clone(), text(value))).collect();
        match sample["type"].as_str() {
            Some("gauge") => drop(self.gauge.get_or_create_owned(&labels).set(value)),
            Some("histogram") => self.histogram.get_or_create_owned(&labels).observe(value),
            _ => {
                let name = sample["name"].as_str().expect("text");
                self.counters[name].get_or_create_owned(&labels).inc_by(value);
            }
        }
    }
}

/// Family by family, what is neither free nor the gateway's own: the type, and each
/// line with its labels sorted.
fn lines(openmetrics: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let seen = Exposition::parse(openmetrics, Format::OpenMetrics)
        .unwrap_or_else(|error| panic!("{error}\n{openmetrics}"));
    let produced = seen.families.into_iter().filter(|family| !family.name.starts_with(OWN));
    let of_family = |family: psg_testkit::exposition::Family| {
        let line = |sample: &psg_testkit::exposition::Sample| {
            let labels = sample.canonical.rsplit_once(' ').expect("a line has a value").0;
            format!("{labels} {} {:?}", sample.number(), sample.exemplar)
        };
        let mut lines: Vec<String> = family.samples.iter().map(line).collect();
        lines.sort();
        let header = format!("{} {:?}", family.kind, family.unit);
        (family.name, (header, lines))
    };
    produced.map(of_family).collect()
}

/// The same of protobuf, without help, to which the library adds a period.
fn families(mut delimited: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !delimited.is_empty() {
        let mut family =
            MetricFamily::decode_length_delimited(&mut delimited).expect("it is of the schema");
        family.help.clear();
        let labels = |metric: &Metric| -> Labels {
            metric.label.iter().map(|label| (label.name.clone(), label.value.clone())).collect()
        };
        family.metric.iter_mut().for_each(|metric| {
            metric.label.sort_by(|left, right| left.name.cmp(&right.name));
        });
        family.metric.sort_by_cached_key(labels);
        if !family.name.starts_with(OWN) {
            families.push(family);
        }
    }
    families.sort_by(|left, right| left.name.cmp(&right.name));
    families
}

fn check(rig: &Rig, registry: &Registry, context: &str) {
    let mut text = String::new();
    encode(&mut text, registry).expect("strings grow");
    let body = rig.gateway.must_get("/metrics", &[psg_testkit::gateway::ACCEPT_OPENMETRICS]);
    assert_eq!(lines(&body.text()), lines(&text), "{context}");
    let theirs = encode_to_vec(registry).expect("vectors grow");
    let body = rig.gateway.must_get("/metrics", &[ACCEPT_PROTOBUF]).body;
    assert_eq!(families(&body), families(&theirs), "{context}");
}

#[test]
fn the_same_samples_are_the_same_exposition() {
    let (seed, program) = (seed(), Program::new());
    let batches = (0..20).flat_map(|number| totals::batch(seed, 0, number));
    // The library has no summaries.
    let payloads: Vec<String> =
        batches.filter(|payload| !payload.contains(r#""summary""#)).collect();
    payloads.iter().for_each(|payload| program.observe(payload));
    let mut rig = Rig::with(&[("Shards__Count", "3")]);
    rig.send(&payloads);
    check(&rig, &program.registry, &format!("seed {seed}"));
}

#[test]
fn the_same_exemplars_and_units() {
    let mut registry = Registry::default();
    let histogram = HistogramWithExemplars::<Labels>::new(BOUNDS.into_iter());
    registry.register_with_unit("h", "", Unit::Seconds, histogram.clone());
    let mut rig = Rig::with(&[("Metrics__Exemplars", "true")]);
    let payloads = [(0.5, "é"), (7.0, "\\ \" \n"), (30.0, "b"), (0.25, "later")].map(
        |(value, trace)| {
            let at = Duration::from_millis(1_700_000_000_250);
            let labels = vec![("trace_id".to_owned(), trace.to_owned())];
            histogram.observe(value, Some(labels), Some(SystemTime::UNIX_EPOCH + at));
            let trace = Value::from(trace);
            format!(
                r#"{{"type":"histogram","name":"h_seconds","unit":"seconds","value":{value},"buckets":[1,5,20],"exemplar":{{"labels":{{"trace_id":{trace}}},"timestamp":1700000000.25}}}}"#
            )
        },
    );
    rig.send(&payloads);
    check(&rig, &registry, "exemplars");
}

/// Zeros, bounds of buckets, and values on both sides of zero that are far apart.
fn any_value(random: &mut ChaCha8Rng) -> f64 {
    let power = 2_f64.powi(random.random_range(-40..40));
    match random.random_range(0..6) {
        0 => 0.0,
        1 => power,
        2 => -power,
        3 => -power * random.random_range(1.0..2.0),
        _ => power * random.random_range(1.0..2.0),
    }
}

#[test]
fn the_same_native_buckets() {
    let seed = seed();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rig = Rig::with(&[("Metrics__NativeHistogramMaxBuckets", "10000")]);
    for (number, factor) in [1.1, 1.003, 2.0, 65536.0, 1.5].into_iter().enumerate() {
        let mut registry = Registry::default();
        let native = || NativeHistogramConfig::new(factor);
        let histograms = [
            ("alone", "", Histogram::new_native(native())),
            ("both", r#","buckets":[1,5,20]"#, Histogram::new_classic_and_native(BOUNDS, native())),
        ];
        let mut payloads = Vec::new();
        for (name, buckets, histogram) in &histograms {
            let name = format!("{name}_{number}");
            registry.register(name.clone(), "", histogram.clone());
            let values: Vec<f64> = (0..300).map(|_| any_value(&mut random)).collect();
            values.iter().for_each(|value| histogram.observe(*value));
            payloads.push(format!(
                r#"{{"type":"histogram","name":"{name}","values":{values:?},"factor":{factor:?}{buckets}}}"#
            ));
        }
        assert_eq!(rig.send(&payloads).totals().1, 0, "none is rejected");
        let ours = families(&rig.gateway.must_get("/metrics", &[ACCEPT_PROTOBUF]).body);
        let of_factor = |family: &&MetricFamily| family.name.ends_with(&format!("_{number}"));
        let ours: Vec<MetricFamily> = ours.iter().filter(of_factor).cloned().collect();
        let mut theirs = families(&encode_to_vec(&registry).expect("vectors grow"));
        let metrics = theirs.iter_mut().flat_map(|family| &mut family.metric);
        // It tells when they began, whatever is set.
        metrics.flat_map(|metric| &mut metric.histogram).for_each(|one| one.start_timestamp = None);
        assert_eq!(ours, theirs, "factor {factor}, seed {seed}");
    }
}
