//! Prometheus gets the same of both formats: types, help, labels, values.

use std::collections::BTreeMap;

use super::{FORMATS, key, scraping_in_both_formats};
use psg_testkit::Rig;
use psg_testkit::prometheus::{Edition, Prometheus};

const HELP: &str = "A \"help\", with \\ and é.";

#[test]
fn both_formats_say_the_same() {
    Edition::each(|edition| {
        let mut rig = Rig::start();
        rig.send(&[
            r#"{"name":"c_total","value":2,"help":"A \"help\", with \\ and é.","labels":{"a":"\" \\ \n é 🦀","empty":""}}"#,
            r#"{"name":"bare","value":3}"#,
            r#"{"type":"gauge","name":"g:x","value":-2.5e-7}"#,
            r#"{"type":"histogram","name":"h","value":3,"buckets":[1,2.5,1e6]}"#,
            r#"{"type":"summary","name":"s","value":7,"quantiles":[0.5,1],"epsilons":[0.05,0.01]}"#,
        ]);
        let prometheus = scraping_in_both_formats(edition, rig.gateway.port());
        prometheus.wait_for_scrape();
        let [openmetrics, text] = FORMATS.map(|job| {
            let names = "c_total|bare|g:x|h_(bucket|sum|count)|s|s_sum|s_count";
            let points = prometheus.query(&format!(r#"{{__name__=~"{names}",job="{job}"}}"#));
            let points = points.iter().map(|point| (key(&point.labels), point.value));
            points.collect::<BTreeMap<_, _>>()
        });
        assert_eq!(openmetrics, text);
        assert_eq!(openmetrics.len(), 3 + 4 + 2 + 2 + 2, "{openmetrics:?}");
        let value = prometheus.value(r#"c_total{a="\" \\ \n é 🦀",job="openmetrics"}"#);
        assert_eq!(value, Some(2.0));

        for (name, in_openmetrics, in_text) in [
            ("c_total", "counter", "counter"),
            // So it can be told that each job has its own format.
            ("bare", "unknown", "counter"),
            ("g:x", "gauge", "gauge"),
            ("h", "histogram", "histogram"),
            ("s", "summary", "summary"),
        ] {
            let known = FORMATS.map(|job| described(&prometheus, job, name));
            let [openmetrics, text] = &known;
            assert_eq!(
                (openmetrics.0.as_str(), text.0.as_str()),
                (in_openmetrics, in_text),
                "{name}"
            );
            assert_eq!(openmetrics.1, text.1, "{name}");
        }
        assert_eq!(described(&prometheus, "text", "c_total").1, HELP);
        assert_eq!(prometheus.log(), [""; 0], "it finds nothing to warn of");
    });
}

/// Type and help of a family, as Prometheus has understood them.
fn described(prometheus: &Prometheus, job: &str, name: &str) -> (String, String) {
    // To OpenMetrics `_total` is no part of a family's name.
    let bare = name.strip_suffix("_total").unwrap_or(name);
    let family = if job == "openmetrics" { bare } else { name };
    let all = prometheus.api(&format!("targets/metadata?metric={family}"));
    let all = all.as_array().expect("a list");
    let of_job = all.iter().find(|one| one["target"]["job"] == job);
    let one = of_job.unwrap_or_else(|| panic!("{job} tells nothing of {family}: {all:?}"));
    let text = |field: &str| one[field].as_str().expect("text").to_owned();
    (text("type"), text("help"))
}
