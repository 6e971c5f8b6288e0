//! The payload: one sample of a known series, or something that only looks
//! like one, as the JSON that a producer pushes.

use psg_engine::metric::Kind;

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
    /// In thousandths.
    pub(super) value: i64,
    /// Label names and values.
    pub(super) labels: Vec<JsonMember>,
    /// When it was made, in seconds since 1970, where it says so.
    pub(super) timestamp: Option<i64>,
}

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
        CorpusPayload { kind, name, value, labels, timestamp: None }
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
        CorpusPayload { kind: Kind::Counter, name, value, labels, timestamp: None }
    }

    /// A sample of one of twenty counters that bears the number of a request.
    pub(super) fn new_label(index: u64, request: u64, value: i64) -> Self {
        let name = JsonValue::Numbered("test_request_", index % COUNTERS + 1, "_total");
        let mut labels = labels(index % INSTANCES, 0, index);
        labels.push(("request", JsonValue::Hex(request)));
        CorpusPayload { kind: Kind::Counter, name, value, labels, timestamp: None }
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
        let mut members = Vec::with_capacity(8);
        members.push(("type", JsonValue::Text(self.kind.as_str())));
        members.push(("name", self.name));
        members.push(("help", JsonValue::Text(help)));
        members.push(("value", JsonValue::Thousandths(self.value)));
        members.push(("labels", JsonValue::Object(self.labels)));
        match self.kind {
            Kind::Counter | Kind::Gauge => {}
            Kind::Histogram => {
                members.push(("buckets", JsonValue::Numbers(&["0.1", "1", "5", "10", "50"])))
            }
            Kind::Summary => {
                members.push(("quantiles", JsonValue::Numbers(&["0.5", "0.9", "0.99"])));
                members.push(("epsilons", JsonValue::Numbers(&["0.05", "0.01", "0.001"])));
            }
        }
        if let Some(seconds) = self.timestamp {
            members.push(("timestamp", JsonValue::Thousandths(seconds * 1000)));
        }
        write_object(members, style, out);
    }
}

fn labels(instance: u64, job: u64, region: u64) -> Vec<JsonMember> {
    let region = REGIONS[(region % REGIONS.len() as u64) as usize];
    let mut labels = Vec::with_capacity(4);
    labels.push(("instance", JsonValue::Numbered("instance-", instance + 1, "")));
    labels.push(("job", JsonValue::Numbered("job-", job + 1, "")));
    labels.push(("region", JsonValue::Text(region)));
    labels
}
