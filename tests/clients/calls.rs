//! Random calls from a seed, in batches that are flushed.

use std::collections::BTreeMap;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Labels of a series, by name.
pub type Labels = BTreeMap<&'static str, String>;

/// Buckets that a call names itself.
pub const OWN_BUCKETS: &[f64] = &[0.25, 1.0, 4.0];

/// What is called of a series.
#[derive(Debug, Clone)]
pub enum Call {
    Counter,
    Gauge(&'static str),
    /// With buckets of its own, or the client's default ones.
    Histogram(bool),
    Summary,
}

/// A call, with all that it says.
#[derive(Debug, Clone)]
pub struct Made {
    pub call: Call,
    pub name: &'static str,
    pub labels: Labels,
    /// A whole number of quarters, so that sums are exact in any order.
    pub value: f64,
}

/// Who makes the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// It alone: the order of operations on a gauge is known.
    Alone,
    /// One of several: only what comes to the same in any order.
    OneOf(u8),
}

const VALUES: [&str; 6] = ["/a", "200", "true", "é 日本 😀", "say \"\\\"\tand\nmore", "{}[]:,'"];

/// So many calls, in batches of any size.
pub fn batches(seed: u64, process: Process, count: usize) -> Vec<Vec<Made>> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let mut batches: Vec<Vec<Made>> = Vec::new();
    let mut left = count;
    while left > 0 {
        let mut batch = batch(&mut draw, process);
        batch.truncate(left);
        left -= batch.len();
        batches.push(batch);
    }
    batches
}

fn batch(draw: &mut ChaCha8Rng, process: Process) -> Vec<Made> {
    match draw.random_range(0..8) {
        // More than fits into one array.
        0 => (0..150).map(|number| wide(draw, number)).collect(),
        // One series again and again: observations enough to be counts.
        1 => repeated(draw, Call::Histogram(true), "contract_wait_seconds"),
        2 => repeated(draw, Call::Histogram(false), "contract_run_seconds"),
        3 => repeated(draw, Call::Summary, "contract_size_bytes"),
        4 => repeated(draw, Call::Counter, "contract_calls_total"),
        _ => (0..draw.random_range(1..40)).map(|_| any(draw, process)).collect(),
    }
}

fn wide(draw: &mut ChaCha8Rng, number: usize) -> Made {
    let labels = Labels::from([("number", number.to_string()), ("text", "x".repeat(600))]);
    Made { call: Call::Counter, name: "contract_wide_total", labels, value: value(draw) }
}

fn repeated(draw: &mut ChaCha8Rng, call: Call, name: &'static str) -> Vec<Made> {
    let labels = labels(draw);
    let count = draw.random_range(20..100);
    (0..count)
        .map(|_| Made { call: call.clone(), name, labels: labels.clone(), value: value(draw) })
        .collect()
}

fn any(draw: &mut ChaCha8Rng, process: Process) -> Made {
    let mut labels = labels(draw);
    let (call, name) = match draw.random_range(0..6) {
        0 => (Call::Counter, "contract_calls_total"),
        1 => (Call::Histogram(true), "contract_wait_seconds"),
        2 => (Call::Histogram(false), "contract_run_seconds"),
        3 => (Call::Summary, "contract_size_bytes"),
        _ => match process {
            Process::Alone => {
                let op = *["set", "add", "max", "min"].choose(draw).expect("there are some");
                (Call::Gauge(op), "contract_level")
            }
            Process::OneOf(number) => gauge_of_several(draw, number, &mut labels),
        },
    };
    let falls = matches!(call, Call::Gauge(_)) && draw.random();
    let value = if falls { -value(draw) } else { value(draw) };
    Made { call, name, labels, value }
}

fn gauge_of_several(
    draw: &mut ChaCha8Rng,
    process: u8,
    labels: &mut Labels,
) -> (Call, &'static str) {
    match draw.random_range(0..4) {
        0 => (Call::Gauge("add"), "contract_running"),
        1 => (Call::Gauge("max"), "contract_highest"),
        2 => (Call::Gauge("min"), "contract_lowest"),
        _ => {
            labels.insert("process", process.to_string());
            (Call::Gauge("set"), "contract_level")
        }
    }
}

fn labels(draw: &mut ChaCha8Rng) -> Labels {
    let mut labels = Labels::new();
    for name in ["route", "status", "_zone9"] {
        if draw.random() {
            labels.insert(name, (*VALUES.choose(draw).expect("there are some")).to_owned());
        }
    }
    labels
}

/// Often one that is a bound of buckets.
fn value(draw: &mut ChaCha8Rng) -> f64 {
    f64::from(draw.random_range(0..=24)) / 4.0
}

impl Made {
    /// As the driver reads it, its labels in any order.
    pub fn json(&self, draw: &mut ChaCha8Rng) -> String {
        let text = |text: &str| serde_json::to_string(text).expect("text is JSON");
        let mut labels: Vec<String> = self
            .labels
            .iter()
            .map(|(name, value)| format!("{}:{}", text(name), text(value)))
            .collect();
        labels.shuffle(draw);
        let call = match self.call {
            Call::Counter => r#""call":"counter""#.to_owned(),
            Call::Gauge(op) => format!(r#""call":"gauge","op":"{op}""#),
            Call::Histogram(true) => {
                format!(r#""call":"histogram","buckets":{OWN_BUCKETS:?}"#)
            }
            Call::Histogram(false) => r#""call":"histogram""#.to_owned(),
            Call::Summary => r#""call":"summary""#.to_owned(),
        };
        let (name, labels, value) = (self.name, labels.join(","), self.value);
        format!(r#"{{{call},"name":"{name}","labels":{{{labels}}},"value":{value}}}"#)
    }
}
