//! What is said of a body: how it is written, what is wrong with it and where, and
//! what came of it.

use std::borrow::Cow;
use std::fmt;

use psg_engine::metric::GaugeOp;
use psg_engine::printable::{SHORT, printable};

use crate::doors::RequestRefused;
use crate::doors::sample::SampleRefused;
use crate::self_metrics::doors::RequestReason;

/// Series of one body, and metrics, at most: what is noted of each while a body is read
/// is some hundred bytes, and its lines may have five.
pub const MAX_SERIES: usize = 65_536;

/// Labels of a series, or of an exemplar.
pub(super) type LabelPairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// Prometheus' text format, 0.0.4 or 1.0.0.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Messages `io.prometheus.client.MetricFamily`, each behind its length.
    Protobuf,
}

impl BodyFormat {
    /// The format of a body with that `Content-Type`. What is none of the others is
    /// text, as it is to a Pushgateway: `curl` says that it sends a form, and there are
    /// clients that write OpenMetrics and say nothing.
    ///
    /// # Errors
    /// It is protobuf, but not of those messages.
    pub fn of(content_type: Option<&str>, body: &[u8]) -> Result<Self, String> {
        let mut parts = content_type.unwrap_or_default().split(';').map(str::trim_ascii);
        let media_type = parts.next().unwrap_or_default();
        if media_type.eq_ignore_ascii_case("application/vnd.google.protobuf") {
            let is_there = |expected: &str| parts.clone().any(|part| is_parameter(part, expected));
            let is_ours = is_there("proto=io.prometheus.client.MetricFamily")
                && is_there("encoding=delimited");
            let expected = "expected proto=io.prometheus.client.MetricFamily; encoding=delimited";
            return match is_ours {
                true => Ok(BodyFormat::Protobuf),
                false => Err(format!("{expected} behind application/vnd.google.protobuf")),
            };
        }
        let is_openmetrics = media_type.eq_ignore_ascii_case("application/openmetrics-text")
            || body.ends_with(b"\n# EOF\n");
        Ok(if is_openmetrics { BodyFormat::OpenMetrics } else { BodyFormat::Text })
    }
}

/// Whether a parameter of a header is `NAME=VALUE`; the value may be in quotes.
fn is_parameter(part: &str, expected: &str) -> bool {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    let value = value.trim_ascii().trim_matches('"');
    expected.split_once('=').is_some_and(|(expected_name, expected)| {
        name.trim_ascii().eq_ignore_ascii_case(expected_name) && value == expected
    })
}

/// What a push says besides its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushOptions<'a> {
    /// Labels that every series gets, in place of its own of these names.
    pub grouping: &'a [(String, String)],
    /// What the values do to gauges; `None` sets them.
    pub gauge_op: Option<GaugeOp>,
    /// Whether exemplars are wanted.
    pub keep_exemplars: bool,
}

/// Why nothing of a body is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyRefused {
    /// Something in it is wrong.
    #[error("{place}: {detail}")]
    Wrong {
        /// Where.
        place: Place,
        /// What was expected, and what came.
        detail: String,
    },
    /// It is more than one push may be.
    #[error("{0}")]
    TooMuch(String),
}

impl From<BodyRefused> for RequestRefused {
    fn from(refused: BodyRefused) -> Self {
        let reason = match &refused {
            BodyRefused::Wrong { .. } => RequestReason::Malformed,
            BodyRefused::TooMuch(_) => RequestReason::TooLarge,
        };
        Self::new(reason, refused.to_string())
    }
}

/// A place in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A line of text, counted from 1.
    Line(usize),
    /// A message, counted from 1.
    Message(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(number) => write!(f, "line {number}"),
            Place::Message(number) => write!(f, "message {number}"),
        }
    }
}

/// What is wrong at a place that the caller knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Wrong(String),
    TooMuch(String),
}

impl Fault {
    pub(super) fn at(self, place: Place) -> BodyRefused {
        match self {
            Fault::Wrong(detail) => BodyRefused::Wrong { place, detail },
            Fault::TooMuch(detail) => BodyRefused::TooMuch(detail),
        }
    }

    /// More series or metrics than there may be.
    pub(super) fn too_many() -> Self {
        Fault::TooMuch(format!("expected at most {MAX_SERIES} series in one push, got more"))
    }
}

impl From<String> for Fault {
    fn from(detail: String) -> Self {
        Fault::Wrong(detail)
    }
}

impl From<&str> for Fault {
    fn from(detail: &str) -> Self {
        Fault::Wrong(detail.to_owned())
    }
}

impl From<SampleRefused> for Fault {
    fn from(refused: SampleRefused) -> Self {
        match refused {
            SampleRefused::NotFinite | SampleRefused::TooLong => Fault::Wrong(refused.to_string()),
            SampleRefused::TooMany => Fault::TooMuch(refused.to_string()),
        }
    }
}

/// A name, or a value, for a sentence.
pub(super) fn shown(text: &str) -> String {
    if text.is_empty() { "nothing".to_owned() } else { printable(text, SHORT) }
}
