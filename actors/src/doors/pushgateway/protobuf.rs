//! Delimited protobuf: messages `io.prometheus.client.MetricFamily`.
//!
//! A family is read field by field, and its metrics one at a time: decoded at once, a
//! metric of two bytes would take half a kilobyte.

use std::borrow::Cow;

use prost::Message;
use psg_engine::metric::Kind;
use psg_engine::protobuf::{Exemplar, Histogram, LabelPair, Metric, MetricType, Summary};

use super::body::{BodyRefused, Fault, LabelPairs, Place, shown};
use super::histogram::{self, Counted};
use super::native::NativeCounts;
use super::samples::{BodyExemplar, FamilyTexts, PushedSeries, SampleWriter};
use crate::doors::sample::PushedValue;

/// Bytes of one metric, at most: decoded it may take a hundred times as many.
const MAX_METRIC_BYTES: usize = 128 * 1024;

/// Reads a whole body.
pub(super) fn read(body: &[u8], writer: &mut SampleWriter<'_>) -> Result<(), BodyRefused> {
    let mut rest = body;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let message = delimited(&mut rest).and_then(FamilyMessage::of);
        let written = message.and_then(|family| family.write(writer));
        written.map_err(|fault| fault.at(Place::Message(number)))?;
    }
    Ok(())
}

/// How many series a body has, so far as it is one; the bytes of their names, which
/// stand once in a family; and about what the largest one takes once it is decoded.
pub(super) fn weigh(body: &[u8]) -> (usize, usize, usize) {
    /// Of what a list of empty messages takes, for each of its bytes.
    const DECODED_TIMES: usize = 100;
    let (mut series, mut names, mut largest) = (0, 0, 0);
    let mut rest = body;
    while let Ok(mut message) = delimited(&mut rest) {
        let (mut metrics, mut name) = (0, 0);
        while let Ok(field) = field(&mut message) {
            match field {
                (METRIC, Field::Bytes(bytes)) => {
                    metrics += 1;
                    largest = bytes.len().max(largest);
                }
                (NAME | UNIT, Field::Bytes(bytes)) => name += bytes.len(),
                _ => {}
            }
        }
        series += metrics;
        names += metrics * name;
    }
    (series, names, largest.min(MAX_METRIC_BYTES) * DECODED_TIMES)
}

/// The message at the beginning of `rest`, behind its length.
fn delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let length = varint(rest)?;
    rest.split_off(..length).ok_or_else(|| "expected more bytes, got the end".into())
}

fn varint(rest: &mut &[u8]) -> Result<usize, Fault> {
    Ok(prost::decode_length_delimiter(rest).map_err(|_| "expected a varint, got other bytes")?)
}

/// A message `MetricFamily` whose metrics are not decoded yet.
#[derive(Debug)]
struct FamilyMessage<'a> {
    name: &'a str,
    texts: FamilyTexts<'a>,
    kind: MetricType,
    /// All its fields.
    message: &'a [u8],
}

/// The fields of a family, by their numbers.
const NAME: usize = 1;
const HELP: usize = 2;
const TYPE: usize = 3;
const METRIC: usize = 4;
const UNIT: usize = 5;

/// What a field holds.
#[derive(Debug, Clone, Copy)]
enum Field<'a> {
    Number(usize),
    Bytes(&'a [u8]),
    /// One of a type that no family has.
    Other,
}

/// The next field of a message, and its number.
fn field<'a>(rest: &mut &'a [u8]) -> Result<(usize, Field<'a>), Fault> {
    let key = varint(rest)?;
    let fixed = |rest: &mut &'a [u8], length: usize| match rest.split_off(..length) {
        Some(_) => Ok(Field::Other),
        None => Err(Fault::from("expected more bytes, got the end")),
    };
    let field = match key & 7 {
        0 => Field::Number(varint(rest)?),
        1 => fixed(rest, 8)?,
        2 => Field::Bytes(delimited(rest)?),
        5 => fixed(rest, 4)?,
        other => return Err(format!("expected a wire type of protobuf, got {other}").into()),
    };
    Ok((key >> 3, field))
}

impl<'a> FamilyMessage<'a> {
    fn of(message: &'a [u8]) -> Result<Self, Fault> {
        let (mut name, mut help, mut unit) = ("", "", "");
        let mut kind = MetricType::Counter;
        let mut rest = message;
        let text =
            |bytes: &'a [u8]| str::from_utf8(bytes).map_err(|_| "expected UTF-8, got other bytes");
        while !rest.is_empty() {
            match field(&mut rest)? {
                (NAME, Field::Bytes(bytes)) => name = text(bytes)?,
                (HELP, Field::Bytes(bytes)) => help = text(bytes)?,
                (UNIT, Field::Bytes(bytes)) => unit = text(bytes)?,
                (TYPE, Field::Number(number)) => kind = metric_type(number)?,
                _ => {}
            }
        }
        if name.is_empty() {
            return Err("expected the name of a metric, got none".into());
        }
        let texts = FamilyTexts {
            help: Some(help.into()),
            unit: (!unit.is_empty()).then_some(Cow::Borrowed(unit)),
        };
        Ok(Self { name, texts, kind, message })
    }

    fn write(self, writer: &mut SampleWriter<'_>) -> Result<(), Fault> {
        let Self { name, mut texts, kind, message } = self;
        let of_family = |fault: Fault| match fault {
            Fault::Wrong(detail) => Fault::Wrong(format!("{}: {detail}", shown(name))),
            Fault::TooMuch(_) => fault,
        };
        let mut rest = message;
        while !rest.is_empty() {
            if let (METRIC, Field::Bytes(bytes)) = field(&mut rest)? {
                let metric = decoded(bytes).map_err(of_family)?;
                write_metric(name, &mut texts, kind, metric, writer).map_err(of_family)?;
            }
        }
        Ok(())
    }
}

fn metric_type(number: usize) -> Result<MetricType, Fault> {
    let kind = i32::try_from(number).ok().and_then(|number| MetricType::try_from(number).ok());
    kind.ok_or_else(|| format!("expected a type of metrics, got {number}").into())
}

fn decoded(bytes: &[u8]) -> Result<Metric, Fault> {
    if bytes.len() > MAX_METRIC_BYTES {
        let expected = format!("expected at most {MAX_METRIC_BYTES} bytes of a series");
        return Err(format!("{expected}, got {}", bytes.len()).into());
    }
    let metric = Metric::decode(bytes);
    let metric = metric.map_err(|error| format!("expected a message Metric: {error}"))?;
    if metric.timestamp_ms.is_some() {
        return Err("pushed metrics must not have timestamps".into());
    }
    Ok(metric)
}

fn write_metric(
    name: &str,
    texts: &mut FamilyTexts<'_>,
    kind: MetricType,
    metric: Metric,
    writer: &mut SampleWriter<'_>,
) -> Result<(), Fault> {
    let Metric { label, gauge, counter, summary, untyped, histogram, timestamp_ms: _ } = metric;
    let mut labels = pairs(label)?;
    writer.group(&mut labels)?;
    writer.note(name, &labels)?;
    let absent = || Fault::from("expected a value of the metric's type, got none");
    match kind {
        MetricType::Counter => {
            let counter = counter.ok_or_else(absent)?;
            let exemplar = counter.exemplar.filter(|_| writer.keeps_exemplars());
            let exemplar = exemplar.map(body_exemplar).transpose()?;
            writer.counter(texts, (name, &labels), counter.value.unwrap_or(0.0), exemplar.as_ref())
        }
        MetricType::Gauge => {
            let value = gauge.ok_or_else(absent)?.value.unwrap_or(0.0);
            writer.gauge(texts, (name, &labels), value, None)
        }
        MetricType::Untyped => {
            let value = untyped.ok_or_else(absent)?.value.unwrap_or(0.0);
            writer.gauge(texts, (name, &labels), value, None)
        }
        MetricType::Summary => {
            let series = PushedSeries { kind: Kind::Summary, name, labels: &labels };
            write_summary(texts, series, summary.ok_or_else(absent)?, writer)
        }
        MetricType::Histogram => {
            let series = PushedSeries { kind: Kind::Histogram, name, labels: &labels };
            write_histogram(texts, series, histogram.ok_or_else(absent)?, writer)
        }
        MetricType::GaugeHistogram => {
            Err("expected no gauge histogram: its buckets can't be added".into())
        }
    }
}

fn write_summary(
    texts: &mut FamilyTexts<'_>,
    series: PushedSeries<'_>,
    summary: Summary,
    writer: &mut SampleWriter<'_>,
) -> Result<(), Fault> {
    writer.leave_quantiles_out(summary.quantile.len() as u64);
    let sum = histogram::sum(Some(summary.sample_sum.unwrap_or(0.0)))?;
    let counts = &[summary.sample_count.unwrap_or(0)];
    let value = PushedValue::Counted { buckets: &[], counts, sum };
    writer.counted(texts, series, value, value, &[])
}

fn write_histogram(
    texts: &mut FamilyTexts<'_>,
    series: PushedSeries<'_>,
    mut histogram: Histogram,
    writer: &mut SampleWriter<'_>,
) -> Result<(), Fault> {
    let sum = histogram::sum(Some(histogram.sample_sum.unwrap_or(0.0)))?;
    let in_buckets = histogram.bucket.iter_mut().filter_map(|bucket| bucket.exemplar.take());
    let exemplars: Vec<Exemplar> =
        in_buckets.chain(std::mem::take(&mut histogram.exemplars)).collect();
    let exemplars = exemplars.into_iter().filter(|_| writer.keeps_exemplars());
    let exemplars: Vec<BodyExemplar<'_>> =
        exemplars.map(body_exemplar).collect::<Result<_, Fault>>()?;
    if let Some(native) = NativeCounts::of(&histogram)? {
        let nothing = native.of_nothing();
        let (value, nothing) = (native.value(sum), nothing.value(0.0));
        return writer.counted(texts, series, value, nothing, &exemplars);
    }
    let count = match histogram.sample_count_float.filter(|count| *count > 0.0) {
        Some(count) => histogram::whole(count)?,
        None => histogram.sample_count.unwrap_or(0),
    };
    let buckets = histogram.bucket.iter().map(|bucket| {
        let count = match bucket.cumulative_count_float.filter(|count| *count > 0.0) {
            Some(count) => histogram::whole(count)?,
            None => bucket.cumulative_count.unwrap_or(0),
        };
        Ok((bucket.upper_bound.unwrap_or(0.0), count))
    });
    let buckets = buckets.collect::<Result<Vec<_>, String>>()?;
    let Counted { bounds, counts } = histogram::counted(buckets, Some(count))?;
    let none = vec![0; counts.len()];
    let value = |counts, sum| PushedValue::Counted { buckets: &bounds, counts, sum };
    writer.counted(texts, series, value(&counts, sum), value(&none, 0.0), &exemplars)
}

fn pairs<'a>(labels: Vec<LabelPair>) -> Result<LabelPairs<'a>, Fault> {
    let pair = |LabelPair { name, value }| {
        let name: String = name.unwrap_or_default();
        match name.is_empty() || name.starts_with("__") {
            true => Err(format!("expected the name of a label, got {}", shown(&name)).into()),
            false => Ok((name.into(), value.unwrap_or_default().into())),
        }
    };
    labels.into_iter().map(pair).collect()
}

fn body_exemplar<'a>(exemplar: Exemplar) -> Result<BodyExemplar<'a>, Fault> {
    let Exemplar { label, value, timestamp } = exemplar;
    let seconds = timestamp.map(|at| at.seconds as f64 + f64::from(at.nanos) / 1e9);
    Ok(BodyExemplar { labels: pairs(label)?, value: value.unwrap_or(0.0), timestamp: seconds })
}
