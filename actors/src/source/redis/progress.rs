//! How far an attempt to connect has come: what a silence means depends on where
//! it began.

use std::sync::atomic::{AtomicU8, Ordering};

/// Where an attempt is, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectStage {
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

const STAGES: [ConnectStage; 5] = [
    ConnectStage::Resolving,
    ConnectStage::Connecting,
    ConnectStage::ShakingHands,
    ConnectStage::LoggingIn,
    ConnectStage::Introducing,
];

/// The furthest stage of several attempts.
#[derive(Debug, Default)]
pub struct ConnectProgress(AtomicU8);

impl ConnectProgress {
    /// An attempt has come so far.
    pub fn reach(&self, stage: ConnectStage) {
        self.0.fetch_max(stage as u8, Ordering::Relaxed);
    }

    /// How far the furthest has come.
    pub fn stage(&self) -> ConnectStage {
        STAGES[usize::from(self.0.load(Ordering::Relaxed))]
    }

    /// What a silence at this point means to the operator.
    pub fn silence(&self, is_tls: bool) -> &'static str {
        match self.stage() {
            ConnectStage::Resolving => "from DNS about its name",
            ConnectStage::Connecting => {
                "to the attempt to connect: something drops it, such as a firewall"
            }
            ConnectStage::ShakingHands => {
                "to the TLS handshake: a server that does not speak TLS, or one that hangs"
            }
            ConnectStage::LoggingIn | ConnectStage::Introducing if is_tls => {
                "to the first commands: a server that hangs"
            }
            ConnectStage::LoggingIn | ConnectStage::Introducing => {
                "to the first commands: a server that hangs, or one that expects TLS (ssl=true)"
            }
        }
    }
}
