//! One line for a decoded sample, and tables that state what is expected.

use std::fmt::Write;

use psg_engine::limits::PayloadLimits;
use psg_engine::metric::{GaugeOp, Observations};
use psg_engine::name::NameRules;
use psg_engine::reject::{Reason, Reject};
use psg_engine::sample::Exemplar;
use psg_engine::timestamp::UnixTime;
use psg_engine::wire::{JsonDecoder, JsonSample};

/// When samples are taken, in Unix seconds.
pub const NOW: u32 = 1_700_000_000;

/// The same, as the decoder takes it.
pub fn now() -> UnixTime {
    UnixTime::from_sample(f64::from(NOW))
}

/// Limits that small payloads reach easily.
pub fn small_limits() -> PayloadLimits {
    PayloadLimits {
        max_payload_bytes: 500,
        max_labels: 3,
        max_label_value_bytes: 16,
        max_name_bytes: 10,
        max_help_bytes: 12,
        max_buckets: 4,
        max_quantiles: 3,
        max_values: 5,
    }
}

/// The sample that a fresh decoder finds in `payload`, as one line.
pub fn decode(payload: &[u8], limits: PayloadLimits) -> Result<String, Reject> {
    decoder(limits).decode(payload, now()).map(|decoded| show(&decoded))
}

/// A decoder that takes exemplars, and names that every Prometheus knows.
pub fn decoder(limits: PayloadLimits) -> JsonDecoder {
    JsonDecoder::new(limits).with_exemplars(true).naming(NameRules::Legacy)
}

/// `gauge name{a="1"} 2 at 40..41` and, where they are not empty, help,
/// buckets, objectives, unit, op, observations, timestamp, ttl and exemplar.
pub fn show(JsonSample { sample, places }: &JsonSample<'_>) -> String {
    let labels: Vec<String> =
        sample.labels.iter().map(|label| format!("{}={:?}", label.name, label.value)).collect();
    let (kind, name) = (sample.kind.as_str(), sample.name);
    let mut line = format!("{kind} {name}{{{}}} {:?}", labels.join(","), sample.value);
    let mut append = |text: String| line.write_str(&text).expect("writing to a string");
    if let Some((start, end)) = places.value {
        append(format!(" at {start}..{end}"));
    }
    if !sample.help.is_empty() {
        append(format!(" help {:?}", sample.help));
    }
    if !sample.buckets.is_empty() {
        append(format!(" buckets {:?}", sample.buckets));
    }
    if !sample.objectives.is_empty() {
        append(format!(" objectives {:?}", sample.objectives));
    }
    if !sample.unit.is_empty() {
        append(format!(" unit {:?}", sample.unit));
    }
    if sample.op != GaugeOp::Set {
        append(format!(" op {}", sample.op.as_str()));
    }
    match sample.observations {
        Observations::One => {}
        Observations::Values(values) => append(format!(" values {values:?}")),
        Observations::Counts(counts) => append(format!(" counts {counts:?}")),
        Observations::Native(counts) => append(format!(
            " native {} zero {} to {:?} above {:?} below {:?}",
            counts.schema.number(),
            counts.zero_count,
            counts.zero_threshold,
            counts.positive,
            counts.negative
        )),
    }
    if let Some(schema) = sample.schema {
        append(format!(" schema {}", schema.number()));
    }
    if let Some(timestamp) = sample.timestamp {
        append(format!(" measured at {timestamp}"));
    }
    if let Some(ttl) = sample.ttl {
        append(format!(" ttl {:?}", ttl.seconds()));
    }
    match sample.exemplar {
        None => {}
        Some(Ok(Exemplar { labels, value, timestamp })) => {
            append(format!(" exemplar {labels:?} {value:?} at {timestamp}"));
        }
        Some(Err(dropped)) => append(format!(" exemplar dropped for {}", dropped.as_str())),
    }
    line
}

/// Checks that `payload` is the sample that `expected` shows.
pub fn accepts(payload: &str, expected: &str) {
    let decoded = decode(payload.as_bytes(), PayloadLimits::default());
    assert_eq!(decoded.as_deref().map_err(ToString::to_string), Ok(expected), "{payload}");
}

/// Checks that all of `payloads` are refused for `reason`.
pub fn refuses(reason: Reason, payloads: &[&str]) {
    for payload in payloads {
        refuses_bytes(reason, payload.as_bytes(), PayloadLimits::default());
    }
}

/// The same of one payload, which need not be text, under other limits.
pub fn refuses_bytes(reason: Reason, payload: &[u8], limits: PayloadLimits) {
    let decoded = decode(payload, limits).map_err(|refused| refused.reason);
    assert_eq!(decoded, Err(reason), "{}", String::from_utf8_lossy(payload));
}
