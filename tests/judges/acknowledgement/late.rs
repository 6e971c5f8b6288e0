//! `X-Prometheus-Scrape-Timeout-Seconds`: what can't be done in time is a 503.

use psg_testkit::Rig;

const LATE: &str = "prom_stream_gateway_late_scrapes_total";
const TIMEOUT: &str = "X-Prometheus-Scrape-Timeout-Seconds";

#[test]
fn a_scrape_that_can_not_be_done_in_time_is_a_503_and_is_counted() {
    let mut rig = Rig::start();
    let series: Vec<String> = (0..60_000)
        .map(|n| format!(r#"{{"name":"c_total","value":1,"labels":{{"n":"{n}"}}}}"#))
        .collect();
    rig.send(&series);
    for late in 1..=3 {
        let reply = rig.gateway.must_get("/metrics", &[(TIMEOUT, "0.001")]);
        assert_eq!(reply.status, 503);
        assert!(reply.text().contains(TIMEOUT), "{}", reply.text());
        assert_eq!(rig.gateway.scrape().value(LATE, &[]), Some(f64::from(late)));
    }
    for in_time in ["20", "0", "-1", "soon"] {
        let reply = rig.gateway.must_get("/metrics", &[(TIMEOUT, in_time)]);
        assert_eq!(reply.status, 200, "{in_time}");
    }
    assert_eq!(rig.gateway.scrape().value(LATE, &[]), Some(3.0));
}
