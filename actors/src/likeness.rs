//! Likeness: whether a key was meant to be the queue's, by its name, and what
//! mends it.

use psg_engine::printable::{LONG, SHORT, printable};

/// Slips in a name at most, however long it is.
const MAX_SLIPS: usize = 3;

/// One slip is allowed in this many characters.
const PER_SLIP: usize = 4;

/// Characters of an end that two names don't share by chance.
const TELLING: usize = 6;

/// How a list's name is like the queue's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// It ends in all of the queue's.
    Prefixed,
    /// They differ in letter case.
    OtherCase,
    /// They differ in a few letters.
    Misspelt,
    /// They end alike, as those of other lists may, too.
    SameEnd,
    /// They don't, but what lies there is a sample.
    HoldsSamples,
}

impl Likeness {
    pub fn why(self) -> &'static str {
        match self {
            Likeness::Prefixed => {
                "a client library puts a prefix before its keys (Laravel does, phpredis' \
                 OPT_PREFIX, ioredis' keyPrefix)"
            }
            Likeness::OtherCase => "letter case counts in a key",
            Likeness::Misspelt => "the names are nearly the same",
            Likeness::SameEnd => "the names end alike, and what it holds is a sample",
            Likeness::HoldsSamples => "what it holds is a sample, and no gateway takes from it",
        }
    }
}

/// What mends it that producers push to `name` and not to `queue`.
pub fn advice(name: &str, queue: &str, like: Option<Likeness>) -> String {
    let mend = match like {
        Some(Likeness::Prefixed) => {
            let prefix = name.strip_suffix(queue).unwrap_or_default();
            format!("push by a connection without the prefix {}", printable(prefix, SHORT))
        }
        Some(
            Likeness::OtherCase | Likeness::Misspelt | Likeness::SameEnd | Likeness::HoldsSamples,
        )
        | None => format!("have producers push to {}", printable(queue, LONG)),
    };
    match like.is_some() && is_plain(name) {
        true => format!("set Redis.MetricQueueKey={name}, or {mend}"),
        false => mend,
    }
}

/// Whether a name that somebody else chose may be pasted into a setting or a
/// shell as it is.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-:.{}/@+".contains(&byte))
}

/// How `name` is like `queue`, if it is and is another.
pub fn likeness(name: &str, queue: &str) -> Option<Likeness> {
    if name == queue {
        None
    } else if name.ends_with(queue) {
        Some(Likeness::Prefixed)
    } else if name.eq_ignore_ascii_case(queue) {
        Some(Likeness::OtherCase)
    } else if is_nearly(name, queue) {
        Some(Likeness::Misspelt)
    } else if is_nearly(end(name), end(queue)) && end(queue).len() >= TELLING {
        Some(Likeness::SameEnd)
    } else {
        None
    }
}

/// What follows the last colon, as most name their keys.
fn end(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or_default()
}

/// Whether two names are the same but for a few slips, in any letter case.
fn is_nearly(one: &str, other: &str) -> bool {
    let (length, most) = (other.chars().count(), other.chars().count() / PER_SLIP);
    let most = most.min(MAX_SLIPS);
    // What is longer or shorter by more needn't be compared, however long it is.
    one.len().abs_diff(other.len()) <= most * char::MAX.len_utf8()
        && one.chars().count().abs_diff(length) <= most
        && strsim::damerau_levenshtein(&one.to_lowercase(), &other.to_lowercase()) <= most
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "prom-stream-gateway:metric-queue";

    #[test]
    fn what_was_meant_to_be_the_queue_is_told() {
        let check = |name: &str, expected: Likeness| {
            assert_eq!(likeness(name, QUEUE), Some(expected), "{name}");
        };
        check("laravel_database_prom-stream-gateway:metric-queue", Likeness::Prefixed);
        check("Prom-Stream-Gateway:Metric-Queue", Likeness::OtherCase);
        check("prom-stream-gateway:metrics-queue", Likeness::Misspelt);
        check("prom-stream-gateway:metric-queu", Likeness::Misspelt);
        check("prom-stream-gatewya:metric-queue", Likeness::Misspelt);
        check("prom_stream_gateway:metric_queue", Likeness::Misspelt);
        check("prom-stream-gateway.metric-queue", Likeness::Misspelt);
        check("metric-queue", Likeness::SameEnd);
        check("app:metrics-queue", Likeness::SameEnd);
        check("laravel_database_prom-stream-gateway:metrics-queue", Likeness::SameEnd);
    }

    #[test]
    fn other_lists_are_not() {
        for name in [QUEUE, "", "queue", "jobs", "emails:default", "prom-stream-gateway:dead"] {
            assert_eq!(likeness(name, QUEUE), None, "{name}");
        }
        assert_eq!(likeness("b:queue", "a:queue"), Some(Likeness::Misspelt));
        assert_eq!(likeness("bee:jobs", "a:jobs"), None, "too short to tell");
        assert_eq!(likeness(&"x".repeat(1 << 20), QUEUE), None, "and at once");
    }

    #[test]
    fn what_mends_it_is_named() {
        let check = |name: &str, expected: &str| {
            assert_eq!(advice(name, "q", likeness(name, "q")), expected);
        };
        check(
            "app:q",
            "set Redis.MetricQueueKey=app:q, or push by a connection without the prefix app:",
        );
        check("Q", "set Redis.MetricQueueKey=Q, or have producers push to q");
        check("jobs", "have producers push to q");
        check("\u{1b}[2J:q", r"push by a connection without the prefix \u{1b}[2J:");
        let found = advice("metrics", "q", Some(Likeness::HoldsSamples));
        assert_eq!(found, "set Redis.MetricQueueKey=metrics, or have producers push to q");
    }

    #[test]
    fn what_a_shell_or_a_terminal_minds_is_not_plain() {
        assert!(is_plain("laravel_database_prom-stream-gateway:{metric}.queue"));
        for name in ["a b", "$(reboot)", "a\nb", "a'b", "größe", "a\u{1b}[2J", "a;b", "`a`"] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
