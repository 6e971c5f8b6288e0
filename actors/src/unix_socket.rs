//! Paths of Unix sockets that are listened on: made, and removed at the end.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::private_file::describe;

/// The path of a socket of ours, removed when dropped.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    inode: u64,
}

impl SocketPath {
    /// Makes a socket there by `bind`. One that nobody listens on any more, as
    /// `connect` finds, is left from a process that was killed, and makes room; anything
    /// else that is there stays. `what` it is goes to the log.
    pub fn bind<S>(
        path: &Path,
        what: &str,
        connect: impl FnOnce() -> io::Result<()>,
        bind: impl FnOnce() -> io::Result<S>,
    ) -> io::Result<(S, Self)> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                let got = describe(found.file_type());
                return Err(io::Error::new(
                    ErrorKind::AlreadyExists,
                    format!("expected a socket or nothing there, got {got}"),
                ));
            }
            Ok(_) if is_left_over(connect())? => fs::remove_file(path)?,
            Ok(_) => {}
            Err(cause) if cause.kind() == ErrorKind::NotFound => {}
            Err(cause) => return Err(cause),
        }
        let socket = bind()?;
        let metadata = fs::symlink_metadata(path)?;
        let mode = format!("{:o}", metadata.permissions().mode() & 0o777);
        tracing::info!(path = %path.display(), mode, "created the socket of {what}");
        Ok((socket, Self { path: path.to_owned(), inode: metadata.ino() }))
    }
}

impl fmt::Display for SocketPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        // Another gateway may have put its own there meanwhile.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether nobody answers there; an error where somebody does, or may.
fn is_left_over(connected: io::Result<()>) -> io::Result<bool> {
    match connected {
        Ok(()) => Err(io::Error::new(ErrorKind::AddrInUse, "somebody listens there already")),
        Err(cause) if cause.kind() == ErrorKind::ConnectionRefused => Ok(true),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}
