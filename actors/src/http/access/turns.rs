//! Turns: jobs that wait for one thread are done by turns of who has brought
//! them, so that who brings many waits for himself. Who has a bad name comes
//! after everybody else.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::super::places::Peer;

/// Jobs that may wait, over all.
const WAITING: usize = 256;
/// How many bad names are remembered, the last.
const BAD_NAMES: usize = 256;

/// Jobs by who has brought them.
#[derive(Debug)]
pub struct Turns<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// Whose turn is next stands first; nobody is here without a job.
    queues: VecDeque<(Peer, VecDeque<T>)>,
    bad_names: VecDeque<Peer>,
    is_over: bool,
}

impl<T> Turns<T> {
    /// Nobody waits yet.
    pub fn new() -> Self {
        let (queues, bad_names) = (VecDeque::new(), VecDeque::new());
        Self {
            state: Mutex::new(State { queues, bad_names, is_over: false }),
            changed: Condvar::new(),
        }
    }

    /// Brings a job; where too many wait, who has brought the most loses its last
    /// one. False where that is this one.
    pub fn bring(&self, peer: Peer, job: T) -> bool {
        let mut state = self.lock();
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
    pub fn next(&self) -> Option<(Peer, T)> {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return None;
            }
            if let Some(job) = state.take() {
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes who has a bad name from now on, or not any more.
    pub fn note(&self, peer: Peer, is_bad: bool) {
        let mut state = self.lock();
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
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// The first of those with a good name, else the first of all.
    fn take(&mut self) -> Option<(Peer, T)> {
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
    fn make_room(&mut self, peer: Peer) -> bool {
        let is_bad = |peer: &Peer| self.bad_names.contains(peer);
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

    fn peer(last: u8) -> Peer {
        Peer::new(Some(IpAddr::from([10, 0, 0, last])))
    }

    #[test]
    fn who_brings_many_waits_for_himself() {
        let turns = Turns::new();
        for job in 0..4 {
            assert!(turns.bring(peer(1), job));
        }
        assert!(turns.bring(peer(2), 10) && turns.bring(peer(2), 11));
        let order: Vec<i32> = (0..6).filter_map(|_| turns.next()).map(|(_, job)| job).collect();
        assert_eq!(order, [0, 10, 1, 11, 2, 3]);
        turns.end();
        assert!(turns.next().is_none());
    }

    #[test]
    fn who_has_a_bad_name_comes_last_until_it_is_mended() {
        let turns = Turns::new();
        turns.note(peer(1), true);
        assert!(turns.bring(peer(1), 1) && turns.bring(peer(2), 2));
        assert_eq!(turns.next(), Some((peer(2), 2)));
        turns.note(peer(1), false);
        assert!(turns.bring(peer(2), 3));
        assert_eq!(turns.next(), Some((peer(1), 1)));
        for last in 0..=255 {
            turns.note(peer(last), true);
            turns.note(Peer::new(Some(IpAddr::from([10, 0, 1, last]))), true);
        }
        assert_eq!(turns.lock().bad_names.len(), BAD_NAMES);
    }

    #[test]
    fn where_too_many_wait_who_has_brought_the_most_makes_room() {
        let turns = Turns::new();
        assert!((0..WAITING).all(|job| turns.bring(peer(1), job)));
        assert!(!turns.bring(peer(1), 0), "its own are the most");
        assert!(turns.bring(peer(2), 0));
        let all = turns.lock().queues.iter().map(|(_, jobs)| jobs.len()).sum::<usize>();
        assert_eq!(all, WAITING);
        // A crowd of guessers of one guess each makes room too.
        let turns = Turns::new();
        for guesser in 0..WAITING {
            let [high, low] = u16::try_from(guesser).expect("few").to_be_bytes();
            let guesser = Peer::new(Some(IpAddr::from([10, 1, high, low])));
            turns.note(guesser, true);
            assert!(turns.bring(guesser, guesser));
        }
        assert!(turns.bring(peer(2), peer(2)));
        assert_eq!(turns.next().map(|(_, job)| job), Some(peer(2)));
    }
}
