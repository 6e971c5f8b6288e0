//! Exemplars of data points: the traces behind them.

use std::borrow::Cow;

use opentelemetry_proto::tonic::metrics::v1::Exemplar;
use opentelemetry_proto::tonic::metrics::v1::exemplar::Value;
use psg_engine::metric::Kind;

use super::sums::seconds;
use crate::doors::sample::PushedExemplar;

/// One of the events behind a data point, with its trace. Of attributes that were left
/// out of the series, which OTLP has beside it, none is kept: an exemplar has little room.
#[derive(Debug)]
pub struct Traced {
    labels: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    value: f64,
    timestamp: Option<f64>,
}

impl Traced {
    /// Whether series of that type have exemplars.
    pub fn is_for(kind: Kind) -> bool {
        match kind {
            Kind::Counter | Kind::Histogram => true,
            Kind::Gauge | Kind::Summary => false,
        }
    }

    /// The largest of those that have a trace.
    pub fn largest(exemplars: &[Exemplar]) -> Option<Self> {
        let traced = exemplars.iter().filter_map(Self::of);
        traced.max_by(|one, other| one.value.total_cmp(&other.value))
    }

    fn of(exemplar: &Exemplar) -> Option<Self> {
        let trace = u128::from_be_bytes(exemplar.trace_id.as_slice().try_into().ok()?);
        let value = match exemplar.value? {
            Value::AsDouble(value) => value,
            Value::AsInt(value) => value as f64,
        };
        let label = |name: &'static str, value: String| (name.into(), value.into());
        let mut labels = vec![label("trace_id", format!("{trace:032x}"))];
        if let Ok(span) = exemplar.span_id.as_slice().try_into() {
            labels.push(label("span_id", format!("{:016x}", u64::from_be_bytes(span))));
        }
        let timestamp = seconds(exemplar.time_unix_nano);
        value.is_finite().then_some(Self { labels, value, timestamp })
    }

    /// As a sample has it.
    pub fn pushed(&self) -> PushedExemplar<'_> {
        let Self { labels, value, timestamp } = self;
        PushedExemplar { labels, value: Some(*value), timestamp: *timestamp }
    }
}
