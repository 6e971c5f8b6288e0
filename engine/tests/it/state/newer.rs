//! State of other versions: what older gateways wrote is read, and what newer
//! ones wrote is called newer, whatever is new in it.

use psg_engine::catalog::CatalogSettings;
use psg_engine::metric::summary::{Estimator, SummarySettings};
use psg_engine::state::{Head, RunTime};
use psg_engine::timestamp::UnixTime;

use super::hostile::{
    COUNTER, Forged, GAUGE, GAUGE_TOTAL, HISTOGRAM, SUMMARY, exact_counter, framed, gauge_total,
    number, varint,
};
use crate::support::pipeline::PipelineSettings;

/// The first number that no variant has.
const UNKNOWN_SHAPE: u8 = 5;
const UNKNOWN_VALUE: u8 = 7;
const UNKNOWN_SKETCH: u8 = 2;
const UNKNOWN_TOTAL: u8 = 5;

const BIASED: u8 = 0;
const TARGETED: u8 = 1;

/// A summary that observed 3 values, the last two of which wait, with one
/// objective, and the sketch of one age bucket.
fn summary(estimator: u8, sketch: &[u8]) -> Forged<'static> {
    let objective = [0.5, 0.1].map(f64::to_le_bytes).concat();
    // Five slots of two minutes.
    let settings = [varint(120_000), vec![5, estimator]].concat();
    let shape = [vec![SUMMARY, 1], objective, settings].concat();
    let waiting = [vec![2], [1.0, 2.0].map(f64::to_le_bytes).concat()].concat();
    // The first slot, which ends two minutes after, and its age bucket.
    let window = [vec![1, 0], varint(240_000), vec![1, 0, 0], sketch.to_vec(), waiting].concat();
    let value = [number(SUMMARY, 7.0), vec![3], window].concat();
    Forged { name: "s", shape, value, ..Forged::default() }
}

#[track_caller]
fn must_be_newer(forged: &Forged<'_>, what: &str) {
    let error = forged.load(CatalogSettings::default()).expect_err("nobody knows it");
    let expected = "holds a kind of record that is not known here: a newer gateway wrote it";
    assert_eq!(error, format!("{what} {expected}"));
}

#[test]
fn a_variant_that_is_not_known_is_newer() {
    must_be_newer(
        &Forged { shape: vec![UNKNOWN_SHAPE], ..Forged::default() },
        "its list of families",
    );
    must_be_newer(&Forged { value: number(UNKNOWN_VALUE, 7.0), ..Forged::default() }, "a series");
    must_be_newer(&summary(TARGETED, &[UNKNOWN_SKETCH, 0]), "a series");
    let tombstone = Some(vec![UNKNOWN_TOTAL, 0]);
    must_be_newer(&Forged { tombstone, ..Forged::default() }, "a tombstone");
}

/// Tombstones number the types by themselves.
#[test]
fn totals_are_read_by_their_own_numbers() {
    let tombstone = Some(number(COUNTER, 5.0));
    Forged { tombstone, ..Forged::default() }.must_load();
    let bounds = [vec![HISTOGRAM, 1], 1.0_f64.to_le_bytes().to_vec()].concat();
    let counts = |kind: u8| [vec![kind, 2, 1, 1], 2.0_f64.to_le_bytes().to_vec()].concat();
    let (value, tombstone) = (counts(HISTOGRAM), Some(counts(1)));
    Forged { shape: bounds, value, tombstone, ..Forged::default() }.must_load();
    let tombstone = Some(exact_counter(2, 1e16, 1.0));
    Forged { tombstone, ..Forged::default() }.must_load();
    let (value, tombstone) = (gauge_total(GAUGE_TOTAL, 5.0), Some(gauge_total(3, 5.0)));
    Forged { shape: vec![GAUGE], value, tombstone, ..Forged::default() }.must_load();
}

/// Windows of `ckms-biased` are not stored any more: those that were start empty.
#[test]
fn windows_of_biased_sketches_are_passed_over() {
    let sketch = [vec![BIASED, 1], [1.0, 9.0].map(f64::to_le_bytes).concat(), vec![0]].concat();
    for estimator in [Estimator::CkmsBiased, Estimator::CkmsTargeted] {
        let settings = SummarySettings { estimator, ..SummarySettings::default() };
        let settings = PipelineSettings { summary: settings, ..PipelineSettings::default() };
        let text = summary(BIASED, &sketch).exposition(&settings);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines, ["s_sum 7", "s_count 3", "s{quantile=\"0.5\"} NaN"]);
    }
}

const HEAD: Head = Head { run_time: RunTime(300), tombstone_key: [7; 16], time: None };

/// A head of that version, with what follows its key.
fn head(version: u8, rest: &[u8]) -> Result<Head, String> {
    let content = [varint(300), vec![7; 16], rest.to_vec()].concat();
    Head::decode(&framed(*b"PSGH", version, &content)).map_err(|error| error.to_string())
}

#[test]
fn older_heads_are_read() {
    let with_time = Head { time: Some(UnixTime::from_micros(-5)), ..HEAD };
    assert_eq!(head(1, &[]), Ok(HEAD));
    assert_eq!(head(2, &[9]), Ok(with_time));
    for head in [HEAD, with_time] {
        assert_eq!(Head::decode(&head.encode()), Ok(head));
    }
}

/// Of the sections that are not known, those are passed over which say so.
#[test]
fn heads_can_grow() {
    let hash = [1, 1, 1, 1];
    let with = |section: &[u8]| head(3, &[&[2], &hash[..], section].concat());
    assert_eq!(with(&[200, 0, 2, 5, 5]), Ok(HEAD));
    let newer = "its head holds a kind of record that is not known here: a newer gateway wrote it";
    assert_eq!(with(&[200, 1, 2, 5, 5]), Err(newer.to_owned()));
    assert_eq!(
        head(4, &[0]),
        Err("expected format version 3 or less, got 4: a newer gateway wrote it".to_owned())
    );
}

#[test]
fn series_placed_by_another_hash_are_told() {
    let hash = |version: u8| head(3, &[1, 1, 1, 1, version]);
    assert_eq!(hash(1), Ok(HEAD));
    assert_eq!(hash(2), Err("expected series placed by hash 1, got hash 2".to_owned()));
}
