//! Gauges that samples set, add to, raise and lower, against a model: whatever
//! expires, returns, is stored and loaded between.

use std::collections::BTreeMap;

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::merge::merge;
use psg_engine::metric::{GaugeOp, Kind};
use psg_engine::store::{AckHorizon, ExpirySettings, ScrapeContext, ScrapeSeq};
use psg_engine::timestamp::Moment;

use crate::state::{instants, pipeline, restored, snapshot};
use crate::support::cases;
use crate::support::pipeline::{NOW, Pipeline, PipelineSettings};

const SERIES: u8 = 3;
const TTL_MS: i64 = 500;
const TOMBSTONE_TTL_MS: i64 = 2000;

#[derive(Debug, Clone)]
enum Step {
    /// A sample, which may say how many seconds before now it was measured.
    Push {
        series: u8,
        op: GaugeOp,
        value: i8,
        age: Option<u32>,
    },
    /// So many tenths of a second go by.
    Wait(u64),
    Expire,
    Tell,
    /// Stored, and loaded by one of so many shards.
    Load(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let op = prop::sample::select(GaugeOp::ALL.to_vec());
    let age = prop::option::weighted(0.5, 0_u32..60);
    prop_oneof![
        8 => (0..SERIES, op, any::<i8>(), age)
            .prop_map(|(series, op, value, age)| Step::Push { series, op, value, age }),
        3 => (1_u64..9).prop_map(Step::Wait),
        2 => Just(Step::Expire),
        1 => Just(Step::Tell),
        1 => (1_usize..5).prop_map(Step::Load),
    ]
}

/// What the model knows of a gauge.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    value: Option<i32>,
    /// When the sample was measured that set it last.
    set_at: Option<u32>,
    is_total: bool,
    is_live: bool,
    touched: i64,
    died: i64,
}

impl Known {
    fn is_due(&self, now: i64) -> bool {
        self.is_live && now > self.touched + TTL_MS
    }

    /// What is shown of it; whether the sample was stale.
    fn take(&mut self, op: GaugeOp, sample: i32, at: u32, now: i64) -> bool {
        let returns = self.is_total && now < self.died + TOMBSTONE_TTL_MS + 100;
        if !self.is_live && !returns {
            *self = Self::default();
        }
        (self.is_live, self.touched) = (true, now);
        self.value = Some(match (op, self.value) {
            (GaugeOp::Set, value) => {
                if self.set_at.is_some_and(|set_at| at < set_at) {
                    self.value = value;
                    return true;
                }
                self.set_at = Some(at);
                sample
            }
            (GaugeOp::Add, value) => value.unwrap_or(0) + sample,
            (GaugeOp::Max, value) => value.unwrap_or(sample).max(sample),
            (GaugeOp::Min, value) => value.unwrap_or(sample).min(sample),
        });
        self.is_total |= op == GaugeOp::Add;
        false
    }
}

struct World {
    settings: PipelineSettings,
    pipeline: Pipeline,
    model: BTreeMap<u8, Known>,
    stale: u64,
}

impl World {
    fn new() -> Self {
        let settings = PipelineSettings {
            expiry: ExpirySettings::new(0, TTL_MS as u64),
            tombstone_ttl_ms: TOMBSTONE_TTL_MS as u64,
            // They are no totals to whom that makes a difference.
            created_timestamps: true,
            ..PipelineSettings::default()
        };
        let pipeline = pipeline(&settings);
        Self { settings, pipeline, model: BTreeMap::new(), stale: 0 }
    }

    fn step(&mut self, step: &Step) {
        let now = self.pipeline.now.0 as i64;
        match step {
            Step::Push { series, op, value, age } => {
                self.pipeline.unix_now += 1.0;
                let unix = self.pipeline.unix_now as u32;
                let timestamp =
                    age.map_or(String::new(), |age| format!(r#","timestamp":{}"#, unix - age));
                let payload = format!(
                    r#"{{"type":"gauge","name":"g","op":"{}","value":{value},"labels":{{"s":"{series}"}}{timestamp}}}"#,
                    op.as_str()
                );
                assert_eq!(self.pipeline.batch(&[payload]), [None]);
                let known = self.model.entry(*series).or_default();
                let at = unix - age.unwrap_or(0);
                self.stale += u64::from(known.take(*op, i32::from(*value), at, now));
            }
            Step::Wait(tenths) => self.pipeline.now.0 += tenths * 100,
            Step::Expire => {
                self.pipeline.expire();
                for known in self.model.values_mut().filter(|known| known.is_due(now)) {
                    (known.is_live, known.died) = (false, now);
                }
            }
            Step::Tell => self.pipeline.tell(),
            Step::Load(shards) => {
                let stored = snapshot(&mut self.pipeline, 1, true);
                let run_time = instants(&self.pipeline).run_time;
                self.settings.shards = *shards;
                let mut next = restored(&self.settings, &stored, run_time);
                next.unix_now = self.pipeline.unix_now;
                // The process is another one, whose clock begins anew.
                let shift = now - next.now.0 as i64;
                for known in self.model.values_mut() {
                    known.touched -= shift;
                    known.died -= shift;
                }
                (self.pipeline, self.stale) = (next, 0);
            }
        }
    }

    fn check(&mut self) {
        let now = self.pipeline.now.0 as i64;
        let expected: Vec<String> = self
            .model
            .iter()
            .filter(|(_, known)| known.is_live && !known.is_due(now))
            .map(|(series, known)| format!("g{{s=\"{series}\"}} {}", known.value.unwrap_or(0)))
            .collect();
        for format in [Format::Text, Format::OpenMetrics] {
            let lines = self.pipeline.lines(format).into_iter();
            let values = lines.filter(|line| !line.starts_with('#'));
            let shown: Vec<String> = values.map(|line| line.replace(".0", "")).collect();
            assert_eq!(shown, expected);
        }
        let stale: u64 = self.pipeline.stores.iter().map(|it| it.stale_gauge_samples()).sum();
        assert_eq!(stale, self.stale);
        let live: usize =
            self.pipeline.stores.iter().map(|it| it.live()[Kind::Gauge as usize]).sum();
        assert_eq!(live, self.model.values().filter(|known| known.is_live).count());
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn gauges_are_what_was_done_to_them(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            world.check();
        }
    }
}

/// What is taken though it is odd is counted, whatever it does.
#[test]
fn timestamps_of_the_future_are_counted() {
    let mut pipeline = Pipeline::new(&PipelineSettings::default());
    let sample = |op: &str, ahead: u32| {
        format!(
            r#"{{"type":"gauge","name":"g","op":"{op}","value":1,"timestamp":{}}}"#,
            NOW + ahead
        )
    };
    let mut future = |payloads: &[String]| -> u64 {
        assert!(pipeline.batch(payloads).iter().all(Option::is_none));
        pipeline.stores.iter().map(|store| store.future_timestamps()).sum()
    };
    assert_eq!(future(&[sample("set", 0), sample("set", 300)]), 0);
    assert_eq!(future(&[sample("set", 301), sample("add", 600)]), 2);
    // It sets nothing, and its clock is wrong too.
    assert_eq!(future(&[sample("set", 302), sample("set", 301), sample("max", 0)]), 4);
    let counter = format!(r#"{{"name":"c","value":1,"timestamp":{}}}"#, NOW + 500);
    assert_eq!(future(&[counter]), 4);
}

/// Of a sample that its total can't take nothing is left, and it is told whole.
#[test]
fn a_sample_that_a_total_can_not_take_is_told() {
    let settings = PipelineSettings {
        expiry: ExpirySettings::new(0, 1000),
        shards: 1,
        ..PipelineSettings::default()
    };
    let mut pipeline = Pipeline::new(&settings);
    let mut refused = |payload: &str| {
        assert_eq!(pipeline.batch(&[payload]), [None]);
        let told = pipeline.refused_by_shards();
        (told, pipeline.lines(Format::Text))
    };
    for (first, second) in [
        (
            r#"{"type":"counter","name":"m","value":1e308,"labels":{"a":"\"\\\n"}}"#,
            r#"{"type":"counter","name":"m","value":1.7e308,"labels":{"a":"\"\\\n"}}"#,
        ),
        (
            r#"{"type":"gauge","name":"g","op":"add","value":-1e308,"labels":{}}"#,
            r#"{"type":"gauge","name":"g","op":"add","value":-1.7e308,"labels":{}}"#,
        ),
        (
            r#"{"type":"histogram","name":"h","value":1e308,"buckets":[1.0,2.0],"labels":{}}"#,
            r#"{"type":"histogram","name":"h","values":[1.0,1e308],"buckets":[1.0,2.0],"labels":{}}"#,
        ),
        (
            r#"{"type":"histogram","name":"h","value":1e300,"buckets":[1.0,2.0],"labels":{}}"#,
            r#"{"type":"histogram","name":"h","counts":[1,0,1],"sum":1e308,"buckets":[1.0,2.0],"labels":{}}"#,
        ),
        (
            r#"{"type":"summary","name":"s","value":1e308,"labels":{}}"#,
            r#"{"type":"summary","name":"s","values":[1e300,1e308],"labels":{}}"#,
        ),
    ] {
        let (told, before) = refused(first);
        assert_eq!(told, [] as [String; 0]);
        let (told, after) = refused(second);
        assert_eq!(after, before, "{second}");
        let [told] = &told[..] else { panic!("expected one, got {told:?}") };
        let told: serde_json::Value = serde_json::from_str(told).expect("JSON");
        let sent: serde_json::Value = serde_json::from_str(second).expect("JSON");
        assert_eq!(told, sent);
    }
}

/// A scraper is shown it as it is at once, not first at 0: `increase` is not asked of it.
#[test]
fn a_gauge_that_is_new_has_no_start() {
    let mut pipeline = Pipeline::new(&PipelineSettings { shards: 1, ..Default::default() });
    let horizon = AckHorizon { record_until: Moment(u64::MAX), ..AckHorizon::default() };
    pipeline.stores[0].set_ack_horizon(horizon);
    pipeline.batch(&[
        r#"{"type":"gauge","name":"g","op":"add","value":3}"#,
        r#"{"name":"c","value":3}"#,
    ]);
    let context = ScrapeContext { seq: ScrapeSeq(1), last_seen: Some(ScrapeSeq(0)), horizon };
    let store = &mut pipeline.stores[0];
    let mut job = store.begin_exposure(Format::Text, &pipeline.catalog, Some(context));
    while !store.expose_some(&mut job, 3, Moment(0)) {}
    let body = merge(Format::Text, vec![job.finish()], &pipeline.catalog).pieces.concat();
    let body = String::from_utf8(body).expect("UTF-8");
    assert!(body.contains("\ng 3\n") && body.contains("\nc 0\n"), "{body}");
}
