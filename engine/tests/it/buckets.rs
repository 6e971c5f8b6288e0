//! Buckets, behind the whole way through the engine: whose bounds a histogram
//! has, and what becomes of samples that come with others or with none.

use std::collections::BTreeMap;

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::metric::default_buckets::DefaultBuckets;
use psg_engine::metric::histogram::BucketLayout;
use psg_engine::name::pattern::NamePattern;
use psg_engine::reject::Reason;

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
