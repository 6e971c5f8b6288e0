//! Who may use the HTTP side: the file of [`web_config`], read again while it is
//! in use, and what it asks of each connection and each request.
//!
//! A change counts within a second. A file that became bad closes the HTTP side
//! until it is good again: what it takes away may be why it was changed. One that
//! asks for less than before has to stand still first ([`live_config`]).

mod yaml_flag;
pub mod go_duration;
mod client_certificates;
mod tls;
mod fair_queue;
mod passwords;
pub mod web_config;
mod live_config;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use rustls::ServerConfig;

use self::live_config::LiveConfig;
use self::passwords::{PasswordVerdict, Passwords};
use self::web_config::{Rate, WebConfig};
use super::conn_slots::PeerNetwork;
use super::probes;
use crate::self_metrics::config_health::ConfigHealth;
use crate::settings::AccessSettings;

/// Who may use the HTTP side.
pub struct Access {
    file: LiveConfig,
    probes_are_free: bool,
    passwords: Passwords,
    bucket: Mutex<Option<TokenBucket>>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum AccessDenied {
    #[error("the configuration of the HTTP side can't be used")]
    BadFile,
    #[error("too many requests")]
    TooMany,
    #[error("a client certificate is needed")]
    NoCertificate,
    #[error("user and password are needed")]
    Unknown,
    #[error("too many passwords are being checked")]
    Busy,
}

impl ResponseError for AccessDenied {
    fn status_code(&self) -> actix_web::http::StatusCode {
        use actix_web::http::StatusCode;
        match self {
            AccessDenied::BadFile => StatusCode::INTERNAL_SERVER_ERROR,
            AccessDenied::TooMany => StatusCode::TOO_MANY_REQUESTS,
            AccessDenied::NoCertificate => StatusCode::FORBIDDEN,
            AccessDenied::Unknown => StatusCode::UNAUTHORIZED,
            AccessDenied::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        match self {
            AccessDenied::Unknown => {
                answer.insert_header((WWW_AUTHENTICATE, "Basic realm=\"prom-stream-gateway\""));
            }
            AccessDenied::TooMany | AccessDenied::Busy => {
                answer.insert_header((RETRY_AFTER, "1"));
            }
            AccessDenied::BadFile | AccessDenied::NoCertificate => {}
        }
        answer.body(format!("{self}\n"))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// Reads the file; a bad one is an error. Its state is published in `health`.
    pub fn open(settings: &AccessSettings, health: Arc<ConfigHealth>) -> io::Result<Self> {
        Ok(Self {
            file: LiveConfig::open(settings, health).map_err(io::Error::other)?,
            probes_are_free: settings.probes_are_free,
            passwords: Passwords::start()?,
            bucket: Mutex::default(),
        })
    }

    /// Whether connections begin with a TLS handshake; never changes.
    pub fn is_tls(&self) -> bool {
        self.file.is_tls()
    }

    /// What a connection that begins now is encrypted with; `None` where the
    /// file is bad.
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.config().and_then(|config| config.tls.clone())
    }

    /// What is in force now; `None` where the file is bad.
    pub fn config(&self) -> Option<Arc<WebConfig>> {
        self.file.config()
    }

    /// Whether a request may be answered, as the file says now.
    pub async fn admit(
        &self,
        config: Option<&WebConfig>,
        request: &ServiceRequest,
        has_certificate: bool,
    ) -> Result<(), AccessDenied> {
        if self.probes_are_free && probes::is_probe(request.path()) {
            return Ok(());
        }
        let config = config.ok_or(AccessDenied::BadFile)?;
        if config.wants_certificate && !has_certificate {
            return Err(AccessDenied::NoCertificate);
        }
        if !config.users.is_empty() {
            self.log_in(config, request).await?;
        }
        // Last, so that strangers don't use up what those may ask who are let in.
        match config.rate {
            Some(rate) if !self.take_token(rate) => Err(AccessDenied::TooMany),
            Some(_) | None => Ok(()),
        }
    }

    async fn log_in(
        &self,
        config: &WebConfig,
        request: &ServiceRequest,
    ) -> Result<(), AccessDenied> {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (user, password) = header.and_then(credentials).ok_or(AccessDenied::Unknown)?;
        let peer = PeerNetwork::new(request.peer_addr().map(|address| address.ip()));
        match self.passwords.check(&config.users, peer, &user, &password).await {
            PasswordVerdict::Right => Ok(()),
            PasswordVerdict::Wrong => Err(AccessDenied::Unknown),
            PasswordVerdict::Busy => Err(AccessDenied::Busy),
        }
    }

    fn take_token(&self, rate: Rate) -> bool {
        let mut bucket = self.bucket.lock();
        let now = Instant::now();
        bucket.get_or_insert_with(|| TokenBucket::full(rate, now)).take(rate, now)
    }
}

/// User and password of a header `Authorization: Basic …`.
fn credentials(header: &str) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let user = std::str::from_utf8(&decoded[..colon]).ok()?.to_owned();
    Some((user, decoded[colon + 1..].to_vec()))
}

/// A bucket of tokens, of which each request takes one.
#[derive(Debug)]
struct TokenBucket {
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { tokens: f64::from(rate.burst), at: now }
    }

    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        let tokens = self.tokens + since / rate.interval.as_secs_f64();
        self.tokens = tokens.min(f64::from(rate.burst));
        self.at = now;
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn credentials_of_a_header() {
        let check = |header: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(user, word)| (user.to_owned(), word.as_bytes().to_vec()));
            assert_eq!(credentials(header), expected, "{header}");
        };
        check("Basic YW5uOm9uZQ==", Some(("ann", "one")));
        check("basic YW5uOm9uZQ==", Some(("ann", "one")));
        check("Basic YW5uOm9uOmU=", Some(("ann", "on:e")));
        check("Basic Og==", Some(("", "")));
        check("Basic YW5u", None);
        check("Basic !", None);
        check("Bearer YW5uOm9uZQ==", None);
        check("Basic", None);
        check("", None);
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let rate = Rate { interval: Duration::from_millis(100), burst: 2 };
        let begin = Instant::now();
        let mut bucket = TokenBucket::full(rate, begin);
        let mut taken_at = |ms: u64| bucket.take(rate, begin + Duration::from_millis(ms));
        assert!(taken_at(0) && taken_at(0) && !taken_at(0));
        assert!(!taken_at(90) && taken_at(101) && !taken_at(150));
        assert!(taken_at(900) && taken_at(900) && !taken_at(900), "no more than the burst");
    }
}
