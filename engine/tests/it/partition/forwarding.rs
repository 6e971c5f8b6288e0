//! Whatever comes, the way over a router shows what the short way shows, whenever the
//! router flushes and however often it begins again from a checkpoint.

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::limits::SeriesLimits;
use psg_engine::partition::{Lane, LaneSet};
use psg_engine::reject::Reason;
use psg_engine::store::ExpirySettings;

use super::Router;
use crate::support::cases;
use crate::support::exposition_parser::{Dialect, parse};
use crate::support::pipeline::{NOW, Pipeline, PipelineSettings};

const PARTITIONS: usize = 3;

/// Whole numbers, and quarters: sums of them are exact in any order.
fn exact_number(is_counter: bool) -> BoxedStrategy<String> {
    let small = -50_i32..200;
    let sign = move |number: i32| if is_counter { number.abs() } else { number };
    prop_oneof![
        4 => small.clone().prop_map(move |number| sign(number).to_string()),
        2 => small.prop_map(move |number| (f64::from(sign(number)) / 4.0).to_string()),
        1 => (0_u64..1 << 40).prop_map(|number| number.to_string()),
    ]
    .boxed()
}

/// Any others.
fn fraction(is_counter: bool) -> BoxedStrategy<String> {
    let number = (-1e3_f64..1e3, -8_i32..8);
    number
        .prop_map(move |(number, power)| {
            let number = number * 10_f64.powi(power);
            (if is_counter { number.abs() } else { number }).to_string()
        })
        .boxed()
}

/// The fields of a sample that say what was observed, and those that go with its type.
fn observed(
    kind: &'static str,
    number: fn(bool) -> BoxedStrategy<String>,
) -> BoxedStrategy<String> {
    let numbers = move |most| {
        let number = number(kind == "counter");
        prop::collection::vec(number, 1..most).prop_map(|numbers| numbers.join(","))
    };
    let value = number(kind == "counter").prop_map(|number| format!(r#""value":{number}"#));
    let values = numbers(12).prop_map(|numbers| format!(r#""values":[{numbers}]"#));
    match kind {
        "counter" => prop_oneof![4 => value, 1 => values].boxed(),
        "gauge" => {
            let op = prop::sample::select(vec!["", "", "set", "add", "max", "min"]);
            let op = op.prop_map(|op| match op {
                "" => String::new(),
                op => format!(r#","op":"{op}""#),
            });
            (value, op).prop_map(|(value, op)| format!("{value}{op}")).boxed()
        }
        "histogram" => {
            let of_values = prop_oneof![4 => value, 1 => values];
            let layout = prop::sample::select(vec![
                r#","buckets":[1,2.5,50]"#,
                r#","buckets":[1,2.5,50]"#,
                r#","factor":1.5"#,
            ]);
            let counts = (prop::collection::vec(0_u32..9, 3), -50_i32..200);
            let whole =
                (counts, prop::bool::weighted(0.2)).prop_map(|((counts, sum), is_other)| {
                    let buckets = if is_other { "[1,60]" } else { "[1,2.5,50]" };
                    format!(r#""counts":{counts:?},"sum":{sum},"buckets":{buckets}"#)
                });
            let of_values =
                (of_values, layout).prop_map(|(value, layout)| format!("{value}{layout}"));
            prop_oneof![5 => of_values, 1 => whole, 1 => native()].boxed()
        }
        _ => {
            let objectives = r#","quantiles":[0.5,0.9],"epsilons":[0.05,0.01]"#;
            let value = prop_oneof![3 => value, 1 => values];
            value.prop_map(move |value| format!("{value}{objectives}")).boxed()
        }
    }
}

/// What a producer has counted by native buckets.
fn native() -> impl Strategy<Value = String> {
    let side = prop::collection::btree_map(-5_i32..5, 0_u32..4, 0..4).prop_map(|side| {
        let (indexes, counts): (Vec<i32>, Vec<u32>) = side.into_iter().unzip();
        format!(r#"{{"indexes":{indexes:?},"counts":{counts:?}}}"#)
    });
    let schema = prop::sample::select(vec![3, 3, 3, 1]);
    let threshold = prop::sample::select(vec!["0", "0", "0.001"]);
    (schema, threshold, 0_u32..3, [side.clone(), side], -50_i32..200).prop_map(
        |(schema, threshold, zeros, [positive, negative], sum)| {
            let zero = format!(r#""zero_threshold":{threshold},"zero_count":{zeros}"#);
            let sides = format!(r#""positive":{positive},"negative":{negative}"#);
            format!(r#""native":{{"schema":{schema},{zero},{sides}}},"sum":{sum}"#)
        },
    )
}

/// Payloads of few series that meet each other; some are refused by the router, and some
/// by the home.
fn sample(number: fn(bool) -> BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let kinds = prop::sample::select(vec!["counter", "gauge", "histogram", "summary"]);
    let of_kind = kinds.prop_flat_map(move |kind| (Just(kind), observed(kind, number)));
    // Each name mostly comes with one type. What has another layout has names of its own:
    // there the ways differ, see [`super::meaning`].
    let name = (0_usize..3, prop::bool::weighted(0.03));
    let labels = prop::sample::subsequence(
        vec![r#""x":"1""#, r#""y":"\"2\"""#, r#""z":3"#, r#""__bad":1"#],
        0..=3,
    )
    .prop_shuffle();
    let labels = labels.prop_map(|labels| {
        let is_rare = labels.len() < 3;
        labels.into_iter().filter(|label| !(is_rare && label.contains("bad"))).collect::<Vec<_>>()
    });
    let times = prop_oneof![
        4 => Just(String::new()),
        2 => (0_u32..8).prop_map(|second| format!(r#","timestamp":{}"#, NOW - 3 + second)),
        1 => prop::sample::select(vec!["0", "7", "8", "-1"]).prop_map(|ttl| format!(r#","ttl":{ttl}"#)),
    ];
    let help = prop::bool::ANY;
    (of_kind, name, labels, times, help).prop_map(
        |((kind, observed), (number, is_odd), labels, times, has_help)| {
            let layout = match &observed {
                observed if observed.contains("factor") => "fine_",
                observed if observed.contains("native") => "native_",
                observed if observed.contains("counts") => "whole_",
                _ => "",
            };
            let name = match is_odd && kind != "histogram" {
                true => "odd".to_owned(),
                false => format!("{layout}{kind}_{number}"),
            };
            let help = if has_help { format!(r#","help":"Help of {name}.""#) } else { String::new() };
            let labels = labels.join(",");
            format!(
                r#"{{"type":"{kind}","name":"{name}",{observed},"labels":{{{labels}}}{times}{help}}}"#
            )
        },
    )
}

fn payload(number: fn(bool) -> BoxedStrategy<String>) -> impl Strategy<Value = String> {
    prop_oneof![
        9 => sample(number),
        1 => prop::collection::vec(sample(number), 1..4)
            .prop_map(|samples| format!("[{}]", samples.join(","))),
    ]
}

/// What happens after a batch.
#[derive(Debug, Clone)]
enum Then {
    Nothing,
    /// Some lanes are flushed: those whose number leaves a rest, and delivered.
    Flush(u16),
    Checkpoint,
    /// The router is gone; the next one begins with the checkpoint.
    Crash,
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![
        3 => Just(Then::Nothing),
        4 => (1_u16..4).prop_map(Then::Flush),
        2 => Just(Then::Checkpoint),
        2 => Just(Then::Crash),
    ]
}

type Step = (Vec<String>, Then);

fn steps(number: fn(bool) -> BoxedStrategy<String>) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((prop::collection::vec(payload(number), 1..25), then()), 1..10)
}

/// A router with its stream, its homes, and what outlives it.
struct Partition<'a> {
    settings: &'a PipelineSettings,
    router: Router,
    home: Pipeline,
    refused_at_home: Vec<(Reason, u64)>,
    /// Of each lane, how many batches its home has.
    delivered: Vec<usize>,
    /// How many batches there were at the checkpoint, and what each lane had, with how
    /// many batches of it its home had.
    checkpoint: (usize, Vec<(usize, Vec<u8>)>),
}

impl<'a> Partition<'a> {
    fn new(settings: &'a PipelineSettings) -> Self {
        let router = Router::new(settings, PARTITIONS);
        let lanes = router.partitions.lanes().len();
        Self {
            settings,
            home: Pipeline::new(settings),
            refused_at_home: Vec::new(),
            delivered: vec![0; lanes],
            checkpoint: (0, vec![(0, Vec::new()); lanes]),
            router,
        }
    }

    /// Takes the batch at this place in the stream.
    fn take(&mut self, place: usize, payloads: &[String]) {
        self.router.claimed_at = f64::from(NOW) + place as f64 / 8.0;
        let lanes = self.router.partitions.lanes();
        let open: LaneSet = lanes.filter(|lane| self.delivered[lane.get()] <= place).collect();
        self.router.batch_into(payloads, &open);
    }

    fn deliver(&mut self, lane: Lane, batches: usize) {
        if self.delivered[lane.get()] > batches {
            return;
        }
        self.delivered[lane.get()] = batches;
        let frames = self.router.flush_lane(lane);
        let refused = self.home.batch_at_home(&frames).expect("frames of this version");
        self.refused_at_home.extend(refused.iter().map(|reject| (reject.reason, reject.samples)));
    }

    fn run(&mut self, steps: &[Step]) {
        for (number, (payloads, then)) in steps.iter().enumerate() {
            self.take(number, payloads);
            let batches = number + 1;
            match then {
                Then::Nothing => {}
                Then::Flush(rest) => {
                    let lanes = self.router.partitions.lanes();
                    let some = lanes.filter(|lane| lane.number() % rest == 0);
                    some.for_each(|lane| self.deliver(lane, batches));
                }
                Then::Checkpoint => {
                    let Self { router, delivered, .. } = self;
                    let segment =
                        |lane: Lane| (delivered[lane.get()], router.forwarder.segment(lane));
                    self.checkpoint = (batches, router.partitions.lanes().map(segment).collect());
                }
                Then::Crash => self.begin_again(&steps[..batches]),
            }
        }
        self.router.partitions.lanes().for_each(|lane| self.deliver(lane, steps.len()));
    }

    fn begin_again(&mut self, steps: &[Step]) {
        let refused = std::mem::take(&mut self.router.refused);
        self.router = Router::new(self.settings, PARTITIONS);
        let (batches, segments) = &self.checkpoint;
        for (lane, (from, segment)) in self.router.partitions.lanes().zip(segments) {
            // What begins before the lane's place was delivered since.
            if *from == self.delivered[lane.get()] {
                self.router.forwarder.restore(lane, segment).expect("it was just written");
                assert_eq!(self.router.forwarder.segment(lane), *segment);
            }
        }
        for (number, (payloads, _)) in steps.iter().enumerate().skip(*batches) {
            self.take(number, payloads);
        }
        // What is refused is told again when it is read again.
        self.router.refused = refused;
    }
}

fn settings(cache_series: usize, has_limits: bool, sort_labels: bool) -> PipelineSettings {
    let limits = SeriesLimits { max_series_per_metric: 2, ..SeriesLimits::default() };
    PipelineSettings {
        // Which series of one batch are beyond a limit depends on the order of shards.
        shards: if has_limits { 1 } else { 3 },
        cache_series,
        sort_labels,
        limits: if has_limits { limits } else { SeriesLimits::default() },
        overflow: has_limits,
        expiry: ExpirySettings::new(60_000, 10_000),
        ..PipelineSettings::default()
    }
}

/// The way without a router; what was refused.
fn direct(settings: &PipelineSettings, steps: &[Step]) -> (Pipeline, Vec<Reason>) {
    let mut pipeline = Pipeline::new(settings);
    let mut refused = Vec::new();
    for (number, (payloads, _)) in steps.iter().enumerate() {
        pipeline.unix_now = f64::from(NOW) + number as f64 / 8.0;
        let of_batch = pipeline.batch_of_arrays(payloads);
        refused.extend(of_batch.into_iter().map(|(_, _, reason)| reason));
    }
    (pipeline, refused)
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn a_router_does_not_show(
        steps in steps(exact_number),
        cache_series in prop::sample::select(vec![0, 2, 1000]),
        has_limits in any::<bool>(),
        sort_labels in any::<bool>(),
    ) {
        let settings = settings(cache_series, has_limits, sort_labels);
        let (mut expected, mut refused) = direct(&settings, &steps);
        let mut partition = Partition::new(&settings);
        partition.run(&steps);
        let found = &mut partition.home;
        for format in Format::ALL {
            prop_assert_eq!(found.lines(format), expected.lines(format));
        }
        prop_assert_eq!(found.sent, expected.sent);
        prop_assert_eq!(found.folded, expected.folded);
        let mut refused_there = partition.router.refused;
        for (reason, samples) in &partition.refused_at_home {
            refused_there.extend((0..*samples).map(|_| *reason));
        }
        refused.sort_unstable();
        refused_there.sort_unstable();
        prop_assert_eq!(refused_there, refused);
        // What they said of their time to live came along.
        for pipeline in [found, &mut expected] {
            pipeline.now.0 += 7500;
            pipeline.expire();
        }
        prop_assert_eq!(partition.home.lines(Format::Text), expected.lines(Format::Text));
    }

    /// Of fractions a sum is rounded more often, or less: by the last digits.
    #[test]
    fn fractions_differ_by_their_last_digits(steps in steps(fraction)) {
        let settings = settings(1000, false, true);
        let (mut expected, _) = direct(&settings, &steps);
        let mut partition = Partition::new(&settings);
        partition.run(&steps);
        let numbers = |pipeline: &mut Pipeline| -> Vec<(String, f64)> {
            let text = pipeline.exposition(Format::Text);
            let families = parse(&text, Dialect::Text).expect("an exposition");
            let samples = families.into_iter().flat_map(|family| family.samples);
            let mut all: Vec<_> =
                samples.map(|sample| (format!("{} {:?}", sample.name, sample.labels), sample.value)).collect();
            all.sort_by(|left, right| left.0.cmp(&right.0));
            all
        };
        let (found, expected) = (numbers(&mut partition.home), numbers(&mut expected));
        prop_assert_eq!(found.len(), expected.len());
        // A sum of some hundred numbers of up to 1e11.
        for ((series, found), (other, expected)) in found.iter().zip(&expected) {
            prop_assert_eq!(series, other);
            let is_near = found == expected || (found - expected).abs() <= 1e11 * 1e-13
                || found.is_nan() && expected.is_nan();
            prop_assert!(is_near, "{}: {} for {}", series, found, expected);
        }
    }
}
