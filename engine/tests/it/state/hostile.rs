//! States that nobody's samples can come to, with everything else in order: they
//! are refused, by the name of the series that is wrong.

use psg_engine::catalog::{Catalog, CatalogSettings};
use psg_engine::exposition::Format;
use psg_engine::labels::LabelPairs;
use psg_engine::sharding::{Segment, ShardCount, name_hash, series_hash};
use psg_engine::state::{Instants, Loading, RunTime, StoredSegment};
use psg_engine::store::{Store, TombstoneKey};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::support::pipeline::PipelineSettings;

/// One family and one series, as postcard writes them.
pub struct Forged<'a> {
    pub name: &'a str,
    /// The type, and what belongs to it.
    pub shape: Vec<u8>,
    pub labels: &'a str,
    pub display: Option<&'a str>,
    pub value: Vec<u8>,
    /// The total of a series that expired, if one did.
    pub tombstone: Option<Vec<u8>>,
    /// The list of sections; `None` in a segment of the first version.
    pub sections: Option<Vec<u8>>,
}

pub const COUNTER: u8 = 0;
pub const GAUGE: u8 = 1;
pub const HISTOGRAM: u8 = 2;
pub const SUMMARY: u8 = 3;
const EXACT_COUNTER: u8 = 4;
pub const GAUGE_TOTAL: u8 = 5;
const NATIVE_HISTOGRAM: u8 = 6;
const NATIVE_SHAPE: u8 = 4;

impl Default for Forged<'_> {
    fn default() -> Self {
        let value = number(COUNTER, 7.0);
        let shape = vec![COUNTER];
        let (display, tombstone, sections) = (None, None, None);
        Self { name: "n", shape, labels: "", display, value, tombstone, sections }
    }
}

pub fn number(kind: u8, number: f64) -> Vec<u8> {
    [&[kind][..], &number.to_le_bytes()].concat()
}

/// A counter's total, as a series or a tombstone numbers it.
pub fn exact_counter(kind: u8, sum: f64, rest: f32) -> Vec<u8> {
    [number(kind, sum), rest.to_le_bytes().to_vec()].concat()
}

/// The same of a gauge that was set last at the beginning of 1970.
pub fn gauge_total(kind: u8, total: f64) -> Vec<u8> {
    [number(kind, total), vec![0]].concat()
}

pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [varint(text.len() as u64), text.as_bytes().to_vec()].concat()
}

/// A blob of some content, as it is framed.
pub fn framed(magic: [u8; 4], version: u8, content: &[u8]) -> Vec<u8> {
    let head = [&magic[..], &[version, 0, 0, 0]].concat();
    let checksum = xxh3_64_with_seed(content, xxh3_64(&head));
    [&head[..], &checksum.to_le_bytes(), content].concat()
}

impl Forged<'_> {
    fn stored(&self) -> StoredSegment {
        let segment =
            Segment::of(series_hash(name_hash(self.name), LabelPairs::from_text(self.labels)));
        let display = self.display.map_or(vec![0], |display| [vec![1], text(display)].concat());
        let content = [
            // The segment, when it was taken, and one family without help.
            varint(segment.get() as u64),
            vec![0, 1, 1],
            text(self.name),
            text(""),
            self.shape.clone(),
            // One series, and its tombstones.
            vec![1, self.tombstone.is_some().into()],
            self.sections.clone().unwrap_or_default(),
            // Of that family.
            vec![0],
            text(self.labels),
            display,
            // Idle for no time, without a ttl, and no overflow series.
            vec![0, 0, 0],
            self.value.clone(),
            self.tombstone.as_ref().map_or(Vec::new(), |total| {
                // Its family, its id in that segment, and that it has just died.
                let id = [vec![0; 8], (segment.get() as u64).to_le_bytes().to_vec()].concat();
                [vec![0], id, vec![0], total.clone()].concat()
            }),
        ];
        let version = if self.sections.is_some() { 3 } else { 1 };
        StoredSegment { segment, bytes: framed(*b"PSGS", version, &content.concat()).into() }
    }

    /// How many series come of it, or why none; and how many families have to be
    /// left out.
    pub fn load(&self, settings: CatalogSettings) -> Result<(usize, usize), String> {
        let catalog = Catalog::new(settings);
        let loading = Loading::new(&[self.stored()], &catalog, ShardCount::new(1))
            .map_err(|error| error.error.to_string())?;
        let mut store = Store::default();
        let at = Instants { now: super::START, run_time: RunTime(0) };
        let restored = store.restore(&loading.shards[0], at, TombstoneKey::default());
        let restored = restored.map_err(|error| error.to_string())?;
        super::use_all_of(&mut store);
        Ok((restored.series, loading.left_out.len()))
    }

    /// What is exposed of it.
    pub fn exposition(&self, settings: &PipelineSettings) -> String {
        super::restored(settings, &[self.stored()], RunTime(0)).exposition(Format::Text)
    }

    #[track_caller]
    pub fn must_load(&self) {
        assert_eq!(self.load(CatalogSettings::default()), Ok((1, 0)));
    }

    #[track_caller]
    fn must_be_refused(&self, expected: &str) {
        let refused = self.load(CatalogSettings::default()).expect_err("no sample makes it");
        assert_eq!(refused, format!("it is malformed: expected {expected}"));
    }
}

#[test]
fn label_texts_that_no_sample_has_are_refused() {
    Forged::default().must_load();
    Forged { labels: r#"a="\\\"\n",b="é""#, ..Forged::default() }.must_load();
    for labels in [
        "a=",
        "=",
        "a",
        "a=\"x\\",
        "a=é",
        "a=\"x",
        r#"a="""#,
        r#"b="1",a="2""#,
        r#"a="1",a="2""#,
        r#"a="1","#,
        r#"a="1"b="2","#,
        r#"__name__="x""#,
        "a=\"x\ny\"",
        r#"a="\t""#,
        "x=\"1\"} 1\nforged_total{y=\"2\"",
    ] {
        let forged = Forged { labels, ..Forged::default() };
        let refused = forged.load(CatalogSettings::default()).expect_err(labels);
        assert!(refused.contains("expected labels as they are printed, got n{"), "{refused}");
        assert!(!refused.contains(char::is_control), "{refused:?}");
    }
    let bounds = [vec![HISTOGRAM, 1], 1.0_f64.to_le_bytes().to_vec()].concat();
    let value = [vec![HISTOGRAM, 2, 1, 1], 2.0_f64.to_le_bytes().to_vec()].concat();
    let histogram = Forged { shape: bounds.clone(), value: value.clone(), ..Forged::default() };
    histogram.must_load();
    Forged { labels: r#"le="1""#, shape: bounds, value, ..Forged::default() }
        .must_be_refused(r#"labels as they are printed, got n{le="1"}"#);
}

/// A list of one section.
fn section(number: u8, is_needed: bool, content: &[u8]) -> Option<Vec<u8>> {
    Some([vec![1, number, is_needed.into()], varint(content.len() as u64), content.into()].concat())
}

#[test]
fn units_that_no_sample_has_are_refused() {
    let of = |name, position, unit: &str| {
        let sections = section(0, false, &[vec![1, position], text(unit)].concat());
        Forged { name, sections, ..Forged::default() }
    };
    of("n_bytes", 0, "bytes").must_load();
    of("n_bytes_total", 0, "bytes").must_load();
    for (name, unit) in [("n", "bytes"), ("n_a b", "a b"), ("n_bytes", "bytes\n# TYPE x gauge")] {
        let refused = of(name, 0, unit).load(CatalogSettings::default()).expect_err(unit);
        assert!(refused.starts_with("it is malformed: expected "), "{refused}");
        assert!(!refused.contains(char::is_control), "{refused:?}");
    }
    let refused = of("n_bytes", 1, "bytes").load(CatalogSettings::default());
    assert_eq!(refused, Err("it is malformed: a unit of no family".to_owned()));
}

#[test]
fn exemplars_that_no_sample_has_are_refused() {
    let exemplar =
        |labels: &str, value: f64| [text(labels), value.to_le_bytes().to_vec(), vec![2]].concat();
    let of = |name, position: u8, exemplars: &[Vec<u8>]| {
        let content = [vec![position, exemplars.len() as u8], exemplars.concat()].concat();
        Forged { name, sections: section(1, false, &content), ..Forged::default() }
    };
    of("n_total", 0, &[]).must_load();
    of("n_total", 0, &[exemplar(r#"a="\"",b="é""#, 1.0), exemplar("", -1.0)]).must_load();
    let long = format!("a=\"{}\"", "x".repeat(128));
    for (name, labels, value) in [
        ("n", "", 1.0),
        ("n_total", "a=", 1.0),
        ("n_total", "a=\"x\"} 1 1\nforged_total{b=\"y\"", 1.0),
        ("n_total", r#"b="1",a="2""#, 1.0),
        ("n_total", &long, 1.0),
        ("n_total", "", f64::NAN),
        ("n_total", "", f64::INFINITY),
    ] {
        of(name, 0, &[exemplar(labels, value)])
            .must_be_refused(&format!("exemplars as they are printed, got others of {name}"));
    }
    let refused = of("n_total", 1, &[exemplar("", 1.0)]).load(CatalogSettings::default());
    assert_eq!(refused, Err("it is malformed: exemplars of no series".to_owned()));
    let cut = Forged { sections: section(1, false, &[0, 1, 9]), ..Forged::default() };
    let refused = cut.load(CatalogSettings::default());
    assert_eq!(refused, Err("it is malformed: exemplars".to_owned()));
}

/// Of the sections that are not known, those are passed over which say so.
#[test]
fn segments_can_grow() {
    let with =
        |is_needed| Forged { sections: section(200, is_needed, &[5, 5]), ..Forged::default() };
    with(false).must_load();
    let newer = "its list of sections holds a kind of record that is not known here: a newer \
                 gateway wrote it";
    assert_eq!(with(true).load(CatalogSettings::default()), Err(newer.to_owned()));
    Forged { sections: Some(vec![0]), ..Forged::default() }.must_load();
}

#[test]
fn printed_labels_that_are_not_the_series_own_are_refused() {
    let labels = r#"a="1",b="2""#;
    let of = |display| Forged { labels, display: Some(display), ..Forged::default() };
    of(r#"b="2",a="1""#).must_load();
    for display in [r#"b="2""#, "", "b=", r#"b="2",a="1"} 1"#, "x=\"1\"} 1\nforged_total{y=\"2\""] {
        of(display)
            .must_be_refused(r#"labels in two orders that are the same, got n{a="1",b="2"}"#);
    }
}

#[test]
fn totals_that_no_samples_come_to_are_refused() {
    let of = |value: Vec<u8>, shape: Vec<u8>| Forged { value, shape, ..Forged::default() };
    for total in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -5.0, -0.0] {
        of(number(COUNTER, total), vec![COUNTER])
            .must_be_refused("a number of at least 0 as a counter's total, got n{}");
    }
    let exact = |sum, rest| of(exact_counter(EXACT_COUNTER, sum, rest), vec![COUNTER]);
    exact(9_007_199_254_740_992.0, 1.0).must_load();
    exact(9_007_199_254_740_992.0, -0.5).must_load();
    for (sum, rest) in [
        (9_007_199_254_740_994.0, 3.0),
        (1.0, f32::NAN),
        (1.0, f32::INFINITY),
        (0.3, 2e-17),
        (0.0, 1e-40),
        (-1e16, 1.0),
        (f64::NAN, 1.0),
        (f64::INFINITY, 1.0),
    ] {
        exact(sum, rest).must_be_refused("a counter's total and less than a step of it, got n{}");
    }
    for gauge in [GAUGE, GAUGE_TOTAL] {
        of(gauge_total(gauge, -5.0), vec![GAUGE]).must_load();
        for value in [f64::NAN, f64::INFINITY] {
            of(gauge_total(gauge, value), vec![GAUGE])
                .must_be_refused("a number as a gauge's value, got n{}");
        }
    }

    let summary = |sum: f64, count: u64| [number(SUMMARY, sum), varint(count), vec![0]].concat();
    let shape = vec![SUMMARY, 0, 1, 1, 1];
    of(summary(-5.0, 3), shape.clone()).must_load();
    of(summary(f64::INFINITY, 3), shape.clone()).must_be_refused("a number as a sum, got n{}");
    of(summary(5.0, u64::MAX), shape).must_be_refused("fewer observations, got n{}");

    let bounds = [vec![HISTOGRAM, 1], 1.0_f64.to_le_bytes().to_vec()].concat();
    let histogram = |counts: [u64; 2], sum: f64| {
        let counts = counts.map(varint).concat();
        [vec![HISTOGRAM, 2], counts, sum.to_le_bytes().to_vec()].concat()
    };
    of(histogram([1, 2], -5.0), bounds.clone()).must_load();
    of(histogram([1, 2], f64::NAN), bounds.clone()).must_be_refused("a number as a sum, got n{}");
    of(histogram([1, u64::MAX], 1.0), bounds).must_be_refused("fewer observations, got n{}");
}

/// The native side of a histogram of three observations.
struct Native<'a> {
    schema: i8,
    zero_threshold: f64,
    zero_count: u64,
    positive: &'a [(i32, u64)],
    negative: &'a [(i32, u64)],
}

impl Default for Native<'_> {
    fn default() -> Self {
        let zero_threshold = 2_f64.powi(-128);
        Self { schema: 3, zero_threshold, zero_count: 1, positive: &[(-5, 2)], negative: &[] }
    }
}

impl Native<'_> {
    /// One series of a family without bounds, of that schema.
    fn of(&self, schema: i8) -> Forged<'static> {
        let zigzag = |number: i32| varint(u64::from((number << 1 ^ number >> 31) as u32));
        let side = |buckets: &[(i32, u64)]| {
            let each = buckets.iter().map(|(at, count)| [zigzag(*at), varint(*count)].concat());
            [vec![buckets.len() as u8], each.collect::<Vec<_>>().concat()].concat()
        };
        let value = [
            vec![NATIVE_HISTOGRAM, 1, 3],
            5.0_f64.to_le_bytes().to_vec(),
            vec![self.schema as u8],
            self.zero_threshold.to_le_bytes().to_vec(),
            varint(self.zero_count),
            // Its age.
            vec![0],
            side(self.positive),
            side(self.negative),
        ];
        let shape = vec![NATIVE_SHAPE, 0, schema as u8];
        Forged { shape, value: value.concat(), ..Forged::default() }
    }
}

#[test]
fn native_histograms_that_no_samples_come_to_are_refused() {
    let native = Native::default;
    for (schema, family) in [(3, 3), (3, 8), (-4, -4)] {
        Native { schema, ..native() }.of(family).must_load();
    }
    Native { positive: &[(-5, 1)], negative: &[(7, 1)], ..native() }.of(3).must_load();
    native().of(9).must_be_refused("a schema from -4 to 8, got n");
    Native { schema: -5, ..native() }.of(3).must_be_refused("a schema from -4 to 8, got n{}");
    let refused = native().of(2).load(CatalogSettings::default());
    assert_eq!(refused, Err("it is malformed: a native histogram of another factor".to_owned()));
    for zero_threshold in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        Native { zero_threshold, ..native() }
            .of(3)
            .must_be_refused("a threshold of zero as it can be, got n{}");
    }
    for positive in [&[(1, 1), (1, 1)][..], &[(2, 1), (1, 1)], &[(1, 2), (2, 0)], &[(i32::MAX, 2)]]
    {
        Native { positive, ..native() }
            .of(3)
            .must_be_refused("native buckets that rise and have counts, got n{}");
    }
    for zero_count in [0, 2, u64::MAX] {
        Native { zero_count, ..native() }
            .of(3)
            .must_be_refused("as many observations in native buckets as in others, got n{}");
    }
    let classic = Forged { shape: vec![HISTOGRAM, 0], ..native().of(3) };
    let refused = classic.load(CatalogSettings::default());
    assert_eq!(
        refused,
        Err("it is malformed: a native histogram in a family of others".to_owned())
    );
}

#[test]
fn names_and_layouts_that_no_sample_has_are_refused() {
    let named = |name| Forged { name, ..Forged::default() };
    named("a:b").must_load();
    named("a b\n").must_load();
    named(" \n").must_be_refused(r"a metric name, got  \n");
    named("").must_be_refused("a metric name, got ");
    let escaped = named("prom.stream.gateway.info").load(CatalogSettings::default());
    assert_eq!(escaped, Ok((0, 1)), "left out, since it would be printed so");
    named("prom_stream_gateway_info")
        .must_be_refused("a name that is not the gateway's own, got prom_stream_gateway_info");
    for bounds in [[2.0, 1.0], [1.0, f64::INFINITY], [f64::NAN, 1.0], [-0.0, 1.0]] {
        let bounds = bounds.map(f64::to_le_bytes).concat();
        let shape = [vec![HISTOGRAM, 2], bounds].concat();
        Forged { shape, ..Forged::default() }.must_be_refused("bounds of buckets that rise, got n");
    }
    for (quantile, error) in [(0.5, 0.0), (0.5, 1e-9), (1.5, 0.1), (f64::NAN, 0.1), (-0.0, 0.1)] {
        let objective = [quantile, error].map(f64::to_le_bytes).concat();
        let shape = [vec![SUMMARY, 1], objective, vec![1, 1, 1]].concat();
        Forged { shape, ..Forged::default() }.must_be_refused("objectives of a summary, got n");
    }
}

/// A gateway of before may have stored them: they are left out, and the rest is
/// loaded.
#[test]
fn names_of_prometheus_are_left_out_of_a_state() {
    let allowed = CatalogSettings { allow_reserved_names: true, ..CatalogSettings::default() };
    for name in ["up", "scrape_duration_seconds", "ALERTS"] {
        let forged = Forged { name, ..Forged::default() };
        assert_eq!(forged.load(CatalogSettings::default()), Ok((0, 1)));
        assert_eq!(forged.load(allowed.clone()), Ok((1, 0)));
    }
}
