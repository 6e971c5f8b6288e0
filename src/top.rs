//! `top`: the live view of a gateway that runs already, here or elsewhere.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use psg_actors::settings::Secret;

use crate::stop::Stop;
use crate::view::{Manner, Scene, Way, WayOptions, password_in, show};

/// Where the password is, if no file has it.
const PASSWORD: &str = "PROM_STREAM_GATEWAY_PASSWORD";

/// Which gateway to look at, and how.
#[derive(Debug, Clone, Args)]
pub struct TopOptions {
    /// Where the gateway listens for HTTP: http://host:port, https://host:port or host:port
    #[arg(value_name = "URL", default_value = "http://localhost:9091", value_parser = base_url)]
    url: String,

    /// End after so many seconds [default: until q or Ctrl-C]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,

    /// Print a line a second also on a terminal
    #[arg(long)]
    plain: bool,

    /// The user to log in as; the password is in the environment as
    /// PROM_STREAM_GATEWAY_PASSWORD, or in a file
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// The file that has the password
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,

    /// PEM file of the authorities to believe [default: the system's]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Believe any certificate
    #[arg(long, conflicts_with = "ca_file")]
    insecure: bool,

    /// PEM file of a certificate to show, with --key-file
    #[arg(long, value_name = "FILE", requires = "key_file")]
    certificate_file: Option<PathBuf>,

    /// PEM file of its private key
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    key_file: Option<PathBuf>,
}

/// Shows the gateway until somebody ends it.
pub fn run(options: &TopOptions) -> ExitCode {
    let way = match way(options) {
        Ok(way) => way,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let stop = Stop::default();
    let scene = Scene { name: options.url.clone(), url: options.url.clone(), ..Scene::default() };
    let end = options.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let manner = Manner { plain: options.plain, with_excerpt: false, end };
    match stop.set_on_signal().and_then(|()| show(scene, way, manner, &stop)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn way(options: &TopOptions) -> Result<Way, String> {
    let password = || match (&options.password_file, env::var(PASSWORD)) {
        (Some(file), _) => password_in(file),
        (None, Ok(password)) => Ok(Secret::new(password)),
        (None, Err(_)) => Err(format!("expected the password in {PASSWORD} or --password-file")),
    };
    let login = options.user.as_deref().map(|user| Ok::<_, String>((user, password()?)));
    Way::new(WayOptions {
        login: login.transpose()?,
        ca_file: options.ca_file.as_deref(),
        is_insecure: options.insecure,
        identity: options.certificate_file.as_deref().zip(options.key_file.as_deref()),
    })
}

/// The URL that paths are put behind.
fn base_url(text: &str) -> Result<String, String> {
    let expected =
        || format!("expected http://host:port, https://host:port or host:port, got \"{text}\"");
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = url::Url::parse(&whole).map_err(|_| expected())?;
    let is_plain = ["http", "https"].contains(&url.scheme())
        && url.username().is_empty()
        && url.query().is_none();
    if !is_plain || !url.has_host() {
        return Err(expected());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_completed() {
        let check = |text: &str, url: &str| assert_eq!(base_url(text).as_deref(), Ok(url));
        check("localhost:9091", "http://localhost:9091");
        check("10.0.0.7:9091", "http://10.0.0.7:9091");
        check("[::1]:9091", "http://[::1]:9091");
        check("gateway", "http://gateway");
        check("http://gateway:9091/", "http://gateway:9091");
        check("http://proxy/gateway/", "http://proxy/gateway");
        check("https://gateway:9091/", "https://gateway:9091");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in
            ["", "http://", "https://u:p@gateway", "redis://gateway", "u:p@gateway:1", "a b"]
        {
            assert!(base_url(text).is_err(), "{text}");
        }
    }
}
