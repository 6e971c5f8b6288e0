//! `top`: the live view of a gateway that runs elsewhere.

use std::fs;

use psg_testkit::process::free_port;
use psg_testkit::terminal::Terminal;
use psg_testkit::tls::Certificates;
use psg_testkit::{Finished, GatewayBuilder, Rig};

fn rig() -> Rig {
    let mut rig = Rig::start();
    let mut payloads: Vec<String> =
        (0..7).map(|i| format!(r#"{{"name":"jobs_total","labels":{{"i":{i}}}}}"#)).collect();
    payloads.push("{broken".into());
    rig.send(&payloads);
    rig
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn plain(port: u16) -> Finished {
    GatewayBuilder::bare().arguments(&["top", &url(port), "--seconds", "2"]).finish()
}

#[test]
fn without_a_terminal_it_prints_lines() {
    let rig = rig();
    let finished = plain(rig.gateway.port());
    assert_eq!(finished.code(), 0, "{}", finished.output());
    let expected = "backlog 0, series 7 of 1 metrics, rejected 1 (invalid_json 1), ";
    assert!(finished.output().contains(expected), "{}", finished.output());
    assert!(!finished.output().contains('\u{1b}'), "{:?}", finished.output());
}

#[test]
fn on_a_terminal_it_paints_until_q_is_pressed() {
    let rig = rig();
    let mut terminal = Terminal::run(&["top", &url(rig.gateway.port())]);
    let figures = ["series 7 of 1,000,000", "jobs_total", "rejected 1", "invalid_json", "q quits"];
    terminal.wait_for_text(&figures);
    terminal.press("q");
    assert_eq!(terminal.wait(), 0);
}

#[test]
fn control_c_and_signals_give_the_terminal_back() {
    let rig = rig();
    let terminal = || {
        let terminal = Terminal::run(&["top", &url(rig.gateway.port())]);
        terminal.wait_for_text(&["jobs_total"]);
        terminal
    };
    let mut interrupted = terminal();
    interrupted.press("\u{3}");
    assert_eq!(interrupted.wait(), 0);
    for name in ["TERM", "INT"] {
        let signalled = terminal();
        signalled.signal(name);
        assert_eq!(signalled.wait(), 0, "SIG{name}");
    }
}

#[test]
fn it_ends_with_a_terminal_that_is_closed_without_a_signal() {
    let rig = rig();
    let terminal = Terminal::run_after("trap \"\" HUP", &["top", &url(rig.gateway.port())]);
    terminal.wait_for_text(&["jobs_total"]);
    terminal.hang_up();
}

#[test]
fn a_gateway_that_comes_and_goes_is_waited_for() {
    let port = free_port();
    let mut terminal = Terminal::run(&["top", &url(port)]);
    terminal.wait_for_text(&["waiting for http://127.0.0.1:", "refused"]);
    let gateway = GatewayBuilder::connecting("127.0.0.1:1").on_port(port).start_unready();
    terminal.wait_for_text(&["series 0 of 1,000,000", "rejected 0"]);
    drop(gateway);
    terminal.wait_for_text(&["/api/v1/status: "]);
    terminal.press("q");
    assert_eq!(terminal.wait(), 0);
}

#[test]
fn what_is_no_gateway_is_said() {
    let redis = psg_testkit::RedisServer::start();
    let finished = plain(redis.port());
    assert_eq!(finished.code(), 1, "it has never answered: {}", finished.output());
    assert!(finished.output().contains("no answer yet; http://"), "{}", finished.output());
    assert!(finished.output().contains("another server may be there"), "{}", finished.output());
    let nobody = plain(free_port());
    assert_eq!(nobody.code(), 1, "{}", nobody.output());
    assert!(nobody.output().contains("error: http://127.0.0.1:"), "{}", nobody.output());
    let refused = GatewayBuilder::bare().arguments(&["top", "redis://localhost"]).finish();
    assert_eq!(refused.code(), 1, "{}", refused.output());
    assert!(refused.output().contains("expected http://host:port"), "{}", refused.output());
}

/// TLS, a client certificate and a password, as a web-config asks for them.
#[test]
fn a_gateway_with_a_web_config_is_watched_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let certificates = Certificates::create(folder.path(), &["localhost"]);
    let client = certificates.client("spiffe://test/top");
    let hash = bcrypt::hash("hunter2", 4).expect("a hash");
    for (name, text) in [
        ("client.pem", client.certificate.as_str()),
        ("client.key", client.key.as_str()),
        ("password", "hunter2\n"),
        ("wrong", "hunter3\n"),
        (
            "web.yml",
            &format!(
                "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  \
                 client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: authority.pem\n\
                 basic_auth_users: {{ann: {hash}}}\n"
            ),
        ),
    ] {
        fs::write(path(name), text).expect("the folder can be written");
    }
    let gateway = GatewayBuilder::connecting("127.0.0.1:1")
        .set("Http__ConfigFile", path("web.yml"))
        .start_listening();
    let url = format!("https://localhost:{}", gateway.port());
    let top = |arguments: &[&str]| {
        let all = [&["top", &url, "--seconds", "2"], arguments].concat();
        let builder = GatewayBuilder::bare().set("PROM_STREAM_GATEWAY_PASSWORD", "hunter2");
        let finished = builder.arguments(&all).finish();
        let said = finished.output();
        assert!(!said.contains("hunter"), "a password is shown: {said}");
        (finished.code(), said)
    };
    let (authority, certificate) = (path("authority.pem"), path("client.pem"));
    let (key, password, wrong) = (path("client.key"), path("password"), path("wrong"));
    let identity = ["--certificate-file", &certificate, "--key-file", &key];
    let with = |more: &[&str]| top(&[&identity, more].concat());
    let believed = ["--ca-file", &*authority];
    for more in [
        [&believed[..], &["--user", "ann"]].concat(),
        [&believed[..], &["--user", "ann", "--password-file", &password]].concat(),
        vec!["--insecure", "--user", "ann"],
    ] {
        let (code, said) = with(&more);
        assert!(code == 0 && said.contains("backlog 0, series 0 of 0 metrics"), "{more:?}: {said}");
    }
    for (more, why) in [
        (
            [&believed[..], &["--user", "ann", "--password-file", &wrong]].concat(),
            "refuses this user",
        ),
        (believed.to_vec(), "asks for a password (--user"),
        (vec!["--user", "ann"], "UnknownIssuer"),
    ] {
        let (code, said) = with(&more);
        assert!(code == 1 && said.contains(why), "{more:?}: {said}");
    }
    let (code, said) = top(&["--insecure", "--user", "ann"]);
    assert!(code == 1 && !said.contains("backlog"), "no certificate is shown: {said}");
    check_told(&url.replace("https://", "http://"), "needs https://");
}

#[test]
fn a_self_signed_certificate_that_is_its_own_authority_is_believed_by_its_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let own = Certificates::self_signed(folder.path(), &["localhost"]);
    let web = folder.path().join("web.yml");
    let text = "tls_server_config: {cert_file: own.pem, key_file: own.key}\n";
    fs::write(&web, text).expect("the folder can be written");
    let gateway =
        GatewayBuilder::connecting("127.0.0.1:1").set("Http__ConfigFile", &web).start_listening();
    let top = |host: &str| {
        let url = format!("https://{host}:{}", gateway.port());
        let file = own.authority.display().to_string();
        let arguments = ["top", &url, "--seconds", "2", "--ca-file", &file];
        GatewayBuilder::bare().arguments(&arguments).finish()
    };
    let seen = top("localhost");
    assert!(seen.code() == 0 && seen.output().contains("backlog 0"), "{}", seen.output());
    let misnamed = top("127.0.0.1");
    assert!(misnamed.code() == 1, "{}", misnamed.output());
}

#[test]
fn files_that_can_not_be_read_are_said_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("empty"), "").expect("the folder can be written");
    let (empty, missing) = (path("empty"), path("missing"));
    Certificates::create(folder.path(), &["localhost"]);
    let (other, key) = (path("authority.pem"), path("server.key"));
    for (arguments, why) in [
        (&["--ca-file", &*empty][..], "expected certificates in PEM"),
        (&["--ca-file", &missing], "missing: "),
        (&["--user", "u", "--password-file", &missing], "missing: "),
        (
            &["--user", "u"],
            "expected the password in PROM_STREAM_GATEWAY_PASSWORD or --password-file",
        ),
        (&["--password-file", &empty], "--user"),
        (&["--certificate-file", &empty], "--key-file"),
        (&["--certificate-file", &empty, "--key-file", &empty], "expected certificates in PEM"),
        (&["--certificate-file", &other, "--key-file", &key], "server.key: not the key of "),
    ] {
        let finished = GatewayBuilder::bare().arguments(&[&["top"], arguments].concat()).finish();
        assert_ne!(finished.code(), 0, "{arguments:?}");
        assert!(finished.output().contains(why), "{arguments:?}: {}", finished.output());
    }
}

#[test]
fn without_a_url_it_looks_where_the_settings_say() {
    let gateway = GatewayBuilder::connecting("127.0.0.1:1").start_unready();
    let address = format!("127.0.0.1:{}", gateway.port());
    let top = |address: &str| {
        let builder = GatewayBuilder::bare().set("Http__ListenAddress", address);
        builder.arguments(&["top", "--seconds", "2"]).finish()
    };
    let of = top(&address);
    assert_eq!(of.code(), 0, "{}", of.output());
    assert!(of.output().contains("series 0 of 0 metrics"), "{}", of.output());
    let of = top("nowhere");
    assert_eq!(of.code(), 1, "{}", of.output());
    assert!(of.output().contains("Http__ListenAddress"), "{}", of.output());
}

/// What is met at that URL is told so.
#[track_caller]
fn check_told(url: &str, words: &str) {
    let of = GatewayBuilder::bare().arguments(&["top", url, "--seconds", "1"]).finish();
    assert_eq!(of.code(), 1, "{}", of.output());
    assert!(of.output().contains(words), "{}", of.output());
}

#[test]
fn another_server_is_told_from_a_gateway() {
    let gateway = GatewayBuilder::connecting("127.0.0.1:1").start_unready();
    let elsewhere = format!("http://127.0.0.1:{}/elsewhere", gateway.port());
    check_told(&elsewhere, "expected status 200, got 404");
    check_told(&elsewhere, "another server may be there");
    check_told(&format!("https://127.0.0.1:{}", gateway.port()), "speaks no TLS: try http://");
}

#[test]
fn this_machine_is_never_reached_by_way_of_a_proxy() {
    let rig = rig();
    let port = rig.gateway.port();
    let [by_address, by_name] =
        ["127.0.0.1", "localhost"].map(|host| format!("http://{host}:{port}"));
    for arguments in [
        &["top", &by_address, "--seconds", "2"][..],
        &["top", &by_name, "--seconds", "2"],
        &["demo", "--seconds", "2"],
    ] {
        let builder = ["http_proxy", "HTTP_PROXY", "ALL_PROXY"]
            .iter()
            .fold(GatewayBuilder::bare(), |b, name| b.set(name, "http://127.0.0.1:1"));
        let of = builder.arguments(arguments).finish();
        assert_eq!(of.code(), 0, "{arguments:?}: {}", of.output());
        assert!(of.output().contains(": in "), "{arguments:?}: {}", of.output());
    }
}
