//! `top`: the live view of a gateway that runs already, here or elsewhere.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::stop::Stop;
use crate::view::{Manner, Scene, show};

/// Which gateway to look at, and how.
#[derive(Debug, Clone, Args)]
pub struct TopOptions {
    /// Where the gateway listens for HTTP: http://host:port or host:port
    #[arg(value_name = "URL", default_value = "http://localhost:9091", value_parser = base_url)]
    url: String,

    /// End after so many seconds [default: until q or Ctrl-C]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,

    /// Print a line a second also on a terminal
    #[arg(long)]
    plain: bool,
}

/// Shows the gateway until somebody ends it.
pub fn run(options: &TopOptions) -> ExitCode {
    let stop = Stop::default();
    let scene = Scene { name: options.url.clone(), url: options.url.clone(), ..Scene::default() };
    let end = options.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let manner = Manner { plain: options.plain, with_excerpt: false, end };
    match stop.set_on_signal().and_then(|()| show(scene, manner, &stop)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The URL that paths are put behind.
fn base_url(text: &str) -> Result<String, String> {
    let expected = || format!("expected http://host:port or host:port, came \"{text}\"");
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = url::Url::parse(&whole).map_err(|_| expected())?;
    let is_plain = url.scheme() == "http" && url.username().is_empty() && url.query().is_none();
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
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in ["", "http://", "https://gateway", "redis://gateway", "u:p@gateway:1", "a b"] {
            assert!(base_url(text).is_err(), "{text}");
        }
    }
}
