//! A queue in three partitions on a real cluster: gateways are killed and stopped,
//! answers are lost, nodes restart and fail over, slots move, while producers push
//! anywhere. At the end every total is exactly what was pushed, each series is on one
//! gateway, and none ever fell.
//!
//! `PSG_CHAOS_KILLS` and `PSG_CHAOS_SEED` are as in `chaos`.

mod arena;

use std::time::Duration;

use rand::Rng;

use super::chaos::arena::faults;
use super::chaos::proxy::{CLAIM, COMMIT, Cut, STAGE};
use arena::{DELIVER, ENTER, PARTITIONS, PartitionArena};

/// Everything that may happen, one after another at random.
#[test]
fn whatever_happens_each_sample_counts_once() {
    let mut arena = PartitionArena::start();
    let faults = faults(10);
    for fault in 1..=faults {
        eprintln!("fault {fault} of {faults}");
        arena.go_on(600);
        match arena.random.random_range(0..8) {
            0 | 1 => arena.kill_a_gateway(),
            2 => arena.stop_a_gateway_past_its_lease(),
            3 | 4 => lose_an_answer(&mut arena),
            5 => arena.reshard(),
            6 => arena.fail_over(),
            _ => arena.restart_a_node(),
        }
        arena.all_up();
    }
    arena.judge();
}

fn lose_an_answer(arena: &mut PartitionArena) {
    let words = [ENTER, DELIVER, DELIVER, STAGE, COMMIT, CLAIM][arena.random.random_range(0..6)];
    let cut = [Cut::Before, Cut::Behind, Cut::Late][arena.random.random_range(0..3)];
    // A script that is not run at this node in the time is not waited for.
    let node = arena.random.random_range(0..PARTITIONS);
    arena.trap(node, words, cut);
    arena.go_on(1500);
}

/// Whoever serves keeps serving while one node is away, and catches up behind it.
#[test]
fn a_node_that_is_away_stops_its_own_partition_alone() {
    let mut arena = PartitionArena::start();
    arena.wait_until_served();
    let away = arena.random.random_range(0..PARTITIONS);
    arena.cluster.nodes()[away].pause();
    arena.wait_until_some_are_served(PARTITIONS - 1);
    arena.wait_until_totals_rise();
    arena.cluster.nodes()[away].resume();
    arena.go_on(500);
    arena.judge();
}

/// One stands by for all three, and takes what becomes free.
#[test]
fn a_standby_takes_over_what_a_killed_gateway_had() {
    let mut arena = PartitionArena::start();
    for _ in 0..2 {
        arena.wait_until_served();
        let owner = arena.an_owner();
        arena.kill(owner);
        // It is not started again before somebody else has its series.
        arena.wait_until_served_without(owner, Duration::from_secs(60));
        arena.all_up();
    }
    arena.judge();
}
