//! Samples that were let in and that their series can't take: told with what is known
//! of them here, since their bytes were given up where they were read.

use serde::{Serialize, Serializer};

use super::Series;
use crate::catalog::Family;
use crate::labels::SeriesLabels;
use crate::metric::{GaugeOp, Observations};
use crate::reject::{Reason, Reject};
use crate::updates::ValueUpdate;

/// A sample that its series refused; as JSON it is a payload of that sample.
#[derive(Debug, Serialize)]
pub struct RefusedUpdate {
    #[serde(rename = "type")]
    kind: &'static str,
    name: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<&'static str>,
    #[serde(flatten)]
    observed: Observed,
    #[serde(skip_serializing_if = "Option::is_none")]
    buckets: Option<Box<[f64]>>,
    /// Of native ones, which nobody has counted by.
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    #[serde(serialize_with = "as_object")]
    labels: SeriesLabels,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Observed {
    One { value: f64 },
    Values { values: Box<[f64]> },
    Counts { counts: Box<[u64]>, sum: f64 },
}

impl RefusedUpdate {
    pub(super) fn new(
        series: &Series,
        update: ValueUpdate,
        observations: Observations<'_>,
    ) -> Self {
        let ValueUpdate { slot: _, op, value } = update;
        let family: &Family = &series.family;
        Self {
            kind: family.kind().as_str(),
            name: family.name().into(),
            op: (op != GaugeOp::Set).then_some(op.as_str()),
            observed: match observations {
                Observations::One => Observed::One { value },
                Observations::Values(values) => Observed::Values { values: values.into() },
                Observations::Counts(counts) => {
                    Observed::Counts { counts: counts.into(), sum: value }
                }
            },
            buckets: family.shape().bounds().map(Box::from),
            factor: match observations {
                Observations::One | Observations::Values(_) => {
                    family.shape().native().map(|plan| plan.schema.factor())
                }
                Observations::Counts(_) => None,
            },
            labels: series.labels.clone(),
        }
    }

    /// Why it was refused.
    pub fn reject(&self) -> Reject {
        Reject::new(
            Reason::NonFinite,
            "expected a total that a double holds, got one that overflows with this sample",
        )
    }
}

fn as_object<S: Serializer>(labels: &SeriesLabels, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(labels.pairs().iter())
}
