//! Search, as `/api/v1/series` answers it: which metrics are called somehow, and
//! what their series hold. Asked of the shards when somebody wants to know;
//! nothing is kept for it.

use std::sync::Arc;

use psg_engine::catalog::{Catalog, Family};
use psg_engine::exposition::number::{self, Notation};
use psg_engine::labels::SeriesLabels;
use psg_engine::metric::Shape;
use psg_engine::store::{Found, FoundSeries, FoundValue, SearchOrder};
use serde::{Deserialize, Serialize, Serializer};

use crate::shard_set::{ShardSet, ShardsGone};

/// The path under which it is served.
pub const PATH: &str = "/api/v1/series";

/// Metrics that are told.
const METRICS: usize = 50;
/// Series that are told where nothing else is asked for.
const SERIES: usize = 100;
/// Series that may be asked for.
pub const MOST_SERIES: usize = 1000;
/// About how much all shards may answer together, in bytes.
const BYTES: usize = 4 << 20;

/// What is looked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Question {
    /// A part of metric names, in any letter case; or all of one, see `exact`.
    pub name: String,
    /// Whether `name` is all of the name.
    pub exact: bool,
    /// A part of the labels as `/metrics` prints them, in any letter case.
    pub labels: String,
    /// Series that are wanted at most; with 0 no shard is asked.
    pub limit: usize,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// Metrics that are called so.
    pub metrics_found: usize,
    /// The best of them: the one of this very name, then those that begin so,
    /// then those with the most series.
    pub metrics: Vec<FoundMetric>,
    /// Series of these, in their order.
    pub series: Vec<ShownSeries>,
    /// Whether that are all series of these metrics with such labels.
    pub complete: bool,
}

/// A metric that is called so.
#[derive(Debug, Serialize)]
pub struct FoundMetric {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its help text; may be empty.
    pub help: String,
    /// Its series; a histogram or a summary counts as one.
    pub series: usize,
}

/// A series, and what it holds.
#[derive(Debug, Serialize)]
pub struct ShownSeries {
    /// The metric's name.
    pub metric: String,
    /// Names and values.
    pub labels: Labels,
    /// Seconds since its last sample.
    pub idle_seconds: f64,
    /// What it holds.
    #[serde(flatten)]
    pub value: ShownValue,
}

/// What a series holds. Numbers that need not be finite are texts, as `/metrics`
/// prints them.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ShownValue {
    /// Of a counter or a gauge.
    Number {
        /// The number.
        value: Box<str>,
    },
    /// Of a histogram.
    Histogram {
        /// Observations.
        count: u64,
        /// Their sum.
        sum: Box<str>,
        /// How many are at or below each bound.
        buckets: Vec<Bucket>,
    },
    /// Of a summary.
    Summary {
        /// Observations.
        count: u64,
        /// Their sum.
        sum: Box<str>,
        /// Over the sliding window.
        quantiles: Vec<Quantile>,
    },
}

/// A bucket of a histogram.
#[derive(Debug, Serialize)]
pub struct Bucket {
    le: Box<str>,
    count: u64,
}

/// A quantile of a summary.
#[derive(Debug, Serialize)]
pub struct Quantile {
    quantile: Box<str>,
    value: Box<str>,
}

/// Labels, serialised as an object of names and values.
#[derive(Debug)]
pub struct Labels(SeriesLabels);

impl Default for Question {
    fn default() -> Self {
        Self { name: String::new(), exact: false, labels: String::new(), limit: SERIES }
    }
}

impl Answer {
    /// Asks the catalog and all shards. Waits for these, so it is not for
    /// threads on which something else depends.
    pub fn to(
        question: &Question,
        catalog: &Catalog,
        shards: &ShardSet,
    ) -> Result<Self, ShardsGone> {
        let (metrics_found, families) = families(question, catalog);
        let found = series(question, families.clone(), shards)?;
        let shown = |found: FoundSeries| ShownSeries::new(&families[found.family], found);
        Ok(Self {
            metrics_found,
            metrics: families.iter().map(|family| FoundMetric::new(family)).collect(),
            series: found.series.into_iter().map(shown).collect(),
            complete: !found.is_cut && metrics_found == families.len(),
        })
    }
}

/// How many metrics there are, and the best of them.
fn families(question: &Question, catalog: &Catalog) -> (usize, Arc<[Arc<Family>]>) {
    if question.exact {
        let family: Arc<[_]> = catalog.get(&question.name).into_iter().collect();
        return (family.len(), family);
    }
    let (found, families) = catalog.matching(&question.name, METRICS);
    (found, families.into())
}

/// Series of all shards, in the order of the families and of the labels.
fn series(
    question: &Question,
    families: Arc<[Arc<Family>]>,
    shards: &ShardSet,
) -> Result<Found, ShardsGone> {
    if question.limit == 0 || families.is_empty() {
        return Ok(Found { series: Vec::new(), is_cut: !families.is_empty() });
    }
    let limit = question.limit.min(MOST_SERIES);
    let count = shards.count().get();
    let labels = question.labels.as_str().into();
    let order = SearchOrder { families, labels, series: limit, bytes: BYTES / count };
    let parts = shards.search(&order)?;
    let mut all = Found::default();
    for _ in 0..count {
        let part = parts.recv().map_err(|_| ShardsGone)?;
        all.series.extend(part.series);
        all.is_cut |= part.is_cut;
    }
    all.series.sort_by(|a, b| (a.family, &a.labels).cmp(&(b.family, &b.labels)));
    all.is_cut |= all.series.len() > limit;
    all.series.truncate(limit);
    Ok(all)
}

impl FoundMetric {
    fn new(family: &Family) -> Self {
        Self {
            name: family.name().to_owned(),
            kind: family.kind().as_str(),
            help: family.help().to_owned(),
            series: family.live_series(),
        }
    }
}

impl ShownSeries {
    fn new(family: &Family, found: FoundSeries) -> Self {
        Self {
            metric: family.name().to_owned(),
            labels: Labels(found.labels),
            idle_seconds: found.idle_ms as f64 / 1000.0,
            value: ShownValue::new(family, found.value),
        }
    }
}

impl ShownValue {
    fn new(family: &Family, value: FoundValue) -> Self {
        match value {
            FoundValue::Number(number) => Self::Number { value: text(number) },
            FoundValue::Histogram { count, sum, cumulative } => {
                let bounds = match family.shape() {
                    Shape::Histogram(layout) => layout.bounds(),
                    Shape::Counter | Shape::Gauge | Shape::Summary(_) => &[],
                };
                let bounds = bounds.iter().chain(&[f64::INFINITY]);
                let buckets = bounds.zip(cumulative);
                let buckets = buckets.map(|(bound, count)| Bucket { le: text(*bound), count });
                Self::Histogram { count, sum: text(sum), buckets: buckets.collect() }
            }
            FoundValue::Summary { count, sum, quantiles } => {
                let objectives = match family.shape() {
                    Shape::Summary(plan) => plan.objectives(),
                    Shape::Counter | Shape::Gauge | Shape::Histogram(_) => &[],
                };
                let quantiles = objectives.iter().zip(quantiles).map(|((rank, _), value)| {
                    Quantile { quantile: text(*rank), value: text(value) }
                });
                Self::Summary { count, sum: text(sum), quantiles: quantiles.collect() }
            }
        }
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.pairs().iter())
    }
}

fn text(value: f64) -> Box<str> {
    number::text_of(value, Notation::Plain)
}
