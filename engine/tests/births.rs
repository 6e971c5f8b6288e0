//! The first increment: whatever is born, grows, expires and comes back between
//! whichever scrapes, each scraper's raw increase is what was pushed to what it
//! asks for.

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use psg_engine::catalog::Family;
use psg_engine::format::Format;
use psg_engine::merge::merge;
use psg_engine::metric::Shape;
use psg_engine::sharding::{Segment, series_hash};
use psg_engine::store::{Audience, Awaited, ExpirySettings, Filter, Part, Rendering};
use psg_engine::timestamp::Moment;

use support::exposition_parser::{Dialect, parse};
use support::pipeline::{Pipeline, PipelineSettings};

const NEVER: Moment = Moment(u64::MAX);
const TICK_MS: u64 = 100;
/// Times to live are shorter than the time between some scrapes.
const TTL_MS: u64 = 500;

fn kind(series: usize) -> &'static str {
    if series.is_multiple_of(2) { "counter" } else { "histogram" }
}

/// One series, by its family's type.
fn payload(series: usize, value: u32) -> String {
    let kind = kind(series);
    format!(
        r#"{{"type":"{kind}","name":"{kind}_x","value":{value},"labels":{{"s":"{series}"}},"buckets":[3]}}"#
    )
}

/// What a scraper was shown: of a histogram each line is one.
type Shown = BTreeMap<String, f64>;

/// What a scraper asks for.
#[derive(Debug, Clone, Copy, Default)]
struct View {
    kind: Option<&'static str>,
    /// Which part of how many.
    part: Option<(usize, usize)>,
}

impl View {
    fn filter(self) -> Filter {
        let names = self.kind.map(|kind| format!("{kind}_x")).into_iter().collect();
        Filter::new(names, self.part.and_then(|(part, of)| Part::new(part, of)))
    }

    fn shows(self, series: usize) -> bool {
        let family = Family::standalone(&format!("{}_x", kind(series)), "", Shape::Counter);
        let segment = Segment::of(series_hash(family.name_hash(), &format!("s=\"{series}\""))).get();
        self.kind.is_none_or(|kind| kind == self::kind(series))
            && self.part.is_none_or(|(part, of)| segment % of == part)
    }
}

#[derive(Debug, Default)]
struct Scraper {
    view: View,
    seen: Option<Rendering>,
    seen_before: Option<Rendering>,
    seen_at: Moment,
    last: Shown,
    /// Raw increase of each line since the first scrape.
    increase: Shown,
}

/// A pipeline that is scraped by some, and what was pushed to each line.
struct World {
    pipeline: Pipeline,
    scrapers: Vec<Scraper>,
    pushed: Shown,
    /// What had been pushed when each scraper began.
    base: Vec<Shown>,
    number: u64,
}

impl World {
    fn new(scrapers: usize, ttl_ms: u64) -> Self {
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
    fn viewed(views: &[View], ttl_ms: u64) -> Self {
        let mut world = Self::new(views.len(), ttl_ms);
        world.scrapers.iter_mut().zip(views).for_each(|(scraper, view)| scraper.view = *view);
        world
    }

    fn push(&mut self, series: usize, value: u32) {
        assert_eq!(self.pipeline.page(&[payload(series, value)]), [None]);
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

    fn awaited(&self, number: Rendering) -> Awaited {
        let begun = || self.scrapers.iter().filter(|scraper| scraper.seen.is_some());
        let oldest = begun().filter_map(|scraper| scraper.seen_before).min();
        let values_from = begun().map(|scraper| scraper.seen_at).min();
        Awaited {
            births_from: oldest.unwrap_or(number).min(number),
            births_until: NEVER,
            values_from: values_from.unwrap_or_default(),
            values_until: values_from.map_or(Moment::default(), |_| NEVER),
        }
    }

    /// One rendering of everything.
    fn render(
        &mut self,
        seen: Option<Rendering>,
        meanwhile: &[(usize, u32)],
    ) -> (Rendering, Moment, String, Option<Rendering>) {
        self.render_view(View::default(), seen, meanwhile)
    }

    /// One rendering; `meanwhile` is applied between its slices.
    fn render_view(
        &mut self,
        view: View,
        seen: Option<Rendering>,
        meanwhile: &[(usize, u32)],
    ) -> (Rendering, Moment, String, Option<Rendering>) {
        self.number += 1;
        let (number, now) = (Rendering(self.number), self.pipeline.now);
        let audience = Audience { number, seen, awaited: self.awaited(number) };
        let stores = self.pipeline.stores.iter_mut();
        let begin = |store: &mut psg_engine::store::Store| {
            store.begin_exposure(Format::Text, Some(audience)).filtered(view.filter())
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
        let oldest = jobs.iter().filter_map(|job| job.oldest_birth()).min();
        let parts = jobs.into_iter().map(|job| job.finish()).collect();
        let body = merge(Format::Text, parts).pieces.concat();
        (number, now, String::from_utf8(body).expect("UTF-8"), oldest)
    }

    /// A scraper scrapes; where it hangs up before the end it has seen nothing.
    fn scrape(&mut self, scraper: usize, meanwhile: &[(usize, u32)], is_complete: bool) {
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

    fn fetched(&mut self, scraper: usize, number: Rendering, at: Moment, body: &str) {
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
    fn check(&mut self) {
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

    fn wait(&mut self, ticks: u64) {
        self.pipeline.now = Moment(self.pipeline.now.0 + ticks * TICK_MS);
    }
}

fn lines(body: &str) -> Shown {
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
fn series_of(line: &str) -> usize {
    let label = line.split(' ').find_map(|part| part.strip_prefix("s="));
    label.and_then(|number| number.parse().ok()).expect("a line of ours")
}

fn view() -> impl Strategy<Value = View> {
    let kind =
        prop_oneof![3 => Just(None), 1 => Just(Some("counter")), 1 => Just(Some("histogram"))];
    let part = prop_oneof![
        2 => Just(None),
        3 => (1_usize..4).prop_flat_map(|of| (0..of, Just(of)).prop_map(Some)),
    ];
    (kind, part).prop_map(|(kind, part)| View { kind, part })
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize, u32),
    Scrape { scraper: usize, meanwhile: Vec<(usize, u32)>, is_complete: bool },
    Wait(u64),
    Expire,
    Tell,
}

fn step(scrapers: usize) -> impl Strategy<Value = Step> {
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

proptest! {
    #[test]
    fn each_scrapers_raw_increase_is_what_was_pushed(
        steps in prop::collection::vec(step(3), 1..60),
        expires in any::<bool>(),
        views in prop_oneof![
            Just([View::default(); 3]),
            prop::array::uniform3(view()),
        ],
    ) {
        let mut world = World::viewed(&views, if expires { TTL_MS } else { 0 });
        if expires {
            // Last values are kept for those who have come twice.
            (0..6).for_each(|scrape| world.scrape(scrape % 3, &[], true));
        }
        for step in steps {
            match step {
                Step::Push(series, value) => world.push(series, value),
                Step::Scrape { scraper, meanwhile, is_complete } => {
                    world.scrape(scraper, &meanwhile, is_complete);
                }
                Step::Wait(ticks) => world.wait(ticks),
                Step::Expire => world.pipeline.expire(),
                Step::Tell => world.pipeline.tell(),
            }
        }
        world.check();
    }
}

fn value(world: &mut World, seen: Option<u64>) -> Vec<(String, f64)> {
    let (_, _, body, _) = world.render(seen.map(Rendering), &[]);
    lines(&body).into_iter().collect()
}

#[test]
fn a_new_series_is_shown_once_at_0_and_a_returning_one_at_its_old_total() {
    let mut world = World::new(1, TTL_MS);
    world.scrape(0, &[], true);
    world.push(0, 5);
    let counter = |value| vec![("counter_x s=0".to_owned(), value)];
    assert_eq!(value(&mut world, Some(1)), counter(0.0));
    assert_eq!(value(&mut world, None), counter(5.0), "whose first scrape it is");
    assert_eq!(value(&mut world, Some(1)), counter(0.0), "the last one was not complete");
    world.push(0, 1);
    world.scrape(0, &[], true);
    world.scrape(0, &[], true);
    assert_eq!(world.scrapers[0].last["counter_x s=0"], 6.0);
    world.wait(1);
    world.scrape(0, &[], true);
    world.scrape(0, &[], true);
    world.wait(10);
    world.pipeline.expire();
    let seen = world.number;
    assert_eq!(value(&mut world, Some(seen)), []);
    world.push(0, 2);
    let seen = world.number;
    assert_eq!(value(&mut world, Some(seen)), counter(6.0));
    let seen = world.number;
    assert_eq!(value(&mut world, Some(seen)), counter(8.0));
}

/// A scrape tells which others it suits: those who have fetched that rendering,
/// or one before.
#[test]
fn a_rendering_tells_the_oldest_birth_in_it() {
    let mut world = World::new(1, 0);
    world.scrape(0, &[], true);
    world.push(0, 1);
    // Somebody else's: the scraper has seen the first one only.
    world.render(None, &[]);
    world.push(2, 1);
    let (.., oldest) = world.render(Some(Rendering(1)), &[]);
    assert_eq!(oldest, Some(Rendering(1)));
    let (.., oldest) = world.render(Some(Rendering(2)), &[]);
    assert_eq!(oldest, Some(Rendering(2)));
    let (.., oldest) = world.render(Some(Rendering(3)), &[]);
    assert_eq!(oldest, None);
}

#[test]
fn gauges_and_summaries_are_shown_as_they_are() {
    let mut world = World::new(1, 0);
    world.scrape(0, &[], true);
    world.pipeline.page(&[
        r#"{"type":"gauge","name":"g","value":7}"#,
        r#"{"type":"summary","name":"s","value":7}"#,
    ]);
    let seen = world.number;
    let shown = value(&mut world, Some(seen));
    assert_eq!(shown, [("g".into(), 7.0), ("s_count".into(), 1.0), ("s_sum".into(), 7.0)]);
}

/// A series whose time is over stays until its last value was fetched, and no
/// longer than scrapers are remembered.
#[test]
fn a_last_value_waits_for_who_has_not_fetched_it() {
    let mut world = World::new(1, TTL_MS);
    world.scrape(0, &[], true);
    world.scrape(0, &[], true);
    world.push(0, 3);
    world.wait(20);
    world.pipeline.expire();
    for expected in [0.0, 3.0] {
        world.scrape(0, &[], true);
        assert_eq!(world.scrapers[0].last.get("counter_x s=0"), Some(&expected));
    }
    world.wait(20);
    world.scrape(0, &[], true);
    world.pipeline.expire();
    assert_eq!(world.pipeline.stores.iter().map(|store| store.expired()).sum::<u64>(), 1);

    let mut world = World::new(1, TTL_MS);
    world.scrape(0, &[], true);
    world.push(0, 3);
    world.wait(20);
    for store in &mut world.pipeline.stores {
        store.set_awaited(Awaited { values_until: Moment(1000), ..Awaited::default() });
    }
    world.pipeline.expire();
    assert_eq!(world.pipeline.stores.iter().map(|store| store.expired()).sum::<u64>(), 1);
}

#[test]
fn what_is_applied_again_is_not_new() {
    let mut world = World::new(1, 0);
    world.scrape(0, &[], true);
    for store in &mut world.pipeline.stores {
        store.clear();
    }
    let mut again = World::new(1, 0);
    std::mem::swap(&mut again.pipeline.stores, &mut world.pipeline.stores);
    again.number = world.number;
    again.scrapers = std::mem::take(&mut world.scrapers);
    again.push(0, 5);
    let counter = |series: u32, value| (format!("counter_x s={series}"), value);
    assert_eq!(value(&mut again, Some(1)), [counter(0, 5.0)]);
    for store in &mut again.pipeline.stores {
        store.resume_births();
    }
    again.push(2, 5);
    assert_eq!(value(&mut again, Some(2)), [counter(0, 5.0), counter(2, 0.0)]);
}
