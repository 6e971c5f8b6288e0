//! Configuration: where settings come from, which one wins, and how a bad one
//! is refused.

use std::ffi::OsString;
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStringExt;

use psg_testkit::{Exposition, Finished, Gateway, GatewayBuilder, wait_for};

const BAD_CONFIGURATION: i32 = 78;

#[test]
fn each_bad_value_is_refused_by_its_name() {
    let cases = [
        ("Redis__MetricQueueWorkers", "0"),
        ("Redis__MetricQueueWorkers", "-1"),
        ("Redis__MetricQueueWorkers", "many"),
        ("Redis__MetricQueueWorkers", "1.5"),
        ("Redis__MetricQueueDatabase", "-2"),
        ("Redis__MetricQueueDatabase", "zero"),
        ("Redis__MetricQueuePopCount", "0"),
        ("Redis__MaxBytesInFlight", "plenty"),
        ("Redis__Delivery", "twice"),
        ("Redis__CheckpointIntervalSeconds", "0"),
        ("Redis__LeaseSeconds", "0.5"),
        ("Metrics__SortIncomingLabels", "maybe"),
        ("Metrics__DisableMetaMetrics", "2"),
        ("Metrics__SummaryMaxAgeSeconds", "0"),
        ("Metrics__SummaryAgeBuckets", "0"),
        ("Metrics__SummaryEstimator", "guess"),
        ("Metrics__MaxSeries", "-5"),
        ("Metrics__OnSeriesLimit", "explode"),
        ("Metrics__MaxLabels", "x"),
        ("Metrics__DefaultBuckets", "1,0.5"),
        ("Metrics__HistogramBuckets", "*_seconds"),
        ("Metrics__HistogramBuckets", "*_seconds:1;*_bytes:2,1"),
        ("Shards__Count", "0"),
        ("Shards__InboxCapacity", "0"),
        ("Http__ListenAddress", "nowhere"),
        ("Http__ListenAddress", "127.0.0.1:99999"),
        ("Log__Format", "xml"),
        ("Log__Level", "loud"),
        ("Redis__ConnectionString", "localhost:99999"),
        ("Redis__ConnectionString", "localhost:6379,bogusOption=1"),
        ("Redis__ConnectionString", "redis://localhost:port"),
        ("ASPNETCORE_HTTP_PORTS", "http"),
    ];
    for (name, value) in cases {
        let mut builder = GatewayBuilder::connecting("127.0.0.1:1").set(name, value);
        if name.starts_with("ASPNETCORE") {
            builder = builder.unset("Http__ListenAddress");
        }
        let finished = builder.finish();
        refused(&finished, &format!("{name}={value}"));
        assert!(finished.output().contains(name), "{name}={value}: {}", finished.output());
    }
}

#[test]
fn all_problems_are_named_at_once_as_they_were_set() {
    let finished = GatewayBuilder::connecting("127.0.0.1:1,frobnicate=1")
        .set("REDIS__METRICQUEUEWORKERS", "several")
        .set("Shards__Count", "none")
        .file("appsettings.json", r#"{"Metrics":{"MaxSeries":"lots"},"Log":{"Level":"loud"}}"#)
        .finish();
    refused(&finished, "four problems");
    let output = finished.output();
    for expected in [
        "Redis__ConnectionString",
        "frobnicate",
        "several",
        "Shards__Count",
        "none",
        "Metrics.MaxSeries",
        "lots",
        "Log.Level",
        "loud",
    ] {
        assert!(output.contains(expected), "{expected} is not in:\n{output}");
    }
    assert!(output.to_lowercase().contains("redis__metricqueueworkers"), "{output}");
}

#[test]
fn no_secret_is_shown() {
    for connection in [
        "localhost:6379,user=me,password=hunter2,bogus=1",
        "localhost:99999,password=hunter2",
        "localhost:6379,passwort=hunter2",
        "redis://me:hunter2@localhost:port/0",
        "redis://:hunter2@localhost:6379/database",
        "rediss://:hunter2@/0?bogus=1",
    ] {
        let finished = GatewayBuilder::connecting(connection).finish();
        refused(&finished, connection);
        assert!(!finished.output().contains("hunter2"), "{}", finished.output());
    }
}

#[test]
fn a_variable_that_is_not_unicode_does_not_panic() {
    let value = OsString::from_vec(vec![b'1', 0xff]);
    let finished =
        GatewayBuilder::connecting("127.0.0.1:1").set("Shards__Count", value.clone()).finish();
    refused(&finished, "Shards__Count that is not Unicode");
    let gateway = GatewayBuilder::connecting("127.0.0.1:1").set("UNRELATED", value).start_unready();
    assert_eq!(gateway.must_get("/-/healthy", &[]).status, 200);
}

#[test]
fn an_unknown_key_is_a_warning() {
    let gateway = GatewayBuilder::connecting("127.0.0.1:1")
        .set("Redis__MetricQueueWrokers", "9")
        .file("appsettings.json", r#"{"Metrics":{"Colour":"red"},"AllowedHosts":"*"}"#)
        .start_unready();
    wait_for("both unknown keys in the log", || {
        let log = gateway.log().join("\n");
        let both = log.contains("MetricQueueWrokers") && log.contains("Colour");
        if both { Ok(()) } else { Err(log) }
    });
    assert!(!gateway.log().join("\n").contains("AllowedHosts"), "another section is no mistake");
}

#[test]
fn the_file_in_the_working_directory_is_read() {
    let file = r#"{
        // As the reference's own file has it.
        "Logging": { "LogLevel": { "Default": "Information", "Microsoft.AspNetCore": "Warning" } },
        "AllowedHosts": "*",
        /* In any letter case. */
        "redis": { "metricQUEUEkey": "from-file", "MetricQueueWorkers": 3 },
        "Metrics": { "SortIncomingLabels": true }
    }"#;
    let gateway = down_and_out().file("appsettings.json", file).start_unready();
    assert_eq!(queue_and_workers(&gateway.scrape()), ("from-file".into(), 3));
}

#[test]
fn the_file_of_the_dotnet_environment_is_read_over_it() {
    let gateway = || {
        down_and_out()
            .file("appsettings.json", r#"{"Redis":{"MetricQueueKey":"a","MetricQueueWorkers":3}}"#)
            .file("appsettings.Production.json", r#"{"redis":{"metricQueueKey":"b"}}"#)
            .file("appsettings.Staging.json", r#"{"Redis":{"MetricQueueKey":"c"}}"#)
    };
    let seen = |gateway: GatewayBuilder| queue_and_workers(&gateway.start_unready().scrape());
    assert_eq!(seen(gateway()), ("b".into(), 3));
    assert_eq!(seen(gateway().set("ASPNETCORE_ENVIRONMENT", "Staging")), ("c".into(), 3));
    assert_eq!(seen(gateway().set("DOTNET_ENVIRONMENT", "Development")), ("a".into(), 3));
    let bad = down_and_out().file("appsettings.Production.json", "{").finish();
    refused(&bad, "a bad file of the environment");
    assert!(bad.output().contains("appsettings.Production.json"), "{}", bad.output());
}

#[test]
fn settings_in_a_form_that_is_not_read_are_warned_of() {
    let file = r#"{"Redis": "redis.internal:6379,password=hunter2", "Urls": "http://+:1",
        "Kestrel": {"Endpoints": {"Http": {"Url": "http://+:1"}}}}"#;
    let finished = GatewayBuilder::bare()
        .file("appsettings.json", file)
        .set("Redis_ConnectionString", "elsewhere,password=hunter2")
        .set("HTTP_LISTEN_ADDRESS", ":1")
        .set("Metrics__MaxSereis", "1")
        .set("HTTP_PORTS", "1")
        .arguments(&["check-config"])
        .finish();
    assert_eq!(finished.code(), 0, "{}", finished.output());
    let output = finished.output();
    for expected in [
        "Redis_ConnectionString (environment) is not a known setting, it is ignored: expected \
         Redis__ConnectionString",
        "HTTP_LISTEN_ADDRESS (environment) is not a known setting, it is ignored: expected \
         Http__ListenAddress",
        "Metrics__MaxSereis (environment) is not a known setting, it is ignored: expected \
         Metrics__MaxSeries",
        "Redis (file) is ignored: expected a section with settings such as Redis.ConnectionString",
        "HTTP_PORTS (environment) has no effect: set Http.ListenAddress",
        "Urls (file) has no effect",
        "Kestrel.Endpoints.Http.Url (file) has no effect",
    ] {
        assert!(output.contains(expected), "{expected} is not in {output}");
    }
    assert!(!output.contains("hunter2") && !output.contains('`'), "{output}");
}

#[test]
fn another_file_can_be_named() {
    let file = r#"{"Redis":{"MetricQueueKey":"from-other"}}"#;
    let gateway = down_and_out()
        .file("appsettings.json", r#"{"Redis":{"MetricQueueKey":"from-file"}}"#)
        .file("other.json", file)
        .arguments(&["--config", "other.json"])
        .start_unready();
    assert_eq!(queue_and_workers(&gateway.scrape()).0, "from-other");
}

#[test]
fn the_environment_wins_over_the_file() {
    let gateway = down_and_out()
        .file("appsettings.json", r#"{"Redis":{"MetricQueueKey":"file","MetricQueueWorkers":5}}"#)
        .set("REDIS__metricqueuekey", "environment")
        .start_unready();
    assert_eq!(queue_and_workers(&gateway.scrape()), ("environment".into(), 5));
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let broken = down_and_out().file("appsettings.json", "{ \"Redis\": ").finish();
    refused(&broken, "a broken file");
    assert!(broken.output().contains("appsettings.json"), "{}", broken.output());

    let no_object = down_and_out().file("appsettings.json", "[1]").finish();
    refused(&no_object, "a file without settings");

    let absent = down_and_out().arguments(&["--config", "absent.json"]).finish();
    refused(&absent, "an absent file");
    assert!(absent.output().contains("absent.json"), "{}", absent.output());
}

#[test]
fn the_variables_of_the_reference_image_set_the_port() {
    let builder = down_and_out().unset("Http__ListenAddress");
    let port = builder.port().to_string();
    builder.set("ASPNETCORE_HTTP_PORTS", port).start_unready();

    for host in ["127.0.0.1", "+", "*"] {
        let builder = down_and_out().unset("Http__ListenAddress");
        let url = format!("http://{host}:{}", builder.port());
        builder.set("ASPNETCORE_URLS", url).start_unready();
    }
    down_and_out().set("ASPNETCORE_HTTP_PORTS", "1").start_unready();
}

/// As probes ask on a cluster that has IPv6 alone.
#[test]
fn all_addresses_are_those_of_ipv6_too() {
    let gateway = |name: &str, value: &dyn Fn(u16) -> String| {
        let builder = down_and_out().unset("Http__ListenAddress");
        let value = value(builder.port());
        let gateway = builder.set(name, value).start_unready();
        reached_by_both(gateway.port());
    };
    gateway("Http__ListenAddress", &|port| format!(":{port}"));
    gateway("Http__ListenAddress", &|port| format!("*:{port}"));
    gateway("ASPNETCORE_URLS", &|port| format!("http://+:{port}"));
    gateway("ASPNETCORE_HTTP_PORTS", &|port| port.to_string());
    let queue = psg_testkit::process::free_port();
    let _gateway = GatewayBuilder::connecting("embedded,user=u,password=p")
        .set("Embedded__ListenAddress", format!(":{queue}"))
        .start();
    reached_by_both(queue);
}

#[track_caller]
fn reached_by_both(port: u16) {
    TcpStream::connect(("127.0.0.1", port)).expect("by IPv4");
    // Not every machine has IPv6.
    if TcpListener::bind("[::1]:0").is_ok() {
        TcpStream::connect(("::1", port)).expect("by IPv6");
    }
}

#[test]
fn a_port_that_is_taken_is_told_with_its_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    for (setting, connection) in
        [("Http.ListenAddress", "127.0.0.1:1"), ("Embedded.ListenAddress", "embedded")]
    {
        let builder = GatewayBuilder::connecting(connection);
        let finished = builder.set(&setting.replace('.', "__"), address.clone()).finish();
        assert_eq!(finished.code(), 1, "{}", finished.output());
        let expected = format!("{setting} {address}: Address already in use");
        assert!(finished.output().contains(&expected), "{}", finished.output());
    }
}

#[test]
fn booleans_and_log_levels_in_any_letter_case() {
    let gateway = down_and_out()
        .set("Metrics__DisableMetaMetrics", "TRUE")
        .set("Logging__LogLevel__Default", "Debug")
        .start_unready();
    assert_eq!(gateway.scrape().families.len(), 1);
}

/// A gateway whose Redis is not there.
fn down_and_out() -> GatewayBuilder {
    GatewayBuilder::connecting("127.0.0.1:1")
}

fn queue_and_workers(seen: &Exposition) -> (String, usize) {
    let mut processed: Vec<_> =
        seen.samples("prom_stream_gateway_processed_metrics_total").collect();
    let queue = processed.pop().expect("it is there from the start");
    (queue.label("queueKey").expect("it has one").to_owned(), processed.len() + 1)
}

fn refused(finished: &Finished, what: &str) {
    let output = finished.output();
    assert_eq!(finished.status.code(), Some(BAD_CONFIGURATION), "{what}: {output}");
    assert!(!output.contains("panicked"), "{what}: {output}");
}

#[test]
fn a_port_in_use_ends_with_an_error() {
    let first: Gateway = down_and_out().start_unready();
    let address = format!("127.0.0.1:{}", first.port());
    let second = down_and_out().set("Http__ListenAddress", address.clone()).finish();
    assert_eq!(second.code(), 1, "{}", second.output());
    assert!(second.output().contains(&address), "{}", second.output());
    assert!(!second.output().contains("panicked"), "{}", second.output());
}
