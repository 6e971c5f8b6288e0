//! The verdict: what it means for the memory that a record was found as it is.
//! Pure; every way in which an outcome can be unknown ends here.

use super::record::{Record, Stamp};

/// What this process holds to be the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedRecord {
    /// The version of the last checkpoint that is known to be done.
    pub version: Stamp,
    /// The last claim that is known to be done.
    pub tip: Stamp,
    /// A commit whose outcome is not known.
    pub commit: Option<Stamp>,
    /// A claim whose outcome is not known.
    pub claim: Option<Stamp>,
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
    pub fn settled(version: Stamp, tip: Stamp) -> Self {
        Self { version, tip, commit: None, claim: None }
    }

    /// What a record means that was read after the epoch was raised, so that
    /// nothing of this process is still under way.
    pub fn verdict(&self, record: &Record) -> Verdict {
        let committed = Some(record.version) == self.commit;
        let claimed = Some(record.tip) == self.claim;
        let version_fits = committed || record.version == self.version;
        let tip_fits = claimed || record.tip == self.tip;
        if version_fits && tip_fits {
            Verdict::GoOn { committed, claimed }
        } else {
            Verdict::Reload
        }
    }

    /// Whether a reply, taken in the order in which the server gave it, shows
    /// what is expected at that point.
    pub fn holds(&self, version: Stamp, tip: Stamp) -> bool {
        (version, tip) == (self.version, self.tip)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{ListPosition, SegmentIndex};
    use super::*;

    fn stamp(number: u64) -> Stamp {
        Stamp { number, nonce: number }
    }

    fn record(version: Stamp, tip: Stamp) -> Record {
        let base = ListPosition { list: 1, offset: 0 };
        Record { epoch: 1, version, tip, base, index: SegmentIndex::default() }
    }

    #[test]
    fn what_is_found_decides() {
        let expected = ExpectedRecord {
            version: stamp(5),
            tip: stamp(9),
            commit: Some(stamp(6)),
            claim: Some(stamp(10)),
        };
        let check = |version, tip, verdict| {
            assert_eq!(expected.verdict(&record(version, tip)), verdict, "{version} {tip}");
        };
        let go_on = |committed, claimed| Verdict::GoOn { committed, claimed };
        check(stamp(5), stamp(9), go_on(false, false));
        check(stamp(6), stamp(9), go_on(true, false));
        check(stamp(5), stamp(10), go_on(false, true));
        check(stamp(6), stamp(10), go_on(true, true));
        check(stamp(4), stamp(9), Verdict::Reload);
        check(stamp(7), stamp(9), Verdict::Reload);
        check(stamp(5), stamp(8), Verdict::Reload);
        check(stamp(5), stamp(11), Verdict::Reload);
        let stranger = Stamp { number: 6, nonce: 99 };
        check(stranger, stamp(9), Verdict::Reload);
        check(stamp(5), Stamp { number: 10, nonce: 99 }, Verdict::Reload);
    }

    #[test]
    fn without_doubt_only_the_same_fits() {
        let expected = ExpectedRecord::settled(stamp(5), stamp(9));
        assert!(expected.holds(stamp(5), stamp(9)));
        assert!(!expected.holds(stamp(6), stamp(9)));
        assert!(!expected.holds(stamp(5), stamp(10)));
        assert_eq!(expected.verdict(&record(stamp(6), stamp(9))), Verdict::Reload);
    }
}
