//! The settings of the HTTP side.

use std::net::SocketAddr;

use psg_actors::http::access::web_config::WebConfig;
use psg_actors::settings::{AccessSettings, HttpSettings, OtlpNames, OtlpSettings, PushSettings};
use psg_engine::intake::IntakeSettings;
use psg_engine::name::NameRules;

use super::{Checker, listen_addresses, unlike};
use crate::config::error::{self, Problem};
use crate::config::raw::Origin;
use crate::config::settings::*;

/// What the largest push may take, as a multiple of its body: it grows in a buffer, is
/// decompressed into another, and becomes elements.
const LARGEST_PUSH: usize = 10;

impl Checker<'_> {
    pub(super) fn http(&mut self, intake: &IntakeSettings) -> HttpSettings {
        let listen: Vec<SocketAddr> = self.read(&HTTP_LISTEN_ADDRESS, listen_addresses);
        let (access, knows_clients) = self.access();
        HttpSettings {
            push: self.push(&listen, knows_clients),
            otlp: self.otlp(intake),
            listen,
            enable_admin: self.flag(&HTTP_ENABLE_ADMIN),
            max_connections: self.count(&HTTP_MAX_CONNECTIONS),
            allowed_hosts: self.read(&HTTP_ALLOWED_HOSTS, |kind, text| {
                let names = kind.host_names(text).ok_or_else(|| unlike(kind, text))?;
                Ok(names.into_iter().map(str::to_owned).collect())
            }),
            access,
        }
    }

    /// Samples by HTTP, where they are wanted. Who may push from elsewhere has to say
    /// who it is.
    fn push(&mut self, listen: &[SocketAddr], knows_clients: bool) -> Option<PushSettings> {
        let allow_unauthenticated = self.flag(&PUSH_ALLOW_UNAUTHENTICATED);
        let is_local = listen.iter().all(|address| address.ip().is_loopback());
        let push = PushSettings {
            max_body_bytes: self.count(&PUSH_MAX_BODY_BYTES),
            max_memory_bytes: self.count(&PUSH_MAX_MEMORY_BYTES),
            needs_login: !is_local && !allow_unauthenticated,
        };
        if !self.flag(&PUSH_ENABLED) {
            for setting in
                SETTINGS.iter().filter(|setting| ["Push", "Otlp"].contains(&setting.section()))
            {
                self.warn_if_set(setting, " without Push.Enabled=true");
            }
            return None;
        }
        if push.needs_login && !knows_clients {
            let listen: Vec<String> = listen.iter().map(SocketAddr::to_string).collect();
            self.problems.push(Problem::new(
                self.sources.given(&PUSH_ENABLED).name,
                format!(
                    "expected a loopback address as Http.ListenAddress, or a password or client \
                     certificates in Http.ConfigFile, or Push.AllowUnauthenticated=true, got {}",
                    listen.join(" ")
                ),
            ));
        }
        let least = LARGEST_PUSH * push.max_body_bytes;
        if push.max_memory_bytes < least {
            let name = self.sources.given(&PUSH_MAX_MEMORY_BYTES).name;
            let expected =
                format!("at least {least} bytes, {LARGEST_PUSH} times Push.MaxBodyBytes");
            let got = push.max_memory_bytes.to_string();
            self.problems.push(Problem::new(name, error::expected(&expected, &got)));
        }
        Some(push)
    }

    /// What a data point may bring is what samples may have.
    fn otlp(&mut self, intake: &IntakeSettings) -> OtlpSettings {
        let word = self.choice(&OTLP_NAMES);
        let names = OtlpNames::ALL.into_iter().find(|names| names.as_str() == word);
        let names = names.unwrap_or_default();
        if names == OtlpNames::Utf8 && intake.names == NameRules::Legacy {
            let name = self.sources.given(&OTLP_NAMES).name;
            let expected = "underscores while Metrics.Names is legacy";
            self.problems.push(Problem::new(name, error::expected(expected, names.as_str())));
        }
        OtlpSettings {
            names,
            resource_attributes: self.read(&OTLP_RESOURCE_ATTRIBUTES, |kind, text| {
                let keys = kind.label_names(text).ok_or_else(|| unlike(kind, text))?;
                Ok(keys.into_iter().map(str::to_owned).collect())
            }),
            exemplars: intake.exemplars,
        }
    }

    /// Who may use it, by a file that has to be sound, and whether that says who the
    /// clients are.
    fn access(&mut self) -> (Option<AccessSettings>, bool) {
        let probes_are_free = self.flag(&HTTP_EXEMPT_HEALTH_ENDPOINTS);
        let Some(file) = self.path(&HTTP_CONFIG_FILE) else {
            let exempt = self.sources.given(&HTTP_EXEMPT_HEALTH_ENDPOINTS);
            if probes_are_free && exempt.origin != Origin::Default {
                let name = exempt.name;
                self.warnings.push(format!("{name} has no effect without Http.ConfigFile"));
            }
            return (None, false);
        };
        match WebConfig::load(&file, probes_are_free) {
            Ok(config) => {
                if config.asks_for_nothing() {
                    let name = self.sources.given(&HTTP_CONFIG_FILE).name;
                    let path = file.display();
                    self.warnings.push(format!(
                        "{name}: {path} asks for neither TLS nor a password, so whoever \
                         reaches the port is let in"
                    ));
                }
                (Some(AccessSettings { file, probes_are_free }), config.knows_clients())
            }
            Err(cause) => {
                let name = self.sources.given(&HTTP_CONFIG_FILE).name;
                self.problems.push(Problem::new(name, cause));
                // What it would have said is not known, and one problem is enough.
                (None, true)
            }
        }
    }
}
