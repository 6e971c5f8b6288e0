//! What is in force of the file that says who may use the HTTP side. It is read
//! again while it is in use; what it asks of clients can be lost by accident (a
//! file that is being copied is empty for a moment), so a change that asks for
//! less has to stand for a while before it counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::web_config::WebConfig;
use crate::self_metrics::config_health::ConfigHealth;
use crate::settings::AccessSettings;

/// How old what was read of the file may be.
const FRESH: Duration = Duration::from_secs(1);
/// For how long a file that asks for less has to be the same.
const SETTLED: Duration = Duration::from_secs(5);

/// The file, and what is in force of it.
pub struct LiveConfig {
    settings: AccessSettings,
    is_tls: bool,
    health: Arc<ConfigHealth>,
    loaded: Mutex<LoadedConfig>,
}

/// What was read of the file, and when.
struct LoadedConfig {
    /// What the file last said that was accepted.
    accepted: Arc<WebConfig>,
    /// Whether it is in force; else nobody is let in.
    is_open: bool,
    /// A file that asks for less, and since when it has been the same.
    looser: Option<(u64, Instant)>,
    at: Instant,
}

/// What becomes of a file that was read.
#[derive(Debug, PartialEq, Eq)]
enum ReloadOutcome {
    Accepted,
    /// The one before stays in force, for that reason.
    Waits(String),
    Closes(String),
}

impl LiveConfig {
    /// Reads the file; a bad one is an error.
    pub fn open(settings: &AccessSettings, health: Arc<ConfigHealth>) -> Result<Self, String> {
        let config = load(settings)?;
        let is_tls = config.tls.is_some();
        health.set(None);
        let (accepted, at) = (Arc::new(config), Instant::now());
        let loaded = Mutex::new(LoadedConfig { accepted, is_open: true, looser: None, at });
        Ok(Self { settings: settings.clone(), is_tls, health, loaded })
    }

    /// Whether connections begin with a TLS handshake; never changes.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// What is in force now; `None` lets nobody in.
    pub fn config(&self) -> Option<Arc<WebConfig>> {
        let mut loaded = self.loaded.lock();
        if loaded.at.elapsed() >= FRESH {
            self.reload(&mut loaded, Instant::now());
        }
        loaded.is_open.then(|| Arc::clone(&loaded.accepted))
    }

    fn reload(&self, loaded: &mut LoadedConfig, now: Instant) {
        loaded.at = now;
        let read = load(&self.settings);
        let outcome = match &read {
            Ok(config) => loaded.judge(config, self.is_tls, now),
            Err(cause) => {
                loaded.looser = None;
                ReloadOutcome::Closes(cause.clone())
            }
        };
        let problem = match outcome {
            ReloadOutcome::Accepted => None,
            ReloadOutcome::Waits(cause) | ReloadOutcome::Closes(cause)
                if self.health.is_known(&cause) =>
            {
                Some(cause)
            }
            ReloadOutcome::Waits(cause) => {
                tracing::error!(%cause, "the HTTP configuration asks for less than before, so the previous one stays in force");
                loaded.is_open = true;
                Some(cause)
            }
            ReloadOutcome::Closes(cause) => {
                tracing::error!(%cause, "HTTP is closed until its configuration is valid again");
                loaded.is_open = false;
                Some(cause)
            }
        };
        if let (None, Ok(config)) = (&problem, read) {
            if self.health.has_problem() {
                tracing::info!("the HTTP configuration is valid again");
            }
            log_changes(&loaded.accepted, &config);
            (loaded.accepted, loaded.is_open, loaded.looser) = (Arc::new(config), true, None);
        }
        self.health.set(problem);
    }
}

impl LoadedConfig {
    /// What becomes of a file that is sound by itself.
    fn judge(&mut self, config: &WebConfig, is_tls: bool, now: Instant) -> ReloadOutcome {
        let file = config.path.display();
        if config.tls.is_some() && !is_tls {
            self.looser = None;
            return ReloadOutcome::Closes(format!(
                "{file}: tls_server_config came into it, which needs a restart"
            ));
        }
        let lost = config.asks_less_than(&self.accepted);
        if lost.is_empty() {
            return ReloadOutcome::Accepted;
        }
        let what = format!("{file}: expected it to ask for {} as before", lost.join(" and "));
        if is_tls && config.tls.is_none() {
            return ReloadOutcome::Waits(format!(
                "{what}, got none: without TLS it needs a restart"
            ));
        }
        if config.is_empty {
            return ReloadOutcome::Waits(format!(
                "{what}, got an empty file: if it is meant, it needs a restart"
            ));
        }
        let (text, since) =
            self.looser.filter(|(text, _)| *text == config.text).unwrap_or((config.text, now));
        self.looser = Some((text, since));
        if now.saturating_duration_since(since) >= SETTLED {
            tracing::warn!(%file, lost = lost.join(" and "), "HTTP asks for less than before");
            return ReloadOutcome::Accepted;
        }
        let seconds = SETTLED.as_secs();
        ReloadOutcome::Waits(format!(
            "{what}, got none: it counts once it has been the same for {seconds} s"
        ))
    }
}

/// Logs what an operator looks for after a change.
fn log_changes(before: &WebConfig, now: &WebConfig) {
    if let Some(certificate) =
        now.certificate.as_ref().filter(|_| now.certificate != before.certificate)
    {
        let (subject, expires) = certificate.subject_and_expiry();
        tracing::info!(subject, expires, "HTTP uses a new certificate");
    }
    if now.text != before.text {
        tracing::info!(file = %now.path.display(), "the HTTP configuration has changed");
    }
}

fn load(settings: &AccessSettings) -> Result<WebConfig, String> {
    WebConfig::load(&settings.file, settings.probes_are_free)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

    /// A file that asks for a password, and what is in force of it.
    struct Bench {
        live_config: LiveConfig,
        folder: tempfile::TempDir,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let file = folder.path().join("web.yml");
            fs::write(&file, format!("basic_auth_users: {{ann: {HASH}}}")).expect("written");
            let settings = AccessSettings { file, probes_are_free: false };
            let live_config = LiveConfig::open(&settings, Arc::default()).expect("it is sound");
            Self { live_config, folder, now: Instant::now() }
        }

        /// Whether somebody without a password is let in, that much later, where
        /// the file is this.
        fn lets_in(&mut self, text: &str, later: Duration) -> bool {
            fs::write(self.folder.path().join("web.yml"), text).expect("written");
            self.now += later;
            let mut loaded = self.live_config.loaded.lock();
            self.live_config.reload(&mut loaded, self.now);
            loaded.is_open && loaded.accepted.users.is_empty()
        }
    }

    #[test]
    fn a_file_that_asks_for_less_counts_once_it_has_stood_still() {
        let mut bench = Bench::new();
        let looser = "rate_limit: {interval: 1s, burst: 9}\n";
        assert!(!bench.lets_in(looser, Duration::ZERO));
        assert!(bench.live_config.health.has_problem());
        assert!(!bench.lets_in(looser, SETTLED / 2));
        assert!(!bench.lets_in("rate_limit: {interval: 1s, burst: 8}\n", SETTLED), "another one");
        assert!(!bench.lets_in("basic_auth_users: {ann: x}", SETTLED), "a bad one");
        assert!(!bench.lets_in(looser, SETTLED), "the time begins anew");
        assert!(bench.lets_in(looser, SETTLED));
        assert!(!bench.live_config.health.has_problem());
    }

    #[test]
    fn an_empty_file_opens_nothing_however_long_it_is_there() {
        let mut bench = Bench::new();
        for text in ["", "\n", "# nothing\n", "basic_auth_users:\n", "{}"] {
            for _ in 0..3 {
                assert!(!bench.lets_in(text, SETTLED * 2), "{text:?}");
            }
        }
    }

    #[test]
    fn a_bad_file_closes_and_one_that_asks_for_as_much_opens() {
        let mut bench = Bench::new();
        let is_open = |bench: &Bench| bench.live_config.loaded.lock().is_open;
        bench.lets_in("basic_auth_users: {ann: x}", FRESH);
        assert!(!is_open(&bench));
        bench.lets_in(&format!("basic_auth_users: {{bob: {HASH}}}"), FRESH);
        assert!(is_open(&bench) && !bench.live_config.health.has_problem());
    }
}
