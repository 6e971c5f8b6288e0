//! What a series holds: one aggregate for each metric type, a file each.

pub(crate) mod counter;
pub mod default_buckets;
pub(crate) mod gauge;
pub mod histogram;
mod kind;
pub mod native;
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
    /// The sum of all samples as a double, and what that leaves out of it.
    Counter(f64, f32),
    /// The sample that was measured last, and when that was.
    Gauge(f64, PackedTime),
    /// What a gauge has come to that samples have added to, and when one set it last.
    GaugeTotal(f64, PackedTime),
    /// Counts per bucket, and the sum.
    Histogram(Box<Histogram>),
    /// Quantiles over the window; sum and count for ever.
    Summary(Box<Summary>),
}

/// What a sample that is taken does to the total that it is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Nothing but what the sample says.
    Added,
    /// The total begins anew with it, see [`native`].
    BeganAnew,
}

/// Why a sample changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unapplied {
    /// It sets a gauge, and was measured before the sample that is there.
    Stale,
    /// With it a total would be infinite, and would stay so.
    NonFinite,
}

/// No process counts that far one by one. What producers have counted is not taken to
/// a total beyond it, so that a stored one is read again, whatever comes after that.
const GREATEST_TOTAL: u64 = u64::MAX >> 9;

/// What a sum comes to with these values, unless that would be no number any more.
#[inline]
pub(crate) fn sum_of(sum: f64, values: &[f64]) -> Result<f64, Unapplied> {
    let plain = values.iter().fold(sum, |sum, value| sum + value);
    if plain.is_finite() { Ok(plain) } else { sum_of_large(sum, values) }
}

/// The same where the sum of some of them overflows: others may bring it back.
#[cold]
fn sum_of_large(sum: f64, values: &[f64]) -> Result<f64, Unapplied> {
    const SCALE: f64 = (1_u64 << 63) as f64;
    let scaled = values.iter().fold(sum / SCALE, |sum, value| sum + value / SCALE);
    let sum = scaled * SCALE;
    if sum.is_finite() { Ok(sum) } else { Err(Unapplied::NonFinite) }
}

/// What the total of a new series of that type is with these values.
pub(crate) fn total_of(kind: Kind, values: &[f64]) -> Result<f64, Unapplied> {
    match kind {
        Kind::Counter => {
            let (mut sum, mut rest) = (0.0, 0.0);
            counter::add_all(&mut sum, &mut rest, values)?;
            Ok(sum)
        }
        Kind::Gauge | Kind::Histogram | Kind::Summary => sum_of(0.0, values),
    }
}

/// Whether a number says all that a counter keeps of a sum of samples that comes to
/// it: beyond, each of them has to be added.
pub(crate) fn is_whole_sum(sum: f64) -> bool {
    sum < counter::FIRST_WITH_REST
}

impl Value {
    /// What stands in place of a value where there is none.
    pub(crate) const NONE: Value = Value::Counter(0.0, 0.0);

    /// The aggregate of no sample, of a series of that shape.
    pub fn new(shape: &Shape, now: Moment) -> Self {
        match shape {
            Shape::Counter => Value::Counter(0.0, 0.0),
            Shape::Gauge => Value::Gauge(f64::NAN, UnixTime::MIN.into()),
            Shape::Histogram(layout) => Value::Histogram(Box::new(Histogram::new(layout, now))),
            Shape::Summary(plan) => Value::Summary(Box::new(Summary::new(plan, now))),
        }
    }

    /// The type whose series hold such a value.
    #[inline]
    pub fn kind(&self) -> Kind {
        match self {
            Value::Counter(..) => Kind::Counter,
            Value::Gauge(..) | Value::GaugeTotal(..) => Kind::Gauge,
            Value::Histogram(_) => Kind::Histogram,
            Value::Summary(_) => Kind::Summary,
        }
    }

    /// Whether it outlives its series, so that one which returns goes on from it.
    fn is_total(&self) -> bool {
        match self {
            Value::Counter(..) | Value::GaugeTotal(..) | Value::Histogram(_) => true,
            Value::Gauge(..) | Value::Summary(_) => false,
        }
    }

    /// A copy of the total that outlives its series.
    pub(crate) fn copy_of_total(&self) -> Option<Self> {
        self.is_total().then(|| self.clone())
    }

    /// The total that outlives its series.
    pub(crate) fn into_total(self) -> Option<Self> {
        self.is_total().then_some(self)
    }

    /// Takes one sample in, or says why it changes nothing. `shape` is the one
    /// that the value was made for; `op` is `Set` for all but gauges.
    #[inline(always)]
    pub fn apply(
        &mut self,
        sample: f64,
        op: GaugeOp,
        time: SampleTime,
        shape: &Shape,
        now: Moment,
    ) -> Result<Applied, Unapplied> {
        match (&mut *self, shape) {
            (Value::Counter(sum, rest), _) => counter::add(sum, rest, sample)?,
            (Value::Gauge(value, at) | Value::GaugeTotal(value, at), _) => match op {
                GaugeOp::Set => gauge::set(value, at, sample, time)?,
                GaugeOp::Add => *self = Value::GaugeTotal(gauge::added(*value, sample)?, *at),
                // Either is the sample where the value is no number yet.
                GaugeOp::Max => *value = value.max(sample),
                GaugeOp::Min => *value = value.min(sample),
            },
            (Value::Histogram(histogram), Shape::Histogram(layout)) => {
                return histogram.observe(sample, layout, now);
            }
            (Value::Summary(summary), Shape::Summary(plan)) => {
                summary.observe(sample, plan, now)?
            }
            (Value::Histogram(_), Shape::Counter | Shape::Gauge | Shape::Summary(_))
            | (Value::Summary(_), Shape::Counter | Shape::Gauge | Shape::Histogram(_)) => {
                unreachable!("a series keeps the type of its family")
            }
        }
        Ok(Applied::Added)
    }

    /// Takes several observations in, all of them or none; `sum` is that of counts.
    pub fn apply_several(
        &mut self,
        observations: Observations<'_>,
        sum: f64,
        shape: &Shape,
        now: Moment,
    ) -> Result<Applied, Unapplied> {
        match (self, observations, shape) {
            (Value::Counter(sum, rest), Observations::Values(values), _) => {
                counter::add_all(sum, rest, values)?;
            }
            (Value::Histogram(it), Observations::Values(values), Shape::Histogram(layout)) => {
                return it.observe_all(values, layout, now);
            }
            (Value::Histogram(it), Observations::Counts(counts), _) => it.add(counts, sum)?,
            (Value::Summary(it), Observations::Counts([count]), _) => it.add(*count, sum)?,
            (Value::Histogram(it), Observations::Native(counts), Shape::Histogram(layout)) => {
                return it.add_native(counts, sum, layout, now);
            }
            (Value::Summary(it), Observations::Values(values), Shape::Summary(plan)) => {
                it.observe_all(values, plan, now)?;
            }
            (other, ..) => unreachable!("a {} has no such samples", other.kind().as_str()),
        }
        Ok(Applied::Added)
    }
}

#[cfg(test)]
mod tests {
    use super::histogram::BucketLayout;
    use super::native::{NativeSettings, Schema};
    use super::summary::{QuantilePlan, SummarySettings};
    use super::*;

    const NOW: Moment = Moment(0);
    const TAKEN: SampleTime = SampleTime::taken(UnixTime::MIN);

    /// One sample would else decide over all that come after it.
    #[test]
    fn a_total_stays_a_number_whatever_comes() {
        let plan = QuantilePlan::new(&[], SummarySettings::default());
        const ADDED: Result<Applied, Unapplied> = Ok(Applied::Added);
        let native = NativeSettings::default().plan("x", Some(Schema::FINEST));
        for (shape, least) in [
            (Shape::Counter, f64::MAX),
            (Shape::Gauge, f64::MIN),
            (Shape::Histogram(BucketLayout::new(&[1.0])), f64::MIN),
            (Shape::Histogram(BucketLayout::new(&[]).with_native(native)), f64::MIN),
            (Shape::Summary(plan), f64::MIN),
        ] {
            let mut value = Value::new(&shape, NOW);
            let mut apply = |sample| value.apply(sample, GaugeOp::Add, TAKEN, &shape, NOW);
            assert_eq!(apply(f64::MAX), ADDED, "{shape:?}");
            assert_eq!(apply(f64::MAX), Err(Unapplied::NonFinite), "{shape:?}");
            assert_eq!(apply(1.0), ADDED, "{shape:?}");
            if least < 0.0 {
                assert_eq!([apply(least), apply(least)], [ADDED, ADDED], "{shape:?}");
                assert_eq!(apply(least), Err(Unapplied::NonFinite), "{shape:?}");
            }
            match &value {
                Value::Counter(total, rest) => assert_eq!((*total, *rest), (f64::MAX, 1.0)),
                Value::GaugeTotal(total, _) => assert_eq!(*total, f64::MIN),
                Value::Histogram(it) => assert_eq!((it.count(), it.sum()), (4, f64::MIN)),
                Value::Summary(it) => assert_eq!((it.count(), it.sum()), (4, f64::MIN)),
                Value::Gauge(..) => unreachable!("it was added to"),
            }
        }
    }

    #[test]
    fn a_gauge_is_a_total_from_the_first_addition_on() {
        let time = |seconds: i64| SampleTime {
            taken_at: UnixTime::from_micros(1_000_000_000),
            timestamp: Some(UnixTime::from_micros(seconds * 1_000_000)),
        };
        let mut value = Value::new(&Shape::Gauge, NOW);
        let mut check = |op, sample, at, expected: Result<f64, Unapplied>, is_total| {
            let applied = value.apply(sample, op, time(at), &Shape::Gauge, NOW);
            assert_eq!((applied.err(), value.is_total()), (expected.err(), is_total));
            if let (Ok(expected), Value::Gauge(got, _) | Value::GaugeTotal(got, _)) =
                (expected, &value)
            {
                assert_eq!(*got, expected, "after {op:?} {sample}");
            }
        };
        use GaugeOp::{Add, Max, Min, Set};
        // The first is taken whatever it is, and is none that sets.
        check(Max, -3.0, 100, Ok(-3.0), false);
        check(Min, -5.0, 1, Ok(-5.0), false);
        check(Max, -7.0, 100, Ok(-5.0), false);
        check(Set, 2.0, 50, Ok(2.0), false);
        check(Set, 3.0, 49, Err(Unapplied::Stale), false);
        check(Add, 1.5, 1, Ok(3.5), true);
        check(Set, 9.0, 49, Err(Unapplied::Stale), true);
        check(Min, 3.0, 1, Ok(3.0), true);
        check(Set, 8.0, 60, Ok(8.0), true);
        check(Add, -9.0, 1, Ok(-1.0), true);
    }

    /// Of values that come together all count or none.
    #[test]
    fn observations_that_come_together_are_taken_whole() {
        let layout = BucketLayout::new(&[1.0, 2.0]);
        let mut histogram = Histogram::new(&layout, NOW);
        assert_eq!(histogram.observe_all(&[0.5, 1.5, 3.0], &layout, NOW), Ok(Applied::Added));
        let before = histogram.clone();
        let too_large = histogram.observe_all(&[1.0, f64::MAX, f64::MAX], &layout, NOW);
        assert_eq!(too_large, Err(Unapplied::NonFinite));
        let refused = Err(Unapplied::NonFinite);
        assert_eq!(histogram.add(&[1, 0, u64::MAX], 1.0), refused);
        assert_eq!(histogram.add(&[0, 0, u64::MAX >> 8], 1.0), refused);
        assert_eq!(histogram, before);
        assert_eq!(histogram.add(&[1, 0, 2], 10.0), Ok(()));
        assert_eq!(histogram, Histogram::from_parts([2, 1, 3].into(), 15.0));

        let plan = QuantilePlan::new(&[(0.5, 0.1)], SummarySettings::default());
        let mut summary = Summary::new(&plan, NOW);
        assert_eq!(summary.observe_all(&[1.0, 2.0, 4.0], &plan, NOW), Ok(()));
        assert_eq!(summary.observe_all(&[1.0, f64::MAX, f64::MAX], &plan, NOW), refused);
        let mut median = Vec::new();
        summary.quantiles(&plan, NOW, &mut median);
        assert_eq!((summary.count(), summary.sum(), &median), (3, 7.0, &vec![2.0]));

        // What was counted elsewhere is in no quantile.
        assert_eq!(summary.add(1, f64::MAX), Ok(()));
        assert_eq!(summary.add(1, f64::MAX), refused);
        assert_eq!(summary.add(u64::MAX, -1.0), refused);
        assert_eq!(summary.add(6, -f64::MAX), Ok(()));
        summary.quantiles(&plan, NOW, &mut median);
        assert_eq!((summary.count(), summary.sum(), median), (10, 0.0, vec![2.0]));
    }

    /// There may be millions of them.
    #[test]
    fn a_value_is_two_words() {
        assert_eq!(size_of::<Value>(), 16);
    }
}
