//! Bodies of all three formats, and what samples they make.

mod refused;

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use psg_engine::metric::GaugeOp;
use psg_engine::protobuf::{
    Bucket, BucketSpan, Counter, Exemplar, Gauge, Histogram, LabelPair, Metric, MetricFamily,
    MetricType, Quantile, Summary,
};
use serde_json::{Value, json};

use super::*;
use crate::doors::sample::{ElementLimits, samples_of};
use crate::self_metrics::doors::{Door, SampleReason};

const LIMITS: ElementLimits = ElementLimits { max_payload_bytes: 1 << 20, max_bytes: 1 << 24 };

const PLAIN: PushOptions<'static> =
    PushOptions { grouping: &[], gauge_op: None, keep_exemplars: true };

/// The samples of a body, or what is wrong with it.
fn read_with(body: &[u8], format: BodyFormat, options: &PushOptions<'_>) -> Result<Value, String> {
    let mut elements = Elements::new(Door::Pushgateway, LIMITS);
    parse(body, format, options, &mut elements).map_err(|refused| refused.to_string())?;
    Ok(samples_of(&elements).into())
}

fn text(body: &str) -> Result<Value, String> {
    read_with(body.as_bytes(), BodyFormat::Text, &PLAIN)
}

fn openmetrics(body: &str) -> Result<Value, String> {
    read_with(body.as_bytes(), BodyFormat::OpenMetrics, &PLAIN)
}

fn protobuf(families: &[MetricFamily]) -> Result<Value, String> {
    let body: Vec<u8> = families.iter().flat_map(Message::encode_length_delimited_to_vec).collect();
    read_with(&body, BodyFormat::Protobuf, &PLAIN)
}

fn family(name: &str, kind: MetricType, metric: Vec<Metric>) -> MetricFamily {
    let help = Some("So many.".to_owned());
    MetricFamily { name: Some(name.into()), help, r#type: Some(kind as i32), metric, unit: None }
}

fn pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    let pair = |(name, value): &(&str, &str)| LabelPair {
        name: Some(name.to_string()),
        value: Some(value.to_string()),
    };
    labels.iter().map(pair).collect()
}

fn counter(labels: &[(&str, &str)], value: f64) -> Metric {
    let counter = Counter { value: Some(value), ..Counter::default() };
    Metric { label: pairs(labels), counter: Some(counter), ..Metric::default() }
}

fn histogram(histogram: Histogram) -> Metric {
    Metric { histogram: Some(histogram), ..Metric::default() }
}

/// What each format has below.
fn of_every_type() -> Value {
    json!([
        {"type": "counter", "name": "hits_total", "help": "So many.",
         "labels": {"code": "200", "path": "a \"b\" \\ \n"}, "value": 3.0},
        {"type": "counter", "name": "hits_total", "labels": {"code": "500"}, "value": 0.5},
        {"type": "gauge", "name": "temperature", "help": "So many.", "value": -2.5},
        {"type": "histogram", "name": "took_seconds", "help": "So many.",
         "buckets": [0.1, 1.0], "counts": [2, 1, 4], "sum": 9.25},
        {"type": "summary", "name": "size_bytes", "help": "So many.",
         "labels": {"of": "mail"}, "counts": [6], "sum": 600.0},
    ])
}

#[test]
fn text_of_every_type() {
    let body = r#"# A comment, and an empty line.

# HELP hits_total So many.
# TYPE hits_total counter
hits_total{code="200",path="a \"b\" \\ \n"} 3
  hits_total { path="", code = "500" , }  5e-1
# HELP temperature So many.
# TYPE temperature gauge
temperature -2.5
# TYPE size_bytes summary
size_bytes{of="mail",quantile="0.5"} NaN
# HELP took_seconds So many.
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 2
took_seconds_bucket{le="1"} 3
size_bytes_sum{of="mail"} 600
size_bytes_count{of="mail"} 6
# HELP size_bytes So many.
took_seconds_sum 9.25
took_seconds_bucket{le="+Inf"} 7
took_seconds_count 7
"#;
    let mut expected = of_every_type();
    // The order in which the metrics came.
    expected.as_array_mut().expect("an array").swap(3, 4);
    assert_eq!(text(body), Ok(expected));
}

#[test]
fn openmetrics_of_every_type() {
    let body = r#"# TYPE hits counter
# HELP hits So many.
hits_total{code="200",path="a \"b\" \\ \n"} 3
hits_created{code="200",path="a \"b\" \\ \n"} 1700000000.5
hits_total{code="500"} 0.5
# HELP temperature So many.
# TYPE temperature gauge
temperature -2.5
# HELP took_seconds So many.
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 2
took_seconds_bucket{le="1.0"} 3
took_seconds_bucket{le="+Inf"} 7
took_seconds_sum 9.25
took_seconds_count 7
took_seconds_created 1700000000
# HELP size_bytes So many.
# TYPE size_bytes summary
size_bytes{of="mail",quantile="0.5"} 100
size_bytes_sum{of="mail"} 600
size_bytes_count{of="mail"} 6
# EOF
"#;
    assert_eq!(openmetrics(body), Ok(of_every_type()));
}

#[test]
fn protobuf_of_every_type() {
    let buckets = [(0.1, 2), (1.0, 3)].map(|(upper_bound, count)| Bucket {
        upper_bound: Some(upper_bound),
        cumulative_count: Some(count),
        ..Bucket::default()
    });
    let took = Histogram {
        sample_count: Some(7),
        sample_sum: Some(9.25),
        bucket: buckets.into(),
        ..Histogram::default()
    };
    let quantile = vec![Quantile { quantile: Some(0.5), value: Some(f64::NAN) }];
    let size =
        Summary { sample_count: Some(6), sample_sum: Some(600.0), quantile, ..Summary::default() };
    let hits = vec![
        counter(&[("path", "a \"b\" \\ \n"), ("code", "200")], 3.0),
        counter(&[("code", "500"), ("path", "")], 0.5),
    ];
    let gauge = Metric { gauge: Some(Gauge { value: Some(-2.5) }), ..Metric::default() };
    let size = Metric { label: pairs(&[("of", "mail")]), summary: Some(size), ..Metric::default() };
    let families = [
        family("hits_total", MetricType::Counter, hits),
        family("temperature", MetricType::Gauge, vec![gauge]),
        family("took_seconds", MetricType::Histogram, vec![histogram(took)]),
        family("size_bytes", MetricType::Summary, vec![size]),
    ];
    assert_eq!(protobuf(&families), Ok(of_every_type()));
}

#[test]
fn names_in_quotes_and_what_nobody_has_typed() {
    let body = "# TYPE \"http.requests\" counter\n\
        {\"http.requests\",\"status.code\"=\"200\"} 2\n\
        x 1\nx{a=\"1\"} 2\nhits_total 3\nx{a=\"2\"} +Inf\nx_count 7\n";
    let expected = json!([
        {"type": "counter", "name": "http.requests", "labels": {"status.code": "200"}, "value": 2.0},
        {"type": "gauge", "name": "x", "value": 1.0},
        {"type": "gauge", "name": "x", "labels": {"a": "1"}, "value": 2.0},
        {"type": "gauge", "name": "hits_total", "value": 3.0},
        {"type": "gauge", "name": "x_count", "value": 7.0},
    ]);
    assert_eq!(text(body), Ok(expected));
}

/// The Python client has created times as gauges of their own.
#[test]
fn created_times_are_no_gauges() {
    let body = "# TYPE jobs_total counter\njobs_total{q=\"a\"} 1\n\
        # HELP jobs_created So many.\n# TYPE jobs_created gauge\njobs_created{q=\"a\"} 1.7e9\n\
        # TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3\n\
        # TYPE h_created gauge\nh_created 1.7e9\n\
        # TYPE order_created gauge\norder_created 5\n";
    let expected = json!([
        {"type": "counter", "name": "jobs_total", "labels": {"q": "a"}, "value": 1.0},
        {"type": "gauge", "name": "order_created", "value": 5.0},
        {"type": "histogram", "name": "h", "counts": [2], "sum": 3.0},
    ]);
    assert_eq!(text(body), Ok(expected));
}

#[test]
fn labels_of_the_path_win() {
    let grouping = [("job", "mail"), ("zone", ""), ("a", "path")];
    let grouping = grouping.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let options = PushOptions { grouping: &grouping, gauge_op: Some(GaugeOp::Add), ..PLAIN };
    let body = "# TYPE n counter\nn{job=\"body\",zone=\"z\",a=\"b\",c=\"d\"} 1\ng{c=\"d\"} 2\n";
    let labels = json!({"c": "d", "job": "mail", "a": "path"});
    let expected = json!([
        {"type": "counter", "name": "n", "labels": labels, "value": 1.0},
        {"type": "gauge", "name": "g", "labels": labels, "value": 2.0, "op": "add"},
    ]);
    assert_eq!(read_with(body.as_bytes(), BodyFormat::Text, &options), Ok(expected));
    // What the path makes one series is one series.
    let body = "n{a=\"1\"} 1\nn{a=\"2\"} 1\n";
    let found = read_with(body.as_bytes(), BodyFormat::Text, &options);
    assert_eq!(found, Err("line 2: expected each series once, got one of n twice".into()));
    // Infos are set whatever is done to gauges.
    let body = "# TYPE build info\nbuild_info{v=\"1\"} 1\n# EOF\n";
    let found = read_with(body.as_bytes(), BodyFormat::OpenMetrics, &options).expect("it is fine");
    assert_eq!((&found[0]["name"], &found[0]["op"]), (&json!("build_info"), &json!("set")));
}

#[test]
fn exemplars_and_units() {
    let body = r#"# TYPE took_seconds histogram
# UNIT took_seconds seconds
took_seconds_bucket{le="1"} 2 # {trace_id="a"} 0.5 1700000000.5
took_seconds_bucket{le="+Inf"} 3 # {trace_id="b"} 2.5
took_seconds_sum 9
took_seconds_count 3
# TYPE hits counter
hits_total 3 # {trace_id="c"} 1
# EOF
"#;
    let exemplar = |id: &str, value: f64| json!({"labels": {"trace_id": id}, "value": value});
    let mut first = exemplar("a", 0.5);
    first["timestamp"] = json!(1_700_000_000.5);
    let took = |counts: [u64; 2], sum: f64, exemplar: Value| {
        json!({"type": "histogram", "name": "took_seconds", "unit": "seconds", "buckets": [1.0],
               "counts": counts, "sum": sum, "exemplar": exemplar})
    };
    let hits = json!(
        {"type": "counter", "name": "hits_total", "value": 3.0, "exemplar": exemplar("c", 1.0)});
    let expected = [hits, took([2, 1], 9.0, first), took([0, 0], 0.0, exemplar("b", 2.5))];
    assert_eq!(openmetrics(body), Ok(json!(expected)));

    let off = PushOptions { keep_exemplars: false, ..PLAIN };
    let found = read_with(body.as_bytes(), BodyFormat::OpenMetrics, &off).expect("it is fine");
    let samples = found.as_array().expect("samples");
    assert!(samples.len() == 2 && samples.iter().all(|sample| sample.get("exemplar").is_none()));
}

#[test]
fn what_is_left_out_is_counted() {
    let body = "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns{quantile=\"0.9\"} 2\ns_sum 3\ns_count 2\n\
        only{quantile=\"0.5\"} 1\ng NaN\nh -Inf\n";
    let mut elements = Elements::new(Door::Pushgateway, LIMITS);
    assert_eq!(parse(body.as_bytes(), BodyFormat::Text, &PLAIN, &mut elements), Ok(()));
    let left_out = elements.left_out();
    let of = |reason| left_out[reason as usize];
    assert_eq!((of(SampleReason::Unmergeable), of(SampleReason::NotFinite)), (2, 2));
    assert_eq!((left_out.iter().sum::<u64>(), elements.samples()), (4, 2));
}

/// What a body weighs is known before it is read.
#[test]
fn elements_are_no_heavier_than_was_said() {
    let grouping = [("job".to_owned(), "mail".to_owned())];
    let options = PushOptions { grouping: &grouping, ..PLAIN };
    let text: String = (0..1000).map(|i| format!("a{i} 1\n")).collect();
    let metrics = (0..1000).map(|i| counter(&[("a", &i.to_string())], 1.0)).collect();
    let name = "as_long_as_names_of_metrics_are_seconds_total";
    let message = family(name, MetricType::Counter, metrics).encode_length_delimited_to_vec();
    for (body, format) in
        [(text.as_bytes(), BodyFormat::Text), (message.as_slice(), BodyFormat::Protobuf)]
    {
        let mut elements = Elements::new(Door::Pushgateway, LIMITS);
        assert_eq!(parse(body, format, &options, &mut elements), Ok(()));
        let weight = Weight::of(body, format, &options);
        assert!(elements.bytes() <= weight.elements, "{} {weight:?}", elements.bytes());
        assert!(weight.elements < 2 * elements.bytes(), "{} {weight:?}", elements.bytes());
    }
}

#[test]
fn native_histograms() {
    let span = |offset, length| BucketSpan { offset: Some(offset), length: Some(length) };
    let exemplars = [0.3, 2.0].map(|value| Exemplar { value: Some(value), ..Exemplar::default() });
    let native = Histogram {
        sample_count: Some(13),
        sample_sum: Some(7.5),
        schema: Some(3),
        zero_threshold: Some(1e-9),
        zero_count: Some(2),
        positive_span: vec![span(-3, 2), span(1, 2)],
        // 1, 2, 0, 5.
        positive_delta: vec![1, 1, -2, 5],
        negative_span: vec![span(4, 1)],
        negative_delta: vec![3],
        exemplars: exemplars.into(),
        ..Histogram::default()
    };
    let sample = |native: Value, sum: f64, value: f64| {
        json!({"type": "histogram", "name": "a", "native": native, "sum": sum,
               "exemplar": {"labels": {}, "value": value}})
    };
    let counted = json!({
        "schema": 3, "zero_threshold": 1e-9, "zero_count": 2,
        "positive": {"indexes": [-3, -2, 1], "counts": [1, 2, 5]},
        "negative": {"indexes": [4], "counts": [3]},
    });
    let none = json!({"indexes": [], "counts": []});
    let nothing = json!({
        "schema": 3, "zero_threshold": 1e-9, "zero_count": 0, "positive": none, "negative": none,
    });
    let mut expected = json!([sample(counted, 7.5, 0.3), sample(nothing, 0.0, 2.0)]);
    expected[0]["help"] = json!("So many.");
    let with = |native: Histogram| {
        protobuf(&[family("a", MetricType::Histogram, vec![histogram(native)])])
    };
    assert_eq!(with(native.clone()), Ok(expected));

    let told = |detail: &str| Err(format!("message 1: a: {detail}"));
    let too_few = "expected a count for each bucket of the spans";
    let too_far = "expected indexes and counts that whole numbers hold, and none below 0";
    let deltas = |positive_delta| Histogram { positive_delta, ..native.clone() };
    assert_eq!(with(deltas(vec![1, 1, -2])), told(too_few));
    assert_eq!(with(deltas(vec![1, 1, -2, 5, 1])), told(too_few));
    assert_eq!(with(deltas(vec![1, 1, -3, 5])), told(too_far));
    let far = Histogram { positive_span: vec![span(i32::MAX, 4)], ..native.clone() };
    assert_eq!(with(far), told(too_far));
    let endless = Histogram { positive_span: vec![span(0, u32::MAX)], ..native.clone() };
    assert_eq!(with(endless), told(too_few));
    let nan = Histogram { sample_count: Some(14), ..native.clone() };
    let more = "expected as many observations in all as in the buckets, 13, got 14: \
        NaN is in no bucket";
    assert_eq!(with(nan), told(more));
    let floats = Histogram { positive_count: vec![1.5], ..native };
    assert_eq!(
        with(floats),
        told("expected a native histogram of whole counts, got one of floats")
    );
}

/// Memory has a bound whatever comes.
#[test]
fn a_body_has_so_many_series_and_a_series_so_many_bytes() {
    let series = |count: usize| (0..count).map(|i| format!("a{i} 1\n")).collect::<String>();
    assert!(text(&series(MAX_SERIES)).is_ok());
    let too_many = format!("expected at most {MAX_SERIES} series in one push, got more");
    assert_eq!(text(&series(MAX_SERIES + 1)), Err(too_many.clone()));
    let types: String = (0..=MAX_SERIES).map(|i| format!("# TYPE a{i} gauge\n")).collect();
    assert_eq!(text(&types), Err(too_many));
    let labels = "0123456789".repeat(20_000);
    let large = family("a", MetricType::Counter, vec![counter(&[("a", &labels)], 1.0)]);
    let told = "message 1: a: expected at most 131072 bytes of a series, got 200022";
    assert_eq!(protobuf(&[large]), Err(told.into()));
    let limits = ElementLimits { max_bytes: 1000, ..LIMITS };
    let mut elements = Elements::new(Door::Pushgateway, limits);
    let refused = parse(series(100).as_bytes(), BodyFormat::Text, &PLAIN, &mut elements);
    assert!(matches!(refused, Err(BodyRefused::TooMuch(_))));
}

#[test]
fn formats_by_their_content_type() {
    let of = |content_type: Option<&str>, body: &str| BodyFormat::of(content_type, body.as_bytes());
    let protobuf = "application/vnd.google.protobuf; \
        proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores";
    assert_eq!(of(Some(protobuf), ""), Ok(BodyFormat::Protobuf));
    assert!(of(Some("application/vnd.google.protobuf"), "").is_err());
    assert!(of(Some(&protobuf.replace("delimited", "text")), "").is_err());
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(of(Some(openmetrics), ""), Ok(BodyFormat::OpenMetrics));
    for content_type in [None, Some("text/plain; version=0.0.4"), Some("anything")] {
        assert_eq!(of(content_type, "a 1\n"), Ok(BodyFormat::Text));
        // There are clients that do not say so.
        assert_eq!(of(content_type, "a 1\n# EOF\n"), Ok(BodyFormat::OpenMetrics));
    }
}

proptest! {
    /// What falls into buckets by itself, and what comes of their cumulative counts.
    #[test]
    fn counts_are_those_of_each_bucket(alone in vec(0_u64..1000, 1..20), has_count: bool) {
        let mut below = 0;
        let mut body = String::from("# TYPE h histogram\n");
        for (bound, count) in alone.iter().enumerate() {
            below += count;
            let is_last = bound + 1 == alone.len();
            let bound = if is_last { "+Inf".to_owned() } else { bound.to_string() };
            body.push_str(&format!("h_bucket{{le=\"{bound}\"}} {below}\n"));
        }
        let count = if has_count { format!("h_count {below}\n") } else { String::new() };
        let found = text(&format!("{body}{count}h_sum 1\n"));
        prop_assert_eq!(found.map(|samples| samples[0]["counts"].clone()), Ok(json!(alone)));
    }

    /// Nearly bodies: they are read or refused, and what is read is whole.
    #[test]
    fn no_body_is_too_strange(
        words in vec(prop::sample::select(vec![
            "a", "h", "_bucket", "_sum", "_count", "_total", " ", "\n", "{", "}", "le=\"1\"",
            "le=\"+Inf\"", "\"", ",", "\\", " 1", " 1\n", "# TYPE h histogram\n", "# EOF\n",
            "# TYPE a counter\n", "# HELP a \\", " # {} 1", "é", "NaN", "# UNIT a a\n",
        ]), 0..40),
    ) {
        let body = words.concat();
        for format in [BodyFormat::Text, BodyFormat::OpenMetrics, BodyFormat::Protobuf] {
            if let Ok(samples) = read_with(body.as_bytes(), format, &PLAIN) {
                prop_assert!(samples.as_array().is_some());
            }
        }
    }
}
