//! What the address of a push says: the labels of its path, and what its query asks
//! for.
//!
//! Paths are read as a Pushgateway reads them: unescaped first, so that a `/` in a value
//! needs `@base64` behind the label's name, then cut at each `/`.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;
use psg_engine::metric::GaugeOp;
use psg_engine::printable::{SHORT, printable};

/// Behind the name of a label whose value is in base64.
const BASE64_SUFFIX: &str = "@base64";

/// Padding has been cut off, and bits that are left over say nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Where a push goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushTarget {
    /// The labels of the path, `job` first; names are unique.
    pub grouping: Vec<(String, String)>,
    /// What is done to gauges; `None` sets them.
    pub gauge_op: Option<GaugeOp>,
}

impl PushTarget {
    /// The target of a path, as it was sent, and a query.
    ///
    /// # Errors
    /// What is wrong with them, for who pushes.
    pub fn parse(path: &str, query: &[(String, String)]) -> Result<Self, String> {
        let grouping = grouping(path)?;
        let (mut gauge_op, mut is_delta) = (None, false);
        for (key, value) in query {
            match (key.as_str(), value.as_str()) {
                ("gauge", word) => gauge_op = Some(operation(word)?),
                ("delta", "true") => is_delta = true,
                ("delta", "false") => is_delta = false,
                ("delta", other) => {
                    return Err(format!("expected delta=true, got {}", printable(other, SHORT)));
                }
                (other, _) => {
                    let got = printable(other, SHORT);
                    return Err(format!("expected gauge or delta in the query, got {got}"));
                }
            }
        }
        let has_instance =
            grouping.iter().any(|(name, value)| name == "instance" && !value.is_empty());
        if has_instance && !is_delta {
            return Err(HOW_TO_PUSH_AN_INSTANCE.to_owned());
        }
        Ok(Self { grouping, gauge_op })
    }
}

/// What a library pushes again and again is its totals since it was started.
const HOW_TO_PUSH_AN_INSTANCE: &str = "expected no instance in the path: what is pushed here is \
    added up, so a process that lives on and pushes its totals would count all again at each \
    push; leave instance out where a process pushes once, at its end; where it pushes what was \
    counted since its last push, say so with ?delta=true";

fn operation(word: &str) -> Result<GaugeOp, String> {
    GaugeOp::from_word(word).ok_or_else(|| {
        format!("expected gauge=set, add, max or min, got {}", printable(word, SHORT))
    })
}

/// The labels of a path: those behind `/metrics`, or none.
fn grouping(path: &str) -> Result<Vec<(String, String)>, String> {
    let path = unescaped(path)?;
    let labels = path.strip_prefix("/metrics").unwrap_or_default();
    let labels = labels.strip_prefix('/').unwrap_or_default();
    let (first, behind_job) = labels.split_once('/').unwrap_or((labels, ""));
    let of_a_job = first.strip_suffix(BASE64_SUFFIX).unwrap_or(first) == "job";
    // `/metrics/job/x/` is `/metrics/job/x`.
    let labels = match behind_job.strip_suffix('/') {
        Some(job) if of_a_job && !job.contains('/') => &labels[..labels.len() - 1],
        _ => labels,
    };
    if labels.is_empty() {
        return Ok(Vec::new());
    }
    let parts: Vec<&str> = labels.split('/').collect();
    let (pairs, rest) = parts.as_chunks();
    if !rest.is_empty() {
        let got = printable(labels, SHORT);
        return Err(format!("expected pairs of label and value behind /metrics/, got {got}"));
    }
    let mut grouping: Vec<(String, String)> = Vec::new();
    for [name, value] in pairs {
        let (name, value) = pair(name, value)?;
        match grouping.iter_mut().find(|(known, _)| *known == name) {
            // The job is the first, whatever comes.
            Some(_) if name == "job" => {}
            Some((_, known)) => *known = value,
            None => grouping.push((name, value)),
        }
    }
    match of_a_job && grouping[0].1.is_empty() {
        true => Err("expected the name of a job behind /metrics/job/, got none".into()),
        false => Ok(grouping),
    }
}

fn pair(sent_name: &str, value: &str) -> Result<(String, String), String> {
    let name = sent_name.strip_suffix(BASE64_SUFFIX).unwrap_or(sent_name);
    if name.is_empty() || name.starts_with("__") {
        let got = printable(name, SHORT);
        return Err(format!("expected the name of a label in the path, got {got:?}"));
    }
    if name == sent_name {
        return Ok((name.to_owned(), value.to_owned()));
    }
    let decoded = BASE64.decode(value.trim_end_matches('='));
    let text = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| {
        let got = printable(value, SHORT);
        format!("expected base64 as URLs have it, of UTF-8, as the value of {sent_name}, got {got}")
    })?;
    Ok((name.to_owned(), text))
}

fn unescaped(path: &str) -> Result<String, String> {
    let escapes = path.split('%').skip(1);
    let is_escape = |behind: &str| {
        behind.len() >= 2 && behind.bytes().take(2).all(|digit| digit.is_ascii_hexdigit())
    };
    let text = percent_decode_str(path).decode_utf8();
    match text {
        Ok(text) if escapes.clone().all(is_escape) => Ok(text.into_owned()),
        _ => Err(format!("expected UTF-8, escaped as in URLs, got {}", printable(path, SHORT))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str, query: &[(&str, &str)]) -> Result<PushTarget, String> {
        let query: Vec<(String, String)> =
            query.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        PushTarget::parse(path, &query)
    }

    /// What a Pushgateway 1.11.1 makes of each of them, but for the three that it has no
    /// route for.
    #[test]
    fn paths_are_read_as_a_pushgateway_reads_them() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("/metrics/job/a", &[("job", "a")]),
            ("/metrics/job/a/", &[("job", "a")]),
            ("/metrics/job@base64/YQ==", &[("job", "a")]),
            ("/metrics/job@base64/YQ/b/c", &[("job", "a"), ("b", "c")]),
            ("/metrics/job/a/b/c/d/e", &[("job", "a"), ("b", "c"), ("d", "e")]),
            ("/metrics/job/a/b/", &[("job", "a"), ("b", "")]),
            ("/metrics/job/a/b@base64/=", &[("job", "a"), ("b", "")]),
            ("/metrics/job/a/b@base64/L3Zhci90bXA", &[("job", "a"), ("b", "/var/tmp")]),
            ("/metrics/job/a/b@base64/L3Zhci90bXA=", &[("job", "a"), ("b", "/var/tmp")]),
            ("/metrics/job/a/b@base64/_-7_", &[]),
            ("/metrics/job/a%20b/c/%C3%A9", &[("job", "a b"), ("c", "é")]),
            ("/metrics/job/a+b", &[("job", "a+b")]),
            // Unescaped first, it is a separator.
            ("/metrics/job/a/b%2Fc", &[("job", "a"), ("b", "c")]),
            ("/metrics/job/a/b/1/b/2", &[("job", "a"), ("b", "2")]),
            ("/metrics/job/a/job/b", &[("job", "a")]),
            // As an aggregation gateway has them.
            ("/metrics", &[]),
            ("/metrics/", &[]),
            ("/api/ui/metrics", &[]),
            ("/metrics/b/c/job/a", &[("b", "c"), ("job", "a")]),
        ];
        for (path, expected) in cases {
            let expected: Vec<(String, String)> = expected
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect();
            let found = target(path, &[]).map(|target| target.grouping);
            match path.contains("_-7_") {
                true => assert!(found.is_err(), "no UTF-8"),
                false => assert_eq!(found, Ok(expected), "{path}"),
            }
        }
    }

    #[test]
    fn what_is_no_path_is_told() {
        for (path, expected) in [
            ("/metrics/job", "expected pairs of label and value behind /metrics/, got job"),
            ("/metrics/job/", "expected the name of a job behind /metrics/job/, got none"),
            ("/metrics/job/a/b", "expected pairs of label and value behind /metrics/, got job/a/b"),
            (
                "/metrics/job/a/b/c/",
                "expected pairs of label and value behind /metrics/, got job/a/b/c/",
            ),
            ("/metrics/job//b/c", "expected the name of a job behind /metrics/job/, got none"),
            ("/metrics/job@base64/=", "expected the name of a job behind /metrics/job/, got none"),
            ("/metrics/job/a//c", "expected the name of a label in the path, got \"\""),
            ("/metrics/job/a/__b/c", "expected the name of a label in the path, got \"__b\""),
            (
                "/metrics/job/a/b@base64/%21",
                "expected base64 as URLs have it, of UTF-8, as the value of b@base64, got !",
            ),
            ("/metrics/job/%ff", "expected UTF-8, escaped as in URLs, got /metrics/job/%ff"),
            ("/metrics/job/%zz", "expected UTF-8, escaped as in URLs, got /metrics/job/%zz"),
            ("/metrics/job/a%", "expected UTF-8, escaped as in URLs, got /metrics/job/a%"),
        ] {
            assert_eq!(target(path, &[]), Err(expected.to_owned()), "{path}");
        }
    }

    #[test]
    fn queries() {
        let gauge_op =
            |query: &[(&str, &str)]| target("/metrics", query).map(|target| target.gauge_op);
        assert_eq!(gauge_op(&[]), Ok(None));
        assert_eq!(gauge_op(&[("gauge", "add")]), Ok(Some(GaugeOp::Add)));
        assert_eq!(gauge_op(&[("gauge", "max"), ("delta", "true")]), Ok(Some(GaugeOp::Max)));
        for (key, value, expected) in [
            ("gauge", "sum", "expected gauge=set, add, max or min, got sum"),
            ("delta", "1", "expected delta=true, got 1"),
            ("gague", "add", "expected gauge or delta in the query, got gague"),
        ] {
            assert_eq!(gauge_op(&[(key, value)]), Err(expected.to_owned()));
        }
    }

    #[test]
    fn an_instance_has_to_say_that_it_pushes_what_is_new() {
        let path = "/metrics/job/a/instance/b";
        assert_eq!(target(path, &[]), Err(HOW_TO_PUSH_AN_INSTANCE.to_owned()));
        assert_eq!(target(path, &[("delta", "false")]), Err(HOW_TO_PUSH_AN_INSTANCE.to_owned()));
        let delta = target(path, &[("delta", "true")]).expect("it says so");
        assert_eq!(delta.grouping[1], ("instance".to_owned(), "b".to_owned()));
        // None at all.
        assert!(target("/metrics/job/a/instance@base64/=", &[]).is_ok());
    }
}
