//! Owning: what an owner does while its connection stands. It keeps the lease,
//! claims the backlog, asks for pages, and takes the replies in their order.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::cmd;
use tokio::sync::Notify;

use super::access::odd_answer;
use super::checkpoint_plan::{self, CheckpointPhase};
use super::context::Context;
use super::interruption::Interruption;
use super::ledger::ClaimedList;
use super::link::{ANSWER, Link, ScriptReply};
use super::memory::{MemoryGone, Snapshot};
use super::owned::{Outstanding, Owned, Wait};
use super::record::{claim_time, time_field};
use super::saving::taken;
use super::scripts;
use super::transition::{Outcome, Transition};
use crate::boot_clock::BootInstant;
use crate::error_kind::ErrorKind;
use crate::source::SourceError;
use crate::source::redis::decoder::Reply;
use crate::source::redis::error::{error, kind_of_reply, refused};

/// Small claims are at least so far apart.
const CLAIM_PACE: Duration = Duration::from_millis(5);
/// How long a queue that holds no list is left alone.
const WRONG_TYPE_PAUSE: Duration = Duration::from_secs(1);
/// Renewals for each length of a lease.
const RENEWALS: u32 = 3;

enum Wakeup {
    Reply(Result<Reply, SourceError>),
    Snapshot(Result<Snapshot, MemoryGone>),
    /// The queue may have elements.
    Elements(Result<(), SourceError>),
    /// Something may be due.
    Tick,
}

impl Owned {
    /// Asks for what is due, and waits for something.
    pub(super) async fn step(&mut self, context: &mut Context, link: &mut Link) -> Outcome {
        if let Some(demand) = context.memory.demand() {
            return Err(context.met(demand, self.ledger.end()));
        }
        self.ask_for_more(context, link);
        if self.go_on_with_checkpoint(context, link).is_err() {
            return Ok(Transition::End);
        }
        link.send().await?;
        match self.wait(context, link).await? {
            Wakeup::Reply(reply) => return self.take_reply(context, link, reply?).await,
            Wakeup::Snapshot(Ok(taken)) => self.snapshot_taken(context.access.part, taken),
            Wakeup::Snapshot(Err(MemoryGone)) => return Ok(Transition::End),
            Wakeup::Elements(outcome) => {
                outcome?;
                self.claims.drained = false;
            }
            Wakeup::Tick => {}
        }
        Ok(Transition::Stay)
    }

    /// Puts in line what is due of renewals, pages and claims.
    fn ask_for_more(&mut self, context: &Context, link: &mut Link) {
        self.renew_if_due(context, link);
        self.ask_for_pages(context, link);
        self.claim_if_due(context, link);
    }

    fn renew_if_due(&mut self, context: &Context, link: &mut Link) {
        let lease = context.settings.lease;
        let now = BootInstant::now();
        if now.since(self.renewed) >= lease / RENEWALS {
            self.renewed = now;
            let call = context.fence().renewal(&context.access.keys, lease);
            self.request(link, Outstanding::Renew(now), &call.pack());
        }
    }

    fn ask_for_pages(&mut self, context: &Context, link: &mut Link) {
        let schedule = &context.schedule;
        while !context.access.stop.is_stopped()
            && self.may_read()
            && context.memory.may_read()
            && self.pages_in_flight() < schedule.depth()
            && let Some(page) = self.ledger.next_page(schedule.count() as u64)
        {
            let mut range = cmd("LRANGE");
            range.arg(context.access.keys.list(page.list)).arg(page.start).arg(page.stop);
            self.request(link, Outstanding::Page(page), &range.get_packed_command());
        }
    }

    /// Claims the backlog once everything that was claimed has been read.
    fn claim_if_due(&mut self, context: &Context, link: &mut Link) {
        let now = Instant::now();
        let is_idle = context.access.stop.is_stopped() || !self.may_claim(&*context.memory);
        if is_idle || self.claims.drained || now < self.claims.not_before {
            return;
        }
        self.claims.not_before = now + CLAIM_PACE;
        let (tip, next) = (self.expected.tip, self.expected.tip.next());
        let (keys, list) = (&context.access.keys, context.access.keys.list(next.number));
        let call = context.fence().call(scripts::CLAIM, &[&keys.owner, &keys.queue, &list]);
        let mut call = call.arg(tip).arg(next);
        if context.access.part.has_places() {
            call = call.arg(time_field(next.number));
        }
        self.request(link, Outstanding::Claim(next), &call.pack());
    }

    pub(super) fn request(&mut self, link: &mut Link, request: Outstanding, packed: &[u8]) {
        if self.outstanding.is_empty() {
            link.begin_to_wait();
        }
        link.request(packed);
        self.outstanding.push_back(request);
    }

    /// Waits for a reply, a snapshot, new elements, or until something is due.
    async fn wait(
        &mut self,
        context: &mut Context,
        link: &mut Link,
    ) -> Result<Wakeup, SourceError> {
        let stopping = context.access.stop.is_stopped();
        if stopping {
            self.claims.wait = Wait::default();
        } else if self.claims.drained {
            self.claims.wait.begin(&context.access.queue, link.endpoint());
        }
        let release = &mut context.settings.handshake.release;
        let is_released = release.is_stopped();
        // Of a page that is not used nothing is held.
        let is_void = matches!(self.outstanding.front(), Some(Outstanding::Void));
        link.hold_at_most(if is_void { 0 } else { context.access.queue.max_bytes_in_flight });
        let (pace, heard) = (context.settings.lease / RENEWALS, link.heard().into_std());
        let due = self.next_due(&*context.memory, pace, heard);
        let wakeup = tokio::select! {
            biased;
            reply = link.reply() => Wakeup::Reply(reply),
            taken = taken(&mut self.phase) => Wakeup::Snapshot(taken),
            outcome = woke(&mut self.claims.wait) => Wakeup::Elements(outcome),
            () = context.settings.checkpoint_requests.next() => Wakeup::Tick,
            () = changed(context.memory.changes()) => Wakeup::Tick,
            () = context.access.stop.stopped(), if !stopping => Wakeup::Tick,
            () = release.stopped(), if stopping && !is_released => Wakeup::Tick,
            () = tokio::time::sleep_until(due.into()) => Wakeup::Tick,
        };
        let is_reply = matches!(wakeup, Wakeup::Reply(_));
        if !is_reply && !self.outstanding.is_empty() && link.heard().elapsed() >= ANSWER {
            return Err(link.no_answer());
        }
        Ok(wakeup)
    }

    /// Takes the reply to the oldest request.
    async fn take_reply(
        &mut self,
        context: &mut Context,
        link: &mut Link,
        reply: Reply,
    ) -> Outcome {
        let Some(request) = self.outstanding.pop_front() else {
            let message = "expected silence, got a reply to nothing";
            return Err(error(ErrorKind::Protocol, message).into());
        };
        let name = match request {
            Outstanding::Page(page) => {
                return self.page_came(context, link, page.count(), reply).await;
            }
            Outstanding::Void => return void_came(&reply),
            Outstanding::Renew(_) => "renew",
            Outstanding::Claim(_) => "claim",
            Outstanding::Stage => "stage",
            Outstanding::Commit => "commit",
            Outstanding::Sweep => "sweep",
            Outstanding::Release => "release",
        };
        if let (Outstanding::Claim(_), Reply::Error(words)) = (&request, &reply)
            && kind_of_reply(words) == ErrorKind::WrongType
        {
            self.queue_is_no_list(context, words);
            return Ok(Transition::Stay);
        }
        match link.script_reply(name, reply)? {
            ScriptReply::Ok(words) => self.done(context, request, &words),
            ScriptReply::Lost { token, .. } if token == context.token || token.is_empty() => {
                // The record has gone, or went back: a new connection shows which.
                let message = format!("{name} was refused: the record has changed");
                Err(error(ErrorKind::Other, message).into())
            }
            ScriptReply::Lost { .. } => Err(context.displaced()),
            ScriptReply::Other(word, words) => self.refused(context, &word, &words),
        }
    }

    fn done(&mut self, context: &mut Context, request: Outstanding, words: &[String]) -> Outcome {
        self.claim_answered(context, matches!(request, Outstanding::Claim(_)));
        match request {
            Outstanding::Renew(sent) => {
                context.settings.gate.lease_until(sent.after(context.settings.lease));
                context.settings.holding.renewed(sent);
                if !self.is_whole(words.get(2), words.get(3)) {
                    let message = "the record has lost its index or head";
                    return Err(error(ErrorKind::Other, message).into());
                }
            }
            Outstanding::Claim(tip) => {
                let length = words.get(2).and_then(|length| length.parse().ok());
                let length: u64 = length.ok_or_else(|| odd_answer("claim"))?;
                let time = words.get(3).filter(|time| !time.is_empty());
                let claimed_at = time.map(|time| claim_time(time)).transpose();
                let claimed_at = claimed_at.map_err(|_| odd_answer("claim"))?;
                self.expected.tip = tip;
                self.claimed(ClaimedList { length, claimed_at });
            }
            Outstanding::Stage => {
                if let CheckpointPhase::Staging(staging) = &mut self.phase {
                    staging.answered();
                }
            }
            Outstanding::Commit => self.committed(context),
            Outstanding::Sweep => {
                if let CheckpointPhase::Sweeping(fields) = &mut self.phase {
                    checkpoint_plan::swept(fields);
                }
            }
            Outstanding::Release => return Ok(Transition::End),
            Outstanding::Page(_) | Outstanding::Void => {}
        }
        self.check(words)
    }

    /// It works, unless the queue still holds no list.
    fn claim_answered(&mut self, context: &mut Context, is_claim: bool) {
        self.claims.refused &= !is_claim;
        if !self.claims.refused {
            context.access.works();
        }
    }

    /// Version and tip are read back with each answer.
    fn check(&self, words: &[String]) -> Outcome {
        let [version, tip, ..] = words else { return Err(odd_answer("a script").into()) };
        match (version.parse(), tip.parse()) {
            (Ok(found), Ok(at)) if self.expected.holds(found, at) => Ok(Transition::Stay),
            _ => {
                let why = format!("redis is at version {version} and tip {tip} by now");
                Err(Interruption::Reload(why))
            }
        }
    }

    /// A script found something else than it expected.
    fn refused(&mut self, context: &mut Context, word: &str, words: &[String]) -> Outcome {
        match word {
            "empty" => {
                self.claims.drained = true;
                context.metrics.empty_pops.fetch_add(1, Ordering::Relaxed);
                self.claim_answered(context, true);
                self.check(words)
            }
            "missing" => {
                // What was staged has gone: it is staged again.
                context.memory.metrics().failed();
                self.phase = std::mem::take(&mut self.phase).send_again();
                self.check(words)
            }
            _ => {
                let why = format!("a script answered {word}: {}", words.join(" "));
                Err(Interruption::Reload(why))
            }
        }
    }

    async fn page_came(
        &mut self,
        context: &mut Context,
        link: &mut Link,
        count: u64,
        reply: Reply,
    ) -> Outcome {
        if let Reply::Error(words) = &reply {
            return Err(refused("LRANGE", words).into());
        }
        let received = link.received();
        let (found, held) = (received.elements, link.elements().len() as u64);
        if found < count {
            let why = format!("a claimed list gave {found} elements of {count}");
            return Err(Interruption::Reload(why));
        }
        context.schedule.observe(received.largest);
        self.bytes_read += received.bytes;
        if held < found {
            // Larger than anybody could know: the rest of it is asked for again, in
            // smaller pages, and so is what was asked for after it.
            self.take_back_pages(held);
        } else {
            context.schedule.increase();
        }
        // Asked for before this page is routed, so that Redis works meanwhile.
        self.ask_for_more(context, link);
        link.send().await?;
        Ok(Transition::Page)
    }

    fn queue_is_no_list(&mut self, context: &mut Context, words: &str) {
        context.access.complain(&refused("claim", words));
        self.claims.refused = true;
        self.claims.not_before = Instant::now() + WRONG_TYPE_PAUSE;
    }
}

/// The memory has changed, where it tells that.
async fn changed(changes: Option<&Notify>) {
    match changes {
        Some(changes) => changes.notified().await,
        None => std::future::pending().await,
    }
}

/// A page that is not used has come.
fn void_came(reply: &Reply) -> Outcome {
    match reply {
        Reply::Error(words) => Err(refused("LRANGE", words).into()),
        Reply::Elements(_) | Reply::Nil => Ok(Transition::Stay),
    }
}

/// The queue has elements, or the wait failed.
async fn woke(wait: &mut Wait) -> Result<(), SourceError> {
    let Wait::Waiting(waiting) = wait else { return std::future::pending().await };
    let (waiter, outcome) = waiting.as_mut().await;
    *wait = Wait::Idle(waiter);
    outcome
}
