//! The source of one worker: pops while there is a backlog, waits while there is
//! none, and hands out every element that a reply brought.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::{Batch, QueueSource, Slice, SourceError, Taken};
use super::decoder::Reply;
use super::error::{error, io_failed, protocol_broken, refused};
use super::health::HealthReporter;
use super::once::refuse_uncovered;
use super::pop_connection::{Pop, PopConnection, is_count_refused};
use super::replies::ReplyStream;
use super::schedule::Schedule;
use super::shared_queue::SharedQueue;
use super::wait_bound::WaitBound;
use super::wake::Waiter;
use super::workload::{Scale, Workload};
use crate::error_kind::ErrorKind;
use crate::fatal::FatalError;
use crate::self_metrics::WorkerMetrics;
use crate::stop::StopSignal;

/// The usual size of the read buffer: one read makes one batch.
const BUFFER_BYTES: usize = 256 * 1024;

/// How long replies in flight are waited for after the stop signal, while
/// nothing comes.
const LAST_REPLIES: Duration = Duration::from_secs(5);

/// Replies that are later than this are no reason for other workers to wait.
const LATE_REPLY: Duration = Duration::from_secs(1);

/// A connection that the server closes after it was idle for this long is
/// opened again silently: servers close idle connections.
const IDLE: Duration = Duration::from_secs(1);

/// Pops the elements of a Redis list.
#[derive(Debug)]
pub struct RedisSource {
    shared: Arc<SharedQueue>,
    reporter: HealthReporter,
    metrics: Arc<WorkerMetrics>,
    stop: StopSignal,
    schedule: Schedule,
    workload: Workload,
    waiter: Waiter,
    late: WaitBound,
    link: Option<PopConnection>,
    /// Elements of the batch that is handed out.
    elements: Vec<Slice>,
    /// The last reply was not full, or other workers are enough for what is
    /// there: no more is asked for before a wait.
    drained: bool,
    /// An error to be reported once everything that is in flight has come in.
    failure: Option<SourceError>,
    in_trouble: bool,
    connected_before: bool,
    /// It is known that no claimed list is in the way.
    guarded: bool,
}

impl QueueSource for RedisSource {
    async fn take(&mut self) -> Result<Taken<'_>, SourceError> {
        self.workload.routed(&self.metrics);
        self.elements.clear();
        if !self.fill().await? {
            return Ok(Taken::Ended);
        }
        let buffer = self.link.as_ref().map_or(&[][..], |link| link.replies.bytes());
        Ok(Taken::Batch(Batch { buffer, elements: &self.elements, origin: None }))
    }
}

impl RedisSource {
    pub(super) fn new(
        shared: Arc<SharedQueue>,
        worker: usize,
        metrics: Arc<WorkerMetrics>,
        stop: StopSignal,
    ) -> Self {
        let schedule = Schedule::new(shared.pop_count, shared.max_bytes_in_flight);
        Self {
            shared,
            reporter: HealthReporter::Reader(worker),
            metrics,
            stop,
            schedule,
            workload: Workload::new(available_parallelism().map_or(1, usize::from)),
            waiter: Waiter::default(),
            late: WaitBound::new(LATE_REPLY),
            link: None,
            elements: Vec::new(),
            drained: false,
            failure: None,
            in_trouble: false,
            connected_before: false,
            guarded: false,
        }
    }

    /// Works until there are elements; false when the stop signal was obeyed.
    async fn fill(&mut self) -> Result<bool, SourceError> {
        loop {
            if self.link.as_ref().is_none_or(|link| link.in_flight.is_empty()) {
                if let Some(failure) = self.failure.take() {
                    return Err(self.fail(failure));
                }
                if self.stop.is_stopped() {
                    self.waiter.reset();
                    return Ok(false);
                }
                if let Err(failure) = self.get_ready().await {
                    return Err(self.fail(failure));
                }
            }
            self.ask().await;
            self.receive().await;
            if !self.elements.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Connects, or waits for elements; returns early at the stop signal.
    async fn get_ready(&mut self) -> Result<(), SourceError> {
        if self.drained && self.link.is_some() {
            self.wait().await?;
        }
        if self.link.as_ref().is_some_and(|link| link.leads_elsewhere(&self.shared)) {
            self.link = None;
            self.waiter.reset();
        }
        if self.link.is_none() && !self.stop.is_stopped() {
            self.connect().await?;
        }
        self.drained = false;
        Ok(())
    }

    async fn connect(&mut self) -> Result<(), SourceError> {
        let connected = tokio::select! {
            biased;
            () = self.stop.stopped() => return Ok(()),
            connected = self.shared.connector.connect() => connected?,
        };
        if self.connected_before {
            self.shared.metrics.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        self.connected_before = true;
        let mut replies =
            ReplyStream::new(connected.stream, BUFFER_BYTES, self.shared.max_element_bytes)
                .asking(connected.is_asking);
        self.guard(&mut replies).await?;
        self.link = Some(PopConnection::new(replies, connected.endpoint));
        Ok(())
    }

    /// Ends the process where popping would count elements a second time.
    async fn guard(&mut self, replies: &mut ReplyStream) -> Result<(), SourceError> {
        if self.guarded {
            return Ok(());
        }
        let asked = timeout(LAST_REPLIES, refuse_uncovered(replies, &self.shared.key)).await;
        let answer = match asked {
            Ok(answer) => answer?,
            Err(_) => return Err(error(ErrorKind::Timeout, "no answer about claimed lists")),
        };
        if let Some(refusal) = answer {
            self.shared.fatal.raise(FatalError::BadConfiguration(refusal));
            self.stop.stopped().await;
        }
        self.guarded = true;
        Ok(())
    }

    /// Waits until a pop is worth trying. A connection that breaks meanwhile is
    /// dropped; nothing was in flight on it.
    async fn wait(&mut self) -> Result<(), SourceError> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let since = Instant::now();
        let broken = tokio::select! {
            biased;
            () = self.stop.stopped() => {
                self.waiter.reset();
                return Ok(());
            }
            broken = link.replies.receive() => broken,
            outcome = self.waiter.wait(&self.shared.waker, &self.shared.connector, &link.endpoint)
                => return outcome,
        };
        self.link = None;
        self.waiter.reset();
        match broken {
            Err(_) if since.elapsed() >= IDLE => Ok(()),
            Err(cause) => Err(io_failed("waiting for elements", &cause)),
            Ok(()) => Err(error(ErrorKind::Protocol, "expected silence, got a reply to nothing")),
        }
    }

    /// Asks for as much as the schedule allows, in one write.
    async fn ask(&mut self) {
        if self.drained || self.failure.is_some() || self.stop.is_stopped() {
            return;
        }
        let Some(link) = &mut self.link else { return };
        let (count, depth) = (self.schedule.count(), self.schedule.depth());
        while link.in_flight.len() < depth {
            link.pop(&self.shared.key, count);
        }
        if let Err(cause) = link.replies.send().await {
            self.break_link(io_failed("asking for elements", &cause));
        }
    }

    /// Reads once, and decodes what has come in; asks for more at once, so that
    /// Redis works while the batch is parsed.
    async fn receive(&mut self) {
        let Some(link) = &mut self.link else { return };
        if link.in_flight.is_empty() {
            return;
        }
        let late = link.replies.heard().elapsed() >= LATE_REPLY;
        let received = tokio::select! {
            biased;
            received = link.replies.receive() => Some(received),
            () = self.stop.stopped() => timeout(LAST_REPLIES, link.replies.receive()).await.ok(),
            () = self.late.passes() => {
                self.waiter.give_up_turn();
                if let Some(lost) = link.lost(&self.shared) {
                    self.break_link(lost);
                }
                return;
            }
        };
        match received {
            Some(Ok(())) => match link.lost(&self.shared).filter(|_| late) {
                Some(lost) => self.break_link(lost),
                None => {
                    self.decode();
                    self.ask().await;
                }
            },
            Some(Err(cause)) => {
                self.schedule.was_cut();
                self.break_link(io_failed("taking elements", &cause));
            }
            None => {
                let count = link.in_flight.len();
                let message = format!("stopped while {count} pops were not answered");
                self.break_link(error(ErrorKind::Timeout, message));
            }
        }
    }

    fn decode(&mut self) {
        while let Some(link) = &mut self.link {
            let before = self.elements.len();
            let reply = match link.replies.next(&mut self.elements) {
                Ok(reply) => reply,
                Err(cause) => return self.break_link(protocol_broken(&cause)),
            };
            let largest = self.elements[before..].iter().map(Slice::len).max().unwrap_or(0);
            if self.elements.len() > before {
                self.schedule.observe(largest);
            }
            let Some(reply) = reply else { return };
            self.settle(reply);
        }
    }

    /// Takes a reply off what is in flight.
    fn settle(&mut self, reply: Reply) {
        let Some(link) = &mut self.link else { return };
        let Some(pop) = link.in_flight.front_mut() else {
            let message = "expected silence, got a reply to nothing";
            return self.break_link(error(ErrorKind::Protocol, message));
        };
        match reply {
            Reply::Elements(found) => pop.found += found,
            Reply::Nil => {}
            Reply::Error(words) => return self.refuse(&words),
        }
        pop.owed -= 1;
        if pop.owed == 0 {
            let (asked, found) = (pop.asked, pop.found);
            link.in_flight.pop_front();
            self.finish(asked, found);
        }
    }

    /// A pop is over: what it found says whether there is a backlog.
    fn finish(&mut self, asked: usize, found: usize) {
        if let Some(link) = self.link.as_mut().filter(|link| !link.is_announced) {
            link.is_announced = true;
            self.shared.taking_from(&link.endpoint);
        }
        if self.in_trouble {
            self.shared.works(self.reporter);
            self.in_trouble = false;
        }
        if found == 0 {
            self.metrics.empty_pops.fetch_add(1, Ordering::Relaxed);
        } else {
            self.waiter.found();
        }
        self.drained = found < asked;
        if self.drained {
            self.schedule.decrease();
        } else {
            self.schedule.increase();
            self.share_backlog();
        }
    }

    /// There is more: others are let in where that is worth it, and where they
    /// are enough, this one goes.
    fn share_backlog(&mut self) {
        match self.workload.scale() {
            Scale::Up => self.waiter.give_up_turn(),
            Scale::Keep => {}
            Scale::Down => {
                if !self.waiter.keep_turn(&self.shared.waker) {
                    self.drained = true;
                    self.schedule.decrease();
                }
            }
        }
    }

    /// An error reply: reported once the other replies have come in.
    fn refuse(&mut self, words: &str) {
        let Some(link) = &mut self.link else { return };
        let Some(pop) = link.in_flight.pop_front() else { return };
        if is_count_refused(words) && !pop.one_by_one {
            link.one_by_one = true;
            link.request_count = 0;
            return;
        }
        if pop.owed > 1 {
            link.in_flight.push_front(Pop { owed: pop.owed - 1, ..pop });
        }
        self.shared.connector.note_refusal(&link.endpoint, words);
        self.failure.get_or_insert_with(|| refused("RPOP", words));
    }

    /// Nothing more can come from this connection; elements that have come are
    /// still in its buffer, so it is dropped when the failure is reported.
    fn break_link(&mut self, failure: SourceError) {
        if let Some(link) = &mut self.link {
            link.in_flight.clear();
        }
        // What broke the connection says more than what was refused before.
        self.failure = Some(failure);
    }

    /// Counts and reports a failure, and decides what becomes of the connection.
    fn fail(&mut self, failure: SourceError) -> SourceError {
        self.drained = false;
        self.in_trouble = true;
        self.schedule.decrease();
        self.shared.failed(self.reporter, &failure);
        if failure.kind.leaves_connection() {
            self.waiter.give_up_turn();
        } else {
            self.link = None;
            self.waiter.reset();
        }
        failure
    }
}
