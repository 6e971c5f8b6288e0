//! Routers that own their partitions in Redis, as gateways do: what is pushed to any
//! partition is at the home of its name once, whatever happens to them.

use std::time::{Duration, Instant};

use psg_actors::checkpoint_requests::checkpoint_requests;
use psg_actors::cluster_key::partition_key;
use psg_actors::fatal::FatalSignal;
use psg_actors::partition::Router;
use psg_actors::self_metrics::SelfMetrics;
use psg_actors::self_metrics::partitions::RouterFigures;
use psg_actors::serving_gate::ServingGate;
use psg_actors::settings::{DeadLetterSettings, OnceTuning, QueueSettings, RedisTarget};
use psg_actors::source::redis::RedisQueue;
use psg_actors::source::redis::once::{Duty, Holding, OnceSettings, ShutdownHandshake};
use psg_actors::stop::{Stopper, stop_signal};
use psg_engine::catalog::{Catalog, CatalogSettings};
use redis::Commands;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{sleep, timeout};

use super::harness::{KEY, P, delivered, name, on_its_thread, partitions, settings};
use crate::server::{PATIENCE, RedisServer};

const LEASE: Duration = Duration::from_secs(2);
const CHECKPOINTS: Duration = Duration::from_millis(100);

/// A process that takes a router's lease, or stands by.
struct Process {
    stopper: Stopper,
    router: JoinHandle<()>,
}

impl Process {
    fn start(server: &RedisServer) -> Self {
        let (stopper, stop) = stop_signal();
        let catalog = Catalog::new(CatalogSettings::default());
        let metrics = SelfMetrics::new(1, 1, catalog.clone(), KEY, "exactly-once", false);
        let figures = RouterFigures::new(partitions()).into();
        let router = settings(server.endpoint(), &metrics, &catalog, figures, stop.clone());
        let router = Router::new(router);
        let split = (Duty::Router, partitions());
        let fatal = FatalSignal::default();
        let queue =
            RedisQueue::of_partitions(split, &of_queue(server), 100_000, &metrics.queue, &fatal);
        let (release, released) = stop_signal();
        // Nothing is shown that would have to be held back.
        release.stop();
        let once = OnceSettings {
            checkpoint_interval: CHECKPOINTS,
            lease: LEASE,
            holding: Holding::default(),
            gate: ServingGate::closed(),
            dead_letters: None,
            checkpoint_requests: checkpoint_requests().1,
            fatal,
            handshake: ShutdownHandshake { saved: stop_signal().0, release: released },
        };
        let keeping = queue.keep_lease(&once);
        let source = queue.once_source(once, router.memory(), metrics.workers[0].clone(), stop);
        let router = spawn_local(async move {
            tokio::select! {
                () = router.run(source) => {}
                () = keeping => {}
            }
        });
        Self { stopper, router }
    }

    /// As a process is stopped.
    async fn stop(self) {
        self.stopper.stop();
        timeout(PATIENCE, self.router).await.expect("it ends").unwrap();
    }

    /// As a process is killed.
    async fn kill(self) {
        self.router.abort();
        let _ = self.router.await;
    }
}

fn of_queue(server: &RedisServer) -> QueueSettings {
    QueueSettings {
        redis: RedisTarget { endpoints: vec![server.endpoint()], ..RedisTarget::default() },
        key: KEY.to_owned(),
        workers: 1,
        pop_count: Some(50),
        once: Some(OnceTuning { checkpoint_interval: CHECKPOINTS, lease: LEASE }),
        partitions: None,
        max_bytes_in_flight: 2 << 20,
        dead_letters: DeadLetterSettings { key: String::new(), max_length: 1, max_bytes: 1024 },
    }
}

/// Pushes elements of these numbers, each to another partition than the one before.
fn push(server: &RedisServer, numbers: std::ops::Range<u64>) {
    let mut redis = server.connect();
    for number in numbers {
        let key = partition_key(KEY, number as usize % P);
        let payload = format!(r#"{{"name":"{}","value":1}}"#, name(number));
        let _: () = redis.lpush(key, payload).unwrap();
    }
}

/// Waits until all of these are at their homes; each must be there once.
async fn until_delivered(server: &RedisServer, numbers: std::ops::Range<u64>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let times = delivered(server, numbers.clone());
        let doubled: Vec<usize> = (0..times.len()).filter(|at| times[*at] > 1).collect();
        assert!(doubled.is_empty(), "there twice: {doubled:?}");
        if times.iter().all(|times| *times == 1) {
            return;
        }
        let missing = times.iter().filter(|times| **times == 0).count();
        assert!(Instant::now() < deadline, "{missing} are missing");
        sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn what_is_pushed_to_any_partition_is_at_its_home_once() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        push(&server, 0..200);
        let first = Process::start(&server);
        let second = Process::start(&server);
        until_delivered(&server, 0..200).await;
        push(&server, 200..400);
        until_delivered(&server, 0..400).await;
        first.stop().await;
        second.stop().await;
        // All of it is covered: who starts again delivers nothing of it.
        push(&server, 400..420);
        let again = [Process::start(&server), Process::start(&server)];
        until_delivered(&server, 0..420).await;
        for process in again {
            process.stop().await;
        }
    });
}

#[test]
fn killed_and_cut_off_routers_double_nothing() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let mut processes: Vec<Process> = (0..P).map(|_| Process::start(&server)).collect();
        for round in 0..4 {
            let begin = round * 200;
            push(&server, begin..begin + 200);
            sleep(Duration::from_millis(30 * round)).await;
            if round % 2 == 0 {
                processes.remove(0).kill().await;
                processes.push(Process::start(&server));
            } else {
                let mut redis = server.connect();
                let mut cut = redis::cmd("CLIENT");
                cut.arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]);
                let _: u64 = cut.query(&mut redis).unwrap();
            }
        }
        until_delivered(&server, 0..800).await;
        for process in processes {
            process.stop().await;
        }
    });
}
