//! The gateway that the settings in force are of: where it is found on this
//! machine, and what it asks of who comes by HTTP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use psg_actors::http::access::web_config::WebConfig;
use psg_actors::settings::HttpSettings;

/// A gateway on this machine, by its settings.
#[derive(Debug)]
pub struct OwnGateway {
    pub address: SocketAddr,
    pub is_tls: bool,
    pub wants_password: bool,
}

impl OwnGateway {
    /// By its first listen address; or what is wrong with the file that says who
    /// may use it.
    pub fn find(settings: &HttpSettings) -> Result<Self, String> {
        let listen = settings.listen.first().ok_or("no listen address is configured")?;
        let access = settings.access.as_ref();
        let access = access.map(|access| WebConfig::load(&access.file, access.probes_are_free));
        let access = access.transpose()?;
        Ok(Self {
            address: reachable(*listen),
            is_tls: access.as_ref().is_some_and(|access| access.tls.is_some()),
            wants_password: access.is_some_and(|access| !access.users.is_empty()),
        })
    }

    /// Without a slash at its end.
    pub fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        // `[::]` takes IPv4 too, and there is a machine where IPv6 is off.
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) | IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            Ipv4Addr::LOCALHOST.into()
        }
        specific @ (IpAddr::V4(_) | IpAddr::V6(_)) => specific,
    };
    SocketAddr::new(address, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_asked_on_loopback() {
        let check = |listen: &str, expected: &str| {
            let listen = listen.parse().expect("an address");
            assert_eq!(reachable(listen).to_string(), expected);
        };
        check("0.0.0.0:9091", "127.0.0.1:9091");
        check("[::]:9091", "127.0.0.1:9091");
        check("10.0.0.7:9091", "10.0.0.7:9091");
    }
}
