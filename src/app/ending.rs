//! The end: what was taken is applied and kept, and shown until it was fetched.

use std::io;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use psg_actors::fatal::{FatalError, FatalSignal};
use psg_actors::scrapers::Handover;
use psg_actors::serving_gate::Permit;
use psg_actors::settings::GatewaySettings;
use psg_actors::source::redis::once::ShutdownHandshake;
use psg_actors::state_file::Keeper;
use psg_actors::stop::{StopSignal, Stopper, stop_signal};

use super::parts::Parts;
use super::readers::{RunningReader, deadline, finish};

/// How long the last dead letters may take to be written.
const LETTERS_DEADLINE: Duration = Duration::from_secs(2);

/// What there is once nothing more is taken.
pub(super) struct Ending<'a> {
    pub(super) settings: &'a GatewaySettings,
    pub(super) parts: &'a Parts,
    pub(super) fatal: &'a FatalSignal,
    /// Lets an owner give its queue back.
    pub(super) let_go: Stopper,
    /// Told when an owner has written its last checkpoint.
    pub(super) saved: StopSignal,
}

/// What an owner and its end tell each other.
pub(super) fn shutdown_handshake() -> (Stopper, ShutdownHandshake, StopSignal) {
    let (let_go, is_let_go) = stop_signal();
    let (saved, is_saved) = stop_signal();
    (let_go, ShutdownHandshake { saved, release: is_let_go }, is_saved)
}

impl Ending<'_> {
    /// Until HTTP may stop; whether all went well.
    pub(super) async fn run(
        mut self,
        readers: Vec<RunningReader>,
        keeper: Option<Keeper>,
        handover: Option<Handover>,
        ends: Pin<&mut impl Stream<Item = &'static str>>,
    ) -> Result<io::Result<()>, FatalError> {
        let mut finishing = pin!(finish(readers, deadline(self.settings)));
        let mut finished = tokio::select! {
            end = self.fatal.raised() => return Err(end),
            finished = &mut finishing => Some(finished),
            () = self.saved.stopped() => None,
        };
        self.write_letters().await;
        // Before scrapers are waited for: a kill meanwhile loses nothing.
        let kept = keeper.map_or(Ok(()), Keeper::end);
        if !matches!(finished, Some(Err(_))) {
            tokio::select! {
                end = self.fatal.raised() => return Err(end),
                // An owner that has lost its Redis.
                early = &mut finishing, if finished.is_none() => finished = Some(early),
                () = self.linger(ends) => {}
            }
        }
        self.let_go.stop();
        let finished = match finished {
            Some(finished) => finished,
            None => tokio::select! {
                end = self.fatal.raised() => return Err(end),
                finished = finishing => finished,
            },
        };
        let ended = finished.and(kept);
        if let (Ok(()), Some(handover)) = (&ended, handover) {
            handover.leave(&self.parts.scrapers);
        }
        Ok(ended)
    }

    async fn write_letters(&self) {
        let Some(letters) = &self.parts.dead_letters else { return };
        if tokio::time::timeout(LETTERS_DEADLINE, letters.flush()).await.is_err() {
            tracing::warn!("dead letters are left unwritten");
        }
    }

    /// Waits until each known scraper has fetched the last totals, but not longer
    /// than it is allowed, and not beyond a further signal.
    async fn linger(&self, mut ends: Pin<&mut impl Stream<Item = &'static str>>) {
        let scrapers = &self.parts.scrapers;
        let limit = self.settings.http.linger;
        scrapers.totals_are_final();
        let shows_totals = matches!(self.parts.gate.permit(), Ok(Permit::Everything(_)));
        if limit.is_zero() || !shows_totals || scrapers.missing() == 0 {
            return;
        }
        let (waiting_for, seconds) = (scrapers.missing(), limit.as_secs());
        tracing::info!(waiting_for, seconds, "waiting for scrapers to fetch the last totals");
        tokio::select! {
            () = scrapers.all_have_final_totals() => {
                tracing::info!("every known scraper has fetched the last totals");
            }
            () = tokio::time::sleep(limit) => {
                let missing = scrapers.missing();
                tracing::warn!(missing, "some scrapers have not fetched the last totals");
            }
            signal = ends.next() => {
                let missing = scrapers.missing();
                tracing::warn!(signal, missing, "not waiting any longer for scrapers");
            }
        }
    }
}
