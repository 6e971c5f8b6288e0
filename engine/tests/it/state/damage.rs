//! Bytes that are not what was written: always an error, never a panic.

use proptest::prelude::*;
use psg_engine::metric::summary::{Estimator, SummarySettings};
use psg_engine::sharding::ShardCount;
use psg_engine::state::{Head, Instants, LoadError, Loading, RunTime, StateError, StoredSegment};
use psg_engine::store::{Store, TombstoneKey};

use super::round_trip::{feed, payload};
use super::{pipeline, snapshot};
use crate::support::cases;
use crate::support::pipeline::PipelineSettings;

/// Bytes of the frame.
const FRAME: usize = 16;

fn stored(payloads: &[String], summary: SummarySettings) -> Vec<StoredSegment> {
    // Of one half of the cases it is known when totals began.
    let created_timestamps = payloads.len().is_multiple_of(2);
    let settings = PipelineSettings { summary, created_timestamps, ..PipelineSettings::default() };
    let mut original = pipeline(&settings);
    feed(&mut original, payloads, 100);
    let mut stored = snapshot(&mut original, 1, true);
    stored.sort_by_key(|stored| std::cmp::Reverse(stored.bytes.len()));
    stored
}

/// Opens one segment and reads all of it.
fn load(stored: &StoredSegment, summary: SummarySettings) -> Result<usize, StateError> {
    let catalog = pipeline(&PipelineSettings { summary, ..PipelineSettings::default() }).catalog;
    let segments = std::slice::from_ref(stored);
    let loading = Loading::new(segments, &catalog, ShardCount::new(1))
        .map_err(|LoadError { error, .. }| error)?;
    let mut store = Store::default();
    let at = Instants { now: super::START, run_time: RunTime(0) };
    let restored = store.restore(&loading.shards[0], at, TombstoneKey::default())?;
    // What was read has to be of use, however odd it is.
    super::use_all_of(&mut store);
    Ok(restored.series)
}

/// The same segment with other bytes.
fn with(stored: &StoredSegment, bytes: Vec<u8>) -> StoredSegment {
    StoredSegment { bytes: bytes.into(), ..stored.clone() }
}

/// The same bytes with the checksum that they should have.
fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};
    if bytes.len() >= FRAME {
        let checksum = xxh3_64_with_seed(&bytes[FRAME..], xxh3_64(&bytes[..8]));
        bytes[8..FRAME].copy_from_slice(&checksum.to_le_bytes());
    }
    bytes
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn any_damage_is_an_error(
        payloads in prop::collection::vec(payload(), 1..60),
        at: prop::sample::Index,
        bit in 0u8..8,
    ) {
        let summary = SummarySettings::default();
        let stored = &stored(&payloads, summary)[0];
        prop_assert!(load(stored, summary).is_ok());
        let mut flipped = stored.bytes.to_vec();
        flipped[at.index(stored.bytes.len())] ^= 1 << bit;
        prop_assert!(load(&with(stored, flipped), summary).is_err());
        let cut = stored.bytes[..at.index(stored.bytes.len())].to_vec();
        prop_assert!(load(&with(stored, cut), summary).is_err());
        let mut longer = stored.bytes.to_vec();
        longer.push(bit);
        prop_assert!(load(&with(stored, longer), summary).is_err());
    }

    /// Even where the checksum matches nothing panics, now or when what was
    /// read is used.
    #[test]
    fn forged_bytes_never_panic(
        payloads in prop::collection::vec(payload(), 1..60),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        biased: bool,
    ) {
        let estimator = if biased { Estimator::CkmsBiased } else { Estimator::CkmsTargeted };
        let summary = SummarySettings { estimator, ..SummarySettings::default() };
        for stored in stored(&payloads, summary).iter().take(8) {
            let mut bytes = stored.bytes.to_vec();
            if let Some(cut) = &cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            for (at, byte) in &changes {
                let content = bytes.len().saturating_sub(FRAME).max(1);
                if let Some(changed) = bytes.get_mut(FRAME + at.index(content)) {
                    *changed = *byte;
                }
            }
            let _ = load(&with(stored, with_checksum(bytes)), summary);
        }
    }

    #[test]
    fn random_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let summary = SummarySettings::default();
        let segment = stored(&[], summary)[0].clone();
        prop_assert!(load(&with(&segment, bytes.clone()), summary).is_err());
        prop_assert!(Head::decode(&bytes).is_err());
    }
}

#[test]
fn each_fault_has_its_own_error() {
    let summary = SummarySettings::default();
    let stored = stored(&[r#"{"name":"a","value":1}"#.to_owned()], summary);
    let bytes = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = stored[0].bytes.to_vec();
        change(&mut bytes);
        load(&with(&stored[0], bytes), summary).expect_err("damaged").to_string()
    };
    assert_eq!(
        bytes(&|bytes| bytes[0] = b'x'),
        "expected a segment of a state, got something else"
    );
    assert_eq!(
        bytes(&|bytes| bytes[4] = 9),
        "expected format version 8 or less, got 9: a newer gateway wrote it"
    );
    assert_eq!(
        bytes(&|bytes| bytes.truncate(15)),
        "it is cut off: expected at least 16 bytes, got 15"
    );
    assert_eq!(bytes(&|bytes| bytes[20] ^= 1), "it is damaged: its checksum does not match");
    let other = StoredSegment { segment: stored[1].segment, ..stored[0].clone() };
    let error = load(&other, summary).expect_err("another segment").to_string();
    let (expected, got) = (stored[1].segment.get(), stored[0].segment.get());
    assert_eq!(error, format!("expected segment {expected}, got segment {got}"));
}

/// A length that stands for more than there is allocates nothing for it.
#[test]
fn lengths_are_not_believed() {
    let mut bytes = b"PSGS\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    // Segment 0, taken at 0, and 2^63 families.
    bytes.extend([0, 0]);
    bytes.extend([0xff; 9]);
    bytes.push(1);
    let summary = SummarySettings::default();
    let segment = stored(&[], summary)[0].clone();
    let error = load(&with(&segment, with_checksum(bytes)), summary).expect_err("no families");
    assert_eq!(error.to_string(), "it is malformed: its list of families");
}
