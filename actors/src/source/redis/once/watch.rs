//! The watch of a standby: when a queue may be taken over. Pure but for the
//! question whether a process is gone.

use std::time::Duration;

use super::holder;
use super::part::{OtherLayout, Part};
use super::stored::{Misfit, Ownership, Stored};
use crate::boot_clock::BootInstant;

/// Who owned the queue when a standby looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// There is no owner hash.
    Nobody,
    /// There is one that no gateway has written like this, and why.
    Damaged(String),
    /// It is of a queue that is split otherwise.
    Elsewhere(OtherLayout),
    Released {
        epoch: u64,
    },
    Holder {
        epoch: u64,
        token: String,
        /// Changes with each renewal.
        deadline: String,
    },
}

impl Owner {
    /// Whether it is known that the process which holds the queue is gone.
    pub fn has_ended(&self) -> bool {
        matches!(self, Owner::Holder { token, .. } if holder::is_gone(token))
    }

    pub fn of(stored: &Stored, part: Part) -> Self {
        if stored.is_absent() {
            return Owner::Nobody;
        }
        match stored.owner(part) {
            Err(Misfit::Damage(damage)) => Owner::Damaged(damage.to_string()),
            Err(Misfit::OtherLayout(other)) => Owner::Elsewhere(other),
            Ok(Ownership { epoch, token: "", .. }) => Owner::Released { epoch },
            Ok(Ownership { epoch, token, deadline }) => {
                Owner::Holder { epoch, token: token.to_owned(), deadline: deadline.to_owned() }
            }
        }
    }
}

#[derive(Debug, Default)]
pub struct Watch {
    last: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    owner: Owner,
    since: BootInstant,
    looked: BootInstant,
    /// It was time to take over from this one.
    is_due: bool,
}

impl Watch {
    /// Whether an owner that was just seen may be taken over: at once where
    /// there is none to wait for, else when nothing has changed for the length
    /// of a lease, all of it looked at.
    pub fn may_take(&mut self, owner: &Owner, now: BootInstant, lease: Duration) -> bool {
        let is_first = self.last.is_none();
        let same = self.last.take().filter(|seen| seen.owner == *owner);
        // Who could not take over when it was time tries again at once.
        let was_due = same.as_ref().is_some_and(|seen| seen.is_due);
        // While nobody could look, the owner could not renew either.
        let unchanged = same.filter(|seen| now.since(seen.looked) <= lease / 2);
        let since = unchanged.map_or(now, |seen| seen.since);
        let waited = now.since(since) >= lease;
        let is_due = was_due
            || match owner {
                // That is told at once.
                Owner::Elsewhere(_) | Owner::Released { .. } => true,
                // What was there and is gone, or is damaged now, its holder has in
                // memory, and is given the time to write it.
                Owner::Nobody | Owner::Damaged(_) => is_first || waited,
                Owner::Holder { .. } => waited,
            };
        self.last = Some(Seen { owner: owner.clone(), since, looked: now, is_due });
        is_due
    }
}

/// A record that has gone, as its last holder sees it.
#[derive(Debug, Default)]
pub struct Absence {
    since: Option<BootInstant>,
}

impl Absence {
    /// Whether a holder may write a record that is not there again, where its
    /// last renewal was granted then. Who may have been displaced meanwhile
    /// leaves it to the holder of today for half a lease: that one misses it
    /// within a third.
    pub fn may_write(
        &mut self,
        now: BootInstant,
        renewed: Option<BootInstant>,
        lease: Duration,
    ) -> bool {
        let since = *self.since.get_or_insert(now);
        let holds = renewed.is_some_and(|renewed| now.since(renewed) < lease);
        holds || now.since(since) >= lease / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    fn holder(deadline: &str) -> Owner {
        Owner::Holder { epoch: 1, token: "t".into(), deadline: deadline.into() }
    }

    /// What the watch says of each look, given as second and owner.
    fn check(looks: &[(u64, Owner, bool)]) {
        let mut watch = Watch::default();
        for (second, owner, expected) in looks {
            let now = BootInstant::at(Duration::from_secs(*second));
            assert_eq!(watch.may_take(owner, now, LEASE), *expected, "at {second}: {owner:?}");
        }
    }

    #[test]
    fn a_queue_that_nobody_ever_held_is_taken_at_once() {
        check(&[(0, Owner::Nobody, true)]);
    }

    #[test]
    fn a_queue_that_was_given_back_is_taken_at_once() {
        check(&[(0, holder("a"), false), (1, Owner::Released { epoch: 1 }, true)]);
    }

    #[test]
    fn a_holder_that_renews_keeps_it() {
        let looks: Vec<_> = (0..20).map(|n| (n * 3, holder(&n.to_string()), false)).collect();
        check(&looks);
    }

    #[test]
    fn a_holder_that_does_not_renew_loses_it() {
        let a = || holder("a");
        check(&[(0, a(), false), (5, a(), false), (9, a(), false), (10, a(), true)]);
    }

    #[test]
    fn time_in_which_nobody_could_look_does_not_count() {
        let a = || holder("a");
        check(&[(0, a(), false), (5, a(), false), (30, a(), false), (35, a(), false)]);
    }

    #[test]
    fn who_could_not_take_over_tries_again_at_once() {
        let nobody = || Owner::Nobody;
        check(&[(0, nobody(), true), (1, nobody(), true), (30, nobody(), true)]);
        let a = || holder("a");
        check(&[(0, a(), false), (5, a(), false), (10, a(), true), (11, a(), true)]);
        check(&[(0, a(), false), (5, a(), false), (10, a(), true), (11, holder("b"), false)]);
    }

    #[test]
    fn a_damaged_record_is_told_at_a_start_and_else_left_to_its_holder() {
        let damaged = || Owner::Damaged("odd".into());
        check(&[(0, damaged(), true)]);
        check(&[(0, holder("a"), false), (1, damaged(), false), (5, holder("b"), false)]);
    }

    #[test]
    fn who_was_perhaps_displaced_does_not_write_a_record_first() {
        let at = |second| BootInstant::at(Duration::from_secs(second));
        let mut absence = Absence::default();
        assert!(absence.may_write(at(100), Some(at(91)), LEASE), "the lease is not over");
        let mut absence = Absence::default();
        assert!(!absence.may_write(at(100), Some(at(89)), LEASE));
        assert!(!absence.may_write(at(104), Some(at(89)), LEASE));
        assert!(absence.may_write(at(105), Some(at(89)), LEASE), "nobody else wrote it");
        assert!(!Absence::default().may_write(at(100), None, LEASE));
    }

    #[test]
    fn a_record_that_vanished_is_left_to_its_holder_for_a_lease() {
        let nobody = || Owner::Nobody;
        check(&[(0, holder("a"), false), (1, nobody(), false), (6, nobody(), false)]);
        check(&[
            (0, holder("a"), false),
            (1, nobody(), false),
            (6, nobody(), false),
            (11, nobody(), true),
        ]);
    }
}
