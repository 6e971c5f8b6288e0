//! Connection slots: how many connections there may be, and who has to go where
//! there are more. A newcomer is always let in: where all slots are taken, it
//! gets that of the one that has kept the gateway waiting for longest, of the
//! address with the most. Where everybody is being served, it gets one of a few
//! slots that are kept for probes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Slots beside the others, for probes alone.
pub const RESERVED: usize = 64;
/// Room for connections that have to go and have not gone yet.
pub const LEAVING: usize = 64;
/// A client that takes less than this of an answer in that time is slow.
const LEAST_TAKEN: usize = 128 * 1024;
const LEAST_TAKEN_IN: Duration = Duration::from_secs(2);
/// Who has come a moment ago has kept nobody waiting, but may have to go for
/// those of an address that has fewer connections.
const MOMENT: Duration = Duration::from_millis(100);
/// How many are looked at for one that has to go.
const LOOKED_AT: usize = 1024;

#[derive(Debug)]
pub struct ConnSlots {
    table: Mutex<SlotTable>,
    taken: AtomicUsize,
    most: usize,
    began: Instant,
    is_closed: AtomicBool,
    left: Notify,
}

#[derive(Debug, Default)]
struct SlotTable {
    records: Vec<Option<Arc<ConnRecord>>>,
    free: Vec<usize>,
    /// Connections of each address.
    peers: HashMap<PeerNetwork, Arc<AtomicUsize>>,
    /// Of these, how many are reserved ones, and how many of the others have
    /// been told to go.
    reserved: usize,
    leaving: usize,
    /// Where looking goes on.
    next: usize,
}

/// Whose connection it is: an address, of IPv6 the network of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerNetwork(Option<IpAddr>);

impl PeerNetwork {
    pub fn new(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V4(four) => four.into(),
            IpAddr::V6(six) => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// Its client, for a handshake or a request.
    Request,
    Answer,
    /// Its client, which has to take what is sent.
    Taking,
}

/// What is known of a connection by those who are not of its thread.
#[derive(Debug)]
struct ConnRecord {
    number: usize,
    peer: PeerNetwork,
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

#[derive(Debug)]
pub struct ConnSlot {
    slots: Arc<ConnSlots>,
    record: Arc<ConnRecord>,
}

impl ConnSlots {
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

    /// Ends all connections that nothing is being answered on; the others end
    /// with their answer, and new ones at once.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        let table = self.table.lock();
        let idle =
            table.records.iter().flatten().filter(|record| record.state().0 == Awaits::Request);
        for record in idle {
            record.send_away();
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

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX >> 2)
    }
}

impl SlotTable {
    /// Who has kept the gateway waiting for longest, and longer than a moment, of
    /// the address that has the most; nobody where all that were looked at are
    /// being served.
    fn worst(
        &mut self,
        now: u64,
        moment: Duration,
        is_meant: impl Fn(&Arc<ConnRecord>) -> bool,
    ) -> Option<Arc<ConnRecord>> {
        let all = self.records.len();
        let begin = self.next.checked_rem(all).unwrap_or_default();
        let around = self.records[begin..].iter().chain(&self.records[..begin]);
        let there = around.take(LOOKED_AT).flatten();
        let meant =
            there.filter(|record| !record.has_to_go.load(Ordering::Relaxed) && is_meant(record));
        let waits =
            meant.filter_map(|record| Some((record.has_kept_waiting(now, moment)?, record)));
        let rank = |(waited, record): &(u64, &Arc<ConnRecord>)| {
            (record.alike.load(Ordering::Relaxed), *waited)
        };
        let worst = waits.max_by_key(rank).map(|(_, record)| Arc::clone(record));
        self.next = begin + LOOKED_AT.min(all);
        worst
    }

    fn send_away(&mut self, record: &ConnRecord) -> bool {
        if record.send_away() {
            self.leaving += usize::from(!record.is_reserved);
            return true;
        }
        false
    }
}

impl ConnSlot {
    /// Takes one, until it is dropped; somebody may have to go for it.
    pub fn take(slots: &Arc<ConnSlots>, peer: PeerNetwork) -> Self {
        let now = slots.now();
        let mut table = slots.table.lock();
        let ordinary = slots.taken.load(Ordering::Relaxed) - table.reserved - table.leaving;
        let mut is_reserved = false;
        if ordinary >= slots.most {
            let own = table.peers.get(&peer).map_or(0, |alike| alike.load(Ordering::Relaxed));
            let is_of_more =
                |record: &Arc<ConnRecord>| record.alike.load(Ordering::Relaxed) > own + 1;
            let old = table.worst(now, MOMENT, |record| !record.is_reserved);
            let worst = old.or_else(|| {
                table.worst(now, Duration::ZERO, |record| !record.is_reserved && is_of_more(record))
            });
            match worst {
                Some(worst) => _ = table.send_away(&worst),
                None => is_reserved = true,
            }
        }
        if is_reserved
            && table.reserved >= RESERVED
            && let Some(worst) = table.worst(now, Duration::ZERO, |record| record.is_reserved)
        {
            table.send_away(&worst);
        }
        table.reserved += usize::from(is_reserved);
        let alike = Arc::clone(table.peers.entry(peer).or_default());
        alike.fetch_add(1, Ordering::Relaxed);
        let number = table.free.pop().unwrap_or_else(|| {
            table.records.push(None);
            table.records.len() - 1
        });
        let record = Arc::new(ConnRecord {
            number,
            peer,
            alike,
            is_reserved,
            state: AtomicU64::new(now << 2 | Awaits::Request as u64),
            taken: AtomicUsize::new(0),
            has_to_go: AtomicBool::new(slots.is_closed.load(Ordering::SeqCst)),
            waker: AtomicWaker::new(),
        });
        table.records[number] = Some(Arc::clone(&record));
        slots.taken.fetch_add(1, Ordering::SeqCst);
        Self { slots: Arc::clone(slots), record }
    }

    /// Whether three quarters of all slots are taken.
    pub fn is_in_a_crowd(&self) -> bool {
        self.slots.taken.load(Ordering::Relaxed) >= self.slots.most - self.slots.most / 4
    }

    pub fn is_for_one_answer(&self) -> bool {
        self.record.is_reserved
            || self.is_in_a_crowd()
            || self.slots.is_closed.load(Ordering::Relaxed)
    }

    pub fn is_reserved(&self) -> bool {
        self.record.is_reserved
    }

    /// The connection waits for that from now on.
    pub fn awaits(&self, what: Awaits) {
        self.record.taken.store(0, Ordering::Relaxed);
        self.record.state.store(self.slots.now() << 2 | what as u64, Ordering::Relaxed);
        if what == Awaits::Request && self.slots.is_closed.load(Ordering::SeqCst) {
            self.record.send_away();
        }
    }

    /// The client is waited for in the middle of an answer.
    pub fn has_to_take(&self) {
        if self.record.state().0 == Awaits::Answer {
            self.awaits(Awaits::Taking);
        }
    }

    /// The client has taken that many bytes of an answer.
    pub fn has_taken(&self, bytes: usize) {
        let (awaits, _) = self.record.state();
        let before = self.record.taken.fetch_add(bytes, Ordering::Relaxed);
        if awaits == Awaits::Taking && before + bytes >= LEAST_TAKEN {
            self.awaits(Awaits::Taking);
        }
    }

    /// Sends the slowest away of those who take an answer; false where nobody is
    /// slow.
    pub fn cut_slowest_reader(&self) -> bool {
        let mut table = self.slots.table.lock();
        let slowest =
            table.worst(self.slots.now(), MOMENT, |record| record.state().0 == Awaits::Taking);
        slowest.is_some_and(|record| table.send_away(&record))
    }

    /// Ready when the connection has to go; may be asked by one task at a time.
    pub fn poll_sent_away(&self, context: &mut Context<'_>) -> Poll<()> {
        self.record.waker.register(context.waker());
        match self.record.has_to_go.load(Ordering::SeqCst) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for ConnSlot {
    fn drop(&mut self) {
        let mut table = self.slots.table.lock();
        let ConnRecord { number, peer, is_reserved, .. } = *self.record;
        table.records[number] = None;
        table.free.push(number);
        table.reserved -= usize::from(is_reserved);
        let was_told = self.record.has_to_go.load(Ordering::SeqCst);
        table.leaving = table.leaving.saturating_sub(usize::from(was_told && !is_reserved));
        if self.record.alike.fetch_sub(1, Ordering::Relaxed) == 1 {
            table.peers.remove(&peer);
        }
        self.slots.taken.fetch_sub(1, Ordering::SeqCst);
        drop(table);
        self.slots.left.notify_waiters();
    }
}

impl ConnRecord {
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

    /// Whether it did not have to go before.
    fn send_away(&self) -> bool {
        let is_news = !self.has_to_go.swap(true, Ordering::SeqCst);
        self.waker.wake();
        is_news
    }
}

#[cfg(test)]
mod tests;
