//! More than one Redis: Sentinels that put another in the place of the primary,
//! and nodes of a cluster.

use std::time::Duration;

use psg_testkit::redis::QUEUE;
use psg_testkit::wait::wait_within;
use psg_testkit::{
    GatewayBuilder, RedisOptions, RedisServer, Sentinel, following, wait_for, wait_until,
};

const ONE: &str = r#"{"name":"n_total","value":1}"#;

/// How long a failover may take, with all that finds out about it.
const FAILOVER: Duration = Duration::from_secs(90);

/// The primary hangs amid a backlog, with pops in flight; a replica takes its
/// place; then it goes on.
#[test]
fn the_former_primary_is_not_read_after_a_failover() {
    let master = RedisServer::start();
    let replica = following(&master);
    let sentinel = Sentinel::watching(&master);
    sentinel.fails_over_within(Duration::from_secs(1));
    // Each element takes its time, so that the backlog does, too.
    let element = format!("[{}]", vec![ONE; 50].join(","));
    let connection = format!("{},serviceName=mymaster", sentinel.address());
    master.push(&vec![&element; 15_000]);
    wait_until("the replica to have all of it", || replica.pending() == 15_000);
    let gateway = GatewayBuilder::connecting(&connection)
        .set("Redis__MetricQueueWorkers", "1")
        .start_unready();
    gateway.scrape_until("something to be taken", |seen| seen.totals().0 > 0);
    master.pause();
    assert!(replica.pending() > 0, "it is taken too fast for this test");
    // Sentinel ends the connections of a server whose part it changes.
    wait_within(FAILOVER, "the replica to be the primary and drained", || {
        let role: Vec<::redis::Value> = replica.try_run(&["ROLE"])?;
        let is_primary = role.first() == Some(&::redis::Value::BulkString(b"master".to_vec()));
        let pending: u64 = replica.try_run(&["LLEN", QUEUE])?;
        if is_primary && pending == 0 { Ok(()) } else { Err(format!("{pending} wait")) }
    });
    wait_within(FAILOVER, "the gateway to wait for more", || {
        let clients: String = replica.try_run(&["INFO", "clients"])?;
        if clients.contains("blocked_clients:1") { Ok(()) } else { Err(clients) }
    });
    let (processed, _) = gateway.scrape().totals();
    master.resume();
    wait_within(FAILOVER, "the former primary to be a replica", || {
        let role: String = master.try_run(&["INFO", "replication"])?;
        if role.contains("role:slave") { Ok(()) } else { Err(role) }
    });
    assert_eq!(gateway.scrape().totals(), (processed, 0), "its copy is counted a second time");
    replica.push(&[ONE]);
    gateway.scrape_until("one more", |seen| seen.totals() == (processed + 1, 0));
}

/// Two nodes; the first one has all slots.
fn cluster() -> [RedisServer; 2] {
    let node = || RedisServer::with(RedisOptions { cluster: true, ..Default::default() });
    let nodes = [node(), node()];
    nodes[0].own_all_slots_beside(&nodes[1]);
    nodes
}

#[test]
fn dead_letters_are_written_to_the_node_that_has_their_list() {
    let [first, second] = cluster();
    let slot = first.run::<u32>(&["CLUSTER", "KEYSLOT", "dead"]).to_string();
    let ids = [&first, &second].map(|node| node.run::<String>(&["CLUSTER", "MYID"]));
    second.run::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[0]]);
    for node in [&second, &first] {
        node.run::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &ids[1]]);
    }
    let gateway = GatewayBuilder::reading(&first).set("Redis__DeadLetterKey", "dead").start();
    first.push(&[ONE, "no JSON"]);
    gateway.scrape_after(2);
    wait_for("the letter", || {
        let letters: Vec<String> = second.run(&["LRANGE", "dead", "0", "-1"]);
        if letters == ["no JSON"] { Ok(()) } else { Err(gateway.log().join("\n")) }
    });
}
