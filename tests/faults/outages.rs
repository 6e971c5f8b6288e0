//! Outages: Redis away, back, with something else under the key. The gateway
//! serves all the time and goes on by itself.

use std::time::Duration;

use psg_testkit::redis::QUEUE;
use psg_testkit::{
    GatewayBuilder, RedisOptions, RedisServer, Rig, following, wait_for, wait_until,
};

#[test]
fn redis_absent_at_the_start() {
    let mut redis = RedisServer::down(RedisOptions::default());
    let gateway = GatewayBuilder::reading(&redis).start_unready();
    assert_eq!(gateway.scrape().value("prom_stream_gateway_redis_up", &[]), Some(0.0));
    assert_eq!(gateway.must_get("/", &[]).text(), "ok");
    let ready = gateway.must_get("/-/ready", &[]);
    assert_eq!(ready.status, 503);
    assert!(!ready.text().trim().is_empty(), "the reason is told");

    redis.go_up();
    redis.push(&[r#"{"name":"late_total","value":1}"#]);
    let seen = gateway.scrape_after(1);
    assert_eq!(seen.value("late_total", &[]), Some(1.0));
    wait_until("ready", || gateway.must_get("/-/ready", &[]).status == 200);
    wait_until("redis_up", || {
        gateway.scrape().value("prom_stream_gateway_redis_up", &[]) == Some(1.0)
    });
}

#[test]
fn redis_restarted() {
    let mut rig = Rig::start();
    rig.send(&[r#"{"name":"n_total","value":1}"#]);
    rig.redis.go_down();
    wait_until("not ready", || rig.gateway.must_get("/-/ready", &[]).status == 503);
    let seen = rig.gateway.scrape_until("redis_up to fall", |seen| {
        seen.value("prom_stream_gateway_redis_up", &[]) == Some(0.0)
    });
    assert_eq!(seen.value("n_total", &[]), Some(1.0), "what is counted stays");
    assert_eq!(rig.gateway.must_get("/-/healthy", &[]).status, 200);

    rig.redis.go_up();
    let seen = rig.send(&[r#"{"name":"n_total","value":1}"#]);
    assert_eq!(seen.value("n_total", &[]), Some(2.0));
    wait_until("ready", || rig.gateway.must_get("/-/ready", &[]).status == 200);
    let seen = rig.gateway.scrape();
    assert!(seen.sum("prom_stream_gateway_redis_reconnects_total") >= 1.0);
    assert!(seen.sum("prom_stream_gateway_redis_errors_total") >= 1.0);
}

#[test]
fn redis_restarted_time_and_again() {
    let mut rig = Rig::with(&[("Redis__MetricQueueWorkers", "3")]);
    for round in 1..=4 {
        let seen = rig.send(&[r#"{"name":"n_total","value":1}"#; 50]);
        assert_eq!(seen.value("n_total", &[]), Some(f64::from(round * 50)));
        rig.redis.go_down();
        rig.redis.go_up();
    }
}

#[test]
fn connections_cut_by_the_server_lose_nothing() {
    let mut rig = Rig::start();
    for _ in 0..5 {
        rig.send(&[r#"{"name":"n_total","value":1}"#]);
        let cut: usize = rig.redis.run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        assert!(cut > 0, "the gateway was connected");
    }
    let seen = rig.send(&[r#"{"name":"n_total","value":1}"#]);
    assert_eq!(seen.value("n_total", &[]), Some(6.0));
}

#[test]
fn something_else_under_the_key() {
    let mut rig = Rig::start();
    rig.send(&[r#"{"name":"n_total","value":1}"#]);
    rig.redis.run::<()>(&["SET", QUEUE, "not a list"]);
    wait_for("the wrong type to be counted", || {
        let seen = rig.gateway.scrape();
        let name = "prom_stream_gateway_redis_errors_total";
        let counted = seen.value(name, &[("kind", "wrong_type")]).unwrap_or(0.0);
        if counted > 0.0 { Ok(()) } else { Err(format!("{:?}", seen.family(name))) }
    });
    let log = rig.gateway.log();
    assert!(log.len() < 50, "{} lines of log for one fault", log.len());
    let value: String = rig.redis.run(&["GET", QUEUE]);
    assert_eq!(value, "not a list", "the gateway leaves it alone");

    rig.redis.run::<()>(&["DEL", QUEUE]);
    let seen = rig.send(&[r#"{"name":"n_total","value":1}"#]);
    assert_eq!(seen.value("n_total", &[]), Some(2.0));
}

#[test]
fn something_else_under_the_key_from_the_start() {
    let redis = RedisServer::start();
    redis.run::<()>(&["SET", QUEUE, "not a list"]);
    let gateway = GatewayBuilder::reading(&redis).start_unready();
    wait_until("the wrong type to be counted", || {
        let name = "prom_stream_gateway_redis_errors_total";
        gateway.scrape().value(name, &[("kind", "wrong_type")]).unwrap_or(0.0) > 0.0
    });
    redis.run::<()>(&["DEL", QUEUE]);
    redis.push(&[r#"{"name":"n_total","value":1}"#]);
    gateway.scrape_after(1);
}

#[test]
fn a_replica_that_is_made_master_is_read() {
    let mut master = RedisServer::start();
    let replica = following(&master);
    master.go_down();
    let gateway = GatewayBuilder::reading(&replica).start_unready();
    gateway.scrape_until("the replica to be told from a master", |seen| {
        let name = "prom_stream_gateway_redis_errors_total";
        seen.value(name, &[("kind", "not_primary")]).unwrap_or(0.0) > 0.0
    });
    assert_eq!(gateway.must_get("/-/ready", &[]).status, 503);
    replica.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    replica.push(&[r#"{"name":"n_total","value":1}"#]);
    gateway.scrape_after(1);
}

#[test]
fn a_failover_is_followed() {
    let mut master = RedisServer::start();
    let replica = following(&master);
    let connection = format!("{},{}", master.address(), replica.address());
    let gateway = GatewayBuilder::connecting(&connection).start();
    master.push(&[r#"{"name":"n_total","value":1}"#]);
    gateway.scrape_after(1);
    master.go_down();
    replica.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    replica.push(&[r#"{"name":"n_total","value":1}"#]);
    let seen = gateway.scrape_after(2);
    assert_eq!(seen.value("n_total", &[]), Some(2.0));
}

#[test]
fn two_servers_that_change_places_are_followed() {
    let master = RedisServer::start();
    let replica = following(&master);
    let gateway = GatewayBuilder::reading(&master).start();
    master.push(&[r#"{"name":"n_total","value":1}"#]);
    gateway.scrape_after(1);
    replica.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    master.run::<()>(&["REPLICAOF", "127.0.0.1", &replica.port().to_string()]);
    replica.push(&[r#"{"name":"n_total","value":1}"#]);
    let seen = gateway.scrape_after(2);
    assert_eq!(seen.value("n_total", &[]), Some(2.0));
}

#[test]
fn a_redis_that_hangs_is_noticed_and_taken_up_again() {
    let mut rig = Rig::start();
    rig.send(&[r#"{"name":"n_total","value":1}"#]);
    rig.redis.pause();
    rig.gateway.scrape_until("redis_up to fall", |seen| {
        seen.value("prom_stream_gateway_redis_up", &[]) == Some(0.0)
    });
    assert_eq!(rig.gateway.must_get("/-/ready", &[]).status, 503);
    rig.redis.resume();
    let seen = rig.send(&[r#"{"name":"n_total","value":1}"#]);
    assert_eq!(seen.value("n_total", &[]), Some(2.0));
    wait_until("ready", || rig.gateway.must_get("/-/ready", &[]).status == 200);
}

#[test]
fn a_stop_while_redis_hangs() {
    let mut rig = Rig::start();
    rig.send(&[r#"{"name":"n_total","value":1}"#]);
    rig.redis.pause();
    rig.gateway.signal("TERM");
    let status = rig.gateway.wait_at_most(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn redis_out_of_memory_is_emptied() {
    let mut rig = Rig::start();
    rig.send(&[r#"{"name":"n_total","value":1}"#]);
    // BLMOVE on an empty list is refused from here on; RPOP is not.
    rig.redis.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let cut: usize = rig.redis.run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    assert!(cut > 0, "the gateway was connected");
    wait_until("the gateway to be back", || {
        let clients: String = rig.redis.run(&["CLIENT", "LIST"]);
        clients.lines().count() > 1
    });
    rig.redis.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    rig.push(&[r#"{"name":"n_total","value":1}"#; 100]);
    rig.redis.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let seen = rig.send::<&str>(&[]);
    assert_eq!(seen.value("n_total", &[]), Some(101.0));
}
