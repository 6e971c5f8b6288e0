//! Listen addresses: our own form, and the two of ASP.NET Core. Nothing is
//! looked up: `localhost` is 127.0.0.1, and all addresses are `[::]`, which
//! takes IPv4 too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use psg_actors::settings::{ListenAddress, StatsdAddress};

use super::error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenSyntax {
    Address,
    /// URLs separated by `;`, as ASP.NET Core takes them.
    Urls,
    /// Ports separated by `;`, as ASP.NET Core takes them.
    Ports,
}

impl ListenSyntax {
    /// What it looks like, for an error message.
    pub fn expected(self) -> &'static str {
        match self {
            ListenSyntax::Address => "address:port, the address an IP address, localhost or empty",
            ListenSyntax::Urls => "http://address:port parts separated by ; (https is not served)",
            ListenSyntax::Ports => "ports from 1 to 65535 separated by ;",
        }
    }

    fn parts(self, text: &str) -> Vec<&str> {
        match self {
            ListenSyntax::Address => vec![text.trim()],
            ListenSyntax::Urls | ListenSyntax::Ports => {
                text.split(';').map(str::trim).filter(|part| !part.is_empty()).collect()
            }
        }
    }

    fn parse_part(self, part: &str) -> Option<SocketAddr> {
        match self {
            ListenSyntax::Address => parse_address(part),
            ListenSyntax::Urls => parse_url(part),
            ListenSyntax::Ports => parse_port(part),
        }
    }
}

/// The addresses that `text` names, at least one, none twice; or the message
/// that says what was expected and what came.
pub fn parse(form: ListenSyntax, text: &str) -> Result<Vec<SocketAddr>, String> {
    let mut addresses = Vec::new();
    for part in form.parts(text) {
        let address =
            form.parse_part(part).ok_or_else(|| error::expected(form.expected(), part))?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(error::expected(form.expected(), text));
    }
    Ok(addresses)
}

/// What an address or a socket's path looks like, for an error message.
pub const EXPECTED_WITH_SOCKET: &str =
    "address:port, the address an IP address, localhost or empty, or unix:/path";

/// One `address:port`, or `unix:` and the absolute path of a socket.
pub fn parse_with_socket(text: &str) -> Option<ListenAddress> {
    let text = text.trim();
    match text.strip_prefix("unix:") {
        Some(path) => Path::new(path).is_absolute().then(|| ListenAddress::Unix(path.into())),
        None => parse_address(text).map(ListenAddress::Tcp),
    }
}

/// What addresses for StatsD look like, for an error message.
pub const EXPECTED_STATSD: &str = "udp://address:port, tcp://address:port or unix:///path, \
                                   separated by commas, the address an IP address, localhost or empty";

/// Addresses with their protocols, separated by commas; none where there is nothing.
pub fn parse_statsd(text: &str) -> Option<Vec<StatsdAddress>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(parse_statsd_part).collect()
}

fn parse_statsd_part(part: &str) -> Option<StatsdAddress> {
    let (protocol, address) = part.split_once("://")?;
    match protocol {
        "udp" => parse_address(address).map(StatsdAddress::Udp),
        "tcp" => parse_address(address).map(StatsdAddress::Tcp),
        "unix" => Path::new(address).is_absolute().then(|| StatsdAddress::Unix(address.into())),
        _ => None,
    }
}

/// `ip:port`, `[v6]:port`, `localhost:port` or `:port`; port 0 lets the
/// system choose.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    Some(SocketAddr::new(parse_host(host)?, parse_number(port)?))
}

/// One URL as Kestrel takes it: without a port it is 80; a host that is
/// neither an address nor localhost means all addresses; a path is refused.
fn parse_url(text: &str) -> Option<SocketAddr> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let is_plain = !authority.is_empty() && !authority.contains(['/', '?', '#', '@']);
    if !scheme.eq_ignore_ascii_case("http") || !is_plain {
        return None;
    }
    let port_starts = authority.rfind(':').filter(|colon| !authority[*colon..].contains(']'));
    let (host, port) = match port_starts {
        Some(colon) => (&authority[..colon], parse_number(&authority[colon + 1..])?),
        None => (authority, 80),
    };
    let looks_like_v6 = host.contains([':', '[', ']']);
    let address = match parse_host(host) {
        Some(address) if !host.is_empty() => address,
        None if !looks_like_v6 => Ipv6Addr::UNSPECIFIED.into(),
        Some(_) | None => return None,
    };
    Some(SocketAddr::new(address, port))
}

fn parse_port(text: &str) -> Option<SocketAddr> {
    let port = parse_number(text).filter(|port| *port != 0)?;
    Some(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port))
}

fn parse_host(host: &str) -> Option<IpAddr> {
    if let Some(v6) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Some(IpAddr::V6(v6.parse().ok()?));
    }
    if matches!(host, "" | "+" | "*") {
        return Some(Ipv6Addr::UNSPECIFIED.into());
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    Some(IpAddr::V4(host.parse().ok()?))
}

/// Digits only: `u16::from_str` would take a plus sign.
fn parse_number(text: &str) -> Option<u16> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is the addresses joined by spaces, or empty for a refusal.
    #[track_caller]
    fn check(form: ListenSyntax, text: &str, expected: &str) {
        let addresses = parse(form, text).unwrap_or_default();
        let joined: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        assert_eq!(joined.join(" "), expected, "{text:?}");
    }

    #[test]
    fn our_own_addresses() {
        let check = |text, expected| check(ListenSyntax::Address, text, expected);
        check("0.0.0.0:9091", "0.0.0.0:9091");
        check(" 127.0.0.1:80 ", "127.0.0.1:80");
        check("[::]:9091", "[::]:9091");
        check("[::1]:9091", "[::1]:9091");
        check(":9091", "[::]:9091");
        check("*:9091", "[::]:9091");
        check("+:9091", "[::]:9091");
        check("localhost:9091", "127.0.0.1:9091");
        check("LOCALHOST:9091", "127.0.0.1:9091");
        check("127.0.0.1:0", "127.0.0.1:0");
        check("", "");
        check("9091", "");
        check("127.0.0.1", "");
        check("127.0.0.1:", "");
        check("127.0.0.1:65536", "");
        check("127.0.0.1:+80", "");
        check("::1:9091", "");
        check("[::1]", "");
        check("example.org:9091", "");
        check("http://127.0.0.1:9091", "");
    }

    #[test]
    fn addresses_for_statsd() {
        let check = |text: &str, expected: &str| {
            let addresses = parse_statsd(text).map(|addresses| {
                let shown = addresses.iter().map(StatsdAddress::to_string);
                shown.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(addresses.as_deref().unwrap_or("refused"), expected, "{text:?}");
        };
        check("", "");
        check("udp://127.0.0.1:8125", "udp://127.0.0.1:8125");
        check(
            "udp://:8125, tcp://localhost:0 ,unix:///run/s",
            "udp://[::]:8125 tcp://127.0.0.1:0 unix:///run/s",
        );
        check("127.0.0.1:8125", "refused");
        check("udp://example.com:8125", "refused");
        check("unix://run/s", "refused");
        check("http://127.0.0.1:8125", "refused");
    }

    #[test]
    fn urls_of_asp_net_core() {
        let check = |text, expected| check(ListenSyntax::Urls, text, expected);
        check("http://+:8080;http://*:5000", "[::]:8080 [::]:5000");
        check("http://0.0.0.0:8080", "0.0.0.0:8080");
        check("http://localhost:5000", "127.0.0.1:5000");
        check("HTTP://LOCALHOST:5000/", "127.0.0.1:5000");
        check("http://[::]:8080", "[::]:8080");
        check("http://[::1]", "[::1]:80");
        check("http://+", "[::]:80");
        check("http://some-host:5000", "[::]:5000");
        check(" http://+:8080 ; http://*:8080 ;", "[::]:8080");
        check("https://+:8443", "");
        check("http://+:8080;https://+:8443", "");
        check("http://+:8080/base", "");
        check("http://unix:/tmp/socket", "");
        check("http://+:80x", "");
        check("http://:8080", "");
        check("http://::1:8080", "");
        check("http://", "");
        check("+:8080", "");
        check(";", "");
    }

    #[test]
    fn ports_of_asp_net_core() {
        let check = |text, expected| check(ListenSyntax::Ports, text, expected);
        check("8080", "[::]:8080");
        check("8080;9090", "[::]:8080 [::]:9090");
        check("8080; 8080", "[::]:8080");
        check("0", "");
        check("65536", "");
        check("8080,9090", "");
        check("http://+:8080", "");
    }
}
