//! The watch of a standby: when a queue may be taken over. Pure.

use std::time::Duration;

use crate::boot_clock::BootInstant;

/// Who owned the queue when a standby looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// There is no owner hash.
    Nobody,
    /// It was given back.
    Released {
        /// The epoch at that time.
        epoch: String,
    },
    /// Somebody holds it.
    Holder {
        /// Their epoch.
        epoch: String,
        /// Their token.
        token: String,
        /// Changes with each renewal.
        deadline: String,
    },
}

/// What a standby has seen.
#[derive(Debug, Default)]
pub struct Watch {
    last: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    owner: Owner,
    since: BootInstant,
    looked: BootInstant,
}

impl Watch {
    /// Whether an owner that was just seen may be taken over: at once where
    /// there is none to wait for, else when nothing has changed for the length
    /// of a lease, all of it looked at.
    pub fn may_take(&mut self, owner: &Owner, now: BootInstant, lease: Duration) -> bool {
        let is_first = self.last.is_none();
        let unchanged = self.last.take().filter(|seen| {
            // While nobody could look, the owner could not renew either.
            seen.owner == *owner && now.since(seen.looked) <= lease / 2
        });
        let since = unchanged.map_or(now, |seen| seen.since);
        self.last = Some(Seen { owner: owner.clone(), since, looked: now });
        let waited = now.since(since) >= lease;
        match owner {
            Owner::Released { .. } => true,
            // One that was there and is gone has lost its Redis' data: its
            // holder has the better copy and is given the time to write it.
            Owner::Nobody => is_first || waited,
            Owner::Holder { .. } => waited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    fn holder(deadline: &str) -> Owner {
        Owner::Holder { epoch: "1".into(), token: "t".into(), deadline: deadline.into() }
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
        check(&[(0, holder("a"), false), (1, Owner::Released { epoch: "1".into() }, true)]);
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
