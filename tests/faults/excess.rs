//! Excess: payloads made to exhaust the stack, the memory or the time. They are
//! refused or taken, those behind them are taken, and memory stays bounded.

use psg_testkit::{Exposition, Rig};

const MIB: u64 = 1 << 20;

/// A sample that is sent behind what is excessive.
const GOOD: &str = r#"{"type":"gauge","name":"good","value":1}"#;

/// Sends one payload and a good one; what may be wrong with the payload is one
/// reason, and with that it is refused. How far the peak of memory rose.
#[track_caller]
fn refuse(rig: &mut Rig, payload: impl AsRef<[u8]>, reason: &str) -> u64 {
    let before = (rig.gateway.scrape().rejected(reason), rig.gateway.peak_memory());
    let seen = rig.send(&[payload.as_ref(), GOOD.as_bytes()]);
    assert_eq!(seen.rejected(reason) - before.0, 1, "{reason}");
    assert_eq!(seen.value("good", &[]), Some(1.0));
    // The kernel adds the peak up of counters that lag behind: it may tell less later.
    rig.gateway.peak_memory().saturating_sub(before.1)
}

#[test]
fn nesting_costs_no_stack() {
    let mut rig = Rig::start();
    let deep = |open: &str, close: &str, times: usize| {
        format!("{}1{}", open.repeat(times), close.repeat(times))
    };
    for nested in [
        "[".repeat(1_000_000),
        deep("[", "]", 500_000),
        deep(r#"{"a":"#, "}", 150_000),
        deep(r#"[{"a":"#, "}]", 120_000),
        format!(r#"{{"name":"m","labels":{}}}"#, deep(r#"{"a":"#, "}", 100_000)),
        format!(r#"{{"name":"m","buckets":{}}}"#, deep("[", "]", 64)),
    ] {
        refuse(&mut rig, nested, "invalid_json");
    }
    let seen = rig.send(&[format!(r#"{{"name":"deepest","x":{}}}"#, deep("[", "]", 63))]);
    assert_eq!(seen.value("deepest", &[]), Some(0.0), "64 levels are taken");
}

#[test]
fn elements_of_a_hundred_megabytes_pass_through() {
    let mut rig = Rig::start();
    refuse(&mut rig, "warm up", "invalid_json");
    let sample = format!(r#"{{"name":"m","help":"{}"}}"#, "h".repeat(100 << 20));
    let array = format!("[{}]", "1,".repeat(50 << 20));
    for huge in [sample, array] {
        let grown = refuse(&mut rig, huge, "payload_too_large");
        assert!(grown < 16 * MIB, "the peak of memory rose by {grown} bytes");
    }
}

#[test]
fn a_million_label_names_in_one_sample_are_too_many() {
    let mut rig = Rig::with(&[("Metrics__MaxPayloadBytes", "64MiB")]);
    let labels: Vec<String> = (0..1_000_000).map(|name| format!(r#""l{name}":"v""#)).collect();
    let payload = format!(r#"{{"name":"m","labels":{{{}}}}}"#, labels.join(","));
    let length = payload.len() as u64;
    let grown = refuse(&mut rig, payload, "too_many_labels");
    assert!(grown < 3 * length + 16 * MIB, "the peak of memory rose by {grown} bytes");
}

#[test]
fn a_member_given_a_hundred_thousand_times_counts_once() {
    let mut rig = Rig::start();
    let often = |member: &str| member.repeat(1_000_000 / member.len());
    let seen = rig.send(&[
        format!(r#"{{{}"name":"last","value":3}}"#, often(r#""name":"first","value":2,"#)),
        format!(r#"{{{}"name":"labelled","labels":{{"b":"c"}}}}"#, often(r#""labels":{"a":"b"},"#)),
        format!(r#"{{"name":"escaped",{}"x":1}}"#, often(r#""\u0061":"\u0062","#)),
    ]);
    assert_eq!(seen.totals(), (3, 0));
    assert_eq!(seen.value("last", &[]), Some(3.0));
    assert_eq!(seen.value("labelled", &[("b", "c")]), Some(0.0));
    assert_eq!(seen.value("escaped", &[]), Some(0.0));
    let repeated = format!(r#"{{"name":"m","labels":{{{}"a":"b"}}}}"#, often(r#""a":"b","#));
    refuse(&mut rig, repeated, "too_many_labels");
}

#[test]
fn what_is_not_utf_8_is_refused_wherever_it_stands() {
    let mut rig = Rig::start();
    let broken: [&[u8]; 9] = [
        b"\xff",
        b"\xc0\xaf",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\x80",
        b"\xc3\x28",
    ];
    for bytes in broken {
        for around in [
            r#"{"name":"@","value":1}"#,
            r#"{"name":"m","help":"@"}"#,
            r#"{"name":"m","labels":{"@":"v"}}"#,
            r#"{"name":"m","labels":{"l":"@"}}"#,
            r#"{"name":"m","@":1}"#,
            r#"@{"name":"m"}"#,
            r#"[{"name":"m"},"@"]"#,
        ] {
            let (before, after) = around.split_once('@').expect("a place");
            refuse(&mut rig, [before.as_bytes(), bytes, after.as_bytes()].concat(), "invalid_json");
        }
    }
    let seen = rig.gateway.scrape();
    assert_eq!(seen.produced().into_keys().collect::<Vec<_>>(), ["good"]);
}

#[test]
fn enormous_numbers_are_read_or_refused() {
    let mut rig = Rig::start();
    let (zeros, nines) = ("0".repeat(500_000), "9".repeat(500_000));
    let value =
        |kind: &str, value: &str| format!(r#"{{"type":"{kind}","name":"{kind}","value":{value}}}"#);
    for number in ["1e400", "-1e400", "1e99999999999999999999", &nines, &format!("-1{zeros}.5")] {
        refuse(&mut rig, value("gauge", number), "non_finite");
    }
    for (number, expected) in [
        ("1e-400", 0.0),
        ("-1e-99999999999999999999", 0.0),
        (&format!("0.{zeros}1"), 0.0),
        (&format!("0.{zeros}1e500001"), 1.0),
        (&format!("1{zeros}e-500000"), 1.0),
        ("1.7976931348623157e308", f64::MAX),
        ("4.9406564584124654e-324", 5e-324),
    ] {
        assert_eq!(rig.send(&[value("gauge", number)]).value("gauge", &[]), Some(expected));
    }
    let seen = rig.send(&[value("counter", "1e308"), value("counter", "1e308")]);
    assert_eq!(seen.value("counter", &[]), Some(1e308), "it stays a number");
    assert_eq!(seen.rejected("non_finite"), 6);
    refuse(&mut rig, format!(r#"{{"type":{nines},"name":"m"}}"#), "unknown_type");
    let bound = format!(r#"{{"type":"histogram","name":"h","buckets":[1,1{zeros}]}}"#);
    assert_eq!(rig.send(&[bound]).value("h_bucket", &[("le", "+Inf")]), Some(1.0));
}

#[test]
fn times_at_their_extremes_are_taken_or_refused() {
    let mut rig = Rig::start();
    let with = |member: &str| format!(r#"{{"type":"gauge","name":"g","value":1,{member}}}"#);
    for ahead in ["1e308", "99999999999", "99999999999999999999999999"] {
        refuse(&mut rig, with(&format!(r#""timestamp":{ahead}"#)), "bad_timestamp");
    }
    for wrong in [r#""timestamp":{"a":[1]}"#, r#""timestamp":"99999999999""#] {
        refuse(&mut rig, with(wrong), "bad_timestamp");
    }
    for wrong in [r#""ttl":[1]"#, r#""ttl":"one""#] {
        refuse(&mut rig, with(wrong), "bad_ttl");
    }
    for negative in ["-1", "-1e308", "-1e-300"] {
        refuse(&mut rig, with(&format!(r#""ttl":{negative}"#)), "bad_ttl");
    }
    let payloads: Vec<String> = [
        r#""timestamp":-1e308"#,
        r#""timestamp":-0.0"#,
        r#""timestamp":1e-308"#,
        r#""ttl":1e308"#,
        r#""ttl":99999999999999999999999"#,
        r#""ttl":1e-308"#,
    ]
    .map(with)
    .into();
    let before = rig.gateway.scrape().totals();
    let seen = rig.send(&payloads);
    assert_eq!(seen.totals(), (before.0 + payloads.len() as u64, before.1));
}

#[test]
fn a_million_samples_in_one_element_are_taken() {
    const SAMPLES: u64 = 1_000_000;
    let rig = Rig::with(&[("Metrics__MaxPayloadBytes", "64MiB")]);
    let array = |sample: &str| format!("[{}{sample}]", format!("{sample},").repeat(999_999));
    rig.redis.push(&[array(r#"{"name":"m","value":1}"#)]);
    let seen = rig.gateway.scrape_after(SAMPLES);
    assert_eq!(seen.value("m", &[]), Some(1e6));
    rig.redis.push(&[array("[]"), array("1")]);
    let seen = rig.gateway.scrape_after(3 * SAMPLES);
    assert_eq!(seen.rejected("not_a_sample"), 2e6 as u64);
    assert!(rig.gateway.log().len() < 100, "{} lines in the log", rig.gateway.log().len());
    let peak = rig.gateway.peak_memory();
    assert!(peak < 400 * MIB, "the peak of memory is {peak} bytes");
}

#[test]
fn names_without_end_stop_at_the_limit() {
    const LIMIT: usize = 20_000;
    let mut rig = Rig::with(&[("Metrics__MaxSeries", &LIMIT.to_string())]);
    let names = |from: usize| -> Vec<String> {
        (from..from + 2 * LIMIT).map(|name| format!(r#"{{"name":"n{name}","value":1}}"#)).collect()
    };
    let seen = rig.send(&names(0));
    assert_eq!(families(&seen), LIMIT);
    let full = rig.gateway.peak_memory();
    for round in 1..5 {
        let seen = rig.send(&names(2 * LIMIT * round));
        assert_eq!(families(&seen), LIMIT);
    }
    let grown = rig.gateway.peak_memory() - full;
    assert!(grown < 32 * MIB, "the peak of memory rose by {grown} bytes");
    let seen = rig.gateway.scrape();
    assert_eq!(seen.rejected("series_limit"), 9 * LIMIT as u64);
}

#[test]
fn label_names_without_end_stop_at_the_limit_of_their_metric() {
    const LIMIT: usize = 10_000;
    let mut rig = Rig::with(&[("Metrics__MaxSeriesPerMetric", &LIMIT.to_string())]);
    let payloads: Vec<String> = (0..6 * LIMIT)
        .map(|name| format!(r#"{{"name":"m","value":1,"labels":{{"l{name}":"v"}}}}"#))
        .collect();
    let seen = rig.send(&payloads);
    assert_eq!(seen.samples("m").count(), LIMIT);
    assert_eq!(seen.rejected("metric_series_limit"), 5 * LIMIT as u64);
}

fn families(seen: &Exposition) -> usize {
    seen.produced().len()
}
