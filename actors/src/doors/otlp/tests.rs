//! Requests in OTLP/JSON, and what becomes of them.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use prost::Message;
use serde_json::{Value, json};

use super::*;
use crate::doors::sample::{ElementLimits, Elements, samples_of};
use crate::self_metrics::doors::{Door, SampleReason};
use crate::settings::{OtlpNames, OtlpSettings};

const LIMITS: ElementLimits = ElementLimits { max_payload_bytes: 1 << 20, max_bytes: 1 << 24 };

/// A request with these metrics of a resource with these attributes.
fn request(resource: &Value, metrics: &Value) -> Vec<u8> {
    let scope = json!({ "scope": { "name": "ours", "version": "1" }, "metrics": metrics });
    let resource = json!({ "attributes": attributes(resource) });
    let of_resource = json!({ "resource": resource, "scopeMetrics": [scope] });
    json!({ "resourceMetrics": [of_resource] }).to_string().into_bytes()
}

/// An object's members as OTLP has them.
fn attributes(members: &Value) -> Value {
    let members = members.as_object().into_iter().flatten();
    members.map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } })).collect()
}

/// What became of a request.
struct Mapped {
    elements: Elements,
    refused: Refused,
}

fn mapped_from(encoding: Encoding, settings: &OtlpSettings, body: &[u8]) -> Mapped {
    let request = encoding.decode(body).expect("a request");
    let mut elements = Elements::new(Door::Otlp, LIMITS);
    let refused = push_samples(&request, settings, &mut elements).expect("it is small");
    Mapped { elements, refused }
}

fn mapped(settings: &OtlpSettings, body: &[u8]) -> Mapped {
    mapped_from(Encoding::Json, settings, body)
}

fn samples(mapped: &Mapped) -> Value {
    samples_of(&mapped.elements).into()
}

/// What becomes of a metric.
fn of_metric(metric: &Value) -> (Value, Vec<(Refusal, u64)>) {
    let mapped = mapped(&OtlpSettings::default(), &request(&json!({}), &json!([metric])));
    (samples(&mapped), mapped.refused.by_reason().collect())
}

fn taken(metric: &Value) -> Value {
    let (samples, refused) = of_metric(metric);
    assert_eq!(refused, [], "{metric}");
    samples
}

fn refusal(metric: &Value) -> Refusal {
    let (samples, refused) = of_metric(metric);
    assert_eq!((&samples, refused.len()), (&json!([]), 1), "{metric}");
    refused[0].0
}

const DELTA: u8 = 1;
const CUMULATIVE: u8 = 2;

fn sum(temporality: u8, is_monotonic: bool, points: &Value) -> Value {
    let sum = json!({
        "aggregationTemporality": temporality, "isMonotonic": is_monotonic, "dataPoints": points,
    });
    json!({ "name": "jobs", "sum": sum })
}

fn histogram(temporality: u8, point: &Value) -> Value {
    let histogram = json!({ "aggregationTemporality": temporality, "dataPoints": [point] });
    json!({ "name": "took", "unit": "s", "histogram": histogram })
}

fn exponential(point: &Value) -> Value {
    let histogram = json!({ "aggregationTemporality": DELTA, "dataPoints": [point] });
    json!({ "name": "took", "exponentialHistogram": histogram })
}

#[test]
fn sums_that_only_rise_are_counters() {
    let points = json!([
        { "asInt": "3", "timeUnixNano": "1700000000000000000", "startTimeUnixNano": "1",
          "attributes": attributes(&json!({ "queue.name": "mail" })) },
        { "asDouble": 0.5 },
    ]);
    // Help and unit go with the first of them.
    let mut metric = sum(DELTA, true, &points);
    metric["description"] = "Jobs done.".into();
    metric["unit"] = "{job}".into();
    let expected = json!([
        { "type": "counter", "name": "jobs_total", "help": "Jobs done.",
          "labels": { "queue_name": "mail" }, "value": 3.0 },
        { "type": "counter", "name": "jobs_total", "value": 0.5 },
    ]);
    assert_eq!(taken(&metric), expected);
}

#[test]
fn other_sums_are_added_to_gauges() {
    let points = json!([{ "asInt": -2, "timeUnixNano": "1700000000000000000" }]);
    let expected = json!([{ "type": "gauge", "name": "jobs", "op": "add", "value": -2.0 }]);
    assert_eq!(taken(&sum(DELTA, false, &points)), expected);
}

#[test]
fn gauges_are_set_with_their_time() {
    let points = json!([{ "asDouble": 0.25, "timeUnixNano": "1700000000500000000" }]);
    let metric = json!({ "name": "load", "unit": "1", "gauge": { "dataPoints": points } });
    let expected = json!([{
        "type": "gauge", "name": "load_ratio", "unit": "ratio", "value": 0.25,
        "timestamp": 1_700_000_000.5,
    }]);
    assert_eq!(taken(&metric), expected);
}

#[test]
fn histograms_are_whole_ones() {
    let point = json!({
        "count": "6", "sum": 7.25, "min": 0.01, "max": 3.0,
        "bucketCounts": ["3", "1", 0, "2"], "explicitBounds": [0.1, 0.5, 1],
    });
    let expected = json!([{
        "type": "histogram", "name": "took_seconds", "unit": "seconds",
        "buckets": [0.1, 0.5, 1.0], "counts": [3, 1, 0, 2], "sum": 7.25,
    }]);
    assert_eq!(taken(&histogram(DELTA, &point)), expected);
}

#[test]
fn histograms_without_bounds_have_one_count() {
    for counts in [json!([]), json!(["6"])] {
        let point = json!({ "count": "6", "sum": 7.25, "bucketCounts": counts });
        let expected = json!([{
            "type": "histogram", "name": "took_seconds", "unit": "seconds", "counts": [6],
            "sum": 7.25,
        }]);
        assert_eq!(taken(&histogram(DELTA, &point)), expected);
    }
}

#[test]
fn exponential_histograms_are_native_ones() {
    let point = json!({
        "count": "9", "sum": -3.5, "scale": 9, "zeroCount": "1", "zeroThreshold": 0.001,
        "positive": { "offset": -1, "bucketCounts": ["2", "0", "1", "3"] },
        "negative": { "offset": 4, "bucketCounts": ["0", "2"] },
    });
    let expected = json!([{
        "type": "histogram", "name": "took", "sum": -3.5,
        "native": {
            "schema": 8, "zero_threshold": 0.001, "zero_count": 1,
            "positive": { "indexes": [0, 1, 2], "counts": [2, 1, 3] },
            "negative": { "indexes": [3], "counts": [2] },
        },
    }]);
    assert_eq!(taken(&exponential(&point)), expected);
}

#[test]
fn what_was_not_recorded_is_neither_taken_nor_refused() {
    let point = json!([{ "flags": 1 }]);
    assert_eq!(taken(&sum(DELTA, true, &point)), json!([]));
    assert_eq!(taken(&sum(CUMULATIVE, true, &point)), json!([]));
    assert_eq!(taken(&histogram(DELTA, &point[0])), json!([]));
    assert_eq!(taken(&exponential(&point[0])), json!([]));
    let summary = json!({ "name": "a", "summary": { "dataPoints": point } });
    assert_eq!(taken(&summary), json!([]));
}

#[test]
fn each_refusal() {
    let one = json!([{ "asInt": 1 }]);
    let named = |name: &str| {
        let mut metric = sum(DELTA, true, &one);
        metric["name"] = name.into();
        metric
    };
    let bounded = |count: u8, counts: Value, bounds: Value| json!({ "count": count, "sum": 1, "bucketCounts": counts, "explicitBounds": bounds });
    for (metric, expected) in [
        (sum(CUMULATIVE, true, &one), Refusal::Cumulative),
        (histogram(CUMULATIVE, &json!({})), Refusal::Cumulative),
        (sum(CUMULATIVE, false, &one), Refusal::CumulativeUpDown),
        (json!({ "name": "a", "summary": { "dataPoints": [{ "count": 1 }] } }), Refusal::Summary),
        (sum(0, true, &one), Refusal::NoTemporality),
        (sum(9, false, &one), Refusal::NoTemporality),
        (named(""), Refusal::NoName),
        (named("¤"), Refusal::NoName),
        (json!({ "name": "a" }), Refusal::NoData),
        (json!({ "name": "a", "sum": { "dataPoints": 5 } }), Refusal::NoData),
        (sum(DELTA, true, &json!([{}])), Refusal::NoValue),
        (sum(DELTA, true, &json!([{ "asDouble": "NaN" }])), Refusal::NoValue),
        (sum(DELTA, true, &json!([{ "asInt": -1 }])), Refusal::Negative),
        (histogram(DELTA, &json!({ "count": 1, "bucketCounts": [1] })), Refusal::NoSum),
        (histogram(DELTA, &bounded(1, json!([1]), json!([0.5]))), Refusal::BadBuckets),
        (histogram(DELTA, &bounded(2, json!([1, 0]), json!([0.5]))), Refusal::BadBuckets),
        (histogram(DELTA, &bounded(2, json!([1, 1]), json!([]))), Refusal::BadBuckets),
        (exponential(&json!({ "count": 1, "sum": 1 })), Refusal::BadBuckets),
        (exponential(&json!({ "zeroThreshold": -1 })), Refusal::BadBuckets),
        (exponential(&json!({ "scale": -5 })), Refusal::BadScale),
    ] {
        assert_eq!(refusal(&metric), expected, "{metric}");
    }
    let long =
        json!([{ "asInt": 1, "attributes": attributes(&json!({ "a": "x".repeat(1 << 20) })) }]);
    assert_eq!(refusal(&sum(DELTA, true, &long)), Refusal::TooLong);
}

/// JSON has no such numbers, protobuf does.
#[test]
fn numbers_that_are_not_finite_are_refused() {
    let body = request(&json!({}), &json!([sum(DELTA, false, &json!([{ "asInt": 1 }]))]));
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut request = Encoding::Json.decode(&body).expect("a request");
        let metric = &mut request.resource_metrics[0].scope_metrics[0].metrics[0];
        let Some(Data::Sum(sum)) = &mut metric.data else { panic!("it is a sum") };
        sum.data_points[0].value = Some(number_data_point::Value::AsDouble(number));
        let body = request.encode_to_vec();
        let mapped = mapped_from(Encoding::Protobuf, &OtlpSettings::default(), &body);
        let refused: Vec<_> = mapped.refused.by_reason().collect();
        assert_eq!(refused, [(Refusal::NotFinite, 1)], "{number}");
        assert_eq!(mapped.elements.left_out()[SampleReason::NotFinite as usize], 1);
    }
}

/// The labels of a counter of that resource with these attributes.
fn labels(options: &OtlpSettings, resource: &Value, point: &Value) -> Value {
    let points = json!([{ "asInt": 1, "attributes": point }]);
    let mapped = mapped(options, &request(resource, &json!([sum(DELTA, true, &points)])));
    samples(&mapped)[0]["labels"].take()
}

fn listing(resource_attributes: &[&str]) -> OtlpSettings {
    let resource_attributes = resource_attributes.iter().map(|&key| key.into()).collect();
    OtlpSettings { resource_attributes, ..OtlpSettings::default() }
}

#[test]
fn values_of_attributes_are_texts() {
    let values = json!([
        { "key": "text", "value": { "stringValue": "ö\n" } },
        { "key": "flag", "value": { "boolValue": true } },
        { "key": "whole", "value": { "intValue": "-7" } },
        { "key": "one", "value": { "doubleValue": 1.0 } },
        { "key": "tiny", "value": { "doubleValue": 1e-9 } },
        { "key": "bytes", "value": { "bytesValue": "AQI=" } },
        { "key": "list", "value": { "arrayValue": { "values": [
            { "stringValue": "a" }, { "intValue": 1 }, {},
        ] } } },
        { "key": "map", "value": { "kvlistValue": { "values": [
            { "key": "k", "value": { "doubleValue": 0.5 } },
        ] } } },
        { "key": "none", "value": {} },
    ]);
    let expected = json!({
        "text": "ö\n", "flag": "true", "whole": "-7", "one": "1", "tiny": "1e-9",
        "bytes": "AQI=", "list": "[\"a\",1,null]", "map": "{\"k\":0.5}", "none": "",
    });
    assert_eq!(labels(&listing(&[]), &json!({}), &values), expected);
}

#[test]
fn attributes_that_come_to_one_name_are_joined_in_the_order_of_their_keys() {
    let point = attributes(&json!({ "a_b": "3", "a.b": "1", "a/b": "2", "c": "4" }));
    assert_eq!(labels(&listing(&[]), &json!({}), &point), json!({ "a_b": "1;2;3", "c": "4" }));
    let options = OtlpSettings { names: OtlpNames::Utf8, ..OtlpSettings::default() };
    let as_they_are = json!({ "a_b": "3", "a.b": "1", "a/b": "2", "c": "4" });
    assert_eq!(labels(&options, &json!({}), &point), as_they_are);
}

#[test]
fn of_a_resource_what_is_listed_becomes_labels() {
    let resource = json!({
        "service.name": "shop", "service.instance.id": "i-1", "cloud.region": "eu", "empty": "",
    });
    let none = json!([]);
    assert_eq!(labels(&listing(&[]), &resource, &none), Value::Null);
    let job = json!({ "job": "shop" });
    assert_eq!(labels(&listing(&["service.name", "absent", "empty"]), &resource, &none), job);
    let all = ["service.instance.id", "cloud.region"];
    let expected = json!({ "instance": "i-1", "cloud_region": "eu" });
    assert_eq!(labels(&listing(&all), &resource, &none), expected);
}

#[test]
fn a_job_has_its_namespace_before_it() {
    let resource = json!({ "service.name": "shop", "service.namespace": "eu" });
    let found = labels(&listing(&["service.name"]), &resource, &json!([]));
    assert_eq!(found, json!({ "job": "eu/shop" }));
    let found = labels(&listing(&["service.name", "service.namespace"]), &resource, &json!([]));
    assert_eq!(found, json!({ "job": "eu/shop", "service_namespace": "eu" }));
}

#[test]
fn a_target_s_labels_are_its_own_and_a_point_s_come_before_others() {
    let options = listing(&["service.name", "cloud.region"]);
    let resource = json!({ "service.name": "shop", "cloud.region": "eu" });
    let point = attributes(&json!({ "job": "mine", "cloud.region": "us", "cloud_region": "x" }));
    let expected = json!({ "job": "shop", "cloud_region": "us;x" });
    assert_eq!(labels(&options, &resource, &point), expected);
}

#[test]
fn the_largest_exemplar_with_a_trace_goes_along() {
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let exemplars = json!([
        { "asDouble": 0.3, "traceId": trace, "spanId": span, "timeUnixNano": "1700000000000000000" },
        { "asDouble": 0.7 },
        { "asDouble": 0.1, "traceId": trace },
        { "asDouble": 0.9, "traceId": "abcd" },
    ]);
    let point = json!({
        "count": 2, "sum": 1, "bucketCounts": [1, 1], "explicitBounds": [0.5],
        "exemplars": exemplars,
    });
    let number = json!([{ "asInt": 2, "exemplars": exemplars }]);
    let metrics =
        json!([histogram(DELTA, &point), sum(DELTA, true, &number), sum(DELTA, false, &number)]);
    let body = request(&json!({}), &metrics);
    let without = samples(&mapped(&OtlpSettings::default(), &body));
    assert!(!without.to_string().contains("exemplar"), "{without}");
    let options = OtlpSettings { exemplars: true, ..OtlpSettings::default() };
    let with = samples(&mapped(&options, &body));
    let expected = json!({
        "labels": { "trace_id": trace, "span_id": span }, "value": 0.3,
        "timestamp": 1_700_000_000.0,
    });
    assert_eq!((&with[0]["exemplar"], &with[1]["exemplar"]), (&expected, &expected));
    assert_eq!(with[2].get("exemplar"), None, "a gauge has none");
}

#[test]
fn too_many_samples_are_refused_as_a_whole() {
    let points: Value = (0..100).map(|value| json!({ "asInt": value })).collect();
    let request = request(&json!({}), &json!([sum(DELTA, true, &points)]));
    let request = Encoding::Json.decode(&request).expect("a request");
    let limits = ElementLimits { max_bytes: 1000, ..LIMITS };
    let mut elements = Elements::new(Door::Otlp, limits);
    let refused = push_samples(&request, &OtlpSettings::default(), &mut elements);
    assert_eq!(refused.err(), Some(TooMany));
}

/// A name comes once, however many points have it: what they cost is bounded.
#[test]
fn a_name_that_is_too_long_is_not_written_for_each_point() {
    let points: Value = (0..1000).map(|value| json!({ "asInt": value })).collect();
    let mut metric = sum(DELTA, true, &points);
    metric["name"] = "n".repeat(2 << 20).into();
    let request = request(&json!({}), &json!([metric]));
    let request = Encoding::Json.decode(&request).expect("a request");
    let mut elements = Elements::new(Door::Otlp, LIMITS);
    let refused = push_samples(&request, &OtlpSettings::default(), &mut elements);
    assert_eq!(refused.err(), Some(TooMany));
    assert_eq!(elements.left_out()[SampleReason::TooLong as usize], 16);
}

#[test]
fn a_cumulative_sum_of_each_process_is_its_gauge() {
    let options = OtlpSettings {
        resource_attributes: vec!["service.instance.id".into()],
        ..OtlpSettings::default()
    };
    let metric = json!([sum(CUMULATIVE, false, &json!([{ "asInt": 5 }]))]);
    let of_one = mapped(&options, &request(&json!({ "service.instance.id": "i" }), &metric));
    let expected =
        json!([{ "type": "gauge", "name": "jobs", "labels": { "instance": "i" }, "value": 5.0 }]);
    assert_eq!((samples(&of_one), of_one.refused.count()), (expected, 0));
    let of_many = mapped(&options, &request(&json!({}), &metric));
    let refused: Vec<_> = of_many.refused.by_reason().collect();
    assert_eq!(refused, [(Refusal::CumulativeUpDown, 1)]);
}
