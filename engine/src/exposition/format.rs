//! The formats that there are.

use super::encoder::Encoder;
use super::openmetrics::OpenMetricsEncoder;
use super::protobuf::ProtobufEncoder;
use super::text::TextEncoder;
use crate::catalog::Catalog;

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

    /// An encoder for one exposition, beside the families that live.
    pub fn encoder(self, living: &Catalog) -> Box<dyn Encoder> {
        match self {
            Format::Text => Box::new(TextEncoder::default()),
            Format::Protobuf => Box::new(ProtobufEncoder::default()),
            Format::OpenMetrics => Box::new(OpenMetricsEncoder::new(living.clone())),
        }
    }
}
