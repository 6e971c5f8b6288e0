//! The queue of a pipeline: a list in Redis, or one that the gateway itself is.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rand::Rng;

use crate::cluster_key::partition_key;
use crate::doors::queue::QueuePusher;
use crate::doors::{Doors, statsd};
use crate::fatal::FatalSignal;
use crate::self_metrics::partitions::{PartKind, PartitionMetrics};
use crate::self_metrics::{QueueMetrics, SelfMetrics};
use crate::settings::{PipelineSettings, QueueSettings};
use crate::source::embedded::EmbeddedQueue;
use crate::source::redis::once::Duty;
use crate::source::redis::{ListPusher, RedisQueue};
use crate::stop::StopSignal;

/// The largest frame that is taken: those of routers are far smaller, but for one whose
/// delta alone is large.
const MOST_FRAME_BYTES: usize = 16 << 20;

#[derive(Debug, Clone)]
pub(super) enum Queue {
    Redis(RedisQueue),
    Partitioned(PartitionedQueue),
    Embedded(EmbeddedQueue),
}

/// A queue in partitions, of which a process routes one and is the home of another.
#[derive(Debug, Clone)]
pub(super) struct PartitionedQueue {
    pub(super) routers: RedisQueue,
    pub(super) homes: RedisQueue,
}

impl Queue {
    /// The queue of the settings, watched or listening.
    pub(super) fn open(
        settings: &PipelineSettings,
        metrics: &SelfMetrics,
        fatal: &FatalSignal,
        stop: &StopSignal,
    ) -> io::Result<Self> {
        let max_payload_bytes = settings.intake.payload.max_payload_bytes;
        if let (Some(partitions), Some(of_partitions)) =
            (settings.queue.partitions, &metrics.partitions)
        {
            let queue = PartitionedQueue {
                routers: RedisQueue::of_partitions(
                    (Duty::Router, partitions.count),
                    &settings.queue,
                    max_payload_bytes,
                    &metrics.queue,
                    fatal,
                ),
                homes: RedisQueue::of_partitions(
                    (Duty::Home, partitions.count),
                    &settings.queue,
                    MOST_FRAME_BYTES,
                    &of_partitions.home_queue,
                    fatal,
                ),
            };
            queue.watch(of_partitions, stop);
            return Ok(Queue::Partitioned(queue));
        }
        let metrics = Arc::clone(&metrics.queue);
        if let Some(embedded) = &settings.embedded {
            let (queue, stop) = (&settings.queue, stop.clone());
            let queue = EmbeddedQueue::start(embedded, queue, max_payload_bytes, metrics, stop)?;
            return Ok(Queue::Embedded(queue));
        }
        let queue = RedisQueue::new(&settings.queue, max_payload_bytes, metrics, fatal.clone());
        actix::spawn(queue.monitor(stop.clone()));
        Ok(Queue::Redis(queue))
    }

    /// The doors that lead to it; StatsD is listened for, where it is wanted.
    pub(super) fn doors(
        &self,
        settings: &PipelineSettings,
        metrics: &SelfMetrics,
        stop: &StopSignal,
    ) -> io::Result<Arc<Doors>> {
        let to_list = |settings: &QueueSettings| {
            QueuePusher::Redis(Arc::new(ListPusher::new(settings, Arc::clone(&metrics.queue))))
        };
        let pusher = match self {
            Queue::Redis(_) => to_list(&settings.queue),
            Queue::Partitioned(_) => to_list(&of_one_partition(&settings.queue)),
            Queue::Embedded(queue) => QueuePusher::Embedded(queue.clone()),
        };
        let intake = &settings.intake;
        let doors = Arc::new(Doors::new(pusher, Arc::clone(&metrics.doors), intake));
        if let Some(settings) = &settings.statsd {
            let max_values = intake.payload.max_values;
            statsd::start(settings, max_values, Arc::clone(&doors), stop.clone())?;
        }
        Ok(doors)
    }

    /// Where producers connect to, where that is us and not a Unix socket.
    pub(super) fn listens_on(&self) -> Option<SocketAddr> {
        match self {
            Queue::Redis(_) | Queue::Partitioned(_) => None,
            Queue::Embedded(queue) => queue.address(),
        }
    }

    /// What is wrong with it, if anything.
    pub(super) fn trouble(&self, metrics: &SelfMetrics) -> Option<String> {
        match self {
            Queue::Redis(queue) => trouble_of(queue, &metrics.queue),
            // Its partition is one thing, and ready is who shows totals.
            Queue::Partitioned(queue) => {
                let home = metrics.partitions.as_ref()?;
                trouble_of(&queue.homes, &home.home_queue)
            }
            Queue::Embedded(_) => None,
        }
    }
}

impl PartitionedQueue {
    /// Asks how long the queues are that are taken, and notes which these are.
    fn watch(&self, metrics: &Arc<PartitionMetrics>, stop: &StopSignal) {
        for (queue, part) in [(&self.routers, PartKind::Intake), (&self.homes, PartKind::Home)] {
            actix::spawn(queue.monitor(stop.clone()));
            let (mut taken, metrics) = (queue.taken(), Arc::clone(metrics));
            actix::spawn(async move {
                // Who could tell has gone, and all else with it.
                let Ok(taken) = taken.wait_for(Option::is_some).await else { return };
                taken.iter().for_each(|partition| metrics.own(part, *partition));
            });
        }
    }
}

/// The queue as a producer has it: one of the partitions, at random, for as long as the
/// process lives, since within a partition samples stay in their order.
fn of_one_partition(settings: &QueueSettings) -> QueueSettings {
    let count = settings.partitions.map_or(1, |partitions| partitions.count.get());
    let key = partition_key(&settings.key, rand::rng().random_range(0..count));
    QueueSettings { key, ..settings.clone() }
}

fn trouble_of(queue: &RedisQueue, metrics: &QueueMetrics) -> Option<String> {
    queue.trouble().or_else(|| {
        let is_up = metrics.up.load(Ordering::Relaxed);
        (!is_up).then(|| "redis has not answered yet".to_owned())
    })
}
