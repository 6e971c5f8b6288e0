//! The formats that there are.

use super::encoder::Encoder;
use super::openmetrics::OpenMetricsEncoder;
use super::protobuf::ProtobufEncoder;
use super::text::TextEncoder;
use crate::catalog::Catalog;
use crate::name::escaping::Escaping;

/// A format that scrapers can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus' protobuf, delimited.
    Protobuf,
}

/// All that a scraper chooses of an exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageFormat {
    /// The format.
    pub format: Format,
    /// What becomes of names that are no legacy ones.
    pub escaping: Escaping,
}

/// A version of a format, as HTTP calls it.
#[derive(Debug, Clone, Copy)]
pub struct MediaType {
    /// What is sent.
    pub format: Format,
    /// Type and subtype, in lower case.
    pub name: &'static str,
    /// Its parameters: a client that names one of them and wants another value
    /// wants another media type.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Whether it is text.
    is_text: bool,
    /// Whether a reply has to name the escaping, though nobody asked for one.
    names_escaping: bool,
}

/// Every media type; the first is what clients get that do not ask for another, and
/// of those with one name the first is what clients get that name no version.
pub const MEDIA_TYPES: [MediaType; 5] = [
    text("text/plain", &[("version", "0.0.4")], Format::Text, false),
    text("text/plain", &[("version", "1.0.0")], Format::Text, true),
    text("application/openmetrics-text", &[("version", "1.0.0")], Format::OpenMetrics, true),
    text("application/openmetrics-text", &[("version", "0.0.1")], Format::OpenMetrics, false),
    MediaType {
        format: Format::Protobuf,
        name: "application/vnd.google.protobuf",
        parameters: &[("proto", "io.prometheus.client.MetricFamily"), ("encoding", "delimited")],
        is_text: false,
        names_escaping: false,
    },
];

const fn text(
    name: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    format: Format,
    names_escaping: bool,
) -> MediaType {
    MediaType { format, name, parameters, is_text: true, names_escaping }
}

impl MediaType {
    /// The `Content-Type` of a body, of a scraper that asked for that escaping, if for
    /// any.
    pub fn content_type(&self, asked: Option<Escaping>) -> String {
        let mut text = self.name.to_owned();
        let mut add = |name: &str, value: &str| {
            text.extend(["; ", name, "=", value]);
        };
        self.parameters.iter().for_each(|(name, value)| add(name, value));
        if self.is_text {
            add("charset", "utf-8");
        }
        if self.names_escaping || asked.is_some() {
            add(ESCAPING, asked.unwrap_or_default().as_str());
        }
        text
    }
}

/// The parameter of a media type that names an [`Escaping`].
pub const ESCAPING: &str = "escaping";

impl Format {
    /// Every format.
    pub const ALL: [Format; 3] = [Format::Text, Format::OpenMetrics, Format::Protobuf];
}

impl PageFormat {
    /// An encoder for one exposition, beside the families that live.
    pub fn encoder(self, living: &Catalog) -> Box<dyn Encoder> {
        match self.format {
            Format::Text => Box::new(TextEncoder::new(self.escaping)),
            Format::OpenMetrics => Box::new(OpenMetricsEncoder::new(self.escaping, living.clone())),
            Format::Protobuf => Box::new(ProtobufEncoder::new(self.escaping)),
        }
    }
}

/// What scrapers get that do not say which names they read.
impl From<Format> for PageFormat {
    fn from(format: Format) -> Self {
        Self { format, escaping: Escaping::default() }
    }
}
