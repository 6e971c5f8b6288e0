//! What a series holds: one aggregate for each metric type, a file each.

pub mod default_buckets;
mod gauge;
pub mod histogram;
mod kind;
mod observations;
mod quantile;
mod shape;
mod stored;
pub mod summary;

use crate::timestamp::{Moment, PackedTime, SampleTime, UnixTime};
pub use gauge::GaugeOp;
use histogram::Histogram;
pub use kind::Kind;
pub(crate) use kind::reserving;
pub use observations::Observations;
pub use shape::Shape;
use summary::Summary;

/// The aggregate of one series.
#[derive(Debug, Clone)]
pub enum Value {
    /// The sum of all samples.
    Counter(f64),
    /// The sample that was measured last, and when that was.
    Gauge(f64, PackedTime),
    /// Counts per bucket, and the sum.
    Histogram(Box<Histogram>),
    /// Quantiles over the window; sum and count for ever.
    Summary(Box<Summary>),
}

/// Why a sample that was accepted changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ignored {
    /// A gauge's, which was measured before the one that is shown.
    Older,
    /// With it a total would be infinite, and would stay so.
    InfiniteTotal,
}

impl Ignored {
    /// Every one; `ignored as usize` indexes it.
    pub const ALL: [Ignored; 2] = [Ignored::Older, Ignored::InfiniteTotal];

    /// The value of the `reason` label in `ignored_samples_total`.
    pub fn as_str(self) -> &'static str {
        match self {
            Ignored::Older => "older",
            Ignored::InfiniteTotal => "infinite_total",
        }
    }
}

/// Adds to a total, unless that would be no number any more.
#[inline]
fn add(total: &mut f64, sample: f64) -> Result<(), Ignored> {
    let sum = *total + sample;
    if !sum.is_finite() {
        return Err(Ignored::InfiniteTotal);
    }
    *total = sum;
    Ok(())
}

impl Value {
    /// What stands in place of a value where there is none.
    pub(crate) const NONE: Value = Value::Counter(0.0);

    /// The aggregate of no sample, of a series of that shape.
    pub fn new(shape: &Shape, now: Moment) -> Self {
        match shape {
            Shape::Counter => Value::Counter(0.0),
            Shape::Gauge => Value::Gauge(0.0, UnixTime::MIN.into()),
            Shape::Histogram(layout) => Value::Histogram(Box::new(Histogram::new(layout))),
            Shape::Summary(plan) => Value::Summary(Box::new(Summary::new(plan, now))),
        }
    }

    /// The type whose series hold such a value.
    #[inline]
    pub fn kind(&self) -> Kind {
        match self {
            Value::Counter(_) => Kind::Counter,
            Value::Gauge(..) => Kind::Gauge,
            Value::Histogram(_) => Kind::Histogram,
            Value::Summary(_) => Kind::Summary,
        }
    }

    /// A copy of the total that outlives its series, see [`Kind::accumulates`].
    pub(crate) fn copy_of_total(&self) -> Option<Self> {
        self.kind().accumulates().then(|| self.clone())
    }

    /// The total that outlives its series, see [`Kind::accumulates`].
    pub(crate) fn into_total(self) -> Option<Self> {
        self.kind().accumulates().then_some(self)
    }

    /// Takes one sample in, or says why it changes nothing. `shape` is the one
    /// that the value was made for.
    #[inline]
    pub fn apply(
        &mut self,
        sample: f64,
        op: GaugeOp,
        time: SampleTime,
        shape: &Shape,
        now: Moment,
    ) -> Result<(), Ignored> {
        match (self, shape) {
            (Value::Counter(total), _) => add(total, sample),
            (Value::Gauge(last, at), _) => gauge::apply(last, at, sample, op, time),
            (Value::Histogram(histogram), Shape::Histogram(layout)) => {
                histogram.observe(sample, layout)
            }
            (Value::Summary(summary), Shape::Summary(plan)) => summary.observe(sample, plan, now),
            (Value::Histogram(_), Shape::Counter | Shape::Gauge | Shape::Summary(_))
            | (Value::Summary(_), Shape::Counter | Shape::Gauge | Shape::Histogram(_)) => {
                unreachable!("a series keeps the type of its family")
            }
        }
    }

    /// Takes several observations in, all of them or none; `sum` is that of counts.
    pub fn apply_several(
        &mut self,
        observations: Observations<'_>,
        sum: f64,
        shape: &Shape,
        now: Moment,
    ) -> Result<(), Ignored> {
        match (self, observations, shape) {
            (Value::Histogram(it), Observations::Values(values), Shape::Histogram(layout)) => {
                it.observe_all(values, layout)
            }
            (Value::Histogram(it), Observations::Counts(counts), _) => it.add(counts, sum),
            (Value::Summary(it), Observations::Values(values), Shape::Summary(plan)) => {
                it.observe_all(values, plan, now)
            }
            (other, ..) => unreachable!("a {} has no such samples", other.kind().as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::histogram::BucketLayout;
    use super::summary::{QuantilePlan, SummarySettings};
    use super::*;

    /// One sample would else decide over all that come after it.
    #[test]
    fn a_total_stays_a_number_whatever_comes() {
        const NOW: Moment = Moment(0);
        let plan = QuantilePlan::new(&[], SummarySettings::default());
        for (shape, least) in [
            (Shape::Counter, f64::MAX),
            (Shape::Histogram(BucketLayout::new(&[1.0])), f64::MIN),
            (Shape::Summary(plan), f64::MIN),
        ] {
            let mut value = Value::new(&shape, NOW);
            let mut apply = |sample| {
                value.apply(sample, GaugeOp::Set, SampleTime::taken(UnixTime::MIN), &shape, NOW)
            };
            assert_eq!(apply(f64::MAX), Ok(()), "{shape:?}");
            assert_eq!(apply(f64::MAX), Err(Ignored::InfiniteTotal), "{shape:?}");
            assert_eq!(apply(1.0), Ok(()), "{shape:?}");
            if least < 0.0 {
                assert_eq!([apply(least), apply(least)], [Ok(()), Ok(())], "{shape:?}");
                assert_eq!(apply(least), Err(Ignored::InfiniteTotal), "{shape:?}");
            }
            match &value {
                Value::Counter(total) => assert_eq!(*total, f64::MAX),
                Value::Histogram(it) => assert_eq!((it.count(), it.sum()), (4, f64::MIN)),
                Value::Summary(it) => assert_eq!((it.count(), it.sum()), (4, f64::MIN)),
                Value::Gauge(..) => unreachable!("there is none"),
            }
        }
    }

    /// There may be millions of them.
    #[test]
    fn a_value_is_two_words() {
        assert_eq!(size_of::<Value>(), 16);
    }
}
