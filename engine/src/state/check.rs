//! What a stored state says is held to what payloads are held to: names, label
//! texts, layouts and numbers. Whoever can write the file or the record in Redis
//! could else write lines of `/metrics`, or totals that no sample comes to.

use super::StateError;
use crate::labels::LabelPairs;
use crate::limits::SMALLEST_EPSILON;
use crate::name::{RESERVED_PREFIX, is_metric_name};
use crate::printable::{SHORT, printable};
use crate::record::{FamilyRecord, SeriesRecord, ShapeRecord, ValueRecord};

/// Greater uids are not given: the next ones have to fit too.
const GREATEST_UID: u64 = u64::MAX / 2;
/// No process counts so far, and there is room for what comes.
const GREATEST_COUNT: u64 = u64::MAX >> 8;

/// Refuses a family that no samples can make.
pub(super) fn family(record: &FamilyRecord<'_>) -> Result<(), StateError> {
    let FamilyRecord { uid, name, help: _, shape: layout } = record;
    if !is_metric_name(name) {
        return Err(unlike("a metric name", &shown(name)));
    }
    if name.starts_with(RESERVED_PREFIX) {
        return Err(unlike("a name that is not the gateway's own", &shown(name)));
    }
    if *uid > GREATEST_UID {
        return Err(StateError::malformed("a family's uid"));
    }
    shape(layout).map_err(|expected| unlike(expected, &shown(name)))
}

fn shape(shape: &ShapeRecord<'_>) -> Result<(), &'static str> {
    match shape {
        ShapeRecord::Counter | ShapeRecord::Gauge => Ok(()),
        ShapeRecord::Histogram(bounds) => {
            let rise = bounds.is_sorted_by(|lower, upper| lower < upper);
            if !rise || !bounds.iter().copied().all(is_number) {
                return Err("bounds of buckets that rise");
            }
            Ok(())
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
            Ok(())
        }
    }
}

/// Refuses a series of `family` that no samples can make.
pub(super) fn series(
    record: &SeriesRecord<'_>,
    family: &FamilyRecord<'_>,
) -> Result<(), StateError> {
    let SeriesRecord { labels: text, display, value: held, .. } = record;
    let labels = LabelPairs::from_text(text);
    let is_of_labels = |display| LabelPairs::from_text(display).is_reordered(labels);
    let fault = if !labels.is_canonical(family.shape.kind()) {
        Err("labels as they are printed")
    } else if !display.is_none_or(is_of_labels) {
        Err("labels in two orders that are the same")
    } else {
        value(held)
    };
    fault.map_err(|expected| unlike(expected, &shown(&format!("{}{{{text}}}", family.name))))
}

/// Refuses a tombstone of `family` that no series can leave.
pub(super) fn total(total: &ValueRecord<'_>, family: &FamilyRecord<'_>) -> Result<(), StateError> {
    value(total)
        .map_err(|expected| unlike(expected, &format!("a tombstone of {}", shown(&family.name))))
}

fn value(value: &ValueRecord<'_>) -> Result<(), &'static str> {
    match value {
        ValueRecord::Counter(total) if is_number(*total) && *total >= 0.0 => Ok(()),
        ValueRecord::Counter(_) => Err("a number of at least 0 as a counter's total"),
        ValueRecord::Gauge { value, at: _ } if value.is_finite() => Ok(()),
        ValueRecord::Gauge { .. } => Err("a number as a gauge's value"),
        ValueRecord::Histogram { counts, sum } => histogram(counts, *sum),
        ValueRecord::Summary { sum, count, window: _ } => histogram(&[*count], *sum),
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
