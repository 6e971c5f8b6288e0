//! The holder: whether the process that held the queue is known to be gone, so
//! that nobody has to wait for its lease. That can be known on the machine on
//! which it ran alone, and only where process numbers mean the same: within one
//! boot and one namespace. A token says all of that of its process.

use std::fs;

use procfs::process::Process;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use xxhash_rust::xxh3::xxh3_64;

use super::record::new_nonce;

/// Which process it is, among all that there ever are where its number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProcessIdentity {
    /// Of the boot and the namespace.
    place: u64,
    pid: i32,
    /// In ticks since the boot.
    started: u64,
}

/// A token of this process: random, and with its identity where that is known.
pub fn token() -> String {
    let nonce = new_nonce();
    match ProcessIdentity::of_this_process() {
        Some(ProcessIdentity { place, pid, started }) => {
            format!("{nonce:016x}.{place:016x}.{pid}.{started}")
        }
        None => format!("{nonce:016x}"),
    }
}

/// Whether the process with that token has ended for sure.
pub fn is_gone(token: &str) -> bool {
    let Some(holder) = ProcessIdentity::in_token(token) else { return false };
    let is_near = place().is_some_and(|here| here == holder.place);
    is_near && holder.has_ended()
}

impl ProcessIdentity {
    fn of_this_process() -> Option<Self> {
        let pid = i32::try_from(std::process::id()).ok()?;
        Some(Self { place: place()?, pid, started: started(pid)? })
    }

    fn in_token(token: &str) -> Option<Self> {
        let mut parts = token.split('.').skip(1);
        let place = u64::from_str_radix(parts.next()?, 16).ok()?;
        let (pid, started) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { place, pid, started })
    }

    /// Its number is free, or another process bears it.
    fn has_ended(self) -> bool {
        let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.pid > 0) else { return false };
        match test_kill_process(pid) {
            Err(Errno::SRCH) => true,
            // One of another user, too, is there.
            Ok(()) | Err(_) => started(self.pid).is_some_and(|started| started != self.started),
        }
    }
}

/// What a process number depends on: the boot, and the namespace; and the host's
/// name, since machines that are copied while they run share the boot.
fn place() -> Option<u64> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let host = rustix::system::uname();
    let place = format!("{} {} {:?}", boot.trim(), namespace.display(), host.nodename());
    Some(xxh3_64(place.as_bytes()))
}

fn started(pid: i32) -> Option<u64> {
    Process::new(pid).and_then(|process| process.stat()).ok().map(|stat| stat.starttime)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn token_of(ProcessIdentity { place, pid, started }: ProcessIdentity) -> String {
        format!("{:016x}.{place:016x}.{pid}.{started}", 7)
    }

    #[test]
    fn a_process_is_gone_only_where_that_is_sure() {
        assert!(!is_gone(&token()), "this one runs");
        let this = ProcessIdentity::of_this_process().unwrap();
        assert!(
            is_gone(&token_of(ProcessIdentity { started: this.started + 1, ..this })),
            "an heir"
        );
        let elsewhere = ProcessIdentity { place: this.place + 1, started: 1, ..this };
        assert!(!is_gone(&token_of(elsewhere)), "of another machine nothing is known");
        for odd in
            ["", "00ff", "7.1", "7.x.1.1", "7.1.1", &token_of(ProcessIdentity { pid: 0, ..this })]
        {
            assert!(!is_gone(odd), "{odd}");
        }
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id() as i32;
        let other = token_of(ProcessIdentity { pid, started: started(pid).unwrap(), ..this });
        assert!(!is_gone(&other), "it runs");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_gone(&other));
    }
}
