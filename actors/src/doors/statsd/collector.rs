//! The collector: puts samples of many packets together, and has them pushed. What
//! waits has a bound; what does not fit is dropped and counted, since nobody who sends
//! packets can be told to wait.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::super::Doors;
use super::super::sample::Elements;
use super::lines::{self, LineOptions};
use crate::backoff::Backoff;
use crate::self_metrics::doors::{Door, DoorCounts, RequestReason, SampleReason};

/// Samples wait this long for others that come with them on the way to the queue.
const GATHER: Duration = Duration::from_millis(10);
/// Or until they have that many bytes.
const PUSH_BYTES: usize = 64 * 1024;
/// What one packet can add to these at most.
const PACKET_BYTES: usize = 1024 * 1024;
/// Bytes that wait for the queue at most.
const MOST_WAITING: usize = 8 * 1024 * 1024;

/// For the tasks of one thread.
pub struct Collector {
    doors: Arc<Doors>,
    options: LineOptions,
    filling: RefCell<Elements>,
    waiting: RefCell<VecDeque<Elements>>,
    waiting_bytes: Cell<usize>,
    is_closed: Cell<bool>,
    began: Notify,
    has_waiting: Notify,
    has_room: Notify,
}

impl Collector {
    pub fn new(doors: Arc<Doors>, options: LineOptions) -> Self {
        Self {
            filling: RefCell::new(doors.elements(Door::Statsd, PUSH_BYTES + PACKET_BYTES)),
            doors,
            options,
            waiting: RefCell::default(),
            waiting_bytes: Cell::new(0),
            is_closed: Cell::new(false),
            began: Notify::new(),
            has_waiting: Notify::new(),
            has_room: Notify::new(),
        }
    }

    /// Takes the lines of a packet, or of what a connection has brought.
    pub fn take(&self, packet: &[u8]) {
        self.counts().requests.fetch_add(1, Ordering::Relaxed);
        let mut filling = self.filling.borrow_mut();
        let was_empty = filling.is_empty();
        lines::read(packet, &self.options, &mut filling);
        let is_enough = filling.bytes() >= PUSH_BYTES;
        let began = was_empty && !filling.is_empty();
        drop(filling);
        if is_enough {
            self.send_off();
        } else if began {
            self.began.notify_one();
        }
    }

    /// Waits until half of the room is free: for who can let its client wait.
    pub async fn room(&self) {
        while self.waiting_bytes.get() > MOST_WAITING / 2 {
            self.has_room.notified().await;
        }
    }

    pub fn lost_packets(&self) -> &AtomicU64 {
        &self.doors.metrics().lost_packets
    }

    /// Sends off what was not enough by itself, a moment after it came. Never ends.
    pub async fn send_off_in_time(&self) {
        loop {
            self.began.notified().await;
            sleep(GATHER).await;
            self.send_off();
        }
    }

    /// Pushes what was sent off, and goes on trying while nothing of it can be on the
    /// queue yet. Ends after [`Self::close`], once nothing waits.
    pub async fn push(&self) {
        let mut backoff = Backoff::default();
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            let Some(mut elements) = next else {
                if self.is_closed.get() {
                    return;
                }
                self.has_waiting.notified().await;
                continue;
            };
            let bytes = elements.bytes();
            while self.is_to_be_tried_again(&mut elements).await {
                sleep(backoff.delay()).await;
            }
            backoff.reset();
            self.waiting_bytes.set(self.waiting_bytes.get() - bytes);
            self.has_room.notify_waiters();
        }
    }

    /// Nothing comes any more: what is there is sent off.
    pub fn close(&self) {
        self.send_off();
        self.is_closed.set(true);
        self.has_waiting.notify_one();
    }

    /// Tries once; whether that has to be done again.
    async fn is_to_be_tried_again(&self, elements: &mut Elements) -> bool {
        let Err(refused) = self.doors.push(Door::Statsd, elements).await else { return false };
        match refused.reason {
            RequestReason::QueueFull | RequestReason::QueueAway => return true,
            RequestReason::Closed
            | RequestReason::Unsupported
            | RequestReason::Malformed
            | RequestReason::TooLarge
            | RequestReason::Encoding
            | RequestReason::TooSlow
            | RequestReason::Busy
            | RequestReason::QueueSilent => self.lose(elements),
        }
        false
    }

    fn send_off(&self) {
        let empty = self.doors.elements(Door::Statsd, PUSH_BYTES + PACKET_BYTES);
        let elements = self.filling.replace(empty);
        let waiting = self.waiting_bytes.get() + elements.bytes();
        if waiting > MOST_WAITING {
            self.lose(&elements);
        } else if elements.is_empty() {
            self.counts().leave_out(elements.left_out());
        } else {
            self.waiting_bytes.set(waiting);
            self.waiting.borrow_mut().push_back(elements);
            self.has_waiting.notify_one();
        }
    }

    fn lose(&self, elements: &Elements) {
        let mut left_out = *elements.left_out();
        left_out[SampleReason::QueueAway as usize] += elements.samples();
        self.counts().leave_out(&left_out);
    }

    fn counts(&self) -> &DoorCounts {
        self.doors.metrics().of(Door::Statsd)
    }
}
