//! What `/metrics` shows of calls, and whether it does.

use std::collections::BTreeMap;

use psg_testkit::Exposition;
use psg_testkit::exposition::{OWN, Sample};

use super::calls::{Call, Labels, Made, OWN_BUCKETS};

/// The buckets of a client's histograms that are given none.
const DEFAULT_BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Each line of `/metrics` that is not the gateway's own: name, labels, value.
pub type Lines = BTreeMap<(String, Vec<(String, String)>), f64>;

/// What was called, added up.
#[derive(Debug, Default, Clone)]
pub struct Model {
    series: BTreeMap<(&'static str, Labels), Total>,
}

#[derive(Debug, Clone)]
enum Total {
    Number(f64),
    Observations { values: Vec<f64>, buckets: &'static [f64] },
}

impl Model {
    /// Adds a call.
    pub fn add(&mut self, made: &Made) {
        let key = (made.name, made.labels.clone());
        let buckets = match made.call {
            Call::Histogram(true) => OWN_BUCKETS,
            Call::Histogram(false) => DEFAULT_BUCKETS,
            Call::Counter | Call::Gauge(_) | Call::Summary => &[],
        };
        match made.call {
            Call::Counter | Call::Gauge(_) => {
                let before = match self.series.get(&key) {
                    Some(Total::Number(before)) => Some(*before),
                    _ => None,
                };
                self.series.insert(key, Total::Number(made.applied_to(before)));
            }
            Call::Histogram(_) | Call::Summary => {
                let empty = Total::Observations { values: Vec::new(), buckets };
                if let Total::Observations { values, .. } = self.series.entry(key).or_insert(empty)
                {
                    values.push(made.value);
                }
            }
        }
    }

    /// The lines that show it.
    pub fn lines(&self) -> Lines {
        let mut lines = Lines::new();
        for ((name, labels), total) in &self.series {
            let labels: Vec<(String, String)> =
                labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            match total {
                Total::Number(value) => {
                    lines.insert(((*name).to_owned(), labels), *value);
                }
                Total::Observations { values, buckets } => {
                    let count = values.len() as f64;
                    lines.insert((format!("{name}_count"), labels.clone()), count);
                    lines.insert((format!("{name}_sum"), labels.clone()), values.iter().sum());
                    if buckets.is_empty() {
                        continue;
                    }
                    for bound in buckets.iter().chain(&[f64::INFINITY]) {
                        let within = values.iter().filter(|value| *value <= bound).count();
                        let mut labels = labels.clone();
                        labels.push(("le".to_owned(), bound.to_string()));
                        labels.sort();
                        lines.insert((format!("{name}_bucket"), labels), within as f64);
                    }
                }
            }
        }
        lines
    }
}

impl Made {
    /// What a counter or gauge shows after it.
    fn applied_to(&self, before: Option<f64>) -> f64 {
        let operation = match self.call {
            Call::Gauge(operation) => operation,
            Call::Counter | Call::Histogram(_) | Call::Summary => "add",
        };
        match (operation, before) {
            ("set", _) | (_, None) => self.value,
            ("max", Some(before)) => before.max(self.value),
            ("min", Some(before)) => before.min(self.value),
            (_, Some(before)) => before + self.value,
        }
    }
}

/// The lines of what producers made. Which quantiles a client asks for is its own.
pub fn shown(exposition: &Exposition) -> Lines {
    let families = exposition.families.iter().filter(|family| !family.name.starts_with(OWN));
    let samples = families.flat_map(|family| &family.samples);
    samples.filter(|sample| sample.label("quantile").is_none()).map(line).collect()
}

fn line(sample: &Sample) -> ((String, Vec<(String, String)>), f64) {
    let mut labels = sample.labels.clone();
    for (name, value) in &mut labels {
        if name == "le" {
            *value = value.trim_start_matches('+').parse::<f64>().expect("a bound").to_string();
        }
    }
    labels.sort();
    ((sample.name.clone(), labels), sample.number())
}

/// Nothing where they are the same, else the first few differences.
pub fn difference(expected: &Lines, got: &Lines) -> Result<(), String> {
    let missing = expected.iter().filter(|(line, value)| got.get(*line) != Some(*value));
    let missing =
        missing.map(|(line, value)| format!("{line:?}: expected {value}, got {:?}", got.get(line)));
    let more = got.iter().filter(|(line, _)| !expected.contains_key(*line));
    let more = more.map(|(line, value)| format!("{line:?}: expected none, got {value}"));
    let all: Vec<String> = missing.chain(more).collect();
    if all.is_empty() {
        return Ok(());
    }
    Err(format!("{} lines differ:\n{}", all.len(), all[..all.len().min(5)].join("\n")))
}
