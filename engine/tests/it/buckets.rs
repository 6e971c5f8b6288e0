//! Buckets, behind the whole way through the engine: whose bounds a histogram
//! has, and what becomes of samples that come with others or with none.

use std::collections::BTreeMap;

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::metric::default_buckets::DefaultBuckets;
use psg_engine::metric::histogram::BucketLayout;
use psg_engine::name::pattern::NamePattern;
use psg_engine::reject::Reason;
use psg_engine::store::ExpirySettings;
use psg_engine::timestamp::Moment;

use crate::removal::remove;
use crate::support::cases;
use crate::support::pipeline::{Pipeline, PipelineSettings};

/// Bounds that come with a sample, or none.
type Bounds = Option<&'static [f64]>;

const NAMES: [&str; 4] = ["a_seconds", "b_seconds", "a_bytes", "size"];

/// What the operator gives to names that end so, the first that fits.
const BY_NAME: [(&str, &[f64]); 2] = [("_seconds", &[0.5, 2.0]), ("_bytes", &[1.0])];

fn operators(for_others: Bounds) -> DefaultBuckets {
    let by_name = BY_NAME.map(|(ending, bounds)| {
        (NamePattern::new(&format!("*{ending}")), BucketLayout::new(bounds))
    });
    DefaultBuckets { by_name: by_name.into(), for_others: for_others.map(BucketLayout::new) }
}

/// Each family as it must be shown: its bounds, and the values that it took.
#[derive(Default)]
struct Model {
    families: BTreeMap<&'static str, (&'static [f64], Vec<f64>)>,
    mismatches: u64,
}

impl Model {
    fn take(&mut self, name: &'static str, value: f64, sent: Bounds, for_others: Bounds) -> bool {
        let by_name = BY_NAME.into_iter().find(|(ending, _)| name.ends_with(ending));
        let Some(bounds) = sent.or(by_name.map(|(_, bounds)| bounds)).or(for_others) else {
            return false;
        };
        let (own, values) = self.families.entry(name).or_insert((bounds, Vec::new()));
        self.mismatches += u64::from(sent.is_some_and(|sent| sent != *own));
        values.push(value);
        true
    }

    /// As [`Pipeline::lines`] has them.
    fn lines(&self) -> Vec<String> {
        let of_family = |(name, (bounds, values)): (&&str, &(&[f64], Vec<f64>))| {
            let mut lines = vec![
                format!("# HELP {name} "),
                format!("# TYPE {name} histogram"),
                format!("{name}_sum {}", values.iter().sum::<f64>()),
                format!("{name}_count {}", values.len()),
                format!("{name}_bucket{{le=\"+Inf\"}} {}", values.len()),
            ];
            lines.extend(bounds.iter().map(|bound| {
                let below = values.iter().filter(|value| **value <= *bound).count();
                format!("{name}_bucket{{le=\"{bound}\"}} {below}")
            }));
            lines.sort();
            lines
        };
        self.families.iter().flat_map(of_family).collect()
    }
}

proptest! {
    /// Spellings come back, so that the samples go the ways of templates too.
    #[test]
    fn samples_without_buckets_get_the_operators_or_their_familys(
        samples in prop::collection::vec(
            (
                prop::sample::select(&NAMES[..]),
                prop::sample::select(&[0.25, 1.0, 3.0][..]),
                prop::sample::select(vec![None, Some(&[1.0][..]), Some(&[0.5, 2.0][..])]),
            ),
            0..60,
        ),
        for_others in prop::sample::select(vec![None, Some(&[0.125, 1.0][..])]),
        batch in 1_usize..8,
    ) {
        let settings = PipelineSettings {
            default_buckets: operators(for_others),
            ..PipelineSettings::default()
        };
        let mut pipeline = Pipeline::new(&settings);
        let mut model = Model::default();
        for batch in samples.chunks(batch) {
            let payloads: Vec<String> = batch.iter().map(|(name, value, sent)| {
                let buckets = sent.map_or("null".to_owned(), |bounds| format!("{bounds:?}"));
                format!(r#"{{"type":3,"name":"{name}","value":{value},"buckets":{buckets}}}"#)
            }).collect();
            let expected: Vec<Option<Reason>> = batch.iter().map(|(name, value, sent)| {
                let is_taken = model.take(name, *value, *sent, for_others);
                (!is_taken).then_some(Reason::BadBuckets)
            }).collect();
            prop_assert_eq!(pipeline.batch(&payloads), expected);
        }
        prop_assert_eq!(pipeline.layout_mismatches, model.mismatches);
        prop_assert_eq!(pipeline.lines(Format::Text), model.lines());
    }
}

/// Layouts that are parts of each other, and some that are not.
const LAYOUTS: [&[f64]; 6] =
    [&[1.0, 5.0], &[1.0, 2.0, 5.0, 9.0], &[0.0, 1.0, 5.0], &[5.0], &[2.0, 5.0, 9.0], &[1.0, 6.0]];

const TTL_MS: u64 = 10_000;

/// What happens to a histogram of few series.
#[derive(Debug, Clone)]
enum Event {
    Value {
        label: u8,
        bounds: &'static [f64],
        value: i8,
    },
    Values {
        label: u8,
        bounds: &'static [f64],
        values: Vec<i8>,
    },
    /// A whole one; counts beyond the bounds' are left out.
    Whole {
        label: u8,
        bounds: &'static [f64],
        counts: [u16; 5],
        sum: i8,
    },
    /// All series expire, and leave their totals.
    Expiry,
    /// An operator deletes the metric.
    Removal,
}

/// The label of the series that stays, and so the family with its layout.
const STAYING: u8 = 9;

/// A sample of no observations, whose series never expires.
fn staying(bounds: &[f64]) -> String {
    let counts = vec![0; bounds.len()];
    format!(
        r#"{{"type":3,"name":"h","labels":{{"a":"{STAYING}"}},"ttl":0,"buckets":{bounds:?},"counts":{counts:?},"sum":0}}"#
    )
}

impl Event {
    fn bounds(&self) -> Option<&'static [f64]> {
        match self {
            Event::Value { bounds, .. }
            | Event::Values { bounds, .. }
            | Event::Whole { bounds, .. } => Some(bounds),
            Event::Expiry | Event::Removal => None,
        }
    }

    fn payload(&self) -> Option<String> {
        let sample = |label: &u8, bounds: &&[f64], what: String| {
            let labels = format!(r#""labels":{{"a":"{label}"}}"#);
            Some(format!(r#"{{"type":3,"name":"h",{labels},"buckets":{bounds:?},{what}}}"#))
        };
        match self {
            Event::Value { label, bounds, value } => {
                sample(label, bounds, format!(r#""value":{value}"#))
            }
            Event::Values { label, bounds, values } => {
                sample(label, bounds, format!(r#""values":{values:?}"#))
            }
            Event::Whole { label, bounds, counts, sum } => {
                let counts = &counts[..bounds.len() + 1];
                sample(label, bounds, format!(r#""counts":{counts:?},"sum":{sum}"#))
            }
            Event::Expiry | Event::Removal => None,
        }
    }
}

/// What the histogram comes to: for each series the observations at or below each
/// bound, those in all, and the sum.
#[derive(Default)]
struct HistogramModel {
    bounds: Vec<f64>,
    series: BTreeMap<u8, (Vec<u64>, u64, f64)>,
    mismatches: u64,
}

impl HistogramModel {
    /// Whether it takes what an event sends.
    fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Value { label, bounds, value } => self.observe(*label, bounds, &[*value]),
            Event::Values { label, bounds, values } => self.observe(*label, bounds, values),
            Event::Whole { label, bounds, counts, sum } => {
                if !self.bounds.iter().all(|bound| bounds.contains(bound)) {
                    self.mismatches += 1;
                    return false;
                }
                let counts = &counts[..bounds.len() + 1];
                let of_first =
                    |buckets: usize| counts[..buckets].iter().copied().map(u64::from).sum();
                let below =
                    |bound: f64| of_first(bounds.iter().filter(|own| **own <= bound).count());
                self.add(*label, bounds, below, of_first(counts.len()), f64::from(*sum));
                true
            }
            Event::Expiry => true,
            Event::Removal => {
                self.series.clear();
                true
            }
        }
    }

    /// The family begins with the series that stays.
    fn begin(&mut self, bounds: &[f64]) {
        self.bounds = bounds.to_vec();
        self.series.insert(STAYING, (vec![0; bounds.len()], 0, 0.0));
    }

    fn observe(&mut self, label: u8, bounds: &[f64], values: &[i8]) -> bool {
        let below =
            |bound| values.iter().filter(|value| f64::from(**value) <= bound).count() as u64;
        let sum = values.iter().copied().map(f64::from).sum();
        self.add(label, bounds, below, values.len() as u64, sum);
        true
    }

    fn add(&mut self, label: u8, bounds: &[f64], below: impl Fn(f64) -> u64, all: u64, sum: f64) {
        self.mismatches += u64::from(bounds != self.bounds);
        let none = || (vec![0; self.bounds.len()], 0, 0.0);
        let (cumulative, count, total) = self.series.entry(label).or_insert_with(none);
        for (own, bound) in cumulative.iter_mut().zip(&self.bounds) {
            *own += below(*bound);
        }
        *count += all;
        *total += sum;
    }

    /// As [`Pipeline::lines`] has them.
    fn lines(&self) -> Vec<String> {
        if self.series.is_empty() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        for (label, (cumulative, count, sum)) in &self.series {
            lines.push(format!("h_sum{{a=\"{label}\"}} {sum}"));
            lines.push(format!("h_count{{a=\"{label}\"}} {count}"));
            lines.push(format!("h_bucket{{a=\"{label}\",le=\"+Inf\"}} {count}"));
            for (bound, below) in self.bounds.iter().zip(cumulative) {
                lines.push(format!("h_bucket{{a=\"{label}\",le=\"{bound}\"}} {below}"));
            }
        }
        lines.sort();
        [vec!["# HELP h ".into(), "# TYPE h histogram".into()], lines].concat()
    }
}

fn event() -> impl Strategy<Value = Event> {
    let of = || (0u8..3, prop::sample::select(&LAYOUTS[..]));
    prop_oneof![
        6 => (of(), -1i8..10).prop_map(|((label, bounds), value)| Event::Value {
            label, bounds, value,
        }),
        3 => (of(), prop::collection::vec(-1i8..10, 1..5)).prop_map(|((label, bounds), values)| {
            Event::Values { label, bounds, values }
        }),
        9 => (of(), any::<[u16; 5]>(), any::<i8>()).prop_map(|((label, bounds), counts, sum)| {
            Event::Whole { label, bounds, counts, sum }
        }),
        1 => Just(Event::Expiry),
        1 => Just(Event::Removal),
    ]
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn whole_histograms_of_finer_layouts_are_folded_and_others_refused(
        events in prop::collection::vec(event(), 1..80),
        cache_series in prop::sample::select(vec![0, 2, 1000]),
        shards in 1usize..4,
    ) {
        let mut pipeline = Pipeline::new(&PipelineSettings {
            cache_series,
            shards,
            expiry: ExpirySettings::new(TTL_MS, 0),
            tombstone_ttl_ms: 100 * TTL_MS,
            ..PipelineSettings::default()
        });
        let mut model = HistogramModel::default();
        for event in &events {
            if let Some(bounds) = event.bounds().filter(|_| model.series.is_empty()) {
                prop_assert_eq!(pipeline.batch(&[staying(bounds)]), [None]);
                model.begin(bounds);
            }
            let is_taken = model.take(event);
            match event {
                Event::Expiry => {
                    pipeline.now = Moment(pipeline.now.0 + 2 * TTL_MS);
                    pipeline.expire();
                    pipeline.tell();
                }
                Event::Removal if pipeline.catalog.families() == 0 => {}
                Event::Removal => drop(remove(&mut pipeline, "h")),
                Event::Value { .. } | Event::Values { .. } | Event::Whole { .. } => {
                    let expected = (!is_taken).then_some(Reason::BadBuckets);
                    prop_assert_eq!(pipeline.batch(event.payload().as_slice()), [expected]);
                }
            }
        }
        // What has expired returns with its total.
        let labels: Vec<u8> = model.series.keys().copied().collect();
        for label in labels {
            let (counts, sum) = (vec![0; model.bounds.len() + 1], 0);
            let nothing = format!(
                r#"{{"type":3,"name":"h","labels":{{"a":"{label}"}},"buckets":{:?},"counts":{counts:?},"sum":{sum}}}"#,
                model.bounds,
            );
            prop_assert_eq!(pipeline.batch(&[nothing]), [None]);
        }
        prop_assert_eq!(pipeline.layout_mismatches, model.mismatches);
        prop_assert_eq!(pipeline.lines(Format::Text), model.lines());
    }
}

#[test]
fn a_whole_histogram_comes_with_its_buckets() {
    let default_buckets = operators(Some(&[1.0, 2.0]));
    let settings = PipelineSettings { default_buckets, ..PipelineSettings::default() };
    let mut pipeline = Pipeline::new(&settings);
    let whole = r#"{"type":3,"name":"size","counts":[1,1,1],"sum":1}"#;
    assert_eq!(pipeline.batch(&[whole]), [Some(Reason::BadBuckets)]);
}

#[test]
fn a_refused_whole_histogram_leaves_nothing() {
    let whole = |label: u8, bounds: &str, counts: &str| {
        format!(
            r#"{{"type":3,"name":"h","help":"of {bounds}","labels":{{"a":{label}}},"buckets":[{bounds}],"counts":[{counts}],"sum":1}}"#
        )
    };
    let mut pipeline = Pipeline::new(&PipelineSettings::default());
    let refused = Some(Reason::BadBuckets);
    let batch = [whole(1, "1,2", "1,1"), whole(1, "1,3", "1,1"), whole(2, "1", "1")];
    assert_eq!(pipeline.batch(&batch), [None, refused, refused]);
    assert_eq!((pipeline.catalog.live_series(), pipeline.layout_mismatches), (1, 2));
    assert_eq!(pipeline.catalog.most_layout_mismatches(9)[0].0, 2, "told by name as well");
    assert!(pipeline.exposition(Format::Text).starts_with("# HELP h of 1,2\n"));
}

/// A state with more is refused.
#[test]
fn whole_histograms_do_not_count_beyond_what_a_state_may_hold() {
    let mut pipeline = Pipeline::new(&PipelineSettings::default());
    let most = 1_u64 << 53;
    let whole = format!(r#"{{"type":3,"name":"h","buckets":[1,2],"counts":[0,{most},0],"sum":1}}"#);
    for _ in 0..5 {
        assert_eq!(pipeline.batch(&[&whole]), [None]);
    }
    let more = whole.replace("[0,", "[1,");
    assert_eq!(pipeline.batch(&[more]), [Some(Reason::BadBuckets)]);
    assert_eq!(pipeline.refused_by_shards().len(), 2);
    let shown = pipeline.exposition(Format::Text);
    assert!(shown.contains(&format!("h_count {}\n", 3 * most)), "{shown}");
    assert!(shown.contains("h_sum 3\n"), "{shown}");
}
