//! Candidates: the parts of a queue of which a process takes one. It watches all of
//! them at the same time, each over a connection of its own to the node that has it:
//! one that is away must not hold up the rest. The first that is free is taken.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use rand::seq::SliceRandom;

use super::access::{Access, Candidate};
use super::context::Context;
use super::interruption::Interruption;
use super::link::Link;
use super::standby::{Seen, Standby, take_over};
use super::transition::{Outcome, Transition};
use crate::backoff::Backoff;
use crate::serving_gate::ServingGate;
use crate::source::SourceError;
use crate::source::redis::health::HealthReporter;
use crate::stop::StopSignal;

/// All candidates, while none is owned.
pub(super) struct Candidates {
    watching: FuturesUnordered<LocalBoxFuture<'static, Result<Due, Interruption>>>,
    /// Those for which it was time while another one was being taken.
    due: VecDeque<Due>,
    lease: Duration,
    gate: ServingGate,
}

/// It is time to take a candidate.
struct Due {
    watcher: Watcher,
    link: Link,
    seen: Seen,
}

/// Who watches a candidate.
struct Watcher {
    access: Access,
    standby: Standby,
    backoff: Backoff,
}

impl Candidates {
    /// Begins to watch all of these, in an order that is another one in each process.
    pub fn new(
        mut candidates: Vec<Candidate>,
        reporter: HealthReporter,
        (lease, gate): (Duration, ServingGate),
        stop: &StopSignal,
    ) -> Self {
        candidates.shuffle(&mut rand::rng());
        let mut all = Self { watching: FuturesUnordered::new(), due: VecDeque::new(), lease, gate };
        for candidate in candidates {
            let access = Access::new(candidate, reporter, stop.clone());
            let (standby, backoff) = (Standby::default(), Backoff::default());
            all.watch(Watcher { access, standby, backoff }, None);
        }
        all
    }

    /// Waits until one of them is free, and takes it. The link to one that was taken
    /// comes with it.
    pub async fn step(&mut self, context: &mut Context, taken: &mut Option<Link>) -> Outcome {
        let Due { mut watcher, mut link, seen } = match self.due.pop_front() {
            Some(due) => due,
            None => tokio::select! {
                biased;
                () = context.access.stop.stopped() => return Ok(Transition::End),
                due = self.watching.next() => match due {
                    Some(due) => due?,
                    None => std::future::pending().await,
                },
            },
        };
        std::mem::swap(&mut context.access, &mut watcher.access);
        let outcome = self.take(context, &mut link, seen).await;
        match outcome {
            Ok(Transition::Load) => {
                *taken = Some(link);
                return Ok(Transition::Load);
            }
            Ok(_) => {
                std::mem::swap(&mut context.access, &mut watcher.access);
                self.watch(watcher, Some(link));
            }
            Err(Interruption::Failed(failure)) => {
                std::mem::swap(&mut context.access, &mut watcher.access);
                watcher.access.complain(&failure);
                self.watch(watcher, None);
            }
            Err(other) => return Err(other),
        }
        Ok(Transition::Stay)
    }

    /// Takes one over, and goes on watching the others meanwhile.
    async fn take(&mut self, context: &mut Context, link: &mut Link, seen: Seen) -> Outcome {
        let mut taking = std::pin::pin!(take_over(context, link, seen));
        loop {
            tokio::select! {
                biased;
                outcome = &mut taking => return outcome,
                Some(due) = self.watching.next() => self.due.push_back(due?),
            }
        }
    }

    fn watch(&mut self, watcher: Watcher, link: Option<Link>) {
        let waiting = watcher.wait(link, self.lease, self.gate.clone());
        self.watching.push(Box::pin(waiting));
    }
}

impl Watcher {
    /// Looks until it is time to take the candidate.
    async fn wait(
        mut self,
        mut link: Option<Link>,
        lease: Duration,
        gate: ServingGate,
    ) -> Result<Due, Interruption> {
        loop {
            match self.look(&mut link, lease).await {
                Ok(Some((link, seen))) => return Ok(Due { watcher: self, link, seen }),
                Ok(None) => {
                    self.backoff.reset();
                    self.access.answers();
                    gate.stand_by();
                    self.access.pause(Standby::pace(lease)).await;
                }
                Err(Interruption::Failed(failure)) => self.failed(&failure).await,
                Err(other) => return Err(other),
            }
        }
    }

    async fn look(
        &mut self,
        held: &mut Option<Link>,
        lease: Duration,
    ) -> Result<Option<(Link, Seen)>, Interruption> {
        let mut link = match held.take() {
            Some(link) => link,
            None => match self.access.connect().await? {
                Some(link) => link,
                // After the stop signal nobody waits for this.
                None => return Ok(None),
            },
        };
        match self.standby.look(&mut self.access, &mut link, lease).await? {
            Some(seen) => Ok(Some((link, seen))),
            None => {
                *held = Some(link);
                Ok(None)
            }
        }
    }

    async fn failed(&mut self, failure: &SourceError) {
        tracing::debug!(%failure, "a part of the queue can't be watched");
        self.access.complain(failure);
        let delay = self.backoff.delay();
        self.access.pause(delay).await;
    }
}
