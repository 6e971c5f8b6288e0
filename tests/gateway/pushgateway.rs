//! The Pushgateway's door: what is pushed adds up, a body is taken as a whole or not
//! at all, and what is refused is told with the place.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use psg_testkit::embedded::Embedded;
use psg_testkit::http::{self, Reply};
use psg_testkit::{Exposition, Gateway, GatewayBuilder, RedisOptions, RedisServer, Rig, wait_for};

const OPEN: (&str, &str) = ("Push__Enabled", "true");
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROTOBUF: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// Four samples.
const TEXT: &str = r#"# HELP jobs_total Jobs done.
# TYPE jobs_total counter
jobs_total{queue="mail"} 3
# TYPE waiting gauge
waiting 7
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 2
took_seconds_bucket{le="1"} 3
took_seconds_bucket{le="+Inf"} 4
took_seconds_sum 6.5
took_seconds_count 4
# TYPE size_bytes summary
size_bytes{quantile="0.5"} 100
size_bytes_sum 600
size_bytes_count 6
"#;

fn push(gateway: &Gateway, path: &str, body: &str) -> Reply {
    push_as(gateway, ("POST", path), &[], body.as_bytes())
}

fn push_as(
    gateway: &Gateway,
    request: (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    http::push(gateway.port(), request, headers, body).expect("the gateway answers")
}

/// That it was taken, so many times.
fn is_added(seen: &Exposition, labels: &[(&str, &str)], times: f64) {
    let value = |name: &str, more: &[(&str, &str)]| seen.value(name, &[labels, more].concat());
    assert_eq!(value("jobs_total", &[("queue", "mail")]), Some(3.0 * times));
    assert_eq!(value("waiting", &[]), Some(7.0));
    for (le, count) in [("0.1", 2.0), ("1", 3.0), ("+Inf", 4.0)] {
        assert_eq!(value("took_seconds_bucket", &[("le", le)]), Some(count * times), "{le}");
    }
    assert_eq!(value("took_seconds_sum", &[]), Some(6.5 * times));
    assert_eq!(value("size_bytes_sum", &[]), Some(600.0 * times));
    assert_eq!(value("size_bytes_count", &[]), Some(6.0 * times));
    assert_eq!(value("size_bytes", &[("quantile", "0.5")]), None);
}

/// Whichever the queue: each on a Redis and on one of the gateway's own.
#[test]
fn what_is_pushed_adds_up() {
    let rig = Rig::with(&[OPEN]);
    let embedded = Embedded::with("embedded", &[OPEN]);
    for gateway in [&rig.gateway, &embedded.gateway] {
        let path = "/metrics/job/import/zone@base64/YS9i";
        for method in ["POST", "PUT"] {
            let reply = push_as(gateway, (method, path), &[], TEXT.as_bytes());
            let said = "left out: 1 quantiles, which can't be merged\n";
            assert_eq!((reply.status, reply.text().as_str()), (202, said));
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(TEXT.as_bytes()).expect("memory takes it");
        let gzip = gzip.finish().expect("memory takes it");
        let coding = [("Content-Encoding", "gzip")];
        assert_eq!(push_as(gateway, ("PUT", path), &coding, &gzip).status, 202);
        let seen = gateway.scrape_after(12);
        assert_eq!(seen.family("jobs_total").expect("it is there").help, "Jobs done.");
        is_added(&seen, &[("job", "import"), ("zone", "a/b")], 3.0);
        let door = [("door", "pushgateway")];
        let own = |name: &str, labels: &[(&str, &str)]| {
            seen.value(&format!("prom_stream_gateway_door_{name}"), &[&door, labels].concat())
        };
        assert_eq!(own("requests_total", &[]), Some(3.0));
        assert_eq!(own("samples_total", &[]), Some(12.0));
        assert_eq!(own("left_out_samples_total", &[("reason", "unmergeable")]), Some(3.0));
    }
}

#[test]
fn an_aggregation_gateways_paths_and_operations() {
    let rig = Rig::with(&[OPEN]);
    let gateway = &rig.gateway;
    for path in ["/metrics", "/metrics/", "/api/ui/metrics"] {
        assert_eq!(push(gateway, path, TEXT).status, 202, "{path}");
    }
    is_added(&gateway.scrape_after(12), &[], 3.0);
    for (op, value) in [("add", "2"), ("add", "-1"), ("max", "3"), ("min", "0.5")] {
        let path = format!("/metrics/job/a?gauge={op}");
        assert_eq!(push(gateway, &path, &format!("g_{op} {value}\n")).status, 202);
        let lower = format!("g_{op} 1\n");
        assert_eq!(push(gateway, &path, &lower).status, 202);
    }
    let seen = gateway.scrape_after(20);
    let value = |name: &str| seen.value(name, &[("job", "a")]);
    let all = (value("g_add"), value("g_max"), value("g_min"));
    assert_eq!(all, (Some(3.0), Some(3.0), Some(0.5)));
}

#[test]
fn a_body_is_taken_as_a_whole_or_not_at_all() {
    let rig = Rig::with(&[OPEN]);
    let gateway = &rig.gateway;
    let reply = push(gateway, "/metrics/job/a", &format!("{TEXT}jobs_total -1\n"));
    let told = "line 16: expected a counter of at least 0, got -1\n";
    assert_eq!((reply.status, reply.text().as_str()), (400, told));
    let reply = push(gateway, "/metrics/job/a", "a 1\na 1 1700000000000\n");
    let told = "line 2: pushed metrics must not have timestamps\n";
    assert_eq!((reply.status, reply.text().as_str()), (400, told));
    assert_eq!(push(gateway, "/metrics/job/a", TEXT).status, 202);
    let seen = gateway.scrape_after(4);
    is_added(&seen, &[("job", "a")], 1.0);
    let labels = [("door", "pushgateway"), ("reason", "malformed")];
    let refused = seen.value("prom_stream_gateway_door_refused_requests_total", &labels);
    assert_eq!(refused, Some(2.0));
}

#[test]
fn what_is_refused_is_told() {
    let rig = Rig::with(&[OPEN, ("Push__MaxBodyBytes", "1024")]);
    let gateway = &rig.gateway;
    let check = |reply: Reply, status: u16, words: &str| {
        let said = reply.text();
        assert!(said.contains(words), "{said}");
        assert_eq!(reply.status, status, "{said}");
    };
    check(push(gateway, "/metrics/job/a/instance/b", TEXT), 400, "?delta=true");
    check(push(gateway, "/metrics/job/a/b", TEXT), 400, "pairs of label and value");
    check(push(gateway, "/metrics/job/a?gague=add", TEXT), 400, "got gague");
    let gauges: String = (0..200).map(|i| format!("g{i} 1\n")).collect();
    check(push(gateway, "/metrics", &gauges), 413, "Push.MaxBodyBytes");
    let type_of = |content_type: &str, body: &str| {
        let headers = [("Content-Type", content_type)];
        push_as(gateway, ("POST", "/metrics"), &headers, body.as_bytes())
    };
    check(type_of("application/vnd.google.protobuf", ""), 400, "encoding=delimited");
    check(type_of(PROTOBUF, "a 1\n"), 400, "message 1: ");
    check(type_of(OPENMETRICS, "# EOF\na 1\n"), 400, "line 2: expected nothing behind # EOF");
    for path in ["/metrics/job/a", "/api/ui/metrics"] {
        check(gateway.delete(path), 405, "nothing is deleted by job");
        check(gateway.must_get(path, &[]), 405, "only POST and PUT");
    }
    check(gateway.delete("/metrics"), 405, "nothing is deleted by job");
    assert_eq!(push(gateway, "/metrics/job/a/instance/b?delta=true", "g 1\n").status, 202);
    let seen = gateway.scrape_after(1);
    assert_eq!(seen.value("g", &[("job", "a"), ("instance", "b")]), Some(1.0));

    let closed = Rig::start();
    check(push(&closed.gateway, "/metrics/job/a", TEXT), 403, "Push.Enabled is false");
    let door = closed.gateway.scrape();
    assert_eq!(door.sum("prom_stream_gateway_door_requests_total"), 0.0);
}

/// What a push may take in memory has room for it.
#[test]
fn a_body_as_large_as_one_may_be_is_taken() {
    let embedded = Embedded::with("embedded", &[OPEN]);
    let line = |i: usize| {
        format!(
            "rows{{table=\"orders\",shard=\"{i:05}\",of=\"a database somewhere\",zone=\"b\"}} {i}.5\n"
        )
    };
    let lines = (4 << 20) / line(10_000).len();
    let body: String = (0..lines).map(line).collect();
    let reply = push(&embedded.gateway, "/metrics/job/a", &body);
    assert_eq!(reply.status, 202, "{} bytes: {}", body.len(), reply.text());
    let seen = embedded.gateway.scrape_after(lines as u64);
    assert_eq!(seen.totals(), (lines as u64, 0));
}

/// Of all that one gateway prints, in each format, another one makes the same.
#[test]
fn what_a_gateway_prints_can_be_pushed() {
    let mut first = Rig::with(&[]);
    let shown = first.send(&[
        r#"{"name":"c_total","value":2.5,"help":"Text \\ \"quoted\"\n","labels":{"a":"\\\"\n"}}"#,
        r#"{"type":"gauge","name":"g","value":-1e300,"labels":{"a":"é"}}"#,
        r#"{"type":"histogram","name":"h","values":[0.1,1,7],"buckets":[0.5,1]}"#,
        r#"{"type":"histogram","name":"n","values":[0.1,1,7],"factor":1.1}"#,
        r#"{"type":"summary","name":"s","values":[1,2],"quantiles":[0.5],"epsilons":[0.1]}"#,
    ]);
    let is_kept = |line: &String| !line.contains("quantile=");
    let lines = |seen: &Exposition| -> Vec<String> {
        let lines = seen.produced().into_values().flatten();
        lines.filter(is_kept).collect()
    };
    for content_type in ["text/plain; version=0.0.4", OPENMETRICS, PROTOBUF] {
        let page = first.gateway.must_get(
            "/metrics?name[]=c_total&name[]=g&name[]=h_count\
            &name[]=h_sum&name[]=h_bucket&name[]=n_count&name[]=s_sum",
            &[("Accept", content_type)],
        );
        let second = Rig::with(&[OPEN]);
        let headers = [("Content-Type", content_type)];
        let reply = push_as(&second.gateway, ("POST", "/metrics"), &headers, &page.body);
        assert_eq!(reply.status, 202, "{content_type}: {}", reply.text());
        let seen = second.gateway.scrape_after(5);
        assert_eq!(lines(&seen), lines(&shown), "{content_type}");
    }
}

fn owner_of(redis: &RedisServer) -> GatewayBuilder {
    GatewayBuilder::reading(redis)
        .set("Redis__Delivery", "exactly-once")
        .set("Redis__LeaseSeconds", "1")
        .set(OPEN.0, OPEN.1)
}

/// A standby's door leads to the queue of its owner, and a kill changes nothing.
#[test]
fn pushes_count_once_over_a_kill_under_exactly_once_delivery() {
    let redis = RedisServer::with(RedisOptions { persistent: true, ..Default::default() });
    let mut owner = owner_of(&redis).start();
    let standby = owner_of(&redis).start_unready();
    for gateway in [&owner, &standby] {
        assert_eq!(push(gateway, "/metrics/job/a", TEXT).status, 202);
    }
    owner.kill();
    assert_eq!(push(&standby, "/metrics/job/a", TEXT).status, 202);
    let jobs = |gateway: &Gateway| {
        let seen = gateway.try_scrape()?;
        let found = seen.value("jobs_total", &[("job", "a"), ("queue", "mail")]);
        if found == Some(9.0) { Ok(seen) } else { Err(format!("{found:?}")) }
    };
    let seen = wait_for("all pushes to show", || jobs(&standby));
    is_added(&seen, &[("job", "a")], 3.0);
}
