//! What a stored state says is held to what payloads are held to: names, label
//! texts, layouts and numbers. Whoever can write the file or the record in Redis
//! could otherwise write lines of `/metrics`, or totals that no sample comes to.

use super::StateError;
use crate::exemplar;
use crate::labels::LabelPairs;
use crate::name::{self, NameRules, RESERVED_PREFIX};
use crate::printable::{SHORT, printable};
use crate::record::{ExemplarRecord, FamilyRecord, SeriesRecord, ValueRecord};

/// Greater uids are not given: the next ones have to fit too.
const GREATEST_UID: u64 = u64::MAX / 2;

/// Refuses a family that no samples can make.
pub(super) fn family(record: &FamilyRecord<'_>) -> Result<(), StateError> {
    metric(record)?;
    let FamilyRecord { uid, name, .. } = record;
    if name.starts_with(RESERVED_PREFIX) {
        return Err(unlike("a name that is not the gateway's own", &shown(name)));
    }
    if *uid > GREATEST_UID {
        return Err(StateError::malformed("a family's uid"));
    }
    Ok(())
}

/// Refuses a name, a unit or a shape that no sample has.
pub(crate) fn metric(record: &FamilyRecord<'_>) -> Result<(), StateError> {
    let FamilyRecord { uid: _, name, help: _, shape, unit } = record;
    // Also while names of any script are refused: what was taken once is kept.
    if !NameRules::Utf8.takes_metric(name) {
        return Err(unlike("a metric name", &shown(name)));
    }
    if !unit.is_empty() && !name::is_of_unit(shape.kind().stem(name), unit) {
        return Err(unlike("a unit that the name ends in", &shown(unit)));
    }
    shape.check().map_err(|expected| unlike(expected, &shown(name)))
}

/// Refuses a series of `family` that no samples can make.
pub(super) fn series(
    record: &SeriesRecord<'_>,
    family: &FamilyRecord<'_>,
) -> Result<(), StateError> {
    let SeriesRecord { labels: text, display, value, .. } = record;
    labels(LabelPairs::from_text(text), display.map(LabelPairs::from_text), family)?;
    value.check().map_err(|expected| unlike(expected, &shown_series(family, text)))
}

/// Refuses labels that no series of `family` has.
pub(crate) fn labels(
    labels: LabelPairs<'_>,
    display: Option<LabelPairs<'_>>,
    family: &FamilyRecord<'_>,
) -> Result<(), StateError> {
    let expected = if !labels.is_canonical(family.shape.kind(), NameRules::Utf8) {
        "labels as they are printed"
    } else if display.is_some_and(|display| !display.is_reordered(labels)) {
        "labels in two orders that are the same"
    } else {
        return Ok(());
    };
    Err(unlike(expected, &shown_series(family, labels.as_text())))
}

fn shown_series(family: &FamilyRecord<'_>, labels: &str) -> String {
    shown(&format!("{}{{{labels}}}", family.name))
}

/// Refuses a tombstone of `family` that no series can leave.
pub(super) fn total(total: &ValueRecord<'_>, family: &FamilyRecord<'_>) -> Result<(), StateError> {
    total
        .check()
        .map_err(|expected| unlike(expected, &format!("a tombstone of {}", shown(&family.name))))
}

/// Refuses exemplars that no samples of `family` can have.
pub(crate) fn exemplars(
    records: &[ExemplarRecord<'_>],
    family: &FamilyRecord<'_>,
) -> Result<(), StateError> {
    let is_valid = |record: &ExemplarRecord<'_>| {
        record.value.is_finite() && exemplar::is_label_text(record.labels)
    };
    let takes_some = exemplar::takes_exemplars(&family.name, family.shape.kind());
    if records.is_empty() || (takes_some && records.iter().all(is_valid)) {
        return Ok(());
    }
    Err(unlike("exemplars as they are printed", &format!("others of {}", shown(&family.name))))
}

fn shown(text: &str) -> String {
    printable(text, SHORT)
}

fn unlike(expected: &str, got: &str) -> StateError {
    StateError::malformed(format!("expected {expected}, got {got}"))
}
