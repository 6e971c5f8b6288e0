//! Resolving: which series a sample is of, whatever it was read from.
//!
//! A series that the reader has met is found by its label set, or else by its
//! labels in their canonical form. Another one is claimed in the catalog and
//! noted, so that its shard is asked for it at the end of the batch. [`overflow`] is
//! for series beyond a limit. Once a batch a reader looks whether families were
//! retired (see [`crate::catalog`]), and lets go of their series.

mod overflow;

use std::sync::Arc;

use super::entry_id::EntryId;
use super::family_cache::{FamilyCache, FamilyId};
use super::label_sets::LabelSets;
use super::series_cache::SeriesCache;
use super::template::TemplateCache;
use crate::catalog::{Admission, Catalog, Family, FamilyRef};
use crate::labels::{LabelRenderer, SeriesLabels};
use crate::metric::{Observations, Shape};
use crate::printable::{LONG, printable};
use crate::reject::{Reason, Reject};
use crate::sample::Sample;
use crate::series::{SeriesKey, Slot};
use crate::sharding::ShardIndex;
use overflow::Overflow;

/// The series that one reader knows, and how each is found.
#[derive(Debug)]
pub struct Resolver {
    pub(super) catalog: Catalog,
    pub(super) renderer: LabelRenderer,
    pub(super) families: FamilyCache,
    pub(super) series: SeriesCache,
    pub(super) label_sets: LabelSets,
    /// Series that no shard has been asked for yet.
    pub(super) unknown: Vec<(EntryId, SeriesKey)>,
    pub(super) overflow: Overflow,
    /// Samples of the batch with another layout than their family's.
    pub(super) layout_mismatches: u64,
    /// [`Catalog::retirements`] at the last look.
    pub(super) retirements: u64,
    /// The counts of a whole histogram, in the layout of its family.
    folded_counts: Vec<u64>,
    /// Slots of retired families, to be given back with the batch.
    pub(super) given_back: Vec<(ShardIndex, Slot)>,
    /// Whether labels are shown sorted; else in first-seen order.
    sort_labels: bool,
    /// Whether a name may have several families.
    has_variants: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Resolved {
    /// By which the reader's caches know it.
    pub entry: EntryId,
    /// Whether the sample has its family's layout or objectives.
    pub fits: bool,
    pub lookup: SeriesLookup,
}

/// How a series was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesLookup {
    /// By its label set, the short way.
    ByLabelSet,
    /// By its labels in canonical form: a label set may be worth keeping.
    ByLabels,
    /// It was not known to this reader.
    New,
}

impl Resolver {
    /// A resolver without any known series; it keeps `cache_series` from batch
    /// to batch.
    pub fn new(catalog: Catalog, cache_series: usize, sort_labels: bool) -> Self {
        Self {
            renderer: LabelRenderer::default(),
            families: FamilyCache::default(),
            series: SeriesCache::new(cache_series),
            label_sets: LabelSets::default(),
            unknown: Vec::new(),
            overflow: Overflow::default(),
            layout_mismatches: 0,
            retirements: catalog.retirements(),
            folded_counts: Vec::new(),
            given_back: Vec::new(),
            has_variants: catalog.has_variants(),
            catalog,
            sort_labels,
        }
    }

    /// The series of `sample`, or why there can be none.
    pub fn resolve(&mut self, sample: &Sample<'_>) -> Result<Resolved, Reject> {
        if let Some(resolved) = self.find_by_label_set(sample) {
            return Ok(resolved);
        }
        let labels = self.renderer.canonical(sample.labels);
        let hash = self.series.hash(sample.name, labels);
        let (families, has_variants) = (&self.families, self.has_variants);
        let is_its = |id| {
            families.get(id).is_some_and(|family| {
                family.name() == sample.name && (!has_variants || family.is_variant_of(sample))
            })
        };
        if let Some((entry, id)) = self.series.find(hash, labels, is_its)
            && let Some(family) = families.of_kind(id, sample.kind)
            && let Some(fits) = note_family(family, sample, &mut self.layout_mismatches)
        {
            self.series.touch(entry);
            return Ok(Resolved { entry, fits, lookup: SeriesLookup::ByLabels });
        }
        // Only now: a refused sample copies nothing.
        let (id, family) = self.families.hold(&self.catalog, sample)?;
        let Some(fits) = note_family(family.family(), sample, &mut self.layout_mismatches) else {
            if !fits(family.family(), sample) {
                self.layout_mismatches += sample.samples;
                family.family().note_layout_mismatch(sample);
            }
            return Err(unlike_family(&family, sample));
        };
        let labels = SeriesLabels::from(labels);
        let entry = self.admit(sample, hash, labels, (id, family));
        Ok(Resolved { entry, fits, lookup: SeriesLookup::New })
    }

    /// What the counts of a resolved whole histogram come to in the layout of its
    /// family, where they have another one.
    #[cold]
    pub fn fold_counts(&mut self, sample: &Sample<'_>, entry: EntryId) -> Option<&[u64]> {
        let Observations::Counts(counts) = sample.observations else { return None };
        let family = self.series.family(entry).and_then(|id| self.families.get(id))?;
        let Shape::Histogram(layout) = family.shape() else { return None };
        layout.fold(sample.buckets, counts, &mut self.folded_counts);
        Some(&self.folded_counts)
    }

    fn find_by_label_set(&mut self, sample: &Sample<'_>) -> Option<Resolved> {
        let families = &self.families;
        let family_id = || {
            let id = families.id_of(sample.name)?;
            families.that_takes(id, sample, self.has_variants).map(|_| id)
        };
        let (entry, id) = self.label_sets.find(sample.labels, family_id)?;
        let family = families.of_kind(id, sample.kind)?;
        let fits = note_family(family, sample, &mut self.layout_mismatches)?;
        self.series.touch(entry);
        Some(Resolved { entry, fits, lookup: SeriesLookup::ByLabelSet })
    }

    /// Takes a series in that nobody knew; its shard has yet to be asked.
    fn admit(
        &mut self,
        sample: &Sample<'_>,
        hash: u64,
        labels: SeriesLabels,
        (id, family): (FamilyId, FamilyRef),
    ) -> EntryId {
        let mut display = None;
        if !self.sort_labels {
            let as_sent = self.renderer.as_sent(sample.labels);
            display = (as_sent != labels.pairs()).then(|| as_sent.into());
        }
        let entry = self.series.insert(hash, id, labels.clone());
        let key = SeriesKey::new(family, labels, display, Admission::Counted);
        self.unknown.push((entry, key));
        entry
    }

    /// Keeps the label set of a series that was found by its labels, so that the
    /// next sample goes the short way.
    pub fn keep_label_set(&mut self, sample: &Sample<'_>, entry: EntryId) {
        let Some(family) = self.series.family(entry) else { return };
        let kept = self.series.label_set(entry);
        if kept.is_none() {
            *kept = self.label_sets.keep(sample.labels, family, entry);
        }
    }

    /// How many buckets besides `+Inf` a known series has, if it is a histogram.
    pub fn buckets_of(&self, entry: EntryId) -> Option<usize> {
        let family = self.families.get(self.series.family(entry)?)?;
        family.shape().bounds().map(<[f64]>::len)
    }

    /// Counts a sample that did not need to be resolved, of a known series, that
    /// has another layout than its family.
    #[cold]
    pub fn count_misfit(&mut self, entry: EntryId) {
        self.layout_mismatches += 1;
        if let Some(family) = self.series.family(entry).and_then(|id| self.families.get(id)) {
            family.count_layout_mismatch();
        }
    }

    /// Lets go of the series of retired families, if any was retired since the
    /// last look.
    #[inline]
    pub fn look_for_retired(&mut self, templates: &mut TemplateCache) {
        let retirements = self.catalog.retirements();
        if retirements != self.retirements {
            self.retirements = retirements;
            self.drop_retired(templates);
        }
    }

    #[cold]
    fn drop_retired(&mut self, templates: &mut TemplateCache) {
        let Self { series, families, label_sets, given_back, .. } = self;
        let is_retired = |id| families.get(id).is_none_or(|family| family.is_retired());
        series.drop_families(is_retired, |leaving| {
            leaving.templates().for_each(|template| templates.forget(template));
            leaving.label_set().into_iter().for_each(|labels| label_sets.forget(labels));
            given_back.extend(leaving.slot);
        });
        families.drop_retired();
    }
}

/// Whether a sample has the layout of its family.
#[inline(always)]
fn fits(family: &Family, sample: &Sample<'_>) -> bool {
    let shape = family.shape();
    let has_layout = sample.buckets_by_default || shape.agrees(sample.buckets, sample.objectives);
    has_layout && shape.is_as_fine_as(sample.schema)
}

/// Whether a sample has the layout of its family; counted where not. `None` where it
/// can't be taken for that, which is for who refuses it to count. Its help and unit
/// are kept where they are the first.
fn note_family(family: &Arc<Family>, sample: &Sample<'_>, mismatches: &mut u64) -> Option<bool> {
    let fits = fits(family, sample);
    if !(fits || can_fold(family, sample)) || !can_count(family, sample) {
        return None;
    }
    if !fits {
        *mismatches += sample.samples;
        family.note_layout_mismatch(sample);
    }
    let is_first = |said: &str, known: &str| !said.is_empty() && known.is_empty();
    if is_first(sample.help, family.help()) || is_first(sample.unit, family.unit()) {
        note_texts(family, sample);
    }
    Some(fits)
}

/// Whether what a sample has counted can be added to that of its family: what it
/// counted by native buckets only where that has no others, and else only where it has.
fn can_count(family: &Family, sample: &Sample<'_>) -> bool {
    match (sample.observations, family.shape()) {
        (Observations::Counts(_), Shape::Histogram(layout)) => {
            sample.is_counted_values || !layout.is_native_only()
        }
        (Observations::Native(_), Shape::Histogram(layout)) => {
            layout.is_native_only() || family.is_one_of_several()
        }
        (_, Shape::Counter | Shape::Gauge | Shape::Summary(_))
        | (Observations::One | Observations::Values(_), Shape::Histogram(_)) => true,
    }
}

/// Whether a sample of another layout can be aggregated into that of its family:
/// values always, also once a router has counted them; counts of producers where the
/// family's bounds are among their own.
#[cold]
fn can_fold(family: &Family, sample: &Sample<'_>) -> bool {
    match (sample.observations, family.shape()) {
        (Observations::Counts(_), Shape::Histogram(layout)) => {
            sample.is_counted_values || layout.is_among(sample.buckets)
        }
        (_, Shape::Counter | Shape::Gauge | Shape::Summary(_))
        | (
            Observations::One | Observations::Values(_) | Observations::Native(_),
            Shape::Histogram(_),
        ) => true,
    }
}

#[cold]
fn unlike_family(family: &Family, sample: &Sample<'_>) -> Reject {
    if !can_count(family, sample) {
        let detail = match sample.observations {
            Observations::Native(_) => {
                "expected a value, values or counts, since the metric has classic buckets, \
                 got native ones"
            }
            Observations::One | Observations::Values(_) | Observations::Counts(_) => {
                "expected a value, values or native ones, since the metric has native buckets \
                 alone, got counts"
            }
        };
        return Reject::new(Reason::BadBuckets, detail);
    }
    let shown = |bounds: &[f64]| printable(&format!("{bounds:?}"), LONG);
    let (own, got) = (shown(family.shape().bounds().unwrap_or_default()), shown(sample.buckets));
    let expected = "expected counts of buckets that have all of the metric's among them";
    Reject::new(Reason::BadBuckets, format!("{expected}, {own}, got {got}"))
}

#[cold]
fn note_texts(family: &Arc<Family>, sample: &Sample<'_>) {
    if let Some(held) = FamilyRef::from_cached(family) {
        held.note_texts(sample.help, sample.unit);
    }
}
