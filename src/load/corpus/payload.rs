//! The payload: one sample of a known series, or something that only looks
//! like one, as the JSON that a producer pushes.

use std::collections::BTreeMap;

use psg_engine::metric::native::Schema;
use psg_engine::metric::{GaugeOp, Kind};

use super::json::{JsonMember, JsonStyle, JsonValue, write_object};
use super::mix::REFERENCE_SERIES;

const REGIONS: [&str; 4] = ["eu-central-1", "eu-west-1", "us-east-1", "us-west-2"];
const INSTANCES: u64 = 9;
const NAMES: u64 = 99;

/// The metric names of the ingredients that make many series of each.
const COUNTERS: u64 = 20;

/// One sample about to be written.
pub(super) struct CorpusPayload {
    /// The metric type that it says it has.
    pub(super) kind: Kind,
    pub(super) name: JsonValue,
    pub(super) said: Said,
    /// Label names and values.
    pub(super) labels: Vec<JsonMember>,
    /// When it was made, in seconds since 1970, where it says so.
    pub(super) timestamp: Option<i64>,
}

/// What a sample says of its series; numbers are in thousandths.
pub(super) enum Said {
    Value(i64),
    /// A value, and what to do to a gauge with it.
    Operation(GaugeOp, i64),
    /// One of ten buckets, of a trace where it says so.
    Duration(i64, Option<u64>),
    /// Many of these.
    Durations(Vec<i64>),
    /// The same, as the counts of the buckets and the sum.
    Counts(Vec<i64>),
    /// One of a native histogram.
    Native(i64),
    /// Many of these, as the counts of native buckets and the sum.
    WholeNative(Vec<i64>),
}

/// The buckets of durations: as they are written, and in thousandths.
const TEN_BUCKETS: [&str; 10] = ["0.1", "0.5", "1", "2.5", "5", "10", "25", "50", "75", "100"];
const TEN_BOUNDS: [i64; 10] = [100, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 75_000, 100_000];

impl CorpusPayload {
    /// A sample of the `index`-th series of `kind` in the reference's mix.
    /// Instances change fastest, then regions, then names, and only where the
    /// series of one job are used up, the job.
    pub(super) fn reference(kind: Kind, index: u64, value: i64) -> Self {
        let place = index / INSTANCES;
        let number = place / REGIONS.len() as u64 % NAMES + 1;
        let ending = match kind {
            Kind::Counter => "_counter",
            Kind::Gauge => "_gauge",
            Kind::Histogram => "_histogram",
            Kind::Summary => "_summary",
        };
        let labels = labels(index % INSTANCES, index / REFERENCE_SERIES, place);
        let name = JsonValue::Numbered("test_metric_", number, ending);
        CorpusPayload { kind, name, said: Said::Value(value), labels, timestamp: None }
    }

    /// A sample of the `index`-th series of histograms of durations, as many of each
    /// name as in the reference's mix.
    pub(super) fn duration(index: u64, said: Said) -> Self {
        let payload = CorpusPayload::reference(Kind::Histogram, index, 0);
        let JsonValue::Numbered(before, number, _) = payload.name else {
            unreachable!("names of metrics have numbers")
        };
        let ending = match said {
            Said::Native(_) | Said::WholeNative(_) => "_native_seconds",
            Said::Value(_)
            | Said::Operation(..)
            | Said::Duration(..)
            | Said::Durations(_)
            | Said::Counts(_) => "_seconds",
        };
        CorpusPayload { name: JsonValue::Numbered(before, number, ending), said, ..payload }
    }

    /// A sample of the `index`-th series of counters that are no legacy ones, nor is a
    /// label of theirs.
    pub(super) fn any_script(index: u64, value: i64) -> Self {
        let mut payload = CorpusPayload::reference(Kind::Counter, index, value);
        if let JsonValue::Numbered(_, number, _) = payload.name {
            payload.name = JsonValue::Numbered("test.größe.", number, ".total");
        }
        payload.labels.push(("db.system", JsonValue::Text("mysql")));
        payload
    }

    /// As [`CorpusPayload::write`], as that program writes it.
    pub(super) fn write_as(self, program: usize, out: &mut Vec<u8>) {
        let JsonValue::Numbered(_, number, _) = self.name else {
            unreachable!("names of metrics have numbers")
        };
        let metric = number * Kind::ALL.len() as u64 + self.kind as u64;
        self.write(JsonStyle::of_program(program, metric), out);
    }

    /// A sample of the `index`-th series of twenty counters.
    pub(super) fn distinct(index: u64, value: i64) -> Self {
        let name = JsonValue::Numbered("test_distinct_", index % COUNTERS + 1, "_total");
        let labels = labels(index / COUNTERS, 0, index);
        CorpusPayload {
            kind: Kind::Counter,
            name,
            said: Said::Value(value),
            labels,
            timestamp: None,
        }
    }

    /// A sample of one of twenty counters that bears the number of a request.
    pub(super) fn new_label(index: u64, request: u64, value: i64) -> Self {
        let name = JsonValue::Numbered("test_request_", index % COUNTERS + 1, "_total");
        let mut labels = labels(index % INSTANCES, 0, index);
        labels.push(("request", JsonValue::Hex(request)));
        CorpusPayload {
            kind: Kind::Counter,
            name,
            said: Said::Value(value),
            labels,
            timestamp: None,
        }
    }

    /// The same, made at that time.
    pub(super) fn at(self, timestamp: Option<i64>) -> Self {
        CorpusPayload { timestamp, ..self }
    }

    pub(super) fn write(self, style: JsonStyle, out: &mut Vec<u8>) {
        let help = match self.kind {
            Kind::Counter => "A counter of random values from 0 to 100",
            Kind::Gauge => "A gauge of random values from 0 to 100",
            Kind::Histogram => "A histogram of random values from 0 to 100",
            Kind::Summary => "A summary of random values from 0 to 100",
        };
        let mut members = Vec::with_capacity(10);
        members.push(("type", JsonValue::Text(self.kind.as_str())));
        members.push(("name", self.name));
        members.push(("help", JsonValue::Text(help)));
        self.said.write_before_labels(&mut members);
        members.push(("labels", JsonValue::Object(self.labels)));
        self.said.write_after_labels(self.kind, &mut members);
        if let Some(seconds) = self.timestamp {
            members.push(("timestamp", JsonValue::Thousandths(seconds * 1000)));
        }
        write_object(members, style, out);
    }
}

impl Said {
    /// The numbers, as members of the sample.
    fn write_before_labels(&self, members: &mut Vec<JsonMember>) {
        match self {
            Said::Value(value)
            | Said::Operation(_, value)
            | Said::Duration(value, _)
            | Said::Native(value) => {
                members.push(("value", JsonValue::Thousandths(*value)));
            }
            Said::Durations(values) => members.push(("values", JsonValue::Many(values.clone()))),
            Said::WholeNative(values) => {
                members.push(("native", native(values)));
                members.push(("sum", JsonValue::Thousandths(values.iter().sum())));
            }
            Said::Counts(values) => {
                let mut counts = vec![0; TEN_BOUNDS.len() + 1];
                for value in values {
                    counts[TEN_BOUNDS.partition_point(|bound| bound < value)] += 1000;
                }
                members.push(("counts", JsonValue::Many(counts)));
                members.push(("sum", JsonValue::Thousandths(values.iter().sum())));
            }
        }
    }

    /// What a call site says again and again, and the exemplar.
    fn write_after_labels(&self, kind: Kind, members: &mut Vec<JsonMember>) {
        match (self, kind) {
            (Said::Operation(op, _), _) => members.push(("op", JsonValue::Text(op.as_str()))),
            (Said::Duration(..) | Said::Durations(_) | Said::Counts(_), _) => {
                members.push(("unit", JsonValue::Text("seconds")));
                members.push(("buckets", JsonValue::Numbers(&TEN_BUCKETS)));
            }
            (Said::Native(_), _) => {
                members.push(("unit", JsonValue::Text("seconds")));
                members.push(("factor", JsonValue::Thousandths(1100)));
            }
            (Said::WholeNative(_), _) => {
                members.push(("unit", JsonValue::Text("seconds")));
            }
            (Said::Value(_), Kind::Counter | Kind::Gauge) => {}
            (Said::Value(_), Kind::Histogram) => {
                members.push(("buckets", JsonValue::Numbers(&["0.1", "1", "5", "10", "50"])));
            }
            (Said::Value(_), Kind::Summary) => {
                members.push(("quantiles", JsonValue::Numbers(&["0.5", "0.9", "0.99"])));
                members.push(("epsilons", JsonValue::Numbers(&["0.05", "0.01", "0.001"])));
            }
        }
        if let Said::Duration(_, Some(trace)) = self {
            let labels = JsonValue::Object(vec![("trace_id", JsonValue::Hex(*trace))]);
            members.push(("exemplar", JsonValue::Object(vec![("labels", labels)])));
        }
    }
}

/// A whole native histogram of these values, with eight buckets for each power of two.
fn native(values: &[i64]) -> JsonValue {
    let schema = Schema::for_factor(1.1);
    let mut buckets = BTreeMap::<i32, i64>::new();
    let (above, zero): (Vec<i64>, Vec<i64>) = values.iter().partition(|value| **value > 0);
    for value in above {
        *buckets.entry(schema.bucket_of(value as f64 / 1000.0)).or_default() += 1000;
    }
    let (indexes, counts) =
        buckets.into_iter().map(|(at, count)| (i64::from(at) * 1000, count)).unzip();
    let positive = vec![("indexes", JsonValue::Many(indexes)), ("counts", JsonValue::Many(counts))];
    JsonValue::Object(vec![
        ("schema", JsonValue::Thousandths(i64::from(schema.number()) * 1000)),
        ("zero_count", JsonValue::Thousandths(zero.len() as i64 * 1000)),
        ("positive", JsonValue::Object(positive)),
    ])
}

fn labels(instance: u64, job: u64, region: u64) -> Vec<JsonMember> {
    let region = REGIONS[(region % REGIONS.len() as u64) as usize];
    let mut labels = Vec::with_capacity(4);
    labels.push(("instance", JsonValue::Numbered("instance-", instance + 1, "")));
    labels.push(("job", JsonValue::Numbered("job-", job + 1, "")));
    labels.push(("region", JsonValue::Text(region)));
    labels
}
