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

/// What HTTP calls a format.
#[derive(Debug, Clone, Copy)]
pub struct MediaType {
    /// Type and subtype, in lower case.
    pub name: &'static str,
    /// Its parameters: a client that names one of them and wants another value
    /// wants another format.
    pub parameters: &'static [(&'static str, &'static str)],
    /// The `Content-Type` of a body.
    pub content_type: &'static str,
}

impl Format {
    /// Every format; the first is what clients get that do not ask for another.
    pub const ALL: [Format; 3] = [Format::Text, Format::OpenMetrics, Format::Protobuf];

    /// What HTTP calls it.
    pub fn media_type(self) -> MediaType {
        match self {
            Format::Text => MediaType {
                name: "text/plain",
                parameters: &[("version", "0.0.4")],
                content_type: "text/plain; version=0.0.4; charset=utf-8",
            },
            Format::OpenMetrics => MediaType {
                name: "application/openmetrics-text",
                parameters: &[("version", "1.0.0")],
                content_type: "application/openmetrics-text; version=1.0.0; charset=utf-8",
            },
            Format::Protobuf => MediaType {
                name: "application/vnd.google.protobuf",
                parameters: &[
                    ("proto", "io.prometheus.client.MetricFamily"),
                    ("encoding", "delimited"),
                ],
                content_type: "application/vnd.google.protobuf; \
                               proto=io.prometheus.client.MetricFamily; encoding=delimited",
            },
        }
    }
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
