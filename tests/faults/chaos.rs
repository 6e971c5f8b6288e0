//! Chaos: the real binary and a real Redis, which are killed, cut off, stopped,
//! filled up and set back, while producers push and a scraper watches. At the
//! end every total is exactly what was pushed, and none ever fell.
//!
//! `PSG_CHAOS_KILLS` sets how many faults there are (20 by default);
//! `PSG_CHAOS_SEED` repeats a run as far as the machine allows.

pub mod arena;
mod at_most_once;
pub mod proxy;
pub mod scraper;

use std::time::Duration;

use rand::Rng;

use psg_testkit::{RedisOptions, RedisServer, wait_for, wait_until};

use arena::{Arena, faults};
use proxy::{CLAIM, COMMIT, Cut, Proxy, STAGE};

fn persistent() -> RedisServer {
    RedisServer::with(RedisOptions { persistent: true, ..Default::default() })
}

fn arena(gateways: usize) -> Arena {
    let redis = persistent();
    let address = redis.address();
    Arena::new(redis, &address, gateways)
}

/// Through a proxy that can cut its connections.
fn arena_behind_a_proxy(gateways: usize) -> (Arena, Proxy) {
    let redis = persistent();
    let proxy = Proxy::start(redis.port());
    let address = proxy.address();
    (Arena::new(redis, &address, gateways), proxy)
}

#[test]
fn gateways_are_killed_at_any_moment() {
    let (mut arena, proxy) = arena_behind_a_proxy(2);
    for _ in 0..faults(20) {
        let owner = arena.wait_until_served();
        let moment = arena.random.random_range(0..5);
        let trap = match moment {
            0 => Some((STAGE, Cut::Never)),
            1 => Some((COMMIT, Cut::Before)),
            2 => Some((COMMIT, Cut::Never)),
            _ => None,
        };
        match trap {
            Some((words, cut)) => {
                proxy.trap(words, cut);
                wait_until("the moment in the checkpoint", || proxy.has_sprung());
            }
            None => arena.go_on(700),
        }
        if let Some(gateway) = &mut arena.gateways[owner] {
            gateway.kill();
        }
        arena.all_up();
    }
    arena.judge();
}

#[test]
fn connections_are_cut_at_any_moment() {
    let (mut arena, proxy) = arena_behind_a_proxy(1);
    for _ in 0..faults(15) {
        arena.wait_until_served();
        let words = [STAGE, COMMIT, COMMIT, CLAIM][arena.random.random_range(0..4)];
        let cut = [Cut::Before, Cut::Behind, Cut::Late][arena.random.random_range(0..3)];
        if arena.random.random_ratio(1, 5) {
            arena.go_on(300);
            proxy.cut_all();
            continue;
        }
        proxy.trap(words, cut);
        wait_until("the moment to cut", || proxy.has_sprung());
    }
    arena.judge();
}

#[test]
fn redis_is_killed_and_comes_back_with_its_file() {
    let mut arena = arena(1);
    for _ in 0..faults(4) {
        arena.wait_until_served();
        arena.go_on(600);
        arena.redis.go_down();
        arena.go_on(200);
        arena.redis.go_up();
        arena.go_on_for_batches(50);
    }
    arena.judge();
}

#[test]
fn redis_comes_back_from_an_earlier_copy() {
    let mut arena = arena(1);
    for _ in 0..faults(2) {
        arena.wait_until_served();
        arena.go_on(1500);
        let copy = arena.redis.copy_data();
        arena.go_on_for_batches(100);
        arena.go_on(1500);
        arena.scraper.expect_loss();
        arena.redis.go_down();
        arena.redis.restore_data(&copy);
        arena.redis.go_up();
        arena.go_on_for_batches(50);
        let reloaded = "prom_stream_gateway_checkpoint_reloads_total";
        wait_for("the gateway to load what Redis has", || {
            arena.all_up();
            let gateway = arena.gateways[0].as_ref().ok_or("it is down")?;
            let seen = gateway.try_scrape()?;
            let reloads = seen.value(reloaded, &[]);
            if reloads > Some(0.0) { Ok(()) } else { Err(format!("{reloads:?}")) }
        });
        arena.scraper.loss_is_over();
        // The next round's reload is told from this one's by a new process.
        arena.gateways[0] = None;
        arena.all_up();
    }
    arena.judge();
}

#[test]
fn a_replica_that_lags_is_promoted() {
    let mut master = persistent();
    let replica = RedisServer::with(RedisOptions {
        replica_of: Some(master.port()),
        persistent: true,
        ..Default::default()
    });
    let connection = format!("{},{}", master.address(), replica.address());
    let mut arena = Arena::pushing_to(master.port(), replica, &connection, 1);
    arena.go_on_for_batches(200);
    arena.go_on(1500);
    wait_for("the replica to have a copy", || {
        let state: String = arena.redis.run(&["INFO", "replication"]);
        let owners: Vec<String> = arena.redis.run(&["KEYS", "*:owner"]);
        let has_copy = state.contains("master_link_status:up") && !owners.is_empty();
        if has_copy { Ok(()) } else { Err(state) }
    });
    // From here on the replica has nothing new: it lags.
    arena.redis.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    arena.go_on_for_batches(100);
    arena.go_on(1500);
    arena.scraper.expect_loss();
    master.go_down();
    arena.producers.go_to(arena.redis.port());
    arena.go_on_for_batches(50);
    arena.wait_until_served();
    arena.scraper.loss_is_over();
    arena.judge();
}

#[test]
fn redis_is_filled_up() {
    let mut arena = arena(1);
    for _ in 0..faults(2) {
        arena.wait_until_served();
        arena.go_on(500);
        arena.redis.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        wait_for("the gateway to empty the queue at maxmemory", || {
            let waiting = arena.redis.pending();
            let lists: Vec<String> = arena.redis.run(&["KEYS", "*:work:*"]);
            if waiting == 0 && lists.is_empty() {
                Ok(())
            } else {
                Err(format!("{waiting} {lists:?}"))
            }
        });
        arena.redis.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
        arena.go_on_for_batches(50);
    }
    arena.judge();
}

#[test]
fn an_owner_is_stopped_past_its_lease_and_goes_on() {
    let mut arena = arena(2);
    for _ in 0..faults(3) {
        let owner = arena.wait_until_served();
        arena.go_on(500);
        arena.gateways[owner].as_ref().expect("it is up").signal("STOP");
        wait_for("the other one to take over", || {
            let taken_over = arena.other_shows_totals(owner);
            if taken_over { Ok(()) } else { Err("it does not".to_owned()) }
        });
        let stopped = arena.gateways[owner].as_mut().expect("it is up");
        stopped.signal("CONT");
        let status = stopped.wait_at_most(Duration::from_secs(20));
        assert_eq!(status.code(), Some(1), "who was displaced ends");
        arena.all_up();
    }
    arena.judge();
}

#[test]
fn an_owner_that_is_stopped_alone_goes_on() {
    let mut arena = arena(1);
    for _ in 0..faults(1) {
        arena.wait_until_served();
        let gateway = arena.gateways[0].as_ref().expect("it is up");
        gateway.signal("STOP");
        arena.go_on_for_batches(700);
        let gateway = arena.gateways[0].as_ref().expect("it is up");
        gateway.signal("CONT");
    }
    arena.judge();
}

#[test]
fn a_stranger_pops() {
    let mut arena = arena(1);
    for _ in 0..faults(100) {
        let count = arena.random.random_range(1..5);
        arena.stranger_pops(count);
        arena.go_on(20);
    }
    arena.judge_without_gauges();
}
