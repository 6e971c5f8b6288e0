//! Data points, each of which becomes a sample or is refused.

use std::cell::Cell;
use std::slice;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, Exemplar, ExponentialHistogramDataPoint,
    HistogramDataPoint, Metric, NumberDataPoint, Sum,
};
use psg_engine::metric::{GaugeOp, Kind};

use super::attributes::ResourceLabels;
use super::exemplars::Traced;
use super::exponential::NativeCounts;
use super::names::{MetricName, NamedKind};
use super::refusal::{Refusal, Refused};
use super::sums::{add_up_to, seconds, sum_of};
use crate::doors::sample::{Elements, PushedSample, PushedValue, SampleRefused};
use crate::settings::OtlpSettings;

/// The samples of a request are too large together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// Adds the samples of a request to the elements, which count what was refused as left
/// out.
///
/// # Errors
/// There are too many.
pub fn push_samples(
    request: &ExportMetricsServiceRequest,
    settings: &OtlpSettings,
    elements: &mut Elements,
) -> Result<Refused, TooMany> {
    let mut mapper = Mapper { settings, elements, refused: Refused::default() };
    for of_resource in &request.resource_metrics {
        let labels = ResourceLabels::new(of_resource.resource.as_ref(), settings);
        for metric in of_resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            mapper.metric(metric, &labels)?;
        }
    }
    Ok(mapper.refused)
}

struct Mapper<'r> {
    settings: &'r OtlpSettings,
    elements: &'r mut Elements,
    refused: Refused,
}

/// What the samples of a metric have in common.
struct Family<'m> {
    resource: &'m ResourceLabels<'m>,
    /// As it was sent.
    sent_name: &'m str,
    name: MetricName,
    kind: Kind,
    op: Option<GaugeOp>,
    help: Option<&'m str>,
    /// Whether a sample has told help and unit.
    is_told: Cell<bool>,
}

/// What data points of all types have.
struct Point<'m> {
    flags: u32,
    attributes: &'m [KeyValue],
    exemplars: &'m [Exemplar],
}

impl Mapper<'_> {
    fn metric(&mut self, metric: &Metric, resource: &ResourceLabels<'_>) -> Result<(), TooMany> {
        let names = self.settings.names;
        let family = |kind, op, named| Family {
            resource,
            sent_name: &metric.name,
            name: MetricName::new(&metric.name, &metric.unit, named, names),
            kind,
            op,
            help: (!metric.description.is_empty()).then_some(&*metric.description),
            is_told: Cell::new(false),
        };
        match &metric.data {
            None => self.refuse(&metric.name, Refusal::NoData),
            Some(Data::Gauge(gauge)) => {
                let family = family(Kind::Gauge, None, NamedKind::Gauge);
                self.numbers(&family, Ok(()), &gauge.data_points)?;
            }
            Some(Data::Sum(sum)) => {
                let family = match (sum.is_monotonic, is_cumulative(sum)) {
                    (true, _) => family(Kind::Counter, None, NamedKind::Counter),
                    (false, true) => family(Kind::Gauge, None, NamedKind::Other),
                    (false, false) => family(Kind::Gauge, Some(GaugeOp::Add), NamedKind::Other),
                };
                self.numbers(&family, can_be_taken(sum, resource), &sum.data_points)?;
            }
            Some(Data::Histogram(histogram)) => {
                let family = family(Kind::Histogram, None, NamedKind::Other);
                let is_delta = is_delta(histogram.aggregation_temporality);
                for point in &histogram.data_points {
                    let sample = is_delta.and_then(|()| family.histogram(point));
                    let HistogramDataPoint { flags, attributes, exemplars, .. } = point;
                    let point = Point { flags: *flags, attributes, exemplars };
                    self.point(&family, &point, sample)?;
                }
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                let family = family(Kind::Histogram, None, NamedKind::Other);
                let is_delta = is_delta(histogram.aggregation_temporality);
                for point in &histogram.data_points {
                    let counts = is_delta.and_then(|()| NativeCounts::of(point));
                    let sample = counts.as_ref().map(|counts| family.sample(counts.pushed()));
                    let ExponentialHistogramDataPoint { flags, attributes, exemplars, .. } = point;
                    let point = Point { flags: *flags, attributes, exemplars };
                    self.point(&family, &point, sample.map_err(|refusal| *refusal))?;
                }
            }
            Some(Data::Summary(summary)) => {
                let recorded = summary.data_points.iter().filter(|point| is_recorded(point.flags));
                recorded.for_each(|_| self.refuse(&metric.name, Refusal::Summary));
            }
        }
        Ok(())
    }

    fn numbers(
        &mut self,
        family: &Family<'_>,
        can_be_taken: Result<(), Refusal>,
        points: &[NumberDataPoint],
    ) -> Result<(), TooMany> {
        for point in points {
            let sample = can_be_taken.and_then(|()| family.number(point));
            let NumberDataPoint { flags, attributes, exemplars, .. } = point;
            let point = Point { flags: *flags, attributes, exemplars };
            self.point(family, &point, sample)?;
        }
        Ok(())
    }

    /// Pushes the sample of a data point, with its labels and its exemplar.
    fn point(
        &mut self,
        family: &Family<'_>,
        point: &Point<'_>,
        sample: Result<PushedSample<'_>, Refusal>,
    ) -> Result<(), TooMany> {
        if !is_recorded(point.flags) {
            return Ok(());
        }
        let sample = match sample {
            Ok(sample) if !sample.name.is_empty() => sample,
            Ok(_) => {
                self.refuse(family.sent_name, Refusal::NoName);
                return Ok(());
            }
            Err(refusal) => {
                self.refuse(family.sent_name, refusal);
                return Ok(());
            }
        };
        let has_exemplars = self.settings.exemplars && Traced::is_for(sample.kind);
        let traced = has_exemplars.then(|| Traced::largest(point.exemplars)).flatten();
        let labels = family.resource.with(point.attributes, self.settings.names);
        let exemplar = traced.as_ref().map(Traced::pushed);
        let sample = PushedSample { labels: &labels, exemplar, ..sample };
        match self.elements.push(&sample) {
            Ok(()) => family.is_told.set(true),
            Err(SampleRefused::NotFinite) => self.refuse(family.sent_name, Refusal::NotFinite),
            Err(SampleRefused::TooLong) => self.refuse(family.sent_name, Refusal::TooLong),
            Err(SampleRefused::TooMany) => return Err(TooMany),
        }
        Ok(())
    }

    fn refuse(&mut self, metric: &str, refusal: Refusal) {
        self.elements.leave_out(refusal.reason(), 1);
        self.refused.add(refusal, metric);
    }
}

impl Family<'_> {
    /// A sample of it that says no more than this.
    fn sample<'s>(&'s self, value: PushedValue<'s>) -> PushedSample<'s> {
        let is_first = !self.is_told.get();
        PushedSample {
            help: self.help.filter(|_| is_first),
            unit: self.name.unit.as_deref().filter(|_| is_first),
            op: self.op,
            ..PushedSample::of(self.kind, &self.name.name, value)
        }
    }

    fn number<'s>(&'s self, point: &NumberDataPoint) -> Result<PushedSample<'s>, Refusal> {
        let value = match point.value.ok_or(Refusal::NoValue)? {
            Value::AsDouble(value) => value,
            Value::AsInt(value) => value as f64,
        };
        if self.kind == Kind::Counter && value < 0.0 {
            return Err(Refusal::Negative);
        }
        let is_set = self.kind == Kind::Gauge && self.op.is_none();
        let timestamp = if is_set { seconds(point.time_unix_nano) } else { None };
        Ok(PushedSample { timestamp, ..self.sample(PushedValue::One { value }) })
    }

    fn histogram<'s>(&'s self, point: &'s HistogramDataPoint) -> Result<PushedSample<'s>, Refusal> {
        let HistogramDataPoint { count, explicit_bounds: buckets, bucket_counts, .. } = point;
        let sum = sum_of(point.sum, *count)?;
        let is_one = buckets.is_empty() && bucket_counts.is_empty();
        let counts = if is_one { slice::from_ref(count) } else { bucket_counts };
        if counts.len() != buckets.len() + 1 || !add_up_to(*count, counts) {
            return Err(Refusal::BadBuckets);
        }
        Ok(self.sample(PushedValue::Counted { buckets, counts, sum }))
    }
}

/// Whether the values of a sum can be taken as what they are.
fn can_be_taken(sum: &Sum, resource: &ResourceLabels<'_>) -> Result<(), Refusal> {
    // What one process has come to is a gauge, if no other process sets it.
    match is_delta(sum.aggregation_temporality) {
        Err(Refusal::Cumulative) if sum.is_monotonic => Err(Refusal::Cumulative),
        Err(Refusal::Cumulative) if resource.tell_instances_apart() => Ok(()),
        Err(Refusal::Cumulative) => Err(Refusal::CumulativeUpDown),
        verdict => verdict,
    }
}

fn is_cumulative(sum: &Sum) -> bool {
    sum.aggregation_temporality == AggregationTemporality::Cumulative as i32
}

/// That what was sent can be added to what is there.
fn is_delta(temporality: i32) -> Result<(), Refusal> {
    match AggregationTemporality::try_from(temporality) {
        Ok(AggregationTemporality::Delta) => Ok(()),
        Ok(AggregationTemporality::Cumulative) => Err(Refusal::Cumulative),
        Ok(AggregationTemporality::Unspecified) | Err(_) => Err(Refusal::NoTemporality),
    }
}

/// Whether a data point says more than that there is none.
fn is_recorded(flags: u32) -> bool {
    flags & DataPointFlags::NoRecordedValueMask as u32 == 0
}
