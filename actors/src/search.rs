//! Search, as `/api/v1/series` answers it: which metrics are called somehow, and
//! what their series hold. Asked of the shards when somebody wants to know;
//! nothing is kept for it.

use std::sync::Arc;

use psg_engine::catalog::{Catalog, Family};
use psg_engine::exposition::ValueJson;
use psg_engine::labels::SeriesLabels;
use psg_engine::store::{Found, FoundSeries, SearchOrder};
use serde::{Deserialize, Serialize, Serializer};

use crate::shard::ShardMessage;
use crate::shard_set::{ShardSet, ShardsGone};

/// The path under which it is served.
pub const PATH: &str = "/api/v1/series";

const METRICS: usize = 50;
/// Series in an answer, where nothing else is asked for.
const SERIES: usize = 100;
/// Series that may be asked for.
pub const MOST_SERIES: usize = 1000;
/// About how much all shards may answer together, in bytes.
const BYTES: usize = 4 << 20;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchQuestion {
    /// A part of metric names, in any letter case; or all of one, see `exact`.
    pub name: String,
    /// Whether `name` is all of the name.
    pub exact: bool,
    /// A part of the labels as `/metrics` prints them, in any letter case.
    pub labels: String,
    /// Series that are wanted at most; with 0 no shard is asked.
    pub limit: usize,
}

#[derive(Debug, Serialize)]
pub struct SearchAnswer {
    pub metrics_found: usize,
    /// The best of them: the one of this very name, then those that begin so,
    /// then those with the most series.
    pub metrics: Vec<MetricJson>,
    /// Series of these, in their order.
    pub series: Vec<SeriesJson>,
    /// Whether that are all series of these metrics with such labels.
    pub complete: bool,
}

#[derive(Debug, Serialize)]
pub struct MetricJson {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its help text; may be empty.
    pub help: String,
    /// Its unit; may be empty.
    pub unit: String,
    /// Its series; a histogram or a summary counts as one.
    pub series: usize,
}

#[derive(Debug, Serialize)]
pub struct SeriesJson {
    pub metric: String,
    pub labels: LabelsJson,
    /// Seconds since its last sample.
    pub idle_seconds: f64,
    #[serde(flatten)]
    pub value: ValueJson,
}

/// Labels, serialised as an object of names and values.
#[derive(Debug)]
pub struct LabelsJson(SeriesLabels);

impl Default for SearchQuestion {
    fn default() -> Self {
        Self { name: String::new(), exact: false, labels: String::new(), limit: SERIES }
    }
}

impl SearchAnswer {
    /// Asks the catalog and all shards. Waits for these, so it is not for
    /// threads on which something else depends.
    pub fn to(
        question: &SearchQuestion,
        catalog: &Catalog,
        shards: &ShardSet,
    ) -> Result<Self, ShardsGone> {
        let (metrics_found, families) = families(question, catalog);
        let found = series(question, families.clone(), shards)?;
        let shown = |found: FoundSeries| SeriesJson::new(&families[found.family], found);
        Ok(Self {
            metrics_found,
            metrics: families.iter().map(|family| MetricJson::new(family)).collect(),
            series: found.series.into_iter().map(shown).collect(),
            complete: !found.is_cut && metrics_found == families.len(),
        })
    }
}

/// How many metrics there are, and the best of them.
fn families(question: &SearchQuestion, catalog: &Catalog) -> (usize, Arc<[Arc<Family>]>) {
    if question.exact {
        let family: Arc<[_]> = catalog.get(&question.name).into_iter().collect();
        return (family.len(), family);
    }
    let (found, families) = catalog.matching(&question.name, METRICS);
    (found, families.into())
}

/// Series of all shards, in the order of the families and of the labels.
fn series(
    question: &SearchQuestion,
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
    let mut all = Found::default();
    for part in shards.ask(|reply| ShardMessage::Search { order: order.clone(), reply })? {
        let part = part?;
        all.series.extend(part.series);
        all.is_cut |= part.is_cut;
    }
    all.series.sort_by(|a, b| (a.family, &a.labels).cmp(&(b.family, &b.labels)));
    all.is_cut |= all.series.len() > limit;
    all.series.truncate(limit);
    Ok(all)
}

impl MetricJson {
    fn new(family: &Family) -> Self {
        Self {
            name: family.name().to_owned(),
            kind: family.kind().as_str(),
            help: family.help().to_owned(),
            unit: family.unit().to_owned(),
            series: family.live_series(),
        }
    }
}

impl SeriesJson {
    fn new(family: &Family, found: FoundSeries) -> Self {
        Self {
            metric: family.name().to_owned(),
            labels: LabelsJson(found.labels),
            idle_seconds: found.idle_ms as f64 / 1000.0,
            value: found.value,
        }
    }
}

impl Serialize for LabelsJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.pairs().iter())
    }
}
