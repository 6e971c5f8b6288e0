//! `Http.ConfigFile`: TLS, certificates of clients, passwords and headers, from
//! a file as Prometheus' exporters take it.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use psg_testkit::https::Https;
use psg_testkit::tls::{Certificates, Identity};
use psg_testkit::{Gateway, GatewayBuilder, wait_for, wait_until};

/// bcrypt of "one" and of "two", with the least cost.
static ONE: LazyLock<String> = LazyLock::new(|| bcrypt::hash("one", 4).expect("a hash"));
static TWO: LazyLock<String> = LazyLock::new(|| bcrypt::hash("two", 4).expect("a hash"));

/// `ann:one` and `ann:two`.
const AS_ONE: &str = "Authorization: Basic YW5uOm9uZQ==";
const AS_TWO: &str = "Authorization: Basic YW5uOnR3bw==";

/// A key on a curve that is not known here.
const P521: &str = "-----BEGIN PRIVATE KEY-----
MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIAdiHcHx7k8WL/moEs
ueuD6G8IySTf1KF39MrYcLMAPC/eGGPNdTHinqoQ9trXDD9NF6zy7DZevE28m2H6
hI29KrWhgYkDgYYABAAzfP2Ivva+fsTrJizIKlpFrDfsSUfjgghkyBr5TKRKJS82
lRKhx45YY/qyUy1UrG/q1erA1A5YEtQqhDtrMevW9QAek9H/tWyuCZ3LavW9IYhY
29M64KIgqyEjTgt4+0kSG0KOYbxQmEnMmEc77QzgGlZFsQns3OjSOKJOX28H5tCS
5g==
-----END PRIVATE KEY-----
";

/// Every path, and what has to be asked.
const PATHS: [(&str, &str); 9] = [
    ("GET", "/"),
    ("GET", "/metrics"),
    ("GET", "/metrics/"),
    ("GET", "/-/healthy"),
    ("GET", "/-/ready"),
    ("GET", "/api/v1/status"),
    ("GET", "/api/v1/rejects"),
    ("GET", "/api/v1/cardinality"),
    ("DELETE", "/api/v1/metrics/x"),
];

/// A folder with certificates and the file that names them.
struct Setup {
    folder: TempDir,
    certificates: Certificates,
}

impl Setup {
    /// With the section of the server's certificate before `rest`, whose lines
    /// may go on with it.
    fn with_tls(rest: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificates = Certificates::create(folder.path(), &["localhost"]);
        let setup = Self { folder, certificates };
        setup.write(&format!(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{rest}"
        ));
        setup
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("web.yml")
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).expect("the folder can be written");
    }

    fn builder(&self) -> GatewayBuilder {
        GatewayBuilder::connecting("127.0.0.1:1").set("Http__ConfigFile", self.file())
    }

    fn healthcheck(&self, gateway: &Gateway) -> i32 {
        let address = format!("127.0.0.1:{}", gateway.port());
        let builder = GatewayBuilder::bare().set("Http__ListenAddress", address);
        builder.set("Http__ConfigFile", self.file()).arguments(&["healthcheck"]).finish().code()
    }

    fn client(&self, gateway: &Gateway) -> Https {
        Https::new(gateway.port(), &self.certificates.authority, None)
    }
}

#[test]
fn every_path_wants_the_password() {
    let setup = Setup::with_tls(&format!(
        "basic_auth_users:\n  ann: {}\nhttp_server_config:\n  headers:\n    \
         X-Frame-Options: deny\n",
        *ONE
    ));
    let builder = setup.builder().set("Http__EnableAdmin", "true").set("Log__Level", "trace");
    let gateway = builder.start_listening();
    let client = setup.client(&gateway);
    for (method, path) in PATHS {
        let ask = |headers: &[&str]| client.ask(method, path, headers).expect("an answer");
        let refused = ask(&[]);
        assert_eq!(refused.status, 401, "{path}");
        let text = refused.text.to_ascii_lowercase();
        assert!(text.contains("www-authenticate: basic"), "{path}: {text}");
        assert!(text.contains("x-frame-options: deny"), "{path}: {text}");
        assert_eq!(ask(&[AS_TWO]).status, 401, "{path}");
        let admitted = ask(&[AS_ONE]);
        assert_ne!(admitted.status, 401, "{path}");
        assert!(admitted.text.to_ascii_lowercase().contains("x-frame-options: deny"), "{path}");
    }
    assert_eq!(client.status("/metrics", &[AS_ONE]), Ok(200));
    assert!(gateway.get("/-/healthy", &[]).is_err_and(|e| !e.is_empty()), "no plain HTTP");
    assert_eq!(setup.healthcheck(&gateway), 0);
    let log = gateway.log().join("\n");
    for secret in ["YW5uOm9uZQ", "YW5uOnR3bw", ONE.as_str()] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn passwords_without_tls_and_free_probes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("web.yml");
    fs::write(&file, format!("basic_auth_users: {{ann: {}}}", *ONE)).expect("written");
    let gateway = GatewayBuilder::connecting("127.0.0.1:1")
        .set("Http__ConfigFile", &file)
        .set("Http__ExemptHealthEndpoints", "true")
        .start_unready();
    let status = |path| gateway.must_get(path, &[]).status;
    assert_eq!((status("/-/healthy"), status("/-/ready")), (200, 503));
    assert_eq!((status("/metrics"), status("/"), status("/-/healthy/")), (401, 401, 401));
    let (name, value) = AS_ONE.split_once(": ").expect("a header");
    assert_eq!(gateway.must_get("/metrics", &[(name, value)]).status, 200);
}

#[test]
fn requests_beyond_the_rate_are_turned_away() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("web.yml");
    fs::write(&file, "rate_limit: {interval: 1h, burst: 3}").expect("written");
    let gateway = GatewayBuilder::connecting("127.0.0.1:1")
        .set("Http__ConfigFile", &file)
        .set("Http__ExemptHealthEndpoints", "true")
        .start_unready();
    let statuses: Vec<u16> = (0..5).map(|_| gateway.must_get("/metrics", &[]).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(gateway.must_get("/-/healthy", &[]).status, 200);
}

#[test]
fn strangers_do_not_use_up_the_rate_of_those_who_are_let_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("web.yml");
    let text =
        format!("basic_auth_users: {{ann: {}}}\nrate_limit: {{interval: 1h, burst: 3}}", *ONE);
    fs::write(&file, text).expect("written");
    let builder = GatewayBuilder::connecting("127.0.0.1:1").set("Http__ConfigFile", &file);
    let gateway = builder.set("Http__ExemptHealthEndpoints", "true").start_unready();
    let status = |as_whom: &str| {
        let (name, value) = as_whom.split_once(": ").expect("a header");
        gateway.must_get("/metrics", &[(name, value)]).status
    };
    for _ in 0..5 {
        assert_eq!((gateway.must_get("/metrics", &[]).status, status(AS_TWO)), (401, 401));
    }
    let statuses: Vec<u16> = (0..4).map(|_| status(AS_ONE)).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
}

/// A hash that takes long, and guesses that never end, from another address.
#[test]
fn guessers_do_not_shut_out_who_knows_the_password() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("web.yml");
    let hash = bcrypt::hash("one", 10).expect("a hash");
    fs::write(&file, format!("basic_auth_users: {{ann: {hash}}}")).expect("written");
    let builder = GatewayBuilder::connecting("127.0.0.1:1").set("Http__ConfigFile", &file);
    let gateway = builder.set("Http__ExemptHealthEndpoints", "true").start_unready();
    let is_over = AtomicBool::new(false);
    let guesses = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..80 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let number = guesses.fetch_add(1, Ordering::Relaxed);
                    guess(gateway.port(), number);
                }
            });
        }
        wait_until("guesses under way", || guesses.load(Ordering::Relaxed) >= 80);
        let (name, value) = AS_ONE.split_once(": ").expect("a header");
        let status = gateway.get("/metrics", &[(name, value)]).map(|reply| reply.status);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(status, Ok(200), "at the first try, within the patience of a client");
    });
}

/// Asks from 127.0.0.2 with another password each time.
fn guess(port: u16, number: u64) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let at = |last, port| SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port));
    socket.bind(&at(2, 0).into()).expect("an address of this machine");
    if socket.connect_timeout(&at(1, port).into(), Duration::from_secs(1)).is_err() {
        return;
    }
    let mut stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(Duration::from_secs(3))).expect("a time-out is set");
    let word = STANDARD.encode(format!("ann:{number}"));
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {word}\r\nConnection: close\r\n\r\n"
    );
    let mut answer = String::new();
    let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
    assert!(!answer.starts_with("HTTP/1.1 200"), "{number}: {answer}");
}

#[test]
fn files_are_read_anew_and_a_bad_one_closes_the_door() {
    let setup = Setup::with_tls(&format!("basic_auth_users: {{ann: {}}}\n", *ONE));
    let gateway = setup.builder().start_listening();
    let old = setup.client(&gateway);
    assert_eq!(old.status("/metrics", &[AS_ONE]), Ok(200));

    // Another certificate, of another authority.
    let renewed = Certificates::create(setup.folder.path(), &["localhost"]);
    let new = Https::new(gateway.port(), &renewed.authority, None);
    wait_for("the new certificate", || new.status("/metrics", &[AS_ONE]));
    old.status("/metrics", &[AS_ONE]).expect_err("the old one is not shown any more");

    let text = fs::read_to_string(setup.file()).expect("it is there");
    setup.write(&text.replace(ONE.as_str(), &TWO));
    wait_until("the new password", || new.status("/metrics", &[AS_TWO]) == Ok(200));
    assert_eq!(new.status("/metrics", &[AS_ONE]), Ok(401));

    setup.write("tls_server_config: {cert_file: server.pem}");
    wait_until("the door to be closed", || new.status("/metrics", &[AS_TWO]).is_err());
    wait_until("the reason to be logged", || {
        let log = gateway.log().join("\n");
        log.contains("key: expected key or key_file, got neither")
    });
    setup.write("");
    let closed = || gateway.log().iter().filter(|line| line.contains("HTTP is closed")).count();
    assert_eq!(closed(), 1, "it is told once");

    setup.write(&text);
    wait_until("the door to be open again", || new.status("/metrics", &[AS_ONE]) == Ok(200));
}

#[test]
fn certificates_of_clients() {
    let setup = Setup::with_tls(
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: authority.pem\n  \
         client_allowed_sans: ['spiffe://fleet/prometheus']\n",
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let strangers = Certificates::create(folder.path(), &["localhost"]);
    let known = setup.certificates.client("spiffe://fleet/prometheus");
    let other = setup.certificates.client("spiffe://fleet/other");
    let stranger = strangers.client("spiffe://fleet/prometheus");
    for probes_are_free in [false, true] {
        let gateway = setup
            .builder()
            .set("Http__ExemptHealthEndpoints", probes_are_free.to_string())
            .start_listening();
        let status = |identity, path| {
            Https::new(gateway.port(), &setup.certificates.authority, identity).status(path, &[])
        };
        assert_eq!(status(Some(&known), "/metrics"), Ok(200));
        status(Some(&other), "/metrics").expect_err("it has another name");
        status(Some(&stranger), "/metrics").expect_err("it is of another authority");
        if probes_are_free {
            assert_eq!(status(None, "/-/healthy"), Ok(200));
            assert_eq!(status(None, "/metrics"), Ok(403));
        } else {
            status(None, "/-/healthy").expect_err("there is no way without one");
        }
        assert_eq!(setup.healthcheck(&gateway), 0, "free: {probes_are_free}");
    }
}

#[test]
fn a_self_signed_certificate_of_a_client_is_known_by_its_file() {
    let setup = Setup::with_tls(
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.pem\n",
    );
    let (known, stranger) = (Identity::self_signed("scraper"), Identity::self_signed("scraper"));
    fs::write(setup.folder.path().join("clients.pem"), &known.certificate).expect("written");
    let gateway = setup.builder().start_listening();
    let status = |identity| {
        let authority = &setup.certificates.authority;
        Https::new(gateway.port(), authority, Some(identity)).status("/metrics", &[])
    };
    assert_eq!(status(&known), Ok(200));
    status(&stranger).expect_err("it is another one of the same name");
}

#[test]
fn a_bad_file_stops_the_start_and_is_told_by_check_config() {
    let check = |file: &Path| {
        let builder = GatewayBuilder::bare().set("Http__ConfigFile", file);
        let finished = builder.arguments(&["check-config"]).finish();
        (finished.code(), finished.output())
    };
    let setup = Setup::with_tls("");
    assert_eq!(check(&setup.file()).0, 0);
    fs::write(setup.folder.path().join("p521.key"), P521).expect("written");
    let sound = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";
    let cases = [
        ("tls_server_config: {cert_file: server.pem}", "key: expected key or key_file"),
        ("tls_server_config: {cert_file: x.pem, key_file: server.key}", "x.pem: No such file"),
        ("  cert: x\n", "cert: expected cert or cert_file, got both"),
        ("  min_version: TLS10\n", "min_version: expected one of TLS12, TLS13, got \"TLS10\""),
        ("  min_version: TLS13\n  max_version: TLS12\n", "max_version: expected at least"),
        ("  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n", "cipher_suites: expected one of"),
        ("  curve_preferences: [CurveP521]\n", "curve_preferences: expected one of X25519"),
        ("  client_auth_type: Maybe\n", "client_auth_type: expected one of NoClientCert"),
        ("  client_ca_file: authority.pem\n", "client_auth_type: expected one that asks"),
        ("  client_auth_type: VerifyClientCertIfGiven\n", "client_ca: expected client_ca"),
        (
            "  client_auth_type: RequestClientCert\n  client_allowed_sans: [x]\n",
            "client_allowed_sans: expected",
        ),
        ("  certfile: x\n", "unknown field `certfile`"),
        ("basic_auth_users: {ann: secret}\n", "basic_auth_users.ann: expected a bcrypt hash"),
        ("tls_server_config: {cert_file: server.pem, key_file: p521.key}", "key_file: "),
    ];
    for (text, expected) in cases {
        let goes_on = !text.starts_with("tls_server_config");
        setup.write(&if goes_on { format!("{sound}{text}") } else { text.to_owned() });
        let (code, output) = check(&setup.file());
        assert_eq!(code, 78, "{text}: {output}");
        assert!(output.contains("Http__ConfigFile") && output.contains(expected), "{output}");
        assert!(!output.contains("secret"), "{output}");
    }
    let finished = setup.builder().finish();
    assert_eq!(finished.code(), 78, "{}", finished.output());
}

#[test]
fn tls_as_the_file_wants_it() {
    for (section, expected) in [
        (
            "  max_version: TLS12\n  cipher_suites: \
             [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256]\n  \
             prefer_server_cipher_suites: no\nhttp_server_config: {http2: true}\n",
            "TLSv1_2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ),
        (
            "  min_version: TLS13\n  curve_preferences: [CurveP384]\n",
            "TLSv1_3 TLS13_AES_256_GCM_SHA384 secp384r1",
        ),
    ] {
        let setup = Setup::with_tls(section);
        let gateway = setup.builder().start_listening();
        let client = setup.client(&gateway);
        assert_eq!(client.status("/-/healthy", &[]), Ok(200));
        assert_eq!(client.spoken().expect("a handshake"), expected);
    }
}
