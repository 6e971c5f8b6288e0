//! Fields: each row of the table of fields in docs/produce.md, put to a gateway:
//! what is accepted and shows, also at its limits, what is refused and why, and that
//! all of it is there after a restart. A row without a case here fails.

mod cases;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cases::{CASES, FieldCase};
use psg_testkit::gateway::ACCEPT_OPENMETRICS;
use psg_testkit::pages::pages;
use psg_testkit::{Gateway, GatewayBuilder, RedisServer, wait_for};

/// One Redis, one state file, and gateways one after the other.
struct Restarts {
    redis: RedisServer,
    folder: tempfile::TempDir,
    pushed: u64,
}

impl Restarts {
    fn start(&self, case: &FieldCase) -> Gateway {
        let builder = GatewayBuilder::reading(&self.redis)
            .set("Redis__MetricQueueWorkers", "1")
            .set("Metrics__StateFile", self.folder.path().join("state"));
        let with =
            |builder: GatewayBuilder, (name, value): &(&str, &str)| builder.set(name, *value);
        case.settings.iter().fold(builder, with).start()
    }

    /// Sends a payload to a gateway that has got so many before.
    fn send(&mut self, gateway: &Gateway, payload: &str) {
        self.redis.push(&[filled(payload)]);
        self.pushed += 1;
        gateway.scrape_after(self.pushed);
    }

    fn check(&mut self, gateway: &Gateway, payload: &str, line: &str) {
        self.send(gateway, payload);
        let shown = lines(gateway);
        assert!(shown.iter().any(|one| one == line), "{payload}: {line} is not in {shown:#?}");
        let refused = gateway.scrape().totals().1;
        assert_eq!(refused, 0, "{payload} is refused");
    }
}

/// The lines of producers' metrics, of OpenMetrics behind `OM `, sorted.
fn lines(gateway: &Gateway) -> Vec<String> {
    let own = |line: &&str| !line.contains("prom_stream_gateway_");
    let text = gateway.must_get("/metrics", &[]).text();
    let openmetrics = gateway.must_get("/metrics", &[ACCEPT_OPENMETRICS]).text();
    let text = text.lines().filter(own).map(str::to_owned);
    let openmetrics = openmetrics.lines().filter(own).map(|line| format!("OM {line}"));
    let mut lines: Vec<String> = text.chain(openmetrics).collect();
    lines.sort();
    lines
}

/// A payload with the times that it asks for.
fn filled(payload: &str) -> String {
    let Some((before, rest)) = payload.split_once("{now+") else { return payload.to_owned() };
    let (seconds, after) = rest.split_once('}').expect("a closing brace");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let ahead: u64 = seconds.parse().expect("whole seconds");
    format!("{before}{}{after}", now.as_secs() + ahead)
}

/// What the table of fields has in the first cell of each row, without backticks.
fn rows() -> Vec<String> {
    let page = pages().into_iter().find(|page| page.name == "docs/produce.md").expect("a page");
    let table = page.text.lines().skip_while(|line| !line.starts_with("| Field |"));
    let rows = table.take_while(|line| line.starts_with('|')).skip(2);
    let first_cell = |row: &str| row.split('|').nth(1).expect("a cell").trim().replace('`', "");
    rows.map(first_cell).collect()
}

#[test]
fn every_row_of_the_table_has_a_case() {
    let mut cases: Vec<&str> = CASES.iter().map(|case| case.fields).collect();
    cases.dedup();
    assert_eq!(rows(), cases);
    for FieldCase { fields, accepted, refused, restarted, .. } in CASES {
        let parts = [accepted.len(), refused.len(), restarted.len()];
        assert!(parts.iter().all(|part| *part > 0), "{fields}: {parts:?}");
    }
}

#[test]
fn fields_are_what_their_rows_say() {
    let check = |case: &'static FieldCase| {
        let name = case.fields.to_owned();
        std::thread::Builder::new().name(name).spawn(|| holds(case)).expect("a thread")
    };
    let all: Vec<_> = CASES.iter().map(check).collect();
    let failed: Vec<&str> = CASES
        .iter()
        .zip(all)
        .filter_map(|(case, thread)| thread.join().err().map(|_| case.fields))
        .collect();
    assert!(failed.is_empty(), "what these fields do is told above: {failed:?}");
}

fn holds(case: &FieldCase) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut world = Restarts { redis: RedisServer::start(), folder, pushed: 0 };
    let mut gateway = world.start(case);
    for (payload, line) in case.accepted {
        world.check(&gateway, payload, line);
    }
    let is_staying = |line: &String| !case.leaving.iter().any(|begin| line.contains(begin));
    let staying =
        |gateway: &Gateway| lines(gateway).into_iter().filter(is_staying).collect::<Vec<String>>();
    let before = staying(&gateway);
    for (payload, reason) in case.refused {
        let known = gateway.scrape().rejected(reason);
        world.send(&gateway, payload);
        let rejected = gateway.scrape().rejected(reason) - known;
        assert_eq!(rejected, 1, "{payload}: {reason}");
    }
    assert_eq!(staying(&gateway), before, "what is refused changes nothing");

    gateway.signal("TERM");
    let status = gateway.wait_at_most(Duration::from_secs(30));
    assert!(status.success(), "{status}: {:?}", gateway.log());
    let gateway = world.start(case);
    world.pushed = 0;
    assert_eq!(staying(&gateway), before, "after the restart");
    for (payload, line) in case.restarted {
        world.check(&gateway, payload, line);
    }
    for begin in case.leaving {
        wait_for(&format!("{begin}to leave"), || {
            let shown = lines(&gateway);
            if shown.iter().any(|line| line.starts_with(begin)) {
                Err(format!("{shown:?}"))
            } else {
                Ok(())
            }
        });
    }
}
