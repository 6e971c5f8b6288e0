//! Samples of several observations, and operations on gauges: through templates,
//! shards and series limits they do what their parts do one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::limits::SeriesLimits;
use psg_engine::metric::GaugeOp;

use crate::support::cases;
use crate::support::pipeline::{Pipeline, PipelineSettings};

fn settings(cache_series: usize) -> PipelineSettings {
    PipelineSettings {
        cache_series,
        overflow: true,
        limits: SeriesLimits { max_series_per_metric: 3, ..SeriesLimits::default() },
        ..PipelineSettings::default()
    }
}

/// Observations of one series, as one sample and as single ones.
#[derive(Debug, Clone)]
struct Several {
    label: u8,
    values: Vec<u8>,
    whole: bool,
}

impl Several {
    const BOUNDS: [u8; 3] = [10, 20, 40];

    fn fields(&self) -> String {
        format!(
            r#""name":"h","type":"histogram","labels":{{"a":"{}"}},"buckets":[10,20,40]"#,
            self.label
        )
    }

    fn at_once(&self) -> String {
        if !self.whole {
            return format!(r#"{{{},"values":{:?}}}"#, self.fields(), self.values);
        }
        let mut counts = [0; 4];
        for value in &self.values {
            counts[Self::BOUNDS.iter().filter(|bound| value > bound).count()] += 1;
        }
        let sum: u32 = self.values.iter().copied().map(u32::from).sum();
        format!(r#"{{{},"counts":{counts:?},"sum":{sum}}}"#, self.fields())
    }

    fn one_by_one(&self) -> impl Iterator<Item = String> + '_ {
        self.values.iter().map(|value| format!(r#"{{{},"value":{value}}}"#, self.fields()))
    }
}

fn several() -> impl Strategy<Value = Several> {
    (0u8..6, prop::collection::vec(0u8..60, 1..9), any::<bool>())
        .prop_map(|(label, values, whole)| Several { label, values, whole })
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn observations_at_once_do_what_single_ones_do(
        all in prop::collection::vec(several(), 1..60),
        batch in 1usize..20,
        cache_series in prop::sample::select(vec![0, 2, 1000]),
    ) {
        let settings = settings(cache_series);
        let (mut at_once, mut one_by_one) = (Pipeline::new(&settings), Pipeline::new(&settings));
        for several in all.chunks(batch) {
            let whole: Vec<String> = several.iter().map(Several::at_once).collect();
            let single: Vec<String> = several.iter().flat_map(Several::one_by_one).collect();
            prop_assert!(at_once.batch(&whole).iter().all(Option::is_none));
            prop_assert!(one_by_one.batch(&single).iter().all(Option::is_none));
        }
        for format in Format::ALL {
            prop_assert_eq!(at_once.lines(format), one_by_one.lines(format));
        }
    }

    #[test]
    fn operations_do_what_they_say(
        all in prop::collection::vec(
            (0u8..3, prop::sample::select(GaugeOp::ALL.to_vec()), -50i32..50), 1..200),
        batch in 1usize..20,
        cache_series in prop::sample::select(vec![0, 2, 1000]),
    ) {
        let mut pipeline = Pipeline::new(&settings(cache_series));
        let mut expected: BTreeMap<u8, i32> = BTreeMap::new();
        for some in all.chunks(batch) {
            let payloads: Vec<String> = some.iter().map(|(label, op, value)| {
                let op = op.as_str();
                format!(r#"{{"name":"g","type":"gauge","op":"{op}","labels":{{"a":"{label}"}},"value":{value}}}"#)
            }).collect();
            prop_assert!(pipeline.batch(&payloads).iter().all(Option::is_none));
        }
        for (label, op, value) in all {
            let there = expected.get(&label).copied();
            let next = match op {
                GaugeOp::Set => value,
                GaugeOp::Add => there.unwrap_or(0) + value,
                GaugeOp::Max => there.map_or(value, |there| there.max(value)),
                GaugeOp::Min => there.map_or(value, |there| there.min(value)),
            };
            expected.insert(label, next);
        }
        let mut lines = pipeline.lines(Format::Text);
        lines.retain(|line| !line.starts_with('#'));
        lines.sort();
        let expected: Vec<String> =
            expected.iter().map(|(label, value)| format!("g{{a=\"{label}\"}} {value}")).collect();
        prop_assert_eq!(lines, expected);
    }
}
