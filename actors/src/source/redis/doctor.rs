//! The doctor: looks for what goes wrong most between a gateway and its Redis.
//!
//! It reads. Whether a right is there it finds out by calls that can't change
//! anything. Read in this order: `diagnosis` is what is found, `visit` the
//! connection; `server`, `rights`, `queue`, `other_lists`, `gateways` and `partitions`
//! each look at one thing.

mod diagnosis;
mod visit;
mod server;
pub mod rights;
mod queue;
mod other_lists;
mod gateways;
mod partitions;

use super::super::SourceError;
use crate::error_kind::ErrorKind;
use crate::settings::QueueSettings;
pub use diagnosis::{Diagnosis, Severity};

use visit::Visit;

/// What the gateway would do with an element.
#[derive(Debug)]
pub struct ElementVerdict {
    /// Why it would be refused, by sample; nothing where it would not be.
    pub refusals: Vec<String>,
    /// Whether it is one, or an array of some, that nothing else is: it has a value or
    /// a type, and no field besides those of samples.
    pub is_plainly_sample: bool,
}

/// Looks at the Redis of `settings`. `judge` is asked about elements.
pub async fn examine(
    settings: &QueueSettings,
    judge: impl Fn(&[u8]) -> ElementVerdict,
) -> Vec<Diagnosis> {
    let mut visit = match Visit::open(settings).await {
        Ok(visit) => visit,
        Err(cause) => return vec![unreachable(&cause)],
    };
    let mut findings = server::look(&mut visit).await;
    findings.extend(rights::look(&mut visit).await);
    findings.extend(queue::look(&mut visit, &judge).await);
    findings.extend(other_lists::look(&mut visit, &judge).await);
    findings.push(gateways::look(&mut visit).await);
    findings.extend(partitions::look(settings, visit.link.endpoint.clone()).await);
    findings
}

fn unreachable(cause: &SourceError) -> Diagnosis {
    let says = |words: &str| cause.message.contains(words);
    let advice = match cause.kind {
        ErrorKind::Permission if says("DENIED") => {
            "set a password at the server (requirepass) and in Redis.ConnectionString: without \
             one it lets its own machine in only (protected-mode)"
        }
        ErrorKind::Busy if says("max number of clients") => {
            "raise maxclients, or find out who holds so many connections (CLIENT LIST)"
        }
        ErrorKind::Tls if says("does not speak TLS") => {
            "take ssl=true or rediss:// out of Redis.ConnectionString, or name the port with TLS"
        }
        ErrorKind::Tls if says("client certificate") => {
            "set Redis.TlsCertificateFile and Redis.TlsKeyFile, or at the server tls-auth-clients no"
        }
        ErrorKind::Timeout if says("TLS handshake") => {
            "where that port has no TLS, take ssl=true or rediss:// out of Redis.ConnectionString"
        }
        ErrorKind::Connection => {
            "start it, or set Redis.ConnectionString to where it is; a firewall may be in between"
        }
        ErrorKind::Timeout => {
            "find out what is at that address: a server that hangs, a firewall, another service"
        }
        ErrorKind::Tls => "compare Redis.TlsCaFile and sslHost with the server's certificate",
        ErrorKind::Auth => "set user and password in Redis.ConnectionString as the server has them",
        ErrorKind::Permission => "give the user the rights that docs/run.md lists under Redis",
        ErrorKind::NotPrimary => {
            "name the primary in Redis.ConnectionString, or the Sentinels and serviceName"
        }
        ErrorKind::Busy => "wait until the server is done with what it says",
        ErrorKind::Protocol => {
            "set Redis.ConnectionString to where Redis is, and how it is reached"
        }
        ErrorKind::WrongType | ErrorKind::WrongKey | ErrorKind::Other => "see what the server says",
    };
    Diagnosis::fail("redis", cause.to_string(), advice)
}
