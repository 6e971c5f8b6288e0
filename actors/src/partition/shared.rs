//! What the parts of a router share, all on its thread: the forwarder with the deltas,
//! the lanes, and who is told when something has changed. Nothing waits while it holds
//! the state.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use psg_engine::forwarder::{Forwarder, ForwarderSettings};
use psg_engine::partition::{Lane, Partitions};
use psg_engine::timestamp::Moment;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::lanes::{Findings, Lanes, Request};
use crate::accounts::add;
use crate::clock::Clock;
use crate::self_metrics::partitions::RouterFigures;
use crate::source::redis::homes::{DeliverAnswer, DeliverRequest, EnterAnswer, EnterRequest};

/// A lane with so many bytes of deltas is flushed before its time.
const FLUSH_BYTES: usize = 256 * 1024;
/// While a lane has so many, on top of a chunk on its way, nothing more is read.
const MOST_LANE_BYTES: usize = 4 << 20;
/// The same for all lanes together: their number may be large.
const MOST_BYTES: usize = 256 << 20;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shared(Rc<Parts>);

#[derive(Debug)]
struct Parts {
    state: RefCell<State>,
    /// Wakes who delivers to a home, by its number.
    homes: Vec<Notify>,
    /// Wakes who owns the partition.
    changes: Notify,
}

/// The state itself.
#[derive(Debug)]
pub struct State {
    pub forwarder: Forwarder,
    pub lanes: Lanes,
    pub partitions: Partitions,
    pub figures: Arc<RouterFigures>,
    clock: Clock,
    flush_interval: Duration,
    /// When each home's lanes are flushed next.
    next_flush: Vec<Instant>,
    /// Since when each lane has deltas, and since when those of its chunk were there.
    waiting: Vec<Waiting>,
    /// Nothing more is read: all that is there has to go.
    is_ending: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    deltas: Option<Moment>,
    chunk: Option<Moment>,
}

impl Shared {
    pub fn new(
        settings: ForwarderSettings,
        flush_interval: Duration,
        clock: Clock,
        figures: Arc<RouterFigures>,
    ) -> Self {
        let partitions = settings.partitions;
        let state = State {
            forwarder: Forwarder::new(settings),
            lanes: Lanes::new(partitions),
            partitions,
            figures,
            clock,
            flush_interval,
            next_flush: vec![Instant::now(); partitions.get()],
            waiting: vec![Waiting::default(); partitions.lanes().len()],
            is_ending: false,
        };
        let homes = (0..partitions.get()).map(|_| Notify::new()).collect();
        Self(Rc::new(Parts { state: RefCell::new(state), homes, changes: Notify::new() }))
    }

    /// The state, for as long as nothing is waited for.
    pub fn state(&self) -> RefMut<'_, State> {
        self.0.state.borrow_mut()
    }

    /// Told when what the owner of the partition asks may have another answer.
    pub fn changes(&self) -> &Notify {
        &self.0.changes
    }

    /// Whoever delivers to a home looks again what there is to do.
    pub fn wake_homes(&self) {
        self.0.homes.iter().for_each(Notify::notify_one);
    }

    /// Waits until there may be something for a home.
    pub async fn work_of(&self, home: usize) {
        let next_flush = self.state().next_flush[home];
        // Whichever comes first.
        let _ = timeout_at(next_flush, self.0.homes[home].notified()).await;
    }

    /// What to ask a home for next; what has to be flushed for it is.
    pub fn next_request(&self, home: usize) -> Option<Request> {
        let mut state = self.state();
        state.flush(home);
        state.lanes.next_request(home)
    }

    pub fn entered(&self, home: usize, request: &EnterRequest, answer: EnterAnswer) {
        let mut state = self.state();
        state.lanes.entered(home, request, answer);
        state.show_findings();
        state.show(home);
        drop(state);
        self.0.changes.notify_one();
    }

    pub fn delivered(&self, request: &DeliverRequest, answer: &DeliverAnswer) {
        let home = request.lane.home();
        let mut state = self.state();
        let samples = state.lanes.delivered(request, answer);
        let figures = &state.figures.homes[home];
        add(&figures.delivered, samples);
        add(&figures.bytes, request.chunk.bytes() as u64);
        state.show(home);
        drop(state);
        self.0.changes.notify_one();
    }

    /// A home did not answer, or refused.
    pub fn failed(&self, home: usize) {
        add(&self.state().figures.homes[home].failures, 1);
    }

    /// Elements were routed up to a place; homes of lanes with much are woken.
    pub fn routed(&self, place: u64) {
        let mut state = self.state();
        state.lanes.routed_up_to(place);
        let now = state.clock.now();
        for lane in state.partitions.lanes() {
            let bytes = state.forwarder.bytes(lane);
            if bytes > 0 {
                state.waiting[lane.get()].deltas.get_or_insert(now);
            }
            if bytes >= FLUSH_BYTES {
                self.0.homes[lane.home()].notify_one();
            }
        }
        // A home that does not answer is not asked meanwhile, and what waits for it grows.
        (0..state.partitions.get()).for_each(|home| state.show(home));
    }

    /// All deltas go to their homes now, since nothing more is read; whether they are
    /// there.
    pub fn end(&self) -> bool {
        let mut state = self.state();
        state.is_ending = true;
        let has_deltas = state.partitions.lanes().any(|lane| state.forwarder.bytes(lane) > 0);
        let is_done = !has_deltas && state.lanes.are_all_delivered();
        drop(state);
        if has_deltas {
            self.wake_homes();
        }
        is_done
    }
}

impl State {
    /// What is known of the memory from before is void.
    pub fn clear(&mut self) {
        self.forwarder.clear();
        self.waiting.fill(Waiting::default());
    }

    /// What a lane has was just loaded.
    pub fn begin_to_wait(&mut self, lane: Lane) {
        let now = self.clock.now();
        self.waiting[lane.get()] = Waiting {
            deltas: (self.forwarder.bytes(lane) > 0).then_some(now),
            chunk: self.lanes.chunk(lane).map(|_| now),
        };
    }

    /// Whether as much waits as may.
    pub fn is_full(&self) -> bool {
        let bytes = || self.partitions.lanes().map(|lane| self.forwarder.bytes(lane));
        bytes().any(|bytes| bytes >= MOST_LANE_BYTES) || bytes().sum::<usize>() >= MOST_BYTES
    }

    /// Makes chunks of the deltas of a home's lanes: of all of them once it is time, of
    /// those that have much at once.
    fn flush(&mut self, home: usize) {
        let now = Instant::now();
        let is_time = now >= self.next_flush[home];
        if is_time {
            self.next_flush[home] = now + self.flush_interval;
            // One home's time is enough.
            if home == 0 {
                self.forwarder.forget_idle(self.clock.now());
            }
        }
        for lane in self.lanes.lanes_of(home) {
            let is_due = is_time || self.is_ending || self.forwarder.bytes(lane) >= FLUSH_BYTES;
            if is_due && self.lanes.may_flush(lane) && self.forwarder.bytes(lane) > 0 {
                self.flush_lane(lane);
            }
        }
        self.show(home);
    }

    fn flush_lane(&mut self, lane: Lane) {
        if let Some(chunk) = self.forwarder.flush(lane) {
            self.lanes.flushed(lane, chunk);
            let Waiting { deltas, chunk } = &mut self.waiting[lane.get()];
            *chunk = deltas.take();
        }
    }

    fn show_findings(&mut self) {
        let Findings { raised, set_back } = self.lanes.take_findings();
        if raised > 0 {
            tracing::warn!(lanes = raised, "a home has lost deltas that can't be sent again");
            add(&self.figures.raised, raised);
        }
        if set_back > 0 {
            tracing::warn!(
                lanes = set_back,
                "the partition's redis has lost claims: homes are set back to what it has, and \
                 count what is pushed again twice"
            );
            add(&self.figures.set_back, set_back);
        }
    }

    /// Brings the figures of a home up to date.
    fn show(&mut self, home: usize) {
        let now = self.clock.now();
        let (mut bytes, mut since) = (0, None::<Moment>);
        let figures = &self.figures.homes[home];
        for lane in self.lanes.lanes_of(home) {
            let waiting = &mut self.waiting[lane.get()];
            let chunk = self.lanes.chunk(lane);
            if let (None, Some(begun)) = (chunk, waiting.chunk) {
                figures.on_their_way.observe(Duration::from_millis(now.0 - begun.0));
                waiting.chunk = None;
            }
            bytes += self.forwarder.bytes(lane) + chunk.map_or(0, |chunk| chunk.bytes());
            let oldest = waiting.chunk.or(waiting.deltas);
            since = [since, oldest].into_iter().flatten().min();
        }
        figures.is_entered.store(self.lanes.is_entered(home), Ordering::Relaxed);
        figures.undelivered_bytes.store(bytes as u64, Ordering::Relaxed);
        figures.undelivered_since.store(since.map_or(0, |since| since.0.max(1)), Ordering::Relaxed);
    }
}
