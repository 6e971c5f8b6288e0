//! Created times: whatever expires, returns, and is stored and loaded between,
//! each total is the sum of what came since the time that is told with it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::merge::merge;
use psg_engine::store::{AckHorizon, ExpirySettings, ScrapeContext, ScrapeSeq};
use psg_engine::timestamp::Moment;

use super::{instants, pipeline, restored, snapshot};
use crate::support::cases;
use crate::support::exposition_parser::{Dialect, parse};
use crate::support::pipeline::{NOW, Pipeline, PipelineSettings};

const KINDS: [&str; 4] = ["counter", "histogram", "summary", "gauge"];

fn payload(series: usize, value: u32) -> String {
    let kind = KINDS[series % KINDS.len()];
    let name = if kind == "counter" { "x_total" } else { kind };
    format!(
        r#"{{"type":"{kind}","name":"{name}","value":{value},"labels":{{"s":"{series}"}},"buckets":[3],"quantiles":[0.5],"epsilons":[0.1]}}"#
    )
}

/// What an exposition tells of a series.
#[derive(Debug, Default, PartialEq)]
struct Told {
    total: f64,
    created: Option<f64>,
}

/// By the label of the series.
fn told(body: &str) -> BTreeMap<usize, Told> {
    let mut told = BTreeMap::<usize, Told>::new();
    for family in parse(body, Dialect::OpenMetrics).expect("an exposition") {
        for sample in &family.samples {
            let number = sample.labels.iter().find(|(name, _)| name == "s");
            let number = number.and_then(|(_, value)| value.parse().ok()).expect("a number");
            let series = told.entry(number).or_default();
            match sample.name.strip_prefix(&family.name) {
                Some("_created") => series.created = Some(sample.value),
                Some("_total" | "_sum") => series.total = sample.value,
                _ => {}
            }
        }
    }
    told
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize, u32),
    Wait(u64),
    Expire,
    Tell,
    /// Stored, and loaded by one of so many shards, which may tell created times.
    Load {
        shards: usize,
        created_timestamps: bool,
    },
    /// A snapshot is taken while this is pushed.
    LoadWhile(Vec<(usize, u32)>),
}

fn step() -> impl Strategy<Value = Step> {
    let sample = || (0_usize..12, 0_u32..50);
    prop_oneof![
        8 => sample().prop_map(|(series, value)| Step::Push(series, value)),
        3 => (1_u64..9).prop_map(Step::Wait),
        2 => Just(Step::Expire),
        2 => Just(Step::Tell),
        2 => (1_usize..6, prop::bool::weighted(0.9))
            .prop_map(|(shards, created_timestamps)| Step::Load { shards, created_timestamps }),
        1 => prop::collection::vec(sample(), 0..6).prop_map(Step::LoadWhile),
    ]
}

/// A pipeline, and all that was ever pushed to each series: when, and what.
struct World {
    settings: PipelineSettings,
    pipeline: Pipeline,
    pushed: BTreeMap<usize, Vec<(f64, f64)>>,
    /// Whether created times were kept all the time.
    always_kept: bool,
}

impl World {
    fn new() -> Self {
        let settings = PipelineSettings {
            created_timestamps: true,
            expiry: ExpirySettings::new(500, 500),
            // Some are gone for good between two pushes.
            tombstone_ttl_ms: 1000,
            ..PipelineSettings::default()
        };
        let pipeline = pipeline(&settings);
        Self { settings, pipeline, pushed: BTreeMap::new(), always_kept: true }
    }

    /// Each push has a second of its own.
    fn push(&mut self, series: usize, value: u32) {
        self.pipeline.unix_now += 1.0;
        assert_eq!(self.pipeline.batch(&[payload(series, value)]), [None]);
        let pushed = self.pushed.entry(series).or_default();
        pushed.push((self.pipeline.unix_now, f64::from(value)));
    }

    fn load(&mut self, meanwhile: &[(usize, u32)]) {
        super::begin(&mut self.pipeline, 1, true);
        let (before, unix_now) = (self.pushed.clone(), self.pipeline.unix_now);
        meanwhile.iter().for_each(|(series, value)| self.push(*series, *value));
        let stored = super::finish(&mut self.pipeline);
        // What came behind the snapshot is lost with the process.
        (self.pushed, self.pipeline.unix_now) = (before, unix_now);
        let mut next = restored(&self.settings, &stored, instants(&self.pipeline).run_time);
        next.unix_now = unix_now + 10.0;
        self.pipeline = next;
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Push(series, value) => self.push(series, value),
            Step::Wait(ticks) => self.pipeline.now = Moment(self.pipeline.now.0 + ticks * 100),
            Step::Expire => self.pipeline.expire(),
            Step::Tell => self.pipeline.tell(),
            Step::Load { shards, created_timestamps } => {
                let settings = self.settings.clone();
                self.settings = PipelineSettings { shards, created_timestamps, ..settings };
                self.always_kept &= created_timestamps;
                self.load(&[]);
            }
            Step::LoadWhile(meanwhile) => self.load(&meanwhile),
        }
    }

    fn check(&mut self) {
        let body = self.pipeline.exposition(Format::OpenMetrics);
        for (series, Told { total, created }) in told(&body) {
            let kind = KINDS[series % KINDS.len()];
            if kind == "gauge" || !self.settings.created_timestamps {
                assert_eq!(created, None, "{series}");
                continue;
            }
            assert!(created.is_some() || !self.always_kept, "of {series} it is not told: {body}");
            let Some(created) = created else { continue };
            assert!(created <= self.pipeline.unix_now, "{series} is of the future");
            let pushed = &self.pushed[&series];
            let first = pushed.iter().position(|(at, _)| *at == created);
            let first = first.unwrap_or_else(|| panic!("nothing came to {series} at {created}"));
            let since: f64 = pushed[first..].iter().map(|(_, value)| value).sum();
            assert_eq!(total, since, "{series} since {created}: {pushed:?}");
        }
        let text = self.pipeline.exposition(Format::Text);
        assert!(!text.contains("_created"), "{text}");
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn a_total_is_what_came_since_it_was_created(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.check();
        }
    }

    /// But for the lines themselves they change nothing, and where they are not
    /// asked for the state has none either.
    #[test]
    fn they_are_lines_more_and_nothing_else(
        pushes in prop::collection::vec((0_usize..12, 0_u32..50), 0..40),
    ) {
        let payloads: Vec<String> =
            pushes.into_iter().map(|(series, value)| payload(series, value)).collect();
        let mut both = [false, true].map(|created_timestamps| {
            let settings = PipelineSettings { created_timestamps, ..PipelineSettings::default() };
            let mut pipeline = pipeline(&settings);
            pipeline.batch(&payloads);
            pipeline
        });
        let texts = both.each_mut().map(|pipeline| pipeline.exposition(Format::Text));
        prop_assert_eq!(&texts[0], &texts[1]);
        let [without, with] = both.each_mut().map(|pipeline| pipeline.exposition(Format::OpenMetrics));
        let rest = with.split_inclusive('\n').filter(|line| !line.contains("_created{"));
        prop_assert_eq!(rest.collect::<String>(), without);
        let versions = both.each_mut().map(|pipeline| {
            let stored = snapshot(pipeline, 1, true);
            stored.iter().map(|stored| stored.bytes[4]).collect::<std::collections::BTreeSet<u8>>()
        });
        prop_assert_eq!(versions, [[1].into(), [2].into()]);
    }
}

/// A series that is shown at its start has the created time that it has later.
#[test]
fn the_start_of_a_series_was_created_when_it_was() {
    let mut world = World::new();
    let mut number = 0;
    let mut rendered = |world: &mut World| {
        number += 1;
        let now = world.pipeline.now;
        let horizon = AckHorizon {
            record_until: Moment(u64::MAX),
            exposed_to_all: ScrapeSeq(0),
            ..AckHorizon::default()
        };
        let seen = Some(ScrapeSeq(number - 1)).filter(|seen| seen.0 > 0);
        let context = ScrapeContext { seq: ScrapeSeq(number), last_seen: seen, horizon };
        let parts = world.pipeline.stores.iter_mut().map(|store| {
            let mut job =
                store.begin_exposure(Format::OpenMetrics, &world.pipeline.catalog, Some(context));
            while !store.expose_some(&mut job, 3, now) {}
            job.finish()
        });
        let parts = parts.collect();
        let body = merge(Format::OpenMetrics, parts, &world.pipeline.catalog).pieces.concat();
        told(&String::from_utf8(body).expect("UTF-8"))
    };
    assert!(rendered(&mut world).is_empty());
    world.push(0, 7);
    world.push(1, 8);
    let created = |series: usize| Some(f64::from(NOW) + 1.0 + series as f64);
    for (first, second) in [(0.0, 0.0), (7.0, 8.0)] {
        let seen = rendered(&mut world);
        assert_eq!(seen[&0], Told { total: first, created: created(0) });
        assert_eq!(seen[&1], Told { total: second, created: created(1) });
    }
    // It returns: at its old total, which began when it did.
    world.pipeline.now = Moment(world.pipeline.now.0 + 700);
    world.pipeline.expire();
    world.pipeline.tell();
    assert!(rendered(&mut world).is_empty());
    world.push(0, 1);
    for total in [7.0, 8.0] {
        assert_eq!(rendered(&mut world)[&0], Told { total, created: created(0) });
    }
}

/// Of a counter that is none beside a gauge no line is left, however much of it
/// there is and wherever the lines begin.
#[test]
fn a_counter_that_is_unknown_tells_none() {
    let pad = "x".repeat(1000);
    let series = |from: usize| -> Vec<String> {
        let sample =
            |i| format!(r#"{{"name":"x_total","value":1,"labels":{{"s":"{i}","pad":"{pad}"}}}}"#);
        let gauge = r#"{"type":"gauge","name":"x_created","value":5}"#.to_owned();
        (from..from + 100).map(sample).chain([gauge]).collect()
    };
    let settings = PipelineSettings { shards: 1, ..PipelineSettings::default() };
    let mut before = pipeline(&settings);
    before.batch(&series(0));
    let stored = snapshot(&mut before, 1, true);
    let settings = PipelineSettings { created_timestamps: true, ..settings };
    let mut pipeline = restored(&settings, &stored, instants(&before).run_time);
    // Those before them tell nothing.
    pipeline.batch(&series(100));
    let body = pipeline.exposition(Format::OpenMetrics);
    let families = parse(&body, Dialect::OpenMetrics).expect("an exposition");
    let kinds: Vec<_> = families.iter().map(|family| (&*family.name, &*family.type_word)).collect();
    assert_eq!(kinds, [("x_created", "gauge"), ("x_total", "unknown")]);
    assert_eq!(families[1].samples.len(), 200);
}

/// When what is applied again came first is not known, and not made up.
#[test]
fn what_is_applied_again_has_none() {
    let mut world = World::new();
    for store in &mut world.pipeline.stores {
        store.clear();
    }
    world.push(0, 7);
    for store in &mut world.pipeline.stores {
        store.end_replay();
    }
    world.push(1, 8);
    let seen = told(&world.pipeline.exposition(Format::OpenMetrics));
    assert_eq!(seen[&0], Told { total: 7.0, created: None });
    assert_eq!(seen[&1].created, Some(world.pipeline.unix_now));
}

/// A metric that an operator removed begins anew.
#[test]
fn what_was_removed_is_created_anew() {
    let mut world = World::new();
    world.push(0, 7);
    let family = world.pipeline.catalog.retire("x_total").expect("it is there");
    for store in &mut world.pipeline.stores {
        let mut job = store.begin_removal(family.clone());
        while !store.remove_some(&mut job, 3) {}
    }
    world.pipeline.tell();
    world.push(0, 2);
    let seen = told(&world.pipeline.exposition(Format::OpenMetrics));
    assert_eq!(seen[&0], Told { total: 2.0, created: Some(world.pipeline.unix_now) });
}
