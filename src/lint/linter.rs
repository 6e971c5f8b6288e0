//! The linter itself: verdicts on the payloads of one input, by the gateway's
//! own intake, catalog and store on one thread. Settings, files and exit codes
//! are `src/lint.rs`; the fuzzers and the tests of their corpora come here.

use std::io::{self, BufRead, Read, Write};

use psg_engine::catalog::Catalog;
use psg_engine::intake::{Intake, IntakeSettings, RefusedSample};
use psg_engine::limits::PayloadLimits;
use psg_engine::reject::{Reason, Reject};
use psg_engine::series::ReaderIndex;
use psg_engine::sharding::ShardCount;
use psg_engine::store::Store;
use psg_engine::timestamp::Moment;
use psg_engine::timestamp::UnixTime;
use psg_engine::wire::JsonDecoder;

use super::finding::{FindingFormat, LintFinding};
use super::lines::LimitedLines;
use super::strict::Strict;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct LintTally {
    /// Samples that would be taken.
    pub accepted: u64,
    /// Samples that would not.
    pub refused: u64,
    /// Of the accepted ones: those with another layout or other objectives
    /// than the first one of their name.
    pub mismatches: u64,
    /// What is odd about samples, where that was asked for.
    pub oddities: u64,
}

impl LintTally {
    pub fn is_empty(&self) -> bool {
        self.accepted + self.refused == 0
    }

    /// Whether nothing was refused or odd, which is what the exit status says.
    pub fn is_clean(&self) -> bool {
        self.refused == 0 && self.oddities == 0
    }
}

/// The only one there is.
const READER: ReaderIndex = ReaderIndex(0);

/// Gives verdicts on payloads, which it takes for those of one gateway.
pub struct Linter<'a, W> {
    settings: IntakeSettings,
    intake: Intake,
    store: Store,
    largest: usize,
    clock: fn() -> UnixTime,
    name: &'a str,
    out: W,
    form: FindingFormat,
    strict: Option<Strict>,
    tally: LintTally,
}

/// A payload, and where in the input it begins.
#[derive(Debug, Clone, Copy)]
pub struct LintPayload<'a> {
    pub bytes: &'a [u8],
    /// The number of its first line.
    pub line: usize,
    /// How many bytes it has, where not all of them are here.
    pub length: usize,
}

impl<'a, W: Write> Linter<'a, W> {
    /// A linter for an intake with one shard. It prints refusals to `out`, as
    /// of a file `name`; `clock` tells when a payload is taken.
    pub fn new(
        settings: IntakeSettings,
        catalog: Catalog,
        clock: fn() -> UnixTime,
        name: &'a str,
        out: W,
    ) -> Self {
        Self {
            largest: settings.payload.max_payload_bytes,
            intake: Intake::new(settings.clone(), catalog, ShardCount::new(1), READER),
            settings,
            store: Store::default(),
            clock,
            name,
            out,
            form: FindingFormat::default(),
            strict: None,
            tally: LintTally::default(),
        }
    }

    /// The same that writes in this format, and looks for what is odd where it is
    /// strict.
    pub fn with(mut self, form: FindingFormat, is_strict: bool) -> Self {
        (self.form, self.strict) = (form, is_strict.then(|| Strict::new(&self.settings)));
        self
    }

    /// Gives the verdicts on all payloads of the input, of which it holds no
    /// more than the largest payload at a time.
    pub fn lint(mut self, mut input: impl BufRead) -> io::Result<LintTally> {
        let mut beginning = Vec::new();
        (&mut input).take(self.largest as u64 + 1).read_to_end(&mut beginning)?;
        if beginning.len() <= self.largest && is_document(&beginning, (self.clock)()) {
            let length = beginning.len();
            self.payload(LintPayload { bytes: &beginning, line: 1, length })?;
            return Ok(self.tally);
        }
        let mut lines = LimitedLines::new(beginning.as_slice().chain(input), self.largest);
        let mut line = 0;
        let mut bytes = Vec::new();
        while let Some(length) = lines.next(&mut bytes)? {
            line += 1;
            if length > self.largest || !is_blank(&bytes) {
                self.payload(LintPayload { bytes: &bytes, line, length })?;
            }
        }
        Ok(self.tally)
    }

    /// Gives the verdict on one payload, as a batch of its own.
    pub fn payload(&mut self, payload: LintPayload<'_>) -> io::Result<()> {
        if payload.length > payload.bytes.len() {
            let (most, got) = (self.largest, payload.length);
            let detail = format!("expected at most {most} bytes, got {got}");
            let reject = Reject::new(Reason::PayloadTooLarge, detail);
            return self.report(payload, 0, reject.reason.as_str(), &reject.detail, true);
        }
        self.intake.begin((self.clock)());
        let mut refused: Vec<(usize, Reject)> = Vec::new();
        self.intake.route(payload.bytes, |sample, reject| {
            refused.push((sample.as_ptr() as usize - payload.bytes.as_ptr() as usize, reject));
        });
        self.intake.define_with(|_, key| self.store.define(key, READER, Moment(0)));
        let outcome = self.intake.finish();
        let place = |refused: &RefusedSample| refused.part.as_ref().map_or(0, |part| part.start);
        refused.extend(outcome.refused.into_iter().map(|one| (place(&one), one.reject)));
        for updates in &outcome.updates {
            self.store.apply(updates, Moment(0));
            let not_taken = self.store.take_refused();
            self.tally.accepted += updates.samples() - not_taken.samples();
            self.tally.refused += not_taken.not_kept;
            // Which one of an array it was is not known any more.
            refused.extend(not_taken.kept.iter().map(|update| (0, update.reject())));
        }
        refused.sort_by_key(|(at, _)| *at);
        self.tally.mismatches += outcome.layout_mismatches;
        for (at, reject) in &refused {
            self.report(payload, *at, reject.reason.as_str(), &reject.detail, true)?;
        }
        let Some(strict) = &mut self.strict else { return Ok(()) };
        let places: Vec<usize> = refused.iter().map(|(at, _)| *at).collect();
        let odd = strict.look(payload.bytes, &places, (self.clock)());
        odd.iter().try_for_each(|odd| self.report(payload, odd.at, odd.reason, &odd.detail, false))
    }

    /// Reports a sample that begins at a byte of its payload.
    fn report(
        &mut self,
        payload: LintPayload<'_>,
        at: usize,
        reason: &str,
        detail: &str,
        is_refused: bool,
    ) -> io::Result<()> {
        let count = if is_refused { &mut self.tally.refused } else { &mut self.tally.oddities };
        *count += 1;
        let before = &payload.bytes[..at];
        let line = payload.line + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        let finding = LintFinding { line, column, reason, detail, is_refused };
        finding.write(self.name, self.form, &mut self.out)
    }
}

/// Whether there is nothing in a line but what JSON takes for white space, so
/// that it is no payload.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| b" \t\r".contains(byte))
}

/// Whether all of `bytes` is one JSON document that may hold samples.
fn is_document(bytes: &[u8], now: UnixTime) -> bool {
    let unbounded = PayloadLimits { max_payload_bytes: usize::MAX, ..PayloadLimits::default() };
    let mut decoder = JsonDecoder::new(unbounded);
    let judged = decoder.decode(bytes, now).map(drop);
    judged.err().is_none_or(|reject| reject.reason != Reason::InvalidJson)
}
