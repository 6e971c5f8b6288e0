//! A secret in a file of its own, as Docker, Kubernetes and systemd hand them out.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::settings::Secret;

/// The longest secret that is read.
const LONGEST: u64 = 64 * 1024;

/// The text of the file without the end of its line; or what is wrong with it.
pub fn read(path: &Path) -> Result<Secret, String> {
    let named = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    // A pipe might keep us waiting, and could not be read again.
    if !fs::metadata(path).map_err(|cause| named(&cause))?.is_file() {
        return Err(named(&"expected a regular file, got something else"));
    }
    let mut text = String::new();
    let file = File::open(path).map_err(|cause| named(&cause))?;
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(|cause| named(&cause))?;
    if text.len() as u64 > LONGEST {
        return Err(named(&format!("expected at most {LONGEST} bytes, got more")));
    }
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(named(&"expected a password, got an empty file")),
        secret => Ok(Secret::new(secret)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_line_is_no_part_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let check = |text: &str, expected: Option<&str>| {
            fs::write(&path, text).expect("written");
            let secret = read(&path);
            assert_eq!(secret.as_ref().ok().map(Secret::expose), expected, "{secret:?}");
        };
        check("hush\n", Some("hush"));
        check("hush\r\n", Some("hush"));
        check(" hush, with = and space ", Some(" hush, with = and space "));
        check("\n", None);
        check("", None);
        check(&"x".repeat(70_000), None);
        assert!(read(folder.path()).is_err(), "a folder is no file");
        assert!(read(Path::new("/dev/zero")).is_err());
    }
}
