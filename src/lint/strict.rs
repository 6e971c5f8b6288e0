//! What `lint --strict` reports though the gateway takes it: fields that nobody
//! reads, and metrics without what their later readers will miss.

use std::collections::HashSet;

use psg_engine::printable::{SHORT, printable};
use psg_engine::wire::FIELDS;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A name with up to this many slips is meant to be that of a field.
const MAX_SLIPS: usize = 2;

/// Looks at samples; each metric's name is reported once.
#[derive(Debug, Default)]
pub struct Strict {
    unnamed: HashSet<String>,
    unhelped: HashSet<String>,
}

/// What is odd about a sample.
#[derive(Debug, PartialEq, Eq)]
pub struct Oddity {
    /// The byte of the payload where the sample begins.
    pub at: usize,
    pub reason: &'static str,
    pub detail: String,
}

impl Strict {
    /// What is odd about the samples of a payload. Of those that are refused,
    /// by where they begin, unknown fields alone: they may be why.
    pub fn look(&mut self, payload: &[u8], refused: &[usize]) -> Vec<Oddity> {
        let mut odd = Vec::new();
        let Ok(payload) = str::from_utf8(payload) else { return odd };
        for (at, sample) in samples(payload) {
            let Ok(fields) = serde_json::from_str::<Map<String, Value>>(sample) else { continue };
            let mut report = |reason, detail| odd.push(Oddity { at, reason, detail });
            for name in fields.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
                report("unknown_field", unknown(name));
            }
            if !refused.contains(&at) {
                self.sample(&fields, report);
            }
        }
        odd
    }

    fn sample(
        &mut self,
        fields: &Map<String, Value>,
        mut report: impl FnMut(&'static str, String),
    ) {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = text("name").trim();
        if is_counter(fields.get("type"))
            && !name.ends_with("_total")
            && self.unnamed.insert(name.to_owned())
        {
            let detail = format!("expected a counter's name to end in _total, got {name}");
            report("counter_without_total", detail);
        }
        if text("help").is_empty() && self.unhelped.insert(name.to_owned()) {
            report("no_help", format!("expected a help text for {name}, got none"));
        }
    }
}

/// The samples of a payload, and where each begins.
fn samples(payload: &str) -> Vec<(usize, &str)> {
    if !payload.trim_start().starts_with('[') {
        return vec![(0, payload)];
    }
    let parts: Vec<&RawValue> = serde_json::from_str(payload).unwrap_or_default();
    let place = |part: &str| part.as_ptr() as usize - payload.as_ptr() as usize;
    parts.into_iter().map(|part| (place(part.get()), part.get())).collect()
}

fn unknown(name: &str) -> String {
    let slips = |field: &&str| strsim::damerau_levenshtein(field, &name.to_lowercase());
    let nearest = FIELDS.into_iter().min_by_key(slips).filter(|field| slips(field) <= MAX_SLIPS);
    let expected = nearest.map_or_else(|| format!("one of {}", FIELDS.join(", ")), str::to_owned);
    format!("expected {expected}, got {}", printable(name, SHORT))
}

/// As the gateway reads it: what says nothing is a counter.
fn is_counter(kind: Option<&Value>) -> bool {
    match kind {
        None | Some(Value::Null) => true,
        Some(Value::String(word)) => {
            word.trim().eq_ignore_ascii_case("counter") || word.trim() == "0"
        }
        Some(Value::Number(number)) => number.as_u64() == Some(0),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(payload: &str, expected: &[(usize, &'static str, &str)]) {
        let found = Strict::default().look(payload.as_bytes(), &[]);
        let expected: Vec<Oddity> = expected
            .iter()
            .map(|(at, reason, detail)| Oddity { at: *at, reason, detail: (*detail).to_owned() })
            .collect();
        assert_eq!(found, expected, "{payload}");
    }

    #[test]
    fn misspelt_fields_are_named_with_what_was_meant() {
        check(
            r#"{"tpye":"gauge","name":"h_total","help":"h","valeu":1}"#,
            &[
                (0, "unknown_field", "expected type, got tpye"),
                (0, "unknown_field", "expected value, got valeu"),
            ],
        );
        let all = "expected one of type, name, value, labels, help, buckets, quantiles, epsilons, \
                   timestamp, ttl, got operation";
        check(r#"{"name":"h_total","help":"h","operation":1}"#, &[(0, "unknown_field", all)]);
    }

    #[test]
    fn what_nobody_reads_later_is_told_once_for_each_name() {
        check(
            r#"[{"name":"jobs"}, {"name":"jobs"}, {"type":"GAUGE","name":"g","help":"what"}]"#,
            &[
                (
                    1,
                    "counter_without_total",
                    "expected a counter's name to end in _total, got jobs",
                ),
                (1, "no_help", "expected a help text for jobs, got none"),
            ],
        );
    }

    #[test]
    fn of_refused_samples_unknown_fields_alone_are_told() {
        let payload = br#"[{"name":"a","vale":-1}]"#;
        let found = Strict::default().look(payload, &[1]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].reason, "unknown_field");
    }

    #[test]
    fn every_field_of_the_wire_is_known() {
        let fields = FIELDS.map(|name| format!("\"{name}\":null")).join(",");
        let found = Strict::default().look(format!("{{{fields}}}").as_bytes(), &[0]);
        assert_eq!(found, []);
    }
}
