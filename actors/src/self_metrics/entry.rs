//! An entry of the table of self-metrics.

use psg_engine::metric::Kind;
use psg_engine::name::RESERVED_PREFIX;

use super::series::{SelfSeries, Sources};

/// One self-metric.
#[derive(Debug)]
pub struct SelfMetric {
    /// Its name without the prefix.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its label names.
    pub labels: &'static [&'static str],
    /// What it means and what to do about it.
    pub help: &'static str,
    pub(super) read: Read,
}

impl SelfMetric {
    /// The name as it is exposed.
    pub fn full_name(&self) -> String {
        format!("{RESERVED_PREFIX}{}", self.name)
    }
}

/// Reads the figures, and adds a series for each.
type Read = fn(&Sources<'_>, &mut SelfSeries);

pub(super) const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: Read,
) -> SelfMetric {
    SelfMetric { name, kind: Kind::Counter, labels, help, read }
}

pub(super) const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: Read,
) -> SelfMetric {
    SelfMetric { name, kind: Kind::Gauge, labels, help, read }
}

pub(super) const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: Read,
) -> SelfMetric {
    SelfMetric { name, kind: Kind::Histogram, labels, help, read }
}
