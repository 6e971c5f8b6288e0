//! Owned: what an owner knows, and what follows from that.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::checkpoint_plan::{CheckpointPace, CheckpointPhase, Plan, number_of};
use super::context::Context;
use super::ledger::{ClaimedList, Ledger, PageRequest};
use super::link::ANSWER;
use super::memory::{Memory, Snapshot};
use super::part::Part;
use super::record::{ListPosition, Record, Revision, SegmentIndex};
use super::verdict::ExpectedRecord;
use crate::boot_clock::BootInstant;
use crate::checkpoint_requests::CoveredRequests;
use crate::self_metrics::checkpoint::CheckpointMetrics;
use crate::settings::Endpoint;
use crate::source::SourceError;
use crate::source::redis::shared_queue::SharedQueue;
use crate::source::redis::wake::Waiter;

/// Lists that are claimed and not covered, at most: while no checkpoint can be
/// written, the rest waits in the queue.
const MOST_OPEN_LISTS: usize = 100_000;
/// A claim of fewer elements is small.
const SMALL_CLAIM: u64 = 1000;

pub(super) struct Owned {
    pub expected: ExpectedRecord,
    pub ledger: Ledger,
    /// The index of the last checkpoint.
    pub index: SegmentIndex,
    pub head: Vec<u8>,
    pub phase: CheckpointPhase,
    pub pace: CheckpointPace,
    /// When the checkpoint under way began.
    pub begun: Instant,
    pub covered: CoveredRequests,
    /// Bytes of elements that came in since the last checkpoint.
    pub bytes_read: u64,
    /// The last list of those whose elements have yet to be applied again.
    pub replay: Option<u64>,
    /// What was asked on the link and not answered, in order.
    pub outstanding: VecDeque<Outstanding>,
    pub renewed: BootInstant,
    pub claims: ClaimPacing,
    /// Every segment has to be written, since Redis has none. Until that is done
    /// nothing is read.
    pub write_all: bool,
    /// The version of a record that is being written from memory, while it is not
    /// known whether that was done.
    pub founding: Option<Revision>,
    /// The last checkpoint was begun after the stop signal.
    pub is_saved: bool,
    /// The queue is being given back.
    pub closing: bool,
}

/// What an owner asked on its link.
#[derive(Debug)]
pub(super) enum Outstanding {
    Renew(BootInstant),
    Claim(Revision),
    Page(PageRequest),
    /// A page that is not used.
    Void,
    Stage,
    Commit,
    Sweep,
    Release,
}

/// When the next claim may come.
pub(super) struct ClaimPacing {
    pub not_before: Instant,
    /// The queue was empty when it was last looked at.
    pub drained: bool,
    /// The queue was no list when it was last looked at.
    pub refused: bool,
    pub wait: Wait,
}

/// Whether somebody waits for the queue to have elements.
pub(super) enum Wait {
    Idle(Box<Waiter>),
    Waiting(Pin<Box<dyn Future<Output = Waited>>>),
}

type Waited = (Box<Waiter>, Result<(), SourceError>);

impl Default for Wait {
    fn default() -> Self {
        Wait::Idle(Box::default())
    }
}

impl Wait {
    pub fn begin(&mut self, queue: &Arc<SharedQueue>, endpoint: &Endpoint) {
        let Wait::Idle(waiter) = self else { return };
        let mut waiter = std::mem::take(waiter);
        let (queue, endpoint) = (Arc::clone(queue), endpoint.clone());
        *self = Wait::Waiting(Box::pin(async move {
            let outcome = waiter.wait(&queue.waker, &queue.connector, &endpoint).await;
            (waiter, outcome)
        }));
    }

    pub fn found(&mut self) {
        if let Wait::Idle(waiter) = self {
            waiter.found();
        }
    }
}

impl Owned {
    /// What was asked and not answered has to be asked again; what may have been
    /// done is in doubt.
    pub fn link_broke(&mut self, checkpoints: &CheckpointMetrics) {
        if self.phase.stage_again() {
            checkpoints.failed();
        }
        self.expected.commit = self.phase.in_doubt();
        for request in std::mem::take(&mut self.outstanding) {
            if let Outstanding::Claim(tip) = request {
                self.expected.claim = Some(tip);
            }
        }
        self.ledger.ask_again();
        self.claims.wait = Wait::default();
        self.claims.drained = false;
    }

    /// A checkpoint that is not safe yet will not be: it counts as failed, once.
    pub fn give_up_checkpoint(&mut self, checkpoints: &CheckpointMetrics) {
        if self.phase.is_unsafe() {
            checkpoints.failed();
            self.phase.stage_again();
        }
    }

    /// Takes note that the page handed out last, of `count` elements, was routed.
    pub fn page_was_routed(&mut self, context: &Context, count: u64) {
        if count > 0 {
            self.ledger.routed(count);
        }
        context.access.queue.metrics.claimed.store(self.ledger.unrouted(), Ordering::Relaxed);
        let position = self.ledger.position();
        if self.replay.is_some_and(|last| position.list > last) {
            self.replay = None;
            tracing::info!("every element that was claimed is applied");
            context.caught_up();
        }
    }

    /// Whether a record that was just renewed has the fields without which it
    /// would be damaged.
    pub fn is_whole(&self, has_index: Option<&String>, has_head: Option<&String>) -> bool {
        let is_there = |flag: Option<&String>| flag.is_some_and(|flag| flag == "1");
        is_there(has_index) && (self.head.is_empty() || is_there(has_head))
    }

    /// What is known of a queue that was just loaded.
    pub fn new(record: &Record, head: Vec<u8>, ledger: Ledger, pace: CheckpointPace) -> Self {
        let now = Instant::now();
        let unrouted = ledger.unrouted() > 0;
        Self {
            expected: ExpectedRecord::settled(record),
            replay: unrouted.then_some(record.tip.number),
            ledger,
            index: record.index.clone(),
            head,
            phase: CheckpointPhase::Idle,
            pace,
            begun: now,
            covered: CoveredRequests::default(),
            bytes_read: 0,
            outstanding: VecDeque::new(),
            renewed: BootInstant::now(),
            claims: ClaimPacing {
                not_before: now,
                drained: false,
                refused: false,
                wait: Wait::default(),
            },
            write_all: false,
            founding: None,
            is_saved: false,
            closing: false,
        }
    }

    /// Of the page that has just come only the oldest elements are used: what comes
    /// after them is asked for again.
    pub fn take_back_pages(&mut self, used: u64) {
        for request in &mut self.outstanding {
            if matches!(request, Outstanding::Page(_)) {
                *request = Outstanding::Void;
            }
        }
        self.ledger.came_short(used);
    }

    pub fn pages_in_flight(&self) -> usize {
        let is_page = |request: &&Outstanding| matches!(request, Outstanding::Page(_));
        self.outstanding.iter().filter(is_page).count()
    }

    /// Whether pages may be asked for. Not under a record that was written from memory
    /// and has no checkpoint yet: a reload would find nothing of what was read.
    pub fn may_read(&self) -> bool {
        !self.write_all
    }

    pub fn may_claim(&self, memory: &dyn Memory) -> bool {
        let has_room =
            self.may_read() && memory.may_claim() && self.ledger.open_lists() < MOST_OPEN_LISTS;
        let mut requests = self.outstanding.iter();
        let is_reading =
            requests.any(|request| matches!(request, Outstanding::Page(_) | Outstanding::Claim(_)));
        has_room && self.ledger.is_all_asked() && !is_reading
    }

    pub fn claimed(&mut self, list: ClaimedList) {
        self.ledger.claimed(list);
        self.claims.drained = false;
        self.claims.wait.found();
        if list.length >= SMALL_CLAIM {
            self.claims.not_before = Instant::now();
        }
    }

    /// Fields that no index speaks of are deleted once there is time.
    pub fn sweep_later(&mut self, fields: Vec<String>) {
        self.phase = CheckpointPhase::Sweeping(fields.into());
    }

    pub fn is_checkpoint_due(&self, now: Instant) -> bool {
        if self.write_all {
            return true;
        }
        let uncovered = self.ledger.uncovered();
        let for_size = self.pace.is_due_for_size(uncovered, self.ledger.open_lists(), now);
        for_size || (uncovered > 0 && now >= self.pace.due_at(self.bytes_read))
    }

    pub fn plan(&self, part: Part, covered: ListPosition, taken: Snapshot) -> Plan {
        let new = self.expected.version.next();
        let mut index = self.index.clone();
        taken.segments.iter().for_each(|stored| index.set(number_of(stored), new));
        Plan {
            old: self.expected.version,
            new,
            covered,
            place: part.has_places().then(|| self.ledger.place_of(covered)),
            release: self.ledger.release_up_to(covered),
            head: taken.head,
            segments: taken.segments,
            index,
            snapshot: taken.number,
            is_whole: self.write_all,
        }
    }

    /// The commit under way is done.
    pub fn committed(&mut self, context: &mut Context) {
        let Context { settings, memory, .. } = context;
        let CheckpointPhase::Committing(plan) = std::mem::take(&mut self.phase) else { return };
        self.expected.version = plan.new;
        let replaced = plan.replaced(&self.index);
        let bytes = plan.bytes() as u64;
        self.ledger.cover(plan.covered);
        self.index = plan.index;
        self.head = plan.head;
        self.write_all &= !plan.is_whole;
        self.bytes_read = 0;
        let now = Instant::now();
        self.pace.done(self.begun, now, bytes);
        memory.metrics().succeeded(now - self.begun, bytes);
        memory.committed(plan.snapshot);
        settings.checkpoint_requests.committed(self.covered);
        self.phase = CheckpointPhase::Sweeping(replaced);
    }

    /// When something has to be done though nothing comes, where the last bytes of
    /// the server came in at `heard`.
    pub fn next_due(&self, memory: &dyn Memory, renewal_pace: Duration, heard: Instant) -> Instant {
        let now = Instant::now();
        let renewal = renewal_pace.saturating_sub(BootInstant::now().since(self.renewed));
        let mut due = now + renewal;
        if !self.outstanding.is_empty() {
            due = due.min(heard + ANSWER);
        }
        if self.may_claim(memory) && !self.claims.drained {
            due = due.min(self.claims.not_before);
        }
        if matches!(self.phase, CheckpointPhase::Idle)
            && !self.closing
            && self.ledger.uncovered() > 0
        {
            due = due.min(self.pace.due_at(self.bytes_read));
        }
        due.max(now)
    }
}
