//! Exemplars: one of the events that a total is made of, such as the trace of a
//! request, so that a graph leads to it. OpenMetrics has them on counters that end in
//! `_total` and on the buckets of histograms.

use std::sync::Arc;

use crate::labels::{LabelPairs, LabelRenderer};
use crate::metric::Kind;
use crate::name::NameRules;
use crate::record::ExemplarRecord;
use crate::sample::{Exemplar, Labels};
use crate::timestamp::UnixTime;

/// Characters that the names and values of its labels may have together, as
/// OpenMetrics 1.0 counts them.
pub const MOST_CHARACTERS: usize = 128;
/// As many labels as these are enough for.
pub const MOST_LABELS: usize = MOST_CHARACTERS / 2;

/// Whether OpenMetrics shows exemplars of a metric that is called so.
pub fn takes_exemplars(name: &str, kind: Kind) -> bool {
    match kind {
        Kind::Counter => kind.stem(name) != name,
        Kind::Histogram => true,
        Kind::Gauge | Kind::Summary => false,
    }
}

/// Whether labels are no longer than they may be together.
pub fn has_room_for(labels: Labels<'_>) -> bool {
    let characters = |text: &str| text.chars().count();
    let all = labels.iter().map(|label| characters(label.name) + characters(label.value));
    all.sum::<usize>() <= MOST_CHARACTERS
}

/// Whether a text, which was stored, is one of labels of an exemplar.
pub(crate) fn is_label_text(text: &str) -> bool {
    let labels = LabelPairs::from_text(text);
    let characters = |text: &str| text.chars().count();
    let all = || labels.iter().map(|(name, value)| characters(&name) + characters(&value));
    labels.is_canonical(Kind::Counter, NameRules::Legacy) && all().sum::<usize>() <= MOST_CHARACTERS
}

/// An exemplar as a series keeps it. Clones share the labels.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptExemplar {
    labels: Arc<str>,
    /// What was observed, or added.
    pub value: f64,
    /// When.
    pub timestamp: UnixTime,
}

impl KeptExemplar {
    /// That of a sample.
    pub fn of(exemplar: &Exemplar<'_>) -> Self {
        let Exemplar { labels, value, timestamp } = *exemplar;
        let labels = LabelRenderer::default().canonical(labels).as_text().into();
        Self { labels, value, timestamp }
    }

    /// Its labels, sorted.
    pub fn labels(&self) -> LabelPairs<'_> {
        LabelPairs::from_text(&self.labels)
    }

    pub(crate) fn record(&self) -> ExemplarRecord<'_> {
        ExemplarRecord { labels: &self.labels, value: self.value, at: self.timestamp.micros() }
    }

    pub(crate) fn from_record(record: &ExemplarRecord<'_>) -> Self {
        let ExemplarRecord { labels, value, at } = *record;
        Self { labels: labels.into(), value, timestamp: UnixTime::from_micros(at) }
    }
}

/// The exemplars of one series, at most one for each bucket; a counter is as if it
/// had one bucket.
#[derive(Debug, Default)]
pub struct SeriesExemplars(Vec<Place>);

/// Where an exemplar lies.
#[derive(Debug)]
struct Place {
    bucket: u32,
    /// Which one of all places it is, see [`SeriesExemplars::replace`].
    number: u64,
    exemplar: KeptExemplar,
}

impl SeriesExemplars {
    /// That of a bucket.
    pub fn of(&self, bucket: u32) -> Option<&KeptExemplar> {
        self.position(bucket).ok().map(|position| &self.0[position].exemplar)
    }

    /// All of them, by their buckets.
    pub fn iter(&self) -> impl Iterator<Item = &KeptExemplar> {
        self.0.iter().map(|place| &place.exemplar)
    }

    /// The newest.
    pub fn newest(&self) -> Option<&KeptExemplar> {
        self.iter().max_by_key(|exemplar| exemplar.timestamp)
    }

    /// Puts it in the place of an older one of its bucket, or nowhere where that is
    /// the newer one; gives it back where the bucket has none.
    pub(crate) fn replace(&mut self, bucket: u32, exemplar: KeptExemplar) -> Option<KeptExemplar> {
        let Ok(position) = self.position(bucket) else { return Some(exemplar) };
        let kept = &mut self.0[position].exemplar;
        if exemplar.timestamp >= kept.timestamp {
            *kept = exemplar;
        }
        None
    }

    /// Takes one in whose bucket has none; its place gets this number.
    pub(crate) fn insert(&mut self, bucket: u32, number: u64, exemplar: KeptExemplar) {
        let (Ok(position) | Err(position)) = self.position(bucket);
        // Most series have one or a few, for long.
        self.0.reserve_exact(1);
        self.0.insert(position, Place { bucket, number, exemplar });
    }

    /// Removes that of a bucket.
    pub(crate) fn remove(&mut self, bucket: u32) {
        self.0.retain(|place| place.bucket != bucket);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers of its places.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|place| place.number)
    }

    fn position(&self, bucket: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&bucket, |place| place.bucket)
    }
}
