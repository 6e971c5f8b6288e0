//! From the table of self-metrics to the gateway's own part of a scrape.

use std::sync::Arc;

use psg_engine::catalog::Family;
use psg_engine::exposition::{FragmentWriter, ShownSeries};
use psg_engine::timestamp::{Moment, UnixTime};

use super::SelfMetrics;
use super::process;
use super::series::{SelfSeries, Sources};
use super::table::SELF_METRICS;

impl SelfMetrics {
    /// Writes the gateway's own part of a scrape; its totals began with the
    /// process.
    pub fn write_fragments(
        &self,
        writer: &mut FragmentWriter,
        inboxes: &[usize],
        created_timestamps: bool,
    ) {
        let process = if self.only_info { None } else { process::read() };
        let started = process.map(|process| UnixTime::from_sample(process.start_seconds));
        let created = if created_timestamps { started } else { None };
        let sources = Sources { metrics: self, inboxes, process };
        let mut shown: Vec<_> =
            SELF_METRICS.iter().filter(|it| !self.only_info || it.name == "info").collect();
        shown.sort_by_key(|metric| metric.name);
        for metric in shown {
            let mut series = SelfSeries::new(metric.kind);
            (metric.read)(&sources, &mut series);
            let family = Family::standalone(&metric.full_name(), metric.help, series.shape);
            writer.begin_family(&Arc::new(family));
            for (labels, value) in &mut series.series {
                let (labels, now) = (labels.pairs(), Moment(0));
                writer.write(ShownSeries { labels, value, created, exemplars: None, now });
            }
        }
    }
}
