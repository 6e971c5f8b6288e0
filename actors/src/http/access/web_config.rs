//! The file that says who may use the HTTP side, in the form that Prometheus'
//! exporters have in common: "web config" of the exporter-toolkit. What is in
//! it either works here or is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use psg_engine::printable::printable;
use rustls::ServerConfig;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use super::go_duration;
use super::passwords::Users;
use super::tls::{self, Certificate, TlsSection};
use super::yaml_flag::Flag;

/// The headers that may be set, and the values of those that have a closed
/// list of them.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// Characters of what is said to be wrong: there may be a list of all fields in it.
const LONGEST_PROBLEM: usize = 1000;

/// What the file says, checked, with the files that it names read.
#[derive(Debug)]
pub struct WebConfig {
    /// Where the file is.
    pub path: PathBuf,
    /// A hash of what stands in it.
    pub text: u64,
    /// Whether it says nothing at all.
    pub is_empty: bool,
    /// What it asks of clients, in words.
    demands: Vec<&'static str>,
    /// How TLS is spoken; `None` is plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// The certificate that is shown.
    pub certificate: Option<Certificate>,
    /// Whether a client needs a certificate.
    pub wants_certificate: bool,
    /// Who may ask; none lets everyone.
    pub users: Users,
    /// What is added to every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How many requests are answered.
    pub rate: Option<Rate>,
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The time in which a token comes.
    pub interval: Duration,
    /// Tokens that the bucket holds.
    pub burst: u32,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct File {
    tls_server_config: Option<TlsSection>,
    http_server_config: Option<HttpSection>,
    basic_auth_users: Option<BTreeMap<String, String>>,
    rate_limit: Option<RateSection>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct HttpSection {
    http2: Option<Flag>,
    headers: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct RateSection {
    interval: Option<String>,
    burst: Option<u32>,
}

impl WebConfig {
    /// Reads the file and those that it names, which are relative to its
    /// folder; or what is wrong, without secrets. With `probes_are_free` a
    /// client without a certificate gets as far as its request.
    pub fn load(path: &Path, probes_are_free: bool) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|cause| in_file(path, &cause))?;
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        let mut config =
            Self::parse(&text, &folder, probes_are_free).map_err(|cause| in_file(path, &cause))?;
        path.clone_into(&mut config.path);
        Ok(config)
    }

    /// Whether nothing is asked of anybody who reaches the port, not even TLS.
    pub fn asks_for_nothing(&self) -> bool {
        self.demands.is_empty()
    }

    /// Whether a web page can't ask here under a name of its own: it knows no
    /// password, and our certificate is for other names.
    pub fn keeps_pages_out(&self) -> bool {
        self.tls.is_some() || !self.users.is_empty()
    }

    /// Whether those who are let in are known, by a password or a certificate.
    pub fn knows_clients(&self) -> bool {
        self.wants_certificate || !self.users.is_empty()
    }

    /// What another file asks of clients and this one does not.
    pub fn asks_less_than(&self, other: &Self) -> Vec<&'static str> {
        let demands = other.demands.iter().copied();
        demands.filter(|demand| !self.demands.contains(demand)).collect()
    }

    /// What the text of a file says, with the files that it names, which are
    /// relative to `folder`, read; or what is wrong, without secrets.
    pub fn parse(text: &str, folder: &Path, probes_are_free: bool) -> Result<Self, String> {
        let parsed = Self::parse_as_it_is(text, folder, probes_are_free);
        // Names and values of the file are repeated in it.
        parsed.map_err(|problem| printable(&problem, LONGEST_PROBLEM))
    }

    fn parse_as_it_is(text: &str, folder: &Path, probes_are_free: bool) -> Result<Self, String> {
        // An empty document is an empty file.
        let file: Option<File> = serde_yaml_ng::from_str(text).map_err(|cause| masked(&cause))?;
        let file = file.unwrap_or_default();
        let http = file.http_server_config.unwrap_or_default();
        // A client that prefers HTTP/2 learns by the handshake that there is none.
        let _ = http.http2;
        let section = file.tls_server_config.filter(TlsSection::says_anything);
        let tls = section.map(|section| tls::server(&section, folder, probes_are_free));
        let tls = tls.transpose().map_err(|cause| format!("tls_server_config.{cause}"))?;
        let users = Users::new(file.basic_auth_users.unwrap_or_default());
        let users = users.map_err(|cause| format!("basic_auth_users{cause}"))?;
        let headers = headers(http.headers.unwrap_or_default())?;
        let rate = rate(file.rate_limit.unwrap_or_default())?;
        let mut demands: Vec<_> = tls.iter().flat_map(|tls| tls.demands.iter().copied()).collect();
        demands.extend(tls.is_some().then_some("TLS"));
        demands.extend((!users.is_empty()).then_some("a password"));
        Ok(Self {
            path: PathBuf::new(),
            text: xxh3_64(text.as_bytes()),
            is_empty: demands.is_empty() && headers.is_empty() && rate.is_none(),
            demands,
            wants_certificate: tls.as_ref().is_some_and(|tls| tls.wants_certificate),
            certificate: tls.as_ref().map(|tls| tls.certificate.clone()),
            tls: tls.map(|tls| tls.config),
            users,
            headers,
            rate,
        })
    }
}

fn in_file(path: &Path, cause: &dyn std::fmt::Display) -> String {
    format!("{}: {cause}", path.display())
}

/// What is wrong with the form of the file: where, and nothing that could be a
/// value in it, which may be a secret.
fn masked(cause: &serde_yaml_ng::Error) -> String {
    let text = cause.to_string();
    let what = match text.split_once(": ") {
        Some((place, what)) if what.starts_with("invalid type") => {
            format!("{place}: a value of another type was expected")
        }
        _ if text.starts_with("invalid type") => "a value of another type was expected".to_owned(),
        _ => return text,
    };
    match cause.location() {
        Some(at) => format!("{what} at line {} column {}", at.line(), at.column()),
        None => what,
    }
}

fn headers(wanted: BTreeMap<String, String>) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    // A blank one is not set.
    let wanted = wanted.into_iter().filter(|(_, value)| !value.is_empty());
    wanted.map(|(name, value)| header(&name, &value)).collect()
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let place = "http_server_config.headers";
    let known = HEADERS.iter().find(|(known, _)| *known == name);
    let Some((_, values)) = known else {
        let names = HEADERS.map(|(name, _)| name).join(", ");
        return Err(format!("{place}: expected one of {names}, got {name:?}"));
    };
    if !values.is_empty() && !values.contains(&value) {
        let values = values.join(" or ");
        return Err(format!("{place}.{name}: expected {values}, got {value:?}"));
    }
    let unfit = |_| format!("{place}.{name}: expected visible characters, got {value:?}");
    let value = HeaderValue::from_str(value).map_err(unfit)?;
    let name = HeaderName::from_bytes(name.as_bytes()).expect("those of the list are names");
    Ok((name, value))
}

fn rate(section: RateSection) -> Result<Option<Rate>, String> {
    let text = section.interval.unwrap_or_default();
    let interval = go_duration::parse(&text).ok_or_else(|| {
        format!("rate_limit.interval: expected a duration such as 100ms or 1s, got {text:?}")
    })?;
    if interval.is_zero() {
        return Ok(None);
    }
    match section.burst.unwrap_or(0) {
        // It would answer nothing at all.
        0 => Err("rate_limit.burst: expected at least 1 with an interval, got 0".to_owned()),
        burst => Ok(Some(Rate { interval, burst })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<WebConfig, String> {
        WebConfig::parse(text, Path::new("/nowhere"), false)
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        assert_eq!(parse(text).err().as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn what_says_nothing_asks_for_nothing() {
        for text in ["", "# nothing\n", "tls_server_config:\n", "tls_server_config: {}\n"] {
            let config = parse(text).expect("it is sound");
            assert!(config.tls.is_none() && !config.wants_certificate, "{text}");
            assert!(config.users.is_empty() && config.headers.is_empty(), "{text}");
            assert_eq!(config.rate, None, "{text}");
        }
    }

    #[test]
    fn what_other_exporters_take_is_taken() {
        for flag in ["true", "false", "yes", "No", "on", "OFF", "y", "~"] {
            let text = format!("http_server_config: {{http2: {flag}}}");
            assert!(parse(&text).is_ok(), "{text}");
        }
        for flag in ["maybe", "1", "[]"] {
            let error = parse(&format!("http_server_config: {{http2: {flag}}}"));
            assert!(error.is_err_and(|error| error.contains("expected")), "{flag}");
        }
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        let known = "expected one of `tls_server_config`, `http_server_config`, \
                     `basic_auth_users`, `rate_limit`";
        check_refused("tls: {}", &format!("unknown field `tls`, {known}"));
        let error = parse("tls_server_config: {certfile: x}").expect_err("refused");
        assert!(error.contains("unknown field `certfile`"), "{error}");
        let error = parse("- a").expect_err("refused");
        assert!(error.contains("a value of another type was expected"), "{error}");
    }

    #[test]
    fn what_can_not_be_done_is_refused() {
        check_refused(
            "http_server_config: {headers: {Server: x}}",
            "http_server_config.headers: expected one of Strict-Transport-Security, \
             X-Content-Type-Options, X-Frame-Options, X-XSS-Protection, \
             Content-Security-Policy, got \"Server\"",
        );
        check_refused(
            "http_server_config: {headers: {X-Frame-Options: maybe}}",
            "http_server_config.headers.X-Frame-Options: expected deny or sameorigin, got \
             \"maybe\"",
        );
        check_refused(
            "rate_limit: {interval: 1s}",
            "rate_limit.burst: expected at least 1 with an interval, got 0",
        );
        check_refused(
            "rate_limit: {interval: soon, burst: 1}",
            "rate_limit.interval: expected a duration such as 100ms or 1s, got \"soon\"",
        );
    }

    #[test]
    fn headers_and_rate() {
        let config = parse(
            "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    \
             Content-Security-Policy: ''\nrate_limit:\n  interval: 100ms\n  burst: 20\n",
        );
        let config = config.expect("it is sound");
        let set: Vec<_> = config.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        assert_eq!(set, [("x-frame-options", b"deny".as_slice())]);
        assert_eq!(config.rate, Some(Rate { interval: Duration::from_millis(100), burst: 20 }));
    }

    #[test]
    fn secrets_are_in_no_message() {
        for text in [
            "basic_auth_users: hunter2",
            "basic_auth_users: {u: hunter2}",
            "basic_auth_users: {u: [hunter2]}",
            "tls_server_config: {key: [hunter2]}",
            "tls_server_config: {cert: x, key: hunter2}",
            "tls_server_config: hunter2",
            "tls_server_config: {prefer_server_cipher_suites: hunter2}",
            "hunter2",
        ] {
            let error = parse(text).expect_err("it is refused");
            assert!(!error.contains("hunter2"), "{text}: {error}");
        }
    }
}
