//! Gateways: which of them are on the queue now, by the signs that they leave.

use psg_engine::printable::{SHORT, printable};

use super::super::presence;
use super::diagnosis::Diagnosis;
use super::visit::{Visit, unanswered};

const TOPIC: &str = "gateways";

pub async fn look(visit: &mut Visit<'_>) -> Diagnosis {
    let signs = presence::on_queue(&mut visit.link.connection, &visit.settings.key).await;
    match signs {
        Ok(signs) => diagnose(&signs, visit.settings.once.is_some()),
        Err(cause) => unanswered(TOPIC, "ZRANGEBYSCORE", &cause),
    }
}

/// What the signs come to, where the settings in force are those of
/// exactly-once delivery or not.
fn diagnose(signs: &[String], is_once: bool) -> Diagnosis {
    let plain = signs.iter().filter(|sign| sign.starts_with("at-most-once ")).count();
    let all = signs.iter().map(|sign| shown(sign)).collect::<Vec<_>>().join(", ");
    match (signs.len(), plain) {
        (0, _) => Diagnosis::ok(TOPIC, "none is on the queue now that shows itself"),
        (count, 1..) if is_once || plain < count => Diagnosis::fail(
            TOPIC,
            format!("gateways of both deliveries are meant for one queue: {all}"),
            "stop those with at-most-once, which take their share away, or give each a queue of \
             its own",
        ),
        (_, 0) if !is_once => Diagnosis::warn(
            TOPIC,
            format!("{all} has the queue, but these settings say at-most-once"),
            "run the doctor with the settings of the gateway",
        ),
        (1, _) => Diagnosis::ok(TOPIC, format!("one is on the queue: {all}")),
        (count, 0) => Diagnosis::ok(TOPIC, format!("{count} are on the queue, one has it: {all}")),
        (count, _) => Diagnosis::warn(
            TOPIC,
            format!("{count} are on the queue, each gets a part of the samples: {all}"),
            "stop all but one; at a deploy, the old one before the new one",
        ),
    }
}

/// A sign for the eye: delivery, host and process.
fn shown(sign: &str) -> String {
    let mut parts = sign.split(' ');
    let mut part = || printable(parts.next().unwrap_or("?"), SHORT);
    let (delivery, host, process) = (part(), part(), part());
    format!("process {process} on {host} ({delivery})")
}

#[cfg(test)]
mod tests {
    use super::super::diagnosis::Severity;
    use super::*;

    #[test]
    fn signs_are_diagnosed_by_the_deliveries() {
        let check = |signs: &[&str], is_once: bool, severity: Severity| {
            let signs: Vec<String> = signs.iter().map(|sign| format!("{sign} h 7 0")).collect();
            let finding = diagnose(&signs, is_once);
            assert_eq!(finding.severity, severity, "{signs:?} {is_once}: {finding:?}");
        };
        let (plain, once) = ("at-most-once", "exactly-once");
        check(&[], false, Severity::Ok);
        check(&[plain], false, Severity::Ok);
        check(&[plain, plain], false, Severity::Warn);
        check(&[once, once], true, Severity::Ok);
        check(&[plain], true, Severity::Fail);
        check(&[plain, once], false, Severity::Fail);
        check(&[once], false, Severity::Warn);
    }

    #[test]
    fn signs_are_shown_without_their_nonce() {
        assert_eq!(shown("at-most-once web 7 00ff"), "process 7 on web (at-most-once)");
        assert_eq!(shown("odd\n"), "process ? on ? (odd\\n)");
    }
}
