//! `Metrics.CreatedTimestamps`: OpenMetrics tells of each total when it began.

use std::time::Duration;

use serde_json::json;

use crate::openmetrics::{judged_by_promtool, judged_by_python};
use psg_testkit::gateway::ACCEPT_OPENMETRICS;
use psg_testkit::prometheus::{Edition, Prometheus, job, seconds_now};
use psg_testkit::{Exposition, Format, Gateway, GatewayBuilder, RedisServer, Rig, wait_for};

const ON: (&str, &str) = ("Metrics__CreatedTimestamps", "true");

/// All types; a counter that is none to OpenMetrics by its name, and one by a
/// metric beside it.
const SAMPLES: [&str; 7] = [
    r#"{"name":"c_total","value":2,"labels":{"a":"b"}}"#,
    r#"{"name":"bare","value":3}"#,
    r#"{"name":"x_total","value":4}"#,
    r#"{"type":"gauge","name":"x_created","value":5}"#,
    r#"{"type":"gauge","name":"g","value":6}"#,
    r#"{"type":"histogram","name":"h","value":2,"buckets":[1,2.5]}"#,
    r#"{"type":"summary","name":"s","value":3,"quantiles":[0.5],"epsilons":[0.05]}"#,
];

/// Names and labels of the lines that tell when producers' totals began.
const TOLD: [(&str, &[(&str, &str)]); 3] =
    [("c_created", &[("a", "b")]), ("h_created", &[]), ("s_created", &[])];

fn created(seen: &Exposition) -> [Option<f64>; 3] {
    TOLD.map(|(name, labels)| seen.value(name, labels))
}

#[test]
fn totals_tell_when_they_began() {
    let mut rig = Rig::with(&[ON]);
    let before = seconds_now();
    rig.send(&SAMPLES);
    let seen = rig.gateway.scrape_openmetrics();
    let now = seconds_now();
    let told = created(&seen);
    assert!(told.iter().flatten().all(|at| (before..=now).contains(at)), "{told:?}");
    assert!(told.iter().all(Option::is_some), "{told:?}");

    // More of them, and later, changes nothing.
    rig.send(&SAMPLES);
    let later = rig.gateway.scrape_openmetrics();
    assert_eq!((created(&later), later.value("c_total", &[("a", "b")])), (told, Some(4.0)));

    // A gauge that is called so keeps its name, and the counter has no line.
    assert_eq!(later.samples("x_created").count(), 1);
    assert_eq!(later.value("x_created", &[]), Some(5.0));
    assert_eq!(later.family("x_total").map(|family| &*family.kind), Some("unknown"));
    assert_eq!((later.value("x_total", &[]), later.value("bare", &[])), (Some(8.0), Some(6.0)));
    for none in ["bare_created", "g_created"] {
        assert_eq!(later.samples(none).count(), 0, "{none}");
    }
    judged_by_python(&rig);
    judged_by_promtool(&rig);
}

/// What a counter is in OpenMetrics, and whether it has a created line, is the
/// same in each part of the page as in all of it: a gauge in another part would
/// else get the times of a counter that is none beside it.
#[test]
fn a_part_of_the_page_says_of_a_counter_what_all_of_it_says() {
    const PARTS: usize = 8;
    for (kind, name) in [
        ("gauge", "x"),
        ("counter", "x_created"),
        ("gauge", "x_created"),
        ("histogram", "x_created"),
        ("counter", "x_created_total"),
        ("summary", "x"),
    ] {
        let mut rig = Rig::with(&[ON]);
        let sample = |i: usize, kind: &str, name: &str| {
            format!(
                r#"{{"type":"{kind}","name":"{name}","value":1,"buckets":[1],"labels":{{"i":"{i}"}}}}"#
            )
        };
        let counters = (0..8).map(|i| sample(i, "counter", "x_total"));
        let payloads: Vec<String> = counters.chain([sample(0, kind, name)]).collect();
        rig.send(&payloads);
        let parts = (0..PARTS).map(|part| format!("/metrics?shard={part}&of={PARTS}"));
        let named = ["/metrics", "/metrics?name[]=x_total"].map(str::to_owned);
        let mut shown = 0;
        for path in parts.chain(named) {
            let body = rig.gateway.must_get(&path, &[ACCEPT_OPENMETRICS]).text();
            let seen = Exposition::parse(&body, Format::OpenMetrics).expect("a page");
            if let Some(family) = seen.family("x_total") {
                assert_eq!(family.kind, "unknown", "beside {kind} {name}: {path}");
                shown += seen.samples("x_total").count();
            }
            assert!(seen.family("x").is_none_or(|family| family.kind != "counter"), "{path}");
            let lines = body.lines().filter(|line| line.starts_with("x_created{"));
            assert!(lines.count() <= 1, "beside {kind} {name}: {path}\n{body}");
        }
        assert_eq!(shown, 3 * 8);
    }
}

/// The gateway's own totals began with its process.
#[test]
fn the_gateway_s_own_began_with_it() {
    let mut rig = Rig::with(&[ON]);
    let seen = rig.send(&SAMPLES);
    let start = seen.value("prom_stream_gateway_process_start_time_seconds", &[]);
    let seen = rig.gateway.scrape_openmetrics();
    for name in ["series_limit_hits_created", "scrape_duration_seconds_created"] {
        let told = seen.value(&format!("prom_stream_gateway_{name}"), &[]);
        assert_eq!(told, start, "{name}");
    }
    assert_eq!(seen.samples("prom_stream_gateway_series_created").count(), 0);
}

/// Where they are not asked for, and in the text format, there are none; but for
/// the lines themselves all is the same.
#[test]
fn they_are_lines_more_of_openmetrics_and_nothing_else() {
    let produced = |settings: &[(&str, &str)], headers: &[(&str, &str)]| {
        let mut rig = Rig::with(settings);
        rig.send(&SAMPLES);
        let text = rig.gateway.must_get("/metrics", headers).text();
        let own = |line: &&str| line.contains("prom_stream_gateway_");
        let lines = text.lines().filter(|line| !own(line)).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    let without = produced(&[], &[ACCEPT_OPENMETRICS]);
    let mut with = produced(&[ON], &[ACCEPT_OPENMETRICS]);
    let told = |line: &String| TOLD.iter().any(|(name, _)| line.starts_with(name));
    let before = with.len();
    with.retain(|line| !told(line));
    assert_eq!(before - with.len(), TOLD.len());
    assert_eq!(with, without);
    assert_eq!(produced(&[ON], &[]), produced(&[], &[]));
}

#[test]
fn filters_and_the_empty_instance_count_for_them_too() {
    let mut rig = Rig::with(&[ON, ("Metrics__EmptyInstance", "true")]);
    rig.send(&SAMPLES);
    let ask = |query: &str| {
        let text = rig.gateway.must_get(&format!("/metrics?{query}"), &[ACCEPT_OPENMETRICS]).text();
        Exposition::parse(&text, Format::OpenMetrics)
            .unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let c = ask("name[]=c_created");
    let labels = [("a", "b"), ("instance", "")];
    assert!(c.value("c_created", &labels).is_some() && c.families.len() == 1, "{c:?}");
    let parts = ["shard=0&of=2", "shard=1&of=2"].map(ask);
    for name in ["c_created", "h_created", "s_created"] {
        let found: usize = parts.iter().map(|part| part.samples(name).count()).sum();
        assert_eq!(found, 1, "{name}");
    }
}

/// A returning total goes on, and so does its created time; over a restart too,
/// whichever way totals outlive the process.
#[test]
fn they_are_as_old_as_the_total() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ways = [
        ("Metrics__StateFile", folder.path().join("state").into_os_string()),
        ("Redis__Delivery", "exactly-once".into()),
    ];
    for (name, value) in ways {
        let redis = RedisServer::start();
        let builder = || GatewayBuilder::reading(&redis).set(ON.0, ON.1).set(name, value.clone());
        let first = builder().set("Shards__Count", "3").start();
        redis.push(&SAMPLES);
        first.scrape_after(7);
        let told = created(&first.scrape_openmetrics());
        assert!(told.iter().all(Option::is_some), "{told:?}");
        end(first);

        let second =
            builder().set("Shards__Count", "2").set("Metrics__SeriesTtlSeconds", "1").start();
        assert_eq!(created(&second.scrape_openmetrics()), told);
        wait_for("the series to leave", || {
            let seen = second.scrape_openmetrics();
            if created(&seen) == [None; 3] { Ok(()) } else { Err(format!("{seen:?}")) }
        });
        end(second);

        let third = builder().start();
        redis.push(&SAMPLES);
        third.scrape_after(7);
        let seen = third.scrape_openmetrics();
        assert_eq!(seen.value("c_total", &[("a", "b")]), Some(4.0));
        let [counter, histogram, summary] = created(&seen);
        assert_eq!([counter, histogram], [told[0], told[1]]);
        assert!(summary > told[2], "a summary begins anew");
        end(third);

        // What was stored without them comes back without them.
        let fourth = builder().set(ON.0, "false").start();
        redis.push(&SAMPLES);
        fourth.scrape_after(7);
        end(fourth);
        let fifth = builder().start();
        assert_eq!(created(&fifth.scrape_openmetrics()), [None; 3]);
    }
}

/// A total that fell to what the state file had may not say that it never did.
#[test]
fn what_comes_back_after_a_kill_has_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let redis = RedisServer::start();
    let builder = || {
        let file = folder.path().join("state");
        GatewayBuilder::reading(&redis).set(ON.0, ON.1).set("Metrics__StateFile", file)
    };
    let first = builder().start();
    redis.push(&SAMPLES);
    first.scrape_after(7);
    let told = created(&first.scrape_openmetrics());
    end(first);

    let mut second = builder().start();
    assert_eq!(created(&second.scrape_openmetrics()), told);
    redis.push(&SAMPLES);
    second.scrape_after(7);
    second.kill();

    let third = builder().start();
    redis.push(&[r#"{"name":"new_total","value":1}"#]);
    third.scrape_after(1);
    let seen = third.scrape_openmetrics();
    assert_eq!(seen.value("c_total", &[("a", "b")]), Some(2.0), "what was written last");
    assert_eq!(created(&seen), [None; 3]);
    let born = seen.value("new_created", &[]);
    assert!(born.is_some(), "what is born after it has one");
    end(third);

    let fourth = builder().start();
    let seen = fourth.scrape_openmetrics();
    assert_eq!((created(&seen), seen.value("new_created", &[])), ([None; 3], born));
}

#[test]
fn prometheus_takes_them() {
    Edition::each(|edition| {
        let mut rig = Rig::with(&[ON, ("Metrics__FirstIncrement", "exact")]);
        rig.send(&SAMPLES);
        let scrapes = json!({"scrape_configs": [job("gateway", rig.gateway.port(), "1s")]});
        let prometheus = Prometheus::with(edition, &scrapes);
        prometheus.wait_for_scrape();
        let seen = rig.gateway.scrape_openmetrics();
        for (name, labels) in TOLD {
            assert_eq!(prometheus.value(name), seen.value(name, labels), "{name}");
        }
        assert_eq!(prometheus.value("c_total"), Some(2.0));
        assert_eq!(prometheus.log(), [""; 0], "it finds nothing to warn of");
    });
}

fn end(mut gateway: Gateway) {
    gateway.signal("TERM");
    let status = gateway.wait_at_most(Duration::from_secs(30));
    assert_eq!(status.code(), Some(0), "{}", gateway.log().join("\n"));
}
