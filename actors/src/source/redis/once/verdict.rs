//! The verdict: what it means for the memory that a record was found as it is.
//! Pure; every way in which an outcome can be unknown ends here.

use super::record::{Line, Record, Revision};

/// What this process holds to be the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedRecord {
    /// The version of the last checkpoint that is known to be done.
    pub version: Revision,
    /// The last claim that is known to be done.
    pub tip: Revision,
    /// Up to where the stream of the partition is what it was under earlier epochs.
    pub line: Line,
    /// A commit whose outcome is not known.
    pub commit: Option<Revision>,
    /// A claim whose outcome is not known.
    pub claim: Option<Revision>,
}

/// What became of the record since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The memory is what Redis says: go on.
    GoOn {
        /// Whether the commit in doubt was done; if not it is sent again.
        committed: bool,
        /// Whether the claim in doubt was done; if not it never will be.
        claimed: bool,
    },
    /// Redis went on without this process, or back: its last checkpoint counts.
    Reload,
}

impl ExpectedRecord {
    /// Nothing in doubt.
    pub fn settled(record: &Record) -> Self {
        let Record { version, tip, .. } = *record;
        Self { version, tip, line: record.line(), commit: None, claim: None }
    }

    /// What a record means that was read after the epoch was raised, so that
    /// nothing of this process is still under way.
    pub fn verdict(&self, record: &Record) -> Verdict {
        let committed = Some(record.version) == self.commit;
        let claimed = Some(record.tip) == self.claim;
        let version_fits = committed || record.version == self.version;
        let tip_fits = claimed || record.tip == self.tip;
        if version_fits && tip_fits && record.line() == self.line {
            Verdict::GoOn { committed, claimed }
        } else {
            Verdict::Reload
        }
    }

    /// Whether a reply, taken in the order in which the server gave it, shows
    /// what is expected at that point.
    pub fn holds(&self, version: Revision, tip: Revision) -> bool {
        (version, tip) == (self.version, self.tip)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{ListPosition, SegmentIndex, StreamPosition};
    use super::*;

    fn revision(number: u64) -> Revision {
        Revision { number, nonce: number }
    }

    fn record(version: Revision, tip: Revision) -> Record {
        let base = ListPosition { list: 1, offset: 0 };
        let index = SegmentIndex::default();
        Record { epoch: 1, version, tip, base, index, layout: None, stream: None }
    }

    #[test]
    fn what_is_found_decides() {
        let expected = ExpectedRecord {
            version: revision(5),
            tip: revision(9),
            line: Line::default(),
            commit: Some(revision(6)),
            claim: Some(revision(10)),
        };
        let check = |version, tip, verdict| {
            assert_eq!(expected.verdict(&record(version, tip)), verdict, "{version} {tip}");
        };
        let go_on = |committed, claimed| Verdict::GoOn { committed, claimed };
        check(revision(5), revision(9), go_on(false, false));
        check(revision(6), revision(9), go_on(true, false));
        check(revision(5), revision(10), go_on(false, true));
        check(revision(6), revision(10), go_on(true, true));
        check(revision(4), revision(9), Verdict::Reload);
        check(revision(7), revision(9), Verdict::Reload);
        check(revision(5), revision(8), Verdict::Reload);
        check(revision(5), revision(11), Verdict::Reload);
        let stranger = Revision { number: 6, nonce: 99 };
        check(stranger, revision(9), Verdict::Reload);
        check(revision(5), Revision { number: 10, nonce: 99 }, Verdict::Reload);
    }

    #[test]
    fn a_stream_that_was_continued_elsewhere_is_another_one() {
        let stream = |epoch| StreamPosition { at: 7, line: Line { epoch, place: 7 } };
        let with_line =
            |epoch| Record { stream: Some(stream(epoch)), ..record(revision(5), revision(9)) };
        let expected = ExpectedRecord::settled(&with_line(3));
        let go_on = Verdict::GoOn { committed: false, claimed: false };
        assert_eq!(expected.verdict(&with_line(3)), go_on);
        assert_eq!(expected.verdict(&with_line(2)), Verdict::Reload, "redis went back");
        assert_eq!(expected.verdict(&with_line(4)), Verdict::Reload);
    }

    #[test]
    fn without_doubt_only_the_same_fits() {
        let expected = ExpectedRecord::settled(&record(revision(5), revision(9)));
        assert!(expected.holds(revision(5), revision(9)));
        assert!(!expected.holds(revision(6), revision(9)));
        assert!(!expected.holds(revision(5), revision(10)));
        assert_eq!(expected.verdict(&record(revision(6), revision(9))), Verdict::Reload);
    }
}
