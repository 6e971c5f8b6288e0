//! A web page that lets its own name lead to the gateway (DNS rebinding) gets
//! neither status nor API, and can remove nothing; what is no browser goes on.

use psg_testkit::{Gateway, GatewayBuilder, Rig};

const PAGE: (&str, &str) = ("Accept", "text/html");

fn status(gateway: &Gateway, path: &str, host: &str) -> u16 {
    gateway.must_get(path, &[("Host", host), PAGE]).status
}

#[test]
fn a_name_of_strangers_gets_no_page_and_no_api() {
    let gateway = GatewayBuilder::connecting("127.0.0.1:1")
        .set("Http__AllowedHosts", "metrics.example.com, *.fleet.example")
        .start_unready();
    let pages = ["/", "/api/v1/status", "/api/v1/rejects", "/api/v1/cardinality"];
    for path in pages {
        for host in ["evil.example", "evil.example:9091", "127.0.0.1.evil.example", "x.example.com"]
        {
            let reply = gateway.must_get(path, &[("Host", host), PAGE]);
            assert_eq!(reply.status, 421, "{path} {host}");
            assert!(reply.text().contains("Http.AllowedHosts"), "{}", reply.text());
        }
        for host in [
            "localhost",
            "127.0.0.1:80",
            "[::1]",
            "gateway:9091",
            "metrics.example.com",
            "a.fleet.example:1",
        ] {
            assert_eq!(status(&gateway, path, host), 200, "{path} {host}");
        }
    }
    for path in ["/metrics", "/metrics/", "/-/healthy"] {
        assert_eq!(status(&gateway, path, "evil.example"), 200, "{path}");
    }
    let plain = gateway.must_get("/", &[("Host", "evil.example")]);
    assert_eq!((plain.status, plain.text().as_str()), (200, "ok"));
}

#[test]
fn a_removal_needs_the_name_and_a_header_that_no_form_can_send() {
    let mut rig = Rig::with(&[("Http__EnableAdmin", "true")]);
    rig.send(&[r#"{"name":"n_total","value":1}"#]);
    let delete = |headers: &[(&str, &str)]| {
        psg_testkit::http::delete_with(rig.gateway.port(), "/api/v1/metrics/n_total", headers)
            .expect("the gateway answers")
    };
    let meant = ("X-Requested-By", "me");
    let refused = delete(&[]);
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("X-Requested-By"), "{}", refused.text());
    assert_eq!(delete(&[meant, ("Host", "evil.example")]).status, 421);
    assert_eq!(rig.gateway.scrape().value("n_total", &[]), Some(1.0));
    assert_eq!(delete(&[meant]).status, 200);
}
