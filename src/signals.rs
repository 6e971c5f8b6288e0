//! The signals that end what runs: SIGTERM, SIGINT, SIGQUIT and SIGHUP, all of
//! them in order. Nothing is ended by the others' default, which would lose
//! what a stop keeps.

use std::future::pending;
use std::io;

use futures_util::{Stream, stream};
use procfs::process::Process;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The place of SIGHUP in a mask of signals.
const HANGUP_BIT: u64 = 1;

/// Listens for them; to be made on a runtime.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    /// Absent where whoever started us wants it ignored, as `nohup` does.
    hangup: Option<Signal>,
}

impl Signals {
    /// From now on none of them ends the process by itself.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// One after the other, as they come.
    pub fn all(self) -> impl Stream<Item = &'static str> {
        stream::unfold(self, async |mut signals| Some((signals.next().await, signals)))
    }

    pub async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.quit.recv() => "SIGQUIT",
            _ = hangup => "SIGHUP",
        }
    }
}

fn is_hangup_ignored() -> bool {
    let status = Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign & HANGUP_BIT != 0)
}
