//! Payloads, put to a gateway.

use serde_json::Value;

use psg_testkit::pages::{Block, is_like};
use psg_testkit::{Exposition, Rig};

/// Each is accepted, and shown with the type and the lines that the page says.
pub fn are_accepted(blocks: &[Block]) {
    for block in blocks {
        let (rig, _) = is_accepted(&block.place, &block.text);
        if let Some(expected) = &block.prints {
            let shown = shown(&rig);
            assert!(is_like(&shown, expected), "{}: /metrics shows\n{shown}", block.place);
        }
    }
}

/// `/metrics` without what the gateway says of itself.
fn shown(rig: &Rig) -> String {
    let text = rig.gateway.must_get("/metrics", &[]).text();
    let lines = text.lines().filter(|line| !line.contains("prom_stream_gateway_"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// An element of the queue whose samples are all accepted as what they say.
pub fn is_accepted(place: &str, payload: &str) -> (Rig, Exposition) {
    let parsed: Value =
        serde_json::from_str(payload).unwrap_or_else(|error| panic!("{place}: {error}\n{payload}"));
    let samples = match parsed.as_array() {
        Some(samples) => samples.clone(),
        None => vec![parsed],
    };
    let mut rig = Rig::start();
    rig.push(&[payload]);
    let seen = rig.gateway.scrape_after(samples.len() as u64);
    assert_eq!(seen.totals(), (samples.len() as u64, 0), "{place}: {payload}");
    for sample in samples {
        let name = sample["name"].as_str().expect("a name");
        let family = seen.family(name).unwrap_or_else(|| panic!("{place}: {name} is not shown"));
        let expected = sample["type"].as_str().unwrap_or("counter");
        assert_eq!(family.kind, expected, "{place}: {name}");
    }
    (rig, seen)
}

/// Each line is refused, for the reason that the comment names in its place.
pub fn are_refused(blocks: &[Block]) {
    for block in blocks {
        let payloads: Vec<&str> = block.text.lines().collect();
        let reasons: Vec<&str> = block.argument.split(' ').collect();
        assert_eq!(payloads.len(), reasons.len(), "{}: a reason for each line", block.place);
        for (payload, reason) in payloads.into_iter().zip(reasons) {
            let seen = Rig::start().send(&[payload]);
            assert_eq!(seen.totals(), (0, 1), "{}: {payload}", block.place);
            let labels = [("reason", reason)];
            let count = seen.value("prom_stream_gateway_rejected_samples_total", &labels);
            assert_eq!(count, Some(1.0), "{}: {payload} for {reason}", block.place);
        }
    }
}
