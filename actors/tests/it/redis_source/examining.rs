//! The doctor at a server that lacks commands.

use psg_actors::source::redis::doctor::{ElementVerdict, Severity, examine};

use super::harness::settings;
use crate::server::RedisServer;

/// Nothing is wrong with what a gateway can do without, and no right that is
/// granted brings it back.
#[tokio::test]
async fn a_command_that_the_server_does_not_know_is_no_right_to_be_granted() {
    let unknown = ["LLEN", "INFO", "BLMOVE"].map(|name| format!("rename-command {name} \"\""));
    let server = RedisServer::start(&unknown.each_ref().map(String::as_str));
    let findings = examine(&settings(vec![server.endpoint()]), nothing_wrong).await;
    assert!(findings.iter().all(|finding| finding.severity < Severity::Fail), "{findings:?}");
    let (queue, rights): (Vec<_>, Vec<_>) = findings
        .iter()
        .filter(|finding| finding.severity > Severity::Ok)
        .partition(|finding| finding.severity == Severity::Skipped);
    assert!(queue.iter().any(|finding| finding.text.contains("does not know llen")), "{queue:?}");
    assert_eq!(rights.len(), 2, "{rights:?}");
    for finding in rights {
        let advice = finding.advice.as_deref().unwrap_or_default();
        assert!(advice.contains("rename-command") && !advice.contains("ACL"), "{finding:?}");
    }
}

fn nothing_wrong(_: &[u8]) -> ElementVerdict {
    ElementVerdict { refusals: Vec::new(), is_plainly_sample: false }
}
