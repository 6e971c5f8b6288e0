//! The table of connection strings, and properties over any string.

use proptest::prelude::*;

use super::*;

/// All of a connection in one line, defaults left out, secrets too.
fn summary(text: &str) -> String {
    let connection = match parse(text) {
        Ok(connection) => connection,
        Err(messages) => return format!("refused: {}", messages.join("; ")),
    };
    let (target, defaults) = (&connection.target, RedisTarget::default());
    let mut line = connection.to_string();
    if target.client_name != defaults.client_name {
        line.push_str(&format!(" name={}", target.client_name));
    }
    if target.connect_timeout != defaults.connect_timeout {
        line.push_str(&format!(" timeout={:?}", target.connect_timeout));
    }
    if target.keep_alive != defaults.keep_alive {
        line.push_str(&format!(" keep_alive={:?}", target.keep_alive));
    }
    line
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(summary(text), expected, "{text:?}");
}

/// Refused with exactly one message, that contains `part`.
#[track_caller]
fn refused(text: &str, part: &str) {
    let messages = parse(text).expect_err(text);
    assert_eq!(messages.len(), 1, "{text:?}: {messages:?}");
    assert!(messages[0].contains(part), "{text:?}: {messages:?}");
}

fn password(text: &str) -> String {
    let connection = parse(text).expect(text);
    connection.target.password.map_or(String::new(), |secret| secret.expose().to_owned())
}

#[test]
fn sentinels_have_a_login_of_their_own() {
    let full = "a,serviceName=m,sentinelUser=u,sentinelPassword=p";
    check(full, "a:26379,serviceName=m,sentinelUser=u,sentinelPassword=***");
    check("a,serviceName=m,sentinelPassword=p", "a:26379,serviceName=m,sentinelPassword=***");
    refused("a,sentinelPassword=p", "expected serviceName with sentinelPassword");
    refused("a,serviceName=m,sentinelUser=u", "expected sentinelPassword with sentinelUser");
    refused("a,serviceName=m,sentinelPassword=one,two", "(a password can't hold a comma)");
}

#[test]
fn proxies_and_maps_of_commands() {
    check("a,proxy=None", "a:6379");
    check("a,proxy=Twemproxy", "a:6379,proxy=Twemproxy");
    check("a,proxy=envoyproxy", "a:6379,proxy=Twemproxy");
    refused("a,proxy=nginx", r#"expected proxy=None, Twemproxy or Envoyproxy, got "nginx""#);
    refused("a,proxy=Twemproxy,defaultDatabase=1", "database 0");
    check("a,$ECHO=,$CONFIG=x", "a:6379");
    check("a,$role=,$CLIENT=,$ROLE=,$RPOP=rpop", "a:6379,$ROLE=,$CLIENT=");
    check("a,password=p,$ROLE=", "a:6379,password=***,$ROLE=");
    refused("a,$RPOP=", "part 2 takes RPOP away, which the gateway needs");
    refused("a,$LLEN=OTHER", "part 2 renames LLEN");
    refused("a,password=p,$x1=y", "expected part 3 to be a known option");
}

#[test]
fn urls_of_valkey() {
    check("valkey://u:p@a/1", "a:6379,user=u,password=***,defaultDatabase=1");
    check("valkeys://a", "a:6379,ssl=true");
}

#[test]
fn endpoints() {
    check("localhost", "localhost:6379");
    check(" localhost:6380 ", "localhost:6380");
    check("redis-0.svc_a.local", "redis-0.svc_a.local:6379");
    check("10.0.0.1,10.0.0.2:7000", "10.0.0.1:6379,10.0.0.2:7000");
    check("[::1]:7000", "[::1]:7000");
    check("[fe80::1]", "[fe80::1]:6379");
    check("::1", "[::1]:6379");
    check("!/run/redis.sock", "!/run/redis.sock");
    check("a,,a:6379,a,", "a:6379,a:6379");
    check("a,ssl=true", "a:6380,ssl=true");
    check("ssl=true,a,b:1", "a:6380,b:1,ssl=true");
    check("a,b:1,serviceName=main", "a:26379,b:1,serviceName=main");
    check("a,ssl=true,serviceName=main", "a:26379,ssl=true,serviceName=main");
}

#[test]
fn endpoints_that_are_none() {
    refused("", "expected at least one host:port, got none");
    refused(" , ,", "expected at least one host:port, got none");
    refused("ssl=true", "expected at least one host:port, got none");
    let bad = [
        "a:0",
        "a:65536",
        "a:x",
        "a:",
        ":6379",
        "a:+1",
        "[::1",
        "[::1]x",
        "[a]:1",
        "1:2:3",
        "!",
        "=a",
        "a b",
        "user@host",
        "a/b",
        "http//x",
        "ä",
    ];
    for part in bad {
        let messages = parse(&format!("localhost,{part}")).expect_err(part);
        let expected = "expected part 2 to be host, host:port, [v6]:port or !/path, got \
                        something else";
        assert_eq!(messages, [expected], "{part:?}");
    }
}

#[test]
fn options_that_are_honoured() {
    check("a,user=u,password=p", "a:6379,user=u,password=***");
    check("a,PASSWORD = p , User=u", "a:6379,user=u,password=***");
    check("a,password=p", "a:6379,password=***");
    check("a,user=hush", "a:6379,user=***");
    check("a,password=,user=", "a:6379");
    check("a,SSL=True,sslHost=b", "a:6380,ssl=true,sslHost=b");
    check("a,ssl=true,ssl=false", "a:6379");
    check("a,sslHost=b", "a:6379");
    check("!/s,ssl=true,sslHost=b", "!/s,ssl=true,sslHost=b");
    check("a,defaultDatabase=5", "a:6379,defaultDatabase=5");
    check("a,defaultDatabase=-1", "a:6379,defaultDatabase=0");
    check("a,name=mine", "a:6379 name=mine");
    check("a,name=", "a:6379");
    check("a,connectTimeout=250", "a:6379 timeout=250ms");
    check("a,keepAlive=0", "a:6379 keep_alive=None");
    check("a,keepAlive=-1", "a:6379");
    check("a,keepAlive=30", "a:6379 keep_alive=Some(30s)");
    check("a,connectRetry=3,abortConnect=false,tieBreaker=,proxy=none", "a:6379");
    assert_eq!(password("a,password=p=q== "), "p=q==");
    assert_eq!(password("a,password=one,password=two"), "two");
}

#[test]
fn options_that_are_wrong() {
    refused("a,ssl=maybe", r#"expected ssl=true or ssl=false, got "maybe""#);
    refused("a,connectTimeout=0", "connectTimeout to be a whole number from 1 to 2147483647");
    refused("a,defaultDatabase=-2", "defaultDatabase to be a whole number from -1");
    refused("a,keepAlive=soon", r#"got "soon""#);
    refused("a,frob=1", "part 2 is the unknown option frob");
    refused("!/s,ssl=true", "expected sslHost with ssl on a Unix socket");
    refused("a,password=one,two=2", "expected part 3 to be a known option");
    refused("a,password=one,b@c", "(a password can't hold a comma)");
    refused("a,password=one,ssl=two", "got something else");
    // A part of it may look like a host.
    for rest in ["Zweiter9", "ter2SECRET", "12345", "!x/y", "cd,ef", ",ter2", "10.0.0.1:6379"] {
        let messages = parse(&format!("a,password=ab,{rest},ssl=true")).expect_err(rest);
        assert!(messages[0].contains("(a password can't hold a comma)"), "{messages:?}");
        assert!(!messages.join(" ").contains(rest), "{messages:?}");
    }
    check("a,password=one,ssl=true,b", "a:6380,b:6380,password=***,ssl=true");
    let messages = parse("a:x,ssl=2,frob=1").expect_err("three problems");
    assert_eq!(messages.len(), 3, "{messages:?}");
}

#[test]
fn every_option_of_the_reference_is_known() {
    let options = "abortConnect allowAdmin asyncTimeout syncTimeout channelPrefix \
        checkCertificateRevocation configChannel configCheckSeconds highIntegrity protocol \
        resolveDns setlib sslProtocols tiebreaker tunnel version highPriorityThreads \
        preserveAsyncOrder responseTimeout writeBuffer connectRetry";
    for name in options.split_whitespace() {
        check(&format!("a,{}=x", name.to_uppercase()), "a:6379");
    }
}

#[test]
fn urls() {
    check("redis://a", "a:6379");
    check("REDIS://a:7000/", "a:7000");
    check("redis://a/5", "a:6379,defaultDatabase=5");
    check("redis://u:p@a", "a:6379,user=u,password=***");
    check("redis://:p@a", "a:6379,password=***");
    check("redis://hush@a", "a:6379,user=***");
    check("redis://[::1]:7000/0", "[::1]:7000,defaultDatabase=0");
    check("redis://10.0.0.1", "10.0.0.1:6379");
    check("rediss://a", "a:6379,ssl=true");
    check("rediss://:p@a:1/2", "a:1,password=***,ssl=true,defaultDatabase=2");
    check("unix:///run/redis.sock", "!/run/redis.sock");
    check("redis+unix:///a%20b?db=3", "!/a b,defaultDatabase=3");
    check("unix:///s?user=u&pass=p&db=1", "!/s,user=u,password=***,defaultDatabase=1");
    assert_eq!(password("redis://:p%40%2F%2Cx+y@a"), "p@/,x+y");
    assert_eq!(password("unix:///s?pass=a%26b=c+d"), "a&b=c+d");
}

#[test]
fn urls_that_are_wrong() {
    refused("redis://", "expected redis://");
    refused("redis:///5", "expected redis://");
    refused("redis://a:0", "got port 0");
    refused("redis://a:70000", "got a URL with invalid port number");
    refused("redis://a/x", "expected a database from 0 to 2147483647, got something else");
    refused("redis://a/-1", "expected a database");
    refused("redis://a/1/2", "expected a database");
    refused("redis://a?db=1", "got a URL with a ?");
    refused("redis://a#1", "got a URL with a #");
    refused("redis://a,password=p", "got no valid host");
    refused("redis://a,password=p@q", "got a user with a comma");
    refused("redis://:p#q@a", "percent-encoded");
    refused("redis://:%ff@a", "expected percent-encoded UTF-8");
    refused("unix://a/b", "expected unix:///path");
    refused("unix:///", "expected unix:///path");
    refused("unix:///s?frob=1", "expected db, user and pass");
    refused("http://a", "got another scheme");
    refused("tcp://a:6379", "got another scheme");
}

/// Text made of what the syntaxes are made of.
fn likely() -> impl Strategy<Value = String> {
    let pieces = [
        "redis://",
        "rediss://",
        "unix://",
        "://",
        ",",
        "=",
        ":",
        "@",
        "/",
        "?",
        "#",
        "[",
        "]",
        "%",
        "%4",
        "%ff",
        "!",
        " ",
        "ssl=true",
        "password=",
        "user=",
        "serviceName=",
        "embedded",
        "a",
        "::1",
        "6379",
        "-1",
        "é",
        "\0",
        "\u{202e}",
        "db=",
        "pass=",
        "&",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..12)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), likely in likely()) {
        for text in [text, likely] {
            if let Ok(connection) = parse(&text) {
                prop_assert!(!connection.target.endpoints.is_empty());
                let shown = connection.to_string();
                prop_assert!(!shown.contains(['\0', '\n', '\u{1b}']), "{:?}", shown);
            }
        }
    }

    #[test]
    fn a_password_is_kept_as_it_is_whatever_it_holds(given in r#"[!-~&&[^,]]{1,20}"#) {
        prop_assert_eq!(password(&format!("a,password={given},user=u")), given.clone());
        let set = percent_encoding::NON_ALPHANUMERIC;
        let encoded = percent_encoding::utf8_percent_encode(&given, set);
        prop_assert_eq!(password(&format!("redis://u:{encoded}@a")), given.clone());
        prop_assert_eq!(password(&format!("unix:///s?pass={encoded}")), given.clone());
    }
}
