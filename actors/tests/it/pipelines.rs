//! Two pipelines in one process: each counts what came on its own queue, and
//! each ends without the other.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::stream;
use psg_actors::pipeline::{Pipeline, PipelineHandle, RunningPipeline, Totals};
use psg_actors::scrape::{ScrapeError, ScrapeRequest, Selection};
use psg_actors::settings::{
    DeadLetterSettings, EmbeddedSettings, ListenAddress, OnceTuning, PipelineSettings,
    QueueSettings, RedisTarget, ScrapeSettings, ShardSettings, StateFileSettings,
};
use psg_actors::status::StaticInfo;
use psg_engine::catalog::CatalogSettings;
use psg_engine::exposition::Format;
use psg_engine::intake::IntakeSettings;
use psg_engine::store::{Filter, StoreSettings};
use tempfile::TempDir;

use crate::server::{PATIENCE, RedisServer};

/// The time between two looks at what is shown.
const LOOK: Duration = Duration::from_millis(5);

fn settings(key: &str) -> PipelineSettings {
    PipelineSettings {
        queue: QueueSettings {
            redis: RedisTarget::default(),
            key: key.to_owned(),
            workers: 1,
            pop_count: None,
            once: None,
            partitions: None,
            max_bytes_in_flight: 2 << 20,
            dead_letters: DeadLetterSettings { key: String::new(), max_length: 0, max_bytes: 0 },
        },
        embedded: None,
        catalog: CatalogSettings::default(),
        intake: IntakeSettings { cache_series: 1000, ..IntakeSettings::default() },
        store: StoreSettings::default(),
        shards: ShardSettings { count: 2, inbox_capacity: 16 },
        scrape: ScrapeSettings {
            exact_first_increment: false,
            disable_meta_metrics: false,
            max_unsent_bytes: 1 << 20,
            linger: Duration::ZERO,
        },
        state_file: None,
        expose_payloads: true,
        statsd: None,
    }
}

/// With a queue of its own, and a state file in that folder.
fn embedded(key: &str, folder: &TempDir) -> PipelineSettings {
    let embedded = EmbeddedSettings {
        listen: ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 0))),
        login: None,
        max_queue_bytes: 1 << 20,
        max_client_bytes: 1 << 20,
        push_timeout: PATIENCE,
        max_connections: 10,
        idle_timeout: None,
        tls: None,
    };
    let path = folder.path().join(key);
    let state_file = StateFileSettings { path, interval: Duration::from_secs(60) };
    PipelineSettings { embedded: Some(embedded), state_file: Some(state_file), ..settings(key) }
}

/// With a list of that server, as its one owner.
fn owner(key: &str, server: &RedisServer) -> PipelineSettings {
    let mut settings = settings(key);
    settings.queue.redis.endpoints = vec![server.endpoint()];
    settings.queue.once = Some(OnceTuning {
        checkpoint_interval: Duration::from_secs(1),
        lease: Duration::from_secs(10),
    });
    settings
}

/// A pipeline, and who pushes to its queue.
struct Running {
    pipeline: RunningPipeline,
    handle: PipelineHandle,
    key: String,
    producer: redis::Connection,
}

impl Running {
    async fn start(settings: PipelineSettings, server: Option<&RedisServer>) -> Self {
        let key = settings.queue.key.clone();
        let pipeline = Pipeline::open(settings, StaticInfo::default()).unwrap();
        let (handle, address) = (pipeline.handle(), pipeline.listens_on());
        let pipeline = pipeline.start().await.unwrap();
        let producer = match (server, address) {
            (Some(server), _) => server.connect(),
            (None, address) => {
                let url = format!("redis://{}", address.unwrap());
                redis::Client::open(url).unwrap().get_connection().unwrap()
            }
        };
        Self { pipeline, handle, key, producer }
    }

    /// Adds to the counter that all pipelines have.
    fn push(&mut self, value: u32) {
        let payload = format!(r#"{{"name":"n_total","value":{value}}}"#);
        let pushed = redis::cmd("LPUSH").arg(&self.key).arg(payload).query(&mut self.producer);
        let _: i64 = pushed.unwrap();
    }

    async fn shows(&self, total: u32) {
        let line = format!("n_total {total}\n");
        let begun = Instant::now();
        loop {
            let shown = scrape(&self.handle).await.unwrap_or_else(|error| error.to_string());
            if shown.contains(&line) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "expected {line}, got {shown}");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn end(self) -> Totals {
        let hurry = pin!(stream::pending());
        let totals = self.pipeline.drain(hurry).await.unwrap().close().unwrap();
        // Whoever still holds the handle is answered, if not with a scrape.
        assert!(matches!(scrape(&self.handle).await, Err(ScrapeError::Stopping)));
        assert!(self.handle.cardinality().is_err());
        assert!(self.handle.unready().is_some());
        totals
    }
}

async fn scrape(handle: &PipelineHandle) -> Result<String, ScrapeError> {
    let selection = Selection { page: Format::Text.into(), filter: Filter::default() };
    let request = ScrapeRequest { selection, scraper: None, deadline: None };
    let scraped = handle.scrape(request).await?;
    Ok(String::from_utf8(scraped.exposition.pieces.concat()).unwrap())
}

/// Both count apart, and the second one goes on after the first has ended.
async fn side_by_side(mut first: Running, mut second: Running) {
    for value in 1..=10 {
        first.push(value);
        second.push(10 * value);
    }
    first.shows(55).await;
    second.shows(550).await;
    assert_eq!(first.end().await, Totals { processed: 10, rejected: 0 });
    second.push(450);
    second.shows(1000).await;
    assert_eq!(second.end().await, Totals { processed: 11, rejected: 0 });
}

#[actix_rt::test]
async fn two_embedded_queues() {
    let folder = tempfile::tempdir().unwrap();
    let first = Running::start(embedded("first", &folder), None).await;
    let second = Running::start(embedded("second", &folder), None).await;
    side_by_side(first, second).await;
    // What each has kept is its own, and its lock is free again.
    let first = Running::start(embedded("first", &folder), None).await;
    first.shows(55).await;
    first.end().await;
}

#[actix_rt::test]
async fn two_owned_lists_of_one_redis() {
    let server = RedisServer::start(&[]);
    let start = |key| Running::start(owner(key, &server), Some(&server));
    side_by_side(start("first").await, start("second").await).await;
    let second = start("second").await;
    second.shows(1000).await;
    second.end().await;
}
