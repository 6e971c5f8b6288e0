//! Intake: the left half of the way. It turns payloads into values for slots,
//! a batch at a time:
//!
//! 1. [`Intake::route`] takes each payload: a recognised template, or else the
//!    decoder, the catalog and the cache of known series, says which series it
//!    is for.
//! 2. [`Intake::unknown`] are the series whose shards have yet to be asked
//!    (Define); [`Intake::answer`] takes what they said.
//! 3. [`Intake::finish`] gives the updates of the shards, and the samples
//!    that admission refused.

mod route;
mod template;
mod parts;
mod gate;
mod label_sets;
mod entry_id;
mod family_cache;
mod series_cache;
mod clock;
mod overflow;
mod retired;

use std::ops::Range;

use crate::catalog::Catalog;
use crate::labels::{DropLabels, LabelRenderer};
use crate::limits::PayloadLimits;
use crate::reject::{Reason, Reject};
use crate::series::{Handle, ReaderIndex, SeriesKey, Slot};
use crate::sharding::{ShardCount, ShardIndex};
use crate::timestamp::UnixTime;
use crate::updates::{Details, Updates};
use crate::wire::JsonDecoder;

use entry_id::EntryId;
use family_cache::FamilyCache;
use label_sets::LabelSets;
use overflow::Overflow;
use series_cache::{SeriesCache, State};
use template::TemplateCache;

/// What an intake is tuned by.
#[derive(Debug, Clone)]
pub struct IntakeSettings {
    /// Bounds on one payload.
    pub payload: PayloadLimits,
    /// Labels that are taken off.
    pub drop_labels: DropLabels,
    /// Series, and payload templates, that are kept from batch to batch.
    pub cache_series: usize,
    /// Whether labels are printed sorted; else in first-seen order.
    pub sort_labels: bool,
    /// Whether counters and histograms beyond a series limit are folded into
    /// one series of their family; else they are refused.
    pub overflow: bool,
}

/// One reader's intake.
#[derive(Debug)]
pub struct Intake {
    settings: IntakeSettings,
    shards: ShardCount,
    reader: ReaderIndex,
    catalog: Catalog,
    decoder: JsonDecoder,
    renderer: LabelRenderer,
    families: FamilyCache,
    series: SeriesCache,
    templates: TemplateCache,
    label_sets: LabelSets,
    batch: Vec<Routed>,
    payloads: u32,
    unknown: Vec<(EntryId, SeriesKey)>,
    layout_mismatches: u64,
    overflow: Overflow,
    /// [`Catalog::retirements`] at the last look.
    retirements: u64,
    /// Slots of retired families, to be given back with the batch.
    given_back: Vec<(ShardIndex, Slot)>,
    /// When the batch in hand was taken.
    taken_at: UnixTime,
    /// The newest timestamp of the batch in hand.
    newest: Option<UnixTime>,
    /// What few samples of the batch say besides their value, with their index
    /// in `batch`.
    details: Vec<(usize, Details)>,
    /// Which samples of the batch came in arrays.
    parts: Vec<Part>,
    /// The places of one array's elements.
    elements: Vec<Range<usize>>,
}

/// Elements of arrays that are kept room for.
const KEPT_ELEMENTS: usize = 4096;

/// Where a sample of the batch stood in the array that it came in.
#[derive(Debug)]
struct Part {
    /// Which sample of the batch.
    routed: usize,
    place: Range<usize>,
}

/// One accepted sample of the batch in hand.
#[derive(Debug, Clone, Copy)]
struct Routed {
    entry: EntryId,
    /// Which payload of the batch it came in.
    payload: u32,
    value: f64,
}

/// The series that one shard is to be asked for, and for whom.
#[derive(Debug)]
pub struct Unknown {
    /// The shard that owns them.
    pub shard: ShardIndex,
    /// What to ask it.
    pub keys: Vec<SeriesKey>,
    entries: Vec<EntryId>,
}

/// The entries of one [`Unknown`], kept until its shard has answered.
#[derive(Debug)]
pub struct Asked {
    /// The shard that was asked.
    pub shard: ShardIndex,
    entries: Vec<EntryId>,
}

impl Unknown {
    /// The question, and what to keep for the answer.
    pub fn ask(self) -> (Vec<SeriesKey>, Asked) {
        (self.keys, Asked { shard: self.shard, entries: self.entries })
    }
}

/// A batch that is ready: what to send to the shards and what was refused.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What each shard is to do, in shard order; empty ones included.
    pub updates: Vec<Updates>,
    /// Samples that admission refused.
    pub refused: Vec<Refused>,
    /// Samples that went to an overflow series.
    pub folded: u64,
    /// When the batch was taken.
    pub taken_at: UnixTime,
    /// The newest timestamp that an accepted payload of the batch had.
    pub newest: Option<UnixTime>,
    /// Samples that came with another bucket layout or other objectives than
    /// their family's, refused ones included.
    pub layout_mismatches: u64,
}

/// A sample that admission refused.
#[derive(Debug)]
pub struct Refused {
    /// The number of its payload in the batch.
    pub payload: u32,
    /// Where it stands in its payload, if that is an array.
    pub part: Option<Range<usize>>,
    /// Why it was refused.
    pub reject: Reject,
}

impl Intake {
    /// The intake of a reader, without any cached series.
    pub fn new(
        settings: IntakeSettings,
        catalog: Catalog,
        shards: ShardCount,
        reader: ReaderIndex,
    ) -> Self {
        Self {
            shards,
            reader,
            decoder: JsonDecoder::new(settings.payload.clone())
                .dropping(settings.drop_labels.clone()),
            renderer: LabelRenderer::default(),
            families: FamilyCache::default(),
            series: SeriesCache::new(settings.cache_series),
            templates: TemplateCache::new(settings.cache_series),
            label_sets: LabelSets::default(),
            batch: Vec::new(),
            payloads: 0,
            unknown: Vec::new(),
            layout_mismatches: 0,
            overflow: Overflow::default(),
            retirements: catalog.retirements(),
            given_back: Vec::new(),
            taken_at: UnixTime::default(),
            newest: None,
            details: Vec::new(),
            parts: Vec::new(),
            elements: Vec::new(),
            settings,
            catalog,
        }
    }

    /// Forgets every series and family, since the shards drop theirs; between
    /// two batches only.
    pub fn forget_all(&mut self) {
        *self = Self::new(self.settings.clone(), self.catalog.clone(), self.shards, self.reader);
    }

    /// Begins a batch that is taken from the queue at `now`.
    pub fn begin(&mut self, now: UnixTime) {
        self.taken_at = now;
        self.look_for_retired();
    }

    /// Counts a payload of the batch that was refused before it came here, so
    /// that the numbers in [`Outcome::refused`] stay those of the batch.
    pub fn skip(&mut self) {
        self.payloads += 1;
    }

    /// The series of this batch that no shard has been asked for yet, by shard.
    pub fn unknown(&mut self) -> Vec<Unknown> {
        let mut by_shard: Vec<Unknown> = Vec::new();
        for (entry, key) in self.unknown.drain(..) {
            let shard = self.shards.owner_of(key.hash);
            let position = by_shard.iter().position(|unknown| unknown.shard == shard);
            let position = position.unwrap_or_else(|| {
                by_shard.push(Unknown { shard, keys: Vec::new(), entries: Vec::new() });
                by_shard.len() - 1
            });
            by_shard[position].keys.push(key);
            by_shard[position].entries.push(entry);
        }
        by_shard
    }

    /// Takes a shard's answers, one for each key that it was asked for.
    pub fn answer(&mut self, asked: Asked, answers: Vec<Result<Handle, Reason>>) {
        for (entry, answer) in asked.entries.into_iter().zip(answers) {
            if self.settings.overflow && answer.is_err() {
                self.overflow.note(entry);
            }
            self.series.resolve(entry, asked.shard, answer);
        }
    }

    /// Takes a shard's word that these series have expired: they are forgotten
    /// at the end of the batch, behind the values that are in hand for them.
    pub fn forget(&mut self, shard: ShardIndex, handles: &[Handle]) {
        self.series.expire(shard, handles);
    }

    /// Ends the batch, after every shard has answered.
    pub fn finish(&mut self) -> Outcome {
        self.settle_folded();
        let mut outcome = Outcome::default();
        let expected = self.batch.len() / self.shards.get();
        outcome.updates.resize_with(self.shards.get(), || {
            Updates::new(self.reader, self.taken_at, expected + expected / 4)
        });
        let mut details = self.details.drain(..).peekable();
        for (index, routed) in self.batch.drain(..).enumerate() {
            let details = details.next_if(|(detailed, _)| *detailed == index);
            match self.series.state(routed.entry) {
                State::Known { shard, slot, .. } => {
                    let updates = &mut outcome.updates[shard.get()];
                    match details {
                        None => updates.push(slot, routed.value),
                        Some((_, details)) => updates.push_detailed(slot, routed.value, details),
                    }
                }
                State::Folded { shard, slot } => {
                    // What it says of its own series is not for this one.
                    outcome.updates[shard.get()].push(slot, routed.value);
                    outcome.folded += 1;
                }
                State::Refused(reason) => {
                    let part = self.parts.binary_search_by_key(&index, |part| part.routed);
                    outcome.refused.push(Refused {
                        payload: routed.payload,
                        part: part.ok().map(|part| self.parts[part].place.clone()),
                        reject: Reject::of_limit(reason),
                    });
                }
                State::Unknown => unreachable!("every shard has answered"),
            }
        }
        self.payloads = 0;
        self.parts.clear();
        self.parts.shrink_to(KEPT_ELEMENTS);
        outcome.taken_at = self.taken_at;
        outcome.newest = self.newest.take();
        outcome.layout_mismatches = std::mem::take(&mut self.layout_mismatches);
        for (shard, slot) in self.given_back.drain(..) {
            outcome.updates[shard.get()].forget.push(slot);
        }
        self.series.end_batch(|leaving| {
            leaving.templates().for_each(|template| self.templates.forget(template));
            leaving.label_set().into_iter().for_each(|labels| self.label_sets.forget(labels));
            if let Some((shard, slot)) = leaving.slot {
                outcome.updates[shard.get()].forget.push(slot);
            }
        });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Kind;
    use crate::sample::Labels;
    use crate::store::Store;
    use crate::timestamp::Moment;

    /// Routes one payload as a batch of its own; whether it was recognised.
    fn route(intake: &mut Intake, store: &mut Store, payload: &str) -> bool {
        let payload = payload.as_bytes();
        let located = intake.templates.locate(payload);
        let verdict = located.and_then(|located| intake.templates.recognise(payload, &located));
        intake.route(payload, |_, reject| panic!("{reject}"));
        for unknown in intake.unknown() {
            let (keys, asked) = unknown.ask();
            let answers =
                keys.into_iter().map(|key| store.define(key, ReaderIndex(0), Moment(0))).collect();
            intake.answer(asked, answers);
        }
        intake.finish().updates.iter().for_each(|updates| store.apply(updates, Moment(0)));
        verdict.is_some()
    }

    fn one_shard(cache_series: usize) -> (Intake, Store) {
        let settings = IntakeSettings {
            payload: PayloadLimits::default(),
            drop_labels: DropLabels::default(),
            cache_series,
            sort_labels: true,
            overflow: false,
        };
        let catalog = Catalog::default();
        (Intake::new(settings, catalog, ShardCount::new(1), ReaderIndex(0)), Store::default())
    }

    /// Without this the properties that compare templates with the decoder
    /// would hold for nothing.
    #[test]
    fn a_spelling_that_comes_back_is_recognised() {
        let (mut intake, mut store) = one_shard(10);
        let payload =
            |value: u32| format!(r#"{{"name":"n","value":{value},"labels":{{"a":"b"}}}}"#);
        let mut recognised = (0..6).map(|value| route(&mut intake, &mut store, &payload(value)));
        assert!((0..3).all(|_| recognised.next() == Some(false)));
        assert!(recognised.all(|recognised| recognised));
    }

    /// The same for label sets.
    #[test]
    fn a_series_that_is_spelt_anew_each_time_is_found_by_its_labels() {
        let (mut intake, mut store) = one_shard(10);
        let payload = |value: u32, labels: &str| {
            format!(r#"{{"value":{value},"timestamp":{value},"name":"n","labels":{{{labels}}}}}"#)
        };
        let labels = [crate::sample::Label { name: "a", value: "/" }];
        let is_kept = |intake: &mut Intake| {
            let family = intake.families.id_of("n");
            intake.label_sets.find(Labels::from(&labels[..]), || family).is_some()
        };
        route(&mut intake, &mut store, &payload(1, r#""a":"/""#));
        assert!(!is_kept(&mut intake), "it may never come again");
        route(&mut intake, &mut store, &payload(2, r#" "a" : "\/" "#));
        assert!(is_kept(&mut intake));
        route(&mut intake, &mut store, &payload(3, r#""b":"","a":"\u002f""#));
        assert_eq!(store.shown()[Kind::Counter as usize], 1);
    }

    #[test]
    fn templates_leave_with_their_series() {
        let (mut intake, mut store) = one_shard(1);
        let payload = |name: &str| format!(r#"{{"name":"{name}","value":1}}"#);
        for _ in 0..4 {
            route(&mut intake, &mut store, &payload("a"));
        }
        assert!(route(&mut intake, &mut store, &payload("a")));
        // One batch gives the first series its second chance, the next evicts it.
        route(&mut intake, &mut store, &payload("b"));
        route(&mut intake, &mut store, &payload("c"));
        assert!(!route(&mut intake, &mut store, &payload("a")));
    }
}
