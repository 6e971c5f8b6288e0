//! A deliverer: the task that talks to one home. It asks what there is to ask, one
//! request at a time, and says what was answered; what that means the lanes know. A home
//! that does not answer holds up nobody but its lanes.

use super::lanes::Request;
use super::shared::Shared;
use crate::backoff::Backoff;
use crate::source::SourceError;
use crate::source::redis::homes::Home;

/// Runs as long as the router does.
pub struct Deliverer {
    shared: Shared,
    number: usize,
    home: Home,
    backoff: Backoff,
    in_trouble: bool,
}

impl Deliverer {
    /// Of the home with that number.
    pub fn new(shared: Shared, number: usize, home: Home) -> Self {
        Self { shared, number, home, backoff: Backoff::default(), in_trouble: false }
    }

    pub async fn run(mut self) {
        loop {
            let Some(request) = self.shared.next_request(self.number) else {
                self.shared.work_of(self.number).await;
                continue;
            };
            match self.ask(&request).await {
                Ok(()) => self.works(),
                Err(cause) => {
                    self.failed(&cause);
                    tokio::time::sleep(self.backoff.delay()).await;
                }
            }
        }
    }

    async fn ask(&mut self, request: &Request) -> Result<(), SourceError> {
        match request {
            Request::Enter(request) => {
                let answer = self.home.enter(request).await?;
                self.shared.entered(self.number, request, answer);
            }
            Request::Deliver(request) => {
                let answer = self.home.deliver(request).await?;
                self.shared.delivered(request, &answer);
            }
        }
        Ok(())
    }

    fn failed(&mut self, cause: &SourceError) {
        self.shared.failed(self.number);
        let home = self.home.queue();
        if !std::mem::replace(&mut self.in_trouble, true) {
            tracing::warn!(home, "the home takes nothing, its deltas wait here: {cause}");
        } else {
            tracing::debug!(home, kind = cause.kind.as_str(), %cause, "the home takes nothing");
        }
    }

    fn works(&mut self) {
        self.backoff.reset();
        if std::mem::take(&mut self.in_trouble) {
            tracing::info!(home = self.home.queue(), "the home takes deltas again");
        }
    }
}
