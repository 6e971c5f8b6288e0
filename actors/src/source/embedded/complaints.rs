//! Complaints about clients: their lines in the log, of each kind at most one in
//! ten seconds, so that no client can fill it.

use super::client_state::ClientAddress;
use super::clients::EvictionReason;
use super::request::RequestError;
use crate::clock::Clock;
use crate::log_throttle::LogThrottle;

#[derive(Debug)]
pub struct Complaints {
    clock: Clock,
    http: LogThrottle,
    wrong_password: LogThrottle,
    deleted: LogThrottle,
    turned_away: LogThrottle,
    evicted_for_bytes: LogThrottle,
    evicted_for_connections: LogThrottle,
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
            evicted_for_bytes: LogThrottle::default(),
            evicted_for_connections: LogThrottle::default(),
        }
    }

    pub fn broke_protocol(&self, address: ClientAddress, cause: RequestError) {
        if cause != RequestError::Http {
            return tracing::debug!(peer = %address, %cause, "a client broke the protocol");
        }
        if let Some(unlogged) = self.http.is_due(self.clock.now()) {
            tracing::warn!(peer = %address, unlogged,
                "the embedded queue got an HTTP request and closed the connection; unless somebody \
                 sent it there by mistake, a web page may have tried to push samples");
        }
    }

    pub fn wrong_password(&self, address: ClientAddress) {
        if let Some(unlogged) = self.wrong_password.is_due(self.clock.now()) {
            tracing::warn!(peer = %address, unlogged, "a login to the embedded queue was refused");
        }
    }

    /// A client deleted the queue, and with it `dropped` elements.
    pub fn deleted(&self, address: ClientAddress, dropped: usize) {
        if let Some(unlogged) = self.deleted.is_due(self.clock.now()) {
            tracing::warn!(peer = %address, dropped, unlogged, "a client deleted the queue");
        }
    }

    pub fn turned_away(&self, address: ClientAddress) {
        if let Some(unlogged) = self.turned_away.is_due(self.clock.now()) {
            tracing::warn!(peer = %address, unlogged,
                "a client was turned away: there are Embedded.MaxConnections already");
        }
    }

    /// A client that holds `held` bytes has to leave.
    pub fn cut(&self, address: ClientAddress, held: usize, reason: EvictionReason) {
        let throttle = match reason {
            EvictionReason::Bytes => &self.evicted_for_bytes,
            EvictionReason::Connections => &self.evicted_for_connections,
        };
        let Some(unlogged) = throttle.is_due(self.clock.now()) else { return };
        match reason {
            EvictionReason::Bytes => tracing::warn!(peer = %address, held, unlogged,
                "disconnected a client: requests and replies of all clients take up \
                 Embedded.MaxClientBytes, and it held most of them"),
            EvictionReason::Connections => tracing::warn!(peer = %address, unlogged,
                "disconnected a silent client: another one needed its connection \
                 (Embedded.MaxConnections)"),
        }
    }
}
