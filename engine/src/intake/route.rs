//! Routing: which series a payload is for. A recognised template says it at
//! once; else the decoder reads the payload, and the catalog and the cache of
//! known series say it.

use std::sync::Arc;

use super::entry_id::EntryId;
use super::family_cache::FamilyId;
use super::label_sets::LabelSets;
use super::series_cache::{SeriesCache, Spelling};
use super::template::{Located, TemplateCache, Verdict};
use super::{Intake, KEPT_ELEMENTS, Part, Routed};
use crate::catalog::{Admission, Family, FamilyRef};
use crate::labels::SeriesLabels;
use crate::metric::Kind;
use crate::reject::Reject;
use crate::sample::{Labels, Sample};
use crate::series::SeriesKey;
use crate::timestamp::{Ttl, UnixTime};
use crate::updates::Details;
use crate::wire::{JsonSample, PayloadForm};

/// What became of a payload that was not refused.
enum Way {
    /// It is a sample of the batch.
    Taken,
    /// It begins as an array; nothing was done yet.
    Array,
}

/// What the decoder found, and for which series.
struct Decoded {
    entry: EntryId,
    value: f64,
    kind: Kind,
    timestamp: Option<UnixTime>,
    ttl: Option<Ttl>,
}

impl Intake {
    /// Takes the next payload of the batch: one sample, or an array of them.
    /// `refuse` is told the bytes of each that is refused, and why.
    pub fn route(&mut self, payload: &[u8], mut refuse: impl FnMut(&[u8], Reject)) {
        let number = self.payloads;
        self.payloads += 1;
        match self.route_sample(payload, number, true) {
            Ok(Way::Taken) => {}
            Ok(Way::Array) => self.route_array(payload, number, refuse),
            Err(reject) => refuse(payload, reject),
        }
    }

    /// Takes a payload that is one sample, or says that it begins as an array
    /// where it `may_be_array`.
    #[inline]
    fn route_sample(
        &mut self,
        payload: &[u8],
        number: u32,
        may_be_array: bool,
    ) -> Result<Way, Reject> {
        let located = self.templates.locate(payload);
        if let Some(located) = &located
            && let Some(verdict) = self.templates.recognise(payload, located)
        {
            self.series.touch(verdict.entry);
            if !verdict.fits {
                self.count_misfit(verdict.entry);
            }
            if let Some(ttl) = verdict.ttl {
                self.note_details(None, Some(ttl));
            }
            self.batch.push(Routed { entry: verdict.entry, payload: number, value: located.value });
            return Ok(Way::Taken);
        }
        if may_be_array && PayloadForm::of(payload) == PayloadForm::JsonArray {
            return Ok(Way::Array);
        }
        let Decoded { entry, value, kind, timestamp, ttl } = self.decode(payload, located)?;
        if timestamp.is_some() || ttl.is_some() {
            self.newest = self.newest.max(timestamp);
            self.note_details(timestamp.filter(|_| kind.is_ordered_by_time()), ttl);
        }
        self.batch.push(Routed { entry, payload: number, value });
        Ok(Way::Taken)
    }

    /// Each sample of an array goes the way of any other; where it came from is
    /// noted, in case that admission refuses it.
    #[cold]
    fn route_array(&mut self, payload: &[u8], number: u32, mut refuse: impl FnMut(&[u8], Reject)) {
        let mut elements = std::mem::take(&mut self.elements);
        if let Err(reject) = self.decoder.elements(payload, &mut elements) {
            refuse(payload, reject);
        }
        for place in elements.drain(..) {
            let sample = &payload[place.clone()];
            let routed = self.batch.len();
            match self.route_sample(sample, number, false) {
                Ok(_taken) => self.parts.push(Part { routed, place }),
                Err(reject) => refuse(sample, reject),
            }
        }
        elements.shrink_to(KEPT_ELEMENTS);
        self.elements = elements;
    }

    /// Counts a sample of a known series that has another layout than its family.
    #[cold]
    fn count_misfit(&mut self, entry: EntryId) {
        self.layout_mismatches += 1;
        if let Some(family) = self.series.family(entry).and_then(|id| self.families.get(id)) {
            family.count_layout_mismatch();
        }
    }

    /// Notes what the sample says that is put into the batch next.
    #[cold]
    fn note_details(&mut self, timestamp: Option<UnixTime>, ttl: Option<Ttl>) {
        self.details.push((self.batch.len(), Details { timestamp, ttl }));
    }

    /// The long way: the decoder, and which series has these labels.
    fn decode(&mut self, payload: &[u8], located: Option<Located>) -> Result<Decoded, Reject> {
        let JsonSample { sample, value_at } = self.decoder.decode(payload, self.taken_at)?;
        // A timestamp may be refused later, and is hardly ever sent again.
        let located =
            located.filter(|located| sample.timestamp.is_none() && located.is_at(value_at));
        let families = &self.families;
        let of_kind = |id: FamilyId| families.get(id).filter(|it| it.kind() == sample.kind);
        let mut ways = Ways {
            series: &mut self.series,
            templates: &mut self.templates,
            label_sets: &mut self.label_sets,
        };
        let by_name = || families.id_of(sample.name).filter(|id| of_kind(*id).is_some());
        if let Some((entry, id)) = ways.label_sets.find(sample.labels, by_name)
            && let Some(family) = of_kind(id)
        {
            let fits = count_fit(family, &sample, &mut self.layout_mismatches);
            ways.went(
                payload,
                located,
                Verdict { entry, kind: sample.kind, fits, ttl: sample.ttl },
            );
            return Ok(Decoded::new(entry, &sample));
        }
        let labels = self.renderer.canonical(sample.labels);
        let hash = ways.series.hash(sample.name, labels);
        let is_of = |family: &Arc<Family>| family.name() == sample.name;
        let known = ways.series.find(hash, labels, |id| families.get(id).is_some_and(is_of));
        if let Some((entry, id)) = known
            && let Some(family) = of_kind(id)
        {
            let fits = count_fit(family, &sample, &mut self.layout_mismatches);
            let verdict = Verdict { entry, kind: sample.kind, fits, ttl: sample.ttl };
            if ways.went(payload, located, verdict) == Repeats::No {
                ways.keep_set(sample.labels, id, entry);
            }
            return Ok(Decoded::new(entry, &sample));
        }
        let (id, family) = self.families.hold(&self.catalog, &sample)?;
        count_fit(family.family(), &sample, &mut self.layout_mismatches);
        let labels = SeriesLabels::from(labels);
        let mut display = None;
        if !self.settings.sort_labels {
            let as_sent = self.renderer.as_sent(sample.labels);
            display = (as_sent != labels.pairs()).then(|| as_sent.into());
        }
        let entry = self.series.insert(hash, id, labels.clone());
        let key = SeriesKey::new(family, labels, display, Admission::Counted);
        self.unknown.push((entry, key));
        Ok(Decoded::new(entry, &sample))
    }
}

/// The ways to a known series, shortest last: by its label text, by its label
/// set, by a template.
struct Ways<'a> {
    series: &'a mut SeriesCache,
    label_sets: &'a mut LabelSets,
    templates: &'a mut TemplateCache,
}

/// Whether a series' payloads repeat, but for the value.
#[derive(PartialEq, Eq)]
enum Repeats {
    /// This one did.
    Yes,
    /// They do not.
    No,
    /// It is too early to tell.
    Unknown,
}

impl Ways<'_> {
    /// A sample of a known series came by another way than a template: the next
    /// may come by one if this was a spelling that comes back.
    fn went(&mut self, payload: &[u8], located: Option<Located>, verdict: Verdict) -> Repeats {
        self.series.touch(verdict.entry);
        let Some(located) = located else { return Repeats::No };
        let fingerprint = self.templates.fingerprint(payload, &located);
        match self.series.spelling(verdict.entry, fingerprint) {
            Spelling::First => Repeats::Unknown,
            Spelling::Another => Repeats::No,
            Spelling::SeenAgain => {
                self.learn_template(payload, &located, verdict);
                Repeats::Yes
            }
        }
    }

    fn learn_template(&mut self, payload: &[u8], located: &Located, verdict: Verdict) {
        if let Some(template) = self.templates.learn(payload, located, verdict)
            && let Some(oldest) = self.series.keep_template(verdict.entry, template)
        {
            self.templates.forget(oldest);
        }
    }

    fn keep_set(&mut self, labels: Labels<'_>, family: FamilyId, entry: EntryId) {
        let kept = self.series.label_set(entry);
        if kept.is_none() {
            *kept = self.label_sets.keep(labels, family, entry);
        }
    }
}

impl Decoded {
    fn new(entry: EntryId, sample: &Sample<'_>) -> Self {
        let Sample { kind, value, timestamp, ttl, .. } = *sample;
        Self { entry, value, kind, timestamp, ttl }
    }
}

/// Whether a sample has the layout of its family; counted where not. Its help is
/// kept where it is the first.
fn count_fit(family: &Arc<Family>, sample: &Sample<'_>, mismatches: &mut u64) -> bool {
    if !sample.help.is_empty() && family.help().is_empty() {
        note_help(family, sample.help);
    }
    let fits = family.has_layout_of(sample);
    if !fits {
        *mismatches += 1;
        family.note_layout_mismatch(sample);
    }
    fits
}

#[cold]
fn note_help(family: &Arc<Family>, help: &str) {
    if let Some(held) = FamilyRef::from_cached(family) {
        held.note_help(help);
    }
}
