//! From the table of self-metrics to the gateway's own part of a scrape.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use psg_engine::catalog::Family;
use psg_engine::exposition::{Encoder, ShownSeries};
use psg_engine::labels::{LabelRenderer, SeriesLabels};
use psg_engine::merge::Fragment;
use psg_engine::metric::Kind;
use psg_engine::metric::Shape;
use psg_engine::metric::Value;
use psg_engine::name::RESERVED_PREFIX;
use psg_engine::sample::{Label, Labels};
use psg_engine::timestamp::Moment;
use psg_engine::timestamp::UnixTime;

use super::histogram::AtomicHistogram;
use super::process::{self, ProcessFigures};
use super::table::{SELF_METRICS, SelfMetric};
use super::{SelfMetrics, WorkerMetrics};

/// Where the figures of one scrape are read from.
pub(super) struct Reading<'a> {
    pub(super) metrics: &'a SelfMetrics,
    /// Messages that wait in each shard's inbox.
    pub(super) inboxes: &'a [usize],
    pub(super) process: Option<ProcessFigures>,
}

/// The series of one self-metric.
#[derive(Default)]
pub(super) struct Lines {
    series: Vec<(SeriesLabels, Value)>,
    /// For histograms, whose buckets are the metric's own.
    shape: Option<Shape>,
    renderer: LabelRenderer,
}

impl SelfMetrics {
    /// The gateway's own part of a scrape, sorted by family name; its totals began
    /// with the process.
    pub fn fragments(
        &self,
        encoder: &mut dyn Encoder,
        inboxes: &[usize],
        created_timestamps: bool,
    ) -> Vec<Fragment> {
        let process = if self.only_info { None } else { process::read() };
        let started = process.map(|process| UnixTime::from_sample(process.start_seconds));
        let created = if created_timestamps { started } else { None };
        let reading = Reading { metrics: self, inboxes, process };
        let shown = SELF_METRICS.iter().filter(|metric| !self.only_info || metric.name == "info");
        let mut fragments: Vec<Fragment> =
            shown.filter_map(|metric| metric.fragment(encoder, created, &reading)).collect();
        fragments.sort_by(|left, right| left.family.name().cmp(right.family.name()));
        fragments
    }
}

impl SelfMetric {
    /// The name as it is exposed.
    pub fn full_name(&self) -> String {
        format!("{RESERVED_PREFIX}{}", self.name)
    }

    fn fragment(
        &self,
        encoder: &mut dyn Encoder,
        created: Option<UnixTime>,
        reading: &Reading<'_>,
    ) -> Option<Fragment> {
        let mut lines = Lines::default();
        (self.read)(reading, &mut lines);
        let shape = lines.shape.unwrap_or(match self.kind {
            Kind::Counter => Shape::Counter,
            Kind::Gauge | Kind::Histogram | Kind::Summary => Shape::Gauge,
        });
        let family = Family::standalone(&self.full_name(), self.help, shape);
        if lines.series.is_empty() {
            return None;
        }
        encoder.begin_family(&family);
        let (mut bytes, mut has_created) = (Vec::new(), false);
        for (labels, value) in &mut lines.series {
            let series = ShownSeries { labels: labels.pairs(), value, created, now: Moment(0) };
            has_created |= encoder.write_series(&mut bytes, &family, series);
        }
        Some(Fragment { family: Arc::new(family), chunks: vec![Bytes::from(bytes)], has_created })
    }
}

impl Reading<'_> {
    pub(super) fn per_worker(&self, lines: &mut Lines, count: fn(&WorkerMetrics) -> u64) {
        for (number, worker) in self.metrics.workers.iter().enumerate() {
            let labels = [("worker", &*number.to_string()), ("queueKey", &*self.metrics.queue_key)];
            lines.labelled(&labels, count(worker) as f64);
        }
    }
}

impl Lines {
    pub(super) fn plain(&mut self, value: f64) {
        self.labelled(&[], value);
    }

    /// Counters and gauges are written alike, so one kind of value serves both.
    pub(super) fn labelled(&mut self, labels: &[(&str, &str)], value: f64) {
        self.add(labels, Value::Gauge(value, UnixTime::MIN.into()));
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
        self.shape = Some(Shape::Histogram(histogram.layout()));
        self.add(&[], Value::Histogram(Box::new(histogram.read())));
    }

    pub(super) fn figure(&mut self, reading: &Reading<'_>, read: fn(&ProcessFigures) -> f64) {
        if let Some(process) = &reading.process {
            self.plain(read(process));
        }
    }

    fn add(&mut self, labels: &[(&str, &str)], value: Value) {
        let labels: Vec<Label<'_>> =
            labels.iter().map(|(name, value)| Label { name, value }).collect();
        self.series.push((self.renderer.canonical(Labels::from(&labels[..])).into(), value));
    }
}
