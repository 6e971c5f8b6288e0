//! Golden: what the reference printed for its payloads, ours prints too; and whole
//! pages in each format, of every kind of sample.

use std::collections::BTreeMap;
use std::{env, fs};

use prost::Message;
use psg_engine::protobuf::MetricFamily;
use psg_testkit::{Exposition, Format, Rig};

const REFERENCE: &str = include_str!("../golden/reference.jsonl");

/// What the reference printed and OpenMetrics does not allow, by case: its parsers
/// refuse the whole page for a sum below 0, or beside a bucket below 0.
const LEFT_OUT: [(&str, &[&str]); 2] =
    [("histogram negative bounds", &["_sum", "_count"]), ("summary sum and count", &["_sum"])];

struct Case {
    name: String,
    payloads: Vec<String>,
    rejected: u64,
    text: Vec<String>,
    openmetrics: Vec<String>,
}

#[test]
fn prints_what_the_reference_printed() {
    // It knows no other names.
    let mut rig = Rig::with(&[("Metrics__Names", "legacy")]);
    let mut text_before = rig.gateway.scrape();
    let mut openmetrics_before = rig.gateway.scrape_openmetrics();
    for case in cases() {
        let text = rig.send(&case.payloads);
        let openmetrics = rig.gateway.scrape_openmetrics();
        check(&case, Format::Text, &text_before, &text);
        check(&case, Format::OpenMetrics, &openmetrics_before, &openmetrics);
        let rejected = text.totals().1 - text_before.totals().1;
        assert_eq!(rejected, case.rejected, "rejected in case {}", case.name);
        text_before = text;
        openmetrics_before = openmetrics;
    }
}

/// What the formats print of `tests/golden/samples.jsonl`, for people to read.
/// `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn every_kind_of_sample_is_printed_as_its_golden_page_says() {
    let folder = psg_testkit::root().join("tests/golden");
    let payloads = fs::read_to_string(folder.join("samples.jsonl")).expect("payloads");
    let payloads: Vec<&str> = payloads.lines().collect();
    let mut rig =
        Rig::with(&[("Metrics__Exemplars", "true"), ("Metrics__DefaultBuckets", "0.01,0.1")]);
    assert_eq!(rig.send(&payloads).totals(), (payloads.len() as u64, 0));
    for (page, accept) in [
        ("text", "text/plain;version=0.0.4"),
        ("openmetrics", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"),
        ("protobuf", "application/vnd.google.protobuf;encoding=delimited;escaping=allow-utf-8"),
    ] {
        let reply = rig.gateway.must_get("/metrics", &[("Accept", accept)]);
        let printed = match page {
            "protobuf" => messages(&reply.body),
            _ => lines(&reply.text()),
        };
        let file = folder.join(format!("samples.{page}.txt"));
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, &printed).expect("written");
        }
        assert_eq!(printed, fs::read_to_string(&file).unwrap_or_default(), "{}", file.display());
    }
}

/// Those that are not the gateway's own.
fn lines(page: &str) -> String {
    let of_producers = page.lines().filter(|line| !line.contains("prom_stream_gateway_"));
    of_producers.map(|line| format!("{line}\n")).collect()
}

fn messages(mut body: &[u8]) -> String {
    let mut shown = String::new();
    while !body.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut body).expect("a family");
        if !family.name().starts_with("prom_stream_gateway_") {
            let message = format!("{family:#?}\n");
            // What a message does not say would be most of it.
            let said = message.lines().filter(|line| !line.ends_with(": None,"));
            shown.extend(said.flat_map(|line| [line, "\n"]));
        }
    }
    shown
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = REFERENCE.lines().map(case).collect();
    assert_eq!(cases.len(), 26);
    cases
}

fn case(line: &str) -> Case {
    let json: serde_json::Value = serde_json::from_str(line).expect("a JSON object a line");
    let words = |field: &str| -> Vec<String> {
        let array = json[field].as_array().expect("an array");
        array.iter().map(|word| word.as_str().expect("a string").to_owned()).collect()
    };
    Case {
        name: json["case"].as_str().expect("a string").to_owned(),
        payloads: words("payloads"),
        rejected: json["rejected"].as_u64().expect("a number"),
        text: words("text"),
        openmetrics: words("openmetrics"),
    }
}

/// The families that are new since `before` are exactly those expected.
fn check(case: &Case, format: Format, before: &Exposition, after: &Exposition) {
    let (lines, end) = match format {
        Format::Text => (&case.text, ""),
        Format::OpenMetrics => (&case.openmetrics, "# EOF\n"),
    };
    let is_left_out = |line: &&String| {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let is_of = |(case_name, suffixes): &(&str, &[&str])| {
            *case_name == case.name && suffixes.iter().any(|suffix| name.ends_with(suffix))
        };
        format == Format::OpenMetrics && LEFT_OUT.iter().any(is_of)
    };
    let lines = lines.iter().filter(|line| !is_left_out(line));
    let text: String = lines.map(|line| format!("{line}\n")).chain([end.into()]).collect();
    let expected = Exposition::parse(&text, format).expect("the reference is well-formed");
    let before = before.produced();
    let mut new: BTreeMap<_, _> = after.produced();
    new.retain(|name, lines| before.get(name) != Some(lines));
    assert_eq!(new, expected.produced(), "case {} in {format:?}", case.name);
}
