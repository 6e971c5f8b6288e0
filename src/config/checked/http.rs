//! The settings of the HTTP side.

use psg_actors::http::access::web_config::WebConfig;
use psg_actors::settings::{AccessSettings, HttpSettings};

use super::{Checker, listen_addresses, unlike};
use crate::config::error::Problem;
use crate::config::raw::Origin;
use crate::config::settings::*;

impl Checker<'_> {
    pub(super) fn http(&mut self) -> HttpSettings {
        HttpSettings {
            listen: self.read(&HTTP_LISTEN_ADDRESS, listen_addresses),
            enable_admin: self.flag(&HTTP_ENABLE_ADMIN),
            max_connections: self.count(&HTTP_MAX_CONNECTIONS),
            allowed_hosts: self.read(&HTTP_ALLOWED_HOSTS, |kind, text| {
                let names = kind.host_names(text).ok_or_else(|| unlike(kind, text))?;
                Ok(names.into_iter().map(str::to_owned).collect())
            }),
            access: self.access(),
        }
    }

    /// Who may use it, by a file that has to be sound.
    fn access(&mut self) -> Option<AccessSettings> {
        let probes_are_free = self.flag(&HTTP_EXEMPT_HEALTH_ENDPOINTS);
        let Some(file) = self.path(&HTTP_CONFIG_FILE) else {
            let exempt = self.sources.given(&HTTP_EXEMPT_HEALTH_ENDPOINTS);
            if probes_are_free && exempt.origin != Origin::Default {
                let name = exempt.name;
                self.warnings.push(format!("{name} has no effect without Http.ConfigFile"));
            }
            return None;
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
                Some(AccessSettings { file, probes_are_free })
            }
            Err(cause) => {
                let name = self.sources.given(&HTTP_CONFIG_FILE).name;
                self.problems.push(Problem::new(name, cause));
                None
            }
        }
    }
}
