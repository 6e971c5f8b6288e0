//! Owned: what an owner knows, and what follows from that.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::super::SourceError;
use super::super::Shared;
use super::super::wake::Waiter;
use super::checkpoint::{Pace, Phase, Plan, number_of};
use super::ledger::{Ledger, PageRequest};
use super::link::ANSWER;
use super::record::{Index, Position, Record, Stamp};
use super::verdict::Expected;
use crate::boot_clock::BootInstant;
use crate::checkpoint::{Checkpoints, TakenSnapshot};
use crate::checkpoint_requests::{CheckpointRequests, CoveredRequests};
use crate::self_metrics::checkpoint::CheckpointMetrics;
use crate::settings::Endpoint;

/// Lists that are claimed and not covered, at most: while no checkpoint can be
/// written, the rest waits in the queue.
const MOST_OPEN_LISTS: usize = 100_000;
/// A claim of fewer elements is small.
const SMALL_CLAIM: u64 = 1000;

/// What an owner knows.
#[derive(Debug)]
pub(super) struct Owned {
    pub expected: Expected,
    pub ledger: Ledger,
    /// The index of the last checkpoint.
    pub index: Index,
    /// Its head.
    pub head: Vec<u8>,
    pub phase: Phase,
    pub pace: Pace,
    /// When the checkpoint under way began.
    pub begun: Instant,
    /// Who asked for it.
    pub covered: CoveredRequests,
    /// Bytes of elements that came in since the last checkpoint.
    pub bytes_read: u64,
    /// Elements that have yet to be applied again.
    pub replay: Option<Replay>,
    /// What was asked on the link, in order.
    pub asked: VecDeque<Asked>,
    pub renewed: BootInstant,
    pub claims: Claims,
    /// Every segment has to be written, since Redis has none.
    pub write_all: bool,
    /// The version of a record that was begun out of the memory, while its
    /// outcome is not known.
    pub founding: Option<Stamp>,
    /// The last checkpoint was begun after the stop signal.
    pub is_saved: bool,
    /// The queue is being given back.
    pub closing: bool,
}

/// How a replay stands.
#[derive(Debug)]
pub(super) struct Replay {
    /// The last list that it has.
    pub last: u64,
}

/// What an owner asked on its link.
#[derive(Debug)]
pub(super) enum Asked {
    Renew(BootInstant),
    Claim(Stamp),
    Page(PageRequest),
    /// A page that is not used.
    Void,
    Stage,
    Commit,
    Sweep,
    Release,
}

/// When the next claim may come.
#[derive(Debug)]
pub(super) struct Claims {
    /// Not before that time.
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

/// Who has waited, and what came of it.
type Waited = (Box<Waiter>, Result<(), SourceError>);

impl Default for Wait {
    fn default() -> Self {
        Wait::Idle(Box::default())
    }
}

impl Wait {
    /// Begins to wait, where nobody does.
    pub fn begin(&mut self, shared: &Arc<Shared>, endpoint: &Endpoint) {
        let Wait::Idle(waiter) = self else { return };
        let mut waiter = std::mem::take(waiter);
        let (shared, endpoint) = (Arc::clone(shared), endpoint.clone());
        *self = Wait::Waiting(Box::pin(async move {
            let outcome = waiter.wait(&shared.waker, &shared.connector, &endpoint).await;
            (waiter, outcome)
        }));
    }

    /// There was something.
    pub fn found(&mut self) {
        if let Wait::Idle(waiter) = self {
            waiter.found();
        }
    }
}

impl std::fmt::Debug for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Wait::Idle(_) => "Idle",
            Wait::Waiting(_) => "Waiting",
        })
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
        for asked in std::mem::take(&mut self.asked) {
            if let Asked::Claim(tip) = asked {
                self.expected.claim = Some(tip);
            }
        }
        self.ledger.ask_again();
        self.claims.wait = Wait::default();
        self.claims.drained = false;
    }

    /// Whether a record that was just renewed has the fields without which it
    /// would be damaged.
    pub fn is_whole(&self, has_index: Option<&String>, has_head: Option<&String>) -> bool {
        let is_there = |flag: Option<&String>| flag.is_some_and(|flag| flag == "1");
        is_there(has_index) && (self.head.is_empty() || is_there(has_head))
    }

    /// What is known of a queue that was just loaded.
    pub fn new(record: &Record, head: Vec<u8>, ledger: Ledger, pace: Pace) -> Self {
        let now = Instant::now();
        let unrouted = ledger.unrouted() > 0;
        Self {
            expected: Expected::settled(record.version, record.tip),
            replay: unrouted.then_some(Replay { last: record.tip.number }),
            ledger,
            index: record.index.clone(),
            head,
            phase: Phase::Idle,
            pace,
            begun: now,
            covered: CoveredRequests::default(),
            bytes_read: 0,
            asked: VecDeque::new(),
            renewed: BootInstant::now(),
            claims: Claims {
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

    /// Of the page that has just come only the oldest elements are used: what lies
    /// behind them is asked for again.
    pub fn take_back_pages(&mut self, used: u64) {
        for asked in &mut self.asked {
            if matches!(asked, Asked::Page(_)) {
                *asked = Asked::Void;
            }
        }
        self.ledger.came_short(used);
    }

    pub fn pages_in_flight(&self) -> usize {
        self.asked.iter().filter(|asked| matches!(asked, Asked::Page(_))).count()
    }

    /// Whether pages may be asked for. Not under a record that was begun anew
    /// and has no checkpoint yet: a reload would find nothing of what was read.
    pub fn may_read(&self) -> bool {
        !self.write_all
    }

    pub fn may_claim(&self) -> bool {
        let busy = |asked: &Asked| matches!(asked, Asked::Page(_) | Asked::Claim(_));
        let has_room = self.may_read() && self.ledger.open_lists() < MOST_OPEN_LISTS;
        has_room && self.ledger.is_all_asked() && !self.asked.iter().any(busy)
    }

    pub fn claimed(&mut self, length: u64) {
        self.ledger.claimed(length);
        self.claims.drained = false;
        self.claims.wait.found();
        if length >= SMALL_CLAIM {
            self.claims.not_before = Instant::now();
        }
    }

    /// Fields that no index speaks of are deleted once there is time.
    pub fn sweep_later(&mut self, fields: Vec<String>) {
        self.phase = Phase::Sweeping(fields.into());
    }

    pub fn is_checkpoint_due(&self, now: Instant) -> bool {
        if self.write_all {
            return true;
        }
        let uncovered = self.ledger.uncovered();
        let for_size = self.pace.is_due_for_size(uncovered, self.ledger.open_lists(), now);
        for_size || (uncovered > 0 && now >= self.pace.due_at(self.bytes_read))
    }

    pub fn plan(&self, covered: Position, taken: TakenSnapshot) -> Plan {
        let new = self.expected.version.next();
        let mut index = self.index.clone();
        taken.segments.iter().for_each(|stored| index.set(number_of(stored), Some(new)));
        Plan {
            old: self.expected.version,
            new,
            covered,
            release: self.ledger.release_up_to(covered),
            head: taken.head.encode(),
            segments: taken.segments,
            index,
            snapshot: taken.number,
            is_whole: self.write_all,
        }
    }

    /// The commit under way is done.
    pub fn committed(&mut self, checkpoints: &Checkpoints, requests: &CheckpointRequests) {
        let Phase::Committing(plan) = std::mem::take(&mut self.phase) else { return };
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
        checkpoints.metrics().succeeded(now - self.begun, bytes);
        // Shards that have gone have nothing to remember.
        let _ = checkpoints.committed(plan.snapshot);
        requests.committed(self.covered);
        self.phase = Phase::Sweeping(replaced);
    }

    /// When something has to be done though nothing comes.
    /// The last bytes of the server were `heard` then.
    pub fn next_due(&self, renewal_pace: Duration, heard: Instant) -> Instant {
        let now = Instant::now();
        let renewal = renewal_pace.saturating_sub(BootInstant::now().since(self.renewed));
        let mut due = now + renewal;
        if !self.asked.is_empty() {
            due = due.min(heard + ANSWER);
        }
        if self.may_claim() && !self.claims.drained {
            due = due.min(self.claims.not_before);
        }
        if matches!(self.phase, Phase::Idle) && !self.closing && self.ledger.uncovered() > 0 {
            due = due.min(self.pace.due_at(self.bytes_read));
        }
        due.max(now)
    }
}
