//! Formats: which one is answered to whom, compressed or not, and that a
//! family is one block whatever the shards.

use prost::Message;
use psg_engine::protobuf::MetricFamily;
use psg_testkit::http::Reply;
use psg_testkit::{Exposition, Format, Rig};

const TEXT_1: &str = "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores";
const OPENMETRICS_UTF8: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8";
const OPENMETRICS_0: &str = "application/openmetrics-text; version=0.0.1; charset=utf-8";
const PROTOBUF: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0;q=0.5,\
    application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
    application/openmetrics-text;version=0.0.1;q=0.4,\
    text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
const PROMETHEUS_PROTOBUF: &str = "application/vnd.google.protobuf;\
    proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
    application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

#[test]
fn the_accept_header_decides() {
    let rig = Rig::start();
    let cases = [
        (None, TEXT),
        (Some("*/*"), TEXT),
        (Some(""), TEXT),
        (Some("text/plain"), TEXT),
        (Some("text/plain; version=0.0.4"), TEXT),
        (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), TEXT),
        (Some("application/json"), TEXT),
        (Some("complete nonsense ;;,,q=="), TEXT),
        (Some("application/openmetrics-text"), OPENMETRICS),
        (Some("application/openmetrics-text; version=1.0.0"), OPENMETRICS),
        (Some("application/openmetrics-text; version=1.0.0;"), OPENMETRICS),
        (Some("application/openmetrics-text; version=0.0.1"), OPENMETRICS_0),
        (Some("text/plain;version=1.0.0;escaping=allow-utf-8"), TEXT_1),
        (Some("application/openmetrics-text; version=1.0.0; charset=utf-8"), OPENMETRICS),
        (Some("Application/OpenMetrics-Text; Version=1.0.0"), OPENMETRICS),
        (Some("application/openmetrics-text;q=0"), TEXT),
        (Some("application/openmetrics-text;q=0.5, text/plain;q=0.9"), TEXT),
        (Some("application/openmetrics-text;q=0.9, text/plain;q=0.5"), OPENMETRICS),
        (Some("text/plain;q=0.5, application/openmetrics-text;q=0.9"), OPENMETRICS),
        (Some("text/plain;q=0.5,application/openmetrics-text"), OPENMETRICS),
        (Some("application/openmetrics-text;q=0.5, */*;q=0.1"), OPENMETRICS),
        (Some("application/openmetrics-text;q=0.5, */*"), TEXT),
        (Some(PROMETHEUS_2), OPENMETRICS),
        (Some(PROMETHEUS_3), OPENMETRICS_UTF8),
        (Some(PROMETHEUS_PROTOBUF), PROTOBUF),
    ];
    for (accept, content_type) in cases {
        let headers: Vec<_> = accept.into_iter().map(|value| ("Accept", value)).collect();
        let reply = rig.gateway.must_get("/metrics", &headers);
        assert_eq!(reply.status, 200, "Accept {accept:?}");
        assert_eq!(reply.header("content-type"), Some(content_type), "Accept {accept:?}");
        match content_type.split(';').next() {
            Some("text/plain") => drop(parsed(&reply, Format::Text)),
            Some("application/openmetrics-text") => drop(parsed(&reply, Format::OpenMetrics)),
            _ => assert_eq!(protobuf_families(&reply.body), protobuf_families_of_text(&rig)),
        }
    }
}

fn parsed(reply: &Reply, format: Format) -> Exposition {
    Exposition::parse(&reply.text(), format).expect("it is what its header says")
}

/// The names of the families, by the schema.
fn protobuf_families(mut body: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while !body.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut body).expect("a family");
        names.push(family.name().to_owned());
    }
    names
}

fn protobuf_families_of_text(rig: &Rig) -> Vec<String> {
    let text = rig.gateway.must_get("/metrics", &[]).text();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// A decoder need not have room for more than 8 MB (RFC 9659).
#[test]
fn windows_of_zstd_are_small() {
    let mut rig = Rig::start();
    let payload =
        |i| format!(r#"{{"type":"gauge","name":"g","value":{i},"labels":{{"i":"{i}"}}}}"#);
    rig.send(&(0..2000).map(payload).collect::<Vec<_>>());
    let reply = rig.gateway.must_get("/metrics", &[("Accept-Encoding", "zstd")]);
    assert_eq!(reply.header("content-encoding"), Some("zstd"));
    let [0x28, 0xb5, 0x2f, 0xfd, descriptor, window, ..] = reply.body[..] else {
        panic!("no frame of zstd")
    };
    // RFC 8878, 3.1.1.1: bit 5 says that the window is as large as the content.
    assert_eq!(descriptor & 0b10_0000, 0, "a window of its own");
    let log = 10 + (window >> 3);
    assert!((1_u64 << log) + (1_u64 << log) / 8 * u64::from(window & 7) <= 8 << 20, "{log}");
}

#[test]
fn a_slash_at_the_end_answers_too() {
    let rig = Rig::start();
    let reply = rig.gateway.must_get("/metrics/", &[]);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some(TEXT)));
    Exposition::parse(&reply.text(), Format::Text).expect("it is an exposition");
    assert_eq!(rig.gateway.must_get("/nothing-here", &[]).status, 404);
}

#[test]
fn compressed_only_for_who_accepts_it() {
    let mut rig = Rig::start();
    let payloads: Vec<String> = (0..500)
        .map(|i| format!(r#"{{"type":"gauge","name":"g","value":{i},"labels":{{"i":"{i}"}}}}"#))
        .collect();
    let plain = rig.send(&payloads).produced();
    let cases = [
        (None, None),
        (Some("identity"), None),
        (Some("gzip"), Some("gzip")),
        (Some("GZIP"), Some("gzip")),
        (Some("gzip, deflate, br"), Some("gzip")),
        (Some("gzip;q=1.0, identity;q=0.5"), Some("gzip")),
        (Some("gzip;q=0"), None),
        (Some("zstd"), Some("zstd")),
        (Some("zstd;q=0.5, gzip;q=0.8"), Some("gzip")),
        (Some("zstd;q=0.8, gzip;q=0.5"), Some("zstd")),
        (Some("gzip, zstd"), Some("zstd")),
        (Some("gzip, zstd;q=0"), Some("gzip")),
        (Some("zstd;q=0"), None),
        (Some("unheard-of"), None),
    ];
    for (accept, encoding) in cases {
        let headers: Vec<_> = accept.into_iter().map(|value| ("Accept-Encoding", value)).collect();
        let reply = rig.gateway.must_get("/metrics", &headers);
        let got = reply.header("content-encoding").filter(|value| *value != "identity");
        assert_eq!(got, encoding, "Accept-Encoding {accept:?}");
        let shown = Exposition::parse(&reply.text(), Format::Text).expect("it is an exposition");
        assert_eq!(shown.produced(), plain, "Accept-Encoding {accept:?}");
        if encoding.is_some() {
            assert!(reply.body.len() * 2 < reply.text().len(), "it is hardly smaller");
        }
    }
}

#[test]
fn a_family_is_one_block_whatever_the_shards() {
    let mut rig = Rig::with(&[("Shards__Count", "4")]);
    let payloads: Vec<String> = (0..4_000)
        .map(|i| {
            let (family, kind) = (i % 400, ["counter", "gauge", "histogram", "summary"][i % 4]);
            format!(
                r#"{{"type":"{kind}","name":"f{family}","help":"of {family}","value":1,"buckets":[1],"labels":{{"i":"{i}"}}}}"#
            )
        })
        .collect();
    let text = rig.send(&payloads);
    let openmetrics = rig.gateway.scrape_openmetrics();
    for seen in [&text, &openmetrics] {
        assert_eq!(seen.produced().len(), 400);
        let names: Vec<_> = seen.families.iter().map(|f| f.name.as_str()).collect();
        let produced: Vec<_> = names.iter().filter(|name| name.starts_with('f')).collect();
        assert!(produced.is_sorted(), "the families are not sorted by name");
        for family in seen.families.iter().filter(|family| family.name.starts_with('f')) {
            let labels: std::collections::HashSet<_> =
                family.samples.iter().map(|sample| sample.label("i")).collect();
            assert_eq!(labels.len(), 10, "series of {}", family.name);
        }
    }
}

#[test]
fn series_keep_their_order_between_scrapes() {
    let mut rig = Rig::with(&[("Shards__Count", "3")]);
    let payloads: Vec<String> = (0..300)
        .map(|i| {
            format!(r#"{{"type":"gauge","name":"g{}","value":1,"labels":{{"i":"{i}"}}}}"#, i % 5)
        })
        .collect();
    let first = order(&rig.send(&payloads));
    let again: Vec<String> = payloads.iter().rev().cloned().collect();
    assert_eq!(order(&rig.send(&again)), first);
    assert_eq!(order(&rig.gateway.scrape()), first);
}

fn order(seen: &Exposition) -> Vec<String> {
    let produced = seen.families.iter().filter(|family| family.name.starts_with('g'));
    produced.flat_map(|family| &family.samples).map(|sample| sample.canonical.clone()).collect()
}

#[test]
fn labels_come_sorted_with_le_and_quantile_last() {
    let mut rig = Rig::start();
    let seen = rig.send(&[
        r#"{"type":"histogram","name":"h","value":1,"buckets":[1],"labels":{"z":"1","a":"2"}}"#,
        r#"{"type":"summary","name":"s","value":1,"quantiles":[0.5],"epsilons":[0.1],"labels":{"z":"1","a":"2"}}"#,
    ]);
    let names = |name| -> Vec<String> {
        let sample = seen.samples(name).next().expect("it was accepted");
        sample.labels.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names("h_bucket"), ["a", "z", "le"]);
    assert_eq!(names("h_sum"), ["a", "z"]);
    assert_eq!(names("s"), ["a", "z", "quantile"]);
}
