//! Places: how many connections there may be, and who has to go where there are
//! more. A newcomer is always let in: where all places are taken, it gets that
//! of whoever has kept the gateway waiting for longest, of the address that has
//! the most. Where everybody is being served, it gets one of a few places that
//! are kept for probes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// Places beside the others, for probes alone.
pub const RESERVED: usize = 64;
/// Connections that have been told to go and have not gone yet, for which there
/// is room.
pub const LEAVING: usize = 64;
/// Who takes less than so many bytes of an answer in so long is slow.
const LEAST_TAKEN: usize = 128 * 1024;
const LEAST_TAKEN_IN: Duration = Duration::from_secs(2);
/// Who has come a moment ago has kept nobody waiting, but may have to go for
/// those of an address that has fewer connections.
const MOMENT: Duration = Duration::from_millis(100);
/// How many are looked at for one that has to go.
const LOOKED_AT: usize = 1024;

/// The places that connections take.
#[derive(Debug)]
pub struct Places {
    table: Mutex<Table>,
    taken: AtomicUsize,
    most: usize,
    began: Instant,
    is_closed: AtomicBool,
    left: Notify,
}

#[derive(Debug, Default)]
struct Table {
    seats: Vec<Option<Arc<Seat>>>,
    free: Vec<usize>,
    /// Connections of each address.
    peers: HashMap<Peer, Arc<AtomicUsize>>,
    /// Of these, how many are reserved ones, and how many of the others have
    /// been told to go.
    reserved: usize,
    leaving: usize,
    /// Where looking goes on.
    next: usize,
}

/// Whose connection it is: an address, of IPv6 the network of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer(Option<IpAddr>);

impl Peer {
    /// Who connects from that address.
    pub fn new(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V4(four) => four.into(),
            IpAddr::V6(six) => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        }))
    }
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// Its client, for a handshake or a request.
    Request,
    /// The gateway.
    Answer,
    /// Its client, which has to take what is sent.
    Taking,
}

/// What is known of a connection by those who are not of its thread.
#[derive(Debug)]
struct Seat {
    number: usize,
    peer: Peer,
    /// Connections of the same address.
    alike: Arc<AtomicUsize>,
    is_reserved: bool,
    /// What it waits for, and since when: microseconds above two bits.
    state: AtomicU64,
    /// Bytes that were taken since then.
    taken: AtomicUsize,
    has_to_go: AtomicBool,
    waker: AtomicWaker,
}

/// A place that is taken.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    seat: Arc<Seat>,
}

impl Places {
    /// That many, all free, and those that are reserved.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::default(),
            taken: AtomicUsize::new(0),
            most,
            began: Instant::now(),
            is_closed: AtomicBool::new(false),
            left: Notify::new(),
        })
    }

    /// Whether three quarters are taken.
    fn are_few(&self) -> bool {
        self.taken.load(Ordering::Relaxed) >= self.most - self.most / 4
    }

    /// Ends all connections that nothing is being answered on; the others end
    /// with their answer, and new ones at once.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        let table = self.lock();
        let idle = table.seats.iter().flatten().filter(|seat| seat.state().0 == Awaits::Request);
        for seat in idle {
            seat.send_away();
        }
    }

    /// Waits until every connection has ended.
    pub async fn are_empty(&self) {
        loop {
            let left = self.left.notified();
            if self.taken.load(Ordering::SeqCst) == 0 {
                return;
            }
            left.await;
        }
    }

    /// Sends one away who is slow in taking an answer, the slowest; false where
    /// nobody is.
    fn cut_slowest_reader(&self) -> bool {
        let now = self.now();
        let mut table = self.lock();
        let slowest = table.worst(now, MOMENT, |seat| seat.state().0 == Awaits::Taking);
        slowest.is_some_and(|seat| table.send_away(&seat))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX >> 2)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Who has kept the gateway waiting for longest, and longer than a moment, of
    /// the address that has the most; nobody where all that were looked at are
    /// being served.
    fn worst(
        &mut self,
        now: u64,
        moment: Duration,
        is_meant: impl Fn(&Arc<Seat>) -> bool,
    ) -> Option<Arc<Seat>> {
        let all = self.seats.len();
        let begin = self.next.checked_rem(all).unwrap_or_default();
        let around = self.seats[begin..].iter().chain(&self.seats[..begin]);
        let there = around.take(LOOKED_AT).flatten();
        let meant = there.filter(|seat| !seat.has_to_go.load(Ordering::Relaxed) && is_meant(seat));
        let waits = meant.filter_map(|seat| Some((seat.has_kept_waiting(now, moment)?, seat)));
        let rank =
            |(waited, seat): &(u64, &Arc<Seat>)| (seat.alike.load(Ordering::Relaxed), *waited);
        let worst = waits.max_by_key(rank).map(|(_, seat)| Arc::clone(seat));
        self.next = begin + LOOKED_AT.min(all);
        worst
    }

    fn send_away(&mut self, seat: &Seat) -> bool {
        if seat.send_away() {
            self.leaving += usize::from(!seat.is_reserved);
            return true;
        }
        false
    }
}

impl Place {
    /// Takes one, until it is dropped; somebody may have to go for it.
    pub fn take(places: &Arc<Places>, peer: Peer) -> Self {
        let now = places.now();
        let mut table = places.lock();
        let ordinary = places.taken.load(Ordering::Relaxed) - table.reserved - table.leaving;
        let mut is_reserved = false;
        if ordinary >= places.most {
            let own = table.peers.get(&peer).map_or(0, |alike| alike.load(Ordering::Relaxed));
            let is_of_more = |seat: &Arc<Seat>| seat.alike.load(Ordering::Relaxed) > own + 1;
            let old = table.worst(now, MOMENT, |seat| !seat.is_reserved);
            let worst = old.or_else(|| {
                table.worst(now, Duration::ZERO, |seat| !seat.is_reserved && is_of_more(seat))
            });
            match worst {
                Some(worst) => _ = table.send_away(&worst),
                None => is_reserved = true,
            }
        }
        if is_reserved
            && table.reserved >= RESERVED
            && let Some(worst) = table.worst(now, Duration::ZERO, |seat| seat.is_reserved)
        {
            table.send_away(&worst);
        }
        table.reserved += usize::from(is_reserved);
        let alike = Arc::clone(table.peers.entry(peer).or_default());
        alike.fetch_add(1, Ordering::Relaxed);
        let number = table.free.pop().unwrap_or_else(|| {
            table.seats.push(None);
            table.seats.len() - 1
        });
        let seat = Arc::new(Seat {
            number,
            peer,
            alike,
            is_reserved,
            state: AtomicU64::new(now << 2 | Awaits::Request as u64),
            taken: AtomicUsize::new(0),
            has_to_go: AtomicBool::new(places.is_closed.load(Ordering::SeqCst)),
            waker: AtomicWaker::new(),
        });
        table.seats[number] = Some(Arc::clone(&seat));
        places.taken.fetch_add(1, Ordering::SeqCst);
        Self { places: Arc::clone(places), seat }
    }

    /// Whether three quarters of all places are taken.
    pub fn is_in_a_crowd(&self) -> bool {
        self.places.are_few()
    }

    /// Whether it ends with its answer.
    pub fn is_for_one_answer(&self) -> bool {
        self.seat.is_reserved
            || self.is_in_a_crowd()
            || self.places.is_closed.load(Ordering::Relaxed)
    }

    /// Whether it is kept for probes.
    pub fn is_reserved(&self) -> bool {
        self.seat.is_reserved
    }

    /// The connection waits for that from now on.
    pub fn awaits(&self, what: Awaits) {
        self.seat.taken.store(0, Ordering::Relaxed);
        self.seat.state.store(self.places.now() << 2 | what as u64, Ordering::Relaxed);
        if what == Awaits::Request && self.places.is_closed.load(Ordering::SeqCst) {
            self.seat.send_away();
        }
    }

    /// The client is waited for in the middle of an answer.
    pub fn has_to_take(&self) {
        if self.seat.state().0 == Awaits::Answer {
            self.awaits(Awaits::Taking);
        }
    }

    /// The client has taken so many bytes of an answer.
    pub fn has_taken(&self, bytes: usize) {
        let (awaits, _) = self.seat.state();
        let before = self.seat.taken.fetch_add(bytes, Ordering::Relaxed);
        if awaits == Awaits::Taking && before + bytes >= LEAST_TAKEN {
            self.awaits(Awaits::Taking);
        }
    }

    /// Sends the slowest away of those who take an answer; false where nobody is
    /// slow.
    pub fn cut_slowest_reader(&self) -> bool {
        self.places.cut_slowest_reader()
    }

    /// Ready when the connection has to go; may be asked by one task at a time.
    pub fn poll_sent_away(&self, context: &mut Context<'_>) -> Poll<()> {
        self.seat.waker.register(context.waker());
        match self.seat.has_to_go.load(Ordering::SeqCst) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.places.lock();
        let Seat { number, peer, is_reserved, .. } = *self.seat;
        table.seats[number] = None;
        table.free.push(number);
        table.reserved -= usize::from(is_reserved);
        let was_told = self.seat.has_to_go.load(Ordering::SeqCst);
        table.leaving = table.leaving.saturating_sub(usize::from(was_told && !is_reserved));
        if self.seat.alike.fetch_sub(1, Ordering::Relaxed) == 1 {
            table.peers.remove(&peer);
        }
        self.places.taken.fetch_sub(1, Ordering::SeqCst);
        drop(table);
        self.places.left.notify_waiters();
    }
}

impl Seat {
    fn state(&self) -> (Awaits, u64) {
        let state = self.state.load(Ordering::Relaxed);
        let awaits = match state & 3 {
            0 => Awaits::Request,
            1 => Awaits::Answer,
            _ => Awaits::Taking,
        };
        (awaits, state >> 2)
    }

    /// For how many microseconds the client has let the gateway wait, where that
    /// is more than a moment; `None` where it is being served.
    fn has_kept_waiting(&self, now: u64, moment: Duration) -> Option<u64> {
        let (awaits, since) = self.state();
        let waited = now.saturating_sub(since);
        let has_passed = |time: Duration| u128::from(waited) >= time.as_micros();
        match awaits {
            Awaits::Request => has_passed(moment).then_some(waited),
            Awaits::Answer => None,
            Awaits::Taking => has_passed(LEAST_TAKEN_IN).then_some(waited),
        }
    }

    /// Whether it was not told before.
    fn send_away(&self) -> bool {
        let is_news = !self.has_to_go.swap(true, Ordering::SeqCst);
        self.waker.wake();
        is_news
    }
}

#[cfg(test)]
mod tests;
