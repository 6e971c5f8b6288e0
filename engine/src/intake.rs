//! Intake: the left half of the way. It turns payloads into values for slots,
//! a page at a time:
//!
//! 1. [`Intake::route`] takes each payload: a recognised template, or else the
//!    decoder, the catalog and the cache of known series, says which series it
//!    is for.
//! 2. [`Intake::unknown`] are the series whose shards have yet to be asked
//!    (Define); [`Intake::answer`] takes what they said.
//! 3. [`Intake::finish`] gives the batches for the shards, and the samples
//!    that admission refused.

mod template;
mod parts;
mod family_cache;
mod series_cache;
mod clock;

use std::sync::Arc;

use crate::catalog::{Catalog, Family};
use crate::labels::LabelRenderer;
use crate::limits::PayloadLimits;
use crate::reject::{Reason, Reject};
use crate::series::{SeriesKey, Slot};
use crate::sharding::{ShardCount, ShardIndex, series_hash};
use crate::store::Batch;
use crate::wire::Decoder;

use family_cache::FamilyCache;
use series_cache::{EntryId, SeriesCache, State};
use template::{Located, TemplateCache, Verdict};

/// What an intake is tuned by.
#[derive(Debug, Clone)]
pub struct IntakeSettings {
    /// Bounds on one payload.
    pub payload: PayloadLimits,
    /// K.
    pub shards: ShardCount,
    /// Series, and payload templates, that are kept from page to page.
    pub cache_series: usize,
    /// Whether labels are printed sorted; else in first-seen order.
    pub sort_labels: bool,
}

/// One reader's intake.
#[derive(Debug)]
pub struct Intake {
    settings: IntakeSettings,
    catalog: Catalog,
    decoder: Decoder,
    renderer: LabelRenderer,
    families: FamilyCache,
    series: SeriesCache,
    templates: TemplateCache,
    page: Vec<Routed>,
    payloads: u32,
    unknown: Vec<(EntryId, SeriesKey)>,
    layout_mismatches: u64,
}

/// One accepted sample of the page in hand.
#[derive(Debug, Clone, Copy)]
struct Routed {
    entry: EntryId,
    /// Which payload of the page it came in.
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

/// A page that is ready: what to send to the shards and what was refused.
#[derive(Debug, Default)]
pub struct Outcome {
    /// One batch for each shard, in shard order; empty ones included.
    pub batches: Vec<Batch>,
    /// Samples that admission refused, each with the number of its payload in
    /// the page.
    pub refused: Vec<(u32, Reject)>,
    /// Samples that came with another bucket layout or other objectives than
    /// their family's, refused ones included.
    pub layout_mismatches: u64,
}

impl Intake {
    /// An intake without any cached series.
    pub fn new(settings: IntakeSettings, catalog: Catalog) -> Self {
        Self {
            decoder: Decoder::new(settings.payload.clone()),
            renderer: LabelRenderer::default(),
            families: FamilyCache::default(),
            series: SeriesCache::new(settings.cache_series),
            templates: TemplateCache::new(settings.cache_series),
            page: Vec::new(),
            payloads: 0,
            unknown: Vec::new(),
            layout_mismatches: 0,
            settings,
            catalog,
        }
    }

    /// Takes the next payload of the page, or says why it is refused.
    pub fn route(&mut self, payload: &[u8]) -> Result<(), Reject> {
        let number = self.payloads;
        self.payloads += 1;
        let located = self.templates.locate(payload);
        if let Some(located) = &located
            && let Some(verdict) = self.templates.recognise(payload, located)
        {
            self.series.touch(verdict.entry);
            self.layout_mismatches += u64::from(!verdict.fits);
            self.page.push(Routed { entry: verdict.entry, payload: number, value: located.value });
            return Ok(());
        }
        let (entry, value) = self.decode(payload, located)?;
        self.page.push(Routed { entry, payload: number, value });
        Ok(())
    }

    /// Counts a payload of the page that was refused before it came here, so
    /// that the numbers in [`Outcome::refused`] stay those of the page.
    pub fn skip(&mut self) {
        self.payloads += 1;
    }

    /// The series of this page that no shard has been asked for yet, by shard.
    pub fn unknown(&mut self) -> Vec<Unknown> {
        let mut by_shard: Vec<Unknown> = Vec::new();
        for (entry, key) in self.unknown.drain(..) {
            let shard = self.settings.shards.owner_of(key.hash);
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
    pub fn answer(&mut self, asked: Asked, answers: Vec<Result<Slot, Reason>>) {
        for (entry, answer) in asked.entries.into_iter().zip(answers) {
            self.series.resolve(entry, asked.shard, answer);
        }
    }

    /// Ends the page, after every shard has answered.
    pub fn finish(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        outcome.batches.resize_with(self.settings.shards.get(), Batch::default);
        let expected = self.page.len() / self.settings.shards.get();
        for batch in &mut outcome.batches {
            batch.values.reserve(expected + expected / 4);
        }
        for routed in self.page.drain(..) {
            match self.series.state(routed.entry) {
                State::Known { shard, slot } => {
                    outcome.batches[shard.get()].values.push((slot, routed.value));
                }
                State::Refused(reason) => {
                    outcome.refused.push((routed.payload, refusal(reason)));
                }
                State::Unknown => unreachable!("every shard has answered"),
            }
        }
        self.payloads = 0;
        outcome.layout_mismatches = std::mem::take(&mut self.layout_mismatches);
        self.series.end_page(|leaving| {
            leaving.templates().for_each(|template| self.templates.forget(template));
            if let Some((shard, slot)) = leaving.slot {
                outcome.batches[shard.get()].forget.push(slot);
            }
        });
        outcome
    }

    /// The long way: the decoder, the catalog, the cache of known series.
    fn decode(
        &mut self,
        payload: &[u8],
        located: Option<Located>,
    ) -> Result<(EntryId, f64), Reject> {
        let sample = self.decoder.decode(payload)?;
        let labels = self.renderer.canonical(sample.labels);
        let hash = self.series.hash(sample.name, labels);
        let families = &self.families;
        let is_of = |family: &Arc<Family>| family.name() == sample.name;
        let known = self.series.find(hash, labels, |id| families.get(id).is_some_and(is_of));
        if let Some((entry, id)) = known
            && let Some(family) = families.get(id).filter(|family| family.kind() == sample.kind)
        {
            self.series.touch(entry);
            let fits = family.has_layout_of(&sample);
            self.layout_mismatches += u64::from(!fits);
            if let Some(located) = located.filter(|located| located.is_at(sample.value_at)) {
                let verdict = Verdict { entry, kind: sample.kind, fits };
                learn(&mut self.templates, &mut self.series, payload, &located, verdict);
            }
            return Ok((entry, sample.value));
        }
        let (id, family) = self.families.hold(&self.catalog, &sample)?;
        self.layout_mismatches += u64::from(!family.has_layout_of(&sample));
        let labels: Arc<str> = labels.into();
        let display = match self.settings.sort_labels {
            true => None,
            false => Some(self.renderer.as_sent(sample.labels)).filter(|text| **text != *labels),
        };
        let entry = self.series.insert(hash, id, labels.clone());
        let key = SeriesKey {
            hash: series_hash(&family, &labels),
            family,
            labels,
            display: display.map(Box::from),
        };
        self.unknown.push((entry, key));
        Ok((entry, sample.value))
    }
}

fn learn(
    templates: &mut TemplateCache,
    series: &mut SeriesCache,
    payload: &[u8],
    located: &Located,
    verdict: Verdict,
) {
    let fingerprint = templates.fingerprint(payload, located);
    if !series.is_seen_again(verdict.entry, fingerprint) {
        return;
    }
    if let Some(template) = templates.learn(payload, located, verdict)
        && let Some(oldest) = series.keep_template(verdict.entry, template)
    {
        templates.forget(oldest);
    }
}

fn refusal(reason: Reason) -> Reject {
    let of_metric = reason == Reason::MetricSeriesLimit;
    let whose = if of_metric { "the metric has" } else { "there are" };
    Reject::new(reason, format!("a new series, where {whose} as many as the limit allows"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SeriesLimits;
    use crate::metric::Moment;
    use crate::metric::summary::SummarySettings;
    use crate::store::Store;

    /// Routes one payload as a page of its own; whether it was recognised.
    fn route(intake: &mut Intake, store: &mut Store, payload: &str) -> bool {
        let payload = payload.as_bytes();
        let located = intake.templates.locate(payload);
        let verdict = located.and_then(|located| intake.templates.recognise(payload, &located));
        intake.route(payload).expect("a valid payload");
        for unknown in intake.unknown() {
            let (keys, asked) = unknown.ask();
            let answers = keys.into_iter().map(|key| store.define(key, Moment(0))).collect();
            intake.answer(asked, answers);
        }
        intake.finish().batches.iter().for_each(|batch| store.apply(batch, Moment(0)));
        verdict.is_some()
    }

    fn one_shard(cache_series: usize) -> (Intake, Store) {
        let settings = IntakeSettings {
            payload: PayloadLimits::default(),
            shards: ShardCount::new(1),
            cache_series,
            sort_labels: true,
        };
        let catalog = Catalog::new(SeriesLimits::default(), SummarySettings::default());
        (Intake::new(settings, catalog), Store::default())
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

    #[test]
    fn templates_leave_with_their_series() {
        let (mut intake, mut store) = one_shard(1);
        let payload = |name: &str| format!(r#"{{"name":"{name}","value":1}}"#);
        for _ in 0..4 {
            route(&mut intake, &mut store, &payload("a"));
        }
        assert!(route(&mut intake, &mut store, &payload("a")));
        // One page gives the first series its second chance, the next evicts it.
        route(&mut intake, &mut store, &payload("b"));
        route(&mut intake, &mut store, &payload("c"));
        assert!(!route(&mut intake, &mut store, &payload("a")));
    }
}
