//! The queue itself: whether its key holds a list, what waits in it, and whether
//! the gateway would take the element that is next.

use redis::cmd;

use super::super::error::{kind_of_reply, reply_words};
use super::super::once::{Keys, uncovered};
use super::ElementVerdict;
use super::diagnosis::Diagnosis;
use super::visit::{Visit, unanswered};
use crate::error_kind::ErrorKind;

/// How an element begins that a client library has wrapped, and by what.
const WRAPPINGS: &[(&[u8], &str)] = &[
    (b"s:", "PHP's serialize"),
    (b"a:", "PHP's serialize"),
    (b"O:", "PHP's serialize"),
    (b"\x00\x00\x00\x02", "igbinary"),
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x80", "Python's pickle, or msgpack"),
];

/// Looks at the list, at what exactly-once delivery has left, and at the
/// element that is next.
pub async fn look(
    visit: &mut Visit<'_>,
    judge: &impl Fn(&[u8]) -> ElementVerdict,
) -> Vec<Diagnosis> {
    let key = &visit.settings.key;
    let length = visit.ask::<u64>(&cmd("LLEN").arg(key).take()).await;
    let length = match length {
        Ok(length) => length,
        Err(cause) if is_wrong_type(&cause) => return vec![no_list(key)],
        Err(cause) => return vec![unanswered("queue", "LLEN", &cause)],
    };
    let mut findings = vec![waiting(key, length)];
    findings.extend(left(visit).await);
    if length > 0 {
        findings.extend(next(visit, judge).await);
    }
    findings
}

fn is_wrong_type(cause: &redis::RedisError) -> bool {
    reply_words(cause).is_some_and(|words| kind_of_reply(&words) == ErrorKind::WrongType)
}

fn no_list(key: &str) -> Diagnosis {
    Diagnosis::fail(
        "queue",
        format!("the key {key} holds something, but no list"),
        format!("redis-cli TYPE '{key}' tells what; rename it, or set Redis.MetricQueueKey"),
    )
}

fn waiting(key: &str, length: u64) -> Diagnosis {
    let text = match length {
        0 => format!("the list {key} is empty: all is taken, or nobody pushes there"),
        1 => format!("1 element waits in the list {key}"),
        _ => format!("{length} elements wait in the list {key}"),
    };
    Diagnosis::ok("queue", text)
}

/// Lists that only an exactly-once gateway knows how to count.
async fn left(visit: &mut Visit<'_>) -> Option<Diagnosis> {
    if visit.settings.once.is_some() {
        return None;
    }
    let keys = Keys::beside(&visit.settings.key);
    let ask = cmd("HMGET").arg(&keys.owner).arg("tip").arg("base").take();
    let (tip, base): (Option<String>, Option<String>) = visit.ask(&ask).await.ok()?;
    let refusal = uncovered(&keys, &tip?, &base?)?;
    Some(Diagnosis::fail("queue", refusal, "the gateway does not start like this"))
}

/// The element that would be popped next.
async fn next(
    visit: &mut Visit<'_>,
    judge: &impl Fn(&[u8]) -> ElementVerdict,
) -> Option<Diagnosis> {
    let ask = cmd("LINDEX").arg(&visit.settings.key).arg(-1).take();
    let element = match visit.ask::<Option<Vec<u8>>>(&ask).await {
        // It has been taken since.
        Ok(None) => return None,
        Ok(Some(element)) => element,
        Err(cause) => return Some(unanswered("payload", "LINDEX", &cause)),
    };
    let refusals = judge(&element).refusals;
    let Some(first) = refusals.first() else {
        return Some(Diagnosis::ok("payload", "the element that is next would be accepted"));
    };
    let more = match refusals.len() {
        1 => String::new(),
        count => format!(" (and {} more of its samples)", count - 1),
    };
    let text = format!("the element that is next would be refused: {first}{more}");
    Some(Diagnosis::fail("payload", text, what_to_do(&element)))
}

fn what_to_do(element: &[u8]) -> String {
    match WRAPPINGS.iter().find(|(beginning, _)| element.starts_with(beginning)) {
        Some((_, by)) => format!(
            "it looks wrapped by {by}: the producers' connection must not serialize or compress \
             (phpredis: Redis::OPT_SERIALIZER and Redis::OPT_COMPRESSION)"
        ),
        None => "fix the producer: docs/produce.md says under Fields what a sample may be; \
                 prom-stream-gateway lint tells before it is sent"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrapped_is_seen() {
        let check = |element: &[u8], word: &str| {
            assert!(what_to_do(element).contains(word), "{element:?}");
        };
        check(br#"s:12:"{\"name\":1}";"#, "PHP's serialize");
        check(b"\x1f\x8b\x08", "gzip");
        check(br#"{"name":1}"#, "fix the producer");
        check(b"", "fix the producer");
    }
}
