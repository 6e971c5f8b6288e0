//! The doctor's look at doors: each that is open is knocked at, with nothing in hand.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use psg_actors::settings::{GatewaySettings, StatsdAddress};
use psg_actors::source::redis::doctor::Diagnosis;

use crate::gateway_client::GatewayClient;
use crate::own_gateway::{OwnGateway, reachable};

/// How long a door may take to be opened.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Where nothing is pushed, which changes nothing.
const PUSH_PATH: &str = "/metrics/job/doctor";

pub fn look(settings: &GatewaySettings) -> Vec<Diagnosis> {
    let http = settings.http.push.is_some().then(|| pushes(settings));
    let statsd = settings.pipeline.statsd.iter().flat_map(|statsd| &statsd.listen).map(packets);
    http.into_iter().chain(statsd).collect()
}

fn pushes(settings: &GatewaySettings) -> Diagnosis {
    let knocked = OwnGateway::find(&settings.http).and_then(|gateway| {
        let url = format!("{}{PUSH_PATH}", gateway.url());
        let status = GatewayClient::local()?.push_nothing(&url, TIMEOUT);
        Ok((gateway, url.clone(), status.map_err(|error| format!("{url}: {error}"))?))
    });
    match knocked {
        Ok((_, url, 200..=299)) => Diagnosis::ok("pushes", format!("{url} takes them")),
        Ok((gateway, url, 401)) if gateway.wants_password => {
            Diagnosis::ok("pushes", format!("{url} takes them with a password"))
        }
        Ok((_, url, status)) => Diagnosis::fail(
            "pushes",
            format!("{url} answers {status} to a push of nothing"),
            "another server may be there, or a gateway with other settings (Push.Enabled)",
        ),
        Err(error) => Diagnosis::fail(
            "pushes",
            error,
            "start the gateway, or set Http.ListenAddress as it has it",
        ),
    }
}

fn packets(address: &StatsdAddress) -> Diagnosis {
    let reached = match address {
        StatsdAddress::Tcp(address) => {
            TcpStream::connect_timeout(&reachable(*address), TIMEOUT).map(drop)
        }
        StatsdAddress::Udp(address) => send_nothing(reachable(*address)),
        StatsdAddress::Unix(path) => {
            UnixDatagram::unbound().and_then(|socket| socket.connect(path))
        }
    };
    match reached {
        Ok(()) => Diagnosis::ok("StatsD", format!("somebody listens at {address}")),
        Err(error) => Diagnosis::fail(
            "StatsD",
            format!("nobody listens at {address} ({error})"),
            "start the gateway, or set Statsd.ListenAddress as it has it",
        ),
    }
}

/// An error where the system says that nobody listens there, which it does after a
/// packet and not before the next.
fn send_nothing(address: SocketAddr) -> io::Result<()> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.send(&[])?;
    socket.send(&[]).map(drop)
}
