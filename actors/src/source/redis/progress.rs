//! How far an attempt to connect has come: what a silence means depends on where
//! it began.

use parking_lot::Mutex;

/// Where an attempt is, in its order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectStage {
    /// Looking the name up.
    #[default]
    Resolving,
    /// Waiting for the connection to be accepted.
    Connecting,
    ShakingHands,
    LoggingIn,
    /// Saying what a server may do without, such as a name for `CLIENT LIST`.
    Introducing,
}

/// The furthest stage of several attempts.
#[derive(Debug, Default)]
pub struct ConnectProgress(Mutex<ConnectStage>);

impl ConnectProgress {
    pub fn reach(&self, stage: ConnectStage) {
        let mut furthest = self.0.lock();
        *furthest = stage.max(*furthest);
    }

    /// How far the furthest has come.
    pub fn stage(&self) -> ConnectStage {
        *self.0.lock()
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
