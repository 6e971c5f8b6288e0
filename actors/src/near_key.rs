//! Near misses: whether a key that producers push to is meant to be the
//! queue's, and what mends it.

use psg_engine::printable::{LONG, is_printable, printable};

/// Bytes by which two spellings of a key may differ.
const TYPO: usize = 2;

/// How a key came about that is nearly the queue's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// A client library put something before it.
    Prefix,
    /// It is spelt in another way.
    Spelling,
}

/// Whether `other` is nearly `queue`.
pub fn miss(queue: &str, other: &str) -> Option<Miss> {
    if queue == other || other.is_empty() {
        return None;
    }
    let (plain_queue, plain_other) = (plain(queue), plain(other));
    if other.ends_with(queue)
        || plain_other.len() > plain_queue.len() && plain_other.ends_with(&plain_queue)
    {
        return Some(Miss::Prefix);
    }
    let is_part = plain_other.len() * 2 >= plain_queue.len() && plain_queue.ends_with(&plain_other);
    (is_part || plain_queue == plain_other || is_typo(queue.as_bytes(), other.as_bytes()))
        .then_some(Miss::Spelling)
}

/// What mends pushes to `other`, which nobody takes.
pub fn advice(queue: &str, other: &str) -> String {
    let queue = printable(queue, LONG);
    // What a shell or a terminal would mind is not to be pasted.
    let setting = match other.chars().all(|one| is_printable(one) && !one.is_whitespace()) {
        true => format!("set Redis.MetricQueueKey={other}, or "),
        false => String::new(),
    };
    match miss(&queue, other) {
        Some(Miss::Prefix) => format!(
            "a client library puts a prefix before its keys (Laravel does, phpredis' OPT_PREFIX, \
             ioredis' keyPrefix): {setting}push by a connection without a prefix"
        ),
        Some(Miss::Spelling) => format!("{setting}have producers push to {queue}"),
        None => format!("have producers push to {queue}"),
    }
}

/// Letters and digits alone, in lower case.
fn plain(key: &str) -> String {
    key.chars().filter(|one| one.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether they differ in one place by a little.
fn is_typo(one: &[u8], other: &[u8]) -> bool {
    let same =
        |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| pairs.take_while(|(a, b)| a == b).count();
    let front = same(&mut one.iter().zip(other));
    let back = same(&mut one[front..].iter().rev().zip(other[front..].iter().rev()));
    let differing = one.len().max(other.len()) - front - back;
    differing <= TYPO && front + back >= 2 * TYPO
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "prom-stream-gateway:metric-queue";

    #[track_caller]
    fn check(other: &str, expected: Option<Miss>) {
        assert_eq!(miss(QUEUE, other), expected, "{other}");
    }

    #[test]
    fn near_misses_are_told_from_other_keys() {
        check("laravel_database_prom-stream-gateway:metric-queue", Some(Miss::Prefix));
        check("app:prom_stream_gateway:metric_queue", Some(Miss::Prefix));
        check("prom-stream-gateway:metrics-queue", Some(Miss::Spelling));
        check("prom-stream-gateway:metric-queu", Some(Miss::Spelling));
        check("prom-stream-gateway:metirc-queue", Some(Miss::Spelling));
        check("Prom-Stream-Gateway:Metric-Queue", Some(Miss::Spelling));
        check("prom_stream_gateway_metric_queue", Some(Miss::Spelling));
        check("stream-gateway:metric-queue", Some(Miss::Spelling));
        check(QUEUE, None);
        check("queue", None);
        check("", None);
        check("jobs", None);
        check("prom-stream-gateway:dead-letters", None);
        assert_eq!(miss("q", "r"), None);
        assert_eq!(miss("q", "a:q"), Some(Miss::Prefix));
    }

    #[test]
    fn what_mends_it_is_named() {
        let check = |other: &str, expected: &str| {
            let advice = advice(QUEUE, other);
            assert!(advice.contains(expected), "{advice}");
        };
        let laravel = "laravel_database_prom-stream-gateway:metric-queue";
        check(laravel, &format!("set Redis.MetricQueueKey={laravel}, or push by a connection"));
        check("prom-stream-gateway:metrics-queue", &format!("have producers push to {QUEUE}"));
        check("jobs", &format!("have producers push to {QUEUE}"));
        assert!(!advice("q", "\u{1b}[2J:q").contains("MetricQueueKey"));
    }
}
