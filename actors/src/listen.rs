//! Listening sockets, and the file descriptors that their clients take.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

const BACKLOG: i32 = 4096;

/// File descriptors that are kept for everything but clients.
const OTHER_DESCRIPTORS: u64 = 128;

/// File descriptors that are spoken for.
static PROMISED: Mutex<u64> = Mutex::new(OTHER_DESCRIPTORS);

/// Listens on that address; port 0 lets the system choose. `[::]` is every
/// address of this machine, those of IPv4 too, and these alone where there is no
/// IPv6.
pub fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    match listen(address) {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) => {
            listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        listening => listening,
    }
}

/// Why an address can't be listened on, with the setting that says where to.
pub fn named(setting: &str, address: &impl fmt::Display, cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("{setting} {address}: {cause}"))
}

/// Who is at the other end: by IPv4 as such, by whatever socket it came in.
pub fn peer(stream: &tokio::net::TcpStream) -> Option<SocketAddr> {
    let address = stream.peer_addr().ok()?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// Whether the kernel has no IPv6, or no address of it.
fn is_without_ipv6(error: &io::Error) -> bool {
    let of = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    of(Errno::AFNOSUPPORT) || of(Errno::ADDRNOTAVAIL)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        // Whatever the system's default is.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Raises the limit of file descriptors as far as the system lets us; how many
/// clients there can be, at most `wanted`, as `setting` says.
pub fn make_room_for(wanted: usize, setting: &str) -> usize {
    let mut promised = PROMISED.lock();
    let room = raise_limit(*promised + wanted as u64).saturating_sub(*promised);
    let clients = clients_in(room, wanted);
    if clients < wanted {
        tracing::warn!(
            wanted,
            clients,
            "the limit of open files (ulimit -n) is too low for {setting}"
        );
    }
    *promised += clients as u64;
    clients
}

/// Where there are not enough, a quarter is left to who comes later.
fn clients_in(room: u64, wanted: usize) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if wanted <= room { wanted } else { (room - room / 4).max(1) }
}

/// Raises the limit of descriptors to `needed` if it may; returns the limit.
fn raise_limit(needed: u64) -> u64 {
    let limits = getrlimit(Resource::Nofile);
    if limits.current.is_some_and(|current| current < needed) {
        let most = limits.maximum.unwrap_or(u64::MAX);
        let raised = Rlimit { current: Some(needed.min(most)), maximum: limits.maximum };
        // Where it fails, what there is has to do.
        let _ = setrlimit(Resource::Nofile, raised);
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_those_of_both_kinds() {
        let listener = tcp("[::]:0".parse().expect("an address")).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let reach = |host: &str| std::net::TcpStream::connect((host, port));
        reach("127.0.0.1").expect("by IPv4");
        // Not every machine has IPv6.
        if TcpListener::bind("[::1]:0").is_ok() {
            reach("::1").expect("by IPv6");
        }
    }

    #[test]
    fn no_ipv6_is_told_from_a_port_that_is_taken() {
        let of = |errno: Errno| is_without_ipv6(&io::Error::from(errno));
        assert!(of(Errno::AFNOSUPPORT) && of(Errno::ADDRNOTAVAIL));
        assert!(!of(Errno::ADDRINUSE) && !of(Errno::ACCESS));
    }

    #[test]
    fn where_descriptors_are_few_some_are_left() {
        let check = |room, wanted, expected| assert_eq!(clients_in(room, wanted), expected);
        check(1000, 1000, 1000);
        check(1000, 1001, 750);
        check(4, 1000, 3);
        check(0, 1000, 1);
    }
}
