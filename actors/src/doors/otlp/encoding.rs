//! The two encodings of OTLP over HTTP, there and back.

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use prost::Message;
use psg_engine::printable::{LONG, printable};
use serde_json::json;

use super::refusal::Refused;
use super::weight;

/// How a request is written, and so its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf.
    Protobuf,
    /// Protobuf's JSON, with OTLP's own rules.
    Json,
}

/// What a failure is told by: `google.rpc.Status`, whose code OTLP does not use.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

impl Encoding {
    /// Both.
    pub const ALL: [Encoding; 2] = [Encoding::Protobuf, Encoding::Json];

    /// That of a body with this Content-Type, if it is of OTLP.
    pub fn of(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is_it = |encoding: &Encoding| media_type.eq_ignore_ascii_case(encoding.content_type());
        Self::ALL.into_iter().find(is_it)
    }

    /// Its Content-Type.
    pub fn content_type(self) -> &'static str {
        match self {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        }
    }

    /// Bytes of memory that `body` takes once it is decoded, besides its own, and no
    /// less; lists that grow may take twice as much. Bodies of SDKs take three to five
    /// times their size in protobuf, and some ten times in JSON.
    pub fn weight(self, body: &[u8]) -> usize {
        match self {
            Encoding::Protobuf => weight::of_protobuf(body),
            Encoding::Json => weight::of_json(body),
        }
    }

    /// The request in `body`.
    ///
    /// # Errors
    /// There is none, and this is why.
    pub fn decode(self, body: &[u8]) -> Result<ExportMetricsServiceRequest, String> {
        let (name, decoded) = match self {
            Encoding::Protobuf => {
                let decoded = ExportMetricsServiceRequest::decode(body);
                ("protobuf", decoded.map_err(|error| error.to_string()))
            }
            Encoding::Json => {
                let decoded = serde_json::from_slice(body);
                ("JSON", decoded.map_err(|error| error.to_string()))
            }
        };
        decoded.map_err(|error| {
            let error = printable(&error, LONG);
            format!("expected an ExportMetricsServiceRequest in {name}: {error}")
        })
    }

    /// The answer to a request of which all was taken but what was refused.
    pub fn success(self, refused: &Refused) -> Vec<u8> {
        let (count, message) = (refused.count(), refused.message());
        match self {
            Encoding::Protobuf => {
                let partial = || ExportMetricsPartialSuccess {
                    rejected_data_points: i64::try_from(count).unwrap_or(i64::MAX),
                    error_message: message,
                };
                let partial_success = (count > 0).then(partial);
                ExportMetricsServiceResponse { partial_success }.encode_to_vec()
            }
            Encoding::Json if count == 0 => b"{}".to_vec(),
            Encoding::Json => {
                // Protobuf's JSON has numbers of 64 bits as texts.
                let count = count.to_string();
                let partial = json!({ "rejectedDataPoints": count, "errorMessage": message });
                json!({ "partialSuccess": partial }).to_string().into_bytes()
            }
        }
    }

    /// The body of an answer to a request of which nothing was taken.
    pub fn failure(self, message: &str) -> Vec<u8> {
        match self {
            Encoding::Protobuf => Status { message: message.to_owned() }.encode_to_vec(),
            Encoding::Json => json!({ "message": message }).to_string().into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::refusal::Refusal;
    use super::*;

    #[test]
    fn content_types_may_have_parameters() {
        for (content_type, expected) in [
            ("application/x-protobuf", Some(Encoding::Protobuf)),
            ("Application/JSON; charset=utf-8", Some(Encoding::Json)),
            ("application/grpc", None),
            ("text/plain; version=0.0.4", None),
            ("", None),
        ] {
            assert_eq!(Encoding::of(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn answers_say_nothing_where_nothing_was_refused() {
        let refused = Refused::default();
        assert_eq!(Encoding::Protobuf.success(&refused), b"");
        assert_eq!(Encoding::Json.success(&refused), b"{}");
    }

    #[test]
    fn answers_tell_what_was_refused() {
        let mut refused = Refused::default();
        (0..7).for_each(|_| refused.add(Refusal::Cumulative, "a"));
        let bytes = Encoding::Protobuf.success(&refused);
        let answer = ExportMetricsServiceResponse::decode(&*bytes).expect("protobuf");
        let partial = answer.partial_success.expect("something was refused");
        assert_eq!((partial.rejected_data_points, partial.error_message), (7, refused.message()));
        let answer: Value =
            serde_json::from_slice(&Encoding::Json.success(&refused)).expect("JSON");
        let partial = &answer["partialSuccess"];
        assert_eq!(partial["rejectedDataPoints"], "7");
        assert_eq!(partial["errorMessage"], refused.message());
    }

    #[test]
    fn failures_are_a_status_with_a_message() {
        assert_eq!(Encoding::Protobuf.failure("no"), b"\x12\x02no");
        assert_eq!(Encoding::Json.failure("no"), br#"{"message":"no"}"#);
    }

    #[test]
    fn what_can_t_be_read_is_told() {
        let error = Encoding::Json.decode(b"{\n\"resourceMetrics\": 5}").unwrap_err();
        assert!(error.contains("line 2"), "{error}");
        let error = Encoding::Protobuf.decode(b"{}").unwrap_err();
        assert!(error.starts_with("expected an ExportMetricsServiceRequest"), "{error}");
        for encoding in Encoding::ALL {
            let empty = encoding.success(&Refused::default());
            assert_eq!(encoding.decode(&empty), Ok(ExportMetricsServiceRequest::default()));
        }
    }
}
