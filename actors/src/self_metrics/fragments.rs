//! From the table of self-metrics to the gateway's own part of a scrape.

use std::sync::Arc;

use bytes::Bytes;
use psg_engine::catalog::Family;
use psg_engine::exposition::{Encoder, ShownSeries};
use psg_engine::merge::Fragment;
use psg_engine::metric::Shape;
use psg_engine::metric::summary::SummarySettings;
use psg_engine::timestamp::{Moment, UnixTime};

use super::SelfMetrics;
use super::lines::{Lines, Reading};
use super::process;
use super::table::{SELF_METRICS, SelfMetric};

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
    fn fragment(
        &self,
        encoder: &mut dyn Encoder,
        created: Option<UnixTime>,
        reading: &Reading<'_>,
    ) -> Option<Fragment> {
        let mut lines = Lines::default();
        (self.read)(reading, &mut lines);
        let plain = || Shape::new(self.kind, &[], &[], SummarySettings::default());
        let shape = lines.shape.unwrap_or_else(plain);
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
