//! The clients of the embedded queue, and the one budget of what they make the
//! gateway hold: connections (`Embedded.MaxConnections`) and bytes
//! (`Embedded.MaxClientBytes`).
//!
//! Whatever is kept for a client between two reads is charged to its
//! [`ClientSlot`]: lines and requests without an end, staged elements, queued
//! commands of a transaction, subscriptions, its name, replies that it has not
//! read. A slot gives back what it holds when it is dropped.
//!
//! Where bytes or connections are short, a client is evicted, so that one can't
//! shut out the others: for bytes the one that has held most for longest, for a
//! connection one that has not logged in or said anything yet, or else one that
//! has been silent for long.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, SetOnce};

use crate::clock::Clock;

/// A client that has been silent for this many milliseconds may be evicted for
/// another one.
const LONG_SILENT_MS: u64 = 60_000;

/// Who holds less than this is not worth being evicted for bytes.
const LITTLE_BYTES: usize = 1024;

/// How long a client has held bytes counts up to this many milliseconds: a few
/// bytes that are held for a day are nothing beside many that are held for a
/// second.
const LONG_HELD_MS: u64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvictionReason {
    /// It holds most of the bytes that there are for all.
    Bytes,
    Connections,
}

/// Tells a client that it has to leave.
pub type Eviction = Arc<SetOnce<EvictionReason>>;

#[derive(Debug)]
pub struct Clients {
    max_connections: usize,
    max_bytes: usize,
    table: Mutex<ClientTable>,
    left: Notify,
    clock: Clock,
}

#[derive(Debug, Default)]
struct ClientTable {
    /// Bytes that all of them make us hold.
    held: usize,
    last_id: u64,
    records: BTreeMap<u64, ClientRecord>,
}

#[derive(Debug)]
struct ClientRecord {
    came_at: u64,
    heard_at: u64,
    /// Whether it has logged in, where it has to, and has said something.
    has_spoken: bool,
    held: usize,
    /// Since when it has held more than a little.
    holds_since: u64,
    eviction: Eviction,
}

/// One client's connection, and what it makes us hold; given back when dropped.
#[derive(Debug)]
pub struct ClientSlot {
    id: u64,
    clients: Arc<Clients>,
    eviction: Eviction,
}

impl Clients {
    /// Without clients yet. Both bounds are for all of them together.
    pub fn new(max_connections: usize, max_bytes: usize) -> Arc<Self> {
        let (table, left, clock) = (Mutex::default(), Notify::new(), Clock::start());
        Arc::new(Self { max_connections, max_bytes, table, left, clock })
    }

    pub fn admit(self: &Arc<Self>) -> Option<ClientSlot> {
        let mut table = self.table.lock();
        if table.records.len() >= self.max_connections {
            return None;
        }
        table.last_id += 1;
        let (id, now, eviction) = (table.last_id, self.now(), Eviction::default());
        let record = ClientRecord {
            came_at: now,
            heard_at: now,
            has_spoken: false,
            held: 0,
            holds_since: now,
            eviction: Arc::clone(&eviction),
        };
        table.records.insert(id, record);
        Some(ClientSlot { id, clients: Arc::clone(self), eviction })
    }

    /// Evicts somebody and waits for the free slot; `None` where nobody has to
    /// leave.
    pub async fn admit_instead_of_another(self: &Arc<Self>) -> Option<ClientSlot> {
        loop {
            let left = self.left.notified();
            if let Some(slot) = self.admit() {
                return Some(slot);
            }
            if !self.table.lock().evict_for_connection(self.now()) {
                return None;
            }
            left.await;
        }
    }

    pub fn count(&self) -> usize {
        self.table.lock().records.len()
    }

    /// Bytes that all of them make us hold.
    pub fn held(&self) -> usize {
        self.table.lock().held
    }

    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    pub fn max_connections(&self) -> usize {
        self.max_connections
    }

    /// From here on somebody has to leave: what is left is for the others
    /// meanwhile.
    fn enough(&self) -> usize {
        self.max_bytes - self.max_bytes / 8
    }

    fn now(&self) -> u64 {
        self.clock.now().0
    }
}

impl ClientTable {
    /// Sees to it that the client that weighs most leaves; false where that is
    /// the one that asks.
    fn evict_for_bytes(&self, asking: u64, enough: usize, now: u64) -> bool {
        let leaving = self.records.values().filter(|record| record.is_leaving());
        let leaving: usize = leaving.map(|record| record.held).sum();
        if self.held - leaving <= enough {
            return true;
        }
        let staying = self.records.iter().filter(|(_, record)| !record.is_leaving());
        let heaviest = staying.max_by_key(|(_, record)| record.weight(now));
        let Some((id, record)) = heaviest.filter(|(_, record)| record.weight(now) > 0) else {
            return true;
        };
        if *id == asking {
            return false;
        }
        record.evict(EvictionReason::Bytes);
        true
    }

    /// Sees to it that one leaves for its connection, if there is one who has to.
    fn evict_for_connection(&self, now: u64) -> bool {
        if self.records.values().any(ClientRecord::is_leaving) {
            return true;
        }
        let silent = self.records.values().filter(|record| !record.has_spoken);
        let oldest = silent.min_by_key(|record| record.came_at);
        let quietest = || {
            let quietest = self.records.values().min_by_key(|record| record.heard_at)?;
            (now.saturating_sub(quietest.heard_at) >= LONG_SILENT_MS).then_some(quietest)
        };
        let Some(record) = oldest.or_else(quietest) else { return false };
        record.evict(EvictionReason::Connections);
        true
    }
}

impl ClientRecord {
    fn is_leaving(&self) -> bool {
        self.eviction.initialized()
    }

    fn evict(&self, reason: EvictionReason) {
        // It may be leaving for the other reason already.
        let _ = self.eviction.set(reason);
    }

    /// How much it is in the way of others: what it holds, by how long it does.
    fn weight(&self, now: u64) -> u64 {
        let since = now.saturating_sub(self.holds_since).min(LONG_HELD_MS);
        if self.held < LITTLE_BYTES { 0 } else { self.held as u64 * (1 + since) }
    }

    fn hold(&mut self, bytes: usize, now: u64) {
        if self.held < LITTLE_BYTES && bytes > self.held {
            self.holds_since = now;
        }
        self.held = bytes;
    }
}

impl ClientSlot {
    /// Its number, which no client had before.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn held(&self) -> usize {
        self.clients.table.lock().records.get(&self.id).map_or(0, |record| record.held)
    }

    /// Sets the bytes that it makes us hold; where there is no room for them,
    /// nothing changes and it is false.
    #[must_use]
    pub fn hold(&self, bytes: usize) -> bool {
        let clients = &self.clients;
        let (table, now) = (&mut *clients.table.lock(), clients.now());
        let Some(record) = table.records.get_mut(&self.id) else { return false };
        let before = record.held;
        let held = table.held - before + bytes;
        if bytes > before && held > clients.max_bytes {
            return false;
        }
        table.held = held;
        record.hold(bytes, now);
        let is_short = bytes > before && held > clients.enough();
        if is_short && !table.evict_for_bytes(self.id, clients.enough(), now) {
            table.held = held - bytes + before;
            table.records.entry(self.id).and_modify(|record| record.held = before);
            return false;
        }
        true
    }

    /// The client has said something; `has_spoken` where it is let in and that
    /// was a command.
    pub fn heard(&self, has_spoken: bool) {
        let now = self.clients.now();
        if let Some(record) = self.clients.table.lock().records.get_mut(&self.id) {
            (record.heard_at, record.has_spoken) = (now, has_spoken);
        }
    }

    /// There is no room for what it makes us hold.
    pub fn evict_for_bytes(&self) {
        // It may be leaving for the other reason already.
        let _ = self.eviction.set(EvictionReason::Bytes);
    }

    pub fn eviction(&self) -> Eviction {
        Arc::clone(&self.eviction)
    }
}

impl Drop for ClientSlot {
    fn drop(&mut self) {
        let mut table = self.clients.table.lock();
        if let Some(record) = table.records.remove(&self.id) {
            table.held -= record.held;
        }
        drop(table);
        self.clients.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    const MIB: usize = 1 << 20;

    fn has_to_leave(slot: &ClientSlot) -> Option<EvictionReason> {
        slot.eviction().get().copied()
    }

    #[test]
    fn what_is_held_is_given_back_when_it_is_dropped() {
        let clients = Clients::new(2, MIB);
        let (one, other) = (clients.admit().unwrap(), clients.admit().unwrap());
        assert!(clients.admit().is_none(), "there are two");
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
        assert_eq!(has_to_leave(&greedy), Some(EvictionReason::Bytes));
        assert!(modest.hold(30_000), "room is on its way");
        assert_eq!(has_to_leave(&modest), None);
        drop(greedy);
        assert!(modest.hold(MIB * 3 / 4));
    }

    #[test]
    fn the_bound_holds_whoever_asks() {
        let clients = Clients::new(100, MIB);
        let slots: Vec<_> = (0..100).map(|_| clients.admit().unwrap()).collect();
        for round in 1..20 {
            for slot in &slots {
                // Who has to leave is still there, as those whose task is busy.
                let _ = slot.hold(round * 16 * 1024);
                assert!(clients.held() <= MIB);
            }
        }
        drop(slots);
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
        assert_eq!(has_to_leave(&stranger), Some(EvictionReason::Connections));
        assert_eq!(has_to_leave(&producer), None);
        drop(stranger);
        let Poll::Ready(Some(newcomer)) = coming.as_mut().poll(&mut context) else {
            panic!("no slot")
        };
        newcomer.heard(true);
        let evicts = clients.table.lock().evict_for_connection(clients.now());
        assert!(!evicts, "nobody has been silent for long");
    }

    #[test]
    fn many_bytes_for_long_weigh_more_than_a_few_more_that_have_just_come() {
        let weight = |held, since, now| {
            let eviction = Eviction::default();
            let (came_at, heard_at, has_spoken) = (since, since, true);
            let record =
                ClientRecord { came_at, heard_at, has_spoken, held, holds_since: since, eviction };
            record.weight(now)
        };
        assert!(weight(20_000, 0, 10_000) > weight(80_000, 9_990, 10_000));
        assert_eq!(weight(100, 0, u64::MAX), 0);
        assert!(weight(80_000, 86_400_000, 86_401_000) > weight(5_000, 0, 86_401_000));
    }
}
