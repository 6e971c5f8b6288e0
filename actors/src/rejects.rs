//! The last refused samples: for `/api/v1/rejects`, so that who wonders why a
//! sample is not there finds out.
//!
//! Each reader writes into a ring of its own, whose lock nobody else takes but
//! for a question, and into buffers that are used again: a refusal costs a copy
//! of the payload. What is not needed before somebody asks (the metric's name)
//! is looked for then.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use parking_lot::Mutex;
use psg_engine::catalog::{Catalog, Family};
use psg_engine::metric::Shape;
use psg_engine::reject::{Reason, Reject};
use psg_engine::timestamp::UnixTime;
use psg_engine::wire::{UnknownFields, door_in, metric_name_in};
use serde::Serialize;

use crate::self_metrics::doors::Door;

/// The path that they are served under.
pub const PATH: &str = "/api/v1/rejects";

/// Refused samples that are shown.
const SHOWN: usize = 256;
/// Bytes of a refused sample in which its name is looked for.
const KEPT_BYTES: usize = 4096;
const SHOWN_BYTES: usize = 512;
/// Names with other layouts that are shown.
const SHOWN_MISMATCHES: usize = 256;

/// The last refused samples of all readers.
#[derive(Debug)]
pub struct RejectBoard {
    rings: Vec<Mutex<RejectRing>>,
    catalog: Catalog,
    unknown_fields: Arc<Mutex<UnknownFields>>,
    expose_payloads: bool,
}

#[derive(Debug)]
pub struct RejectedSample<'a> {
    pub at: UnixTime,
    pub reject: Reject,
    /// Its bytes, or as many of them as are known.
    pub sample: &'a [u8],
    /// How many it has.
    pub length: u64,
}

/// What [`PATH`] answers.
#[derive(Debug, Serialize)]
pub struct RejectReport {
    /// The last refused samples, the newest first.
    pub rejects: Vec<ShownReject>,
    /// Metrics whose samples came with another layout than the first one had,
    /// which they are aggregated into; the most frequent first.
    pub layout_mismatches: Vec<LayoutMismatch>,
    /// Fields that were ignored, since nobody reads them; the most frequent first.
    pub unknown_fields: Vec<UnknownField>,
}

#[derive(Debug, Serialize)]
pub struct ShownReject {
    /// When it was taken, in seconds since 1970.
    pub time: f64,
    pub reason: &'static str,
    /// The metric's name; `null` where it has none, or none can be found.
    pub name: Option<String>,
    /// The door that it came by, if it says so; any producer may say it.
    pub door: Option<&'static str>,
    pub detail: Cow<'static, str>,
    pub bytes: u64,
    /// Its first bytes, where they may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// One metric whose samples disagree.
#[derive(Debug, Serialize)]
pub struct LayoutMismatch {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// How many of its samples came with another layout.
    pub samples: u64,
    /// The layout of its first sample, which all are aggregated into.
    pub expected: ShownLayout,
    /// Another one that came, of several the one that was parsed last.
    pub got: ShownLayout,
}

/// A field that nobody reads.
#[derive(Debug, Serialize)]
pub struct UnknownField {
    pub name: String,
    /// How many samples that had it were parsed.
    pub samples: u64,
}

/// Buckets or quantiles, by the names that they have in a payload.
#[derive(Debug, Serialize)]
pub struct ShownLayout {
    /// The finite upper bounds of a histogram.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Vec<f64>>,
    /// That of its native buckets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<Vec<f64>>,
    /// The error that each of them may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilons: Option<Vec<f64>>,
}

/// The last refused samples of one reader.
#[derive(Debug, Default)]
struct RejectRing {
    kept: Vec<KeptReject>,
    /// Which one is the oldest, once all places are taken.
    oldest: usize,
}

#[derive(Debug, Clone)]
struct KeptReject {
    at: UnixTime,
    reason: Reason,
    detail: Cow<'static, str>,
    head: Vec<u8>,
    length: u64,
}

impl RejectBoard {
    /// A board for as many readers, without any refusal.
    pub fn new(
        workers: usize,
        catalog: Catalog,
        unknown_fields: Arc<Mutex<UnknownFields>>,
        expose_payloads: bool,
    ) -> Self {
        let rings = (0..workers).map(|_| Mutex::default()).collect();
        Self { rings, catalog, unknown_fields, expose_payloads }
    }

    pub fn note(&self, worker: usize, refusal: RejectedSample<'_>) {
        self.rings[worker].lock().note(refusal);
    }

    /// What is to be shown. Looks at every family, so it is for no thread that
    /// others wait for.
    pub fn report(&self) -> RejectReport {
        let newest = self.newest();
        let mismatches = self.catalog.most_layout_mismatches(SHOWN_MISMATCHES);
        RejectReport {
            rejects: newest.into_iter().map(|kept| kept.show(self.expose_payloads)).collect(),
            layout_mismatches: mismatches
                .into_iter()
                .filter_map(|(samples, family)| LayoutMismatch::of(samples, &family))
                .collect(),
            unknown_fields: self.unknown_fields(),
        }
    }

    fn unknown_fields(&self) -> Vec<UnknownField> {
        let counted = self.unknown_fields.lock().clone();
        let mut fields: Vec<UnknownField> = counted
            .iter()
            .map(|(name, samples)| UnknownField { name: name.to_owned(), samples })
            .collect();
        fields.sort_by_key(|field| Reverse(field.samples));
        fields
    }

    /// The newest of all rings, the newest first.
    fn newest(&self) -> Vec<KeptReject> {
        let mut newest: Vec<KeptReject> =
            self.rings.iter().flat_map(|ring| ring.lock().newest_first()).collect();
        // Stable, so those of one batch stay in their order.
        newest.sort_by_key(|kept| Reverse(kept.at));
        newest.truncate(SHOWN);
        newest
    }
}

impl LayoutMismatch {
    /// `None` for a family of which all samples agree.
    fn of(samples: u64, family: &Family) -> Option<Self> {
        Some(Self {
            name: family.name().to_owned(),
            kind: family.kind().as_str(),
            samples,
            expected: family.shape().into(),
            got: (&family.other_layout()?).into(),
        })
    }
}

impl From<&Shape> for ShownLayout {
    fn from(shape: &Shape) -> Self {
        let objectives = shape.objectives().map(|objectives| objectives.iter().copied());
        let (quantiles, epsilons): (Option<Vec<f64>>, Option<Vec<f64>>) =
            objectives.map(Iterator::unzip).unzip();
        Self {
            buckets: shape.bounds().map(<[f64]>::to_vec),
            factor: shape.native().map(|plan| plan.schema.factor()),
            quantiles,
            epsilons,
        }
    }
}

impl RejectRing {
    fn note(&mut self, RejectedSample { at, reject, sample, length }: RejectedSample<'_>) {
        let head = &sample[..sample.len().min(KEPT_BYTES)];
        let Reject { reason, detail, samples: _ } = reject;
        if self.kept.len() < SHOWN {
            self.kept.push(KeptReject { at, reason, detail, head: head.to_vec(), length });
            return;
        }
        let kept = &mut self.kept[self.oldest];
        (kept.at, kept.reason, kept.detail, kept.length) = (at, reason, detail, length);
        kept.head.clear();
        kept.head.extend_from_slice(head);
        self.oldest = (self.oldest + 1) % SHOWN;
    }

    fn newest_first(&self) -> Vec<KeptReject> {
        let (newer, older) = self.kept.split_at(self.oldest);
        older.iter().chain(newer).rev().cloned().collect()
    }
}

impl KeptReject {
    fn show(self, with_payload: bool) -> ShownReject {
        ShownReject {
            time: self.at.micros() as f64 / 1e6,
            reason: self.reason.as_str(),
            name: metric_name_in(&self.head),
            door: door_of(&self.head),
            detail: self.detail,
            bytes: self.length,
            payload: with_payload.then(|| shown_head(&self.head)),
        }
    }
}

/// The door that a sample says it came by, where there is such a door.
fn door_of(head: &[u8]) -> Option<&'static str> {
    let said = door_in(head)?;
    Door::ALL.map(Door::as_str).into_iter().find(|door| *door == said)
}

/// The first bytes as text, without half a character at the end.
fn shown_head(head: &[u8]) -> String {
    let Some(cut) = head.get(..SHOWN_BYTES) else {
        return String::from_utf8_lossy(head).into_owned();
    };
    let half = cut.utf8_chunks().last().map_or(0, |last| last.invalid().len());
    String::from_utf8_lossy(&cut[..SHOWN_BYTES - half]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(workers: usize, expose_payloads: bool) -> RejectBoard {
        let catalog = Catalog::default();
        RejectBoard::new(workers, catalog, Arc::default(), expose_payloads)
    }

    fn refuse(board: &RejectBoard, worker: usize, at: i64, sample: &[u8]) {
        let reject = Reject::new(Reason::NegativeCounter, "for a test");
        let (at, length) = (UnixTime::from_micros(at), sample.len() as u64);
        board.note(worker, RejectedSample { at, reject, sample, length });
    }

    #[test]
    fn the_last_of_all_readers_are_shown_newest_first() {
        let board = board(3, false);
        for at in 0..1000 {
            let sample = format!(r#"{{"name":"n{at}","value":-1}}"#);
            refuse(&board, (at % 2) as usize, at / 4, sample.as_bytes());
        }
        let shown = board.report().rejects;
        assert_eq!(shown.len(), SHOWN);
        assert!(shown.is_sorted_by_key(|reject| Reverse((reject.time * 1e6) as i64)));
        let mut names: Vec<String> = shown.into_iter().filter_map(|reject| reject.name).collect();
        names.sort();
        let mut expected: Vec<String> = (1000 - SHOWN..1000).map(|at| format!("n{at}")).collect();
        expected.sort();
        assert_eq!(names, expected);
    }

    #[test]
    fn those_of_one_page_stay_in_order() {
        let board = board(1, false);
        let names = ["a", "b", "c"];
        names.iter().for_each(|name| {
            refuse(&board, 0, 7, format!(r#"{{"name":"{name}"}}"#).as_bytes());
        });
        let shown: Vec<Option<String>> =
            board.report().rejects.into_iter().map(|reject| reject.name).collect();
        assert_eq!(shown, ["c", "b", "a"].map(|name| Some(name.to_owned())));
    }

    #[test]
    fn payloads_are_shown_where_they_may_be_and_cut() {
        refuse(&board(1, false), 0, 1, b"{}");
        let without = board(1, false);
        refuse(&without, 0, 1, b"secret");
        assert_eq!(without.report().rejects[0].payload, None);

        let with = board(1, true);
        let payload = |sample: &[u8]| {
            refuse(&with, 0, 1, sample);
            with.report().rejects[0].payload.clone().unwrap_or_default()
        };
        assert_eq!(payload(b"{broken"), "{broken");
        assert_eq!(payload(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(payload(&[b'x'; 600]), "x".repeat(512));
        let cut_in_a_character = [[b'x'; 511].as_slice(), "é".as_bytes(), b"y"].concat();
        assert_eq!(payload(&cut_in_a_character), "x".repeat(511));
    }
}
