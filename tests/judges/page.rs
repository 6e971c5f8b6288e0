//! The status page: who gets it, with which headers; and what a real Chromium
//! shows of it, driven by `tests/judges/page/browse.js`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use psg_testkit::embedded::Embedded;
use psg_testkit::process::Process;
use psg_testkit::{Gateway, GatewayBuilder, RedisOptions, RedisServer, wait_for};

/// How Chromium asks for a page.
const CHROMIUM: (&str, &str) = (
    "Accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
);
const HOSTILE: &str = r#"<img src=x onerror=\"document.title='owned'\">"#;
/// How long a browser may take for all that it looks at.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn everything_but_a_browser_gets_ok_byte_for_byte() {
    let gateway = GatewayBuilder::connecting("127.0.0.1:1").start_unready();
    for headers in [&[][..], &[("Accept", "*/*")], &[("Accept", "text/plain, text/html;q=0.5")]] {
        let reply = gateway.must_get("/", headers);
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"ok"[..]), "{headers:?}");
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(reply.header("vary"), Some("accept"));
        assert_eq!(reply.header("content-security-policy"), None);
    }
}

/// The policy of a web-config is for what has none of its own: under it the page
/// might not run, or might do more.
#[test]
fn the_page_keeps_its_policy_beside_that_of_a_web_config() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("web.yml");
    let text = "http_server_config: {headers: {Content-Security-Policy: \"default-src *\"}}";
    std::fs::write(&file, text).expect("written");
    let with = GatewayBuilder::connecting("127.0.0.1:1").set("Http__ConfigFile", &file);
    let (with, without) =
        (with.start_unready(), GatewayBuilder::connecting("127.0.0.1:1").start_unready());
    let policy = |gateway: &Gateway, path: &str, headers: &[(&str, &str)]| {
        let reply = gateway.must_get(path, headers);
        let all = reply.headers.iter().filter(|(name, _)| name == "content-security-policy");
        all.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let own = policy(&without, "/", &[CHROMIUM]);
    assert_eq!(own.len(), 1);
    assert_eq!(policy(&with, "/", &[CHROMIUM]), own);
    for path in ["/", "/metrics", "/api/v1/status", "/nothing"] {
        assert_eq!(policy(&with, path, &[]), ["default-src *"], "{path}");
        assert_eq!(policy(&without, path, &[]), [""; 0], "{path}");
    }
}

#[test]
fn a_browser_gets_a_page_that_is_allowed_nothing_else() {
    let gateway = GatewayBuilder::connecting("127.0.0.1:1").start_unready();
    let reply = gateway.must_get("/", &[CHROMIUM]);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(reply.header("vary"), Some("accept"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    let policy = reply.header("content-security-policy").expect("a policy");
    for rule in
        ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
    {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert!(policy.matches("'sha256-").count() == 2, "{policy}");
    let text = reply.text();
    assert!(text.starts_with("<!doctype html>") && text.ends_with("</html>\n"), "{text}");
    // A link is not fetched before somebody follows it.
    let outside = ["src=", "@import", "url(", "href=\"http", "href=\"//"];
    let unlinked = text.replace("<a class=\"docs\" href=\"http", "");
    let found: Vec<_> = outside.iter().filter(|part| unlinked.contains(**part)).collect();
    assert!(found.is_empty(), "it fetches something: {found:?}");

    let tag = reply.header("etag").expect("a tag");
    let again = gateway.must_get("/", &[CHROMIUM, ("If-None-Match", tag)]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("content-security-policy"), Some(policy));
    assert_eq!(gateway.must_get("/", &[CHROMIUM, ("If-None-Match", "\"x\"")]).status, 200);
    let packed = gateway.must_get("/", &[CHROMIUM, ("Accept-Encoding", "gzip")]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.text(), text);
    let head = gateway.head("/", &[CHROMIUM]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-security-policy"), Some(policy));
}

#[test]
fn verdicts() {
    if !runs(node().arg("--version")) {
        must_be_there(false);
        return;
    }
    let mut judge = node();
    judge.arg(folder().join("verdicts.js"));
    must_end_well(Process::start("the judge", &mut judge));
}

#[test]
fn what_was_pushed_is_shown_and_none_of_it_is_markup() {
    let Some(browser) = Browser::find() else { return };
    let redis = RedisServer::with(RedisOptions { password: Some("hunter2"), ..Default::default() });
    let gateway = GatewayBuilder::connecting(&format!("{},password=hunter2", redis.address()))
        .set("Http__ExposePayloads", "true")
        // One of the samples is refused for its name.
        .set("Metrics__Names", "legacy")
        .set("Shards__Count", "2")
        .start();
    let payloads = payloads();
    redis.push(&payloads);
    gateway.scrape_after(payloads.len() as u64);
    browser.sees("busy", &[&gateway]);
}

fn payloads() -> Vec<String> {
    let many = (0..1000)
        .map(|i| format!(r#"{{"name":"many_total","value":{i},"labels":{{"number":{i}}}}}"#));
    let mut payloads: Vec<String> = many.collect();
    for value in [0.5, 1.5, 4.0] {
        payloads.push(format!(
            r#"{{"type":"histogram","name":"took_seconds","value":{value},"buckets":[1,2]}}"#
        ));
    }
    for value in [1, 2, 3] {
        payloads.push(format!(
            r#"{{"type":"summary","name":"took_summary","value":{value},"quantiles":[0.5],"epsilons":[0.01]}}"#
        ));
    }
    payloads.push(
        r#"{"type":"histogram","name":"took_seconds","value":3,"buckets":[1,2,5]}"#.to_owned(),
    );
    let line = "a\\nb\\u202ec";
    payloads.push(format!(
        r#"{{"type":"gauge","name":"hostile_metric","help":"<script>alert(1)</script>","value":1,"labels":{{"markup":"{HOSTILE}","line":"{line}"}}}}"#
    ));
    let refused = r#"{"name":"many_total","value":-1,"labels":{"number":"<svg onload=alert(1)>"}}"#;
    payloads.extend(vec![refused.to_owned(); 5]);
    payloads.push(format!(r#"{{"name":"{HOSTILE}","value":1}}"#));
    payloads
}

#[test]
fn trouble_is_told_from_the_first_sample_to_the_end_of_the_gateway() {
    let Some(browser) = Browser::find() else { return };
    let mut redis = RedisServer::start();
    let builder = || GatewayBuilder::reading(&redis);
    let mut gateway = builder().start();
    let (port, mut look) = (gateway.port(), browser.start("trouble", &[&gateway]));
    await_line(&mut look, "seen: empty");
    redis.push(&[r#"{"name":"first_total","value":1}"#]);
    await_line(&mut look, "seen: first");
    redis.go_down();
    await_line(&mut look, "seen: no redis");
    gateway.kill();
    await_line(&mut look, "seen: no gateway");
    let _again = GatewayBuilder::reading(&redis).on_port(port).start_unready();
    must_end_well(look);
}

#[test]
fn it_is_the_same_page_for_every_kind_of_queue() {
    let Some(browser) = Browser::find() else { return };
    let embedded = Embedded::start();
    let redis = RedisServer::with(RedisOptions { persistent: true, ..Default::default() });
    let once = || GatewayBuilder::reading(&redis).set("Redis__Delivery", "exactly-once");
    let owner = once().start();
    redis.push(&[r#"{"name":"a_total","value":1}"#]);
    let standby = once().start_unready();
    let other = RedisServer::start();
    let few_rights = "ACL SETUSER reader on >pw ~* +rpop";
    other.run::<()>(&few_rights.split(' ').collect::<Vec<_>>());
    let few_rights = format!("{},user=reader,password=pw", other.address());
    let blind = GatewayBuilder::connecting(&few_rights).start();
    browser.sees("queues", &[&embedded.gateway, &owner, &standby, &blind]);
}

/// A Chromium, and what drives it.
struct Browser {
    chromium: &'static str,
}

impl Browser {
    /// What `./test` has installed. A missing browser is a failure where CI is
    /// true, else it is said.
    fn find() -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let chromium = names.into_iter().find(|name| runs(Command::new(name).arg("--version")));
        let libraries = "require('playwright-core'); require('axe-core')";
        let found = chromium.filter(|_| runs(node().args(["-e", libraries])));
        must_be_there(found.is_some());
        found.map(|chromium| Self { chromium })
    }

    fn start(&self, scene: &str, gateways: &[&Gateway]) -> Process {
        let mut command = node();
        command.arg(folder().join("browse.js")).arg(scene);
        command.args(gateways.iter().map(|gateway| format!("127.0.0.1:{}", gateway.port())));
        Process::start("the browser", command.env("PSG_CHROMIUM", self.path()))
    }

    /// Where it is: a driver wants a path.
    fn path(&self) -> String {
        let found =
            Command::new("sh").args(["-c", &format!("command -v {}", self.chromium)]).output();
        let found = found.expect("there is a shell").stdout;
        String::from_utf8(found).expect("a path").trim().to_owned()
    }

    fn sees(&self, scene: &str, gateways: &[&Gateway]) {
        must_end_well(self.start(scene, gateways));
    }
}

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// What is missing is a failure where CI is true, else it is said.
fn must_be_there(is_there: bool) {
    const MISSING: &str = "there is no Chromium, no Node.js, or no playwright-core";
    let is_required = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(is_there || !is_required, "{MISSING}");
    if !is_there {
        eprintln!("skipped: {MISSING}");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges/page")
}

/// Node.js with the libraries that `./test` has fetched.
fn node() -> Command {
    let mut command = Command::new("node");
    let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/browser/node_modules");
    command.env("NODE_PATH", libraries);
    command
}

fn must_end_well(mut look: Process) {
    let status = look.wait_at_most(PATIENCE);
    assert!(status.success(), "{status}\n{}", look.lines().join("\n"));
}

fn await_line(look: &mut Process, line: &str) {
    wait_for(&format!("the browser to say {line:?}"), || {
        let lines = look.lines();
        let has_ended = look.ended();
        assert!(has_ended.is_none(), "the browser has ended: {}", lines.join("\n"));
        if lines.iter().any(|said| said == line) { Ok(()) } else { Err(lines.join("\n")) }
    });
}
