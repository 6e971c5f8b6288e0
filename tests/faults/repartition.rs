//! `repartition`: a queue gets another number of partitions, and the totals go to the
//! gateways that show them then.

use std::process::{Command, Output};
use std::time::Duration;

use psg_testkit::totals::Totals;
use psg_testkit::wait::wait_within;
use psg_testkit::{Gateway, GatewayBuilder, RedisOptions, RedisServer, binary, wait_until};

use super::chaos::proxy::{Cut, Proxy};
use super::chaos::scraper::totals_at;
use psg_testkit::redis::QUEUE;

const SETTLING: Duration = Duration::from_secs(60);

/// What the scripts say of themselves, in the order in which they run.
const STEPS: [&[u8]; 5] = [
    b"Takes a record over while no gateway runs",
    b"Writes segments ahead of a new layout",
    b"Notes something beside a record",
    b"Changes a record of one layout",
    b"Gives the queue back",
];

fn persistent() -> RedisServer {
    RedisServer::with(RedisOptions { persistent: true, ..Default::default() })
}

fn gateway(address: &str, partitions: usize) -> GatewayBuilder {
    GatewayBuilder::connecting(address)
        .set("Redis__Delivery", "exactly-once")
        .set("Redis__MetricQueuePartitions", partitions.to_string())
        .set("Redis__PartitionFlushMs", "50")
        .set("Redis__LeaseSeconds", "2")
        .set("Redis__CheckpointIntervalSeconds", "1")
}

/// As many gateways as there are partitions.
struct Fleet(Vec<Gateway>);

impl Fleet {
    fn start(address: &str, partitions: usize) -> Self {
        Self((0..partitions).map(|_| gateway(address, partitions).start()).collect())
    }

    /// All that is shown; each series by one of them.
    fn totals(&self) -> Result<Totals, String> {
        let mut all = Totals::new();
        for gateway in &self.0 {
            let shown = totals_at(gateway.port()).ok_or("one does not show totals")?;
            for (key, total) in shown {
                if all.insert(key.clone(), total).is_some() {
                    return Err(format!("{key} is on two gateways"));
                }
            }
        }
        Ok(all)
    }

    fn await_totals(&self, expected: &Totals) {
        wait_within(SETTLING, "the totals", || {
            let found = self.totals()?;
            if &found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        });
    }

    fn stop(self) {
        for mut gateway in self.0 {
            gateway.signal("TERM");
            let status = gateway.wait_at_most(Duration::from_secs(60));
            assert_eq!(status.code(), Some(0), "{:?}", gateway.log());
        }
    }
}

/// Twelve counters, pushed to so many partitions; what they come to.
fn push(redis: &RedisServer, partitions: usize, totals: &mut Totals) {
    for number in 0..12 {
        let partition = number % partitions;
        let key = if partition == 0 { QUEUE.to_owned() } else { format!("{QUEUE}:{partition}") };
        let name = format!("n{number}_total");
        redis.push_to(0, &key, &[format!(r#"{{"name":"{name}","value":1}}"#)]);
        *totals.entry(format!("{name}{{}}")).or_default() += 1.0;
    }
}

fn run(address: &str, to: usize) -> Output {
    let mut command = Command::new(binary());
    command.env_clear().args(["repartition", "--to", &to.to_string()]);
    command.env("Redis__ConnectionString", address).env("Redis__Delivery", "exactly-once");
    command.output().expect("the command starts")
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

fn succeed(address: &str, to: usize) -> String {
    let output = run(address, to);
    assert!(output.status.success(), "--to {to}: {}", said(&output));
    said(&output)
}

#[test]
fn totals_go_where_they_will_be_shown() {
    let redis = persistent();
    let (address, mut totals) = (redis.address(), Totals::new());
    assert!(succeed(&address, 3).contains("nothing is stored yet"));
    let mut before = 1;
    for partitions in [1, 3, 2, 4, 1] {
        if partitions != before {
            let text = succeed(&address, partitions);
            assert!(text.contains("12 series are at their homes"), "{text}");
            assert!(succeed(&address, partitions).contains("already"));
        }
        let fleet = Fleet::start(&address, partitions);
        if !totals.is_empty() {
            fleet.await_totals(&totals);
        }
        push(&redis, partitions, &mut totals);
        fleet.await_totals(&totals);
        fleet.stop();
        before = partitions;
    }
    let keys: Vec<String> = redis.run(&["KEYS", "*"]);
    let foreign: Vec<&String> =
        keys.iter().filter(|key| key.contains("home") || key.contains(":1")).collect();
    assert!(foreign.is_empty(), "of partitions that have gone: {foreign:?}");
}

/// A gateway that is told another number than is stored ends, and says what to do; and
/// while one runs nothing is moved.
#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    let redis = persistent();
    let (address, mut totals) = (redis.address(), Totals::new());
    let fleet = Fleet::start(&address, 2);
    push(&redis, 2, &mut totals);
    fleet.await_totals(&totals);
    let refused = run(&address, 3);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("stop all gateways"), "{}", said(&refused));
    fleet.stop();
    for told in [1, 3] {
        let refused = gateway(&address, told).finish();
        assert_eq!(refused.code(), 78, "{}", refused.output());
        let advice = format!("prom-stream-gateway repartition --to {told}");
        assert!(refused.output().contains(&advice), "{}", refused.output());
    }
    redis.push_to(0, &format!("{QUEUE}:1"), &["{}"]);
    let refused = run(&address, 1);
    assert!(said(&refused).contains("is not empty"), "{}", said(&refused));
    // Nothing has changed.
    let fleet = Fleet::start(&address, 2);
    fleet.await_totals(&totals);
    fleet.stop();
    succeed(&address, 1);
    let fleet = Fleet::start(&address, 1);
    fleet.await_totals(&totals);
    fleet.stop();
}

#[test]
fn interrupted_at_any_step_it_goes_on() {
    let redis = persistent();
    let (direct, mut totals) = (redis.address(), Totals::new());
    let proxy = Proxy::start(redis.port());
    let address = proxy.address();
    let fleet = Fleet::start(&direct, 1);
    push(&redis, 1, &mut totals);
    fleet.await_totals(&totals);
    fleet.stop();
    let mut partitions = 1;
    for (at, words) in STEPS.into_iter().enumerate() {
        for cut in [Cut::Before, Cut::Behind] {
            let to = [2, 3, 1][(at + usize::from(cut == Cut::Behind)) % 3];
            if to == partitions {
                continue;
            }
            proxy.trap(words, cut);
            let interrupted = run(&address, to);
            wait_until(&format!("the step: {}", said(&interrupted)), || proxy.has_sprung());
            let text = succeed(&direct, to);
            assert!(text.contains("partitions"), "{text}");
            partitions = to;
        }
        let fleet = Fleet::start(&direct, partitions);
        fleet.await_totals(&totals);
        push(&redis, partitions, &mut totals);
        fleet.await_totals(&totals);
        fleet.stop();
    }
}
