//! The peers: the `prometheus-client` and `prometheus` crates, which encode the
//! same counters in this process, without HTTP.

use std::hint::black_box;
use std::time::{Duration, Instant};

use prometheus::{CounterVec, Encoder, Opts, Registry, TextEncoder};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::{NAMES, median, series_of};

/// Nanoseconds per series.
#[derive(Debug, Clone, Copy)]
pub struct Peers {
    /// `prometheus_client::encoding::text::encode`, which writes OpenMetrics.
    pub prometheus_client: u64,
    /// `prometheus::Registry::gather` and `TextEncoder::encode`.
    pub prometheus: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    instance: String,
    job: String,
    region: String,
}

/// The median of `rounds` for `series` counters with three labels.
pub fn encode(series: u64, rounds: usize) -> Peers {
    Peers {
        prometheus_client: prometheus_client(series, rounds),
        prometheus: prometheus(series, rounds),
    }
}

fn prometheus_client(series: u64, rounds: usize) -> u64 {
    let mut registry = prometheus_client::registry::Registry::default();
    let families: Vec<Family<Labels, Counter<f64>>> =
        (0..NAMES).map(|_| Family::default()).collect();
    for (number, family) in families.iter().enumerate() {
        registry.register(format!("bench_metric_{number}"), "", family.clone());
    }
    for index in 0..series {
        let (_, [instance, job, region]) = series_of(index);
        let labels = Labels { instance, job, region };
        let counter = families[(index % NAMES) as usize].get_or_create_owned(&labels);
        counter.inc_by((index % 1000) as f64);
    }
    per_series(series, rounds, || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("strings grow");
        black_box(text);
    })
}

fn prometheus(series: u64, rounds: usize) -> u64 {
    let registry = Registry::new();
    let counters: Vec<CounterVec> = (0..NAMES)
        .map(|number| {
            let options = Opts::new(format!("bench_metric_{number}_total"), "counters");
            let counters = CounterVec::new(options, &["instance", "job", "region"]);
            let counters = counters.expect("the names are valid");
            registry.register(Box::new(counters.clone())).expect("the names are unique");
            counters
        })
        .collect();
    for index in 0..series {
        let (_, labels) = series_of(index);
        let labels = labels.each_ref().map(String::as_str);
        let counter = counters[(index % NAMES) as usize].with_label_values(&labels);
        counter.inc_by((index % 1000) as f64);
    }
    per_series(series, rounds, || {
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).expect("vectors grow");
        black_box(text);
    })
}

fn per_series(series: u64, rounds: usize, mut encode: impl FnMut()) -> u64 {
    let timed = |_| {
        let before = Instant::now();
        encode();
        before.elapsed()
    };
    let times: Vec<Duration> = (0..rounds).map(timed).collect();
    median(times).as_nanos() as u64 / series
}
