//! `Http.ShutdownLingerSeconds`: the process stays until its scrapers have
//! fetched the last totals.

use std::time::{Duration, Instant};

use super::{LINGER_SECONDS, SOON, scrape_as, scrape_as_until, wait_for_log};
use psg_testkit::{Gateway, GatewayBuilder, RedisServer, Rig, wait_for};

const COUNTER: &str = r#"{"name":"c_total","value":1}"#;
const WAITING: &str = "waiting for scrapers to fetch the last totals";

/// A gateway whose known scrapers are those of the names, with one sample.
fn known_to(names: &[&str], settings: &[(&str, &str)]) -> Rig {
    let linger = [("Http__ShutdownLingerSeconds", LINGER_SECONDS)];
    let mut rig = Rig::with(&[&linger, settings].concat());
    rig.push(&[COUNTER]);
    for name in names {
        scrape_as_until(&rig.gateway, name, 1);
        scrape_as(&rig.gateway, name);
    }
    rig
}

fn ends_well(gateway: &mut Gateway) {
    let status = gateway.wait_at_most(SOON);
    assert_eq!(status.code(), Some(0), "{}", gateway.log().join("\n"));
}

#[test]
fn it_ends_when_each_known_scraper_has_fetched_the_last_totals() {
    let mut rig = known_to(&["a", "b"], &[]);
    rig.gateway.signal("TERM");
    wait_for_log(&rig.gateway, WAITING);
    assert_eq!(rig.gateway.must_get("/-/ready", &[]).status, 503);
    assert_eq!(rig.gateway.must_get("/-/healthy", &[]).status, 200);
    rig.redis.push(&[COUNTER]);
    // Who is not known is answered, and not waited for.
    assert_eq!(scrape_as(&rig.gateway, "c").value("c_total", &[]), Some(1.0));
    assert_eq!(scrape_as(&rig.gateway, "a").value("c_total", &[]), Some(1.0));
    assert_eq!(scrape_as(&rig.gateway, "a").value("c_total", &[]), Some(1.0));
    assert_eq!(rig.gateway.ended(), None, "b has not come");
    assert_eq!(scrape_as(&rig.gateway, "b").value("c_total", &[]), Some(1.0));
    ends_well(&mut rig.gateway);
    assert_eq!(rig.redis.pending(), 1, "nothing was taken after the signal");
}

/// The last totals of a series that is new are not the 0 that it is shown at.
#[test]
fn with_exact_first_increments_the_start_alone_is_not_the_last_total() {
    let exact = ("Metrics__FirstIncrement", "exact");
    let mut rig = known_to(&["a"], &[exact]);
    let new = r#"{"name":"new_total","value":3}"#;
    rig.push(&[new]);
    wait_for("the sample to be taken", || match rig.redis.pending() {
        0 => Ok(()),
        left => Err(format!("{left}")),
    });
    rig.gateway.signal("TERM");
    wait_for_log(&rig.gateway, WAITING);
    assert_eq!(scrape_as(&rig.gateway, "a").value("new_total", &[]), Some(0.0));
    assert_eq!(rig.gateway.ended(), None);
    assert_eq!(scrape_as(&rig.gateway, "a").value("new_total", &[]), Some(3.0));
    ends_well(&mut rig.gateway);
}

#[test]
fn a_further_signal_ends_it_at_once() {
    for signal in ["TERM", "INT"] {
        let mut rig = known_to(&["a"], &[]);
        rig.gateway.signal("TERM");
        wait_for_log(&rig.gateway, WAITING);
        rig.gateway.signal(signal);
        ends_well(&mut rig.gateway);
        wait_for_log(&rig.gateway, "not waiting any longer for scrapers");
    }
}

#[test]
fn it_waits_no_longer_than_it_may() {
    let mut rig = known_to(&["a"], &[("Http__ShutdownLingerSeconds", "1")]);
    rig.gateway.signal("TERM");
    wait_for_log(&rig.gateway, WAITING);
    ends_well(&mut rig.gateway);
    wait_for_log(&rig.gateway, "some scrapers have not fetched the last totals");
}

#[test]
fn where_nobody_is_known_it_ends_at_once() {
    let mut rig = known_to(&[], &[]);
    scrape_as(&rig.gateway, "curl");
    rig.gateway.signal("TERM");
    ends_well(&mut rig.gateway);
    assert!(!rig.gateway.log().join("\n").contains(WAITING));
}

/// An owner keeps its queue as long as its totals are shown: two never serve.
#[test]
fn under_exactly_once_the_standby_takes_over_when_the_totals_were_fetched() {
    let redis = RedisServer::start();
    let builder = || {
        GatewayBuilder::reading(&redis)
            .set("Redis__Delivery", "exactly-once")
            .set("Redis__LeaseSeconds", "3")
            .set("Http__ShutdownLingerSeconds", LINGER_SECONDS)
    };
    let mut first = builder().start();
    redis.push(&[COUNTER]);
    scrape_as_until(&first, "a", 1);
    scrape_as(&first, "a");
    let second = builder().start_unready();
    wait_for("the second to stand by", || {
        let reason = second.must_get("/-/ready", &[]).text();
        if reason.contains("standby") { Ok(()) } else { Err(reason) }
    });
    first.signal("TERM");
    wait_for_log(&first, WAITING);
    redis.push(&[COUNTER]);
    // Longer than the time after which a silent owner is displaced.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(4) {
        assert_eq!(scrape_as(&first, "b").value("c_total", &[]), Some(1.0));
        assert_eq!(scrape_as(&second, "b").value("c_total", &[]), None);
    }
    assert_eq!(scrape_as(&first, "a").value("c_total", &[]), Some(1.0));
    ends_well(&mut first);
    wait_for("the second to take over", || {
        let reply = second.must_get("/-/ready", &[]);
        if reply.status == 200 { Ok(()) } else { Err(reply.text()) }
    });
    let seen = second
        .scrape_until("the standby to have both", |seen| seen.value("c_total", &[]) == Some(2.0));
    assert_eq!(seen.value("c_total", &[]), Some(2.0));
}
