//! `Http.ConfigFile` by accident: while it is copied, emptied or half written,
//! nobody is let in who was not before, and somebody says so.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use psg_testkit::tls::Certificates;
use psg_testkit::{Gateway, GatewayBuilder, wait_for, wait_until};

/// `ann:one`.
const AS_ONE: (&str, &str) = ("Authorization", "Basic YW5uOm9uZQ==");

const RELOADED: &str = "prom_stream_gateway_http_config_last_reload_successful";

/// A gateway that asks for a password, without TLS.
struct Setup {
    file: PathBuf,
    text: String,
    gateway: Gateway,
    _folder: TempDir,
}

impl Setup {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("web.yml");
        let hash = bcrypt::hash("one", 4).expect("a hash");
        let text = format!("# Who may scrape.\nbasic_auth_users:\n  ann: {hash}\n");
        fs::write(&file, &text).expect("written");
        let builder = GatewayBuilder::connecting("127.0.0.1:1").set("Http__ConfigFile", &file);
        let gateway = builder.set("Http__ExemptHealthEndpoints", "true").start_unready();
        Self { file, text, gateway, _folder: folder }
    }

    fn write(&self, text: &str) {
        fs::write(&self.file, text).expect("written");
    }

    /// The status for whoever knows no password.
    fn for_strangers(&self) -> u16 {
        self.gateway.must_get("/metrics", &[]).status
    }

    /// The self-metric, as who knows the password sees it.
    fn reloaded(&self) -> Result<String, String> {
        let reply = self.gateway.must_get("/metrics", &[AS_ONE]);
        let text = reply.text();
        let line = text.lines().find_map(|line| line.strip_prefix(RELOADED));
        line.map(|value| value.trim().to_owned()).ok_or(format!("{}: {text}", reply.status))
    }

    /// Waits until the file is not in force as it stands; nobody gets in before.
    fn wait_for_trouble(&self) {
        wait_for("the file to be noticed", || {
            assert_eq!(self.for_strangers(), 401);
            self.reloaded().and_then(|value| if value == "0" { Ok(()) } else { Err(value) })
        });
    }
}

#[test]
fn a_file_that_is_copied_in_place_lets_nobody_in() {
    let setup = Setup::start();
    let is_over = AtomicBool::new(false);
    let (asked, let_in) = thread::scope(|scope| {
        scope.spawn(|| {
            let (first, rest) = setup.text.split_at(setup.text.len() / 2);
            while !is_over.load(Ordering::Relaxed) {
                let mut file = fs::File::create(&setup.file).expect("it can be written");
                for part in [first, rest] {
                    file.write_all(part.as_bytes()).expect("written");
                    thread::yield_now();
                }
            }
        });
        let (began, mut asked, mut let_in) = (Instant::now(), 0, 0);
        while began.elapsed() < Duration::from_secs(5) {
            asked += 1;
            let_in += u32::from(setup.for_strangers() == 200);
        }
        is_over.store(true, Ordering::Relaxed);
        (asked, let_in)
    });
    assert_eq!(let_in, 0, "of {asked} without a password");
    setup.write(&setup.text);
    wait_for("the file to be in force", || setup.reloaded());
}

#[test]
fn an_emptied_file_opens_nothing_and_is_told() {
    let setup = Setup::start();
    assert_eq!(setup.reloaded().as_deref(), Ok("1"));
    for text in ["", "basic_auth_users:\n"] {
        setup.write(text);
        setup.wait_for_trouble();
        let status = setup.gateway.must_get("/api/v1/status", &[AS_ONE]).text();
        let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
        let problem = status["http_config_problem"].as_str().unwrap_or_default();
        assert!(
            problem.contains("web.yml: expected it to ask for a password as before"),
            "{status}"
        );
        let log = setup.gateway.log().join("\n");
        assert!(
            log.contains("asks for less than before, so the previous one stays in force"),
            "{log}"
        );
        setup.write(&setup.text);
        wait_until("the file to be in force", || setup.reloaded().as_deref() == Ok("1"));
    }
}

#[test]
fn a_file_without_passwords_counts_once_it_has_stood_still() {
    let setup = Setup::start();
    setup.write("http_server_config: {headers: {X-Frame-Options: deny}}\n");
    setup.wait_for_trouble();
    wait_until("everybody to be let in", || setup.for_strangers() == 200);
    assert_eq!(setup.reloaded().as_deref(), Ok("1"));
    assert!(setup.gateway.log().join("\n").contains("HTTP asks for less than before"));
}

#[test]
fn a_file_that_asks_for_nothing_is_a_warning_from_the_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("web.yml");
    let warning = "web.yml asks for neither TLS nor a password";
    for text in ["", "basic_auth_users:\n", "rate_limit: {interval: 1s, burst: 9}\n"] {
        fs::write(&file, text).expect("written");
        let builder = GatewayBuilder::bare().set("Http__ConfigFile", &file);
        let finished = builder.arguments(&["check-config"]).finish();
        assert_eq!(finished.code(), 0);
        assert!(finished.output().contains(warning), "{text:?}: {}", finished.output());
    }
    let builder = GatewayBuilder::connecting("127.0.0.1:1").set("Http__ConfigFile", &file);
    let gateway = builder.start_unready();
    assert!(gateway.log().join("\n").contains(warning), "{:?}", gateway.log());
}

#[test]
fn a_certificate_that_was_replaced_has_a_line_in_the_log_and_a_bad_one_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("web.yml");
    Certificates::create(folder.path(), &["localhost"]);
    let text = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n";
    fs::write(&file, text).expect("written");
    let builder = GatewayBuilder::connecting("127.0.0.1:1").set("Http__ConfigFile", &file);
    let gateway = builder.start_listening();
    assert_eq!(healthcheck(&gateway, &file).0, 0);
    Certificates::create(folder.path(), &["localhost"]);
    wait_until("a line on the new certificate", || {
        assert_eq!(healthcheck(&gateway, &file).0, 0);
        let log = gateway.log().join("\n");
        log.contains("HTTP uses a new certificate") && log.contains("\"expires\"")
    });
    fs::write(folder.path().join("server.pem"), "nonsense").expect("written");
    let (code, output) = healthcheck(&gateway, &file);
    assert_eq!(code, 1);
    assert!(output.contains("cert_file") && output.contains("server.pem"), "{output}");
}

fn healthcheck(gateway: &Gateway, file: &Path) -> (i32, String) {
    let address = format!("127.0.0.1:{}", gateway.port());
    let builder = GatewayBuilder::bare().set("Http__ListenAddress", address);
    let builder = builder.set("Http__ConfigFile", file).arguments(&["healthcheck"]);
    let finished = builder.finish();
    (finished.code(), finished.output())
}
