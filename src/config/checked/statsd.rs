//! The settings of the door for StatsD.

use psg_actors::settings::{StatsdAddress, StatsdSettings};

use super::{Checker, unlike};
use crate::config::error::Problem;
use crate::config::listen;
use crate::config::settings::*;

impl Checker<'_> {
    /// StatsD, where it is wanted. It knows no passwords: what other machines reach has
    /// to be meant.
    pub(super) fn statsd(&mut self) -> Option<StatsdSettings> {
        let settings = StatsdSettings {
            listen: self.read(&STATSD_LISTEN_ADDRESS, |kind, text| {
                listen::parse_statsd(text).ok_or_else(|| unlike(kind, text))
            }),
            buckets: self.read(&STATSD_BUCKETS, |kind, text| {
                kind.buckets(text).ok_or_else(|| unlike(kind, text))
            }),
        };
        let allow_unauthenticated = self.flag(&STATSD_ALLOW_UNAUTHENTICATED);
        if settings.listen.is_empty() {
            for setting in [&STATSD_ALLOW_UNAUTHENTICATED, &STATSD_BUCKETS] {
                self.warn_if_set(setting, " without Statsd.ListenAddress");
            }
            return None;
        }
        let is_open = |address: &&StatsdAddress| match address {
            StatsdAddress::Udp(address) | StatsdAddress::Tcp(address) => {
                !address.ip().is_loopback()
            }
            StatsdAddress::Unix(_) => false,
        };
        if let Some(open) = settings.listen.iter().find(is_open).filter(|_| !allow_unauthenticated)
        {
            self.problems.push(Problem::new(
                self.sources.given(&STATSD_LISTEN_ADDRESS).name,
                format!(
                    "expected loopback addresses and Unix sockets, or \
                     Statsd.AllowUnauthenticated=true, got {open}"
                ),
            ));
        }
        Some(settings)
    }
}
