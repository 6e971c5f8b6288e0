//! The ledger: which lists are claimed, and how much of them was asked for, was
//! read, was routed and is covered by a checkpoint. Pure book-keeping.
//!
//! Producers push at the head of a list, so its oldest element is the last. A
//! page is addressed from the head with the length that the list had when it
//! was claimed, which trimming at the tail does not shift.

use std::collections::VecDeque;

use psg_engine::timestamp::UnixTime;

use super::record::ListPosition;
use crate::source::Origin;

/// The claimed lists that are not covered whole, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    lists: VecDeque<ClaimedList>,
    /// What the last checkpoint covers; its list is the first of `lists`.
    covered: ListPosition,
    /// Elements that were ever claimed before that.
    covered_place: u64,
    routed: ListPosition,
    asked: ListPosition,
}

/// A list that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimedList {
    /// Elements that it had then.
    pub length: u64,
    /// By the server's clock; nothing where that does not matter.
    pub claimed_at: Option<UnixTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    pub list: u64,
    /// Index of its newest element.
    pub start: u64,
    /// Index of its oldest element.
    pub stop: u64,
}

/// What a checkpoint lets go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// The first list to unlink.
    pub first: u64,
    /// The first list to keep; as `first` where none is unlinked.
    pub keep: u64,
    /// The list to trim, and the last index to keep of it.
    pub trim: Option<(u64, u64)>,
}

impl PageRequest {
    pub fn count(&self) -> u64 {
        self.stop - self.start + 1
    }
}

impl Ledger {
    /// Lists from `base` on, which is that place in the queue. The first has lost
    /// its covered elements already: `present` says how many elements each has now.
    pub fn new(
        base: ListPosition,
        place: u64,
        present: impl IntoIterator<Item = ClaimedList>,
    ) -> Self {
        let mut lists: VecDeque<ClaimedList> = present.into_iter().collect();
        if let Some(first) = lists.front_mut() {
            first.length += base.offset;
        }
        Self { lists, covered: base, covered_place: place, routed: base, asked: base }
    }

    /// Takes note of a claim; claims are numbered without a gap.
    pub fn claimed(&mut self, list: ClaimedList) {
        self.lists.push_back(list);
    }

    /// The next page of at most `count` elements that nobody has asked for.
    pub fn next_page(&mut self, count: u64) -> Option<PageRequest> {
        let length = self.length(self.asked.list)?;
        let left = length - self.asked.offset;
        let stop = left - 1;
        let page = PageRequest { list: self.asked.list, start: left - count.min(left), stop };
        self.asked = self.after(self.asked, page.count());
        Some(page)
    }

    /// Takes note that the next `count` elements were routed.
    pub fn routed(&mut self, count: u64) {
        self.routed = self.after(self.routed, count);
    }

    /// What was asked for and not routed has to be asked for again.
    pub fn ask_again(&mut self) {
        self.asked = self.routed;
    }

    /// Of the page after what is routed only the first `used` elements are on
    /// their way: what comes after them has to be asked for again.
    pub fn came_short(&mut self, used: u64) {
        self.asked = self.after(self.routed, used);
    }

    /// How far everything has been routed.
    pub fn position(&self) -> ListPosition {
        self.routed
    }

    /// How many elements were ever claimed before that position, which is not before
    /// what is covered.
    pub fn place_of(&self, position: ListPosition) -> u64 {
        let lists = position.list - self.covered.list;
        let between: u64 = self.lengths().take(lists as usize).sum();
        self.covered_place + between + position.offset - self.covered.offset
    }

    /// How many elements were ever claimed.
    pub fn end(&self) -> u64 {
        self.place_of(self.routed) + self.unrouted()
    }

    /// Elements that are claimed and not routed.
    pub fn unrouted(&self) -> u64 {
        let first = self.routed.list - self.covered.list;
        let left: u64 = self.lengths().skip(first as usize).sum();
        left - self.routed.offset
    }

    /// Elements that are routed and not covered.
    pub fn uncovered(&self) -> u64 {
        self.place_of(self.routed) - self.covered_place
    }

    /// Whether everything that is claimed has been asked for.
    pub fn is_all_asked(&self) -> bool {
        self.length(self.asked.list).is_none()
    }

    /// Lists that are claimed and not unlinked.
    pub fn open_lists(&self) -> usize {
        self.lists.len()
    }

    /// What the last checkpoint covers.
    pub fn base(&self) -> ListPosition {
        self.covered
    }

    /// Elements that each list has now, after what is covered was trimmed.
    pub fn present(&self) -> impl Iterator<Item = u64> + '_ {
        let covered = std::iter::once(self.covered.offset).chain(std::iter::repeat(0));
        self.lengths().zip(covered).map(|(length, covered)| length - covered)
    }

    /// What a checkpoint that covers all before `position` lets go of.
    pub fn release_up_to(&self, position: ListPosition) -> Release {
        let trim = (position.offset > 0 && position != self.covered)
            .then(|| self.length(position.list))
            .flatten()
            .map(|length| (position.list, length - position.offset - 1));
        Release { first: self.covered.list, keep: position.list, trim }
    }

    /// Takes note that a checkpoint covers all before `position`.
    pub fn cover(&mut self, position: ListPosition) {
        let gone = position.list - self.covered.list;
        self.covered_place = self.place_of(position);
        self.lists.drain(..gone as usize);
        self.covered = position;
    }

    /// Where the next element to be routed comes from, where it is known when it was
    /// claimed.
    pub fn origin(&self) -> Option<Origin> {
        let claimed_at = self.claimed_at(self.routed.list)?;
        Some(Origin { place: self.place_of(self.routed), claimed_at })
    }

    /// When that list was claimed, where that is known.
    pub fn claimed_at(&self, list: u64) -> Option<UnixTime> {
        self.lists.get((list - self.covered.list) as usize)?.claimed_at
    }

    /// The lists of which it is known when they were claimed.
    pub fn times(&self) -> impl Iterator<Item = (u64, UnixTime)> + '_ {
        let numbered = (self.covered.list..).zip(&self.lists);
        numbered.filter_map(|(number, list)| Some((number, list.claimed_at?)))
    }

    fn lengths(&self) -> impl Iterator<Item = u64> + '_ {
        self.lists.iter().map(|list| list.length)
    }

    fn length(&self, list: u64) -> Option<u64> {
        self.lists.get((list - self.covered.list) as usize).map(|list| list.length)
    }

    /// The place `count` elements after `place`, inside one list; its end is
    /// the beginning of the next.
    fn after(&self, place: ListPosition, count: u64) -> ListPosition {
        let offset = place.offset + count;
        match self.length(place.list) {
            Some(length) if length == offset => ListPosition { list: place.list + 1, offset: 0 },
            Some(_) | None => ListPosition { list: place.list, offset },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lists as Redis keeps them: the newest element first. Elements are
    /// numbered in the order of the queue.
    #[derive(Default)]
    struct ClaimedLists {
        lists: VecDeque<(u64, Vec<u64>)>,
        claimed: u64,
        pushed: u64,
    }

    impl ClaimedLists {
        fn claim(&mut self, length: u64) {
            self.claimed += 1;
            let elements = (self.pushed..self.pushed + length).rev().collect();
            self.pushed += length;
            self.lists.push_back((self.claimed, elements));
        }

        fn range(&self, page: PageRequest) -> Vec<u64> {
            let (_, list) = self.lists.iter().find(|(number, _)| *number == page.list).unwrap();
            list[page.start as usize..=page.stop as usize].to_vec()
        }

        fn commit(&mut self, release: Release) {
            self.lists.retain(|(number, _)| !(release.first..release.keep).contains(number));
            if let Some((number, last)) = release.trim {
                let (_, list) = self.lists.iter_mut().find(|(n, _)| *n == number).unwrap();
                list.truncate(last as usize + 1);
            }
        }
    }

    fn list_of(length: u64) -> ClaimedList {
        ClaimedList { length, claimed_at: None }
    }

    #[derive(Debug, Clone)]
    enum LedgerStep {
        Claim(u64),
        Read(u64),
        Commit,
        Break,
        Short(u64),
        Reload,
    }

    fn steps() -> impl Strategy<Value = Vec<LedgerStep>> {
        let step = prop_oneof![
            (1_u64..30).prop_map(LedgerStep::Claim),
            (1_u64..20).prop_map(LedgerStep::Read),
            (1_u64..20).prop_map(LedgerStep::Read),
            Just(LedgerStep::Commit),
            Just(LedgerStep::Break),
            (1_u64..20).prop_map(LedgerStep::Short),
            Just(LedgerStep::Reload),
        ];
        proptest::collection::vec(step, 1..60)
    }

    proptest! {
        /// Whatever the order of claims, pages, checkpoints, cut connections and
        /// reloads: every element is routed in the order of the queue, each once
        /// since the last load, and a load goes on exactly where the last
        /// checkpoint ended.
        #[test]
        fn every_element_comes_once_and_in_order(steps in steps()) {
            let mut lists = ClaimedLists::default();
            let mut ledger = Ledger::new(ListPosition { list: 1, offset: 0 }, 0, []);
            let (mut routed, mut committed) = (0, 0);
            for step in steps {
                match step {
                    LedgerStep::Claim(length) => {
                        lists.claim(length);
                        ledger.claimed(list_of(length));
                    }
                    LedgerStep::Read(count) => {
                        if let Some(page) = ledger.next_page(count) {
                            for element in lists.range(page).into_iter().rev() {
                                prop_assert_eq!(element, routed);
                                routed += 1;
                            }
                            ledger.routed(page.count());
                        }
                    }
                    LedgerStep::Commit => {
                        let position = ledger.position();
                        lists.commit(ledger.release_up_to(position));
                        ledger.cover(position);
                        committed = routed;
                    }
                    LedgerStep::Break => {
                        ledger.next_page(7);
                        ledger.ask_again();
                    }
                    LedgerStep::Short(count) => {
                        // A page of which half is used, and one behind it that is not.
                        if let Some(page) = ledger.next_page(count) {
                            ledger.next_page(count);
                            let used = page.count().div_ceil(2);
                            ledger.came_short(used);
                            for element in lists.range(page).into_iter().rev().take(used as usize) {
                                prop_assert_eq!(element, routed);
                                routed += 1;
                            }
                            ledger.routed(used);
                        }
                    }
                    LedgerStep::Reload => {
                        let present = lists.lists.iter().map(|(_, list)| list.len() as u64);
                        prop_assert!(ledger.present().eq(present.clone()));
                        let present = present.map(list_of);
                        let place = ledger.place_of(ledger.base());
                        ledger = Ledger::new(ledger.base(), place, present);
                        routed = committed;
                    }
                }
                prop_assert_eq!(ledger.place_of(ledger.base()), committed);
                prop_assert_eq!(ledger.place_of(ledger.position()), routed);
                prop_assert_eq!(ledger.end(), lists.pushed);
                prop_assert_eq!(ledger.unrouted(), lists.pushed - routed);
                prop_assert_eq!(ledger.uncovered(), routed - committed);
                prop_assert_eq!(ledger.open_lists(), lists.lists.len());
            }
        }
    }
}
