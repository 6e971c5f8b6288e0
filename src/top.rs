//! `top`: the live view of a gateway that runs already, here or elsewhere.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use psg_actors::settings::{CertificateFiles, Secret};
use psg_engine::printable::{LONG, printable};

use crate::config::ConfigOutcome;
use crate::gateway_client::{ClientOptions, GatewayClient, password_in};
use crate::own_gateway::OwnGateway;
use crate::stop_flag::StopFlag;
use crate::view::{ViewModel, ViewOptions, show};

/// Where the password is, if no file has it.
const PASSWORD: &str = "PROM_STREAM_GATEWAY_PASSWORD";

/// Which gateway to look at, and how.
#[derive(Debug, Clone, Args)]
pub struct TopOptions {
    /// Where the gateway listens for HTTP: http://host:port, https://host:port or host:port
    /// [default: where the settings say, on this machine]
    #[arg(value_name = "URL", value_parser = base_url)]
    url: Option<String>,

    /// Stop after this many seconds [default: until q or Ctrl-C]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,

    /// Print a line a second on a terminal too
    #[arg(long)]
    plain: bool,

    /// The user to log in as; the password is in the environment as
    /// PROM_STREAM_GATEWAY_PASSWORD, or in a file
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// File with the password
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,

    /// PEM file of the certificate authorities to trust [default: the system's]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Accept any certificate
    #[arg(long, conflicts_with = "ca_file")]
    insecure: bool,

    /// PEM file of a client certificate, with --key-file
    #[arg(long, value_name = "FILE", requires = "key_file")]
    certificate_file: Option<PathBuf>,

    /// PEM file of its private key
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    key_file: Option<PathBuf>,
}

/// Shows the gateway until somebody ends it; 1 where it has never answered.
/// `settings` are asked where it is not said which one.
pub fn run(options: &TopOptions, settings: impl FnOnce() -> ConfigOutcome) -> ExitCode {
    match try_run(options, settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(options: &TopOptions, settings: impl FnOnce() -> ConfigOutcome) -> Result<(), String> {
    let url = options.url.clone().map_or_else(|| own_url(&settings()), Ok)?;
    let client = client(options, &url)?;
    let stop = StopFlag::default();
    let model = ViewModel { name: url.clone(), url, ..ViewModel::default() };
    let end = options.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let view = ViewOptions { plain: options.plain, with_excerpt: false, end };
    let last = stop.set_on_signal().and_then(|()| show(model, client, view, &stop));
    match last.map_err(|error| error.to_string())? {
        ViewModel { status: Some(_), .. } => Ok(()),
        ViewModel { trouble: Some(trouble), .. } => Err(printable(&trouble, 2 * LONG)),
        ViewModel { url, .. } => Err(format!("{url}: no answer yet")),
    }
}

/// Where the gateway with these settings is found on this machine.
fn own_url(outcome: &ConfigOutcome) -> Result<String, String> {
    let config = outcome.config.as_ref().map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        format!("bad configuration: {}; or name the gateway's URL", problems.join("; "))
    })?;
    let gateway = OwnGateway::find(&config.gateway.http)?;
    // A certificate rather names this.
    let is_loopback = gateway.address.ip().is_loopback() && gateway.address.is_ipv4();
    let url = gateway.url();
    Ok(if is_loopback { url.replace(&gateway.address.ip().to_string(), "localhost") } else { url })
}

fn client(options: &TopOptions, url: &str) -> Result<GatewayClient, String> {
    let password = || match (&options.password_file, env::var(PASSWORD)) {
        (Some(file), _) => password_in(file),
        (None, Ok(password)) => Ok(Secret::new(password)),
        (None, Err(_)) => Err(format!("expected the password in {PASSWORD} or --password-file")),
    };
    let login = options.user.as_deref().map(|user| Ok::<_, String>((user, password()?)));
    let identity = options.certificate_file.clone().zip(options.key_file.clone());
    GatewayClient::new(ClientOptions {
        is_local: is_local(url),
        login: login.transpose()?,
        ca_file: options.ca_file.as_deref(),
        is_insecure: options.insecure,
        identity: identity.map(|(certificate, key)| CertificateFiles { certificate, key }),
    })
}

/// Whether that is this machine, by a name or an address that says so.
fn is_local(url: &str) -> bool {
    let url = url::Url::parse(url).ok();
    match url.as_ref().and_then(url::Url::host) {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(url::Host::Ipv6(address)) => {
            let address = address.to_canonical();
            address.is_loopback() || address.is_unspecified()
        }
        None => false,
    }
}

/// The URL that paths are appended to.
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
    fn the_own_gateway_is_where_the_settings_say() {
        let check = |listen: &str, expected: &str| {
            let settings = [("Http__ListenAddress", listen)];
            let outcome = crate::config::from_settings(&settings);
            assert_eq!(own_url(&outcome).as_deref(), Ok(expected));
        };
        check(":9091", "http://localhost:9091");
        check("0.0.0.0:8080", "http://localhost:8080");
        check("127.0.0.1:1", "http://localhost:1");
        check("[::1]:1", "http://[::1]:1");
        check("10.0.0.7:1", "http://10.0.0.7:1");
    }

    #[test]
    fn this_machine_is_told_from_others() {
        for url in ["http://localhost:1", "http://127.0.0.2", "http://[::1]:1", "http://0.0.0.0:1"]
        {
            assert!(is_local(url), "{url}");
        }
        for url in ["http://gateway:1", "http://10.0.0.7", "http://localhost.example"] {
            assert!(!is_local(url), "{url}");
        }
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
