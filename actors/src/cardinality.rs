//! Cardinality, as `/api/v1/cardinality` answers it: which metrics have the most
//! series, and which label names the most distinct values. Asked of the shards
//! when somebody wants to know; nothing is kept for it.

use std::sync::Arc;

use psg_engine::cardinality::{LabelName, LabelValues};
use psg_engine::catalog::{Catalog, Family};
use serde::Serialize;

use crate::shard::ShardMessage;
use crate::shard_set::{ShardSet, ShardsGone};

/// The path under which it is served.
pub const PATH: &str = "/api/v1/cardinality";

/// Metrics, and label names, in an answer.
const LISTED: usize = 20;

#[derive(Debug, Serialize)]
pub struct Cardinality {
    /// Series that have a place in the counts.
    pub series: usize,
    /// Bytes of their labels, of the counts of histograms, and of what is kept of
    /// each metric.
    pub series_bytes: usize,
    /// How many these may be (`Metrics.MaxSeriesBytes`); `null` where they are not
    /// bounded.
    pub max_series_bytes: Option<usize>,
    /// Metric names in use.
    pub families: usize,
    /// The metrics with the most series, most first.
    pub metrics: Vec<MetricCardinality>,
    /// The label names with the most distinct values, most first.
    pub labels: Vec<LabelName>,
    /// Labels that were not counted, since there are too many names.
    pub labels_not_counted: u64,
}

#[derive(Debug, Serialize)]
pub struct MetricCardinality {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its series; a histogram or a summary counts as one.
    pub series: usize,
}

impl Cardinality {
    /// Asks the catalog and all shards. Waits for these, so it is not for
    /// threads on which something else depends.
    pub fn ask(catalog: &Catalog, shards: &ShardSet) -> Result<Self, ShardsGone> {
        let mut found = LabelValues::default();
        for part in shards.ask(|reply| ShardMessage::Survey { reply })? {
            found.merge(part?);
        }
        Ok(Self {
            series: catalog.live_series(),
            series_bytes: catalog.series_bytes(),
            max_series_bytes: catalog.limits().bounded_bytes(),
            families: catalog.families(),
            metrics: catalog.largest(LISTED).into_iter().map(MetricCardinality::from).collect(),
            labels: found.most(LISTED),
            labels_not_counted: found.left_out(),
        })
    }
}

impl From<(usize, Arc<Family>)> for MetricCardinality {
    fn from((series, family): (usize, Arc<Family>)) -> Self {
        Self { name: family.name().to_owned(), kind: family.kind().as_str(), series }
    }
}
