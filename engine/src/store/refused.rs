//! Samples that were let in and that their series can't take: told with what is known
//! of them here, since their bytes were given up where they were read.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::Series;
use crate::catalog::Family;
use crate::labels::SeriesLabels;
use crate::metric::native::NativeCounts;
use crate::metric::{GaugeOp, Observations};
use crate::reject::{Reason, Reject};
use crate::updates::ValueUpdate;

/// Those that were refused since they were asked for last.
#[derive(Debug, Default)]
pub struct RefusedUpdates {
    /// The first of them, [`RefusedUpdates::MOST_KEPT`] at most.
    pub kept: Vec<RefusedUpdate>,
    /// How many samples came after these.
    pub not_kept: u64,
}

/// A sample that its series refused; as JSON it is a payload of that sample. What is
/// its family's is not copied: a layout may be much larger than the sample was.
#[derive(Debug)]
pub struct RefusedUpdate {
    family: Arc<Family>,
    labels: SeriesLabels,
    op: GaugeOp,
    value: f64,
    observed: Observed,
    /// How many samples of producers it stands for.
    samples: u64,
}

#[derive(Debug)]
enum Observed {
    One,
    Values(Box<[f64]>),
    Counts(Box<[u64]>),
    Native(Box<NativeCounts>),
}

/// The sample with these fields.
#[derive(Debug, Serialize)]
struct Payload<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    help: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<&'static str>,
    #[serde(flatten)]
    observed: ObservedFields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buckets: Option<&'a [f64]>,
    /// Of native ones, which nobody has counted by.
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    #[serde(flatten)]
    objectives: Option<ObjectiveFields>,
    #[serde(serialize_with = "as_object")]
    labels: &'a SeriesLabels,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ObservedFields<'a> {
    One { value: f64 },
    Values { values: &'a [f64] },
    Counts { counts: &'a [u64], sum: f64 },
    Native { native: NativeFields<'a>, sum: f64 },
}

#[derive(Debug, Serialize)]
struct NativeFields<'a> {
    schema: i8,
    zero_threshold: f64,
    zero_count: u64,
    positive: SideFields<'a>,
    negative: SideFields<'a>,
}

/// The buckets of values on one side of zero.
#[derive(Debug, Serialize)]
struct SideFields<'a> {
    #[serde(serialize_with = "indexes_of")]
    indexes: &'a [(i32, u64)],
    #[serde(serialize_with = "counts_of")]
    counts: &'a [(i32, u64)],
}

#[derive(Debug, Serialize)]
struct ObjectiveFields {
    quantiles: Vec<f64>,
    epsilons: Vec<f64>,
}

impl RefusedUpdates {
    /// How many are kept to be told: all of one message to a shard may be refused.
    pub const MOST_KEPT: usize = 4096;

    /// How many samples of producers they are.
    pub fn samples(&self) -> u64 {
        self.kept.iter().map(|update| update.samples).sum::<u64>() + self.not_kept
    }

    pub(super) fn push(
        &mut self,
        series: &Series,
        update: ValueUpdate,
        observations: Observations<'_>,
        samples: u64,
    ) {
        if self.kept.len() < Self::MOST_KEPT {
            self.kept.push(RefusedUpdate {
                samples,
                ..RefusedUpdate::new(series, update, observations)
            });
        } else {
            self.not_kept += samples;
        }
    }
}

impl RefusedUpdate {
    fn new(series: &Series, update: ValueUpdate, observations: Observations<'_>) -> Self {
        let ValueUpdate { slot: _, op, value } = update;
        Self {
            family: series.family.family().clone(),
            labels: series.labels.clone(),
            op,
            value,
            observed: match observations {
                Observations::One => Observed::One,
                Observations::Values(values) => Observed::Values(values.into()),
                Observations::Counts(counts) => Observed::Counts(counts.into()),
                Observations::Native(counts) => Observed::Native(counts.clone().into()),
            },
            samples: 1,
        }
    }

    /// Why it was refused.
    pub fn reject(&self) -> Reject {
        let detail = match self.observed {
            Observed::One | Observed::Values(_) => {
                "expected a total that a double holds, got one that overflows with this sample"
            }
            Observed::Counts(_) | Observed::Native(_) => {
                "expected a sum that a double holds and fewer than 2^55 observations in all, \
                 got more with this sample"
            }
        };
        Reject::new(Reason::NonFinite, detail).of_samples(self.samples)
    }

    fn payload(&self) -> Payload<'_> {
        let shape = self.family.shape();
        let native = match self.observed {
            Observed::One | Observed::Values(_) => shape.native(),
            Observed::Counts(_) | Observed::Native(_) => None,
        };
        let bounds = match self.observed {
            Observed::One | Observed::Values(_) | Observed::Counts(_) => shape.bounds(),
            Observed::Native(_) => None,
        };
        Payload {
            kind: self.family.kind().as_str(),
            name: self.family.name(),
            help: self.family.help(),
            unit: self.family.unit(),
            op: (self.op != GaugeOp::Set).then_some(self.op.as_str()),
            observed: match &self.observed {
                Observed::One => ObservedFields::One { value: self.value },
                Observed::Values(values) => ObservedFields::Values { values },
                Observed::Counts(counts) => ObservedFields::Counts { counts, sum: self.value },
                Observed::Native(counts) => {
                    ObservedFields::Native { native: NativeFields::of(counts), sum: self.value }
                }
            },
            buckets: bounds,
            factor: native.map(|plan| plan.schema.factor()),
            objectives: shape.objectives().filter(|own| !own.is_empty()).map(|own| {
                let (quantiles, epsilons) = own.iter().copied().unzip();
                ObjectiveFields { quantiles, epsilons }
            }),
            labels: &self.labels,
        }
    }
}

impl<'a> NativeFields<'a> {
    fn of(counts: &'a NativeCounts) -> Self {
        let side = |counts| SideFields { indexes: counts, counts };
        Self {
            schema: counts.schema.number(),
            zero_threshold: counts.zero_threshold,
            zero_count: counts.zero_count,
            positive: side(&counts.positive),
            negative: side(&counts.negative),
        }
    }
}

impl Serialize for RefusedUpdate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.payload().serialize(serializer)
    }
}

fn as_object<S: Serializer>(labels: &SeriesLabels, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(labels.pairs().iter())
}

fn indexes_of<S: Serializer>(side: &[(i32, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(side.iter().map(|(index, _)| index))
}

fn counts_of<S: Serializer>(side: &[(i32, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(side.iter().map(|(_, count)| count))
}
