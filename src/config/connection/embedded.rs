//! `embedded`, or `embedded,user=U,password=P`: the gateway itself is the
//! queue, and that is what producers have to say first.

use std::fmt;

use psg_actors::settings::Login;
use psg_engine::printable::{LONG, printable};

/// The login of the embedded queue, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedLogin {
    /// `None` lets everyone in.
    pub login: Option<Login>,
}

/// The options, where `text` names the embedded queue.
pub(super) fn options(text: &str) -> Option<&str> {
    let (first, rest) = text.split_once(',').unwrap_or((text, ""));
    first.trim().eq_ignore_ascii_case("embedded").then_some(rest)
}

/// Parses what follows `embedded`; or says all that is wrong with it.
pub(super) fn parse(options: &str) -> Result<EmbeddedLogin, Vec<String>> {
    let (mut user, mut password) = (None, None);
    let mut problems = Vec::new();
    for (index, part) in options.split(',').map(str::trim).enumerate() {
        match part.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("user") => {
                user = super::non_empty(value.trim());
            }
            Some((name, value)) if name.trim().eq_ignore_ascii_case("password") => {
                password = super::secret(value.trim());
            }
            None if part.is_empty() => {}
            // Not repeated: it may be the rest of a password with a comma.
            Some(_) | None => problems.push(format!(
                "expected part {} to be user=U or password=P, got something else",
                index + 2
            )),
        }
    }
    if user.is_some() && password.is_none() {
        problems.push("expected a password with the user of the embedded queue, got none".into());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(EmbeddedLogin { login: password.map(|password| Login { user, password }) })
}

impl fmt::Display for EmbeddedLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("embedded")?;
        let Some(login) = &self.login else { return Ok(()) };
        if let Some(user) = &login.user {
            write!(f, ",user={}", printable(user, LONG))?;
        }
        f.write_str(",password=***")
    }
}
