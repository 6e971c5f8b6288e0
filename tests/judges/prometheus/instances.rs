//! Whose a series is to Prometheus: the gateway's, the producer's own, or nobody's
//! with `Metrics.EmptyInstance`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{FORMATS, INTERVAL, scraping_in_both_formats};
use psg_testkit::prometheus::{Edition, Prometheus, job};
use psg_testkit::{Gateway, GatewayBuilder, RedisServer, Rig, wait_for};

const SAMPLES: [&str; 3] = [
    r#"{"name":"fleet_total","value":1}"#,
    r#"{"name":"own_total","value":1,"labels":{"instance":"web-1"}}"#,
    r#"{"name":"h","type":"histogram","value":1,"buckets":[2],"labels":{"a":"1","z":"2"}}"#,
];

/// The `instance` label of a series; empty where it has none.
fn instance(prometheus: &Prometheus, selector: &str) -> String {
    let points = prometheus.query(selector);
    let [point] = &points[..] else { panic!("{selector} is {points:?}") };
    point.labels.get("instance").cloned().unwrap_or_default()
}

#[test]
fn a_series_of_the_fleet_is_not_the_gateways() {
    Edition::each(|edition| {
        for is_empty in [true, false] {
            let mut rig = Rig::with(&[("Metrics__EmptyInstance", &is_empty.to_string())]);
            rig.send(&SAMPLES);
            let prometheus = scraping_in_both_formats(edition, rig.gateway.port());
            prometheus.wait_for_scrape();
            for format in FORMATS {
                let of =
                    |name: &str| instance(&prometheus, &format!(r#"{name}{{job="{format}"}}"#));
                let gateway = of("prom_stream_gateway_info");
                assert!(gateway.starts_with("127.0.0.1:"), "{gateway}");
                let expected = if is_empty { "" } else { &*gateway };
                assert_eq!(of("fleet_total"), expected, "{format}");
                assert_eq!(of("h_count"), expected, "{format}");
                assert_eq!(of("own_total"), "web-1", "{format}");
            }
        }
    });
}

/// Why two gateways on one queue are told of by an alert.
#[test]
fn two_gateways_are_one_series_where_instance_is_empty() {
    Edition::each(|edition| {
        for (setting, series) in [("true", 1), ("false", 2)] {
            let mut rigs = [(); 2].map(|()| Rig::with(&[("Metrics__EmptyInstance", setting)]));
            rigs.iter_mut().for_each(|rig| drop(rig.send(&SAMPLES[..1])));
            let prometheus = scraping(edition, rigs.each_ref().map(|rig| &rig.gateway));
            prometheus.wait_for_scrape();
            assert_eq!(prometheus.query("fleet_total").len(), series, "{setting}");
        }
    });
}

/// Exactly-once delivery: the totals are the same, so the series are.
#[test]
fn a_take_over_goes_on_as_the_same_series() {
    Edition::each(|edition| {
        let redis = RedisServer::start();
        let builder = || {
            let builder = GatewayBuilder::reading(&redis).set("Redis__LeaseSeconds", "1");
            builder.set("Redis__Delivery", "exactly-once").set("Metrics__EmptyInstance", "true")
        };
        let mut owner = builder().start();
        let standby = builder().start_unready();
        let prometheus = scraping(edition, [&owner, &standby]);
        let await_total = |expected: f64| {
            wait_for(&format!("a total of {expected}"), || {
                let total = prometheus.value("fleet_total");
                if total == Some(expected) { Ok(()) } else { Err(format!("{total:?}")) }
            });
        };
        redis.push(&[SAMPLES[0]; 10]);
        await_total(10.0);
        owner.signal("TERM");
        assert_eq!(owner.wait_at_most(Duration::from_secs(10)).code(), Some(0));
        redis.push(&[SAMPLES[0]; 5]);
        await_total(15.0);
        let tracks = prometheus.samples("fleet_total[10m]");
        let [track] = &tracks[..] else { panic!("more than one series: {tracks:?}") };
        assert_eq!(track.labels.get("instance"), None);
        assert!(track.samples.is_sorted_by(|before, now| before.1 <= now.1), "{track:?}");
    });
}

/// A Prometheus that scrapes two gateways by one job.
fn scraping(edition: &Edition, gateways: [&Gateway; 2]) -> Prometheus {
    let mut both = job("gateways", 0, INTERVAL);
    let targets = gateways.map(|gateway| format!("127.0.0.1:{}", gateway.port()));
    both["static_configs"][0]["targets"] = Value::from(targets.to_vec());
    Prometheus::with(edition, &json!({"scrape_configs": [both]}))
}
