//! What the entries of the table of self-metrics read from, and write their
//! series into.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use psg_engine::labels::{LabelRenderer, SeriesLabels};
use psg_engine::metric::summary::SummarySettings;
use psg_engine::metric::{Kind, Shape, Value};
use psg_engine::sample::{Label, Labels};
use psg_engine::timestamp::UnixTime;

use super::histogram::AtomicHistogram;
use super::partitions::HomeFigures;
use super::process::ProcessFigures;
use super::{QueueMetrics, SelfMetrics, WorkerMetrics};

/// What the figures of one scrape are read from.
pub(super) struct Sources<'a> {
    pub(super) metrics: &'a SelfMetrics,
    /// Messages that wait in each shard's inbox.
    pub(super) inboxes: &'a [usize],
    pub(super) process: Option<ProcessFigures>,
}

pub(super) struct SelfSeries {
    pub(super) series: Vec<(SeriesLabels, Value)>,
    pub(super) shape: Shape,
    renderer: LabelRenderer,
}

impl Sources<'_> {
    pub(super) fn per_worker(&self, series: &mut SelfSeries, count: fn(&WorkerMetrics) -> u64) {
        for (number, worker) in self.metrics.workers.iter().enumerate() {
            let labels = [("worker", &*number.to_string()), ("queueKey", &*self.metrics.queue_key)];
            series.labelled(&labels, count(worker) as f64);
        }
    }
}

impl Sources<'_> {
    /// Of the router, a series for each home; none where there is no router.
    pub(super) fn per_home(&self, series: &mut SelfSeries, read: impl Fn(&HomeFigures) -> f64) {
        let Some(partitions) = self.metrics.routing() else { return };
        for (number, home) in partitions.router.homes.iter().enumerate() {
            series.labelled(&[("partition", &number.to_string())], read(home));
        }
    }

    pub(super) fn sum_over_queues(
        &self,
        series: &mut SelfSeries,
        count: fn(&QueueMetrics) -> &AtomicU64,
    ) {
        let queues = self.metrics.queues();
        series.sum(queues.iter().map(|(_, queue)| count(queue)));
    }
}

impl SelfSeries {
    pub(super) fn new(kind: Kind) -> Self {
        // A histogram brings another one, with its buckets.
        let shape = Shape::new(kind, &[], &[], SummarySettings::default());
        Self { series: Vec::new(), shape, renderer: LabelRenderer::default() }
    }

    pub(super) fn plain(&mut self, value: f64) {
        self.labelled(&[], value);
    }

    pub(super) fn labelled(&mut self, labels: &[(&str, &str)], value: f64) {
        let value = match self.shape {
            Shape::Counter => Value::Counter(value, 0.0),
            Shape::Gauge | Shape::Histogram(_) | Shape::Summary(_) => {
                Value::Gauge(value, UnixTime::MIN.into())
            }
        };
        self.add(labels, value);
    }

    pub(super) fn count(&mut self, count: &AtomicU64) {
        self.plain(count.load(Ordering::Relaxed) as f64);
    }

    pub(super) fn sum<'a>(&mut self, counts: impl Iterator<Item = &'a AtomicU64>) {
        let sum: u64 = counts.map(|count| count.load(Ordering::Relaxed)).sum();
        self.plain(sum as f64);
    }

    /// 1 where it is so, else 0.
    pub(super) fn flag(&mut self, labels: &[(&str, &str)], is_so: &AtomicBool) {
        self.labelled(labels, f64::from(u8::from(is_so.load(Ordering::Relaxed))));
    }

    pub(super) fn histogram(&mut self, histogram: &AtomicHistogram) {
        self.labelled_histogram(&[], histogram);
    }

    /// One of several of the same buckets.
    pub(super) fn labelled_histogram(
        &mut self,
        labels: &[(&str, &str)],
        histogram: &AtomicHistogram,
    ) {
        self.shape = Shape::Histogram(histogram.layout());
        self.add(labels, Value::Histogram(Box::new(histogram.read())));
    }

    pub(super) fn figure(&mut self, sources: &Sources<'_>, read: fn(&ProcessFigures) -> f64) {
        if let Some(process) = &sources.process {
            self.plain(read(process));
        }
    }

    fn add(&mut self, labels: &[(&str, &str)], value: Value) {
        let labels: Vec<Label<'_>> =
            labels.iter().map(|(name, value)| Label { name, value }).collect();
        self.series.push((self.renderer.canonical(Labels::from(&labels[..])).into(), value));
    }
}
