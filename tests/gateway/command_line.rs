//! The command line: help, and the subcommands.

use psg_testkit::{Finished, Gateway, GatewayBuilder, RedisServer};

const SETTINGS: &[&str] = &[
    "Redis.ConnectionString",
    "Redis.MetricQueueWorkers",
    "Redis.MetricQueueDatabase",
    "Redis.MetricQueueKey",
    "Redis.MetricQueuePopCount",
    "Redis.MaxBytesInFlight",
    "Redis.Delivery",
    "Redis.CheckpointIntervalSeconds",
    "Redis.LeaseSeconds",
    "Redis.DeadLetterKey",
    "Redis.DeadLetterMaxLength",
    "Redis.DeadLetterMaxBytes",
    "Metrics.SortIncomingLabels",
    "Metrics.DisableMetaMetrics",
    "Metrics.SummaryMaxAgeSeconds",
    "Metrics.SummaryAgeBuckets",
    "Metrics.SummaryEstimator",
    "Metrics.SeriesTtlSeconds",
    "Metrics.GaugeTtlSeconds",
    "Metrics.TombstoneTtlSeconds",
    "Metrics.MaxTombstones",
    "Metrics.ReaderCacheSeries",
    "Metrics.StateFile",
    "Metrics.MaxSeries",
    "Metrics.MaxSeriesPerMetric",
    "Metrics.MaxSeriesBytes",
    "Metrics.OnSeriesLimit",
    "Metrics.AllowReservedNames",
    "Metrics.DropLabels",
    "Metrics.AppendUnits",
    "Metrics.Exemplars",
    "Metrics.MaxExemplars",
    "Metrics.DefaultBuckets",
    "Metrics.HistogramBuckets",
    "Metrics.NativeHistograms",
    "Metrics.NativeHistogramNames",
    "Metrics.NativeHistogramFactor",
    "Metrics.NativeHistogramMaxBuckets",
    "Metrics.NativeHistogramMinResetSeconds",
    "Metrics.NativeHistogramMaxZeroThreshold",
    "Metrics.MaxLabels",
    "Metrics.MaxLabelValueBytes",
    "Metrics.MaxNameBytes",
    "Metrics.MaxHelpBytes",
    "Metrics.MaxBuckets",
    "Metrics.MaxQuantiles",
    "Metrics.MaxPayloadBytes",
    "Shards.Count",
    "Shards.InboxCapacity",
    "Http.ListenAddress",
    "Http.EnableAdmin",
    "Embedded.ListenAddress",
    "Embedded.MaxQueueBytes",
    "Embedded.PushTimeoutMs",
    "Embedded.AllowUnauthenticated",
    "Embedded.MaxConnections",
    "Embedded.IdleTimeoutSeconds",
    "Embedded.TlsCertificateFile",
    "Embedded.TlsKeyFile",
    "Http.ExposePayloads",
    "Log.Format",
    "Log.Level",
    "ASPNETCORE_URLS",
    "ASPNETCORE_HTTP_PORTS",
];

#[test]
fn help_lists_every_setting() {
    let finished = run(&["--help"]);
    assert_eq!(finished.code(), 0, "{}", finished.output());
    let output = finished.output().replace("__", ".");
    for setting in SETTINGS {
        assert!(output.contains(setting), "{setting} is not in:\n{output}");
    }
    for command in ["check-config", "healthcheck", "lint", "load", "demo", "top"] {
        let listed = output.lines().any(|line| line.split_whitespace().next() == Some(command));
        assert!(listed, "{command} is not in:\n{output}");
    }
}

#[test]
fn the_version_is_told() {
    let finished = run(&["--version"]);
    assert_eq!(finished.code(), 0);
    assert!(finished.output().contains(env!("CARGO_PKG_VERSION")), "{}", finished.output());
}

#[test]
fn an_unknown_argument_is_refused() {
    let finished = run(&["--frobnicate"]);
    assert_ne!(finished.code(), 0);
    assert!(finished.output().contains("--frobnicate"), "{}", finished.output());
}

#[test]
fn check_config_judges_without_starting() {
    let good = run(&["check-config"]);
    assert_eq!(good.code(), 0, "{}", good.output());

    let bad = GatewayBuilder::bare()
        .set("Shards__Count", "none")
        .set("Redis__ConnectionString", "localhost,bogus=1,password=hunter2")
        .arguments(&["check-config"])
        .finish();
    assert_eq!(bad.code(), 78, "{}", bad.output());
    assert!(bad.output().contains("Shards__Count"), "{}", bad.output());
    assert!(bad.output().contains("bogus"), "{}", bad.output());
    assert!(!bad.output().contains("hunter2"), "{}", bad.output());
}

#[test]
fn check_config_shows_no_secret() {
    let finished = GatewayBuilder::bare()
        .set("Redis__ConnectionString", "localhost,user=me,password=hunter2")
        .arguments(&["check-config"])
        .finish();
    assert_eq!(finished.code(), 0, "{}", finished.output());
    assert!(!finished.output().contains("hunter2"), "{}", finished.output());
}

#[test]
fn healthcheck_tells_by_its_status() {
    let gateway: Gateway = GatewayBuilder::connecting("127.0.0.1:1").start_unready();
    let address = format!("127.0.0.1:{}", gateway.port());
    let check = |address: &str| {
        let builder = GatewayBuilder::bare().set("Http__ListenAddress", address);
        builder.arguments(&["healthcheck"]).finish()
    };
    let healthy = check(&address);
    assert_eq!(healthy.code(), 0, "{}", healthy.output());
    drop(gateway);
    let gone = check(&address);
    assert_eq!(gone.code(), 1, "{}", gone.output());
}

#[test]
fn healthcheck_finds_a_gateway_that_listens_on_all_addresses() {
    let builder = GatewayBuilder::connecting("127.0.0.1:1");
    let address = format!("0.0.0.0:{}", builder.port());
    let _gateway = builder.set("Http__ListenAddress", address.clone()).start_unready();
    let check = GatewayBuilder::bare().set("Http__ListenAddress", address);
    let finished = check.arguments(&["healthcheck"]).finish();
    assert_eq!(finished.code(), 0, "{}", finished.output());
}

#[test]
fn load_pushes_samples_that_show() {
    let redis = RedisServer::start();
    let gateway = GatewayBuilder::reading(&redis).start();
    let load = |more: &[&str]| {
        let address = redis.address();
        let arguments = ["load", "--count", "2000", "--rate", "0", "--redis", &address];
        let finished = run(&[&arguments, more].concat());
        assert_eq!(finished.code(), 0, "{}", finished.output());
    };
    load(&[]);
    let seen = gateway.scrape_after(2000);
    assert_eq!(seen.totals(), (2000, 0));
    assert!(!seen.produced().is_empty());
    let mix = "add=1,max=1,min=1,anyscript=1,duration=1,exemplar=1,values=1,whole=1,native=1,wholenative=1";
    load(&["--mix", mix, "--series", "40"]);
    let seen = gateway.scrape_after(4000);
    assert_eq!(seen.totals(), (4000, 0));
    let observations: f64 =
        seen.produced().keys().map(|name| seen.sum(&format!("{name}_count"))).sum();
    let any_script = seen.produced().keys().filter(|name| name.starts_with("test_gr__e_")).count();
    assert!(any_script > 0, "names of any script, as this scraper sees them");
    // Three of ten samples have twenty each; the rest is chance.
    assert!(observations > 10_000.0, "{observations} are fewer than were sent");
}

fn run(arguments: &[&str]) -> Finished {
    GatewayBuilder::bare().arguments(arguments).finish()
}

#[test]
fn a_command_line_that_cannot_be_read_ends_with_1() {
    for wrong in [&["--nonsense"][..], &["chek"], &["top", "--seconds", "soon"]] {
        let finished = GatewayBuilder::bare().arguments(wrong).finish();
        assert_eq!(finished.code(), 1, "{wrong:?}: {}", finished.output());
    }
}
