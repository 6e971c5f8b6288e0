//! Intake: the left half of the way. It turns the payloads of a batch into
//! updates for the shards:
//!
//! 1. [`Intake::route`] takes each payload in. What reads its encoding
//!    ([`json_payloads`], by a known template ([`template`]) or else by the
//!    decoder) makes samples of it, and [`resolver`] says which series each is of.
//!    A sample from elsewhere is handed to [`Intake::take`]; so is what routers have
//!    added up ([`frames`]).
//! 2. [`Intake::define_requests`] are the series whose shards have yet to be
//!    asked; [`Intake::answer`] takes what they said.
//! 3. [`Intake::finish`] gives the updates of the shards, and the samples that
//!    admission refused.
//!
//! What a reader has met is kept from batch to batch: its series
//! ([`series_cache`], evicted by [`clock`]), their label sets ([`label_sets`]) and
//! families ([`family_cache`]). Texts that templates or label sets share are kept
//! once ([`interner`]), and either is passed by while it is of no use
//! ([`bypass`]).
//!
//! A new field of a sample goes one way: read and checked in [`crate::wire`], a
//! field of [`Sample`], carried or refused by [`template::CachedRoute::of`], put
//! into [`crate::updates::Details`], applied by [`crate::store::Store::apply`].
//! Each of these names every field, so that the compiler asks.

mod bypass;
mod clock;
mod entry_id;
mod family_cache;
mod frames;
mod interner;
mod json_payloads;
mod label_sets;
mod pending;
mod resolver;
mod series_cache;
mod template;

use std::ops::Range;

use crate::catalog::Catalog;
use crate::labels::DropLabels;
use crate::limits::PayloadLimits;
use crate::metric::Observations;
use crate::metric::default_buckets::DefaultBuckets;
use crate::metric::native::NativeSettings;
use crate::name::NameRules;
use crate::reject::{DroppedExemplar, Reason, Reject};
use crate::sample::Sample;
use crate::series::{Handle, ReaderIndex, SeriesKey};
use crate::sharding::{ShardCount, ShardIndex};
use crate::timestamp::UnixTime;
use crate::updates::{Details, Updates, ValueUpdate};
use crate::wire::{JsonDecoder, PayloadForm, UnknownFields};

use entry_id::EntryId;
use json_payloads::JsonPayloads;
use pending::PendingBatch;
use resolver::{Resolved, Resolver, SeriesLookup};
use series_cache::SeriesState;

/// What an intake is tuned by.
#[derive(Debug, Clone)]
pub struct IntakeSettings {
    /// Bounds on one payload.
    pub payload: PayloadLimits,
    /// Labels that are taken off.
    pub drop_labels: DropLabels,
    /// Which names producers may use.
    pub names: NameRules,
    /// Layouts of histograms that come without buckets.
    pub default_buckets: DefaultBuckets,
    /// Whether names get the units that they don't end in; else the sample is refused.
    pub append_units: bool,
    /// Whether exemplars are taken; else they are dropped.
    pub exemplars: bool,
    /// Which histograms are native, as the catalog has it.
    pub native: NativeSettings,
    /// Series, and payload templates, that are kept from batch to batch.
    pub cache_series: usize,
    /// Whether labels are printed sorted; else in first-seen order.
    pub sort_labels: bool,
    /// Whether counters and histograms beyond a series limit are folded into
    /// one series of their family; else they are refused.
    pub overflow: bool,
}

impl Default for IntakeSettings {
    /// As the gateway has them where nothing is set.
    fn default() -> Self {
        Self {
            payload: PayloadLimits::default(),
            drop_labels: DropLabels::default(),
            names: NameRules::default(),
            default_buckets: DefaultBuckets::default(),
            append_units: false,
            exemplars: false,
            native: NativeSettings::default(),
            cache_series: 100_000,
            sort_labels: true,
            overflow: false,
        }
    }
}

impl IntakeSettings {
    /// A decoder of payloads as an intake with these settings has it.
    pub fn decoder(&self) -> JsonDecoder {
        JsonDecoder::new(self.payload.clone())
            .dropping(self.drop_labels.clone())
            .defaulting(self.default_buckets.clone())
            .appending_units(self.append_units)
            .with_exemplars(self.exemplars)
            .naming(self.names)
            .native(self.native.clone())
    }
}

/// One reader's intake.
#[derive(Debug)]
pub struct Intake {
    settings: IntakeSettings,
    shards: ShardCount,
    reader: ReaderIndex,
    json: JsonPayloads,
    resolver: Resolver,
    batch: PendingBatch,
}

/// The series that one shard is to be asked for, and for whom.
#[derive(Debug)]
pub struct DefineRequest {
    /// The shard that owns them.
    pub shard: ShardIndex,
    /// What to ask it.
    pub keys: Vec<SeriesKey>,
    entries: Vec<EntryId>,
}

/// What is kept of a [`DefineRequest`] until its shard has answered.
#[derive(Debug)]
pub struct PendingDefine {
    /// The shard that was asked.
    pub shard: ShardIndex,
    entries: Vec<EntryId>,
}

impl DefineRequest {
    /// The question, and what to keep for the answer.
    pub fn ask(self) -> (Vec<SeriesKey>, PendingDefine) {
        (self.keys, PendingDefine { shard: self.shard, entries: self.entries })
    }
}

/// A batch that is ready: what to send to the shards and what was refused.
#[derive(Debug, Default)]
pub struct RoutedBatch {
    /// What each shard is to do, in shard order; empty ones included.
    pub updates: Vec<Updates>,
    /// Samples that admission refused.
    pub refused: Vec<RefusedSample>,
    /// Samples that went to an overflow series.
    pub folded: u64,
    /// Samples that were not recognised and had to be parsed, refused ones included.
    pub parsed: u64,
    /// When the batch was taken.
    pub taken_at: UnixTime,
    /// The newest timestamp that an accepted payload of the batch had.
    pub newest: Option<UnixTime>,
    /// Samples that came with another bucket layout or other objectives than
    /// their family's, refused ones included.
    pub layout_mismatches: u64,
    /// Unknown fields of the samples that were parsed.
    pub unknown_fields: UnknownFields,
    /// Exemplars that were dropped, by [`DroppedExemplar`].
    pub dropped_exemplars: [u64; DroppedExemplar::ALL.len()],
}

/// A sample that admission refused.
#[derive(Debug)]
pub struct RefusedSample {
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
        let IntakeSettings { cache_series, sort_labels, .. } = settings;
        let decoder = settings.decoder();
        Self {
            shards,
            reader,
            json: JsonPayloads::new(decoder, settings.payload.clone(), cache_series),
            resolver: Resolver::new(catalog, cache_series, sort_labels),
            batch: PendingBatch::default(),
            settings,
        }
    }

    /// Forgets every series and family, since the shards drop theirs; between
    /// two batches only.
    pub fn forget_all(&mut self) {
        let catalog = self.resolver.catalog.clone();
        *self = Self::new(self.settings.clone(), catalog, self.shards, self.reader);
    }

    /// Begins a batch that is taken from the queue at `now`.
    pub fn begin(&mut self, now: UnixTime) {
        self.batch.taken_at = now;
        self.resolver.look_for_retired(&mut self.json.templates);
    }

    /// Takes the next payload of the batch in, which may hold several samples.
    /// `refuse` is told the bytes of each that is refused, and why.
    pub fn route(&mut self, payload: &[u8], mut refuse: impl FnMut(&[u8], Reject)) {
        let number = self.next_payload();
        let located = self.json.templates.locate(payload);
        if self.take_recognised(payload, located.as_ref(), number) {
            return;
        }
        match PayloadForm::of(payload) {
            PayloadForm::JsonSample => {
                if let Err(reject) = self.take_decoded(payload, located, number) {
                    refuse(payload, reject);
                }
            }
            PayloadForm::JsonArray => self.take_array(payload, number, refuse),
        }
    }

    /// Takes in a sample of a payload of the batch, whatever the payload is; see
    /// [`Intake::next_payload`].
    pub fn take(&mut self, sample: &Sample<'_>, payload: u32) -> Result<(), Reject> {
        let resolved = self.resolver.resolve(sample)?;
        push(&mut self.resolver, &mut self.batch, resolved, payload, sample);
        if resolved.lookup == SeriesLookup::ByLabels {
            self.resolver.keep_label_set(sample, resolved.entry);
        }
        Ok(())
    }

    /// Counts a payload that [`Intake::route`] does not see, and returns the number
    /// that it has in the batch: its samples come by [`Intake::take`], or it was
    /// refused before.
    #[inline]
    pub fn next_payload(&mut self) -> u32 {
        self.batch.next_payload()
    }

    /// The series of this batch that no shard has been asked for yet, by shard.
    pub fn define_requests(&mut self) -> Vec<DefineRequest> {
        let mut by_shard: Vec<DefineRequest> = Vec::new();
        for (entry, key) in self.resolver.unknown.drain(..) {
            let shard = self.shards.owner_of(key.hash);
            let position = by_shard.iter().position(|request| request.shard == shard);
            let position = position.unwrap_or_else(|| {
                by_shard.push(DefineRequest { shard, keys: Vec::new(), entries: Vec::new() });
                by_shard.len() - 1
            });
            by_shard[position].keys.push(key);
            by_shard[position].entries.push(entry);
        }
        by_shard
    }

    /// Takes a shard's answers, one for each key that it was asked for.
    pub fn answer(&mut self, asked: PendingDefine, answers: Vec<Result<Handle, Reason>>) {
        for (entry, answer) in asked.entries.into_iter().zip(answers) {
            if self.settings.overflow && answer.is_err_and(|reason| reason != Reason::LabelConflict)
            {
                self.resolver.overflow.note(entry);
            }
            self.resolver.series.resolve(entry, asked.shard, answer);
        }
    }

    /// Finds the overflow series for what was refused; there may be some then
    /// that no shard has been asked for yet, see [`Intake::define_requests`].
    pub fn fold_refused(&mut self) {
        self.resolver.fold_refused();
    }

    /// Asks for every unknown series, and for the overflow series of what is
    /// refused, where the stores are at hand and need not be waited for.
    pub fn define_with(
        &mut self,
        mut define: impl FnMut(ShardIndex, SeriesKey) -> Result<Handle, Reason>,
    ) {
        self.define_round(&mut define);
        self.fold_refused();
        self.define_round(&mut define);
    }

    fn define_round(
        &mut self,
        define: &mut impl FnMut(ShardIndex, SeriesKey) -> Result<Handle, Reason>,
    ) {
        for request in self.define_requests() {
            let (keys, asked) = request.ask();
            let answers = keys.into_iter().map(|key| define(asked.shard, key)).collect();
            self.answer(asked, answers);
        }
    }

    /// Takes a shard's word that these series have expired: they are forgotten
    /// at the end of the batch, after their values of this batch.
    pub fn forget(&mut self, shard: ShardIndex, handles: &[Handle]) {
        self.resolver.series.expire(shard, handles);
    }

    /// Ends the batch, after every shard has answered.
    pub fn finish(&mut self) -> RoutedBatch {
        self.resolver.apply_folds();
        let mut routed = RoutedBatch {
            taken_at: self.batch.taken_at,
            newest: self.batch.newest,
            parsed: std::mem::take(&mut self.json.parsed),
            layout_mismatches: std::mem::take(&mut self.resolver.layout_mismatches),
            unknown_fields: self.json.take_unknown_fields(),
            dropped_exemplars: self.batch.dropped_exemplars,
            ..RoutedBatch::default()
        };
        let expected = self.batch.samples.len() / self.shards.get();
        routed.updates.resize_with(self.shards.get(), || {
            Updates::new(self.reader, self.batch.taken_at, expected + expected / 4)
        });
        self.distribute(&mut routed);
        self.give_back(&mut routed);
        self.batch.clear();
        routed
    }

    /// Brings each sample to its shard, or among the refused ones.
    fn distribute(&mut self, routed: &mut RoutedBatch) {
        let samples = std::mem::take(&mut self.batch.samples);
        let mut details = self.batch.details.iter().peekable();
        let arena = &self.batch.arena;
        for (index, sample) in samples.iter().enumerate() {
            let details = details.next_if(|(detailed, _)| *detailed == index);
            let details = details.map(|(_, details)| *details);
            let samples = 1 + details.map_or(0, |details| details.more_samples);
            let update = |slot| ValueUpdate { slot, op: sample.origin.op(), value: sample.value };
            match self.resolver.series.state(sample.entry) {
                SeriesState::Known { shard, slot, .. } => {
                    let updates = &mut routed.updates[shard.get()];
                    match details {
                        None => updates.push(update(slot)),
                        Some(details) => updates.push_detailed(update(slot), details, arena),
                    }
                }
                SeriesState::Folded { shard, slot } => {
                    // What it says of its own series is not for this one.
                    let updates = &mut routed.updates[shard.get()];
                    match details.map(Details::of_events) {
                        None => updates.push(update(slot)),
                        Some(details) => updates.push_detailed(update(slot), details, arena),
                    }
                    routed.folded += samples;
                }
                SeriesState::Refused(reason) => routed.refused.push(RefusedSample {
                    payload: sample.origin.payload(),
                    part: self.batch.place_of(index),
                    reject: Reject::of_series(reason).of_samples(samples),
                }),
                SeriesState::Unknown => unreachable!("every shard has answered"),
            }
        }
        self.batch.samples = samples;
    }

    /// Gives back the slots of series that leave, after the values for them.
    fn give_back(&mut self, routed: &mut RoutedBatch) {
        let Self { resolver, json, .. } = self;
        for (shard, slot) in resolver.given_back.drain(..) {
            routed.updates[shard.get()].forget.push(slot);
        }
        let Resolver { series, label_sets, .. } = resolver;
        series.end_batch(|leaving| {
            leaving.templates().for_each(|template| json.templates.forget(template));
            leaving.label_set().into_iter().for_each(|labels| label_sets.forget(labels));
            if let Some((shard, slot)) = leaving.slot {
                routed.updates[shard.get()].forget.push(slot);
            }
        });
    }
}

/// Takes a sample whose series is known into the batch, in the layout of its family.
#[inline]
fn push(
    resolver: &mut Resolver,
    batch: &mut PendingBatch,
    resolved: Resolved,
    payload: u32,
    sample: &Sample<'_>,
) {
    if !resolved.fits
        && let Some(counts) = resolver.fold_counts(sample, resolved.entry)
    {
        let observations = Observations::Counts(counts);
        batch.push(resolved.entry, payload, &Sample { observations, ..sample.clone() });
        return;
    }
    batch.push(resolved.entry, payload, sample);
}

#[cfg(test)]
mod tests;
