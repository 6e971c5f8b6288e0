//! The connection string, as the whole configuration takes it: it is accepted
//! or refused, and no password shows in anything that is printed.

use psg_actors::settings::{Endpoint, RedisTarget};

use super::secret;
use crate::config::file::FileContent;
use crate::config::{ConfigOutcome, configure};

const SETTING: &str = "Redis__ConnectionString";

/// Configures a gateway by the string.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let text = secret::put_into(text);
    let outcome = of(&text);
    let printed = secret::everything_printed(&outcome);
    assert!(!printed.chars().any(|c| c.is_control() && c != '\n'), "not escaped: {printed:?}");
    match &outcome.config {
        Ok(config) => {
            let target = &config.gateway.pipeline.queue.redis;
            assert!(!target.endpoints.is_empty(), "nowhere to connect to");
            if is_secret_only_in_the_password(target) {
                assert!(!printed.contains(secret::MARK), "{printed}");
            }
            check_that_what_is_shown_says_the_same(&outcome, target);
        }
        Err(problems) => {
            assert!(problems.iter().all(|problem| problem.name == SETTING), "{problems:?}");
            if secret::may_be_a_password_in(&text) {
                assert!(!printed.contains(secret::MARK), "{printed}");
            }
        }
    }
}

fn of(text: &str) -> ConfigOutcome {
    // At -1 the string names the database, whichever its syntax; with a count of
    // shards nobody is asked for that of processors.
    let set = [(SETTING, text), ("Redis__MetricQueueDatabase", "-1"), ("Shards__Count", "1")];
    configure(set.map(|(name, value)| (name.into(), value.into())), FileContent::default())
}

fn is_secret_only_in_the_password(target: &RedisTarget) -> bool {
    let RedisTarget { password, endpoints, username, service_name, sentinel_login, tls, .. } =
        target;
    let has = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(secret::MARK));
    let server_name = tls.as_ref().and_then(|tls| tls.server_name.clone());
    let sentinel_user = sentinel_login.as_ref().and_then(|login| login.user.clone());
    let shown = [username.clone(), service_name.clone(), server_name, sentinel_user];
    password.as_ref().is_some_and(|password| password.expose().contains(secret::MARK))
        && !shown.iter().any(has)
        && !endpoints.iter().any(|endpoint| endpoint.to_string().contains(secret::MARK))
}

/// What an operator is shown is a connection string again, and means the same;
/// where no text has a character that is of the syntax or had to be escaped.
fn check_that_what_is_shown_says_the_same(outcome: &ConfigOutcome, target: &RedisTarget) {
    let RedisTarget { username, password, service_name, tls, endpoints, .. } = target;
    let server_name = tls.as_ref().and_then(|tls| tls.server_name.as_ref());
    let is_plain = |text: &String| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let texts = [username.as_ref(), service_name.as_ref(), server_name];
    let has_socket = endpoints.iter().any(|endpoint| matches!(endpoint, Endpoint::Unix(_)));
    let masks_user = username.is_some() && password.is_none();
    if !texts.into_iter().flatten().all(is_plain) || has_socket || masks_user {
        return;
    }
    let entry = outcome.entries.iter().find(|entry| entry.name == "Redis.ConnectionString");
    let shown = &entry.expect("an entry for each setting").value;
    let again = of(shown).config.map(|config| config.gateway.pipeline.queue.redis);
    let again = again.unwrap_or_else(|problems| panic!("{shown}: {problems:?}"));
    assert_eq!(&again.endpoints, endpoints, "{shown}");
    assert_eq!((&again.username, &again.service_name), (username, service_name), "{shown}");
    assert_eq!(again.password.is_some(), password.is_some(), "{shown}");
    assert_eq!((&again.tls, again.database), (tls, target.database), "{shown}");
}
