//! Both stages together: what is set comes out, and what is wrong is named.

mod embedded;
mod redis;
mod secrets;

use std::net::SocketAddr;

use proptest::prelude::*;
use psg_actors::settings::Endpoint;
use psg_engine::catalog::CatalogSettings;
use psg_engine::limits::PayloadLimits;
use psg_engine::metric::native::NativeSettings;
use psg_engine::metric::summary::{Estimator, SummarySettings};

use super::settings::{REDIS_TLS_CA_FILE, SETTINGS};
use super::*;

/// Configures from `NAME=value` lines and the text of a file.
fn outcome(environment: &[&str], json: &str) -> ConfigOutcome {
    let variables = environment.iter().map(|line| {
        let (name, value) = line.split_once('=').expect("NAME=value");
        (OsString::from(name), OsString::from(value))
    });
    configure(variables, file::parse(Path::new("f.json"), json))
}

#[track_caller]
fn config(environment: &[&str], json: &str) -> Config {
    outcome(environment, json).config.expect("a sound configuration")
}

/// All that is wrong with an environment.
#[track_caller]
fn check_problems(environment: &[&str], json: &str, expected: &[&str]) {
    let problems = outcome(environment, json).config.err().unwrap_or_default();
    let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(problems, expected);
}

#[test]
fn defaults_are_those_of_the_engine() {
    let Config { gateway, log } = config(&[], "{}");
    assert_eq!(gateway.pipeline.intake.payload, PayloadLimits::default());
    let CatalogSettings { limits, summary, native, allow_reserved_names } =
        gateway.pipeline.catalog;
    assert_eq!((limits.max_series, limits.max_series_per_metric), (1_000_000, 100_000));
    assert_eq!((summary, allow_reserved_names), (SummarySettings::default(), false));
    assert_eq!(native, NativeSettings::default());
    assert_eq!(native, gateway.pipeline.intake.native);
    assert!(gateway.pipeline.intake.sort_labels && !gateway.pipeline.scrape.disable_meta_metrics);
    assert_eq!(gateway.pipeline.queue.redis.endpoints, [Endpoint::Tcp("localhost".into(), 6379)]);
    assert_eq!(gateway.pipeline.queue.key, "prom-stream-gateway:metric-queue");
    assert_eq!((gateway.pipeline.queue.workers, gateway.pipeline.queue.pop_count), (2, None));
    assert_eq!(gateway.pipeline.queue.max_bytes_in_flight, 2 << 20);
    assert!((1..=4).contains(&gateway.pipeline.shards.count));
    assert_eq!(gateway.pipeline.shards.inbox_capacity, 128);
    assert_eq!(gateway.http.listen, [SocketAddr::from(([0; 8], 9091))]);
    assert_eq!(log, LogSettings { format: None, level: LevelFilter::INFO });
}

/// Each built setting with another value than its default.
const EFFECTIVE: &[&str] = &[
    "Redis__ConnectionString=b",
    "Redis__MetricQueueWorkers=3",
    "Redis__MetricQueueDatabase=4",
    "Redis__MetricQueueKey=other",
    "Redis__MetricQueuePopCount=7",
    "Redis__MaxBytesInFlight=1MiB",
    "Redis__DeadLetterKey=dead",
    "Redis__DeadLetterMaxLength=8",
    "Redis__DeadLetterMaxBytes=9 KiB",
    "Metrics__SortIncomingLabels=FALSE",
    "Metrics__DisableMetaMetrics=True",
    "Metrics__SummaryMaxAgeSeconds=61",
    "Metrics__SummaryAgeBuckets=6",
    "Metrics__TombstoneTtlSeconds=24",
    "Metrics__MaxTombstones=25",
    "Metrics__ReaderCacheSeries=9",
    "Metrics__MaxSeries=11",
    "Metrics__MaxSeriesPerMetric=12",
    "Metrics__DropLabels=request_id",
    "Metrics__Names=legacy",
    "Metrics__DefaultBuckets=0.1,1",
    "Metrics__HistogramBuckets=*_seconds:0.1,1",
    "Metrics__NativeHistograms=Both",
    "Metrics__NativeHistogramNames=*_seconds",
    "Metrics__NativeHistogramFactor=1.01",
    "Metrics__NativeHistogramMaxBuckets=100",
    "Metrics__NativeHistogramMinResetSeconds=31",
    "Metrics__NativeHistogramMaxZeroThreshold=0.5",
    "Metrics__SeriesTtlSeconds=22",
    "Metrics__GaugeTtlSeconds=23",
    "Metrics__MaxLabels=13",
    "Metrics__MaxLabelValueBytes=14",
    "Metrics__MaxNameBytes=15",
    "Metrics__MaxHelpBytes=1 KiB",
    "Metrics__MaxBuckets=17",
    "Metrics__MaxQuantiles=18",
    "Metrics__MaxValues=30",
    "Metrics__MaxPayloadBytes=19",
    "Shards__Count=20",
    "Shards__InboxCapacity=21",
    "Http__ListenAddress=:1",
    "Http__ExposePayloads=true",
    "Http__EnableAdmin=true",
    "Http__MaxConnections=26",
    "Http__MaxUnsentBytes=28 MiB",
    "Http__AllowedHosts=gateway.example.com",
    "Metrics__OnSeriesLimit=overflow",
    "Metrics__MaxSeriesBytes=27 MiB",
    "Metrics__AllowReservedNames=true",
    "Metrics__StateFile=state",
    "Log__Format=json",
    "Log__Level=debug",
    "Metrics__EmptyInstance=true",
    "Metrics__CreatedTimestamps=true",
    "Metrics__AppendUnits=true",
    "Metrics__Exemplars=true",
    "Metrics__FirstIncrement=exact",
    "Http__ShutdownLingerSeconds=22",
    "Statsd__ListenAddress=udp://127.0.0.1:8125",
    "Otlp__Names=utf8",
    "Otlp__ResourceAttributes=host.name",
];

/// The same of those that need others, which come before them.
const EFFECTIVE_BESIDE: &[(&[&str], &[&str])] = &[
    (
        &["Redis__ConnectionString=embedded"],
        &[
            "Embedded__ListenAddress=unix:/a",
            "Embedded__MaxQueueBytes=2 KiB",
            "Embedded__MaxClientBytes=2 MiB",
            "Embedded__PushTimeoutMs=3",
            "Embedded__MaxConnections=4",
            "Embedded__IdleTimeoutSeconds=5",
        ],
    ),
    (&["Metrics__StateFile=state"], &["Metrics__StateFileIntervalSeconds=8"]),
    (&["Metrics__Exemplars=true"], &["Metrics__MaxExemplars=29"]),
    (
        &["Redis__Delivery=exactly-once"],
        &[
            "Redis__CheckpointIntervalSeconds=6",
            "Redis__LeaseSeconds=7",
            "Shards__Count=4",
            "Redis__MetricQueuePartitions=3",
        ],
    ),
    (
        &["Redis__Delivery=exactly-once", "Redis__MetricQueuePartitions=2"],
        &["Redis__PartitionFlushMs=70"],
    ),
    (&["Http__ListenAddress=localhost:9091"], &["Push__Enabled=true"]),
    (
        &["Http__ListenAddress=localhost:9091", "Push__Enabled=true"],
        &["Push__MaxBodyBytes=2 MiB", "Push__MaxMemoryBytes=80 MiB"],
    ),
    (&["Statsd__ListenAddress=unix:///a"], &["Statsd__Buckets=1,2"]),
];

/// What other tests look at.
const EFFECTIVE_ELSEWHERE: &[&str] = &[
    "Metrics.SummaryEstimator",
    REDIS_TLS_CA_FILE.name,
    "Redis.TlsCertificateFile",
    "Redis.TlsKeyFile",
    "Redis.TrustRedirects",
    "Redis.PasswordFile",
    "Embedded.AllowUnauthenticated",
    "Embedded.TlsCertificateFile",
    "Embedded.TlsKeyFile",
    "Http.ConfigFile",
    "Http.ExemptHealthEndpoints",
    "Push.AllowUnauthenticated",
    "Statsd.AllowUnauthenticated",
];

#[test]
fn every_built_setting_has_its_effect() {
    let alone = EFFECTIVE.iter().map(|line| (&[][..], line));
    let beside = EFFECTIVE_BESIDE
        .iter()
        .flat_map(|(others, lines)| lines.iter().map(move |line| (*others, line)));
    let mut seen = vec![format!("{:?}", config(&[], "{}"))];
    for (others, line) in alone.chain(beside) {
        let printed = format!("{:?}", config(&[others, &[line]].concat(), "{}"));
        assert!(!seen.contains(&printed), "{line} has no effect");
        seen.push(printed);
    }
    let checked = seen.len() - 1 + EFFECTIVE_ELSEWHERE.len();
    assert_eq!(checked, SETTINGS.len(), "a setting is missing here");
}

#[test]
fn pushes_from_elsewhere_are_of_known_clients_unless_all_may() {
    let expected = "Push__Enabled: expected a loopback address as Http.ListenAddress, or a \
                    password or client certificates in Http.ConfigFile, or \
                    Push.AllowUnauthenticated=true, got [::]:9091";
    check_problems(&["Push__Enabled=true"], "{}", &[expected]);
    let open = config(&["Push__Enabled=true", "Push__AllowUnauthenticated=true"], "{}");
    assert_eq!(open.gateway.http.push.map(|push| push.needs_login), Some(false));
}

/// By at-most-once delivery, each gateway would get a part of the samples.
#[test]
fn partitions_need_exactly_once_delivery() {
    const THREE: &str = "Redis__MetricQueuePartitions=3";
    let expected = "Redis__MetricQueuePartitions: expected 1, or Redis.Delivery=exactly-once";
    check_problems(&[THREE], "{}", &[expected]);
    let expected = "Redis__MetricQueuePartitions: expected 1 with the embedded queue, whose samples \
                    one gateway has";
    check_problems(&[THREE, "Redis__ConnectionString=embedded"], "{}", &[expected]);
    let partitions = |line| config(&["Redis__Delivery=exactly-once", line], "{}");
    let settings = partitions(THREE).gateway.pipeline.queue.partitions.map(|it| it.count.get());
    assert_eq!(settings, Some(3));
    let one = partitions("Redis__MetricQueuePartitions=1").gateway.pipeline.queue.partitions;
    assert_eq!(one, None);
}

#[test]
fn dead_letters_have_a_key_of_their_own() {
    let check = |queue: &str, key: &str, expected: Option<&str>| {
        let (queue, key_line) =
            (format!("Redis__MetricQueueKey={queue}"), format!("Redis__DeadLetterKey={key}"));
        let problems = outcome(&[&queue, &key_line], "{}").config.err().unwrap_or_default();
        let expected =
            expected.map(|what| format!("Redis__DeadLetterKey: expected {what}, got {key:?}"));
        let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(problems, expected.into_iter().collect::<Vec<_>>(), "{queue} {key}");
    };
    check("q", "q:dead", None);
    check("q", "{q}dead", None);
    check("q", "q", Some("another key than the queue's"));
    check("{a}:size", "a", Some("another key than the queue's"));
    check("q", "{q}:dead", Some("a key outside the gateway's own, which begin with {q}:"));
    check("{a}q", "{a}q:dead", Some("a key outside the gateway's own, which begin with {a}q:"));
}

#[test]
fn buckets_by_the_operator_keep_the_limit_on_buckets() {
    let problems = |line: &str| -> Vec<String> {
        let outcome = outcome(&["Metrics__MaxBuckets=2", line], "{}");
        outcome.config.err().unwrap_or_default().iter().map(Problem::to_string).collect()
    };
    assert_eq!(problems("Metrics__DefaultBuckets=1,2,+Inf"), [""; 0]);
    let too_many = "expected at most 2 buckets, as Metrics.MaxBuckets says, got \"3\"";
    for line in ["Metrics__DefaultBuckets=1,2,3", "Metrics__HistogramBuckets=a:1;b:1,2,3"] {
        let name = line.split('=').next().expect("a name");
        assert_eq!(problems(line), [format!("{name}: {too_many}")]);
    }
    let increasing = "upper bounds that strictly increase, separated by commas, such as 0.1,0.5,1";
    let expected = format!("Metrics__DefaultBuckets: expected {increasing}, got \"2,1\"");
    assert_eq!(problems("Metrics__DefaultBuckets=2,1"), [expected]);
}

#[test]
fn both_estimators_can_be_chosen() {
    let estimator = |line| config(&[line], "{}").gateway.pipeline.catalog.summary.estimator;
    let biased = estimator("Metrics__SummaryEstimator=ckms-biased");
    assert_eq!(biased, Estimator::CkmsBiased);
    let targeted = estimator("Metrics__SummaryEstimator=CKMS-Targeted");
    assert_eq!(targeted, Estimator::CkmsTargeted);
}

#[test]
fn the_file_of_the_reference_is_understood() {
    let json = r#"{
        // as it ships
        "Logging": { "LogLevel": { "Default": "Warning", "Microsoft.AspNetCore": "Warning" } },
        "AllowedHosts": "*",
        "redis": { "connectionString": "redis:6379", "MetricQueueWorkers": 2,
                   "MetricQueuePopCount": "50" },
        "Metrics": { "SortIncomingLabels": false },
    }"#;
    let found = outcome(&["ASPNETCORE_HTTP_PORTS=8080", "DOTNET_RUNNING_IN_CONTAINER=true"], json);
    assert_eq!(found.warnings, Vec::<String>::new());
    let Config { gateway, log } = found.config.expect("sound");
    assert_eq!(gateway.pipeline.queue.pop_count, Some(50));
    assert!(!gateway.pipeline.intake.sort_labels);
    assert_eq!(gateway.http.listen, [SocketAddr::from(([0; 8], 8080))]);
    assert_eq!(log.level, LevelFilter::WARN);
}

#[test]
fn all_problems_come_at_once_by_the_name_that_was_used() {
    let environment = [
        "REDIS__METRICQUEUEWORKERS=two",
        "Redis__ConnectionString=a,frob=1,ssl=2",
        "Shards__Count=0",
        "Http__ListenAddress=nowhere",
    ];
    let json = r#"{"Metrics": {"MaxLabels": -1, "SortIncomingLabels": "ja"}, "Log": {"Level": 3},
                   "Redis": {"MetricQueueKey": "", "DeadLetterMaxLength": "9"}}"#;
    check_problems(
        &environment,
        json,
        &[
            r#"Redis__ConnectionString: part 2 is the unknown option frob"#,
            r#"Redis__ConnectionString: expected ssl=true or ssl=false, got "2""#,
            r#"Redis.MetricQueueKey: expected a text that is not empty, got """#,
            r#"Redis__MetricQueueWorkers: expected a whole number from 1 to 64, got "two""#,
            r#"Metrics.MaxLabels: expected a whole number from 1 to 10000, got "-1""#,
            r#"Metrics.SortIncomingLabels: expected true or false, got "ja""#,
            r#"Shards__Count: expected a whole number from 1 to 256, got "0""#,
            r#"Http__ListenAddress: expected address:port, the address an IP address, localhost or empty, got "nowhere""#,
            r#"Log.Level: expected one of trace, debug, info, warn, error, off, got "3""#,
        ],
    );
}

#[test]
fn a_bad_file_does_not_hide_the_environment() {
    check_problems(
        &["Shards__Count=x"],
        "[]",
        &[
            "f.json: expected a JSON object, got an array",
            r#"Shards__Count: expected a whole number from 1 to 256, got "x""#,
        ],
    );
}

#[test]
fn which_database_counts() {
    let check = |connection: &str, set: Option<&str>, expected: i64, warnings: usize| {
        let mut environment = vec![format!("Redis__ConnectionString={connection}")];
        environment.extend(set.map(|number| format!("Redis__MetricQueueDatabase={number}")));
        let lines: Vec<&str> = environment.iter().map(String::as_str).collect();
        let found = outcome(&lines, "{}");
        assert_eq!(found.warnings.len(), warnings, "{environment:?}: {:?}", found.warnings);
        let database = found.config.expect("sound").gateway.pipeline.queue.redis.database;
        assert_eq!(database, expected, "{environment:?}");
    };
    check("a", None, 0, 0);
    check("a", Some("3"), 3, 0);
    check("a", Some("-1"), 0, 0);
    check("a,defaultDatabase=5", None, 0, 1);
    check("a,defaultDatabase=5", Some("3"), 3, 1);
    check("a,defaultDatabase=5", Some("-1"), 5, 0);
    check("a,defaultDatabase=0", None, 0, 0);
    check("redis://a/5", None, 5, 0);
    check("redis://a/5", Some("0"), 0, 1);
    check("redis://a/5", Some("5"), 5, 0);
    check("redis://a/5", Some("-1"), 5, 0);
    check("unix:///s?db=5", None, 5, 0);
}

#[test]
fn listening_falls_back_to_asp_net_core() {
    let check = |environment: &[&str], expected: &[&str]| {
        let listen = config(environment, "{}").gateway.http.listen;
        let listen: Vec<String> = listen.iter().map(SocketAddr::to_string).collect();
        assert_eq!(listen, expected, "{environment:?}");
    };
    let (urls, ports) =
        ("ASPNETCORE_URLS=http://+:5000;http://localhost:1", "ASPNETCORE_HTTP_PORTS=8080;9090");
    check(&[ports], &["[::]:8080", "[::]:9090"]);
    check(&[ports, urls], &["[::]:5000", "127.0.0.1:1"]);
    check(&[ports, "ASPNETCORE_URLS="], &["[::]:8080", "[::]:9090"]);
    check(&[ports, urls, "Http__ListenAddress=[::1]:2"], &["[::1]:2"]);
    check(&["ASPNETCORE_URLS=https://+:1", "Http__ListenAddress=:2"], &["[::]:2"]);
    check_problems(
        &["ASPNETCORE_URLS=http://+:1;https://+:2"],
        "{}",
        &["ASPNETCORE_URLS: expected http://address:port parts separated by ; (https is not \
         served), got \"https://+:2\""],
    );
    check_problems(
        &["ASPNETCORE_HTTP_PORTS=http"],
        "{}",
        &["ASPNETCORE_HTTP_PORTS: expected ports from 1 to 65535 separated by ;, got \"http\""],
    );
}

#[test]
fn the_level_falls_back_to_that_of_dotnet() {
    let level = |environment: &[&str]| config(environment, "{}").log.level;
    assert_eq!(level(&["Logging__LogLevel__Default=Debug"]), LevelFilter::DEBUG);
    assert_eq!(level(&["LOGGING__LOGLEVEL__DEFAULT=none"]), LevelFilter::OFF);
    assert_eq!(level(&["Logging__LogLevel__Default=Debug", "Log__Level=warn"]), LevelFilter::WARN);
    check_problems(
        &["Logging__LogLevel__Default=loud"],
        "{}",
        &[
            "Logging__LogLevel__Default: expected one of Trace, Debug, Information, Warning, Error, \
         Critical, None, got \"loud\"",
        ],
    );
}

#[test]
fn entries_show_value_and_origin() {
    let json = r#"{"Redis": {"ConnectionString": "a,user=u,password=hush"}}"#;
    let found = outcome(&["Shards__Count=2", "ASPNETCORE_HTTP_PORTS=8080"], json);
    let shown: Vec<String> = found
        .entries
        .iter()
        .map(|entry| format!("{}={} {:?} {}", entry.name, entry.value, entry.origin, entry.set_as))
        .collect();
    for expected in [
        "Redis.ConnectionString=a:6379,user=u,password=*** File Redis.ConnectionString",
        "Redis.MetricQueuePopCount=25, rising Default Redis.MetricQueuePopCount",
        "Shards.Count=2 Environment Shards__Count",
        "Http.ListenAddress=[::]:8080 Environment ASPNETCORE_HTTP_PORTS",
        "Log.Level=info Default Log.Level",
    ] {
        assert!(shown.iter().any(|line| line == expected), "{expected} in {shown:#?}");
    }
    assert_eq!(found.entries.len(), SETTINGS.len());
}

#[test]
fn entries_show_what_holds_not_what_was_said() {
    let value = |environment: &[&str], name: &str| {
        let entries = outcome(environment, "{}").entries;
        entries.into_iter().find(|entry| entry.name == name).expect("an entry").value
    };
    let url = "Redis__ConnectionString=redis://a/5";
    assert_eq!(value(&[url], "Redis.MetricQueueDatabase"), "5");
    let left = "Redis__MetricQueueDatabase=-1";
    let by = "5 (-1: as the connection string says)";
    assert_eq!(value(&[url, left], "Redis.MetricQueueDatabase"), by);
    let shards = config(&[], "{}").gateway.pipeline.shards.count.to_string();
    assert_eq!(value(&[], "Shards.Count"), shards);
}

proptest! {
    #[test]
    fn no_value_panics_and_a_problem_bears_its_name(
        setting in prop::sample::select(SETTINGS),
        value in prop_oneof![any::<String>(), "-?[0-9]{1,20}( ?[KMG]iB)?", "[a-z0-9:;/.*+\\[\\]-]{0,20}"],
    ) {
        let name = setting.environment_name();
        let found = outcome(&[&format!("{name}={value}")], "{}");
        for problem in found.config.err().unwrap_or_default() {
            prop_assert_eq!(&problem.name, &name);
            prop_assert!(!problem.message.contains(char::is_control), "{}", problem);
        }
    }

    #[test]
    fn no_file_panics(text in prop_oneof![any::<String>(), "[\\[{}\\],:\"'a-z0-9./* \n-]{0,60}"]) {
        outcome(&[], &text);
    }
}
