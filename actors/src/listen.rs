//! Listening sockets, and the file descriptors that their clients take.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// File descriptors that are kept for everything but clients.
const OTHER_DESCRIPTORS: u64 = 128;

/// File descriptors that are spoken for.
static PROMISED: Mutex<u64> = Mutex::new(OTHER_DESCRIPTORS);

/// Listens on that address; port 0 lets the system choose.
pub fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Raises the limit of file descriptors as far as the system lets us; how many
/// clients there can be, at most `wanted`, as `setting` says.
pub fn make_room_for(wanted: usize, setting: &str) -> usize {
    let mut promised = PROMISED.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Sees to it that so many descriptors may be open; how many may.
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
    fn where_descriptors_are_few_some_are_left() {
        let check = |room, wanted, expected| assert_eq!(clients_in(room, wanted), expected);
        check(1000, 1000, 1000);
        check(1000, 1001, 750);
        check(4, 1000, 3);
        check(0, 1000, 1);
    }
}
