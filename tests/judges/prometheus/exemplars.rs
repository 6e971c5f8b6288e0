//! Exemplars and units, as Prometheus has them stored.

use std::collections::BTreeMap;

use psg_testkit::Rig;
use psg_testkit::prometheus::{Edition, Prometheus, job};
use psg_testkit::wait_for;
use serde_json::{Value, json};

use super::PATIENT_INTERVAL;

#[test]
fn prometheus_stores_exemplars_and_knows_units() {
    Edition::each(|edition| {
        let mut rig = Rig::with(&[("Metrics__Exemplars", "true")]);
        let now = psg_testkit::prometheus::seconds_now();
        let payload = |members: &str, exemplar: &str| {
            format!(r#"{{{members},"exemplar":{{{exemplar},"timestamp":{now:.3}}}}}"#)
        };
        let histogram = r#""type":"histogram","name":"h_seconds","unit":"seconds","buckets":[1,5]"#;
        rig.send(&[
            // Prometheus 2 leaves the escapes of an exemplar's labels as they are.
            payload(r#""name":"c_total","value":2"#, r#""labels":{"trace_id":"é"}"#),
            payload(&format!("{histogram},\"value\":0.5"), r#""labels":{"trace_id":"a"}"#),
            payload(&format!("{histogram},\"value\":7"), r#""value":9,"labels":{"span":1}"#),
            // It is not needed in a bucket.
            payload(&format!("{histogram},\"value\":3"), r#""value":4"#),
        ]);
        let configuration =
            json!({"scrape_configs": [job("gateway", rig.gateway.port(), PATIENT_INTERVAL)]});
        let features = ["--enable-feature=exemplar-storage"];
        let prometheus = Prometheus::with_arguments(edition, &configuration, &features);
        prometheus.wait_for_scrape();
        let stored = |query: &str| -> BTreeMap<String, Value> {
            let (from, to) = (now - 60.0, now + 600.0);
            let range = format!("start={from:.0}&end={to:.0}");
            let found = prometheus.api(&format!("query_exemplars?query={query}&{range}"));
            let series = found.as_array().expect("a list").iter();
            let exemplars = series.map(|one| {
                let exemplars = one["exemplars"].as_array().expect("a list");
                assert_eq!(exemplars.len(), 1, "it is stored once: {one}");
                let le = one["seriesLabels"]["le"].as_str().unwrap_or("");
                (le.trim_end_matches(".0").to_owned(), exemplars[0].clone())
            });
            exemplars.collect()
        };
        // A second scrape brings the same once more.
        prometheus.wait_for_scrape();
        let of_counter = wait_for("the exemplar to be stored", || {
            let found = stored("c_total");
            if found.is_empty() { Err("none yet".to_owned()) } else { Ok(found) }
        });
        assert_eq!(of_counter[""]["labels"], json!({"trace_id": "é"}));
        assert_eq!(of_counter[""]["value"], "2");
        let at = of_counter[""]["timestamp"].as_f64().expect("a time");
        assert!((at - now).abs() < 0.002, "{at} for {now}");
        let of_histogram = stored("h_seconds_bucket");
        let of_histogram: BTreeMap<&str, (&Value, &Value)> = of_histogram
            .iter()
            .map(|(le, exemplar)| (le.as_str(), (&exemplar["labels"], &exemplar["value"])))
            .collect();
        let expected = [
            ("1", (json!({"trace_id": "a"}), json!("0.5"))),
            ("5", (json!({}), json!("4"))),
            ("+Inf", (json!({"span": "1"}), json!("9"))),
        ];
        let expected = expected.iter().map(|(le, (labels, value))| (*le, (labels, value)));
        assert_eq!(of_histogram, expected.collect());
        let metadata = prometheus.api("targets/metadata?metric=h_seconds");
        assert_eq!(metadata[0]["unit"], "seconds", "{metadata}");
        assert_eq!(prometheus.log(), [""; 0], "it finds nothing to warn of");
    });
}
