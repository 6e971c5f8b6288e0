//! Scrapers of a pipeline, and what each should have seen.

use std::collections::BTreeMap;

use proptest::prelude::*;
use psg_engine::catalog::{Catalog, Family};
use psg_engine::exposition::Format;
use psg_engine::labels::LabelPairs;
use psg_engine::merge::merge;
use psg_engine::metric::Shape;
use psg_engine::sharding::{Segment, series_hash};
use psg_engine::store::{
    AckHorizon, ExpirySettings, Filter, ScrapeContext, ScrapeSeq, SeriesShare,
};
use psg_engine::timestamp::Moment;

use crate::support::exposition_parser::{Dialect, parse};
use crate::support::pipeline::{Pipeline, PipelineSettings};

pub const NEVER: Moment = Moment(u64::MAX);
pub const TICK_MS: u64 = 100;
/// Times to live are shorter than the time between some scrapes.
pub const TTL_MS: u64 = 500;

pub fn kind(series: usize) -> &'static str {
    if series.is_multiple_of(2) { "counter" } else { "histogram" }
}

/// One series, by its family's type.
pub fn payload(series: usize, value: u32) -> String {
    let kind = kind(series);
    format!(
        r#"{{"type":"{kind}","name":"{kind}_x","value":{value},"labels":{{"s":"{series}"}},"buckets":[3]}}"#
    )
}

/// What a scraper was shown: of a histogram each line is one.
pub type Shown = BTreeMap<String, f64>;

/// What a scraper asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct View {
    pub kind: Option<&'static str>,
    /// Which part of how many.
    pub part: Option<(usize, usize)>,
}

impl View {
    pub fn filter(self) -> Filter {
        let names = self.kind.map(|kind| format!("{kind}_x")).into_iter().collect();
        Filter::new(names, self.part.and_then(|(part, of)| SeriesShare::new(part, of)))
    }

    pub fn shows(self, series: usize) -> bool {
        let family = Family::standalone(&format!("{}_x", kind(series)), "", Shape::Counter);
        let labels = format!("s=\"{series}\"");
        let hash = series_hash(family.name_hash(), LabelPairs::from_text(&labels));
        let segment = Segment::of(hash).get();
        self.kind.is_none_or(|kind| kind == self::kind(series))
            && self.part.is_none_or(|(part, of)| segment % of == part)
    }
}

#[derive(Debug, Default)]
pub struct Scraper {
    pub view: View,
    pub seen: Option<ScrapeSeq>,
    pub seen_before: Option<ScrapeSeq>,
    pub seen_at: Moment,
    pub last: Shown,
    /// Raw increase of each line since the first scrape.
    pub increase: Shown,
}

/// A pipeline that is scraped by some, and what was pushed to each line.
pub struct World {
    pub pipeline: Pipeline,
    pub scrapers: Vec<Scraper>,
    pub pushed: Shown,
    /// What had been pushed when each scraper began.
    pub base: Vec<Shown>,
    pub number: u64,
}

impl World {
    pub fn new(scrapers: usize, ttl_ms: u64) -> Self {
        let settings = PipelineSettings {
            expiry: ExpirySettings::new(ttl_ms, 0),
            tombstone_ttl_ms: 1_000_000_000,
            ..PipelineSettings::default()
        };
        Self {
            pipeline: Pipeline::new(&settings),
            scrapers: (0..scrapers).map(|_| Scraper::default()).collect(),
            base: vec![Shown::new(); scrapers],
            pushed: Shown::new(),
            number: 0,
        }
    }

    /// The same, where each scraper asks for something.
    pub fn viewed(views: &[View], ttl_ms: u64) -> Self {
        let mut world = Self::new(views.len(), ttl_ms);
        world.scrapers.iter_mut().zip(views).for_each(|(scraper, view)| scraper.view = *view);
        world
    }

    pub fn push(&mut self, series: usize, value: u32) {
        assert_eq!(self.pipeline.batch(&[payload(series, value)]), [None]);
        let labels = format!("s={series}");
        let mut add = |name: String, by: f64| *self.pushed.entry(name).or_default() += by;
        let value = f64::from(value);
        if series.is_multiple_of(2) {
            return add(format!("counter_x {labels}"), value);
        }
        add(format!("histogram_x_sum {labels}"), value);
        add(format!("histogram_x_count {labels}"), 1.0);
        add(format!("histogram_x_bucket {labels} le=3"), f64::from(u8::from(value <= 3.0)));
        add(format!("histogram_x_bucket {labels} le=+Inf"), 1.0);
    }

    pub fn horizon(&self, number: ScrapeSeq) -> AckHorizon {
        let begun = || self.scrapers.iter().filter(|scraper| scraper.seen.is_some());
        let oldest = begun().filter_map(|scraper| scraper.seen_before).min();
        let fetched_before = begun().map(|scraper| scraper.seen_at).min();
        AckHorizon {
            exposed_to_all: oldest.unwrap_or(number).min(number),
            exposed_to_known: oldest.unwrap_or(number).min(number),
            record_until: NEVER,
            fetched_before: fetched_before.unwrap_or_default(),
            keep_until: fetched_before.map_or(Moment::default(), |_| NEVER),
        }
    }

    /// One scrape of everything.
    pub fn render(
        &mut self,
        seen: Option<ScrapeSeq>,
        meanwhile: &[(usize, u32)],
    ) -> (ScrapeSeq, Moment, String, Option<ScrapeSeq>) {
        self.render_view(View::default(), seen, meanwhile)
    }

    /// One scrape; `meanwhile` is applied between its slices.
    pub fn render_view(
        &mut self,
        view: View,
        seen: Option<ScrapeSeq>,
        meanwhile: &[(usize, u32)],
    ) -> (ScrapeSeq, Moment, String, Option<ScrapeSeq>) {
        self.number += 1;
        let (seq, now) = (ScrapeSeq(self.number), self.pipeline.now);
        let context = ScrapeContext { seq, last_seen: seen, horizon: self.horizon(seq) };
        let stores = self.pipeline.stores.iter_mut();
        let begin = |store: &mut psg_engine::store::Store| {
            store
                .begin_exposure(Format::Text, &Catalog::default(), Some(context))
                .filtered(view.filter())
        };
        let mut jobs: Vec<_> = stores.map(begin).collect();
        let mut meanwhile = meanwhile.iter();
        let mut is_done = false;
        while !is_done {
            let slices = self.pipeline.stores.iter_mut().zip(&mut jobs);
            is_done =
                slices.map(|(store, job)| store.expose_some(job, 1, now)).fold(true, |a, b| a & b);
            if let Some((series, value)) = meanwhile.next() {
                self.push(*series, *value);
            }
        }
        meanwhile.for_each(|(series, value)| self.push(*series, *value));
        let oldest = jobs.iter().filter_map(|job| job.starts_after()).min();
        let parts = jobs.into_iter().map(|job| job.finish()).collect();
        let body = merge(Format::Text, parts, &Catalog::default()).pieces.concat();
        (seq, now, String::from_utf8(body).expect("UTF-8"), oldest)
    }

    /// A scraper scrapes; where it hangs up before the end it has seen nothing.
    pub fn scrape(&mut self, scraper: usize, meanwhile: &[(usize, u32)], is_complete: bool) {
        let Scraper { view, seen, .. } = self.scrapers[scraper];
        let pushed_before = self.pushed.clone();
        let (number, at, body, oldest) = self.render_view(view, seen, meanwhile);
        assert!(seen.is_some() || oldest.is_none(), "a first scrape shows real values");
        if is_complete {
            if seen.is_none() {
                self.base[scraper] = pushed_before;
                self.base[scraper].extend(lines(&body));
            }
            self.fetched(scraper, number, at, &body);
        }
    }

    pub fn fetched(&mut self, scraper: usize, number: ScrapeSeq, at: Moment, body: &str) {
        let shown = lines(body);
        let scraper = &mut self.scrapers[scraper];
        for (line, value) in &shown {
            let before = scraper.last.insert(line.clone(), *value);
            let increase = scraper.increase.entry(line.clone()).or_default();
            let Some(before) = before else { continue };
            assert!(*value >= before, "{line} fell from {before} to {value}");
            *increase += value - before;
        }
        scraper.seen_before = scraper.seen.or(Some(number));
        (scraper.seen, scraper.seen_at) = (Some(number), at);
    }

    /// Everybody scrapes twice, and has everything.
    pub fn check(&mut self) {
        for scraper in 0..self.scrapers.len() {
            self.scrape(scraper, &[], true);
            self.scrape(scraper, &[], true);
            let Scraper { increase, view, .. } = &self.scrapers[scraper];
            let base = &self.base[scraper];
            for (line, pushed) in &self.pushed {
                let expected = match view.shows(series_of(line)) {
                    true => pushed - base.get(line).copied().unwrap_or(0.0),
                    false => 0.0,
                };
                let found = increase.get(line).copied().unwrap_or(0.0);
                assert_eq!(found, expected, "{line}, scraper {scraper}");
            }
        }
    }

    pub fn wait(&mut self, ticks: u64) {
        self.pipeline.now = Moment(self.pipeline.now.0 + ticks * TICK_MS);
    }
}

pub fn lines(body: &str) -> Shown {
    let families = parse(body, Dialect::Text).expect("an exposition");
    let samples = families.iter().flat_map(|family| &family.samples);
    samples
        .map(|sample| {
            let labels = sample.labels.iter().map(|(name, value)| format!(" {name}={value}"));
            (format!("{}{}", sample.name, labels.collect::<String>()), sample.value)
        })
        .collect()
}

/// The number of a line's series.
pub fn series_of(line: &str) -> usize {
    let label = line.split(' ').find_map(|part| part.strip_prefix("s="));
    label.and_then(|number| number.parse().ok()).expect("a line of ours")
}

pub fn view() -> impl Strategy<Value = View> {
    let kind =
        prop_oneof![3 => Just(None), 1 => Just(Some("counter")), 1 => Just(Some("histogram"))];
    let part = prop_oneof![
        2 => Just(None),
        3 => (1_usize..4).prop_flat_map(|of| (0..of, Just(of)).prop_map(Some)),
    ];
    (kind, part).prop_map(|(kind, part)| View { kind, part })
}

#[derive(Debug, Clone)]
pub enum Step {
    Push(usize, u32),
    Scrape { scraper: usize, meanwhile: Vec<(usize, u32)>, is_complete: bool },
    Wait(u64),
    Expire,
    Tell,
}

pub fn step(scrapers: usize) -> impl Strategy<Value = Step> {
    let sample = || (0_usize..8, 0_u32..6);
    prop_oneof![
        4 => sample().prop_map(|(series, value)| Step::Push(series, value)),
        3 => (0..scrapers, prop::collection::vec(sample(), 0..4), prop::bool::weighted(0.8))
            .prop_map(|(scraper, meanwhile, is_complete)| Step::Scrape { scraper, meanwhile, is_complete }),
        2 => (1_u64..9).prop_map(Step::Wait),
        1 => Just(Step::Expire),
        1 => Just(Step::Tell),
    ]
}
