//! Where Redis is, and as whom it is asked.

use std::path::PathBuf;

use psg_actors::settings::{CertificateFiles, RedisTarget, Secret, TlsSettings, Unsent};
use psg_actors::{pem, secret_file};

use super::{Checker, default_connection, whole};
use crate::config::connection::{self, ConnectionString, NamedDatabase, RedisConnection};
use crate::config::error::{self, Problem};
use crate::config::raw::Origin;
use crate::config::settings::*;

/// Settings that mean nothing without TLS.
const OF_TLS: [&Setting; 4] =
    [&REDIS_TLS_CA_FILE, &REDIS_TLS_CERTIFICATE_FILE, &REDIS_TLS_KEY_FILE, &REDIS_TRUST_REDIRECTS];

impl Checker<'_> {
    pub(super) fn redis(&mut self, connection: RedisConnection, is_embedded: bool) -> RedisTarget {
        let database = self.database(connection.database);
        let (ca_file, identity) = (self.ca_file(), self.identity());
        let trust_redirects = self.flag(&REDIS_TRUST_REDIRECTS);
        let mut target = RedisTarget { database, ..connection.target };
        if !is_embedded {
            target.password_file =
                self.password_file(target.password.is_some()).map(|(file, _)| file);
            self.check_proxy(&target);
        }
        if target.username.is_some() && target.password.is_none() && target.password_file.is_none()
        {
            self.warnings.push(format!(
                "{} names a user without a password, which has no effect",
                self.sources.given(&REDIS_CONNECTION_STRING).name
            ));
        }
        match &mut target.tls {
            Some(tls) => *tls = TlsSettings { ca_file, identity, trust_redirects, ..tls.clone() },
            // What is set for TLS has no effect then.
            None if !is_embedded => {
                for setting in OF_TLS {
                    self.warn_if_set(setting, ", since the connection is not encrypted");
                }
            }
            None => {}
        }
        target
    }

    /// A proxy knows one database, and none of what exactly-once delivery asks.
    fn check_proxy(&mut self, target: &RedisTarget) {
        if target.unsent != Unsent::All {
            return;
        }
        let name = self.sources.given(&REDIS_CONNECTION_STRING).name;
        if target.database != 0 {
            let message = "expected database 0 with a proxy, which knows no other";
            self.problems.push(Problem::new(name.clone(), message));
        }
        if self.wants_exactly_once() {
            let message = "expected no proxy with exactly-once delivery, which needs the server";
            self.problems.push(Problem::new(name, message));
        }
    }

    /// The file of the password, and what is in it now.
    pub(super) fn password_file(&mut self, has_password: bool) -> Option<(PathBuf, Secret)> {
        let file = self.path(&REDIS_PASSWORD_FILE)?;
        let problem = match secret_file::read(&file) {
            Ok(_) if has_password => {
                "expected none, since Redis.ConnectionString has a password".to_owned()
            }
            Ok(password) => return Some((file, password)),
            Err(cause) => cause,
        };
        self.problems.push(Problem::new(self.sources.given(&REDIS_PASSWORD_FILE).name, problem));
        None
    }

    /// The certificate that is shown to servers, and its key.
    fn identity(&mut self) -> Option<CertificateFiles> {
        self.certificate_files(&REDIS_TLS_CERTIFICATE_FILE, &REDIS_TLS_KEY_FILE)
    }

    pub(super) fn place(&mut self) -> ConnectionString {
        let given = self.sources.given(&REDIS_CONNECTION_STRING);
        connection::parse_string(given.text.unwrap_or_default()).unwrap_or_else(|messages| {
            let problems = messages.into_iter().map(|message| Problem::new(&given.name, message));
            self.problems.extend(problems);
            ConnectionString::Redis(Box::new(default_connection()))
        })
    }

    /// The setting wins, as in the reference system, unless it is -1, or is
    /// not set and the connection string is a URL, which that system had not.
    fn database(&mut self, named: NamedDatabase) -> i64 {
        let set: i64 = self.read(&REDIS_METRIC_QUEUE_DATABASE, whole);
        let is_set = self.sources.given(&REDIS_METRIC_QUEUE_DATABASE).origin != Origin::Default;
        match named {
            NamedDatabase::None => set.max(0),
            NamedDatabase::ByOption(number) | NamedDatabase::ByUrl(number) if set == -1 => number,
            NamedDatabase::ByUrl(number) if !is_set => number,
            NamedDatabase::ByOption(number) | NamedDatabase::ByUrl(number) => {
                if number != set {
                    self.warnings.push(format!(
                        "database {number} of the connection string has no effect, since \
                         Redis.MetricQueueDatabase is {set} (-1 would let it count)"
                    ));
                }
                set
            }
        }
    }

    fn ca_file(&mut self) -> Option<PathBuf> {
        self.read(&REDIS_TLS_CA_FILE, |kind, text| {
            let path = PathBuf::from(text.trim());
            if path.as_os_str().is_empty() {
                return Ok(None);
            }
            match pem::certificates(&path) {
                Ok(_) => Ok(Some(path)),
                Err(got) => Err(format!("{} ({got})", error::expected(&kind.expected(), text))),
            }
        })
    }
}
