//! Files of the gateway's own, such as its state: for nobody else to read or
//! write, and never what somebody has put in their place. A pipe would hold the
//! gateway up, a link would have it write elsewhere.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Who may do what with one: its owner, read and write.
const MODE: u32 = 0o600;

/// Links that lead to links, at most.
const MAX_LINKS: usize = 16;

/// Where `path` leads, if it is a link, whether or not there is something. So
/// what is put in its place leaves the link where it is.
pub fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => {
                let target = fs::read_link(&path)?;
                path = path.parent().unwrap_or(Path::new("")).join(target);
            }
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("expected a file, got links that lead to each other"))
}

pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(OpenOptions::new().read(true), path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A new file, to be written. What an earlier process has left there goes,
/// and so does a link, but not what it leads to.
pub fn create(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() || found.is_symlink() => fs::remove_file(path)?,
        Ok(found) => return Err(no_file(found.file_type())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    open(OpenOptions::new().write(true).create_new(true), path)
}

/// A file that may be there, to be locked.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    let file = open(OpenOptions::new().create(true).append(true), path)?;
    // One of another user's can be locked all the same.
    let _ = file.set_permissions(PermissionsExt::from_mode(MODE));
    Ok(file)
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    if let Ok(found) = fs::symlink_metadata(path)
        && !found.is_file()
    {
        return Err(no_file(found.file_type()));
    }
    // In case it has become a link or a pipe since.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = options.mode(MODE).custom_flags(flags.cast_signed()).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() { Ok(file) } else { Err(no_file(kind)) }
}

fn no_file(kind: FileType) -> io::Error {
    io::Error::other(format!("expected a file, got {}", describe(kind)))
}

pub fn describe(kind: FileType) -> &'static str {
    if kind.is_file() {
        "a file"
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a link"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}
