//! Where Redis is, and as whom it is asked.

use std::path::{Path, PathBuf};

use psg_actors::settings::RedisTarget;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{Checker, default_connection, whole};
use crate::config::connection::{self, Connection, NamedDatabase, Place};
use crate::config::error::{self, Problem};
use crate::config::raw::Origin;
use crate::config::settings::*;

impl Checker<'_> {
    pub(super) fn redis(&mut self, connection: Connection, is_embedded: bool) -> RedisTarget {
        let database = self.database(connection.database);
        let ca_file = self.ca_file();
        let mut target = RedisTarget { database, ..connection.target };
        if target.username.is_some() && target.password.is_none() {
            self.warnings.push(format!(
                "{} names a user without a password, which has no effect",
                self.sources.given(&REDIS_CONNECTION_STRING).name
            ));
        }
        match &mut target.tls {
            Some(tls) => tls.ca_file = ca_file,
            None if ca_file.is_some() && !is_embedded => self.warnings.push(format!(
                "{} has no effect, since the connection is not encrypted",
                self.sources.given(&REDIS_TLS_CA_FILE).name
            )),
            None => {}
        }
        target
    }

    pub(super) fn place(&mut self) -> Place {
        let given = self.sources.given(&REDIS_CONNECTION_STRING);
        connection::parse_place(given.text.unwrap_or_default()).unwrap_or_else(|messages| {
            let problems = messages.into_iter().map(|message| Problem::new(&given.name, message));
            self.problems.extend(problems);
            Place::Redis(default_connection())
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
            match check_certificates(&path) {
                Ok(()) => Ok(Some(path)),
                Err(got) => Err(format!("{} ({got})", error::expected(&kind.expected(), text))),
            }
        })
    }
}

/// Whether the file can be read and holds nothing but sound certificates; or
/// why not.
fn check_certificates(path: &Path) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    let mut count = 0;
    for certificate in certificates {
        certificate.map_err(|error| error.to_string())?;
        count += 1;
    }
    if count == 0 { Err("no certificate in it".into()) } else { Ok(()) }
}
