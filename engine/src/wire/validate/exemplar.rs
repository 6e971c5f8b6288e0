//! Whether the exemplar of a sample is one that OpenMetrics shows. One that is not is
//! dropped for the first of its faults, in the order of [`DroppedExemplar`].

use super::labels::supersede_pairwise;
use super::{Observed, Rules, SampleLists};
use crate::exemplar::{MOST_LABELS, has_room_for, takes_exemplars};
use crate::metric::Kind;
use crate::name::{self, Script};
use crate::reject::DroppedExemplar;
use crate::sample::{Exemplar, Labels};
use crate::text::{LabelText, Texts};
use crate::timestamp::UnixTime;

/// An exemplar as an encoding has read it; its labels are in the lists.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawExemplar {
    /// How many labels were sent, duplicates included; no more than
    /// [`MOST_LABELS`] need be kept.
    pub labels_sent: usize,
    /// Infinite where it overflows.
    pub value: Option<f64>,
    /// Since 1970, in seconds or milliseconds.
    pub timestamp: Option<f64>,
    /// Whether a part of it has a type that it can't have.
    pub is_malformed: bool,
}

/// What an exemplar says besides its labels.
#[derive(Debug, Clone, Copy)]
pub struct Said {
    value: f64,
    timestamp: UnixTime,
}

/// What an exemplar has of its sample.
#[derive(Debug)]
pub struct OfSample<'a> {
    pub name: &'a str,
    pub kind: Kind,
    pub observed: Observed,
    pub value: f64,
    /// When it was measured, else when it was taken.
    pub timestamp: Option<UnixTime>,
    pub now: UnixTime,
}

/// Leaves the labels of the exemplar in the lists.
#[cold]
pub fn check(
    lists: &mut SampleLists,
    texts: Texts<'_>,
    rules: &Rules,
    sample: &OfSample<'_>,
) -> Result<Said, DroppedExemplar> {
    let RawExemplar { labels_sent, value, timestamp, is_malformed } = lists.exemplar;
    let labels = &mut lists.exemplar_labels;
    if !rules.exemplars {
        return Err(DroppedExemplar::Off);
    }
    if !takes_exemplars(sample.name, sample.kind) {
        return Err(DroppedExemplar::Type);
    }
    if is_malformed || labels.iter().any(|label| label.wrong.is_some()) {
        return Err(DroppedExemplar::Malformed);
    }
    if !labels.iter().all(|label| name::is_label_name(texts.get(label.name))) {
        return Err(DroppedExemplar::LabelName);
    }
    supersede_pairwise(labels, texts);
    labels.retain(|label| !label.value.is_empty());
    if labels_sent > MOST_LABELS || !has_room_for(Labels::decoded(labels, texts, Script::Legacy)) {
        return Err(DroppedExemplar::TooLong);
    }
    let of_sample = match sample.observed {
        Observed::Value(_) => Some(sample.value),
        Observed::Values { .. } if sample.kind == Kind::Counter => Some(sample.value),
        Observed::Values { .. } | Observed::Counts { .. } | Observed::Native { .. } => None,
    };
    let value = value.or(of_sample).filter(|value| value.is_finite());
    let value = value.ok_or(DroppedExemplar::Value)?;
    let timestamp = match timestamp {
        Some(number) => UnixTime::from_sample(number),
        None => sample.timestamp.unwrap_or(sample.now),
    };
    if timestamp.is_too_far_ahead_of(sample.now) {
        return Err(DroppedExemplar::Timestamp);
    }
    Ok(Said { value, timestamp })
}

impl Said {
    /// The exemplar, with the labels that were checked.
    pub fn with<'a>(self, labels: &'a [LabelText], texts: Texts<'a>) -> Exemplar<'a> {
        let Self { value, timestamp } = self;
        Exemplar { labels: Labels::decoded(labels, texts, Script::Legacy), value, timestamp }
    }
}
