//! Prometheus' protobuf format: each family a message, its length before it.
//!
//! A series is one `Metric` of its family's message, so shards write the bytes of
//! that field, and what stands before them is the rest of the message. The labels
//! are written as they lie; all else is put into the messages of the schema first,
//! which own no memory but lists of buckets and quantiles.

mod native;

use std::borrow::Cow;

use prost::Message;
use prost::encoding::{self, WireType, encode_key, encode_varint, encoded_len_varint};
use prost_types::Timestamp;

use super::encoder::{Encoder, ShownSeries};
use super::families::{Families, ShownFamily};
use crate::catalog::Family;
use crate::exemplar::{KeptExemplar, SeriesExemplars};
use crate::labels::LabelPairs;
use crate::metric::histogram::{BucketLayout, Histogram};
use crate::metric::summary::{QuantilePlan, Summary};
use crate::metric::{Kind, Shape, Value};
use crate::name::escaping::Escaping;
use crate::name::is_of_unit;
use crate::protobuf as schema;
use crate::timestamp::{Moment, UnixTime};

/// Fields of the schema that are written by hand.
const METRIC_OF_FAMILY: u32 = 4;
const GAUGE_OF_METRIC: u32 = 2;
const COUNTER_OF_METRIC: u32 = 3;
const SUMMARY_OF_METRIC: u32 = 4;
const HISTOGRAM_OF_METRIC: u32 = 7;

/// Keys of fields with a length: of a metric's label, and of a label's name and value.
const LABEL_KEY: u8 = key(1);
const NAME_KEY: u8 = key(1);
const VALUE_KEY: u8 = key(2);

const fn key(field: u8) -> u8 {
    field << 3 | WireType::LengthDelimited as u8
}

/// One exposition in protobuf.
#[derive(Debug)]
pub(super) struct ProtobufEncoder {
    escaping: Escaping,
    /// The labels of one series, kept from one to the next.
    labels: Vec<u8>,
}

impl ProtobufEncoder {
    pub fn new(escaping: Escaping) -> Self {
        Self { escaping, labels: Vec::new() }
    }
}

impl Encoder for ProtobufEncoder {
    fn shows_created(&self) -> bool {
        true
    }

    fn write_series(
        &mut self,
        out: &mut Vec<u8>,
        family: &Family,
        series: ShownSeries<'_>,
    ) -> bool {
        let ShownSeries { labels, value, created, exemplars, now } = series;
        self.labels.clear();
        append_labels(&mut self.labels, labels, self.escaping);
        let mut metric = MetricWriter { out, labels: &self.labels };
        metric.write(value, family.shape(), Extras { created, exemplars }, now);
        // A type says the same of every name here.
        false
    }

    fn write_header(&self, out: &mut Vec<u8>, shown: &ShownFamily<'_>, _: &Families<'_>) {
        let ShownFamily { family, bytes, is_typed: _ } = *shown;
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (name, unit) = (self.escaping.metric(family.name()), family.unit());
        // Prometheus refuses one in which the name that it sees does not end.
        let has_unit = is_of_unit(family.kind().stem(&name), unit);
        let header = schema::MetricFamily {
            name: some(&name),
            help: some(family.help()),
            r#type: Some(type_of(family.kind()) as i32),
            unit: has_unit.then(|| unit.to_owned()),
            metric: Vec::new(),
        };
        encode_varint((header.encoded_len() + bytes) as u64, out);
        header.encode_raw(out);
    }
}

fn type_of(kind: Kind) -> schema::MetricType {
    match kind {
        Kind::Counter => schema::MetricType::Counter,
        Kind::Gauge => schema::MetricType::Gauge,
        Kind::Histogram => schema::MetricType::Histogram,
        Kind::Summary => schema::MetricType::Summary,
    }
}

/// What few series have.
#[derive(Clone, Copy)]
struct Extras<'a> {
    created: Option<UnixTime>,
    exemplars: Option<&'a SeriesExemplars>,
}

impl Extras<'_> {
    fn start(self) -> Option<Timestamp> {
        self.created.map(timestamp)
    }

    fn exemplar(self, bucket: usize) -> Option<schema::Exemplar> {
        self.exemplars?.of(bucket as u32).map(exemplar)
    }
}

/// Where a series goes, and its labels.
struct MetricWriter<'a> {
    out: &'a mut Vec<u8>,
    labels: &'a [u8],
}

impl MetricWriter<'_> {
    fn write(&mut self, value: &mut Value, shape: &Shape, extras: Extras<'_>, now: Moment) {
        match (value, shape) {
            (Value::Counter(total, _), _) => {
                let created_timestamp = extras.start();
                let exemplar = extras.exemplar(0);
                let value = Some(*total);
                let counter = schema::Counter { value, exemplar, created_timestamp };
                self.append(COUNTER_OF_METRIC, &counter);
            }
            (Value::Gauge(value, _) | Value::GaugeTotal(value, _), _) => {
                self.append(GAUGE_OF_METRIC, &schema::Gauge { value: Some(*value) });
            }
            (Value::Histogram(it), Shape::Histogram(layout)) => {
                self.append(HISTOGRAM_OF_METRIC, &histogram(it, layout, extras));
            }
            (Value::Summary(it), Shape::Summary(plan)) => {
                self.append(SUMMARY_OF_METRIC, &summary(it, plan, extras, now));
            }
            (Value::Histogram(_), Shape::Counter | Shape::Gauge | Shape::Summary(_))
            | (Value::Summary(_), Shape::Counter | Shape::Gauge | Shape::Histogram(_)) => {
                unreachable!("a series keeps the type of its family")
            }
        }
    }

    /// A `Metric` with one field beside its labels. That has a place for each type, so
    /// to fill in one would cost more than all that is written of a counter.
    fn append(&mut self, field: u32, value: &impl Message) {
        let length = self.labels.len() + encoding::message::encoded_len(field, value);
        encode_key(METRIC_OF_FAMILY, WireType::LengthDelimited, self.out);
        encode_varint(length as u64, self.out);
        self.out.extend_from_slice(self.labels);
        encoding::message::encode(field, value, self.out);
    }
}

/// Prometheus takes the native side of a histogram that has one, and else the buckets.
fn histogram(it: &Histogram, layout: &BucketLayout, extras: Extras<'_>) -> schema::Histogram {
    let classic = schema::Histogram {
        sample_count: Some(it.count()),
        sample_sum: Some(it.sum()),
        created_timestamp: extras.start(),
        bucket: if layout.is_native_only() { Vec::new() } else { buckets(it, layout, extras) },
        ..schema::Histogram::default()
    };
    match it.native() {
        None => classic,
        Some(native) => native::with_side(classic, native, extras.exemplars),
    }
}

fn buckets(it: &Histogram, layout: &BucketLayout, extras: Extras<'_>) -> Vec<schema::Bucket> {
    let bounds = layout.bounds().iter().copied().chain([f64::INFINITY]);
    let bucket = |(index, (bound, count))| schema::Bucket {
        cumulative_count: Some(count),
        upper_bound: Some(bound),
        exemplar: extras.exemplar(index),
        cumulative_count_float: None,
    };
    bounds.zip(it.cumulative()).enumerate().map(bucket).collect()
}

fn summary(
    it: &mut Summary,
    plan: &QuantilePlan,
    extras: Extras<'_>,
    now: Moment,
) -> schema::Summary {
    let mut values = Vec::new();
    it.quantiles(plan, now, &mut values);
    let quantile = |((rank, _), value): (&(f64, f64), f64)| schema::Quantile {
        quantile: Some(*rank),
        value: Some(value),
    };
    schema::Summary {
        sample_count: Some(it.count()),
        sample_sum: Some(it.sum()),
        quantile: plan.objectives().iter().zip(values).map(quantile).collect(),
        created_timestamp: extras.start(),
    }
}

fn exemplar(kept: &KeptExemplar) -> schema::Exemplar {
    let label = |(name, value): (Cow<'_, str>, Cow<'_, str>)| schema::LabelPair {
        name: Some(name.into_owned()),
        value: Some(value.into_owned()),
    };
    schema::Exemplar {
        label: kept.labels().iter().map(label).collect(),
        value: Some(kept.value),
        timestamp: Some(timestamp(kept.timestamp)),
    }
}

fn timestamp(at: UnixTime) -> Timestamp {
    const PER_SECOND: i64 = 1_000_000;
    let (seconds, micros) =
        (at.micros().div_euclid(PER_SECOND), at.micros().rem_euclid(PER_SECOND));
    Timestamp { seconds, nanos: micros as i32 * 1000 }
}

/// Appends a field for each label.
fn append_labels(out: &mut Vec<u8>, labels: LabelPairs<'_>, escaping: Escaping) {
    let are_escaped = labels.are_escaped(escaping);
    if let Some(labels) = labels.verbatim().filter(|_| !are_escaped) {
        labels.for_each(|(name, value)| append_label(out, name, value));
        return;
    }
    for (name, value) in labels.iter() {
        let name = if are_escaped { escaping.label(&name) } else { Cow::Borrowed(&*name) };
        append_label(out, name.as_bytes(), value.as_bytes());
    }
}

/// Appends a label. Nearly all are so short that each of their lengths is one byte,
/// and there are more of them than of all else.
fn append_label(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    const OVERHEAD: usize = 4;
    if name.len() + value.len() + OVERHEAD < 0x80 {
        let (length, of_name) = (name.len() + value.len() + OVERHEAD, name.len() as u8);
        out.extend_from_slice(&[LABEL_KEY, length as u8, NAME_KEY, of_name]);
        out.extend_from_slice(name);
        out.extend_from_slice(&[VALUE_KEY, value.len() as u8]);
        out.extend_from_slice(value);
        return;
    }
    let length_of = |text: &[u8]| 1 + encoded_len_varint(text.len() as u64) + text.len();
    out.push(LABEL_KEY);
    encode_varint((length_of(name) + length_of(value)) as u64, out);
    for (key, text) in [(NAME_KEY, name), (VALUE_KEY, value)] {
        out.push(key);
        encode_varint(text.len() as u64, out);
        out.extend_from_slice(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_any_length_are_labels() {
        for length in (0..300).chain([20_000]) {
            let texts = ["a".repeat(1 + length / 3), "é".repeat(length / 2)];
            let [name, value] = &texts;
            let mut bytes = Vec::new();
            append_label(&mut bytes, name.as_bytes(), value.as_bytes());
            let metric = schema::Metric::decode(&*bytes).expect("a metric");
            let (name, value) = (Some(name.clone()), Some(value.clone()));
            assert_eq!(metric.label, [schema::LabelPair { name, value }], "{length}");
        }
    }
}
