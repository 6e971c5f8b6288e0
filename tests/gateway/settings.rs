//! Settings that change what the gateway does, one by one.

use psg_testkit::exposition::Sample;
use psg_testkit::{GatewayBuilder, RedisServer, Rig, wait_until};

#[test]
fn labels_keep_their_order_where_they_are_not_sorted() {
    let mut rig = Rig::with(&[("Metrics__SortIncomingLabels", "false")]);
    let seen = rig.send(&[
        r#"{"name":"n","value":1,"labels":{"z":"1","a":"2","m":"3"}}"#,
        r#"{"name":"n","value":2,"labels":{"a":"2","m":"3","z":"1"}}"#,
    ]);
    let samples: Vec<_> = seen.samples("n").collect();
    assert_eq!(samples.len(), 1, "identity does not depend on the order");
    let names: Vec<&str> = samples[0].labels.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["z", "a", "m"]);
    assert_eq!(samples[0].number(), 3.0);
}

#[test]
fn a_pop_count_that_is_set_is_kept() {
    let mut rig = Rig::with(&[("Redis__MetricQueuePopCount", "7")]);
    let payloads = vec![r#"{"name":"n","value":1}"#; 3_000];
    let seen = rig.send(&payloads);
    assert_eq!(seen.value("n", &[]), Some(3_000.0));
    let stats: String = rig.redis.run(&["INFO", "commandstats"]);
    let rpop = stats.lines().find(|line| line.starts_with("cmdstat_rpop:")).expect("RPOP is used");
    let calls = rpop.split("calls=").nth(1).and_then(|rest| rest.split(',').next());
    let calls: usize = calls.and_then(|number| number.parse().ok()).expect("a number of calls");
    assert!(calls >= 3_000 / 7, "{calls} calls took 3000 samples, 7 at once at most");
}

#[test]
fn few_bytes_in_flight_are_enough() {
    let mut rig = Rig::with(&[("Redis__MaxBytesInFlight", "1024")]);
    let payload = format!(r#"{{"name":"n","value":1,"pad":"{}"}}"#, "p".repeat(3_000));
    let seen = rig.send(&vec![payload; 500]);
    assert_eq!(seen.value("n", &[]), Some(500.0));
}

#[test]
fn a_reader_that_keeps_few_series_loses_none() {
    let mut rig = Rig::with(&[("Metrics__ReaderCacheSeries", "10"), ("Shards__Count", "2")]);
    let payloads: Vec<String> = (0..5_000)
        .map(|i| format!(r#"{{"name":"n","value":1,"labels":{{"i":"{}"}}}}"#, i % 250))
        .collect();
    let seen = rig.send(&payloads);
    assert_eq!(seen.samples("n").count(), 250);
    assert!(seen.samples("n").all(|sample| sample.number() == 20.0));
}

#[test]
fn a_queue_key_may_hold_anything() {
    let redis = RedisServer::start();
    let key = r#"odd "key" \ with {braces} é"#;
    let gateway = GatewayBuilder::reading(&redis).set("Redis__MetricQueueKey", key).start();
    redis.push_to(0, key, &[r#"{"name":"n","value":1}"#]);
    let seen = gateway.scrape_after(1);
    let processed = seen.samples("prom_stream_gateway_processed_metrics_total").next();
    assert_eq!(processed.and_then(|sample| sample.label("queueKey")), Some(key));
}

#[test]
fn options_of_the_references_client_are_taken() {
    let redis = RedisServer::start();
    let ignored = "abortConnect=false,allowAdmin=true,asyncTimeout=1000,syncTimeout=1000,\
        channelPrefix=x,checkCertificateRevocation=true,configChannel=,configCheckSeconds=60,\
        protocol=resp3,proxy=None,resolveDns=false,setlib=false,tiebreaker=,\
        highPriorityThreads=true,preserveAsyncOrder=true,responseTimeout=1000,writeBuffer=4096,\
        version=7.0,connectRetry=5,keepAlive=60,connectTimeout=2000,NAME=shipper";
    let connection = format!("{},{ignored}", redis.address());
    let _gateway = GatewayBuilder::connecting(&connection).start();
    wait_until("the client's name at the server", || {
        redis.run::<String>(&["CLIENT", "LIST"]).contains("name=shipper")
    });
}

#[test]
fn quantiles_leave_the_window_and_totals_stay() {
    for estimator in ["ckms-biased", "ckms-targeted"] {
        let mut rig = Rig::with(&[
            ("Metrics__SummaryMaxAgeSeconds", "1"),
            ("Metrics__SummaryAgeBuckets", "2"),
            ("Metrics__SummaryEstimator", estimator),
        ]);
        rig.send(&[
            r#"{"type":"summary","name":"s","value":4,"quantiles":[0.5],"epsilons":[0.05]}"#,
        ]);
        rig.gateway.scrape_until("an empty window", |seen| {
            let quantile = seen.samples("s").next().expect("it goes on to be shown");
            assert!(["4", "NaN"].contains(&quantile.value.as_str()), "{}", quantile.canonical);
            quantile.value == "NaN"
        });
        let seen = rig.send(&[r#"{"type":"summary","name":"s","value":6}"#]);
        assert_eq!(seen.value("s_sum", &[]), Some(10.0));
        assert_eq!(seen.value("s_count", &[]), Some(2.0));
    }
}

#[test]
fn both_estimators_keep_their_errors() {
    for estimator in ["ckms-biased", "ckms-targeted"] {
        let mut rig = Rig::with(&[("Metrics__SummaryEstimator", estimator)]);
        let payloads: Vec<String> = (0..2_000)
            .map(|i| {
                let value = (i * 7919) % 2_000 + 1;
                format!(
                    r#"{{"type":"summary","name":"s","value":{value},"quantiles":[0.5,0.9,0.99],"epsilons":[0.05,0.01,0.001]}}"#
                )
            })
            .collect();
        let seen = rig.send(&payloads);
        for (quantile, error) in [("0.5", 0.05), ("0.9", 0.01), ("0.99", 0.001)] {
            let value = seen.value("s", &[("quantile", quantile)]).expect("it is shown");
            let rank = value / 2_000.0;
            let asked: f64 = quantile.parse().expect("a number");
            assert!(
                (rank - asked).abs() <= error + 0.0005,
                "{estimator}: quantile {quantile} is {value}, of rank {rank}"
            );
        }
    }
}

#[test]
fn the_operator_gives_buckets_to_histograms_without() {
    let payload = |name: &str| format!(r#"{{"type":"histogram","name":"{name}","value":2}}"#);
    let own = r#"{"type":"histogram","name":"own_seconds","value":2,"buckets":[2]}"#;
    let mut rig = Rig::with(&[
        ("Metrics__HistogramBuckets", "*_seconds:1, 5; job:*_bytes:1024"),
        ("Metrics__DefaultBuckets", "1,10,+Inf"),
    ]);
    let names = ["a_seconds", "job:a_bytes", "a_bytes", "own_seconds"];
    let mut payloads: Vec<String> = names.iter().map(|name| payload(name)).collect();
    payloads.insert(0, own.to_owned());
    let seen = rig.send(&payloads);
    assert_eq!(seen.totals(), (5, 0));
    let bounds = |name: &str| -> Vec<String> {
        let name = format!("{name}_bucket");
        let bound = |bucket: &Sample| bucket.label("le").expect("a bound").to_owned();
        seen.samples(&name).map(bound).collect()
    };
    assert_eq!(bounds("a_seconds"), ["1", "5", "+Inf"]);
    assert_eq!(bounds("job:a_bytes"), ["1024", "+Inf"]);
    assert_eq!(bounds("a_bytes"), ["1", "10", "+Inf"]);
    assert_eq!(bounds("own_seconds"), ["2", "+Inf"]);
    assert_eq!(seen.value("own_seconds_count", &[]), Some(2.0));
    assert_eq!(seen.sum("prom_stream_gateway_layout_mismatches_total"), 0.0);

    let mut rig = Rig::with(&[("Metrics__HistogramBuckets", "*_seconds:1,5")]);
    let seen = rig.send(&[payload("a_seconds"), payload("a_bytes")]);
    assert_eq!(seen.totals(), (1, 1), "a name that no pattern fits");
}

#[test]
fn labels_are_dropped_before_anything_is_judged() {
    let mut rig = Rig::with(&[
        ("Metrics__DropLabels", "request_id, trace"),
        ("Metrics__MaxSeriesPerMetric", "2"),
    ]);
    let payloads: Vec<String> = (0..100)
        .map(|id| {
            let host = if id % 2 == 0 { "a" } else { "b" };
            format!(r#"{{"name":"n","value":1,"labels":{{"request_id":{id},"host":"{host}","trace":[]}}}}"#)
        })
        .collect();
    let seen = rig.send(&payloads);
    assert_eq!(seen.totals(), (100, 0));
    let samples: Vec<_> = seen.samples("n").map(|sample| sample.canonical.clone()).collect();
    assert_eq!(samples.len(), 2, "{samples:?}");
    assert_eq!(seen.value("n", &[("host", "a")]), Some(50.0));
}
