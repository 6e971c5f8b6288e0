//! The web-config file: whatever is in it, it is a configuration, or an error on
//! one line that repeats no password.

use std::path::Path;

use psg_actors::http::access::web_config::WebConfig;

use super::secret;

/// Reads the file as it is, and with a password that is no hash behind it.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    // What opens a file of the machine is not for a fuzzer; and one that knows the
    // mark may put it where no secret is.
    if text.contains("file") || text.contains(secret::MARK) {
        return;
    }
    if let Ok(config) = read(text) {
        assert!(config.asks_less_than(&config).is_empty(), "it asks what it asks");
        assert_eq!(config.asks_for_nothing(), config.users.is_empty(), "there is no TLS in it");
        assert_eq!(config.asks_for_nothing(), !config.keeps_pages_out());
    }
    let _ = read(&format!("{text}\nbasic_auth_users: {{ann: {}}}\n", secret::MARK));
}

fn read(text: &str) -> Result<WebConfig, String> {
    let read = WebConfig::parse(text, Path::new("/nowhere"), false);
    if let Err(problem) = &read {
        assert!(!problem.contains(secret::MARK), "{problem}");
        assert!(!problem.chars().any(char::is_control), "not escaped: {problem:?}");
    }
    read
}
