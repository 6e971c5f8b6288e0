//! What a stored state says is held to what payloads are held to: names, label
//! texts, layouts and numbers. Whoever can write the file or the record in Redis
//! could else write lines of `/metrics`, or totals that no sample comes to.

use super::StateError;
use crate::catalog::{RestoredFamily, RestoredShape};
use crate::labels::LabelPairs;
use crate::limits::SMALLEST_EPSILON;
use crate::metric::Kind;
use crate::name::{RESERVED_PREFIX, is_metric_name};
use crate::printable::{SHORT, printable};
use crate::record::{FamilyRecord, SeriesRecord, ShapeRecord, TombstoneRecord};
use crate::record::{TotalRecord, ValueRecord};

/// Greater uids are not given: the next ones have to fit too.
const GREATEST_UID: u64 = u64::MAX / 2;
/// No process counts so far, and there is room for what comes.
const GREATEST_COUNT: u64 = u64::MAX >> 8;

/// A family, where it is one that samples can make.
pub(super) fn family(record: FamilyRecord<'_>) -> Result<RestoredFamily, StateError> {
    if !is_metric_name(record.name) {
        return Err(unlike("a metric name", &shown(record.name)));
    }
    if record.name.starts_with(RESERVED_PREFIX) {
        return Err(unlike("a name that is not the gateway's own", &shown(record.name)));
    }
    if record.uid > GREATEST_UID {
        return Err(StateError::malformed("a family's uid"));
    }
    let shape = shape(record.shape).map_err(|expected| unlike(expected, &shown(record.name)))?;
    let (uid, name, help) = (record.uid, record.name.into(), record.help.into());
    Ok(RestoredFamily { uid, name, help, shape })
}

/// A shape; or what was expected of it.
fn shape(shape: ShapeRecord<'_>) -> Result<RestoredShape, &'static str> {
    match shape {
        ShapeRecord::Counter => Ok(RestoredShape::Counter),
        ShapeRecord::Gauge => Ok(RestoredShape::Gauge),
        ShapeRecord::Histogram(bounds) => {
            let rise = bounds.is_sorted_by(|lower, upper| lower < upper);
            if !rise || !bounds.iter().copied().all(is_number) {
                return Err("bounds of buckets that rise");
            }
            Ok(RestoredShape::Histogram(bounds.as_ref().into()))
        }
        ShapeRecord::Summary { objectives, window: _ } => {
            let valid = |(quantile, error): &(f64, f64)| {
                is_number(*quantile)
                    && (0.0..=1.0).contains(quantile)
                    && (SMALLEST_EPSILON..=1.0).contains(error)
            };
            let rise = objectives.is_sorted_by(|(lower, _), (upper, _)| lower < upper);
            if !rise || !objectives.iter().all(valid) {
                return Err("objectives of a summary");
            }
            Ok(RestoredShape::Summary(objectives.as_ref().into()))
        }
    }
}

/// Refuses a series of `family` that no samples can make.
pub(super) fn series(record: &SeriesRecord<'_>, family: &RestoredFamily) -> Result<(), StateError> {
    let SeriesRecord { labels, display, value, .. } = record;
    let labels = LabelPairs::from_text(labels);
    let is_of_labels = |display| LabelPairs::from_text(display).is_reordered(labels);
    let of_display = display.is_none_or(is_of_labels);
    let fault = match value {
        _ if !labels.is_canonical(family.shape.kind()) => Err("labels as they are printed"),
        _ if !of_display => Err("labels in two orders that are the same"),
        ValueRecord::Counter(total) => counter(*total),
        ValueRecord::Gauge { value, at: _ } if value.is_finite() => Ok(()),
        ValueRecord::Gauge { .. } => Err("a number as a gauge's value"),
        ValueRecord::Histogram { counts, sum } => histogram(counts, *sum),
        ValueRecord::Summary { sum, count, window: _ } => histogram(&[*count], *sum),
    };
    fault.map_err(|expected| unlike(expected, &shown(&format!("{}{{{labels}}}", family.name))))
}

/// Refuses a tombstone of `family` that no series can leave.
pub(super) fn tombstone(
    record: &TombstoneRecord<'_>,
    family: &RestoredFamily,
) -> Result<(), StateError> {
    let fault = match &record.total {
        TotalRecord::Counter(total) => counter(*total),
        TotalRecord::Histogram { counts, sum } => histogram(counts, *sum),
    };
    fault.map_err(|expected| unlike(expected, &format!("a tombstone of {}", shown(&family.name))))
}

fn counter(total: f64) -> Result<(), &'static str> {
    match is_number(total) && total >= 0.0 {
        true => Ok(()),
        false => Err("a number of at least 0 as a counter's total"),
    }
}

fn histogram(counts: &[u64], sum: f64) -> Result<(), &'static str> {
    let count = counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
    match count {
        _ if !sum.is_finite() => Err("a number as a sum"),
        Some(0..=GREATEST_COUNT) => Ok(()),
        Some(_) | None => Err("fewer observations"),
    }
}

/// Whether it is one that is printed like the same number from a payload: minus
/// zero is zero there.
fn is_number(number: f64) -> bool {
    number.is_finite() && (number != 0.0 || number.is_sign_positive())
}

fn shown(text: &str) -> String {
    printable(text, SHORT)
}

fn unlike(expected: &str, got: &str) -> StateError {
    StateError::malformed(format!("expected {expected}, got {got}"))
}

impl RestoredShape {
    /// The type whose series are made so.
    fn kind(&self) -> Kind {
        match self {
            RestoredShape::Counter => Kind::Counter,
            RestoredShape::Gauge => Kind::Gauge,
            RestoredShape::Histogram(_) => Kind::Histogram,
            RestoredShape::Summary(_) => Kind::Summary,
        }
    }
}
