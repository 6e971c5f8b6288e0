//! Metrics.Names: names of any script, and what those see of them who read fewer.

use std::time::Duration;

use psg_testkit::{Exposition, Gateway, GatewayBuilder, RedisServer, Rig};

const DOTTED: &str =
    r#"{"name":"my.jobs_total","value":2,"labels":{"job.id":"\"7\"","größe":"9"}}"#;
const LEGACY: &str = r#"{"name":"plain_total","value":3,"labels":{"a":"b"}}"#;

fn is_there(seen: &Exposition) {
    let labels = [("job_id", "\"7\""), ("gr__e", "9")];
    assert_eq!(seen.value("my_jobs_total", &labels), Some(2.0), "{:?}", seen.produced());
}

#[test]
fn they_are_taken_where_an_operator_says_so() {
    let mut rig = Rig::with(&[("Metrics__Names", "legacy")]);
    let seen = rig.send(&[DOTTED, r#"{"name":"a","labels":{"a.b":"1"}}"#, LEGACY]);
    assert_eq!((seen.rejected("invalid_name"), seen.rejected("invalid_label_name")), (1, 1));

    let mut rig = Rig::with(&[("Http__EnableAdmin", "true")]);
    let seen = rig.send(&[DOTTED, LEGACY]);
    is_there(&seen);
    is_there(&rig.gateway.scrape_openmetrics());
    assert_eq!(seen.value("plain_total", &[("a", "b")]), Some(3.0));
    let series = rig.gateway.must_get("/api/v1/series?name=my.jobs_total", &[]).text();
    let series: serde_json::Value = serde_json::from_str(&series).expect("JSON");
    assert_eq!(series["metrics"][0]["name"], "my.jobs_total", "{series}");
    assert_eq!(series["series"][0]["labels"]["job.id"], "\"7\"", "{series}");
    for name in ["my.jobs_total", "my_jobs", "my_jobs_total", "my.jobs"] {
        let page = rig.gateway.must_get(&format!("/metrics?name[]={name}"), &[]).text();
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.count(), 1, "{name}: {page}");
    }
}

#[test]
fn a_scraper_chooses_how_they_are_printed() {
    let mut rig = Rig::start();
    rig.send(&[DOTTED]);
    for (escaping, line) in [
        ("allow-utf-8", r#"{"my.jobs_total","größe"="9","job.id"="\"7\""} 2"#),
        ("underscores", r#"my_jobs_total{gr__e="9",job_id="\"7\""} 2"#),
        ("dots", r#"my_dot_jobs__total{gr____e="9",job_dot_id="\"7\""} 2"#),
        ("values", r#"U__my_2e_jobs__total{U__gr_f6__df_e="9",U__job_2e_id="\"7\""} 2"#),
    ] {
        for (media_type, value) in [
            ("text/plain;version=0.0.4", line.to_owned()),
            ("text/plain;version=1.0.0", line.to_owned()),
            ("application/openmetrics-text;version=0.0.1", format!("{line}.0")),
            ("application/openmetrics-text;version=1.0.0", format!("{line}.0")),
        ] {
            let accept = format!("{media_type};escaping={escaping}");
            let reply = rig.gateway.must_get("/metrics", &[("Accept", &accept)]);
            let said = reply.header("content-type").expect("a content type").to_owned();
            assert!(said.ends_with(&format!("; escaping={escaping}")), "{accept}: {said}");
            let page = reply.text();
            assert!(page.lines().any(|line| line == value), "{accept}: {value}\n{page}");
        }
    }
}

#[test]
fn what_would_be_printed_alike_is_refused_with_the_names() {
    let mut rig = Rig::with(&[("Metrics__Names", "utf8"), ("Http__EnableAdmin", "true")]);
    let seen = rig.send(&[
        DOTTED,
        r#"{"name":"my_jobs_total","value":5}"#,
        r#"{"name":"up!","value":1}"#,
        r#"{"name":"scrape/x","value":1}"#,
        r#"{"name":"prom.stream.gateway.x","value":1}"#,
        r#"{"name":"my.jobs_total","value":1,"labels":{"job_id":"\"7\"","größe":"9"}}"#,
        r#"{"name":"my.jobs_total","value":1,"labels":{"a.b":"1","a-b":"2"}}"#,
        r#"{"name":"my.jobs_total","value":1,"labels":{"__x":"1"}}"#,
        r#"{"name":"my.jobs_total","value":1,"labels":{".-name..":"1"}}"#,
        r#"{"name":" ","value":1}"#,
    ]);
    assert_eq!(seen.totals(), (2, 8));
    for (reason, count) in [
        ("suffix_conflict", 1),
        ("reserved_name", 2),
        ("label_conflict", 2),
        ("invalid_label_name", 2),
        ("missing_name", 1),
    ] {
        assert_eq!(seen.rejected(reason), count, "{reason}");
    }
    is_there(&seen);
    assert_eq!(seen.value("up_", &[]), Some(1.0));
    let report = rig.gateway.must_get("/api/v1/rejects", &[]).text();
    for detail in [
        "my_jobs_total is a name that another metric prints",
        "got scrape_x (as scrape/x is printed where names are escaped)",
        "a.b and a-b would be one label where names are escaped",
        "expected labels that are not printed as those of another series",
    ] {
        assert!(report.contains(detail), "{detail}: {report}");
    }
    assert_eq!(rig.gateway.delete("/api/v1/metrics/my.jobs_total").status, 200);
    let seen = rig.send(&[r#"{"name":"my_jobs_total","value":5}"#]);
    assert_eq!(seen.value("my_jobs_total", &[]), Some(5.0), "the name is free again");
    let slashed = r#"{"type":"gauge","name":"a/b %c","value":1}"#;
    assert_eq!(rig.send(&[slashed]).value("a_b__c", &[]), Some(1.0));
    assert_eq!(rig.gateway.delete("/api/v1/metrics/a%2Fb%20%25c").status, 200);
    assert_eq!(rig.gateway.scrape().value("a_b__c", &[]), None);
}

/// What was taken once is kept, whatever the setting is now.
#[test]
fn they_outlive_a_restart_under_either_setting() {
    let redis = RedisServer::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = |names: &str| {
        GatewayBuilder::reading(&redis)
            .set("Metrics__StateFile", folder.path().join("state"))
            .set("Metrics__Names", names)
            .start()
    };
    let end = |mut gateway: Gateway| {
        gateway.signal("TERM");
        assert_eq!(gateway.wait_at_most(Duration::from_secs(30)).code(), Some(0));
    };
    let gateway = start("utf8");
    redis.push(&[DOTTED, LEGACY]);
    is_there(&gateway.scrape_after(2));
    end(gateway);
    let gateway = start("legacy");
    redis.push(&[DOTTED, LEGACY]);
    let seen = gateway.scrape_after(2);
    assert_eq!((seen.totals(), seen.rejected("invalid_name")), ((1, 1), 1));
    is_there(&seen);
    assert_eq!(seen.value("plain_total", &[("a", "b")]), Some(6.0));
    end(gateway);
    let gateway = start("utf8");
    redis.push(&[DOTTED]);
    let seen = gateway.scrape_after(1);
    let labels = [("job_id", "\"7\""), ("gr__e", "9")];
    assert_eq!(seen.value("my_jobs_total", &labels), Some(4.0));
}
