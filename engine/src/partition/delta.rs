//! Deltas: what samples of one series add up to on their way to its home, so that the
//! home comes to what it would have come to with each of them.
//!
//! | Type | A delta is | Exact |
//! | --- | --- | --- |
//! | counter | the sum, and what a double leaves out of it | whole numbers up to 2^77; of fractions each sum is rounded |
//! | gauge | what is done to it, in order: of neighbours that do the same one is left, of what sets it the last | yes, but for sums of fractions |
//! | histogram | up to [`MOST_SINGLE_VALUES`] values in order; else counts and sum | values yes, counts yes, the sum as a counter's |
//! | native histogram | values in order; what producers have counted by one schema, as counts | yes, but for sums of fractions |
//! | summary | values in order | yes |
//!
//! Where one more sample could not be taken back out of a delta (a sum would be
//! infinite) or would make it too long, the delta is [`Full`], and another follows it.

mod native;

use serde::{Deserialize, Serialize};

use crate::metric::histogram::BucketLayout;
use crate::metric::native::NativeCounts;
use crate::metric::{GaugeOp, Observations, Shape, counter, gauge, sum_of};
use crate::timestamp::{SampleTime, UnixTime};
pub use native::NativeDelta;

/// A histogram's values that stay what they are: its home then has them as if they
/// had come one by one.
pub const MOST_SINGLE_VALUES: usize = 8;
/// Values of a delta where they have to stay what they are.
const MOST_VALUES: usize = 4096;
/// Things that are done to a gauge in one delta.
const MOST_STEPS: usize = 16;
/// What the counts of a delta come to; beyond, a histogram takes no more.
const MOST_OBSERVATIONS: u64 = 1 << 53;

/// What samples of one series add up to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum DeltaValue {
    /// Is added to a counter.
    Counter {
        /// The nearest double.
        sum: f64,
        /// What it leaves out.
        rest: f32,
    },
    /// Is done to a gauge, in this order.
    Gauge(Vec<GaugeStep>),
    /// What a histogram or a summary observes, in this order.
    Values(Vec<f64>),
    /// What a histogram has counted.
    Counts {
        /// Not cumulative; the last is the `+Inf` bucket.
        counts: Vec<u64>,
        /// The sum of what was counted.
        sum: f64,
    },
    /// What producers have counted by native buckets.
    Native(Box<NativeDelta>),
}

/// One thing that is done to a gauge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum GaugeStep {
    /// Replaces the value, unless a later one is there.
    Set {
        /// The value.
        value: f64,
        /// When it was measured, or else claimed, in microseconds of Unix time.
        at: i64,
    },
    /// Adds to the value.
    Add(f64),
    /// Raises the value to this.
    Max(f64),
    /// Lowers the value to this.
    Min(f64),
}

/// A sample that can't be in one delta with what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// What a delta is added to by.
#[derive(Debug, Clone, Copy)]
pub struct AddedSample<'a> {
    /// As in [`Sample`](crate::sample::Sample), as are the others.
    pub value: f64,
    /// What is done to a gauge.
    pub op: GaugeOp,
    /// Whether it is one observation, or several.
    pub observations: Observations<'a>,
    /// When it was claimed, and when it says that it was measured.
    pub time: SampleTime,
}

impl DeltaValue {
    /// That of no samples, of a series of this shape.
    pub fn none(shape: &Shape) -> Self {
        match shape {
            Shape::Counter => DeltaValue::Counter { sum: 0.0, rest: 0.0 },
            Shape::Gauge => DeltaValue::Gauge(Vec::new()),
            Shape::Histogram(_) | Shape::Summary(_) => DeltaValue::Values(Vec::new()),
        }
    }

    /// Makes it that of no samples; some room is kept for the next ones.
    pub fn clear(&mut self) {
        match self {
            DeltaValue::Counter { sum, rest } => (*sum, *rest) = (0.0, 0.0),
            DeltaValue::Gauge(steps) => {
                steps.clear();
                steps.shrink_to(1);
            }
            DeltaValue::Values(values) => {
                values.clear();
                values.shrink_to(MOST_SINGLE_VALUES);
            }
            DeltaValue::Counts { .. } | DeltaValue::Native(_) => {
                *self = DeltaValue::Values(Vec::new());
            }
        }
    }

    /// About how many bytes it is in a frame.
    #[inline]
    pub fn bytes(&self) -> usize {
        match self {
            DeltaValue::Counter { .. } => 9,
            DeltaValue::Gauge(steps) => 16 * steps.len(),
            DeltaValue::Values(values) => 8 * values.len(),
            DeltaValue::Counts { counts, .. } => 9 + 2 * counts.len(),
            DeltaValue::Native(native) => native.bytes(),
        }
    }

    /// Adds a sample of a series of this shape, or changes nothing. Where it
    /// `keeps_values`, those of a histogram are not counted.
    #[inline]
    pub fn add(
        &mut self,
        sample: AddedSample<'_>,
        shape: &Shape,
        keeps_values: bool,
    ) -> Result<(), Full> {
        let AddedSample { value, op, observations, time } = sample;
        match (&mut *self, observations) {
            (DeltaValue::Counter { sum, rest }, Observations::Values(values)) => {
                counter::add_all(sum, rest, values).map_err(|_| Full)
            }
            (DeltaValue::Counter { sum, rest }, _) => {
                counter::add(sum, rest, value).map_err(|_| Full)
            }
            (DeltaValue::Gauge(steps), _) => match op {
                GaugeOp::Set => set(steps, value, time),
                GaugeOp::Add => append_step(steps, GaugeStep::Add(value)),
                GaugeOp::Max => append_step(steps, GaugeStep::Max(value)),
                GaugeOp::Min => append_step(steps, GaugeStep::Min(value)),
            },
            (_, Observations::One) => self.observe(&[value], shape, keeps_values),
            (_, Observations::Values(values)) => self.observe(values, shape, keeps_values),
            (_, Observations::Counts(counts)) => self.add_counts(counts, value),
            (_, Observations::Native(counts)) => self.add_native(counts, value),
        }
    }

    /// Takes values of a histogram or a summary.
    fn observe(&mut self, new: &[f64], shape: &Shape, keeps_values: bool) -> Result<(), Full> {
        match (self, shape) {
            (DeltaValue::Counts { counts, sum }, Shape::Histogram(layout)) => {
                *sum = sum_of(*sum, new).map_err(|_| Full)?;
                count(counts, new, layout);
                Ok(())
            }
            (this @ DeltaValue::Values(_), Shape::Histogram(layout)) if !keeps_values => {
                this.observe_and_count(new, layout)
            }
            (DeltaValue::Values(values), _) => {
                if !values.is_empty() && values.len() + new.len() > MOST_VALUES {
                    return Err(Full);
                }
                values.extend_from_slice(new);
                Ok(())
            }
            (other, _) => unreachable!("{other:?} observes nothing"),
        }
    }

    /// Takes values of a histogram, which are counted once they are too many.
    fn observe_and_count(&mut self, new: &[f64], layout: &BucketLayout) -> Result<(), Full> {
        let DeltaValue::Values(values) = self else { return Ok(()) };
        if values.len() + new.len() <= MOST_SINGLE_VALUES {
            values.extend_from_slice(new);
            return Ok(());
        }
        let sum = sum_of(0.0, values).and_then(|sum| sum_of(sum, new)).map_err(|_| Full)?;
        let mut counts = vec![0; layout.bounds().len() + 1];
        count(&mut counts, values, layout);
        count(&mut counts, new, layout);
        *self = DeltaValue::Counts { counts, sum };
        Ok(())
    }

    /// Takes what a producer has counted: nothing else comes to such a delta.
    fn add_counts(&mut self, new: &[u64], new_sum: f64) -> Result<(), Full> {
        let DeltaValue::Counts { counts, sum } = self else {
            *self = DeltaValue::Counts { counts: new.to_vec(), sum: new_sum };
            return Ok(());
        };
        let all = counts.iter().chain(new).fold(0_u64, |all, count| all.saturating_add(*count));
        if all > MOST_OBSERVATIONS {
            return Err(Full);
        }
        *sum = sum_of(*sum, &[new_sum]).map_err(|_| Full)?;
        counts.iter_mut().zip(new).for_each(|(count, more)| *count += more);
        Ok(())
    }

    /// The same by native buckets.
    fn add_native(&mut self, new: &NativeCounts, new_sum: f64) -> Result<(), Full> {
        match self {
            DeltaValue::Native(native) => native.add(new, new_sum),
            other @ (DeltaValue::Counter { .. }
            | DeltaValue::Gauge(_)
            | DeltaValue::Values(_)
            | DeltaValue::Counts { .. }) => {
                *other = DeltaValue::Native(Box::new(NativeDelta::of(new, new_sum)));
                Ok(())
            }
        }
    }
}

fn count(counts: &mut [u64], values: &[f64], layout: &BucketLayout) {
    values.iter().for_each(|value| counts[layout.bucket_of(*value)] += 1);
}

/// Sets a gauge. One that sets it earlier can be left out: where the later one is too
/// old for what its home has, so was that.
fn set(steps: &mut Vec<GaugeStep>, new: f64, time: SampleTime) -> Result<(), Full> {
    let is_set = |step: &GaugeStep| matches!(step, GaugeStep::Set { .. });
    let found = steps.iter().position(is_set);
    if let Some(GaugeStep::Set { value, at }) = found.map(|position| &mut steps[position]) {
        let mut known = UnixTime::from_micros(*at).into();
        if gauge::set(value, &mut known, new, time).is_err() {
            return Ok(());
        }
        *at = UnixTime::from(known).micros();
    }
    match found {
        Some(last) if last + 1 == steps.len() => Ok(()),
        Some(position) => {
            let step = steps.remove(position);
            join_at(steps, position);
            steps.push(step);
            Ok(())
        }
        None => {
            let at = time.timestamp.unwrap_or(time.taken_at).micros();
            append_step(steps, GaugeStep::Set { value: new, at })
        }
    }
}

/// Makes one of the step at a position and the one before it, where they do the same.
fn join_at(steps: &mut Vec<GaugeStep>, position: usize) {
    let Some(step) = steps.get(position).copied() else { return };
    if position > 0 && steps[position - 1].join(step) {
        steps.remove(position);
    }
}

fn append_step(steps: &mut Vec<GaugeStep>, step: GaugeStep) -> Result<(), Full> {
    if steps.last_mut().is_some_and(|last| last.join(step)) {
        return Ok(());
    }
    if steps.len() == MOST_STEPS {
        return Err(Full);
    }
    if steps.is_empty() {
        // Nearly all have one.
        steps.reserve_exact(1);
    }
    steps.push(step);
    Ok(())
}

impl GaugeStep {
    /// Whether it is done with a number.
    pub(super) fn is_finite(&self) -> bool {
        let (GaugeStep::Set { value, .. }
        | GaugeStep::Add(value)
        | GaugeStep::Max(value)
        | GaugeStep::Min(value)) = self;
        value.is_finite()
    }

    /// Does what this one and `next` do, if one step can.
    fn join(&mut self, next: Self) -> bool {
        match (&mut *self, next) {
            (GaugeStep::Add(value), GaugeStep::Add(next)) => {
                let sum = *value + next;
                if sum.is_finite() {
                    *value = sum;
                }
                sum.is_finite()
            }
            (GaugeStep::Max(value), GaugeStep::Max(next)) => {
                *value = value.max(next);
                true
            }
            (GaugeStep::Min(value), GaugeStep::Min(next)) => {
                *value = value.min(next);
                true
            }
            (
                GaugeStep::Set { .. } | GaugeStep::Add(_) | GaugeStep::Max(_) | GaugeStep::Min(_),
                _,
            ) => false,
        }
    }
}
