//! How far an attempt to connect has come: what a silence means depends on where
//! it began.

use std::sync::atomic::{AtomicU8, Ordering};

/// Where an attempt is, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Looking the name up.
    Resolving,
    /// Waiting for the connection to be accepted.
    Connecting,
    /// In the TLS handshake.
    ShakingHands,
    /// Saying who we are.
    LoggingIn,
    /// Saying what a server may do without, such as a name for `CLIENT LIST`.
    Introducing,
}

const STAGES: [Stage; 5] = [
    Stage::Resolving,
    Stage::Connecting,
    Stage::ShakingHands,
    Stage::LoggingIn,
    Stage::Introducing,
];

/// The furthest stage of several attempts.
#[derive(Debug, Default)]
pub struct Progress(AtomicU8);

impl Progress {
    /// An attempt has come so far.
    pub fn reach(&self, stage: Stage) {
        self.0.fetch_max(stage as u8, Ordering::Relaxed);
    }

    /// How far the furthest has come.
    pub fn stage(&self) -> Stage {
        STAGES[usize::from(self.0.load(Ordering::Relaxed))]
    }

    /// What a silence at this point means to the operator.
    pub fn silence(&self, is_tls: bool) -> &'static str {
        match self.stage() {
            Stage::Resolving => "from DNS about its name",
            Stage::Connecting => {
                "to the attempt to connect: something drops it, such as a firewall"
            }
            Stage::ShakingHands => {
                "to the TLS handshake: a server that does not speak TLS, or one that hangs"
            }
            Stage::LoggingIn | Stage::Introducing if is_tls => {
                "to the first commands: a server that hangs"
            }
            Stage::LoggingIn | Stage::Introducing => {
                "to the first commands: a server that hangs, or one that expects TLS (ssl=true)"
            }
        }
    }
}
