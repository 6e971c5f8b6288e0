//! The alerts as they ship, with their times cut to seconds: they fire in a real
//! Prometheus, reach whoever is paged through a real Alertmanager with what is
//! wrong and where to read on, and clear when it is mended.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::INTERVAL;
use psg_testkit::alertmanager::Alertmanager;
use psg_testkit::prometheus::{Edition, Prometheus, job};
use psg_testkit::{Rig, wait_for};

const ALERTS: &str = include_str!("../../../compose/rules/alerts.yml");

/// What the alerts call the job.
const JOB: &str = "prom-stream-gateway";

/// Each range and each `for` in seconds: what takes a quarter of an hour to be
/// over takes a few seconds.
fn in_seconds(rules: &str) -> String {
    let mut rules = rules.to_owned();
    for minutes in ["15m", "10m", "5m"] {
        rules = rules.replace(&format!("[{minutes}]"), "[3s]");
    }
    for minutes in ["10m", "5m", "2m", "1m"] {
        rules = rules.replace(&format!("for: {minutes}\n"), "for: 1s\n");
    }
    assert!(!rules.contains("m]") && !rules.contains("m\n      "), "{rules}");
    rules
}

#[test]
fn alerts_reach_whoever_is_paged_with_summary_and_link_and_clear() {
    Edition::each(|edition| {
        let Some(alertmanager) = Alertmanager::start() else { return };
        let mut rig = Rig::start();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rules = folder.path().join("alerts.yml");
        fs::write(&rules, in_seconds(ALERTS)).expect("the folder can be written");
        let prometheus = Prometheus::with(
            edition,
            &json!({
                "global": {"evaluation_interval": INTERVAL},
                "alerting": alertmanager.alerting(),
                "rule_files": [rules],
                "scrape_configs": [job(JOB, rig.gateway.port(), INTERVAL)],
            }),
        );
        prometheus.wait_for_scrape();
        rig.redis.push(&["no JSON"]);
        is_told(&alertmanager, "PromStreamGatewayRejects", "warning", "invalid_json");
        rig.redis.go_down();
        is_told(&alertmanager, "PromStreamGatewayRedisDown", "critical", "can't read its queue");
        rig.redis.go_up();
        for name in ["PromStreamGatewayRejects", "PromStreamGatewayRedisDown"] {
            clears(&alertmanager, name);
        }
        let port = rig.gateway.port();
        rig.gateway.kill();
        let down = is_told(&alertmanager, "PromStreamGatewayDown", "critical", "can't be scraped");
        assert_eq!(down["labels"]["instance"], format!("127.0.0.1:{port}"));
    });
}

/// Waits until both Alertmanager's page and whoever is paged have the alert, with
/// a summary that says so and a link to a section that is there.
fn is_told(alertmanager: &Alertmanager, name: &str, severity: &str, says: &str) -> Value {
    let told = wait_for(&format!("{name} to be told"), || {
        let shown = alertmanager.shows(name).ok_or("Alertmanager does not show it")?;
        let told = alertmanager.told(name).pop().ok_or("nobody was told")?;
        assert_eq!(shown["annotations"], told["annotations"]);
        Ok(told)
    });
    assert_eq!(told["status"], "firing", "{told}");
    assert_eq!(told["labels"]["severity"], severity, "{told}");
    let annotation = |key: &str| told["annotations"][key].as_str().unwrap_or_default();
    assert!(annotation("summary").contains(says), "{told}");
    assert!(annotation("description").len() > 40, "{told}");
    // Templates that failed are left as they are, or say so.
    assert!(
        !["{{", "error expanding", "<no value>"].iter().any(|bad| {
            annotation("summary").contains(bad) || annotation("description").contains(bad)
        }),
        "{told}"
    );
    let (page, section) = annotation("runbook_url").split_once('#').expect("a section");
    let page = page.rsplit_once("/docs/").expect("a page of docs/").1;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let page = fs::read_to_string(page).expect("the page is there");
    assert!(page.to_lowercase().contains(&format!("\n### {section}\n")), "{told}");
    told
}

fn clears(alertmanager: &Alertmanager, name: &str) {
    wait_for(&format!("{name} to clear"), || {
        let last = alertmanager.told(name).pop().ok_or("nobody was told")?;
        if last["status"] != "resolved" {
            return Err(last.to_string());
        }
        let shown = alertmanager.shows(name);
        shown.map_or(Ok(()), |shown| Err(format!("Alertmanager still shows {shown}")))
    });
}
