//! Samples that nobody has sent as bytes: whoever has one hands it to the intake,
//! and it goes the way of those that came as JSON.

use proptest::prelude::*;
use psg_engine::exemplar::takes_exemplars;
use psg_engine::exposition::Format;
use psg_engine::limits::SeriesLimits;
use psg_engine::metric::Kind;
use psg_engine::reject::Reason;
use psg_engine::sample::{Exemplar, Label, Labels, Sample};
use psg_engine::timestamp::{Ttl, UnixTime};

use crate::support::cases;
use crate::support::pipeline::{NOW, Pipeline, PipelineSettings};

/// What a sample says.
#[derive(Debug, Clone)]
struct Draft {
    kind: Kind,
    name: &'static str,
    help: &'static str,
    value: u16,
    labels: Vec<Label<'static>>,
    buckets: &'static [f64],
    timestamp: Option<u32>,
    ttl: Option<u16>,
    /// The value of an exemplar.
    exemplar: Option<u16>,
}

impl Draft {
    fn json(&self) -> String {
        let Self { kind, name, help, value, labels, buckets, timestamp, ttl, exemplar } = self;
        // In this order, which serde_json does not keep.
        let labels: Vec<String> = labels
            .iter()
            .map(|label| format!("\"{}\":{}", label.name, serde_json::json!(label.value)))
            .collect();
        let mut sample = serde_json::json!({
            "type": kind.as_str(), "name": name, "help": help, "value": value,
            "timestamp": timestamp, "ttl": ttl,
        });
        match kind {
            Kind::Counter | Kind::Gauge => {}
            Kind::Histogram => sample["buckets"] = (*buckets).into(),
            Kind::Summary => {
                sample["quantiles"] = [0.5].as_slice().into();
                sample["epsilons"] = [0.05].as_slice().into();
            }
        }
        if let Some(value) = exemplar {
            sample["exemplar"] = serde_json::json!({"labels": {"t": "\"é"}, "value": value});
        }
        let fields = sample.to_string();
        format!("{},\"labels\":{{{}}}}}", &fields[..fields.len() - 1], labels.join(","))
    }

    fn sample(&self) -> Sample<'_> {
        Sample {
            help: self.help,
            value: f64::from(self.value),
            labels: Labels::from(&self.labels[..]),
            buckets: if self.kind == Kind::Histogram { self.buckets } else { &[] },
            objectives: if self.kind == Kind::Summary { &[(0.5, 0.05)] } else { &[] },
            timestamp: self.timestamp.map(|seconds| UnixTime::from_sample(seconds.into())),
            ttl: self.ttl.map(|seconds| Ttl::from_sample(seconds.into())),
            exemplar: self.exemplar.filter(|_| takes_exemplars(self.name, self.kind)).map(
                |value| {
                    let timestamp = self.timestamp.unwrap_or(NOW);
                    Ok(Exemplar {
                        labels: Labels::from(&[Label { name: "t", value: "\"é" }][..]),
                        value: value.into(),
                        timestamp: UnixTime::from_sample(timestamp.into()),
                    })
                },
            ),
            ..Sample::of(self.kind, self.name)
        }
    }
}

/// Drafts of few names and labels, so that they meet each other.
fn draft() -> impl Strategy<Value = Draft> {
    const LABELS: [Label<'static>; 3] = [
        Label { name: "x", value: "1" },
        Label { name: "y", value: "\"2\"\\\n" },
        Label { name: "z", value: "é" },
    ];
    let texts = (
        prop::sample::select(vec!["a", "b_total", "a_sum", "c"]),
        prop::sample::select(vec!["", "h"]),
    );
    let labels = prop::sample::subsequence(LABELS.to_vec(), 0..=3).prop_shuffle();
    let buckets = prop::sample::select(vec![&[1.0, 2.5, 50.0][..], &[1.0, 2.5]]);
    let times =
        (prop::option::weighted(0.2, NOW - 3..NOW + 5), prop::option::weighted(0.2, 0u16..9));
    let exemplar = prop::option::weighted(0.3, 0u16..70);
    let kind = prop::sample::select(Kind::ALL.to_vec());
    (kind, texts, 0u16..100, labels, buckets, times, exemplar).prop_map(
        |(kind, (name, help), value, labels, buckets, (timestamp, ttl), exemplar)| Draft {
            kind,
            name,
            help,
            value,
            labels,
            buckets,
            timestamp,
            ttl,
            exemplar,
        },
    )
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn samples_by_hand_do_what_their_json_does(
        drafts in prop::collection::vec(draft(), 1..150),
        batch in 1usize..20,
        sort_labels: bool,
        cache_series in prop::sample::select(vec![0, 3, 1000]),
    ) {
        let settings = PipelineSettings {
            sort_labels,
            cache_series,
            overflow: true,
            limits: SeriesLimits { max_series: 12, ..SeriesLimits::default() },
            ..PipelineSettings::default()
        };
        let (mut sent, mut by_hand) = (Pipeline::new(&settings), Pipeline::new(&settings));
        for drafts in drafts.chunks(batch) {
            let payloads: Vec<String> = drafts.iter().map(Draft::json).collect();
            let samples: Vec<Sample<'_>> = drafts.iter().map(Draft::sample).collect();
            let expected: Vec<Option<Reason>> = sent.batch(&payloads);
            prop_assert_eq!(by_hand.batch_of_samples(&samples), expected);
        }
        prop_assert_eq!(&by_hand.details, &sent.details);
        prop_assert_eq!(by_hand.newest, sent.newest);
        prop_assert_eq!(by_hand.folded, sent.folded);
        prop_assert_eq!(by_hand.layout_mismatches, sent.layout_mismatches);
        for format in Format::ALL {
            prop_assert_eq!(by_hand.lines(format), sent.lines(format));
        }
    }
}
