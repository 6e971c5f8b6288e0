//! The clients of the embedded queue, and the one budget of what they make the
//! gateway hold: places (`Embedded.MaxConnections`) and bytes
//! (`Embedded.MaxClientBytes`).
//!
//! Whatever is kept for a client between two reads is charged to its [`Member`]:
//! lines and requests without an end, staged elements, queued commands of a
//! transaction, subscriptions, its name, replies that it has not read. A member
//! gives back what it holds when it is dropped.
//!
//! Where bytes or places are short, a client has to leave, so that one can't
//! shut out the others: for bytes the one that has held most for longest, for a
//! place one that has not logged in or said anything yet, or else one that has
//! been silent for long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::standing::{Departure, Shortage, Standing};
use crate::clock::Clock;

/// A client that has been silent for so many milliseconds may have to make room
/// for another one.
const LONG_SILENT_MS: u64 = 60_000;

/// Who is connected.
#[derive(Debug)]
pub struct Clients {
    max_places: usize,
    max_bytes: usize,
    held: AtomicUsize,
    next: AtomicU64,
    standings: Mutex<BTreeMap<u64, Arc<Standing>>>,
    left: Notify,
    clock: Clock,
}

/// One client's place, and what it makes us hold; given back when dropped.
#[derive(Debug)]
pub struct Member {
    id: u64,
    clients: Arc<Clients>,
    standing: Arc<Standing>,
}

impl Clients {
    /// Nobody yet; at most so many clients, who make us hold at most so many
    /// bytes.
    pub fn new(max_places: usize, max_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            max_places,
            max_bytes,
            held: AtomicUsize::new(0),
            next: AtomicU64::new(1),
            standings: Mutex::default(),
            left: Notify::new(),
            clock: Clock::start(),
        })
    }

    /// A place, if one is free.
    pub fn admit(self: &Arc<Self>) -> Option<Member> {
        let mut standings = self.standings();
        if standings.len() >= self.max_places {
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let standing = Arc::new(Standing::new(self.now()));
        standings.insert(id, Arc::clone(&standing));
        Some(Member { id, clients: Arc::clone(self), standing })
    }

    /// A place as soon as somebody leaves, who is told to; `None` where nobody
    /// has to.
    pub async fn admit_instead_of_another(self: &Arc<Self>) -> Option<Member> {
        loop {
            let left = self.left.notified();
            if let Some(member) = self.admit() {
                return Some(member);
            }
            if !self.dismiss_for_place() {
                return None;
            }
            left.await;
        }
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        self.standings().len()
    }

    /// Bytes that all of them make us hold.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The most that these may be.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// The most that may be connected.
    pub fn max_places(&self) -> usize {
        self.max_places
    }

    /// From here on somebody has to leave: what is left is for the others
    /// meanwhile.
    fn enough(&self) -> usize {
        self.max_bytes - self.max_bytes / 8
    }

    /// Sees to it that who weighs most leaves; false where that is the one that
    /// asks.
    fn dismiss_for_bytes(&self, asking: u64) -> bool {
        let (standings, now) = (self.standings(), self.now());
        let leaving = standings.values().filter(|standing| standing.leaves());
        let leaving: usize = leaving.map(|standing| standing.held()).sum();
        if self.held().saturating_sub(leaving) <= self.enough() {
            return true;
        }
        let staying = standings.iter().filter(|(_, standing)| !standing.leaves());
        match staying.max_by_key(|(_, standing)| standing.weight(now)) {
            Some((id, standing)) if standing.weight(now) > 0 => {
                if *id != asking {
                    standing.dismiss(Shortage::Bytes);
                }
                *id != asking
            }
            Some(_) | None => true,
        }
    }

    /// Sees to it that one leaves for its place, if there is one who has to.
    fn dismiss_for_place(&self) -> bool {
        let (standings, now) = (self.standings(), self.now());
        if standings.values().any(|standing| standing.leaves()) {
            return true;
        }
        let staying = || standings.values().filter(|standing| !standing.leaves());
        let silent = staying().filter(|standing| !standing.has_spoken());
        let oldest = silent.min_by_key(|standing| standing.came_at());
        let quietest = || {
            let quiet =
                staying().filter(|one| now.saturating_sub(one.heard_at()) >= LONG_SILENT_MS);
            quiet.min_by_key(|standing| standing.heard_at())
        };
        let Some(standing) = oldest.or_else(quietest) else { return false };
        standing.dismiss(Shortage::Places);
        true
    }

    fn now(&self) -> u64 {
        self.clock.now().0
    }

    fn standings(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Standing>>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Its number, which no client had before.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Bytes that it makes us hold.
    pub fn held(&self) -> usize {
        self.standing.held()
    }

    /// It makes us hold so many bytes from now on; false where there are not so
    /// many for it, then nothing changes.
    #[must_use]
    pub fn hold(&self, bytes: usize) -> bool {
        let (clients, before) = (&self.clients, self.held());
        if bytes <= before {
            clients.held.fetch_sub(before - bytes, Ordering::Relaxed);
            self.standing.shrink(bytes);
            return true;
        }
        let more = bytes - before;
        let take = |held: usize| Some(held + more).filter(|held| *held <= clients.max_bytes);
        let Ok(held) = clients.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) else {
            return false;
        };
        self.standing.grow(bytes, clients.now());
        let stays = held + more <= clients.enough() || clients.dismiss_for_bytes(self.id);
        if !stays {
            clients.held.fetch_sub(more, Ordering::Relaxed);
            self.standing.shrink(before);
        }
        stays
    }

    /// It has said something, for the first time what only those may say who are
    /// let in.
    pub fn heard(&self, has_spoken: bool) {
        self.standing.heard(has_spoken, self.clients.now());
    }

    /// There is no room for what it makes us hold.
    pub fn leave_for_bytes(&self) {
        self.standing.dismiss(Shortage::Bytes);
    }

    /// Tells when it has to leave.
    pub fn departure(&self) -> Departure {
        Departure::of(&self.standing)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.clients.held.fetch_sub(self.held(), Ordering::Relaxed);
        self.clients.standings().remove(&self.id);
        self.clients.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    const MIB: usize = 1 << 20;

    fn has_to_leave(member: &Member) -> Option<Shortage> {
        member.departure().is_due()
    }

    #[test]
    fn what_is_held_is_given_back_when_it_is_dropped() {
        let clients = Clients::new(2, MIB);
        let (one, other) = (clients.admit().unwrap(), clients.admit().unwrap());
        assert!(clients.admit().is_none(), "two places");
        assert!(one.hold(1000) && other.hold(500) && one.hold(700));
        assert_eq!((clients.held(), one.held()), (1200, 700));
        drop(one);
        assert_eq!((clients.held(), clients.count()), (500, 1));
        assert!(clients.admit().is_some());
    }

    #[test]
    fn one_that_holds_most_leaves_and_the_others_go_on() {
        let clients = Clients::new(10, MIB);
        let (greedy, modest) = (clients.admit().unwrap(), clients.admit().unwrap());
        assert!(greedy.hold(MIB * 7 / 8), "all that there is");
        assert!(!greedy.hold(MIB), "it is the one that holds most");
        assert_eq!(greedy.held(), MIB * 7 / 8, "nothing has changed");
        assert!(modest.hold(20_000));
        assert_eq!(has_to_leave(&greedy), Some(Shortage::Bytes));
        assert!(modest.hold(30_000), "room is on its way");
        assert_eq!(has_to_leave(&modest), None);
        drop(greedy);
        assert!(modest.hold(MIB * 3 / 4));
    }

    #[test]
    fn the_bound_holds_whoever_asks() {
        let clients = Clients::new(100, MIB);
        let members: Vec<_> = (0..100).map(|_| clients.admit().unwrap()).collect();
        for round in 1..20 {
            for member in &members {
                // Who has to leave is still there, as those whose task is busy.
                let _ = member.hold(round * 16 * 1024);
                assert!(clients.held() <= MIB);
            }
        }
        drop(members);
        assert_eq!(clients.held(), 0);
    }

    #[test]
    fn silent_strangers_make_room_and_producers_stay() {
        let clients = Clients::new(2, MIB);
        let (producer, stranger) = (clients.admit().unwrap(), clients.admit().unwrap());
        producer.heard(true);
        stranger.heard(false);
        let mut coming = Box::pin(clients.admit_instead_of_another());
        let mut context = Context::from_waker(Waker::noop());
        assert!(coming.as_mut().poll(&mut context).is_pending());
        assert_eq!(has_to_leave(&stranger), Some(Shortage::Places));
        assert_eq!(has_to_leave(&producer), None);
        drop(stranger);
        let Poll::Ready(Some(newcomer)) = coming.as_mut().poll(&mut context) else {
            panic!("no place")
        };
        newcomer.heard(true);
        assert!(!clients.dismiss_for_place(), "nobody has been silent for long");
    }
}
