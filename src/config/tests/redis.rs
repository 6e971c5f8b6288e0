//! How Redis is reached: files of certificates and of a password.

use std::path::Path;

use super::{check_problems, outcome};

#[test]
fn the_ca_file_is_read_and_used_with_tls_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let key = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("a certificate");
    let good = file("good.pem", &key.cert.pem());
    let set = |path: &Path| format!("Redis__TlsCaFile={}", path.display());

    let tls = outcome(&[&set(&good), "Redis__ConnectionString=a,ssl=true"], "{}");
    assert_eq!(tls.warnings.len(), 0);
    let tls = tls.config.expect("sound").gateway.pipeline.queue.redis.tls.expect("encrypted");
    assert_eq!(tls.ca_file, Some(good.clone()));

    let plain = outcome(&[&set(&good)], "{}");
    assert_eq!(
        plain.warnings,
        ["Redis__TlsCaFile has no effect, since the connection is not encrypted"]
    );
    assert_eq!(plain.config.expect("sound").gateway.pipeline.queue.redis.tls, None);

    let half = good_and_bad(&key.cert.pem());
    for bad in [
        file("half.pem", &half),
        file("empty.pem", ""),
        file("text.pem", "hello"),
        folder.path().join("none.pem"),
    ] {
        let problems = outcome(&[&set(&bad)], "{}").config.expect_err("no certificate");
        let message = problems[0].to_string();
        let start = "Redis__TlsCaFile: expected a readable PEM file with at least one certificate";
        assert!(problems.len() == 1 && message.starts_with(start), "{message}");
    }
}

/// A sound certificate, then one that is cut off.
fn good_and_bad(pem: &str) -> String {
    format!("{pem}\n{}", &pem[..pem.len() / 2])
}

#[test]
fn a_client_certificate_needs_its_key_and_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("c.key"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let certificate = format!("Redis__TlsCertificateFile={}", certificate.display());
    let key = format!("Redis__TlsKeyFile={}", key.display());
    let tls = "Redis__ConnectionString=a,ssl=true";

    let sound = outcome(&[&certificate, &key, tls, "Redis__TrustRedirects=true"], "{}");
    let target = sound.config.expect("sound").gateway.pipeline.queue.redis;
    let tls_settings = target.tls.expect("encrypted");
    assert!(tls_settings.identity.is_some() && tls_settings.trust_redirects);
    let alone = ["Redis__TlsKeyFile: expected Redis.TlsCertificateFile too, got none"];
    check_problems(&[&key, tls], "{}", &alone);
    let warnings = outcome(&[&certificate, &key], "{}").warnings;
    assert_eq!(warnings.len(), 2, "without TLS they are in vain: {warnings:?}");
}

#[test]
fn a_password_in_a_file_is_the_only_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "hush, hush\n").expect("written");
    let file = format!("Redis__PasswordFile={}", file.display());
    let found = outcome(&[&file, "Redis__ConnectionString=a,user=u"], "{}");
    assert_eq!(found.warnings, Vec::<String>::new());
    assert!(!format!("{found:?}").contains("hush"));
    assert!(found.config.expect("sound").gateway.pipeline.queue.redis.password_file.is_some());
    let twice = "Redis__PasswordFile: expected none, since Redis.ConnectionString has a password";
    check_problems(&[&file, "Redis__ConnectionString=a,password=p"], "{}", &[twice]);
    check_problems(&[&file, "Redis__ConnectionString=embedded,password=p"], "{}", &[twice]);
    let gateway =
        outcome(&[&file, "Redis__ConnectionString=embedded"], "{}").config.expect("sound");
    let login =
        gateway.gateway.pipeline.embedded.and_then(|embedded| embedded.login).expect("a login");
    assert_eq!(login.password.expose(), "hush, hush");
    let folder = format!("Redis__PasswordFile={}", folder.path().display());
    let problems = outcome(&[&folder], "{}").config.expect_err("a folder is no file");
    assert!(problems[0].message.contains("expected a regular file"), "{problems:?}");
}

#[test]
fn a_proxy_knows_one_database_and_no_exactly_once() {
    let proxy = "Redis__ConnectionString=a,proxy=Twemproxy";
    let check = |more: &str, part: &str| {
        let problems = outcome(&[proxy, more], "{}").config.expect_err(part);
        assert!(problems.len() == 1 && problems[0].message.contains(part), "{problems:?}");
    };
    assert!(outcome(&[proxy], "{}").config.is_ok());
    check("Redis__MetricQueueDatabase=1", "database 0");
    check("Redis__Delivery=exactly-once", "no proxy");
}
