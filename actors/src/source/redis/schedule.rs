//! The schedule: how many elements a pop asks for, and how many pops are in
//! flight. Both double while replies come full, and fall back when one does not.

/// Elements of the first pop.
const FIRST_COUNT: usize = 25;

/// Elements that a pop asks for at most, unless a count was set.
const LARGEST_COUNT: usize = 1000;

/// Elements that a page of a claimed list has at most. For each page the server
/// walks from the list's end over all that was read and is not trimmed yet:
/// fewer and larger pages are that much cheaper.
const LARGEST_PAGE: usize = 2000;

/// Elements of pages that are asked for at the same time: a page is handed out
/// whole, so that more than one has to be on its way while one is read.
const PAGED_ELEMENTS_IN_FLIGHT: usize = 10_000;

/// Elements that are asked for at the same time: more brings no more.
const ELEMENTS_IN_FLIGHT: usize = 3000;

/// A server that cut the connection amid its replies is asked for no fewer bytes
/// at a time than this.
const FEWEST_BYTES: usize = 64 * 1024;

/// Full replies without a cut, after which twice as many bytes are asked for.
const REPLIES_BEFORE_MORE: u32 = 4096;

const FEWEST_POPS: usize = 3;
const MOST_POPS: usize = 64;

/// Count and depth of one worker.
#[derive(Debug)]
pub struct Schedule {
    fixed_count: Option<usize>,
    largest_count: usize,
    elements_in_flight: usize,
    /// As it was set, and as the server bears it.
    most_bytes: usize,
    max_bytes_in_flight: usize,
    full_replies: u32,
    count: usize,
    depth: usize,
    /// The largest element of late, in bytes; fades by a sixteenth a reply.
    largest: usize,
}

impl Schedule {
    /// Starts as with an empty queue; `fixed_count` is the count that was set.
    pub fn new(fixed_count: Option<usize>, max_bytes_in_flight: usize) -> Self {
        let count = fixed_count.unwrap_or(FIRST_COUNT).max(1);
        let largest_count = fixed_count.unwrap_or(LARGEST_COUNT);
        Self {
            fixed_count,
            largest_count,
            elements_in_flight: ELEMENTS_IN_FLIGHT,
            most_bytes: max_bytes_in_flight,
            max_bytes_in_flight,
            full_replies: 0,
            count,
            depth: 1,
            largest: 0,
        }
    }

    /// The same for pages of claimed lists.
    pub fn of_pages(fixed_count: Option<usize>, max_bytes_in_flight: usize) -> Self {
        let largest_count = fixed_count.unwrap_or(LARGEST_PAGE);
        let elements_in_flight = PAGED_ELEMENTS_IN_FLIGHT;
        let pops = Self::new(fixed_count, max_bytes_in_flight);
        Self { largest_count, elements_in_flight, ..pops }
    }

    /// The same, beginning with one element, however many were set: after a
    /// crash the first ones may be what it was for.
    pub fn cautious(fixed_count: Option<usize>, max_bytes_in_flight: usize) -> Self {
        Self { count: 1, ..Self::of_pages(fixed_count, max_bytes_in_flight) }
    }

    /// Elements that the next pop asks for; at least 1.
    pub fn count(&self) -> usize {
        let share = self.max_bytes_in_flight / FEWEST_POPS.min(self.depth);
        self.count.min(self.elements_in(share))
    }

    /// Pops that may be in flight; at least 1.
    pub fn depth(&self) -> usize {
        let count = self.count();
        let most = self.elements_in_flight.div_ceil(count).clamp(FEWEST_POPS, MOST_POPS);
        let within_bytes = (self.elements_in(self.max_bytes_in_flight) / count).max(1);
        self.depth.min(most).min(within_bytes)
    }

    /// A reply brought all that was asked for: there is a backlog.
    pub fn increase(&mut self) {
        self.count = (self.count * 2).min(self.largest_count);
        self.depth = (self.depth * 2).min(MOST_POPS);
        self.full_replies += 1;
        if self.full_replies >= REPLIES_BEFORE_MORE {
            self.full_replies = 0;
            self.max_bytes_in_flight = (self.max_bytes_in_flight * 2).min(self.most_bytes);
        }
    }

    /// The connection was cut while replies were under way: a server has its own
    /// bound for what it can't send (`client-output-buffer-limit`), so half of it is
    /// asked for from now on.
    pub fn was_cut(&mut self) {
        let in_flight = self.count() * self.depth() * self.largest;
        let half = in_flight.min(self.max_bytes_in_flight) / 2;
        self.max_bytes_in_flight = half.max(FEWEST_BYTES.min(self.most_bytes));
        self.full_replies = 0;
    }

    /// A reply brought less: the backlog has gone.
    pub fn decrease(&mut self) {
        self.count = self.fixed_count.unwrap_or(FIRST_COUNT).max(1);
        self.depth = 1;
    }

    /// A reply came, with the size of its largest element in bytes.
    pub fn observe(&mut self, largest_element: usize) {
        let faded = self.largest - self.largest.div_ceil(16);
        self.largest = largest_element.max(faded);
    }

    fn elements_in(&self, bytes: usize) -> usize {
        (bytes / self.largest.max(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn after(schedule: &mut Schedule, times: usize) -> (usize, usize) {
        (0..times).for_each(|_| schedule.increase());
        (schedule.count(), schedule.depth())
    }

    #[test]
    fn rises_with_the_backlog() {
        let check = |fixed, element, rises, expected| {
            let mut schedule = Schedule::new(fixed, 2 * MIB);
            schedule.observe(element);
            assert_eq!(after(&mut schedule, rises), expected, "{fixed:?} {element} {rises}");
        };
        check(None, 206, 0, (25, 1));
        check(None, 206, 1, (50, 2));
        check(None, 206, 2, (100, 4));
        check(None, 206, 10, (1000, 3));
        check(Some(25), 206, 10, (25, 64));
        check(Some(5000), 206, 10, (3393, 3));
        check(None, 2048, 10, (341, 3));
        check(None, MIB, 10, (1, 2));
        check(None, 100 * MIB, 10, (1, 1));
        check(None, 0, 10, (1000, 3));
    }

    #[test]
    fn a_cautious_one_rises_from_one_element() {
        let mut schedule = Schedule::cautious(None, 2 * MIB);
        assert_eq!((schedule.count(), schedule.depth()), (1, 1));
        assert_eq!(after(&mut schedule, 14), (2000, 5));
        let mut fixed = Schedule::cautious(Some(25), 2 * MIB);
        assert_eq!(after(&mut fixed, 12), (25, 64));
    }

    #[test]
    fn pages_are_larger_than_pops() {
        let mut pages = Schedule::of_pages(None, 2 * MIB);
        pages.observe(206);
        assert_eq!(after(&mut pages, 10), (2000, 5));
        let mut fixed = Schedule::of_pages(Some(25), 2 * MIB);
        assert_eq!(after(&mut fixed, 10), (25, 64));
    }

    #[test]
    fn falls_back_when_a_reply_is_short() {
        let mut schedule = Schedule::new(None, 2 * MIB);
        after(&mut schedule, 10);
        schedule.decrease();
        assert_eq!((schedule.count(), schedule.depth()), (25, 1));
    }

    #[test]
    fn after_a_cut_less_is_asked_for_until_many_replies_have_come() {
        let mut schedule = Schedule::new(None, 2 * MIB);
        schedule.observe(1500);
        after(&mut schedule, 10);
        let bytes = |schedule: &Schedule| schedule.count() * schedule.depth() * 1500;
        let before = bytes(&schedule);
        schedule.was_cut();
        after(&mut schedule, 10);
        assert!(bytes(&schedule) <= before / 2);
        (0..20).for_each(|_| schedule.was_cut());
        assert!(bytes(&schedule) > FEWEST_BYTES / 2, "no less than that");
        after(&mut schedule, 6 * REPLIES_BEFORE_MORE as usize);
        assert_eq!(bytes(&schedule), before);
    }

    #[test]
    fn a_large_element_is_forgotten_in_the_end() {
        let mut schedule = Schedule::new(None, 2 * MIB);
        after(&mut schedule, 10);
        schedule.observe(MIB);
        assert_eq!(schedule.count(), 1);
        (0..200).for_each(|_| schedule.observe(100));
        assert_eq!(schedule.count(), 1000);
    }

    proptest! {
        #[test]
        fn bytes_in_flight_stay_below_the_bound(
            fixed in proptest::option::of(1_usize..100_000),
            bound in 1_usize..10_000_000,
            steps in proptest::collection::vec((any::<bool>(), 0_usize..3_000_000), 1..60),
        ) {
            let mut schedule = Schedule::new(fixed, bound);
            for (full, largest) in steps {
                if full { schedule.increase() } else { schedule.decrease() }
                schedule.observe(largest);
                let (count, depth) = (schedule.count(), schedule.depth());
                prop_assert!(count >= 1 && depth >= 1);
                prop_assert!(count * depth * largest <= bound || (count, depth) == (1, 1));
            }
        }
    }
}
