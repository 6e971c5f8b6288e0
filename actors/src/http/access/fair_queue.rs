//! A fair queue: jobs that wait for one thread are done by turns of who has
//! brought them, so that who brings many waits for himself. Who has a bad name comes
//! after everybody else.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

use super::super::conn_slots::PeerNetwork;

/// Jobs that may wait, over all.
const WAITING: usize = 256;
/// How many bad names are remembered, the last.
const BAD_NAMES: usize = 256;

#[derive(Debug)]
pub struct FairQueue<T> {
    state: Mutex<QueueState<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct QueueState<T> {
    /// Whose turn is next stands first; nobody is here without a job.
    queues: VecDeque<(PeerNetwork, VecDeque<T>)>,
    bad_names: VecDeque<PeerNetwork>,
    is_over: bool,
}

impl<T> FairQueue<T> {
    pub fn new() -> Self {
        Self {
            state: Mutex::new(QueueState {
                queues: VecDeque::new(),
                bad_names: VecDeque::new(),
                is_over: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Brings a job; where too many wait, who has brought the most loses its last
    /// one. False where that is this one.
    pub fn bring(&self, peer: PeerNetwork, job: T) -> bool {
        let mut state = self.state.lock();
        let waiting: usize = state.queues.iter().map(|(_, jobs)| jobs.len()).sum();
        if waiting >= WAITING && !state.make_room(peer) {
            return false;
        }
        match state.queues.iter_mut().find(|(other, _)| *other == peer) {
            Some((_, jobs)) => jobs.push_back(job),
            None => state.queues.push_back((peer, VecDeque::from([job]))),
        }
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Waits for the next job; `None` is the end.
    pub fn next(&self) -> Option<(PeerNetwork, T)> {
        let mut state = self.state.lock();
        loop {
            if state.is_over {
                return None;
            }
            if let Some(job) = state.take() {
                return Some(job);
            }
            self.changed.wait(&mut state);
        }
    }

    /// Notes who has a bad name from now on, or not any more.
    pub fn note(&self, peer: PeerNetwork, is_bad: bool) {
        let mut state = self.state.lock();
        state.bad_names.retain(|other| *other != peer);
        if is_bad {
            state.bad_names.push_back(peer);
            if state.bad_names.len() > BAD_NAMES {
                state.bad_names.pop_front();
            }
        }
    }

    /// No job is done any more.
    pub fn end(&self) {
        self.state.lock().is_over = true;
        self.changed.notify_all();
    }
}

impl<T> QueueState<T> {
    /// The first of those with a good name, else the first of all.
    fn take(&mut self) -> Option<(PeerNetwork, T)> {
        let good = self.queues.iter().position(|(peer, _)| !self.bad_names.contains(peer));
        let (peer, mut jobs) = self.queues.remove(good.unwrap_or(0))?;
        let job = jobs.pop_front()?;
        if !jobs.is_empty() {
            self.queues.push_back((peer, jobs));
        }
        Some((peer, job))
    }

    /// Drops the last job of who has brought the most, where that is more than
    /// `peer` will have; those with a bad name have to go first.
    fn make_room(&mut self, peer: PeerNetwork) -> bool {
        let is_bad = |peer: &PeerNetwork| self.bad_names.contains(peer);
        let own = self.queues.iter().find(|(other, _)| *other == peer);
        let own = (is_bad(&peer), own.map_or(0, |(_, jobs)| jobs.len()) + 1);
        let ranked = self.queues.iter().enumerate();
        let ranked = ranked.map(|(place, (other, jobs))| ((is_bad(other), jobs.len()), place));
        let Some((_, place)) = ranked.max().filter(|(most, _)| *most > own) else { return false };
        let (_, jobs) = &mut self.queues[place];
        jobs.pop_back();
        if jobs.is_empty() {
            self.queues.remove(place);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn peer(last: u8) -> PeerNetwork {
        PeerNetwork::new(Some(IpAddr::from([10, 0, 0, last])))
    }

    #[test]
    fn who_brings_many_waits_for_himself() {
        let queue = FairQueue::new();
        for job in 0..4 {
            assert!(queue.bring(peer(1), job));
        }
        assert!(queue.bring(peer(2), 10) && queue.bring(peer(2), 11));
        let order: Vec<i32> = (0..6).filter_map(|_| queue.next()).map(|(_, job)| job).collect();
        assert_eq!(order, [0, 10, 1, 11, 2, 3]);
        queue.end();
        assert!(queue.next().is_none());
    }

    #[test]
    fn who_has_a_bad_name_comes_last_until_it_is_mended() {
        let queue = FairQueue::new();
        queue.note(peer(1), true);
        assert!(queue.bring(peer(1), 1) && queue.bring(peer(2), 2));
        assert_eq!(queue.next(), Some((peer(2), 2)));
        queue.note(peer(1), false);
        assert!(queue.bring(peer(2), 3));
        assert_eq!(queue.next(), Some((peer(1), 1)));
        for last in 0..=255 {
            queue.note(peer(last), true);
            queue.note(PeerNetwork::new(Some(IpAddr::from([10, 0, 1, last]))), true);
        }
        assert_eq!(queue.state.lock().bad_names.len(), BAD_NAMES);
    }

    #[test]
    fn where_too_many_wait_who_has_brought_the_most_makes_room() {
        let queue = FairQueue::new();
        assert!((0..WAITING).all(|job| queue.bring(peer(1), job)));
        assert!(!queue.bring(peer(1), 0), "its own are the most");
        assert!(queue.bring(peer(2), 0));
        let all = queue.state.lock().queues.iter().map(|(_, jobs)| jobs.len()).sum::<usize>();
        assert_eq!(all, WAITING);
        // A crowd of guessers of one guess each makes room too.
        let queue = FairQueue::new();
        for guesser in 0..WAITING {
            let [high, low] = u16::try_from(guesser).expect("few").to_be_bytes();
            let guesser = PeerNetwork::new(Some(IpAddr::from([10, 1, high, low])));
            queue.note(guesser, true);
            assert!(queue.bring(guesser, guesser));
        }
        assert!(queue.bring(peer(2), peer(2)));
        assert_eq!(queue.next().map(|(_, job)| job), Some(peer(2)));
    }
}
