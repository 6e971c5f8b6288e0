//! Errors: what the server's words, an I/O error or the crate's error mean as a
//! [`SourceError`].

use std::io;

use psg_engine::printable::{LONG, printable};
use redis::RedisError;
use rustls::{AlertDescription, CertificateError, Error};

use super::super::SourceError;
use super::decoder::ProtocolError;
use crate::error_kind::ErrorKind;

/// Characters of a message in which a server's words stand.
const MESSAGE: usize = 2 * LONG;

/// How an error reply begins, and what that means; the first match counts.
const KINDS_BY_PREFIX: &[(&str, ErrorKind)] = &[
    ("WRONGPASS", ErrorKind::Auth),
    ("NOAUTH", ErrorKind::Auth),
    ("ERR invalid password", ErrorKind::Auth),
    ("ERR operation not permitted", ErrorKind::Auth),
    ("NOPERM", ErrorKind::Permission),
    ("DENIED", ErrorKind::Permission),
    // Renamed, or never there: a proxy, another server.
    (UNKNOWN, ErrorKind::Permission),
    (UNKNOWN_SUBCOMMAND, ErrorKind::Permission),
    (UNSUPPORTED, ErrorKind::Permission),
    (UNKNOWN_IN_SCRIPT, ErrorKind::Permission),
    // A right that a script lacks: Redis 7.0, and 7.2 and later.
    ("ERR The user executing the script can't", ErrorKind::Permission),
    ("ERR ACL failure in script", ErrorKind::Permission),
    ("WRONGTYPE", ErrorKind::WrongType),
    ("READONLY", ErrorKind::NotPrimary),
    ("MOVED", ErrorKind::NotPrimary),
    ("UNBLOCKED", ErrorKind::NotPrimary),
    ("LOADING", ErrorKind::Busy),
    ("OOM", ErrorKind::Busy),
    ("BUSY", ErrorKind::Busy),
    ("MASTERDOWN", ErrorKind::Busy),
    ("CLUSTERDOWN", ErrorKind::Busy),
    ("TRYAGAIN", ErrorKind::Busy),
    ("ASK", ErrorKind::Busy),
    ("MISCONF", ErrorKind::Busy),
    ("NOREPLICAS", ErrorKind::Busy),
    ("ERR max number of clients reached", ErrorKind::Busy),
];

const UNKNOWN: &str = "ERR unknown command";
const UNKNOWN_SUBCOMMAND: &str = "ERR unknown subcommand";
const UNSUPPORTED: &str = "ERR unsupported command";
const UNKNOWN_IN_SCRIPT: &str = "ERR Unknown Redis command called from script";

/// Whether an error reply says that there is no such command: what is not there
/// is as good as not allowed.
pub fn is_unknown_command(words: &str) -> bool {
    [UNKNOWN, UNKNOWN_SUBCOMMAND, UNSUPPORTED, UNKNOWN_IN_SCRIPT]
        .iter()
        .any(|beginning| words.starts_with(beginning))
}

pub fn kind_of_reply(words: &str) -> ErrorKind {
    KINDS_BY_PREFIX
        .iter()
        .find(|(prefix, _)| words.starts_with(prefix))
        .map_or(ErrorKind::Other, |(_, kind)| *kind)
}

/// An error with that message, in which names and words of peers may stand.
pub fn error(kind: ErrorKind, message: impl AsRef<str>) -> SourceError {
    SourceError { kind, message: printable(message.as_ref(), MESSAGE) }
}

/// Keeps the failure that says most: that a server answered and refused says
/// more than that another did not answer, or that one is a replica.
pub fn keep_clearest(kept: &mut Option<SourceError>, new: SourceError) {
    let says = |failure: &SourceError| match failure.kind {
        ErrorKind::Connection | ErrorKind::Timeout => 0,
        ErrorKind::NotPrimary => 1,
        ErrorKind::Tls
        | ErrorKind::Auth
        | ErrorKind::Permission
        | ErrorKind::WrongType
        | ErrorKind::WrongKey
        | ErrorKind::Busy
        | ErrorKind::Protocol
        | ErrorKind::Other => 2,
    };
    if kept.as_ref().is_none_or(|kept| says(kept) == 0 || says(&new) > says(kept)) {
        *kept = Some(new);
    }
}

/// The server's refusal of `command`.
pub fn refused(command: &str, words: &str) -> SourceError {
    let is_moving = ["ASK ", "TRYAGAIN"].iter().any(|begin| words.starts_with(begin));
    let why = if is_moving { " (the key's slot is being moved to another node)" } else { "" };
    error(kind_of_reply(words), format!("{command} was refused: {}{why}", printable(words, LONG)))
}

/// An I/O error while doing `what`.
pub fn io_failed(what: &str, cause: &io::Error) -> SourceError {
    let kind = if cause.kind() == io::ErrorKind::TimedOut {
        ErrorKind::Timeout
    } else if is_tls(cause) {
        ErrorKind::Tls
    } else if cause.kind() == io::ErrorKind::InvalidData {
        ErrorKind::Protocol
    } else {
        ErrorKind::Connection
    };
    error(kind, format!("{what}: {}", tls_words(cause)))
}

/// An error of a stream, that of TLS in the operator's terms.
pub fn tls_words(cause: &io::Error) -> String {
    let inner = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let words = match inner {
        Some(Error::AlertReceived(alert)) => match of_alert(*alert) {
            Some(words) => return format!("{words}: {alert:?}"),
            None => return printable(&cause.to_string(), LONG),
        },
        Some(Error::InvalidMessage(_)) => "the server does not speak TLS",
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "the server's certificate is of no authority in Redis.TlsCaFile, or of the system's \
             without it: UnknownIssuer"
        }
        Some(_) | None => return printable(&cause.to_string(), LONG),
    };
    words.to_owned()
}

/// What a server's alert is about, where it is our certificate.
fn of_alert(alert: AlertDescription) -> Option<&'static str> {
    const REFUSALS: [AlertDescription; 7] = [
        AlertDescription::BadCertificate,
        AlertDescription::UnsupportedCertificate,
        AlertDescription::CertificateExpired,
        AlertDescription::CertificateUnknown,
        AlertDescription::UnknownCA,
        AlertDescription::AccessDenied,
        AlertDescription::DecryptError,
    ];
    if alert == AlertDescription::CertificateRequired {
        return Some(
            "the server asks for a client certificate (Redis.TlsCertificateFile, Redis.TlsKeyFile)",
        );
    }
    if alert == AlertDescription::HandshakeFailure {
        return Some(
            "the server refuses; it may ask for a client certificate (Redis.TlsCertificateFile, \
             Redis.TlsKeyFile)",
        );
    }
    let refuses = "the server refuses the certificate that it is shown (Redis.TlsCertificateFile)";
    REFUSALS.contains(&alert).then_some(refuses)
}

/// An error of the redis crate while doing `what`.
pub fn crate_failed(what: &str, cause: &RedisError) -> SourceError {
    if let Some(words) = reply_words(cause) {
        return refused(what, &words);
    }
    let kind = if cause.is_timeout() {
        ErrorKind::Timeout
    } else if cause.is_io_error() {
        ErrorKind::Connection
    } else {
        ErrorKind::Protocol
    };
    error(kind, format!("{what}: {}", printable(&cause.to_string(), LONG)))
}

/// Bytes that are no reply.
pub fn protocol_broken(cause: &ProtocolError) -> SourceError {
    error(ErrorKind::Protocol, format!("the server broke the protocol: {cause}"))
}

/// The words of an error reply, as the server sent them.
pub fn reply_words(cause: &RedisError) -> Option<String> {
    if cause.is_io_error() {
        return None;
    }
    let code = cause.code()?;
    Some(match cause.detail() {
        Some(detail) => format!("{code} {detail}"),
        None => code.to_owned(),
    })
}

fn is_tls(cause: &io::Error) -> bool {
    cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_map_to_kinds() {
        let check = |words: &str, expected: ErrorKind| {
            assert_eq!(kind_of_reply(words), expected, "{words}");
        };
        check("WRONGPASS invalid username-password pair", ErrorKind::Auth);
        check("NOAUTH Authentication required.", ErrorKind::Auth);
        check("NOPERM this user has no permissions", ErrorKind::Permission);
        let in_a_script = "ERR The user executing the script can't run this command or subcommand";
        check(in_a_script, ErrorKind::Permission);
        check("ERR unknown command 'LLEN', with args beginning with: ", ErrorKind::Permission);
        check("ERR unknown command `BLMOVE`", ErrorKind::Permission);
        check("ERR Unknown Redis command called from script script: 1", ErrorKind::Permission);
        check("WRONGTYPE Operation against a key", ErrorKind::WrongType);
        check("READONLY You can't write against a read only replica.", ErrorKind::NotPrimary);
        check("MOVED 3999 127.0.0.1:6381", ErrorKind::NotPrimary);
        check("ASK 3999 127.0.0.1:6381", ErrorKind::Busy);
        check("LOADING Redis is loading the dataset in memory", ErrorKind::Busy);
        check("OOM command not allowed", ErrorKind::Busy);
        check("BUSY Redis is busy running a script", ErrorKind::Busy);
        check("MASTERDOWN Link with MASTER is down", ErrorKind::Busy);
        check("CLUSTERDOWN The cluster is down", ErrorKind::Busy);
        check("ERR something else", ErrorKind::Other);
    }

    #[test]
    fn a_slot_that_is_being_moved_is_told() {
        let message = refused("LLEN", "ASK 10018 127.0.0.1:17802").message;
        assert!(message.ends_with("(the key's slot is being moved to another node)"), "{message}");
    }

    #[test]
    fn words_are_cut_and_kept_on_one_line() {
        let error = refused("RPOP", &format!("ERR a\r\nb{}", "x".repeat(1000)));
        assert!(error.message.chars().count() < 350);
        assert!(!error.message.contains('\n'));
    }

    #[test]
    fn the_crate_s_error_keeps_the_server_s_words() {
        let value = redis::parse_redis_value(b"-MOVED 1 127.0.0.1:7001\r\n").unwrap();
        let cause = value.extract_error().unwrap_err();
        assert_eq!(reply_words(&cause).as_deref(), Some("MOVED 1 127.0.0.1:7001"));
        assert_eq!(crate_failed("LLEN", &cause).kind, ErrorKind::NotPrimary);
    }
}
