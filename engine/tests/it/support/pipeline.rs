//! The whole engine on one thread: an intake and K stores, wired as the
//! actors wire them.

use super::protobuf_reader;
use psg_engine::catalog::{Catalog, CatalogSettings};
use psg_engine::exposition::{Format, PageFormat};
use psg_engine::intake::{Intake, IntakeSettings, RefusedSample};
use psg_engine::labels::DropLabels;
use psg_engine::limits::{PayloadLimits, SeriesLimits};
use psg_engine::merge::merge;
use psg_engine::metric::default_buckets::DefaultBuckets;
use psg_engine::metric::native::NativeSettings;
use psg_engine::metric::summary::SummarySettings;
use psg_engine::name::NameRules;
use psg_engine::protobuf::MetricFamily;
use psg_engine::reject::{Reason, Reject};
use psg_engine::sample::Sample;
use psg_engine::series::{Handle, ReaderIndex};
use psg_engine::sharding::{ShardCount, ShardIndex};
use psg_engine::state::StateError;
use psg_engine::store::{
    ExpirySettings, ScrapeContext, SharedTombstones, Store, StoreSettings, TombstoneKey,
    TombstoneSettings,
};
use psg_engine::timestamp::Moment;
use psg_engine::timestamp::UnixTime;
use psg_engine::updates::{DetailedUpdate, Details, UpdateRun, Updates, ValueUpdate};

/// When batches are taken, in Unix seconds.
pub const NOW: u32 = 1_700_000_000;

/// What a pipeline is made with.
#[derive(Debug, Clone)]
pub struct PipelineSettings {
    pub shards: usize,
    pub payload: PayloadLimits,
    pub cache_series: usize,
    pub sort_labels: bool,
    pub drop_labels: &'static [&'static str],
    pub names: NameRules,
    pub default_buckets: DefaultBuckets,
    pub native: NativeSettings,
    pub limits: SeriesLimits,
    pub expiry: ExpirySettings,
    pub summary: SummarySettings,
    pub tombstone_ttl_ms: u64,
    pub overflow: bool,
    pub max_tombstones: usize,
    pub created_timestamps: bool,
    /// In each shard.
    pub max_exemplars: usize,
}

impl Default for PipelineSettings {
    fn default() -> Self {
        Self {
            shards: 2,
            payload: PayloadLimits::default(),
            cache_series: 1000,
            sort_labels: true,
            limits: SeriesLimits::default(),
            expiry: ExpirySettings::default(),
            drop_labels: &[],
            names: NameRules::Legacy,
            default_buckets: DefaultBuckets::default(),
            native: NativeSettings::default(),
            summary: SummarySettings::default(),
            tombstone_ttl_ms: 0,
            overflow: false,
            max_tombstones: 1000,
            created_timestamps: false,
            max_exemplars: 10_000,
        }
    }
}

impl PipelineSettings {
    /// How payloads are taken in.
    pub fn intake(&self) -> IntakeSettings {
        IntakeSettings {
            payload: self.payload.clone(),
            drop_labels: DropLabels::new(self.drop_labels),
            names: self.names,
            default_buckets: self.default_buckets.clone(),
            native: self.native.clone(),
            cache_series: self.cache_series,
            sort_labels: self.sort_labels,
            overflow: self.overflow,
            append_units: false,
            exemplars: self.max_exemplars > 0,
        }
    }
}

/// One reader's way through the engine.
pub struct Pipeline {
    pub catalog: Catalog,
    pub stores: Vec<Store>,
    pub layout_mismatches: u64,
    /// Samples that went to overflow series.
    pub folded: u64,
    /// Samples of producers that shards were sent.
    pub sent: u64,
    /// What samples said besides their value, each with that, as text.
    pub details: Vec<String>,
    /// The newest timestamp that was taken.
    pub newest: Option<UnixTime>,
    /// The time, which tests move.
    pub now: Moment,
    /// When batches are taken, in Unix seconds; tests move it too.
    pub unix_now: f64,
    intake: Intake,
}

impl Pipeline {
    pub fn new(settings: &PipelineSettings) -> Self {
        let catalog = Catalog::new(CatalogSettings {
            limits: settings.limits,
            summary: settings.summary,
            native: settings.native.clone(),
            allow_reserved_names: false,
        });
        let tombstones =
            TombstoneSettings { ttl_ms: settings.tombstone_ttl_ms, max: settings.max_tombstones };
        let shared = SharedTombstones::new(tombstones, TombstoneKey([7; 16]), settings.shards);
        let store = StoreSettings {
            expiry: settings.expiry,
            tombstones,
            empty_instance: false,
            created_timestamps: settings.created_timestamps,
            max_exemplars: settings.max_exemplars,
        };
        let shards = (0..settings.shards as u16).map(ShardIndex);
        Self {
            intake: Intake::new(
                settings.intake(),
                catalog.clone(),
                ShardCount::new(settings.shards),
                ReaderIndex(0),
            ),
            stores: shards.map(|shard| Store::new(store, shared.clone(), shard)).collect(),
            catalog,
            layout_mismatches: 0,
            folded: 0,
            sent: 0,
            details: Vec::new(),
            newest: None,
            now: Moment(0),
            unix_now: f64::from(NOW),
        }
    }

    /// Routes one batch; tells for each payload why it was refused.
    pub fn batch<P: AsRef<[u8]>>(&mut self, payloads: &[P]) -> Vec<Option<Reason>> {
        let mut verdicts: Vec<Option<Reason>> = vec![None; payloads.len()];
        for (number, _, reason) in self.batch_of_arrays(payloads) {
            verdicts[number] = Some(reason);
        }
        verdicts
    }

    /// Routes one batch; tells of each refused sample the number of its payload,
    /// its bytes, and the reason.
    pub fn batch_of_arrays<P: AsRef<[u8]>>(
        &mut self,
        payloads: &[P],
    ) -> Vec<(usize, Vec<u8>, Reason)> {
        let refused = Vec::new();
        self.intake.begin(UnixTime::from_sample(self.unix_now));
        self.rest_of_batch(payloads, refused)
    }

    /// Routes a batch that began before what happened last.
    pub fn batch_in_flight<P: AsRef<[u8]>>(&mut self, payloads: &[P]) {
        self.rest_of_batch(payloads, Vec::new());
    }

    fn rest_of_batch<P: AsRef<[u8]>>(
        &mut self,
        payloads: &[P],
        mut refused: Vec<(usize, Vec<u8>, Reason)>,
    ) -> Vec<(usize, Vec<u8>, Reason)> {
        for (number, payload) in payloads.iter().enumerate() {
            let refuse = |sample: &[u8], reject: Reject| {
                refused.push((number, sample.to_vec(), reject.reason));
            };
            self.intake.route(payload.as_ref(), refuse);
        }
        for RefusedSample { payload, part, reject } in self.admit_and_send() {
            let bytes = payloads[payload as usize].as_ref();
            let sample = part.map_or(bytes, |part| &bytes[part]);
            refused.push((payload as usize, sample.to_vec(), reject.reason));
        }
        refused
    }

    /// Takes elements of a home's queue as one batch; what was refused of them.
    pub fn batch_at_home<E: AsRef<[u8]>>(
        &mut self,
        elements: &[E],
    ) -> Result<Vec<Reject>, StateError> {
        let mut refused = Vec::new();
        self.intake.begin(UnixTime::from_sample(self.unix_now));
        for element in elements {
            self.intake.route_at_home(element.as_ref(), |_, reject| refused.push(reject))?;
        }
        refused.extend(self.admit_and_send().into_iter().map(|sample| sample.reject));
        Ok(refused)
    }

    /// Routes one batch of samples that were never bytes, as if each were a payload.
    pub fn batch_of_samples(&mut self, samples: &[Sample<'_>]) -> Vec<Option<Reason>> {
        self.intake.begin(UnixTime::from_sample(self.unix_now));
        let mut verdicts: Vec<Option<Reason>> = Vec::new();
        for sample in samples {
            let number = self.intake.next_payload();
            let taken = self.intake.take(sample, number);
            verdicts.push(taken.err().map(|reject| reject.reason));
        }
        for RefusedSample { payload, reject, .. } in self.admit_and_send() {
            verdicts[payload as usize] = Some(reject.reason);
        }
        verdicts
    }

    fn admit_and_send(&mut self) -> Vec<RefusedSample> {
        let Self { intake, stores, now, .. } = self;
        intake.define_with(|shard, key| stores[shard.get()].define(key, ReaderIndex(0), *now));
        self.send()
    }

    fn send(&mut self) -> Vec<RefusedSample> {
        let outcome = self.intake.finish();
        self.layout_mismatches += outcome.layout_mismatches;
        self.folded += outcome.folded;
        self.newest = self.newest.max(outcome.newest);
        self.sent += outcome.updates.iter().map(Updates::samples).sum::<u64>();
        for (store, updates) in self.stores.iter_mut().zip(outcome.updates) {
            self.details.extend(updates.runs().filter_map(|run| match run {
                UpdateRun::Values(_) => None,
                UpdateRun::Detailed(DetailedUpdate { update, details, observations, exemplar }) => {
                    // Where they lay depends on the batch; minus zero is zero.
                    let ValueUpdate { value, op, slot: _ } = update;
                    let Details { timestamp, ttl, observations: _, exemplar: _, more_samples: _ } =
                        details;
                    let numbers = format!("{} {op:?} {timestamp:?} {ttl:?}", value + 0.0);
                    Some(format!("{numbers} {observations:?} {exemplar:?}"))
                }
            }));
            store.apply(&updates, self.now);
        }
        outcome.refused
    }

    /// What series have refused since the last call, in JSON.
    pub fn refused_by_shards(&mut self) -> Vec<String> {
        let refused = self.stores.iter_mut().flat_map(|store| store.take_refused().kept);
        refused.map(|update| serde_json::to_string(&update).expect("JSON")).collect()
    }

    /// Lets everything expire that is due, a few at a time.
    pub fn expire(&mut self) {
        for store in &mut self.stores {
            while !store.expire_some(2, self.now) {}
        }
    }

    /// Brings the reader word of what has expired; it obeys.
    pub fn tell(&mut self) {
        for (number, store) in (0..).zip(&mut self.stores) {
            let handles: Vec<Handle> =
                store.take_notices().iter().map(|notice| notice.handle).collect();
            self.intake.forget(ShardIndex(number), &handles);
        }
        self.send();
    }

    /// The exposition of all shards.
    pub fn exposition(&mut self, page: impl Into<PageFormat>) -> String {
        self.exposition_with(page, || {})
    }

    /// The same, where something happens before it is merged.
    pub fn exposition_with(
        &mut self,
        page: impl Into<PageFormat>,
        meanwhile: impl FnOnce(),
    ) -> String {
        let page = page.into();
        let body = self.body(page, meanwhile);
        match page.format {
            Format::Text | Format::OpenMetrics => {
                String::from_utf8(body).expect("an exposition is UTF-8")
            }
            Format::Protobuf => protobuf_reader::lines(&body),
        }
    }

    /// The messages of the protobuf exposition.
    pub fn messages(&mut self) -> Vec<MetricFamily> {
        protobuf_reader::messages(&self.body(Format::Protobuf.into(), || {}))
    }

    fn body(&mut self, page: PageFormat, meanwhile: impl FnOnce()) -> Vec<u8> {
        self.body_for(page, None, meanwhile)
    }

    /// The messages that scrapers get whose last scrape is known.
    pub fn messages_for(&mut self, context: ScrapeContext) -> Vec<MetricFamily> {
        let page = Format::Protobuf.into();
        protobuf_reader::messages(&self.body_for(page, Some(context), || {}))
    }

    fn body_for(
        &mut self,
        page: PageFormat,
        context: Option<ScrapeContext>,
        meanwhile: impl FnOnce(),
    ) -> Vec<u8> {
        let now = self.now;
        let sources = self.stores.iter_mut().map(|store| {
            let mut job = store.begin_exposure(page, &self.catalog, context);
            while !store.expose_some(&mut job, 3, now) {}
            job.finish()
        });
        let sources: Vec<_> = sources.collect();
        meanwhile();
        let exposition = merge(page, sources, &self.catalog);
        let body: Vec<u8> = exposition.pieces.iter().flatten().copied().collect();
        assert_eq!(body.len(), exposition.length);
        body
    }

    /// Its lines, sorted within each family's block, whose header comes first.
    pub fn lines(&mut self, page: impl Into<PageFormat>) -> Vec<String> {
        let text = self.exposition(page);
        let mut blocks: Vec<Vec<String>> = Vec::new();
        for line in text.lines() {
            match blocks.last_mut() {
                Some(block) if !line.starts_with("# HELP") => block.push(line.into()),
                _ => blocks.push(vec![line.into()]),
            }
        }
        for block in &mut blocks {
            if let Some(series) = block.get_mut(2..) {
                series.sort();
            }
        }
        blocks.concat()
    }
}
