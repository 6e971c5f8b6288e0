//! Complaints about clients: their lines in the log, of each kind at most one in
//! ten seconds, so that no client can fill it.

use super::profile::Peer;
use super::request::ProtocolError;
use super::standing::Shortage;
use crate::clock::Clock;
use crate::log_throttle::LogThrottle;

/// When each kind was last logged.
#[derive(Debug)]
pub struct Complaints {
    clock: Clock,
    http: LogThrottle,
    wrong_password: LogThrottle,
    deleted: LogThrottle,
    turned_away: LogThrottle,
    short_of_bytes: LogThrottle,
    short_of_places: LogThrottle,
}

impl Complaints {
    /// Nothing has been logged yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            http: LogThrottle::default(),
            wrong_password: LogThrottle::default(),
            deleted: LogThrottle::default(),
            turned_away: LogThrottle::default(),
            short_of_bytes: LogThrottle::default(),
            short_of_places: LogThrottle::default(),
        }
    }

    /// A client broke the protocol.
    pub fn broke_protocol(&self, peer: Peer, cause: ProtocolError) {
        if cause != ProtocolError::Http {
            return tracing::debug!(%peer, %cause, "a client broke the protocol");
        }
        if let Some(unlogged) = self.http.is_due(self.clock.now()) {
            tracing::warn!(%peer, unlogged,
                "a request of HTTP came to the embedded queue and was cut off; if nobody sent it \
                 there by mistake, a web page may have tried to push samples");
        }
    }

    /// A login was refused.
    pub fn wrong_password(&self, peer: Peer) {
        if let Some(unlogged) = self.wrong_password.is_due(self.clock.now()) {
            tracing::warn!(%peer, unlogged, "a login to the embedded queue was refused");
        }
    }

    /// A client deleted the queue with so many elements.
    pub fn deleted(&self, peer: Peer, dropped: usize) {
        if let Some(unlogged) = self.deleted.is_due(self.clock.now()) {
            tracing::warn!(%peer, dropped, unlogged, "a client deleted the queue");
        }
    }

    /// There is no place for one more client.
    pub fn turned_away(&self, peer: Peer) {
        if let Some(unlogged) = self.turned_away.is_due(self.clock.now()) {
            tracing::warn!(%peer, unlogged,
                "a client was turned away: there are Embedded.MaxConnections already");
        }
    }

    /// A client that holds so many bytes has to leave.
    pub fn cut(&self, peer: Peer, held: usize, shortage: Shortage) {
        let throttle = match shortage {
            Shortage::Bytes => &self.short_of_bytes,
            Shortage::Places => &self.short_of_places,
        };
        let Some(unlogged) = throttle.is_due(self.clock.now()) else { return };
        match shortage {
            Shortage::Bytes => tracing::warn!(%peer, held, unlogged,
                "a client was cut off: requests and replies of all clients take up \
                 Embedded.MaxClientBytes, and it held most of them"),
            Shortage::Places => tracing::warn!(%peer, unlogged,
                "a silent client was cut off: another one needed its place \
                 (Embedded.MaxConnections)"),
        }
    }
}
