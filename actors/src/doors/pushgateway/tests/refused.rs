//! What refuses a body, in the words that say where.

use super::*;

#[test]
fn what_is_wrong_in_text_is_told_with_its_line() {
    for (body, expected) in [
        ("a 1\nb", "line 2: expected a line feed at the end of the last line, got none"),
        ("a 1 1700000000000\n", "line 1: pushed metrics must not have timestamps"),
        ("a\n", "line 1: expected a number, got nothing"),
        ("a x\n", "line 1: expected a number, got x"),
        ("a 1 x\n", "line 1: expected the end of the line, got x"),
        ("a 1 # {b=\"c\"} 1\n", "line 1: expected the end of the line, got # {b=\"c\"} 1"),
        ("9a 1\n", "line 1: expected the name of a metric, got 9a"),
        ("{} 1\n", "line 1: expected the name of a metric, got none"),
        ("a{\"b\"} 1\n", "line 1: expected one name, got a second one behind a"),
        ("a{b} 1\n", "line 1: expected = behind the label b"),
        ("a{b=1} 1\n", "line 1: expected a quote behind b="),
        ("a{b=\"1\" 1\n", "line 1: expected , or } behind a label, got 1"),
        ("a{b=\"1} 1\n", "line 1: expected a closing quote, got none"),
        ("a{b=\"\\x\"} 1\n", "line 1: expected \\\\, \\\" or \\n, got a backslash before x"),
        ("a{,} 1\n", "line 1: expected the name of a label, got ,} 1"),
        ("a{__b=\"1\"} 1\n", "line 1: expected the name of a label, got __b=\"1\"} 1"),
        ("a{b=\"1\",b=\"2\"} 1\n", "line 1: expected each label once, got b twice"),
        ("a 1\n\na 1\n", "line 3: expected each series once, got one of a twice"),
        ("a{b=\"\"} 1\na 1\n", "line 2: expected each series once, got one of a twice"),
        ("# TYPE a meter\n", "line 1: expected a type of metrics, got meter"),
        ("# TYPE a info\n", "line 1: expected a type of metrics, got info"),
        ("# TYPE a gauge\n# TYPE a gauge\n", "line 2: expected one TYPE, before all samples, of a"),
        ("a 1\n# TYPE a gauge\n", "line 2: expected one TYPE, before all samples, of a"),
        ("# HELP a b\n# HELP a b\n", "line 2: expected one HELP of a"),
        ("# TYPE a counter\na -1\n", "line 2: expected a counter of at least 0, got -1"),
        ("# TYPE a counter\na NaN\n", "line 2: expected a counter of at least 0, got NaN"),
        ("# TYPE a counter\na +Inf\n", "line 2: expected a counter of at least 0, got inf"),
    ] {
        assert_eq!(text(body), Err(expected.to_owned()), "{body}");
    }
    let found = read_with(b"a 1\nb{c=\"\xff\"} 1\n", BodyFormat::Text, &PLAIN);
    assert_eq!(found, Err("line 2: expected UTF-8, got other bytes".into()));
}

#[test]
fn what_is_wrong_in_histograms_and_summaries() {
    for (lines, expected) in [
        ("h 1\n", "line 2: expected h_bucket, h_sum or h_count, got h"),
        ("h_bucket 1\n", "line 2: expected a label le, got none"),
        ("h_bucket{le=\"x\"} 1\n", "line 2: le: expected a number, got x"),
        ("h_count 1.5\n", "line 2: expected a whole number up to 2^53 as a count, got 1.5"),
        ("h_count 1\nh_count 1\n", "line 3: expected one count of a series, got a second one"),
        ("h_count 1\n", "line 2: h: expected a sum, got none"),
        ("h_count 1\nh_sum NaN\n", "line 2: h: expected a finite sum, got NaN"),
        ("h_sum 1\n", "line 2: h: expected a count, or a bucket of +Inf, got neither"),
        (
            "h_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 3\n",
            "line 2: h: expected as many in the bucket of +Inf as in all, 3, got 2",
        ),
        (
            "h_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 1\nh_sum 1\nh_count 3\n",
            "line 2: h: expected buckets that count what is below them, got 1 for le 2 and 2 before it",
        ),
        (
            "h_bucket{le=\"1\"} 2\nh_bucket{le=\"1.0\"} 2\nh_sum 1\nh_count 3\n",
            "line 2: h: expected each le once, got 1 twice",
        ),
        (
            "h_bucket{le=\"NaN\"} 2\nh_sum 1\nh_count 3\n",
            "line 2: h: expected a finite bound, or +Inf, as le, got NaN",
        ),
        (
            "h_count{le=\"1\"} 1\nh_sum{le=\"1\"} 1\n",
            "line 2: expected no label le but where it says which, got one of h",
        ),
        ("h_count 1 1\n", "line 2: pushed metrics must not have timestamps"),
        // Of two series the second.
        (
            "h_count 0\nh_sum 0\nh_sum{a=\"1\"} 0\n",
            "line 4: h: expected a count, or a bucket of +Inf, got neither",
        ),
    ] {
        let body = format!("# TYPE h histogram\n{lines}");
        assert_eq!(text(&body), Err(expected.to_owned()), "{body}");
    }
    let body = "# TYPE s summary\ns_sum 1\n";
    assert_eq!(text(body), Err("line 2: s: expected a count, got none".into()));
    let body = "# TYPE s summary\ns 1\n";
    assert_eq!(text(body), Err("line 2: expected a label quantile, got none".into()));
}

#[test]
fn what_is_wrong_in_openmetrics() {
    for (body, expected) in [
        ("# EOF\na 1\n", "line 2: expected nothing behind # EOF"),
        ("# TYPE a counter\na 1\n# EOF\n", "line 2: expected a_total, got a"),
        ("a 1\nb 1\na{c=\"d\"} 1\n# EOF\n", "line 3: expected all lines of a in one block"),
        (
            "a 1\n# HELP a b\n# EOF\n",
            "line 2: expected all that is said of it before the samples of a",
        ),
        ("a 1\nb 1\n# HELP a b\n# EOF\n", "line 3: expected all lines of a in one block"),
        ("# UNIT a b\n# EOF\n", "line 1: expected a name that ends in its unit _b, got a"),
        ("# UNIT a_b b\n# UNIT a_b b\n# EOF\n", "line 2: expected one UNIT of a_b"),
        (
            "# TYPE a gaugehistogram\n",
            "line 1: expected no gaugehistogram: its buckets can't be added",
        ),
        ("a 1 1.5\n", "line 1: pushed metrics must not have timestamps"),
        ("a 1 1.5 # {} 1\n", "line 1: pushed metrics must not have timestamps"),
        ("a 1 # {} 1\n", "line 1: expected an exemplar on counters and on buckets alone"),
        ("# TYPE a counter\na_total 1 # b\n", "line 2: expected { behind the # of an exemplar"),
        ("# TYPE a counter\na_total 1 # {} NaN\n", "line 2: expected a finite number, got NaN"),
        ("# TYPE a counter\na_total 1 # {} 1 1 1\n", "line 2: expected the end of the line, got 1"),
    ] {
        assert_eq!(openmetrics(body), Err(expected.to_owned()), "{body}");
    }
}

#[test]
fn what_is_wrong_in_protobuf() {
    let with = |kind, metric| protobuf(&[family("a", kind, vec![metric])]);
    let told = |detail: &str| Err(format!("message 1: a: {detail}"));
    let timestamped = Metric { timestamp_ms: Some(1), ..counter(&[], 1.0) };
    assert_eq!(
        with(MetricType::Counter, timestamped),
        told("pushed metrics must not have timestamps")
    );
    assert_eq!(
        with(MetricType::Gauge, counter(&[], 1.0)),
        told("expected a value of the metric's type, got none")
    );
    assert_eq!(
        with(MetricType::Counter, counter(&[], -1.0)),
        told("expected a counter of at least 0, got -1")
    );
    assert_eq!(
        with(MetricType::Counter, counter(&[("__a", "b")], 1.0)),
        told("expected the name of a label, got __a")
    );
    assert_eq!(
        with(MetricType::GaugeHistogram, histogram(Histogram::default())),
        told("expected no gauge histogram: its buckets can't be added")
    );
    let floats = Histogram { sample_count_float: Some(1.5), ..Histogram::default() };
    assert_eq!(
        with(MetricType::Histogram, histogram(floats)),
        told("expected a whole number up to 2^53 as a count, got 1.5")
    );
    let twice = family("a", MetricType::Counter, vec![counter(&[], 1.0)]);
    assert_eq!(
        protobuf(&[twice.clone(), twice]),
        Err("message 2: a: expected each series once, got one of a twice".into())
    );
    assert_eq!(
        protobuf(&[family("", MetricType::Counter, Vec::new())]),
        Err("message 1: expected the name of a metric, got none".into())
    );
    for (body, expected) in [
        (&b"\x05\x0a\x01a"[..], "message 1: expected more bytes, got the end"),
        (b"\x00\xff", "message 1: expected the name of a metric, got none"),
        (b"\xff", "message 1: expected a varint, got other bytes"),
        (b"\x03\x0a\x01\xff", "message 1: expected UTF-8, got other bytes"),
        (b"\x02\x18\x07", "message 1: expected a type of metrics, got 7"),
        (b"\x01\x0b", "message 1: expected a wire type of protobuf, got 3"),
    ] {
        let found = read_with(body, BodyFormat::Protobuf, &PLAIN);
        assert_eq!(found, Err(expected.to_owned()), "{body:?}");
    }
}
