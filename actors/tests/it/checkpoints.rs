//! Checkpoints through real shards: a snapshot is what was sent before it.

use std::sync::Arc;
use std::time::Duration;

use psg_actors::accounts::Accounts;
use psg_actors::checkpoint::{Checkpoints, TakenSnapshot};
use psg_actors::clock::{Clock, UnixClock};
use psg_actors::self_metrics::SelfMetrics;
use psg_actors::settings::ShardSettings;
use psg_actors::shard::{ExposeOrder, ShardMessage, ShardReply};
use psg_actors::shard_set::{ShardSet, ShardThreads};
use psg_engine::catalog::Catalog;
use psg_engine::exposition::Format;
use psg_engine::intake::{Intake, IntakeSettings};
use psg_engine::series::ReaderIndex;
use psg_engine::sharding::SEGMENTS;
use psg_engine::store::{SharedTombstones, Store, StoreSettings};
use psg_engine::timestamp::UnixTime;
use tokio::sync::mpsc::unbounded_channel;

const SERIES: usize = 3000;

/// Shards, and what a reader and a checkpoint need to work with them.
struct Gateway {
    shards: ShardSet,
    threads: ShardThreads,
    checkpoints: Checkpoints,
    intake: Intake,
    unix: UnixClock,
}

impl Gateway {
    fn start(count: usize) -> Self {
        let catalog = Catalog::default();
        let metrics =
            Arc::new(SelfMetrics::new(1, count, catalog.clone(), "queue", "at-most-once", false));
        let (clock, unix) = (Clock::start(), UnixClock::start());
        let store = |shard| {
            let shared = SharedTombstones::default();
            let mut store = Store::new(StoreSettings::default(), shared, shard);
            store.watch_changes();
            store
        };
        let settings = ShardSettings { count, inbox_capacity: 4 };
        let accounts = Accounts::new(&metrics, &catalog, false, None);
        let (shards, threads) = ShardSet::start(settings, metrics.clone(), &accounts, clock, store)
            .expect("threads start");
        let checkpoints = Checkpoints::new(
            shards.clone(),
            catalog.clone(),
            (clock, unix.clone()),
            [1; 16],
            metrics.checkpoints.clone(),
        );
        let intake = Intake::new(
            IntakeSettings { cache_series: 10_000, ..IntakeSettings::default() },
            catalog,
            shards.count(),
            ReaderIndex(0),
        );
        Self { shards, threads, checkpoints, intake, unix }
    }

    /// Adds 1 to each of the counters.
    async fn add_to_all(&mut self) {
        for batch in (0..SERIES).collect::<Vec<_>>().chunks(500) {
            for number in batch {
                let payload =
                    format!(r#"{{"name":"c_total","value":1,"labels":{{"n":{number}}}}}"#);
                self.intake.route(payload.as_bytes(), |_, reject| panic!("{reject:?}"));
            }
            for request in self.intake.define_requests() {
                let (keys, asked) = request.ask();
                #[expect(clippy::disallowed_methods, reason = "it holds one answer")]
                let (reply, mut answer) = unbounded_channel();
                let define = ShardMessage::Define { reader: ReaderIndex(0), keys, reply };
                self.shards.send(asked.shard, define).expect("shards run");
                match answer.recv().await.expect("shards answer") {
                    ShardReply::Defined(defined) => self.intake.answer(asked, defined.answers),
                    ShardReply::Expired(expired) => panic!("{expired:?}"),
                }
            }
            let updates = self.intake.finish().updates;
            for (shard, updates) in self.shards.count().all().zip(updates) {
                self.shards.send(shard, ShardMessage::Apply(updates)).expect("shards run");
            }
        }
    }

    async fn snapshot(&mut self, all: bool) -> TakenSnapshot {
        let pending = self.checkpoints.begin(all).expect("shards run");
        tokio::time::timeout(Duration::from_secs(20), pending.collect())
            .await
            .expect("in time")
            .expect("shards answer")
    }

    /// The values of all counters.
    fn totals(&self) -> Vec<f64> {
        let parts = self
            .shards
            .request(|reply| ShardMessage::Expose {
                order: ExposeOrder::plain(Format::Text.into(), Catalog::default()),
                reply,
            })
            .expect("shards run");
        let mut text = Vec::new();
        for _ in self.shards.count().all() {
            let part = parts.recv_timeout(Duration::from_secs(20)).expect("shards answer");
            let chunks = part.fragments.into_iter().flat_map(|fragment| fragment.chunks);
            chunks.for_each(|chunk| text.extend_from_slice(&chunk));
        }
        let text = String::from_utf8(text).expect("UTF-8");
        let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse().ok());
        text.lines().map(|line| value(line).expect("a value")).collect()
    }

    fn end(self) {
        let Self { shards, threads, checkpoints, intake, .. } = self;
        drop((shards, checkpoints, intake));
        threads.join();
    }
}

/// The clock was five minutes ahead, and was set right while no gateway ran.
#[tokio::test]
async fn a_gauge_is_not_kept_by_a_clock_that_was_ahead_before_the_restart() {
    let now = UnixClock::start().now().micros();
    let ahead = UnixTime::from_micros(now + 300_000_000);
    let mut first = Gateway::start(1);
    first.unix.go_on_from(ahead);
    let taken = first.snapshot(true).await;
    let mut second = Gateway::start(1);
    second.checkpoints.load(taken.head, &taken.segments, true).await.expect("it was just written");
    assert!(second.unix.now() >= ahead, "what is taken now is newer than what was");
    first.end();
    second.end();
}

#[tokio::test]
async fn a_snapshot_is_what_was_sent_before_it() {
    let mut gateway = Gateway::start(3);
    gateway.add_to_all().await;
    let pending = gateway.checkpoints.begin(true).expect("shards run");
    gateway.add_to_all().await;
    gateway.add_to_all().await;
    let taken = pending.collect().await.expect("shards answer");
    assert_eq!(gateway.totals(), vec![3.0; SERIES]);
    assert_eq!(taken.segments.len() as u64, SEGMENTS);

    let mut other = Gateway::start(2);
    let loaded =
        other.checkpoints.load(taken.head, &taken.segments, true).await.expect("as written");
    assert_eq!((loaded.restored.series, loaded.left_out.len()), (SERIES, 0));
    assert_eq!(other.totals(), vec![1.0; SERIES]);
    // The segments that came are not changed by having come.
    assert_eq!(other.snapshot(false).await.segments, []);
    other.end();

    // And into the same shards, in place of what they have.
    gateway.checkpoints.clear().await.expect("shards run");
    assert!(gateway.totals().is_empty());
    gateway.checkpoints.load(taken.head, &taken.segments, true).await.expect("as written");
    assert_eq!(gateway.totals(), vec![1.0; SERIES]);
    gateway.end();
}

#[tokio::test]
async fn what_was_never_committed_comes_again() {
    let mut gateway = Gateway::start(2);
    gateway.add_to_all().await;
    let first = gateway.snapshot(false).await;
    assert!(first.segments.len() > 900, "{}", first.segments.len());
    let second = gateway.snapshot(false).await;
    assert_eq!(second.segments.len(), first.segments.len());
    gateway.checkpoints.committed(first.number).expect("shards run");
    assert_eq!(gateway.snapshot(false).await.segments.len(), first.segments.len());
    let last = gateway.snapshot(false).await;
    gateway.checkpoints.committed(last.number).expect("shards run");
    assert_eq!(gateway.snapshot(false).await.segments, []);
    gateway.end();
}

/// A snapshot that was sent before the shards are let go is still answered.
#[tokio::test]
async fn shards_answer_before_they_end() {
    let mut gateway = Gateway::start(2);
    gateway.add_to_all().await;
    let pending = gateway.checkpoints.begin(true).expect("shards run");
    gateway.end();
    assert_eq!(pending.collect().await.expect("shards answer").segments.len() as u64, SEGMENTS);
}
