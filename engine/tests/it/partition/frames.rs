//! Frames come back as they were written, and whatever else comes is an error or is held
//! to what payloads are held to.

use proptest::prelude::*;
use psg_engine::exposition::Format;
use psg_engine::metric::Kind;
use psg_engine::partition::frame::{MOST_BYTES, is_frame};
use psg_engine::partition::{Chunk, Lane};
use psg_engine::reject::Reason;
use psg_engine::state::StateError;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{Router, home};
use crate::support::cases;
use crate::support::exposition_parser::{Dialect, parse};
use crate::support::pipeline::{Pipeline, PipelineSettings};

/// Bytes before the content.
const HEADER: usize = 16;

/// Samples of every type, with all that a delta can say.
fn payloads(count: usize) -> Vec<String> {
    let of = |number: usize| {
        let extra = match number % 9 {
            0 => r#""type":"counter","value":9007199254740993,"ttl":60"#,
            1 => {
                r#""type":"counter","value":2,"help":"Two\n\"lines\".","exemplar":{"labels":{"trace":"é"},"value":2}"#
            }
            2 => r#""type":"gauge","value":-2.5,"timestamp":1699999990"#,
            3 => r#""type":"gauge","value":3,"op":"add""#,
            4 => r#""type":"histogram","values":[1,2,3,4,5,6,7,8,9],"buckets":[2,5]"#,
            5 => r#""type":"histogram","counts":[1,0,3],"sum":9,"buckets":[2,5]"#,
            6 => r#""type":"histogram","value":0.5,"factor":1.1,"unit":"seconds""#,
            7 => {
                r#""type":"histogram","native":{"schema":2,"zero_threshold":0.5,"zero_count":1,"positive":{"indexes":[3,9],"counts":[1,2]},"negative":{"indexes":[4],"counts":[3]}},"sum":2"#
            }
            _ => r#""type":"summary","values":[1,1e300],"quantiles":[0.5],"epsilons":[0.01]"#,
        };
        let name = match number % 9 {
            0 | 1 => format!("m{}_total", number % 9),
            6 => "m6_seconds".to_owned(),
            kind => format!("m{kind}"),
        };
        format!(r#"{{"name":"{name}",{extra},"labels":{{"n":{number},"t":"\"\\\né"}}}}"#)
    };
    (0..count).map(of).collect()
}

fn frames(count: usize) -> Vec<Vec<u8>> {
    let mut router = Router::new(&PipelineSettings::default(), 1);
    router.batch(&payloads(count));
    assert_eq!((router.refused.len(), router.taken), (0, count as u64));
    router.flush()
}

/// The same bytes with the checksum that they should have.
fn with_checksum(mut frame: Vec<u8>) -> Vec<u8> {
    if frame.len() >= HEADER {
        let checksum = xxh3_64_with_seed(&frame[HEADER..], xxh3_64(&frame[..8]));
        frame[8..HEADER].copy_from_slice(&checksum.to_le_bytes());
    }
    frame
}

#[test]
fn all_that_a_delta_says_arrives() {
    let settings = PipelineSettings { max_exemplars: 100, ..PipelineSettings::default() };
    let (mut home, refused) = home(&settings, &frames(450));
    assert_eq!(refused, []);
    let mut direct = Pipeline::new(&settings);
    assert!(direct.batch(&payloads(450)).iter().all(Option::is_none));
    for format in Format::ALL {
        assert_eq!(home.lines(format), direct.lines(format));
    }
    assert_eq!(home.sent, 450);
}

#[test]
fn frames_are_of_a_bounded_length() {
    let mut router = Router::new(&PipelineSettings::default(), 1);
    router.batch(&payloads(20_000));
    let lanes: Vec<Lane> = router.partitions.lanes().collect();
    let guesses: Vec<usize> = lanes.iter().map(|lane| router.forwarder.bytes(*lane)).collect();
    for (lane, guess) in lanes.into_iter().zip(guesses) {
        let frames = router.flush_lane(lane);
        assert!(frames.iter().all(|frame| is_frame(frame) && frame.len() <= MOST_BYTES));
        let bytes: usize = frames.iter().map(Vec::len).sum();
        assert!(frames.len() <= bytes / MOST_BYTES * 2 + 1, "they are full");
        assert!(bytes.abs_diff(guess) <= guess / 4, "{bytes} for {guess}");
    }
    // But for one delta that is longer: it stands alone.
    let label = "x".repeat(2000);
    let labels: Vec<String> = (0..60).map(|n| format!(r#""l{n}":"{label}""#)).collect();
    let long = format!(r#"{{"name":"long","labels":{{{}}}}}"#, labels.join(","));
    router.batch(&[long, r#"{"name":"long"}"#.to_owned()]);
    let frames = router.flush();
    assert_eq!(
        frames.iter().map(|frame| frame.len() > MOST_BYTES).collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn a_newer_frame_is_an_error_and_nothing_of_it_is_taken() {
    for mut frame in frames(9) {
        frame[4] = 2;
        for frame in [with_checksum(frame.clone()), frame] {
            let mut home = Pipeline::new(&PipelineSettings::default());
            let newer = home.batch_at_home(&[frame]).expect_err("a newer version");
            assert_eq!(newer, StateError::Newer { newest: 1, version: 2 });
            assert!(newer.to_string().contains("a newer gateway wrote it"));
        }
    }
}

#[test]
fn frames_are_not_taken_from_producers() {
    let frame = frames(9).remove(0);
    let mut pipeline = Pipeline::new(&PipelineSettings::default());
    assert_eq!(pipeline.batch(&[frame]), [Some(Reason::InvalidJson)]);
}

#[test]
fn a_home_takes_payloads_too() {
    let mut home = Pipeline::new(&PipelineSettings::default());
    let refused = home.batch_at_home(&payloads(90)).expect("no frame is newer");
    assert_eq!((refused.len(), home.sent), (0, 90));
}

/// Whoever can write to the queue of a home can't write lines of its page.
#[test]
fn forged_frames_are_refused() {
    let frame = |payload: &str| {
        let mut router = Router::new(&PipelineSettings::default(), 1);
        router.batch(&[payload]);
        router.flush().remove(0)
    };
    let check = |payload: &str, genuine: &[u8], forged: &[u8]| {
        let frame = frame(payload);
        let found = frame.windows(genuine.len()).rposition(|bytes| bytes == genuine);
        let at = found.unwrap_or_else(|| panic!("no {genuine:?} in {frame:?}"));
        let mut bytes = frame.clone();
        bytes[at..at + genuine.len()].copy_from_slice(forged);
        let (home, refused) = home(&PipelineSettings::default(), &[with_checksum(bytes)]);
        let reasons: Vec<Reason> = refused.iter().map(|reject| reject.reason).collect();
        assert_eq!((reasons, home.sent), (vec![Reason::InvalidFrame], 0), "{payload} {forged:?}");
    };
    let counter = r#"{"name":"name","labels":{"label":"value"},"value":1.5}"#;
    check(counter, b"name", b"    ");
    check(counter, b"label=\"value\"", b"label=\"va\"ue\"");
    check(counter, b"label=\"value\"", b"__bel=\"value\"");
    let number = |number: f64| number.to_le_bytes();
    for forged in [f64::NAN, f64::INFINITY, -1.0, -0.0] {
        check(counter, &number(1.5), &number(forged));
    }
    let gauge = r#"{"type":"gauge","name":"name","value":1.5}"#;
    check(gauge, &number(1.5), &number(f64::NEG_INFINITY));
    let values = r#"{"type":"histogram","name":"name","values":[1.5,2.5],"buckets":[7,8]}"#;
    check(values, &number(2.5), &number(f64::NAN));
    check(values, &number(7.0), &number(9.0));
    let counts =
        r#"{"type":"histogram","name":"name","counts":[90,91,92],"sum":1.5,"buckets":[7,8]}"#;
    check(counts, &number(1.5), &number(f64::NAN));
    check(counts, &number(8.0), &number(7.0));
    let summary =
        r#"{"type":"summary","name":"name","value":1.5,"quantiles":[0.25],"epsilons":[0.125]}"#;
    check(summary, &number(0.25), &number(1.25));
    check(summary, &number(0.125), &number(0.0));
}

#[test]
fn chunks_are_stored_whole() {
    let mut router = Router::new(&PipelineSettings::default(), 1);
    router.batch(&payloads(2000));
    for lane in router.partitions.lanes() {
        let segment = router.forwarder.segment(lane);
        let Some(chunk) = router.forwarder.flush(lane) else {
            assert!(segment.is_empty());
            continue;
        };
        assert_eq!(chunk.encode(), segment);
        assert_eq!(Chunk::decode(&segment), Ok(chunk));
        for end in [0, 5, 16, 20, segment.len() - 1] {
            assert!(Chunk::decode(&segment[..end]).is_err());
            let cut = with_checksum(segment[..end].to_vec());
            assert!(Chunk::decode(&cut).is_err(), "{end} of {}", segment.len());
        }
        assert!(Chunk::decode(&with_checksum([&segment[..], &[0]].concat())).is_err());
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// A byte that is another, a piece that is missing or twice: an error, or samples.
    #[test]
    fn damage_is_refused_or_harmless(
        at in any::<prop::sample::Index>(),
        end in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        is_cut in any::<bool>(),
        has_checksum in any::<bool>(),
    ) {
        let mut frame = frames(18).swap_remove(0);
        let at = at.index(frame.len());
        match is_cut {
            true => drop(frame.drain(at..at + end.index(frame.len() - at))),
            false => frame[at] = byte,
        }
        let is_unchanged = frame == frames(18)[0];
        let frame = if has_checksum { with_checksum(frame) } else { frame };
        let mut home = Pipeline::new(&PipelineSettings::default());
        let refused = home.batch_at_home(std::slice::from_ref(&frame));
        let page = home.exposition(Format::Text);
        prop_assert!(parse(&page, Dialect::Text).is_ok(), "{}", page);
        if !has_checksum && !is_unchanged {
            prop_assert!(refused.map_or(true, |refused| !refused.is_empty()));
            prop_assert_eq!(home.sent, 0);
        }
        let live: usize = home.stores.iter().flat_map(|store| store.live()).sum();
        prop_assert!(live <= 18 && Kind::ALL.len() == 4);
    }

    #[test]
    fn nothing_makes_a_reader_of_frames_fail(content in prop::collection::vec(any::<u8>(), 0..300)) {
        let frame = with_checksum([b"PSGF\x01\0\0\0".as_slice(), &[0; 8], &content].concat());
        let mut home = Pipeline::new(&PipelineSettings::default());
        let refused = home.batch_at_home(&[frame]).expect("it is not newer");
        prop_assert!(refused.iter().all(|reject| reject.samples > 0));
    }
}
