//! Readers, shards and their channels on one thread, each of which goes on only
//! when the test says so; and beside them a model that is told the same.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use psg_engine::catalog::{Catalog, CatalogSettings, Family};
use psg_engine::exposition::Format;
use psg_engine::intake::{Intake, IntakeSettings};
use psg_engine::limits::SeriesLimits;
use psg_engine::merge::merge;
use psg_engine::series::{Handle, ReaderIndex};
use psg_engine::sharding::{ShardCount, ShardIndex};
use psg_engine::store::{
    ExpirySettings, ExposeJob, SharedTombstones, Store, StoreSettings, TombstoneBudget,
    TombstoneKey, TombstoneSettings,
};
use psg_engine::timestamp::Moment;
use psg_engine::timestamp::UnixTime;
use psg_engine::updates::Updates;

use super::exposition_parser::{Dialect, parse};
use super::numbered::{is_set, kind, name, number_of, overflow_of, owner, payload};

const TICK_MS: u64 = 100;
const READERS: usize = 2;

/// What a world is made with; times are in ticks.
#[derive(Debug, Clone)]
pub struct WorldSettings {
    pub shards: usize,
    pub cache_series: usize,
    pub series_ttl: u64,
    pub gauge_ttl: u64,
    pub tombstone_ttl: u64,
    pub limits: SeriesLimits,
    pub max_tombstones: usize,
    pub overflow: bool,
}

impl Default for WorldSettings {
    fn default() -> Self {
        Self {
            shards: 2,
            cache_series: 100,
            series_ttl: 10,
            gauge_ttl: 10,
            tombstone_ttl: 1_000_000,
            limits: SeriesLimits::default(),
            max_tombstones: 1000,
            overflow: false,
        }
    }
}

/// What is on its way to a shard.
enum OnItsWay {
    /// Updates, and the samples in them as the model knows them.
    Updates(Box<Updates>, Vec<(usize, f64)>),
    /// The removal of a retired family.
    Remove(Arc<Family>),
}

/// What the model knows of a series.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    total: f64,
    touched: u64,
    is_shown: bool,
    died: Option<u64>,
}

/// All of it.
pub struct World {
    settings: WorldSettings,
    now: u64,
    catalog: Catalog,
    budget: Arc<TombstoneBudget>,
    intakes: Vec<Intake>,
    words: Vec<VecDeque<(ShardIndex, Handle)>>,
    stores: Vec<Store>,
    inboxes: Vec<VecDeque<OnItsWay>>,
    model: BTreeMap<usize, Known>,
    /// The last total seen of each series that has one.
    seen: HashMap<usize, f64>,
}

impl World {
    pub fn new(settings: WorldSettings) -> Self {
        let catalog =
            Catalog::new(CatalogSettings { limits: settings.limits, ..Default::default() });
        let of = |ticks: u64| ticks * TICK_MS;
        let tombstones =
            TombstoneSettings { ttl_ms: of(settings.tombstone_ttl), max: settings.max_tombstones };
        let shared = SharedTombstones::new(tombstones, TombstoneKey([3; 16]), settings.shards);
        let store = StoreSettings {
            expiry: ExpirySettings::new(of(settings.series_ttl), of(settings.gauge_ttl)),
            tombstones,
            empty_instance: false,
            created_timestamps: false,
            max_exemplars: 0,
        };
        let intake = |reader| {
            let shards = ShardCount::new(settings.shards);
            let settings = IntakeSettings {
                cache_series: settings.cache_series,
                overflow: settings.overflow,
                ..IntakeSettings::default()
            };
            Intake::new(settings, catalog.clone(), shards, ReaderIndex(reader))
        };
        Self {
            now: 0,
            intakes: (0..READERS as u8).map(intake).collect(),
            words: vec![VecDeque::new(); READERS],
            stores: (0..settings.shards as u16)
                .map(|shard| Store::new(store, shared.clone(), ShardIndex(shard)))
                .collect(),
            inboxes: (0..settings.shards).map(|_| VecDeque::new()).collect(),
            model: BTreeMap::new(),
            seen: HashMap::new(),
            catalog,
            budget: shared.budget.clone(),
            settings,
        }
    }

    /// A reader takes `(series, quarters)` samples and sends what is accepted.
    pub fn batch(&mut self, reader: usize, samples: &[(usize, u32)]) {
        self.intakes[reader].begin(UnixTime::from_sample(1e9 + self.now as f64));
        for (series, quarters) in samples {
            let payload = payload(*series, *quarters);
            self.intakes[reader].route(payload.as_bytes(), |_, reject| panic!("{reject}"));
        }
        let beyond_a_limit = self.ask(reader);
        self.intakes[reader].fold_refused();
        self.ask(reader);
        self.finish(reader, samples, &beyond_a_limit);
    }

    /// Asks for the series that are not known; those that a limit refuses.
    fn ask(&mut self, reader: usize) -> HashSet<usize> {
        let mut refused = HashSet::new();
        for request in self.intakes[reader].define_requests() {
            let (keys, asked) = request.ask();
            let numbers: Vec<usize> = keys
                .iter()
                .map(|key| number_of(key.family.name(), &key.labels.pairs().to_string()))
                .collect();
            // The question comes behind what is in the inbox.
            self.drain(asked.shard.get());
            let store = &mut self.stores[asked.shard.get()];
            let (reader_index, now) = (ReaderIndex(reader as u8), moment(self.now));
            let define = |key| store.define(key, reader_index, now);
            let answers: Vec<_> = keys.into_iter().map(define).collect();
            let answered = numbers.into_iter().zip(&answers);
            refused
                .extend(answered.filter(|(_, answer)| answer.is_err()).map(|(number, _)| number));
            // The answer comes behind what was told before.
            self.hear(reader);
            self.pass_on_notices(asked.shard.get());
            self.intakes[reader].answer(asked, answers);
        }
        refused
    }

    pub fn wait(&mut self, ticks: u64) {
        self.now += ticks;
    }

    /// A shard lets everything expire that is due.
    pub fn expire(&mut self, shard: usize) {
        let shard = shard % self.stores.len();
        let store = &mut self.stores[shard];
        while !store.expire_some(2, moment(self.now)) {}
        self.pass_on_notices(shard);
        let (settings, now) = (&self.settings, self.now);
        for (series, known) in &mut self.model {
            if owner(*series, settings.shards) == shard
                && known.is_shown
                && is_due(*series, known, settings, now)
            {
                known.is_shown = false;
                known.died = Some(now);
            }
        }
    }

    pub fn expire_all(&mut self) {
        (0..self.stores.len()).for_each(|shard| self.drain(shard));
        (0..self.stores.len()).for_each(|shard| self.expire(shard));
        // Who holds the oldest may have looked before there were too many.
        (0..self.stores.len()).for_each(|shard| self.expire(shard));
    }

    /// A shard works off its inbox.
    pub fn drain(&mut self, shard: usize) {
        let shard = shard % self.stores.len();
        while let Some(message) = self.inboxes[shard].pop_front() {
            match message {
                OnItsWay::Updates(updates, samples) => {
                    self.stores[shard].apply(&updates, moment(self.now));
                    self.pass_on_notices(shard);
                    samples
                        .into_iter()
                        .for_each(|(series, value)| self.model_sample(series, value));
                }
                OnItsWay::Remove(family) => {
                    let store = &mut self.stores[shard];
                    let mut job = store.begin_removal(family);
                    while !store.remove_some(&mut job, 2) {}
                    self.pass_on_notices(shard);
                }
            }
        }
    }

    /// An operator removes the family of a series. What is on its way for it is
    /// thrown away; what readers take from now on is new.
    pub fn remove(&mut self, series: usize) {
        let name = name(series);
        let Some(family) = self.catalog.retire(&name) else { return };
        for inbox in &mut self.inboxes {
            for message in inbox.iter_mut() {
                match message {
                    OnItsWay::Updates(_, samples) => {
                        samples.retain(|(other, _)| self::name(*other) != name);
                    }
                    OnItsWay::Remove(_) => {}
                }
            }
            inbox.push_back(OnItsWay::Remove(family.clone()));
        }
        self.model.retain(|other, _| self::name(*other) != name);
        self.seen.retain(|other, _| self::name(*other) != name);
    }

    /// A reader that waits for the queue hears what it was told, and obeys.
    pub fn tell(&mut self, reader: usize) {
        self.hear(reader);
        self.finish(reader, &[], &HashSet::new());
    }

    /// Compares a scrape with the model.
    pub fn scrape(&mut self) {
        let shown = self.lines();
        let (settings, now) = (&self.settings, self.now);
        let is_visible =
            |series: usize, known: &Known| known.is_shown && !is_due(series, known, settings, now);
        let expected: BTreeMap<usize, f64> = self
            .model
            .iter()
            .filter(|(series, known)| is_visible(**series, known))
            .map(|(series, known)| (*series, known.total))
            .collect();
        assert_eq!(shown, expected, "at tick {now}");
        let totals_last = self.settings.tombstone_ttl >= 1_000_000;
        for (series, total) in shown.into_iter().filter(|(series, _)| !is_set(*series)) {
            let before = self.seen.insert(series, total).unwrap_or(0.0);
            assert!(!totals_last || total >= before, "{series} fell from {before} to {total}");
        }
    }

    pub fn check_bounds(&self) {
        let limits = self.settings.limits;
        assert!(self.catalog.live_series() <= limits.max_series);
        let defined: usize = self.stores.iter().map(Store::defined).sum();
        let counted = self.catalog.live_series();
        // Overflow series have no place.
        assert!(counted == defined || self.settings.overflow && counted < defined);
    }

    /// Waits until everything has expired, and finds that nothing is left.
    pub fn end(&mut self) {
        (0..self.stores.len()).for_each(|shard| self.drain(shard));
        self.now += 100;
        self.expire_all();
        (0..READERS).for_each(|reader| self.tell(reader));
        self.expire_all();
        assert_eq!(self.stores.iter().map(Store::defined).sum::<usize>(), 0);
        assert_eq!(self.catalog.live_series(), 0);
        let families_left = self.catalog.families();
        assert_eq!(families_left == 0, self.tombstones() == 0, "{families_left} families");
        assert!(self.lines().is_empty());
        self.now += self.settings.tombstone_ttl + 2;
        self.expire_all();
        assert_eq!((self.catalog.families(), self.tombstones()), (0, 0));
    }

    pub fn tombstones(&self) -> usize {
        let tombstones = self.stores.iter().map(|store| store.tombstones().len()).sum();
        assert_eq!(self.budget.count(), tombstones);
        tombstones
    }

    pub fn evicted(&self) -> u64 {
        self.stores.iter().map(|store| store.tombstones().evicted()).sum()
    }

    pub fn shown(&mut self, series: usize) -> f64 {
        (0..self.stores.len()).for_each(|shard| self.drain(shard));
        self.lines()[&series] * 4.0
    }

    fn pass_on_notices(&mut self, shard: usize) {
        for notice in self.stores[shard].take_notices() {
            for reader in (0..READERS).filter(|r| notice.readers.contains(ReaderIndex(*r as u8))) {
                self.words[reader].push_back((ShardIndex(shard as u16), notice.handle));
            }
        }
    }

    fn hear(&mut self, reader: usize) {
        for (shard, handle) in self.words[reader].drain(..) {
            self.intakes[reader].forget(shard, &[handle]);
        }
    }

    /// Ends the batch. What a limit has refused is in the overflow series of its
    /// metric now, or said to be refused.
    fn finish(&mut self, reader: usize, samples: &[(usize, u32)], beyond_a_limit: &HashSet<usize>) {
        let outcome = self.intakes[reader].finish();
        let refused: Vec<usize> = outcome.refused.iter().map(|r| r.payload as usize).collect();
        let accepted = samples.iter().enumerate().filter(|(number, _)| !refused.contains(number));
        let mut by_shard = vec![Vec::new(); self.stores.len()];
        let mut folded = 0;
        for (_, (series, quarters)) in accepted {
            let series = match beyond_a_limit.contains(series) {
                true => overflow_of(*series),
                false => *series,
            };
            folded += u64::from(series == overflow_of(series));
            by_shard[owner(series, self.settings.shards)]
                .push((series, f64::from(*quarters) / 4.0));
        }
        assert_eq!(outcome.folded, folded);
        assert!(folded == 0 || self.settings.overflow);
        for (shard, (updates, samples)) in outcome.updates.into_iter().zip(by_shard).enumerate() {
            assert_eq!(updates.samples(), samples.len() as u64);
            self.inboxes[shard].push_back(OnItsWay::Updates(Box::new(updates), samples));
        }
    }

    fn model_sample(&mut self, series: usize, value: f64) {
        let (now, ttl) = (self.now, self.settings.tombstone_ttl);
        let known = self.model.entry(series).or_default();
        if !known.is_shown {
            let is_kept = ttl > 0 && known.died.is_some_and(|died| now < died + ttl + 1);
            if !is_kept {
                known.total = 0.0;
            }
            known.is_shown = true;
        }
        match is_set(series) {
            true => known.total = value,
            false => known.total += value,
        }
        known.touched = now;
    }

    /// The totals shown, by series: of a histogram its sum.
    fn lines(&mut self) -> BTreeMap<usize, f64> {
        let now = moment(self.now);
        let sources = self.stores.iter_mut().map(|store| {
            let mut job = ExposeJob::new(Format::Text, &self.catalog);
            while !store.expose_some(&mut job, 3, now) {}
            job.finish()
        });
        let body = merge(Format::Text, sources.collect(), &self.catalog).pieces.concat();
        let body = String::from_utf8(body).expect("an exposition is UTF-8");
        let families = parse(&body, Dialect::Text).expect("an exposition");
        let samples = families.iter().flat_map(|family| &family.samples);
        samples
            .filter(|sample| !sample.name.ends_with("_bucket") && !sample.name.ends_with("_count"))
            .map(|sample| {
                let (label, value) = &sample.labels[0];
                let metric = sample.name.trim_end_matches("_sum");
                (number_of(metric, &format!("{label}=\"{value}\"")), sample.value)
            })
            .collect()
    }
}

fn is_due(series: usize, known: &Known, settings: &WorldSettings, now: u64) -> bool {
    let ttl = if kind(series) == "gauge" { settings.gauge_ttl } else { settings.series_ttl };
    now > known.touched + ttl
}

fn moment(tick: u64) -> Moment {
    Moment(tick * TICK_MS)
}
