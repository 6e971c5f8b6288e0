//! StatsD's lines, with the tags of DogStatsD: `name:value|type|@rate|#tag:value,…`.
//!
//! A line may have several values (`name:1:2|c`). Of its further parts the rate, the
//! tags and a gauge's time (`|T1700000000`) count; what is unknown is passed over.

use std::borrow::Cow;

use psg_engine::metric::{GaugeOp, Kind};

use super::super::sample::{Elements, PushedSample, PushedValue};
use crate::self_metrics::doors::SampleReason;

/// How lines are read.
#[derive(Debug, Clone)]
pub struct LineOptions {
    /// Upper bounds of the histograms of timings; none leaves them to the operator's
    /// other settings.
    pub buckets: Vec<f64>,
    /// Values of one sample, as `Metrics.MaxValues` says.
    pub max_values: usize,
}

/// What does not begin a metric: events and service checks.
const NO_METRICS: [&[u8]; 2] = [b"_e{", b"_sc|"];

/// Makes samples of all lines of a packet. Those that are none are counted.
pub fn read(packet: &[u8], options: &LineOptions, elements: &mut Elements) {
    for line in packet.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        if NO_METRICS.iter().any(|begin| line.starts_with(begin)) {
            elements.leave_out(SampleReason::Unmergeable, 1);
            continue;
        }
        let parsed = std::str::from_utf8(line).ok().and_then(Line::parse);
        match parsed {
            Some(line) => line.add_to(elements, options),
            None => elements.leave_out(SampleReason::Malformed, 1),
        }
    }
}

/// A line, its parts told apart.
struct Line<'a> {
    name: Cow<'a, str>,
    values: &'a str,
    meaning: Meaning,
    /// Of all events the part that was sent: above 0, at most 1.
    rate: f64,
    labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    timestamp: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Count,
    Gauge,
    /// In milliseconds, which become seconds.
    Timing,
    Observation,
    /// Members of a set: how many there were can't be added up.
    Set,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, rest) = line.split_once(':')?;
        let mut parts = rest.split('|');
        let values = parts.next()?;
        let meaning = match parts.next()? {
            "c" => Meaning::Count,
            "g" => Meaning::Gauge,
            "ms" => Meaning::Timing,
            "h" | "d" => Meaning::Observation,
            "s" => Meaning::Set,
            _ => return None,
        };
        let name = cleaned(name, |byte| byte == b':')?;
        let mut line =
            Self { name, values, meaning, rate: 1.0, labels: Vec::new(), timestamp: None };
        for part in parts {
            match part.as_bytes().first() {
                Some(b'@') => {
                    let rate: f64 = part[1..].parse().ok()?;
                    line.rate = Some(rate).filter(|rate| *rate > 0.0 && *rate <= 1.0)?;
                }
                Some(b'#') => line.labels.extend(part[1..].split(',').filter_map(tag)),
                Some(b'T') => line.timestamp = Some(part[1..].parse().ok()?),
                Some(_) | None => {}
            }
        }
        Some(line)
    }

    fn add_to(self, elements: &mut Elements, options: &LineOptions) {
        if self.meaning == Meaning::Set {
            let members = self.values.split(':').count();
            elements.leave_out(SampleReason::Unmergeable, members as u64);
            return;
        }
        for value in self.values.split(':') {
            match value.parse() {
                Ok(number) => self.add_one(value, number, elements, options),
                Err(_) => elements.leave_out(SampleReason::Malformed, 1),
            }
        }
    }

    fn add_one(&self, text: &str, number: f64, elements: &mut Elements, options: &LineOptions) {
        let one = |value| PushedValue::One { value };
        let sample = |kind, value| PushedSample {
            labels: &self.labels,
            ..PushedSample::of(kind, &self.name, value)
        };
        let added = match self.meaning {
            Meaning::Set => return,
            Meaning::Count => elements.push(&sample(Kind::Counter, one(number / self.rate))),
            Meaning::Gauge => elements.push(&PushedSample {
                op: text.starts_with(['+', '-']).then_some(GaugeOp::Add),
                timestamp: self.timestamp,
                ..sample(Kind::Gauge, one(number))
            }),
            Meaning::Timing | Meaning::Observation => {
                let value = if self.meaning == Meaning::Timing { number / 1000.0 } else { number };
                let times = (1.0 / self.rate).round() as usize;
                let buckets = Some(options.buckets.as_slice()).filter(|bounds| !bounds.is_empty());
                if times == 1 {
                    elements
                        .push(&sample(Kind::Histogram, PushedValue::Observed { value, buckets }))
                } else if times <= options.max_values {
                    let (values, factor) = (&*vec![value; times], None);
                    let several = PushedValue::Several { values, buckets, factor };
                    elements.push(&sample(Kind::Histogram, several))
                } else {
                    return elements.leave_out(SampleReason::Malformed, 1);
                }
            }
        };
        if let Err(refused) = added {
            elements.leave_out(refused.into(), 1);
        }
    }
}

/// A tag as a label; one without a value says that it is there.
fn tag(tag: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let (name, value) = tag.split_once(':').unwrap_or((tag, "true"));
    Some((cleaned(name, |_| false)?, Cow::Borrowed(value)))
}

/// A name with `_` for whatever Prometheus' names did not have before they could have
/// everything, dots above all; `None` where there is none.
fn cleaned(name: &str, is_fine_too: impl Fn(u8) -> bool) -> Option<Cow<'_, str>> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || is_fine_too(byte);
    let first = *name.as_bytes().first()?;
    if name.bytes().all(is_fine) && !first.is_ascii_digit() {
        return Some(Cow::Borrowed(name));
    }
    let begin = if first.is_ascii_digit() { "_" } else { "" };
    let fine = |char: char| u8::try_from(char).ok().filter(|byte| is_fine(*byte)).map(char::from);
    let cleaned = name.chars().map(|char| fine(char).unwrap_or('_'));
    Some(begin.chars().chain(cleaned).collect())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::super::sample::{ElementLimits, samples_of};
    use super::*;
    use crate::self_metrics::doors::Door;

    const LIMITS: ElementLimits = ElementLimits { max_payload_bytes: 1 << 20, max_bytes: 1 << 20 };

    fn read_with(packet: &[u8], buckets: &[f64]) -> (Vec<Value>, [u64; SampleReason::ALL.len()]) {
        let options = LineOptions { buckets: buckets.to_vec(), max_values: 10 };
        let mut elements = Elements::new(Door::Statsd, LIMITS);
        read(packet, &options, &mut elements);
        (samples_of(&elements), *elements.left_out())
    }

    /// The one sample of a line.
    #[track_caller]
    fn check(line: &str, expected: Value) {
        let (samples, left_out) = read_with(line.as_bytes(), &[0.1, 1.0]);
        assert_eq!((json!(samples), left_out), (json!([expected]), [0; _]), "{line}");
    }

    #[track_caller]
    fn refused(line: &str, reason: SampleReason) {
        let (samples, left_out) = read_with(line.as_bytes(), &[]);
        assert!(samples.is_empty(), "{line}: {samples:?}");
        assert_eq!(left_out[reason as usize], left_out.iter().sum::<u64>(), "{line}");
        assert!(left_out[reason as usize] > 0, "{line}");
    }

    #[test]
    fn counters_and_gauges() {
        check("a.b-c:2|c", json!({"type": "counter", "name": "a_b_c", "value": 2.0}));
        check("a:2|c|@0.25", json!({"type": "counter", "name": "a", "value": 8.0}));
        check("a:-1|c", json!({"type": "counter", "name": "a", "value": -1.0}));
        check("2x:1e3|g", json!({"type": "gauge", "name": "_2x", "value": 1000.0}));
        check("g:+5|g", json!({"type": "gauge", "name": "g", "value": 5.0, "op": "add"}));
        check("g:-5|g", json!({"type": "gauge", "name": "g", "value": -5.0, "op": "add"}));
        let timed =
            json!({"type": "gauge", "name": "g", "value": 1.0, "timestamp": 1_700_000_000.0});
        check("g:1|g|T1700000000", timed);
        check("größe:1|c", json!({"type": "counter", "name": "gr__e", "value": 1.0}));
    }

    #[test]
    fn timings_are_seconds_in_buckets() {
        let of = |value: f64| json!({"type": "histogram", "name": "t", "buckets": [0.1, 1.0], "value": value});
        check("t:250|ms", of(0.25));
        check("t:250|h", of(250.0));
        check("t:0.5|d", of(0.5));
        let sampled = json!({"type": "histogram", "name": "t", "buckets": [0.1, 1.0], "values": [0.25, 0.25, 0.25]});
        check("t:250|ms|@0.3333", sampled);
        let (bare, _) = read_with(b"t:250|ms", &[]);
        assert_eq!(json!(bare), json!([{"type": "histogram", "name": "t", "value": 0.25}]));
    }

    #[test]
    fn tags_are_labels() {
        let labels = json!({"env": "a:b", "on": "true", "x_y": ""});
        let expected = json!({"type": "counter", "name": "a", "value": 1.0, "labels": labels});
        check("a:1|c|#env:a:b,on,x.y:,", expected.clone());
        check("a:1|c|@1|#env:a:b|c:container|#on,x.y:", expected);
    }

    #[test]
    fn several_lines_and_values() {
        let (samples, left_out) =
            read_with(b"\na:1:2|c\r\nbad\nb:3|g\n\n_sc|x|0\nu:ann:bob|s\n", &[]);
        let values: Vec<&Value> = samples.iter().map(|sample| &sample["value"]).collect();
        assert_eq!(json!(values), json!([1.0, 2.0, 3.0]));
        assert_eq!(left_out[SampleReason::Malformed as usize], 1);
        assert_eq!(left_out[SampleReason::Unmergeable as usize], 3);
    }

    #[test]
    fn what_is_no_metric() {
        for line in [
            "a",
            "a:1",
            "a:1|",
            "a:1|x",
            "a:|c",
            "a:x|c",
            ":1|c",
            "a:1|c|@0",
            "a:1|c|@2",
            "a:1|c|@x",
            "a:1|g|Tx",
            "t:1|ms|@0.05",
            "a:1||c",
        ] {
            refused(line, SampleReason::Malformed);
        }
        let (_, left_out) = read_with(b"\xff:1|c", &[]);
        assert_eq!(left_out[SampleReason::Malformed as usize], 1);
        refused("_e{5,4}:title|text", SampleReason::Unmergeable);
        refused("a:nan|g", SampleReason::NotFinite);
        refused("a:inf|c", SampleReason::NotFinite);
    }

    proptest! {
        /// Whatever comes, each line becomes as many samples or refusals as it has values,
        /// and what is made of it is within its bound.
        #[test]
        fn nothing_is_too_odd(packet in vec(prop_oneof![
            4 => prop::sample::select(b"a1:|#@.,cgmshdT+-\n".to_vec()),
            1 => any::<u8>(),
        ], 0..200)) {
            let options = LineOptions { buckets: vec![1.0], max_values: 1000 };
            let limits = ElementLimits { max_payload_bytes: 500, max_bytes: 1000 };
            let mut elements = Elements::new(Door::Statsd, limits);
            read(&packet, &options, &mut elements);
            prop_assert!(elements.bytes() <= limits.max_bytes);
            let made = elements.samples() + elements.left_out().iter().sum::<u64>();
            let is_empty = |line: &&[u8]| line.is_empty() || *line == b"\r";
            let lines = packet.split(|byte| *byte == b'\n').filter(|line| !is_empty(line)).count();
            let more = packet.iter().filter(|byte| **byte == b':').count();
            prop_assert!((lines as u64..=(lines + more) as u64).contains(&made), "{made}");
        }
    }
}
