//! The source of an owner: it takes the queue over or waits for that, loads the
//! last checkpoint, and hands out pages of the claimed lists in the order of the
//! queue.
//!
//! That a page was routed is known when the next one is asked for, so what lies
//! before it is what a checkpoint covers that begins then.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::super::super::{ErrorKind, Page, QueueSource, SourceError, Taken};
use super::super::Shared;
use super::super::error::error;
use super::super::health::Party;
use super::super::schedule::Schedule;
use super::super::wake::Waiter;
use super::OnceSettings;
use super::checkpoint::{Fence, Pace, Phase};
use super::keys::Keys;
use super::ledger::{Ledger, PageRequest};
use super::link::Link;
use super::record::{Index, Record, Stamp, new_nonce};
use super::verdict::Expected;
use super::watch::Watch;
use crate::boot_clock::BootInstant;
use crate::doom::End;
use crate::self_metrics::WorkerMetrics;
use crate::settings::Endpoint;
use crate::stop::StopSignal;

/// Reads a Redis list as its owner.
#[derive(Debug)]
pub struct OnceSource {
    pub(super) shared: Arc<Shared>,
    pub(super) settings: OnceSettings,
    pub(super) keys: Keys,
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) stop: StopSignal,
    /// Of this process: tells its writes from those of others.
    pub(super) token: String,
    /// The highest epoch that this process ever held.
    pub(super) epoch: u64,
    pub(super) link: Option<Link>,
    pub(super) stage: Stage,
    /// What a load at which version and tip could not find.
    pub(super) missed: Option<(Stamp, Stamp)>,
    pub(super) schedule: Schedule,
    pub(super) has_warned: bool,
    connected_before: bool,
    in_trouble: bool,
    /// Elements of the page that was handed out last.
    handed_out: u64,
}

/// What the source is to the queue.
#[derive(Debug)]
pub(super) enum Stage {
    /// Not its owner.
    Outside(Watch),
    /// Its owner, but the memory is not what Redis says; with what was known of
    /// it, in case that Redis has lost everything.
    Loading(Option<Box<Owned>>),
    /// Its owner, with the right memory.
    Owning(Box<Owned>),
    /// Nothing more is taken.
    Ended,
}

/// What an owner knows.
#[derive(Debug)]
pub(super) struct Owned {
    pub expected: Expected,
    pub ledger: Ledger,
    /// The index of the last checkpoint.
    pub index: Index,
    pub phase: Phase,
    pub pace: Pace,
    /// When the checkpoint under way began.
    pub begun: Instant,
    /// Bytes of elements that came in since the last checkpoint.
    pub bytes_read: u64,
    /// Elements that have yet to be applied again.
    pub replay: Option<Replay>,
    /// What was asked on the link, in order.
    pub asked: VecDeque<Asked>,
    pub last_heard: Instant,
    pub renewed: BootInstant,
    pub claims: Claims,
    /// Every segment has to be written, since Redis has none.
    pub write_all: bool,
    /// The record that was written anew, while its outcome is not known.
    pub founding: Option<Record>,
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

/// What a step of the source came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    Again,
    /// The link holds a page.
    Page,
    /// The memory is about to be dropped.
    Forget,
    /// Nothing more comes.
    Ended,
}

impl std::fmt::Debug for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Wait::Idle(_) => "Idle",
            Wait::Waiting(_) => "Waiting",
        })
    }
}

impl QueueSource for OnceSource {
    async fn take(&mut self) -> Result<Taken<'_>, SourceError> {
        self.page_was_routed();
        loop {
            let step = match &self.stage {
                Stage::Outside(_) => self.enter().await,
                Stage::Loading(_) => self.load().await,
                Stage::Owning(_) if self.link.is_none() => self.resume().await,
                Stage::Owning(_) => self.own().await,
                Stage::Ended => Ok(Step::Ended),
            };
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Page) => return Ok(Taken::Page(self.page())),
                Ok(Step::Forget) => return Ok(Taken::Forget),
                Ok(Step::Ended) => return Ok(Taken::Ended),
                Err(failure) => return Err(self.fail(failure)),
            }
        }
    }
}

impl OnceSource {
    pub(in super::super) fn new(
        shared: Arc<Shared>,
        settings: OnceSettings,
        metrics: Arc<WorkerMetrics>,
        stop: StopSignal,
    ) -> Self {
        Self {
            keys: Keys::beside(&shared.key),
            token: format!("{:016x}", new_nonce()),
            epoch: 0,
            link: None,
            stage: Stage::Outside(Watch::default()),
            missed: None,
            schedule: Schedule::new(shared.pop_count, shared.max_bytes_in_flight),
            has_warned: false,
            connected_before: false,
            in_trouble: false,
            handed_out: 0,
            shared,
            settings,
            metrics,
            stop,
        }
    }

    pub(super) fn fence(&self) -> Fence<'_> {
        Fence { keys: &self.keys, epoch: self.epoch, token: &self.token }
    }

    /// Connects to the primary; nothing is asked yet.
    pub(super) async fn connect(&mut self) -> Result<&mut Link, SourceError> {
        let link = Link::connect(&self.shared).await?;
        if self.connected_before {
            self.shared.metrics.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        self.connected_before = true;
        Ok(self.link.insert(link))
    }

    /// It works: what was wrong with Redis is over.
    pub(super) fn works(&mut self) {
        if std::mem::take(&mut self.in_trouble) {
            self.shared.works(self.party());
        }
    }

    /// Says what goes wrong while the link stays.
    pub(super) fn complain(&mut self, failure: &SourceError) {
        self.in_trouble = true;
        self.shared.failed(self.party(), failure);
    }

    /// Ends the process, before anything else is done.
    pub(super) fn doom(&mut self, end: End) -> Step {
        self.settings.gate.close("the gateway ends");
        self.settings.doom.end(end);
        self.link = None;
        self.stage = Stage::Ended;
        Step::Ended
    }

    /// The memory is not what Redis says: it is dropped and loaded anew, over a
    /// new connection, which raises the epoch.
    pub(super) fn reload(&mut self, why: &str) -> Step {
        tracing::warn!("loading the last checkpoint anew: {why}");
        self.shared.metrics.reloads.fetch_add(1, Ordering::Relaxed);
        self.settings.gate.close("the last checkpoint is being loaded");
        self.link = None;
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Owning(mut owned) => {
                owned.link_broke();
                Stage::Loading(Some(owned))
            }
            Stage::Loading(owned) => Stage::Loading(owned),
            Stage::Outside(_) | Stage::Ended => Stage::Loading(None),
        };
        Step::Forget
    }

    /// What an unknown holder of the queue means.
    pub(super) fn displaced(&mut self) -> Step {
        self.doom(End::Failed("another gateway has taken the queue over".to_owned()))
    }

    /// A record as text that this version can't read.
    pub(super) fn unreadable(&mut self, cause: impl std::fmt::Display) -> Step {
        let owner = &self.keys.owner;
        let message = format!("the state in redis is left as it is, since {owner}: {cause}");
        self.doom(End::Failed(message))
    }

    /// The memory is what Redis says.
    pub(super) fn caught_up(&self) {
        // Shards that have gone let nothing expire.
        let _ = self.settings.checkpoints.let_expire();
        self.settings.gate.memory_is_whole();
    }

    fn party(&self) -> Party {
        Party::Worker(0)
    }

    /// The elements of the reply in hand, oldest first.
    fn page(&mut self) -> Page<'_> {
        let Some(link) = &mut self.link else { return Page { buffer: &[], elements: &[] } };
        // A list is kept newest first.
        link.elements().reverse();
        self.handed_out = link.elements().len() as u64;
        let (buffer, elements) = link.page();
        Page { buffer, elements }
    }

    fn page_was_routed(&mut self) {
        let count = std::mem::take(&mut self.handed_out);
        let Stage::Owning(owned) = &mut self.stage else { return };
        if count > 0 {
            owned.ledger.routed(count);
        }
        self.shared.metrics.claimed.store(owned.ledger.unrouted(), Ordering::Relaxed);
        let position = owned.ledger.position();
        if owned.replay.as_ref().is_some_and(|replay| position.list > replay.last) {
            owned.replay = None;
            tracing::info!("every element that was claimed is applied");
            self.caught_up();
        }
    }

    /// Counts and tells a failure. What was asked is in doubt, so the connection
    /// is not used again.
    fn fail(&mut self, failure: SourceError) -> SourceError {
        self.complain(&failure);
        self.link = None;
        if let Stage::Owning(owned) = &mut self.stage {
            owned.link_broke();
        }
        if self.stop.is_stopped() {
            tracing::warn!("stopping without a last checkpoint: the next start applies the rest");
            self.stage = Stage::Ended;
        }
        failure
    }
}

impl Owned {
    /// What was asked and not answered has to be asked again; what may have been
    /// done is in doubt.
    pub fn link_broke(&mut self) {
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

    /// What is known of a queue that was just loaded.
    pub fn new(record: &Record, ledger: Ledger, pace: Pace) -> Self {
        let now = Instant::now();
        let unrouted = ledger.unrouted() > 0;
        Self {
            expected: Expected::settled(record.version, record.tip),
            replay: unrouted.then_some(Replay { last: record.tip.number }),
            ledger,
            index: record.index.clone(),
            phase: Phase::Idle,
            pace,
            begun: now,
            bytes_read: 0,
            asked: VecDeque::new(),
            last_heard: now,
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
}

/// A reply that nothing asked for.
pub(super) fn unasked() -> SourceError {
    error(ErrorKind::Protocol, "expected silence, got a reply to nothing")
}
