//! The whole engine on one thread: an intake and K stores, wired as the
//! actors wire them.

use psg_engine::catalog::Catalog;
use psg_engine::exposition::Format;
use psg_engine::intake::{Intake, IntakeSettings};
use psg_engine::limits::{PayloadLimits, SeriesLimits};
use psg_engine::merge::merge;
use psg_engine::metric::Moment;
use psg_engine::metric::summary::SummarySettings;
use psg_engine::reject::Reason;
use psg_engine::sharding::ShardCount;
use psg_engine::store::{ExposeJob, Store};

/// What a pipeline is made with.
#[derive(Debug, Clone)]
pub struct PipelineSettings {
    pub shards: usize,
    pub cache_series: usize,
    pub sort_labels: bool,
    pub limits: SeriesLimits,
}

impl Default for PipelineSettings {
    fn default() -> Self {
        Self { shards: 2, cache_series: 1000, sort_labels: true, limits: SeriesLimits::default() }
    }
}

/// One reader's way through the engine.
pub struct Pipeline {
    pub catalog: Catalog,
    pub stores: Vec<Store>,
    pub layout_mismatches: u64,
    intake: Intake,
}

impl Pipeline {
    pub fn new(settings: &PipelineSettings) -> Self {
        let catalog = Catalog::new(settings.limits, SummarySettings::default());
        let intake_settings = IntakeSettings {
            payload: PayloadLimits::default(),
            shards: ShardCount::new(settings.shards),
            cache_series: settings.cache_series,
            sort_labels: settings.sort_labels,
        };
        Self {
            intake: Intake::new(intake_settings, catalog.clone()),
            stores: (0..settings.shards).map(|_| Store::default()).collect(),
            catalog,
            layout_mismatches: 0,
        }
    }

    /// Routes one page; tells for each payload why it was refused.
    pub fn page<P: AsRef<[u8]>>(&mut self, payloads: &[P]) -> Vec<Option<Reason>> {
        let mut verdicts: Vec<Option<Reason>> = payloads
            .iter()
            .map(|payload| self.intake.route(payload.as_ref()).err().map(|reject| reject.reason))
            .collect();
        for unknown in self.intake.unknown() {
            let (keys, asked) = unknown.ask();
            let store = &mut self.stores[asked.shard.get()];
            let answers = keys.into_iter().map(|key| store.define(key, Moment(0))).collect();
            self.intake.answer(asked, answers);
        }
        let outcome = self.intake.finish();
        self.layout_mismatches += outcome.layout_mismatches;
        for (number, reject) in outcome.refused {
            verdicts[number as usize] = Some(reject.reason);
        }
        for (store, batch) in self.stores.iter_mut().zip(outcome.batches) {
            store.apply(&batch, Moment(0));
        }
        verdicts
    }

    /// The exposition of all shards.
    pub fn exposition(&mut self, format: Format) -> String {
        let sources = self.stores.iter_mut().map(|store| {
            let mut job = ExposeJob::new(format);
            while !store.expose_some(&mut job, 3, Moment(0)) {}
            job.finish()
        });
        let exposition = merge(format, sources.collect());
        let body: Vec<u8> = exposition.pieces.iter().flatten().copied().collect();
        assert_eq!(body.len(), exposition.length);
        String::from_utf8(body).expect("an exposition is UTF-8")
    }

    /// Its lines, sorted within each family's block, whose header comes first.
    pub fn lines(&mut self, format: Format) -> Vec<String> {
        let text = self.exposition(format);
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
