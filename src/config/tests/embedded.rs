//! The embedded queue: who may use it, and what it goes without.

use super::{Problem, config, outcome};

#[test]
fn the_embedded_queue_is_for_those_who_may() {
    let embedded = |login: &str, address: &str| {
        let queue = format!("Redis__ConnectionString=embedded{login}");
        outcome(&[&queue, &format!("Embedded__ListenAddress={address}")], "{}")
    };
    for local in ["127.0.0.1:1", "[::1]:1", "localhost:0", "unix:/run/queue"] {
        assert!(embedded("", local).config.is_ok(), "{local}");
    }
    for open in ["0.0.0.0:1", ":1", "[::]:1", "10.0.0.1:1"] {
        let problems = embedded("", open).config.expect_err(open);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].name, "Embedded__ListenAddress");
        assert!(problems[0].message.contains("Embedded.AllowUnauthenticated"), "{problems:?}");
        assert!(embedded(",password=p", open).config.is_ok(), "{open}");
        let allowed = [
            "Redis__ConnectionString=embedded",
            &format!("Embedded__ListenAddress={open}"),
            "Embedded__AllowUnauthenticated=true",
        ];
        config(&allowed, "{}");
    }
    let login = |text: &str| {
        let gateway = embedded(text, "unix:/q").config.expect("a sound configuration").gateway;
        let login = gateway.pipeline.embedded.expect("the queue is embedded").login?;
        Some((login.user, login.password.expose().to_owned()))
    };
    assert_eq!(login(""), None);
    assert_eq!(login(",password=p"), Some((None, "p".into())));
    assert_eq!(login(" , user = u ,PASSWORD=p=q"), Some((Some("u".into()), "p=q".into())));
}

#[test]
fn the_embedded_queue_goes_without_what_needs_a_redis() {
    let refused = |lines: &[&str], name: &str, part: &str| {
        let lines = [&["Redis__ConnectionString=embedded"], lines].concat();
        let problems = outcome(&lines, "{}").config.expect_err(part);
        let is_it = |one: &Problem| one.name == name && one.message.contains(part);
        assert!(problems.iter().any(is_it), "{problems:?}");
    };
    refused(&["Redis__Delivery=exactly-once"], "Redis__Delivery", "at-most-once");
    refused(&["Redis__DeadLetterKey=d"], "Redis__DeadLetterKey", "no Redis");
    refused(&["Embedded__TlsKeyFile=/k"], "Embedded__TlsKeyFile", "TlsCertificateFile too");
    let certificate = "Embedded__TlsCertificateFile";
    refused(&["Embedded__TlsCertificateFile=/c"], certificate, "Embedded.TlsKeyFile too");
    let missing = ["Embedded__TlsCertificateFile=/none.pem", "Embedded__TlsKeyFile=/none.key"];
    refused(&missing, certificate, "/none.pem");
    let problem = |text: &str| {
        outcome(&[&format!("Redis__ConnectionString={text}")], "{}").config.expect_err(text)
    };
    for bad in ["embedded,user=u", "embedded,ssl=true", "embedded,hunter2"] {
        let problems = problem(bad);
        assert_eq!(problems.len(), 1, "{bad}: {problems:?}");
        assert!(!problems[0].message.contains("hunter2"), "{problems:?}");
    }
    let warned = |lines: &[&str]| outcome(lines, "{}").warnings;
    let embedded = "Redis__ConnectionString=embedded";
    assert_eq!(
        warned(&[embedded, "Redis__MetricQueuePopCount=5"]),
        ["Redis__MetricQueuePopCount has no effect on the embedded queue"]
    );
    assert_eq!(
        warned(&["Embedded__PushTimeoutMs=5"]),
        ["Embedded__PushTimeoutMs has no effect, since the queue is not embedded"]
    );
    assert!(warned(&[embedded, "Embedded__PushTimeoutMs=5"]).is_empty());
}
