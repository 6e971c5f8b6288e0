//! OTLP over HTTP: requests as SDKs send them, and what becomes of them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use prost::Message;
use psg_testkit::exposition::OWN;
use psg_testkit::http::{Reply, post};
use psg_testkit::{Exposition, GatewayBuilder, Rig};
use serde_json::{Value, json};

const ON: (&str, &str) = ("Push__Enabled", "true");
const PATH: &str = "/v1/metrics";
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");
const JSON: (&str, &str) = ("Content-Type", "application/json");

const DELTA: u8 = 1;
const CUMULATIVE: u8 = 2;

/// What an answer says of a failure.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

/// A request of a service with these metrics.
fn request(metrics: &Value) -> Value {
    let attributes = [("service.name", "shop"), ("service.instance.id", "i-1")];
    let attributes = attributes.map(|(key, value)| attribute(key, value));
    let of_resource = json!({
        "resource": { "attributes": attributes }, "scopeMetrics": [{ "metrics": metrics }],
    });
    json!({ "resourceMetrics": [of_resource] })
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// One of each type that is taken: four samples.
fn metrics() -> Value {
    let country = [attribute("country.code", "de")];
    let point = json!({ "asInt": "2", "attributes": country });
    json!([
        { "name": "shop.orders", "unit": "{order}", "description": "Orders taken.",
          "sum": { "aggregationTemporality": DELTA, "isMonotonic": true, "dataPoints": [point] } },
        { "name": "shop.carts",
          "sum": { "aggregationTemporality": DELTA, "dataPoints": [{ "asInt": "-1" }] } },
        { "name": "shop.load", "unit": "1", "gauge": { "dataPoints": [{ "asDouble": 0.25 }] } },
        { "name": "shop.checkout", "unit": "s", "histogram": {
            "aggregationTemporality": DELTA, "dataPoints": [{
                "count": "6", "sum": 7.25, "bucketCounts": ["3", "1", "2"],
                "explicitBounds": [0.5, 1] }] } },
    ])
}

fn in_protobuf(request: &Value) -> Vec<u8> {
    let decoded: ExportMetricsServiceRequest =
        serde_json::from_value(request.clone()).expect("a request");
    decoded.encode_to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

fn export(rig: &Rig, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    post(rig.gateway.port(), PATH, headers, body).expect("an answer")
}

/// What is counted of the door.
fn of_door(seen: &Exposition, name: &str, reason: &str) -> Option<f64> {
    let labels = [("door", "otlp"), ("reason", reason)];
    let labels = if reason.is_empty() { &labels[..1] } else { &labels };
    seen.value(&format!("{OWN}{name}"), labels)
}

#[test]
fn each_encoding_is_added_up() {
    let rig = Rig::with(&[ON]);
    let (json, protobuf) = (request(&metrics()).to_string(), in_protobuf(&request(&metrics())));
    let compressed = gzip(&protobuf);
    let gzip = ("Content-Encoding", "gzip");
    for (headers, body, expected) in [
        (&[PROTOBUF][..], &*protobuf, &b""[..]),
        (&[PROTOBUF, gzip], &compressed, b""),
        (&[("Content-Type", "application/json; charset=utf-8")], json.as_bytes(), b"{}"),
    ] {
        let reply = export(&rig, headers, body);
        assert_eq!((reply.status, &*reply.body), (200, expected), "{headers:?} {}", reply.text());
        let content_type = headers[0].1.split(';').next();
        assert_eq!(reply.header("content-type"), content_type);
    }
    let seen = rig.gateway.scrape_after(3 * 4);
    assert_eq!(seen.totals(), (3 * 4, 0));
    let of_shop = [("job", "shop")];
    let orders = [("country_code", "de"), ("job", "shop")];
    for (name, labels, expected) in [
        ("shop_orders_total", &orders[..], 6.0),
        ("shop_carts", &of_shop, -3.0),
        ("shop_load_ratio", &of_shop, 0.25),
        ("shop_checkout_seconds_count", &of_shop, 18.0),
        ("shop_checkout_seconds_sum", &of_shop, 21.75),
        ("shop_checkout_seconds_bucket", &[("job", "shop"), ("le", "0.5")], 9.0),
    ] {
        assert_eq!(seen.value(name, labels), Some(expected), "{name}");
    }
    let family = seen.family("shop_orders_total").expect("it is there");
    assert_eq!((&*family.kind, &*family.help), ("counter", "Orders taken."));
    assert_eq!(of_door(&seen, "door_requests_total", ""), Some(3.0));
    assert_eq!(of_door(&seen, "door_samples_total", ""), Some(12.0));
}

#[test]
fn exponential_histograms_are_added_up_whatever_their_scale() {
    let rig = Rig::with(&[ON]);
    for scale in [20, 3, 0] {
        let point = json!({
            "count": "4", "sum": 2.5, "scale": scale, "zeroCount": "1",
            "positive": { "offset": 0, "bucketCounts": ["2", "1"] },
        });
        let histogram = json!({ "aggregationTemporality": DELTA, "dataPoints": [point] });
        let metric = json!([{ "name": "took", "unit": "s", "exponentialHistogram": histogram }]);
        let reply = export(&rig, &[PROTOBUF], &in_protobuf(&request(&metric)));
        assert_eq!((reply.status, &*reply.body), (200, &b""[..]));
    }
    let seen = rig.gateway.scrape_after(3);
    assert_eq!(seen.totals(), (3, 0));
    let of_shop = [("job", "shop")];
    assert_eq!(seen.value("took_seconds_count", &of_shop), Some(12.0));
    assert_eq!(seen.value("took_seconds_sum", &of_shop), Some(7.5));
}

#[test]
fn what_is_refused_is_told_and_the_rest_is_taken() {
    let rig = Rig::with(&[ON]);
    let one = json!([{ "asInt": "5" }, { "asInt": "6" }]);
    let of = |temporality: u8, is_monotonic: bool| {
        json!({
            "aggregationTemporality": temporality, "isMonotonic": is_monotonic,
            "dataPoints": one,
        })
    };
    let request = request(&json!([
        { "name": "total", "sum": of(CUMULATIVE, true) },
        { "name": "up.down", "sum": of(CUMULATIVE, false) },
        { "name": "fine", "sum": of(DELTA, true) },
    ]));
    let reply = export(&rig, &[PROTOBUF], &in_protobuf(&request));
    assert_eq!(reply.status, 200);
    let answer = ExportMetricsServiceResponse::decode(&*reply.body).expect("protobuf");
    let partial = answer.partial_success.expect("some were refused");
    assert_eq!(partial.rejected_data_points, 4);
    let words = partial.error_message;
    let variable = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta";
    assert!(words.contains(variable) && words.contains("Otlp.ResourceAttributes"), "{words}");
    let reply = export(&rig, &[JSON], request.to_string().as_bytes());
    let answer: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let expected = json!({ "rejectedDataPoints": "4", "errorMessage": words });
    assert_eq!((reply.status, &answer["partialSuccess"]), (200, &expected));
    let seen = rig.gateway.scrape_after(4);
    assert_eq!(seen.value("fine_total", &[("job", "shop")]), Some(22.0));
    assert_eq!(of_door(&seen, "door_left_out_samples_total", "cumulative"), Some(8.0));
}

#[test]
fn names_and_resource_attributes_are_as_the_settings_say() {
    let attributes = ("Otlp__ResourceAttributes", "service.name,service.instance.id");
    let rig = Rig::with(&[ON, attributes, ("Otlp__Names", "utf8")]);
    let point = json!([{ "asInt": "3", "attributes": [attribute("a.b", "c")] }]);
    // Of one process alone it is a gauge.
    let sum = json!({ "aggregationTemporality": CUMULATIVE, "dataPoints": point });
    let metric = json!([{ "name": "active.requests", "unit": "By", "sum": sum }]);
    let reply = export(&rig, &[JSON], request(&metric).to_string().as_bytes());
    assert_eq!((reply.status, &*reply.body), (200, &b"{}"[..]));
    rig.gateway.scrape_after(1);
    let accept = ("Accept", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8");
    let page = rig.gateway.must_get("/metrics", &[accept]).text();
    let line = r#"{"active.requests_bytes","a.b"="c",instance="i-1",job="shop"} 3"#;
    assert!(page.contains(line), "{page}");
}

#[test]
fn exemplars_lead_to_their_traces() {
    let rig = Rig::with(&[ON, ("Metrics__Exemplars", "true")]);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let exemplar = json!({
        "asDouble": 0.75, "traceId": trace, "spanId": "b7ad6b7169203331",
        "timeUnixNano": "1700000000000000000",
    });
    let point = json!({
        "count": "2", "sum": 1, "bucketCounts": ["1", "1"], "explicitBounds": [0.5],
        "exemplars": [exemplar],
    });
    let histogram = json!({ "aggregationTemporality": DELTA, "dataPoints": [point] });
    let metric = json!([{ "name": "took", "unit": "s", "histogram": histogram }]);
    export(&rig, &[PROTOBUF], &in_protobuf(&request(&metric)));
    rig.gateway.scrape_after(1);
    let seen = rig.gateway.scrape_openmetrics();
    let sample = seen.samples("took_seconds_bucket").find(|one| one.label("le") == Some("+Inf"));
    let exemplar = sample.and_then(|sample| sample.exemplar.clone()).expect("an exemplar");
    let labels = [("span_id", "b7ad6b7169203331"), ("trace_id", trace)];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!((exemplar.labels, &*exemplar.value), (labels.to_vec(), "0.75"));
}

#[test]
fn what_can_t_be_read_is_answered_with_a_status() {
    let rig = Rig::with(&[ON]);
    let reply = export(&rig, &[PROTOBUF], b"{}");
    let status = Status::decode(&*reply.body).expect("protobuf");
    assert_eq!((reply.status, reply.header("content-type")), (400, Some(PROTOBUF.1)));
    assert!(status.message.starts_with("expected an ExportMetricsServiceRequest"), "{status:?}");
    let reply = export(&rig, &[JSON], b"{\n\"resourceMetrics\": 5}");
    let status: Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!((reply.status, reply.header("content-type")), (400, Some(JSON.1)));
    assert!(status["message"].as_str().is_some_and(|text| text.contains("line 2")), "{status}");
    for headers in [&[("Content-Type", "application/grpc")][..], &[]] {
        let reply = export(&rig, headers, b"");
        assert_eq!((reply.status, reply.text().contains(PROTOBUF.1)), (415, true));
    }
    let reply = rig.gateway.get(PATH, &[]).expect("an answer");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    let seen = rig.gateway.scrape();
    assert_eq!(of_door(&seen, "door_refused_requests_total", "malformed"), Some(2.0));
    assert_eq!(of_door(&seen, "door_refused_requests_total", "encoding"), Some(2.0));
    let closed = Rig::start();
    let reply = export(&closed, &[JSON], b"{}");
    assert_eq!((reply.status, reply.text().contains("Push.Enabled")), (403, true));
}

/// A field with these bytes in it.
fn within(field: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![field << 3 | 2];
    prost::encode_length_delimiter(content.len(), &mut bytes).expect("a vector grows");
    bytes.extend_from_slice(content);
    bytes
}

/// Two bytes are a message that takes a hundred times as much.
#[test]
fn what_grows_in_memory_is_refused_before_it_does() {
    let rig = Rig::with(&[ON]);
    let points = within(1, b"").repeat(1 << 20);
    let body = [10, 2, 2, 1].iter().fold(points, |body, field| within(*field, &body));
    let objects = "{},".repeat(1 << 20);
    let json = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"exponentialHistogram":{{"dataPoints":[{objects}{{}}]}}}}]}}]}}]}}"#
    );
    let before = rig.gateway.peak_memory();
    for (headers, body) in [
        (&[PROTOBUF][..], &body),
        (&[PROTOBUF, ("Content-Encoding", "gzip")], &gzip(&body)),
        (&[JSON], &json.into_bytes()),
    ] {
        let reply = export(&rig, headers, body);
        assert_eq!(reply.status, 413, "{headers:?}: {}", String::from_utf8_lossy(&reply.body));
    }
    let more = rig.gateway.peak_memory() - before;
    assert!(more < 64 << 20, "it took {more} bytes more");
}

#[test]
fn names_that_samples_may_not_have_end_the_process() {
    let gateway = GatewayBuilder::bare().set("Push__Enabled", "true").set("Otlp__Names", "utf8");
    let finished = gateway.set("Metrics__Names", "legacy").finish();
    let output = finished.output();
    assert!(finished.code() == 78 && output.contains("Otlp__Names"), "{output}");
}
