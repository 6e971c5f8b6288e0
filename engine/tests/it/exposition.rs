//! Properties of what is written for Prometheus, read back by a parser of the
//! tests' own.

use std::collections::HashSet;
use std::sync::Arc;

use crate::support::cases;
use crate::support::exposition_parser::{Dialect, ParsedFamily, ParsedSample, identity, parse};
use crate::support::protobuf_reader;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use psg_engine::catalog::{Catalog, Family, FamilyRef};
use psg_engine::exposition::{Format, Fragment, PageFormat, ShownSeries};
use psg_engine::labels::{LabelRenderer, SeriesLabels};
use psg_engine::merge::merge;
use psg_engine::metric::Value;
use psg_engine::metric::{GaugeOp, Kind};
use psg_engine::protobuf::MetricType;
use psg_engine::reject::Reject;
use psg_engine::sample::{Label, Labels, Sample};
use psg_engine::timestamp::Moment;
use psg_engine::timestamp::{SampleTime, UnixTime};

const NOW: Moment = Moment(1000);
const TAKEN: SampleTime = SampleTime::taken(UnixTime::MIN);
const DERIVED: [&str; 4] = ["_count", "_sum", "_bucket", "_created"];

/// A family as generated: all that is known of it before it is written.
#[derive(Debug, Clone)]
struct Draft {
    name: String,
    kind: Kind,
    help: String,
    series: Vec<DraftSeries>,
}

#[derive(Debug, Clone)]
struct DraftSeries {
    labels: Vec<(String, String)>,
    values: Vec<f64>,
    /// Which source has it, modulo their number.
    place: usize,
}

/// Names that get in each other's way.
fn name() -> impl Strategy<Value = String> {
    let ending = select(vec!["", "", "_total", "_count", "_sum", "_bucket", "_created"]);
    (select(vec!["a", "b:c"]), ending.clone(), ending)
        .prop_map(|(base, first, second)| format!("{base}{first}{second}"))
}

/// Texts with all that has to be escaped, and with what looks like syntax.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![".*", r#"[\\"n\n{}=, #é]{0,8}"#]
}

fn draft_series() -> impl Strategy<Value = Vec<DraftSeries>> {
    let labels = btree_map(select(vec!["x", "y", "_z9"]), text(), 0..3);
    let values = vec(-1e6..1e6f64, 1..4);
    btree_map(labels, (values, 0usize..64), 1..5).prop_map(|series| {
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        let draft = |(labels, (values, place))| {
            let labels: std::collections::BTreeMap<&str, String> = labels;
            DraftSeries { labels: labels.into_iter().map(owned).collect(), values, place }
        };
        series.into_iter().map(draft).collect()
    })
}

fn draft() -> impl Strategy<Value = Draft> {
    (name(), select(Kind::ALL.to_vec()), text(), draft_series())
        .prop_map(|(name, kind, help, series)| Draft { name, kind, help, series })
}

/// A family with its series, ready to be asked for its lines.
struct Made {
    family: Arc<Family>,
    series: Vec<(DraftSeries, Value)>,
}

/// Families with rising uids. Each has gone before the next is claimed, so that
/// any two may meet, as when names change hands while the shards answer.
fn make(drafts: &[Draft]) -> Vec<Made> {
    let catalog = Catalog::default();
    let family = |draft| claim(&catalog, draft).expect("a valid family").family().clone();
    drafts.iter().map(|draft| make_one(family(draft), draft)).collect()
}

/// Families that live at the same time, as long as the references are held; those
/// that the catalog refuses beside the others are left out.
fn make_living(catalog: &Catalog, drafts: &[Draft]) -> (Vec<FamilyRef>, Vec<Made>) {
    let mut names = HashSet::new();
    let once = drafts.iter().filter(|draft| names.insert(&draft.name));
    let made = once.filter_map(|draft| {
        let family = claim(catalog, draft).ok()?;
        let made = make_one(family.family().clone(), draft);
        Some((family, made))
    });
    made.unzip()
}

fn claim(catalog: &Catalog, draft: &Draft) -> Result<FamilyRef, Reject> {
    let sample = Sample {
        help: &draft.help,
        buckets: if draft.help.len().is_multiple_of(2) { &[-0.5, 2.5e17] } else { &[0.5, 1e6] },
        objectives: &[(0.0, 0.01), (0.5, 0.05)],
        ..Sample::of(draft.kind, &draft.name)
    };
    catalog.claim(&sample)
}

fn make_one(family: Arc<Family>, draft: &Draft) -> Made {
    let value_of = |series: &DraftSeries| {
        let mut value = Value::new(family.shape(), NOW);
        for sample in &series.values {
            let sample = if draft.kind == Kind::Counter { sample.abs() } else { *sample };
            value.apply(sample, GaugeOp::Set, TAKEN, family.shape(), NOW).expect("a finite total");
        }
        value
    };
    let series = draft.series.iter().map(|series| (series.clone(), value_of(series))).collect();
    Made { family, series }
}

fn labels_of(series: &DraftSeries) -> SeriesLabels {
    let labels = series.labels.iter().map(|(name, value)| Label { name, value });
    let labels: Vec<Label<'_>> = labels.collect();
    LabelRenderer::default().canonical(Labels::from(&labels[..])).into()
}

/// The fragments of `count` sources, each sorted as merge expects it.
fn split(made: &mut [Made], count: usize, show: Show<'_>) -> Vec<Vec<Fragment>> {
    let mut sources = vec![Vec::new(); count];
    let mut order: Vec<&mut Made> = made.iter_mut().collect();
    order.sort_by_key(|made| (made.family.name().to_owned(), made.family.uid()));
    for (number, source) in sources.iter_mut().enumerate() {
        for made in &mut order {
            source.extend(fragment_of(made, |place| place % count == number, show));
        }
    }
    sources
}

fn fragment_of(
    made: &mut Made,
    is_here: impl Fn(usize) -> bool,
    show: Show<'_>,
) -> Option<Fragment> {
    let mut encoder = PageFormat::from(show.format).encoder(show.living);
    encoder.begin_family(&made.family);
    let (mut chunks, mut is_typed) = (Vec::new(), false);
    for (series, value) in made.series.iter_mut().filter(|(series, _)| is_here(series.place)) {
        let (mut out, labels) = (Vec::new(), labels_of(series));
        let (labels, created) = (labels.pairs(), show.created);
        let series = ShownSeries { labels, value, created, exemplars: None, now: NOW };
        is_typed |= encoder.write_series(&mut out, &made.family, series);
        chunks.push(out.into());
    }
    let family = made.family.clone();
    (!chunks.is_empty()).then_some(Fragment { family, chunks, is_typed })
}

/// How families are shown.
#[derive(Clone, Copy)]
struct Show<'a> {
    format: Format,
    /// When all totals began, where that is told.
    created: Option<UnixTime>,
    living: &'a Catalog,
}

fn exposed(made: &mut [Made], sources: usize, format: Format) -> Vec<ParsedFamily> {
    exposed_as(made, sources, Show { format, created: None, living: &Catalog::default() })
}

fn exposed_as(made: &mut [Made], sources: usize, show: Show<'_>) -> Vec<ParsedFamily> {
    let format = show.format;
    let exposition = merge(format, split(made, sources, show), show.living);
    let body = exposition.pieces.concat();
    assert_eq!(exposition.length, body.len());
    let dialect = match format {
        Format::Text => Dialect::Text,
        Format::OpenMetrics => Dialect::OpenMetrics,
        Format::Protobuf => return protobuf_reader::parse(&body),
    };
    let body = String::from_utf8(body).expect("UTF-8");
    parse(&body, dialect).unwrap_or_else(|problem| panic!("{problem}\n{body}"))
}

/// Which of the families should be shown, from the invariants alone: of those
/// that print one name, the newest.
fn shown(made: &[Made]) -> Vec<&Made> {
    let newest = |one: &&Made| {
        let newer = |other: &Made| other.family.uid() > one.family.uid();
        !made.iter().any(|other| newer(other) && other.family.name() == one.family.name())
    };
    let one_per_name: Vec<&Made> = made.iter().filter(newest).collect();
    let displaced = |one: &Made| {
        let overlaps = |other: &Made| !printed(other).is_disjoint(&printed(one));
        one_per_name.iter().any(|other| other.family.uid() > one.family.uid() && overlaps(other))
    };
    let mut shown: Vec<&Made> =
        one_per_name.iter().filter(|one| !displaced(one)).copied().collect();
    shown.sort_by_key(|made| made.family.name().to_owned());
    shown
}

fn printed(made: &Made) -> HashSet<String> {
    let name = made.family.name();
    let derived: &[&str] = match made.family.kind() {
        Kind::Counter | Kind::Gauge => &[],
        Kind::Histogram | Kind::Summary => &DERIVED,
    };
    derived.iter().chain(&[""]).map(|ending| format!("{name}{ending}")).collect()
}

/// The labels of each series of a family, from its samples.
fn label_sets(samples: &[ParsedSample]) -> HashSet<Vec<(String, String)>> {
    let ordinary = |sample: &ParsedSample| {
        let own = |(name, _): &&(String, String)| name != "le" && name != "quantile";
        sample.labels.iter().filter(own).cloned().collect()
    };
    samples.iter().map(ordinary).collect()
}

fn sorted(mut families: Vec<ParsedFamily>) -> String {
    let key = |sample: &ParsedSample| (identity(sample), sample.value_text.clone());
    families.iter_mut().for_each(|family| family.samples.sort_by_key(key));
    // As text, since NaN is not equal to itself.
    format!("{families:#?}")
}

/// Whether OpenMetrics 1.0 has room for a sample of `family`.
fn fits(sample: &ParsedSample, family: &ParsedFamily) -> bool {
    let ending = &sample.name[family.name.len()..];
    let is_sum = |other: &&ParsedSample| {
        other.name.ends_with("_sum") && other.labels == sample.labels && other.value < 0.0
    };
    let is_below = |other: &ParsedSample| {
        other.labels.iter().any(|(name, value)| name == "le" && value.starts_with('-'))
    };
    match (family.type_word.as_str(), ending) {
        ("summary", "_count") => true,
        ("summary", _) => sample.value.is_nan() || sample.value >= 0.0,
        ("histogram", "_sum" | "_count") => {
            !family.samples.iter().any(|other| is_sum(&other) || is_below(other))
        }
        _ => true,
    }
}

/// The names that a family has for itself in OpenMetrics, by the rule of the
/// reference parser of prometheus_client.
fn claims(family: &ParsedFamily) -> Vec<String> {
    let endings: &[&str] = match family.type_word.as_str() {
        "counter" => &["_total", "_created"],
        "summary" => &["_count", "_sum", "_created"],
        "histogram" => &["_count", "_sum", "_bucket", "_created"],
        _ => &[],
    };
    endings.iter().chain(&[""]).map(|ending| format!("{}{ending}", family.name)).collect()
}

proptest! {
    #[test]
    fn every_family_is_whole_and_in_order(drafts in vec(draft(), 0..8)) {
        let mut made = make(&drafts);
        let families = exposed(&mut made, 3, Format::Text);
        let expected = shown(&made);
        let names: Vec<&str> = families.iter().map(|family| family.name.as_str()).collect();
        let expected_names: Vec<&str> = expected.iter().map(|made| made.family.name()).collect();
        prop_assert_eq!(names, expected_names);
        for (family, made) in families.iter().zip(expected) {
            prop_assert_eq!(&family.help, made.family.help());
            prop_assert_eq!(&family.type_word, made.family.kind().as_str());
            let labels: HashSet<_> =
                made.series.iter().map(|(series, _)| series.labels.clone()).collect();
            prop_assert_eq!(label_sets(&family.samples), labels);
        }
    }

    #[test]
    fn the_number_of_sources_changes_nothing(drafts in vec(draft(), 0..6), count in 2usize..9) {
        let mut made = make(&drafts);
        for format in Format::ALL {
            let one = sorted(exposed(&mut made, 1, format));
            prop_assert_eq!(&one, &sorted(exposed(&mut made, count, format)));
        }
    }

    #[test]
    fn no_sample_stands_twice(drafts in vec(draft(), 0..8)) {
        let mut made = make(&drafts);
        for format in Format::ALL {
            let mut seen = HashSet::new();
            for sample in exposed(&mut made, 2, format).iter().flat_map(|family| &family.samples) {
                prop_assert!(seen.insert(identity(sample)), "{:?} twice", sample);
            }
        }
    }

    #[test]
    fn openmetrics_says_the_same_as_text(drafts in vec(draft(), 0..6)) {
        let mut made = make(&drafts);
        let text = exposed(&mut made, 2, Format::Text);
        let openmetrics = exposed(&mut made, 2, Format::OpenMetrics);
        prop_assert_eq!(text.len(), openmetrics.len());
        for (text, openmetrics) in text.iter().zip(&openmetrics) {
            prop_assert_eq!(&text.help, &openmetrics.help);
            let samples: Vec<_> = text.samples.iter().filter(|it| fits(it, text)).collect();
            prop_assert_eq!(samples.len(), openmetrics.samples.len());
            for (left, right) in samples.into_iter().zip(&openmetrics.samples) {
                prop_assert_eq!(&left.name, &right.name);
                prop_assert_eq!(left.value.to_bits(), right.value.to_bits());
            }
        }
    }

    #[test]
    fn protobuf_says_the_same_as_text(drafts in vec(draft(), 0..6)) {
        let mut made = make(&drafts);
        let text = sorted(exposed(&mut made, 2, Format::Text));
        prop_assert_eq!(text, sorted(exposed(&mut made, 2, Format::Protobuf)));
    }

    #[test]
    fn protobuf_says_when_totals_began(drafts in vec(draft(), 0..6), micros in any::<i64>()) {
        let living = &Catalog::default();
        let (_held, mut made) = make_living(living, &drafts);
        let created = Some(UnixTime::from_micros(micros));
        let show = Show { format: Format::Protobuf, created, living };
        let body = merge(show.format, split(&mut made, 2, show), living).pieces.concat();
        for family in protobuf_reader::messages(&body) {
            let of = family.r#type();
            for metric in family.metric {
                let started = match of {
                    MetricType::Counter => metric.counter.unwrap().created_timestamp,
                    MetricType::Histogram => metric.histogram.unwrap().created_timestamp,
                    MetricType::Summary => metric.summary.unwrap().created_timestamp,
                    MetricType::Gauge | MetricType::Untyped | MetricType::GaugeHistogram => continue,
                };
                let started = started.expect("a start");
                let told = started.seconds * 1_000_000 + i64::from(started.nanos) / 1000;
                prop_assert_eq!(Some(UnixTime::from_micros(told)), created);
                prop_assert!((0..1_000_000_000).contains(&started.nanos));
            }
        }
    }

    /// Each series of a family that may tell when its total began does so once,
    /// behind its other lines, and nothing else is changed by it.
    #[test]
    fn created_lines_stand_where_they_may(drafts in vec(draft(), 0..6), count in 1usize..5) {
        let living = &Catalog::default();
        let (_held, mut made) = make_living(living, &drafts);
        let show = Show { format: Format::OpenMetrics, created: None, living };
        let without = exposed_as(&mut made, count, show);
        let created = Some(UnixTime::from_micros(1_500_000));
        let mut with = exposed_as(&mut made, count, Show { created, ..show });
        for family in &mut with {
            let ending = format!("{}_created", family.name);
            let is_created = |sample: &ParsedSample| {
                sample.name == ending && family.type_word != "unknown" && family.type_word != "gauge"
            };
            let (told, others): (Vec<ParsedSample>, Vec<ParsedSample>) =
                family.samples.drain(..).partition(is_created);
            let has_them = ["counter", "histogram", "summary"].contains(&&*family.type_word);
            let series = label_sets(&others);
            prop_assert_eq!(told.len(), if has_them { series.len() } else { 0 }, "{}", family.name);
            prop_assert!(told.iter().all(|sample| sample.value_text == "1.5"));
            prop_assert!(!has_them || label_sets(&told) == series);
            family.samples = others;
        }
        prop_assert_eq!(format!("{with:?}"), format!("{without:?}"));
    }

    #[test]
    fn label_values_and_help_come_back_as_they_were(value in text(), help in text()) {
        let labels = vec![("x".to_owned(), value)];
        let series = vec![DraftSeries { labels: labels.clone(), values: vec![1.0], place: 0 }];
        let draft = Draft { name: "a".into(), kind: Kind::Gauge, help: help.clone(), series };
        let mut made = make(&[draft]);
        for format in Format::ALL {
            let families = exposed(&mut made, 1, format);
            prop_assert_eq!(&families[0].help, &help);
            prop_assert_eq!(&families[0].samples[0].labels, &labels);
        }
    }
}

proptest! {
    // Names get in each other's way in ways that are seldom met.
    #![proptest_config(cases(1024))]

    #[test]
    fn openmetrics_families_never_claim_the_same_name(
        names in vec((name(), select(Kind::ALL.to_vec())), 0..12)
    ) {
        let series =
            vec![DraftSeries { labels: vec![], values: vec![1.0], place: 0 }];
        let draft = |(name, kind): &(String, Kind)| Draft {
            name: name.clone(), kind: *kind, help: String::new(), series: series.clone(),
        };
        let mut made = make(&names.iter().map(draft).collect::<Vec<_>>());
        let mut seen = HashSet::new();
        let created = Some(UnixTime::from_micros(1));
        let show = Show { format: Format::OpenMetrics, created, living: &Catalog::default() };
        for family in exposed_as(&mut made, 1, show) {
            for claim in claims(&family) {
                prop_assert!(seen.insert(claim.clone()), "{claim} twice, by {family:?}");
            }
        }
    }
}
