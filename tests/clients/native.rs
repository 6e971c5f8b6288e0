//! Native histograms that a library has counted: the gateway shows what it does where
//! it gets each value by itself.

use prost::Message;
use psg_engine::protobuf::{Histogram, MetricFamily};
use psg_testkit::{Gateway, Rig, wait_for};

use super::drivers::Driver;

const FLUSHES: u32 = 5;

/// What is observed before a flush. Of each there are so many that their sum tells
/// which of them there were.
fn values(flush: u32) -> Vec<f64> {
    let value = |index: u32| match index % 5 {
        0 => 0.0,
        1 => -(1.7_f64.powi((index + flush) as i32)),
        _ => 0.001 * 1.7_f64.powi((3 * index + flush) as i32),
    };
    (0..1 << flush).map(value).collect()
}

/// A busy machine may hold up a flush for longer than the client waits.
pub fn are_as_if_each_value_had_been_sent(driver: &Driver) {
    let mut rig = Rig::start();
    let mut driven = driver.start(rig.redis.port());
    let (mut sure, mut dropped) = (0, 0);
    for flush in 0..FLUSHES {
        for value in values(flush) {
            driven.call(&format!(
                r#"{{"call":"histogram","name":"n","labels":{{}},"value":{value:?},"factor":1.1}}"#
            ));
        }
        let report = driven.flush();
        sure |= u64::from(report.dropped == dropped) << flush;
        dropped = report.dropped;
    }
    driven.end();

    // One reader takes this after all that the library has pushed.
    rig.push(&[r#"{"name":"last_total","value":1}"#]);
    let seen = rig.gateway.scrape_until("the last sample to be taken", |seen| {
        seen.value("last_total", &[]) == Some(1.0)
    });
    let count = seen.value("n_count", &[]).unwrap_or(0.0);
    let arrived = count as u64;
    assert_eq!(arrived & sure, sure, "{arrived:b}: each flush that was sure is there, once");
    assert!(arrived > 0, "one of the flushes arrives");
    let of_flush = |flush: u32| {
        let values = values(flush);
        format!(r#"{{"type":"histogram","name":"m","values":{values:?},"factor":1.1}}"#)
    };
    let is_there = |flush: &u32| arrived & (1 << flush) != 0;
    rig.push(&(0..FLUSHES).filter(is_there).map(of_flush).collect::<Vec<_>>());
    wait_for("the same values to be taken", || {
        let [pushed, sent] = ["n", "m"].map(|name| shown(&rig.gateway, name));
        if pushed == sent { Ok(()) } else { Err(format!("{pushed:?} and {sent:?}")) }
    });
    assert_eq!(rig.gateway.scrape().totals().1, 0, "none is rejected");
}

/// The native side as Prometheus gets it, and the sum as it is rounded.
fn shown(gateway: &Gateway, name: &str) -> Option<(Histogram, String)> {
    let accept = (
        "Accept",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
    );
    let page = gateway.must_get("/metrics", &[accept]).body;
    let mut rest = &page[..];
    while !rest.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut rest).expect("a family");
        if family.name() == name {
            let mut histogram = family.metric[0].histogram.clone().expect("a histogram");
            let sum = format!("{:.6}", histogram.sample_sum.take().expect("a sum"));
            return Some((histogram, sum));
        }
    }
    None
}
