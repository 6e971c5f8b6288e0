//! A request in OTLP: it weighs no less than what is made of it in memory, each data
//! point becomes a sample or is refused, samples are in the payload format and within
//! bounds, and what the sender is told can be read.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric, ResourceMetrics};
use prost::Message;
use psg_actors::doors::otlp::{Encoding, Refused, push_samples};
use psg_actors::doors::sample::{ElementLimits, Elements};
use psg_actors::self_metrics::doors::Door;
use psg_actors::settings::{OtlpNames, OtlpSettings};
use psg_engine::limits::PayloadLimits;
use psg_engine::reject::Reason;

use super::oracle;

/// What is wrong with a payload that no producer of samples should write.
const NOT_OF_THE_FORMAT: [Reason; 7] = [
    Reason::InvalidJson,
    Reason::NotASample,
    Reason::InvalidField,
    Reason::UnknownType,
    Reason::InvalidLabelValue,
    Reason::NonFinite,
    Reason::PayloadTooLarge,
];

/// The first byte says how the rest is read and mapped.
pub fn check(data: &[u8]) {
    let [how, body @ ..] = data else { return };
    let is = |bit: u8| how & bit != 0;
    let encoding = if is(1) { Encoding::Json } else { Encoding::Protobuf };
    let weight = encoding.weight(body);
    let Ok(request) = encoding.decode(body) else { return };
    let footprint = footprint(&request);
    assert!(weight >= footprint, "it weighs {weight} and takes {footprint}");
    let listed = ["service.name", "service.instance.id", "a"].map(str::to_owned);
    let settings = OtlpSettings {
        names: if is(2) { OtlpNames::Utf8 } else { OtlpNames::Underscores },
        exemplars: is(4),
        resource_attributes: if is(8) { listed.to_vec() } else { Vec::new() },
    };
    let max_payload_bytes = if is(16) { 200 } else { 1 << 20 };
    let limits = ElementLimits { max_payload_bytes, max_bytes: if is(32) { 500 } else { 1 << 24 } };
    let mut elements = Elements::new(Door::Otlp, limits);
    let Ok(refused) = push_samples(&request, &settings, &mut elements) else { return };
    assert_eq!(elements.samples() + refused.count(), points(&request));
    assert_eq!(elements.left_out().iter().sum::<u64>(), refused.count());
    assert!(elements.bytes() <= limits.max_bytes, "{} bytes", elements.bytes());
    let payload = PayloadLimits { max_payload_bytes, ..PayloadLimits::default() };
    for element in elements.iter() {
        let verdicts = oracle::decode_array(element, &payload).expect("an array of samples");
        for verdict in verdicts {
            let reason = verdict.err();
            let text = String::from_utf8_lossy(element);
            assert!(
                !reason.is_some_and(|one| NOT_OF_THE_FORMAT.contains(&one)),
                "{reason:?} {text}"
            );
        }
    }
    check_answer(&refused);
}

/// How many data points say something; a metric without any that can be read is one.
fn points(request: &ExportMetricsServiceRequest) -> u64 {
    let scopes = request.resource_metrics.iter().flat_map(|one| &one.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics).map(of_metric).sum()
}

fn of_metric(metric: &Metric) -> u64 {
    let recorded = |flags: u32| u64::from(flags & 1 == 0);
    match &metric.data {
        None => 1,
        Some(Data::Gauge(of)) => of.data_points.iter().map(|one| recorded(one.flags)).sum(),
        Some(Data::Sum(of)) => of.data_points.iter().map(|one| recorded(one.flags)).sum(),
        Some(Data::Histogram(of)) => of.data_points.iter().map(|one| recorded(one.flags)).sum(),
        Some(Data::ExponentialHistogram(of)) => {
            of.data_points.iter().map(|one| recorded(one.flags)).sum()
        }
        Some(Data::Summary(of)) => of.data_points.iter().map(|one| recorded(one.flags)).sum(),
    }
}

fn check_answer(refused: &Refused) {
    let bytes = Encoding::Protobuf.success(refused);
    let answer = ExportMetricsServiceResponse::decode(&*bytes).expect("a response");
    let told = answer.partial_success.map_or(0, |partial| partial.rejected_data_points as u64);
    assert_eq!(told, refused.count());
    let bytes = Encoding::Json.success(refused);
    let _: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    assert!(!refused.message().chars().any(char::is_control), "{:?}", refused.message());
}

/// The bytes that a request takes in lists and texts, without what they could grow by.
fn footprint(request: &ExportMetricsServiceRequest) -> usize {
    list(&request.resource_metrics, of_resource_metrics)
}

fn list<T>(items: &[T], within: impl Fn(&T) -> usize) -> usize {
    size_of_val(items) + items.iter().map(within).sum::<usize>()
}

fn of_resource_metrics(of: &ResourceMetrics) -> usize {
    let of_entity = |entity: &EntityRef| {
        let texts = [&entity.id_keys, &entity.description_keys].map(|keys| list(keys, String::len));
        entity.schema_url.len() + entity.r#type.len() + texts.iter().sum::<usize>()
    };
    let resource = of
        .resource
        .iter()
        .map(|resource| attributes(&resource.attributes) + list(&resource.entity_refs, of_entity));
    let scopes = list(&of.scope_metrics, |scope| {
        let own = scope
            .scope
            .iter()
            .map(|own| attributes(&own.attributes) + own.name.len() + own.version.len());
        own.sum::<usize>() + scope.schema_url.len() + list(&scope.metrics, in_metric)
    });
    resource.sum::<usize>() + of.schema_url.len() + scopes
}

fn in_metric(metric: &Metric) -> usize {
    let own = metric.name.len() + metric.description.len() + metric.unit.len();
    own + attributes(&metric.metadata) + metric.data.as_ref().map_or(0, in_data)
}

fn in_data(data: &Data) -> usize {
    let buckets = |of: &Option<Buckets>| of.as_ref().map_or(0, |of| 8 * of.bucket_counts.len());
    match data {
        Data::Gauge(of) => {
            list(&of.data_points, |one| attributes(&one.attributes) + exemplars(&one.exemplars))
        }
        Data::Sum(of) => {
            list(&of.data_points, |one| attributes(&one.attributes) + exemplars(&one.exemplars))
        }
        Data::Histogram(of) => list(&of.data_points, |one| {
            let numbers = 8 * (one.bucket_counts.len() + one.explicit_bounds.len());
            attributes(&one.attributes) + exemplars(&one.exemplars) + numbers
        }),
        Data::ExponentialHistogram(of) => list(&of.data_points, |one| {
            let numbers = buckets(&one.positive) + buckets(&one.negative);
            attributes(&one.attributes) + exemplars(&one.exemplars) + numbers
        }),
        Data::Summary(of) => list(&of.data_points, |one| {
            attributes(&one.attributes) + list(&one.quantile_values, |_| 0)
        }),
    }
}

fn exemplars(of: &[Exemplar]) -> usize {
    list(of, |one| attributes(&one.filtered_attributes) + one.span_id.len() + one.trace_id.len())
}

fn attributes(of: &[KeyValue]) -> usize {
    list(of, |one| one.key.len() + one.value.as_ref().map_or(0, in_value))
}

fn in_value(value: &AnyValue) -> usize {
    match &value.value {
        Some(Value::StringValue(text)) => text.len(),
        Some(Value::BytesValue(bytes)) => bytes.len(),
        Some(Value::ArrayValue(array)) => list(&array.values, in_value),
        Some(Value::KvlistValue(pairs)) => attributes(&pairs.values),
        Some(
            Value::BoolValue(_)
            | Value::IntValue(_)
            | Value::DoubleValue(_)
            | Value::StringValueStrindex(_),
        )
        | None => 0,
    }
}
