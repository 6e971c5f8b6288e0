//! What a request weighs once it is decoded, found before that is done: two bytes can
//! be a message that takes hundreds in memory, and nothing that a stranger sends may
//! grow like that.

use std::mem::size_of;

use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, SummaryDataPoint,
};
use prost::decode_length_delimiter;

/// Messages within each other that the decoder reads.
const MOST_DEPTH: usize = 100;

/// A message of a request.
#[derive(Debug, Clone, Copy)]
enum Message {
    Request,
    ResourceMetrics,
    Resource,
    EntityRef,
    ScopeMetrics,
    Scope,
    Metric,
    Numbers,
    Histogram,
    Exponential,
    Summary,
    NumberPoint,
    HistogramPoint,
    ExponentialPoint,
    Buckets,
    SummaryPoint,
    Quantile,
    Exemplar,
    KeyValue,
    Value,
    ArrayItem,
    Array,
    KeyValueList,
}

impl Message {
    /// The message in a field, if that is one.
    fn within(self, field: usize) -> Option<Message> {
        let message = match (self, field) {
            (Message::Request, 1) => Message::ResourceMetrics,
            (Message::ResourceMetrics, 1) => Message::Resource,
            (Message::ResourceMetrics, 2) => Message::ScopeMetrics,
            (Message::Resource, 3) => Message::EntityRef,
            (Message::ScopeMetrics, 1) => Message::Scope,
            (Message::ScopeMetrics, 2) => Message::Metric,
            (Message::Metric, 5 | 7) => Message::Numbers,
            (Message::Metric, 9) => Message::Histogram,
            (Message::Metric, 10) => Message::Exponential,
            (Message::Metric, 11) => Message::Summary,
            (Message::Numbers, 1) => Message::NumberPoint,
            (Message::Histogram, 1) => Message::HistogramPoint,
            (Message::Exponential, 1) => Message::ExponentialPoint,
            (Message::Summary, 1) => Message::SummaryPoint,
            (Message::ExponentialPoint, 8 | 9) => Message::Buckets,
            (Message::SummaryPoint, 6) => Message::Quantile,
            (Message::NumberPoint, 5)
            | (Message::HistogramPoint, 8)
            | (Message::ExponentialPoint, 11) => Message::Exemplar,
            (Message::Resource | Message::ExponentialPoint | Message::KeyValueList, 1)
            | (Message::Scope, 3)
            | (Message::Metric, 12)
            | (Message::HistogramPoint, 9)
            | (Message::NumberPoint | Message::SummaryPoint | Message::Exemplar, 7) => {
                Message::KeyValue
            }
            (Message::KeyValue, 2) => Message::Value,
            (Message::Array, 1) => Message::ArrayItem,
            (Message::Value | Message::ArrayItem, 5) => Message::Array,
            (Message::Value | Message::ArrayItem, 6) => Message::KeyValueList,
            _ => return None,
        };
        Some(message)
    }

    /// What it takes in memory, besides what is in it: as an item of a list, since all
    /// others are parts of the message that they are in.
    fn size(self) -> usize {
        match self {
            Message::ResourceMetrics => size_of::<ResourceMetrics>(),
            Message::EntityRef => size_of::<EntityRef>(),
            Message::ScopeMetrics => size_of::<ScopeMetrics>(),
            Message::Metric => size_of::<Metric>(),
            Message::NumberPoint => size_of::<NumberDataPoint>(),
            Message::HistogramPoint => size_of::<HistogramDataPoint>(),
            Message::ExponentialPoint => size_of::<ExponentialHistogramDataPoint>(),
            Message::SummaryPoint => size_of::<SummaryDataPoint>(),
            Message::Quantile => size_of::<ValueAtQuantile>(),
            Message::Exemplar => size_of::<Exemplar>(),
            Message::KeyValue => size_of::<KeyValue>(),
            Message::ArrayItem => size_of::<AnyValue>(),
            Message::Request
            | Message::Resource
            | Message::Scope
            | Message::Numbers
            | Message::Histogram
            | Message::Exponential
            | Message::Summary
            | Message::Buckets
            | Message::Value
            | Message::Array
            | Message::KeyValueList => 0,
        }
    }

    /// What so many bytes of a field take that is no message.
    fn of_field(self, bytes: usize) -> usize {
        if matches!(self, Message::Buckets) {
            // A count of one byte is kept as eight.
            bytes * size_of::<u64>()
        } else if matches!(self, Message::EntityRef) {
            // It has lists of texts.
            bytes + size_of::<String>()
        } else {
            bytes
        }
    }
}

/// The bytes that a request in protobuf takes, and no less. What comes after something
/// that can't be read does not count: nothing of it is decoded.
pub fn of_protobuf(body: &[u8]) -> usize {
    weigh(Message::Request, body, MOST_DEPTH)
}

fn weigh(message: Message, mut rest: &[u8], depth: usize) -> usize {
    let mut weight = message.size();
    while let Some((field, content)) = next_field(&mut rest) {
        weight += match message.within(field) {
            Some(within) if depth > 0 => weigh(within, content, depth - 1),
            _ => message.of_field(content.len()),
        };
    }
    weight
}

/// The number of the next field and its bytes, without its length.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(usize, &'a [u8])> {
    let key = decode_length_delimiter(&mut *rest).ok()?;
    let length = match key & 7 {
        VARINT => rest.iter().position(|byte| *byte < 0x80)? + 1,
        FIXED64 => 8,
        FIXED32 => 4,
        DELIMITED => decode_length_delimiter(&mut *rest).ok()?,
        // Ends of groups, whose fields are skipped and weigh too much here.
        _ => 0,
    };
    let (content, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some((key >> 3, content))
}

const VARINT: usize = 0;
const FIXED64: usize = 1;
const DELIMITED: usize = 2;
const FIXED32: usize = 5;

/// The same of a request in JSON, by its punctuation: each member and element is kept
/// once as such, and each object once more as the message that it is.
pub fn of_json(body: &[u8]) -> usize {
    let of_object = size_of::<ExponentialHistogramDataPoint>();
    let of_mark = |byte: u8| if byte == b'{' { of_object } else { OF_JSON_VALUE };
    let marks = memchr::memchr3_iter(b'{', b',', b':', body);
    body.len() + marks.map(|at| of_mark(body[at])).sum::<usize>()
}

/// Name or value of a member, as serde keeps them until it knows what they are for.
const OF_JSON_VALUE: usize = 32;

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use prost::Message as _;

    use super::*;

    /// A field with these bytes in it.
    fn within(field: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![field << 3 | 2];
        prost::encode_length_delimiter(content.len(), &mut bytes).expect("a vector grows");
        bytes.extend_from_slice(content);
        bytes
    }

    /// Of each message that a list can hold, many empty ones weigh what they take.
    #[test]
    fn empty_messages_weigh_what_they_take() {
        let many = 1000;
        for (path, size) in [
            (&[1][..], size_of::<ResourceMetrics>()),
            (&[1, 2], size_of::<ScopeMetrics>()),
            (&[1, 2, 2], size_of::<Metric>()),
            (&[1, 2, 2, 7, 1], size_of::<NumberDataPoint>()),
            (&[1, 2, 2, 9, 1], size_of::<HistogramDataPoint>()),
            (&[1, 2, 2, 10, 1], size_of::<ExponentialHistogramDataPoint>()),
            (&[1, 2, 2, 11, 1], size_of::<SummaryDataPoint>()),
            (&[1, 2, 2, 11, 1, 6], size_of::<ValueAtQuantile>()),
            (&[1, 2, 2, 7, 1, 7], size_of::<KeyValue>()),
            (&[1, 2, 2, 7, 1, 5], size_of::<Exemplar>()),
            (&[1, 1, 1, 2, 5, 1], size_of::<AnyValue>()),
            (&[1, 1, 3, 3], size_of::<String>()),
        ] {
            let (last, before) = path.split_last().expect("a path");
            let body = within(*last, &[]).repeat(many);
            let body = before.iter().rev().fold(body, |body, field| within(*field, &body));
            assert!(ExportMetricsServiceRequest::decode(&*body).is_ok(), "{path:?}");
            let weight = of_protobuf(&body);
            assert!(weight >= many * size, "{path:?}: {weight} of {}", many * size);
        }
    }

    #[test]
    fn counts_of_a_byte_weigh_eight() {
        let counts = within(2, &[1; 1000]);
        let body = [8, 1, 10, 2, 2, 1].iter().fold(counts, |body, field| within(*field, &body));
        assert!(ExportMetricsServiceRequest::decode(&*body).is_ok());
        assert!(of_protobuf(&body) >= 8 * 1000);
    }

    #[test]
    fn what_can_t_be_read_ends_it() {
        for body in [&b"\x0a\xff\xff\xff\xff\x0f"[..], b"\x0a", b"\xff\xff\xff", b"\x0a\x05\x00"] {
            assert!(ExportMetricsServiceRequest::decode(body).is_err());
            assert_eq!(of_protobuf(body), 0);
        }
    }

    #[test]
    fn values_within_each_other_end_where_the_decoder_does() {
        let mut body = Vec::new();
        for _ in 0..10_000 {
            body = within(5, &within(1, &body));
        }
        let body = [2, 1, 1, 1].iter().fold(body, |body, field| within(*field, &body));
        assert!(ExportMetricsServiceRequest::decode(&*body).is_err());
        assert!(of_protobuf(&body) > body.len());
    }

    #[test]
    fn json_weighs_by_its_punctuation() {
        assert_eq!(of_json(b"[]"), 2);
        let point = size_of::<ExponentialHistogramDataPoint>();
        assert!(of_json(br#"{"a":[{},{}]}"#) >= 3 * point + 2 * OF_JSON_VALUE);
    }
}
