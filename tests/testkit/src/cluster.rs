//! A real Redis Cluster: primaries with a replica each. Nodes may announce another
//! port than their own, that of a proxy before them.

use redis::FromRedisValue;

use super::process::free_port;
use super::redis::{RedisOptions, RedisServer};
use super::wait::{wait_for, wait_within};
use std::time::{Duration, Instant};

/// How many slots a cluster has.
const SLOTS: usize = 16_384;
/// How long nodes may take to agree.
const AGREEMENT: Duration = Duration::from_secs(60);
/// After so long a replica has given up taking the place of its primary.
const GIVEN_UP: Duration = Duration::from_secs(6);
/// For so long the others do not vote about a primary again: twice the node timeout.
const VOTED: Duration = Duration::from_secs(31);
/// Keys that one command moves to another node.
const KEYS_AT_ONCE: &str = "100";

/// Nodes that know each other; the first half of them were the primaries at first.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
    primaries: usize,
    /// When its replica has last taken the place of each node.
    replaced: Vec<Option<Instant>>,
}

/// A node that is not up yet: where it listens, and what it may say of that.
#[derive(Debug)]
pub struct Place {
    /// Its own port.
    pub port: u16,
    /// The one that it tells clients.
    pub announced: u16,
}

impl RedisCluster {
    /// So many primaries, with a replica each, whose data outlives them.
    pub fn start(primaries: usize) -> Self {
        Self::behind(primaries, |port| port)
    }

    /// The same, each telling clients the port that `announced` makes of its own.
    pub fn behind(primaries: usize, mut announced: impl FnMut(u16) -> u16) -> Self {
        let node = |_| {
            let port = free_port();
            let place = Place { port, announced: announced(port) };
            RedisServer::with(RedisOptions {
                cluster: true,
                persistent: true,
                place: Some(place),
                ..Default::default()
            })
        };
        let nodes: Vec<RedisServer> = (0..2 * primaries).map(node).collect();
        let cluster = Self { replaced: vec![None; nodes.len()], nodes, primaries };
        cluster.assemble();
        cluster
    }

    fn assemble(&self) {
        let (primaries, replicas) = self.nodes.split_at(self.primaries);
        for (number, node) in primaries.iter().enumerate() {
            let bound = |number: usize| number * SLOTS / self.primaries;
            let (first, last) = (bound(number).to_string(), (bound(number + 1) - 1).to_string());
            node.run::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            node.run::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        for node in &self.nodes[1..] {
            let (port, bus) = (node.port().to_string(), node.bus_port().to_string());
            self.nodes[0].run::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let ids: Vec<String> = primaries.iter().map(RedisServer::cluster_id).collect();
        for (replica, id) in replicas.iter().zip(&ids) {
            wait_within(AGREEMENT, "the replica to know its primary", || {
                replica.try_run::<()>(&["CLUSTER", "REPLICATE", id])
            });
        }
        self.wait_until_whole();
    }

    /// Waits until every slot is served, and every replica follows.
    pub fn wait_until_whole(&self) {
        for node in &self.nodes {
            wait_within(AGREEMENT, "the cluster to be up", || {
                let info: String = node.try_run(&["CLUSTER", "INFO"])?;
                let known = format!("cluster_known_nodes:{}\r", self.nodes.len());
                let is_whole = info.contains("cluster_state:ok") && info.contains(&known);
                if is_whole { Ok(()) } else { Err(info) }
            });
            wait_within(AGREEMENT, "the replica to follow", || {
                let state: String = node.try_run(&["INFO", "replication"])?;
                let is_one = state.contains("role:slave");
                let follows = state.contains("master_link_status:up");
                if follows || !is_one { Ok(()) } else { Err(state) }
            });
        }
    }

    /// Every node: the primaries at first, then their replicas.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The same, to stop and start them.
    pub fn nodes_mut(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }

    /// `host:port` of all, as in a connection string.
    pub fn addresses(&self) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(RedisServer::address).collect();
        addresses.join(",")
    }

    /// The slot of a key.
    pub fn slot_of(&self, key: &str) -> u16 {
        self.nodes
            .iter()
            .find_map(|node| node.try_run(&["CLUSTER", "KEYSLOT", key]).ok())
            .expect("a node is up")
    }

    /// The node that serves a key now.
    pub fn primary_of(&self, key: &str) -> usize {
        wait_for("some node to serve the key", || {
            let serves = |node: &RedisServer| {
                node.try_run::<String>(&["TYPE", key]).is_ok() && node.is_primary()
            };
            self.nodes.iter().position(serves).ok_or_else(|| "none does".to_owned())
        })
    }

    /// Runs a command at the node that serves `key`.
    pub fn run<T: FromRedisValue>(&self, key: &str, words: &[&str]) -> T {
        wait_for("the node of the key to answer", || {
            self.nodes[self.primary_of(key)].try_run(words)
        })
    }

    /// Puts the replica of that primary in its place, without losing anything; the
    /// one that is the primary now. Asked for too early, the replica would be refused, and
    /// not try again for a minute.
    pub fn fail_over(&mut self, primary: usize) -> usize {
        let replaced = self.replaced[primary];
        wait_within(VOTED, "the others to vote about it again", || match replaced {
            Some(at) if at.elapsed() < VOTED => Err("it was just replaced".to_owned()),
            Some(_) | None => Ok(()),
        });
        let id = self.nodes[primary].cluster_id();
        let replica = wait_within(AGREEMENT, "a replica of it", || {
            let follows = |node: &RedisServer| {
                let mine: String = node.try_run(&["CLUSTER", "NODES"])?;
                let line = mine.lines().find(|line| line.contains("myself"));
                let is_there =
                    line.is_some_and(|line| line.contains(&id) && line.contains("slave"));
                Ok::<bool, String>(is_there)
            };
            let found = self.nodes.iter().position(|node| follows(node) == Ok(true));
            found.ok_or_else(|| "none follows it".to_owned())
        });
        let node = &self.nodes[replica];
        let mut asked: Option<Instant> = None;
        wait_within(AGREEMENT, "the replica to take its place", || {
            if node.is_primary() {
                return Ok(());
            }
            // Asked again it begins anew; it gives up by itself after five seconds.
            if asked.is_none_or(|asked| asked.elapsed() > GIVEN_UP) {
                node.try_run::<()>(&["CLUSTER", "FAILOVER"])?;
                asked = Some(Instant::now());
            }
            Err("it was only asked".to_owned())
        });
        self.replaced[primary] = Some(Instant::now());
        replica
    }

    /// Moves the slot of `key` to another primary while it is used.
    pub fn reshard(&self, key: &str, to: usize) {
        let (from, slot) = (self.primary_of(key), self.slot_of(key).to_string());
        if from == to {
            return;
        }
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let (source_id, target_id) = (source.cluster_id(), target.cluster_id());
        target.run::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id]);
        source.run::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id]);
        loop {
            let keys: Vec<String> = source.run(&["CLUSTER", "GETKEYSINSLOT", &slot, KEYS_AT_ONCE]);
            if keys.is_empty() {
                break;
            }
            let port = target.port().to_string();
            let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            words.extend(keys.iter().map(String::as_str));
            source.run::<()>(&words);
        }
        for node in [target, source].into_iter().chain(&self.nodes) {
            if node.is_primary() {
                node.run::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &target_id]);
            }
        }
    }
}
