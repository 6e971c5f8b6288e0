//! Owning: what an owner does while its connection stands. It keeps the lease,
//! claims the backlog, asks for pages, and takes the answers in their order.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::super::SourceError;
use super::super::decoder::Reply;
use super::super::error::{error, kind_of_reply, refused};
use super::checkpoint::{self, Phase};
use super::link::{ANSWER, Answer};
use super::owned::{Asked, Wait};
use super::saving::taken;
use super::scripts;
use super::source::{OnceSource, Stage, Step, unasked};
use crate::boot_clock::BootInstant;
use crate::checkpoint::TakenSnapshot;
use crate::error_kind::ErrorKind;
use crate::shard_set::ShardsGone;
use redis::cmd;

/// Small claims are at least so far apart.
const CLAIM_PACE: Duration = Duration::from_millis(5);
/// How long a queue that holds no list is left alone.
const WRONG_TYPE_PAUSE: Duration = Duration::from_secs(1);
/// Renewals for each length of a lease.
const RENEWALS: u32 = 3;

/// What ended a wait.
enum Event {
    Reply(Result<Reply, SourceError>),
    Snapshot(Result<TakenSnapshot, ShardsGone>),
    /// The queue may have elements.
    Woke(Result<(), SourceError>),
    Tick,
}

impl OnceSource {
    /// Asks for what is due, and waits for something.
    pub(super) async fn own(&mut self) -> Result<Step, SourceError> {
        if let Some(step) = self.ask().await? {
            return Ok(step);
        }
        match self.wait().await? {
            Event::Reply(reply) => self.settle(reply?).await,
            Event::Snapshot(taken) => Ok(self.snapshot_taken(taken)),
            Event::Woke(outcome) => {
                outcome?;
                if let Stage::Owning(owned) = &mut self.stage {
                    owned.claims.drained = false;
                }
                Ok(Step::Again)
            }
            Event::Tick => Ok(Step::Again),
        }
    }

    /// Puts what is due in line, and sends it.
    async fn ask(&mut self) -> Result<Option<Step>, SourceError> {
        self.renew_if_due();
        self.ask_for_pages();
        self.claim_if_due();
        if let Some(step) = self.go_on_with_checkpoint()? {
            return Ok(Some(step));
        }
        match &mut self.link {
            Some(link) => link.send().await.map(|()| None),
            None => Ok(None),
        }
    }

    fn renew_if_due(&mut self) {
        let pace = self.settings.lease / RENEWALS;
        let now = BootInstant::now();
        let Stage::Owning(owned) = &mut self.stage else { return };
        if now.since(owned.renewed) < pace {
            return;
        }
        owned.renewed = now;
        let call = scripts::RENEW.call(&[&self.keys.owner]).arg(self.epoch).arg(&self.token);
        let call = call.arg(self.settings.lease.as_millis());
        self.request(Asked::Renew(now), &call.pack());
    }

    fn ask_for_pages(&mut self) {
        if self.stop.is_stopped() {
            return;
        }
        while let Stage::Owning(owned) = &mut self.stage {
            if !owned.may_read() {
                return;
            }
            let in_flight = owned.pages_in_flight();
            if in_flight >= self.schedule.depth() {
                return;
            }
            let count = self.schedule.count() as u64;
            let Some(page) = owned.ledger.next_page(count) else { return };
            let mut range = cmd("LRANGE");
            range.arg(self.keys.list(page.list)).arg(page.start).arg(page.stop);
            self.request(Asked::Page(page), &range.get_packed_command());
        }
    }

    /// Claims the backlog once everything that was claimed has been read.
    fn claim_if_due(&mut self) {
        let Stage::Owning(owned) = &mut self.stage else { return };
        if self.stop.is_stopped() || !owned.may_claim() {
            return;
        }
        let now = Instant::now();
        if owned.claims.drained || now < owned.claims.not_before {
            return;
        }
        owned.claims.not_before = now + CLAIM_PACE;
        let (tip, next) = (owned.expected.tip, owned.expected.tip.next());
        let list = self.keys.list(next.number);
        let call = scripts::CLAIM.call(&[&self.keys.owner, &self.keys.queue, &list]);
        let call = call.arg(self.epoch).arg(&self.token).arg(tip).arg(next);
        self.request(Asked::Claim(next), &call.pack());
    }

    pub(super) fn request(&mut self, asked: Asked, packed: &[u8]) {
        let (Some(link), Stage::Owning(owned)) = (&mut self.link, &mut self.stage) else { return };
        if owned.asked.is_empty() {
            link.begin_to_wait();
        }
        link.request(packed);
        owned.asked.push_back(asked);
    }

    /// Waits for a reply, a snapshot, new elements, or until something is due.
    async fn wait(&mut self) -> Result<Event, SourceError> {
        self.wait_for_elements_if_drained();
        let stopping = self.stop.is_stopped();
        let let_go = &mut self.settings.handshake.release;
        let is_let_go = let_go.is_stopped();
        let (Some(link), Stage::Owning(owned)) = (&mut self.link, &mut self.stage) else {
            return Ok(Event::Tick);
        };
        // Of a page that is not used nothing is held.
        let is_void = matches!(owned.asked.front(), Some(Asked::Void));
        link.hold_at_most(if is_void { 0 } else { self.shared.max_bytes_in_flight });
        let due = owned.next_due(self.settings.lease / RENEWALS, link.heard().into_std());
        let event = tokio::select! {
            biased;
            reply = link.reply() => Event::Reply(reply),
            taken = taken(&mut owned.phase) => Event::Snapshot(taken),
            outcome = woke(&mut owned.claims.wait) => Event::Woke(outcome),
            () = self.settings.checkpoint_requests.next() => Event::Tick,
            () = self.stop.stopped(), if !stopping => Event::Tick,
            () = let_go.stopped(), if stopping && !is_let_go => Event::Tick,
            () = tokio::time::sleep_until(due.into()) => Event::Tick,
        };
        let is_reply = matches!(event, Event::Reply(_));
        if !is_reply && !owned.asked.is_empty() && link.heard().elapsed() >= ANSWER {
            return Err(link.no_answer());
        }
        Ok(event)
    }

    fn wait_for_elements_if_drained(&mut self) {
        let stopping = self.stop.is_stopped();
        let (Some(link), Stage::Owning(owned)) = (&self.link, &mut self.stage) else { return };
        if stopping {
            owned.claims.wait = Wait::default();
        }
        if stopping || !owned.claims.drained {
            return;
        }
        owned.claims.wait.begin(&self.shared, link.endpoint());
    }

    /// Takes the reply to the oldest request.
    async fn settle(&mut self, reply: Reply) -> Result<Step, SourceError> {
        let Stage::Owning(owned) = &mut self.stage else { return Ok(Step::Again) };
        let Some(asked) = owned.asked.pop_front() else { return Err(unasked()) };
        let name = match asked {
            Asked::Page(page) => return self.page_came(page.count(), reply).await,
            Asked::Void => return void_came(&reply),
            Asked::Renew(_) => "renew",
            Asked::Claim(_) => "claim",
            Asked::Stage => "stage",
            Asked::Commit => "commit",
            Asked::Sweep => "sweep",
            Asked::Release => "release",
        };
        if let (Asked::Claim(_), Reply::Error(words)) = (&asked, &reply)
            && kind_of_reply(words) == ErrorKind::WrongType
        {
            return Ok(self.queue_is_no_list(words));
        }
        let Some(link) = &self.link else { return Ok(Step::Again) };
        match link.answer(name, reply)? {
            Answer::Ok(words) => self.answered(asked, &words),
            Answer::Lost { token, .. } if token == self.token || token.is_empty() => {
                // The record has gone, or went back: a new connection tells.
                Err(error(ErrorKind::Other, format!("{name} was refused: the record has changed")))
            }
            Answer::Lost { .. } => Ok(self.displaced()),
            Answer::Other(word, words) => self.refused(&word, &words),
        }
    }

    fn answered(&mut self, asked: Asked, words: &[String]) -> Result<Step, SourceError> {
        self.claim_answered(matches!(asked, Asked::Claim(_)));
        let Stage::Owning(owned) = &mut self.stage else { return Ok(Step::Again) };
        match asked {
            Asked::Renew(sent) => {
                self.settings.gate.lease_until(sent.after(self.settings.lease));
                self.settings.holding.renewed(sent);
                if !owned.is_whole(words.get(2), words.get(3)) {
                    return Err(error(ErrorKind::Other, "the record has lost its index or head"));
                }
            }
            Asked::Claim(tip) => {
                let length = words.get(2).and_then(|length| length.parse().ok());
                let length: u64 = length.ok_or_else(|| odd("claim"))?;
                owned.expected.tip = tip;
                owned.claimed(length);
            }
            Asked::Stage => {
                if let Phase::Staging(staging) = &mut owned.phase {
                    staging.answered();
                }
            }
            Asked::Commit => {
                owned.committed(&self.settings.checkpoints, &self.settings.checkpoint_requests);
            }
            Asked::Sweep => {
                if let Phase::Sweeping(fields) = &mut owned.phase {
                    checkpoint::swept(fields);
                }
            }
            Asked::Release => {
                self.stage = Stage::Ended;
                self.link = None;
                return Ok(Step::Ended);
            }
            Asked::Page(_) | Asked::Void => {}
        }
        self.check(words)
    }

    /// It works, unless the queue still holds no list.
    fn claim_answered(&mut self, is_claim: bool) {
        let Stage::Owning(owned) = &mut self.stage else { return };
        owned.claims.refused &= !is_claim;
        if !owned.claims.refused {
            self.works();
        }
    }

    /// Version and tip are read back with each answer.
    fn check(&mut self, words: &[String]) -> Result<Step, SourceError> {
        let Stage::Owning(owned) = &mut self.stage else { return Ok(Step::Again) };
        let [version, tip, ..] = words else { return Err(odd("a script")) };
        let found = (version.parse(), tip.parse());
        let fits = matches!(found, (Ok(version), Ok(tip)) if owned.expected.holds(version, tip));
        if fits {
            return Ok(Step::Again);
        }
        Ok(self.reload(&format!("redis is at version {version} and tip {tip} by now")))
    }

    /// A script found something else than it expected.
    fn refused(&mut self, word: &str, words: &[String]) -> Result<Step, SourceError> {
        let Stage::Owning(owned) = &mut self.stage else { return Ok(Step::Again) };
        if word == "empty" {
            owned.claims.drained = true;
            self.metrics.empty_pops.fetch_add(1, Ordering::Relaxed);
            self.claim_answered(true);
            return self.check(words);
        }
        if word == "missing" {
            // What was staged has gone: it is staged again.
            self.settings.checkpoints.metrics().failed();
            let phase = std::mem::take(&mut owned.phase);
            owned.phase = phase.send_again();
            return self.check(words);
        }
        Ok(self.reload(&format!("a script answered {word}: {}", words.join(" "))))
    }

    async fn page_came(&mut self, count: u64, reply: Reply) -> Result<Step, SourceError> {
        let Some(link) = &mut self.link else { return Ok(Step::Again) };
        if let Reply::Error(words) = &reply {
            return Err(refused("LRANGE", words));
        }
        let (found, largest, bytes) = link.brought();
        let held = link.elements().len() as u64;
        if found < count {
            return Ok(self.reload(&format!("a claimed list gave {found} elements of {count}")));
        }
        self.schedule.saw(largest);
        if let Stage::Owning(owned) = &mut self.stage {
            owned.bytes_read += bytes;
            if held < found {
                // Larger than anybody could know: the rest of it is asked for again,
                // in smaller pages, and so is what was asked for behind it.
                owned.take_back_pages(held);
            } else {
                self.schedule.rise();
            }
        }
        // Asked for before this page is routed, so that Redis works meanwhile.
        self.renew_if_due();
        self.ask_for_pages();
        self.claim_if_due();
        if let Some(link) = &mut self.link {
            link.send().await?;
        }
        Ok(Step::Page)
    }

    fn queue_is_no_list(&mut self, words: &str) -> Step {
        let failure = refused("claim", words);
        self.complain(&failure);
        if let Stage::Owning(owned) = &mut self.stage {
            owned.claims.refused = true;
            owned.claims.not_before = Instant::now() + WRONG_TYPE_PAUSE;
        }
        Step::Again
    }
}

/// A page that is not used has come.
fn void_came(reply: &Reply) -> Result<Step, SourceError> {
    match reply {
        Reply::Error(words) => Err(refused("LRANGE", words)),
        Reply::Elements(_) | Reply::Nil => Ok(Step::Again),
    }
}

/// The queue has elements, or the wait failed.
async fn woke(wait: &mut Wait) -> Result<(), SourceError> {
    let Wait::Waiting(waiting) = wait else { return std::future::pending().await };
    let (waiter, outcome) = waiting.as_mut().await;
    *wait = Wait::Idle(waiter);
    outcome
}

fn odd(name: &str) -> SourceError {
    error(ErrorKind::Protocol, format!("{name} answered something unexpected"))
}
