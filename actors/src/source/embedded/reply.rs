//! Replies: what they can be, and their bytes in either version of the
//! protocol, packed by the crate `redis-protocol`.

use bytes::BytesMut;
use psg_engine::printable::{LONG, printable};
use redis_protocol::resp2::types::BytesFrame as Frame2;
use redis_protocol::resp3::types::{BytesFrame as Frame3, VerbatimStringFormat};
use redis_protocol::{resp2, resp3};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// What each client speaks at first.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

/// One reply, or several that belong together.
#[derive(Debug, Clone, PartialEq)]
pub enum RespReply {
    /// A word such as `OK`.
    Simple(&'static str),
    /// A refusal, its code first.
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    /// A text for the eye.
    Text(String),
    Nil,
    Array(Vec<RespReply>),
    /// Values by name.
    Map(Vec<(RespReply, RespReply)>),
    /// What comes without being asked for, such as the confirmation of a
    /// subscription.
    Push(Vec<RespReply>),
    Several(Vec<RespReply>),
}

impl RespReply {
    /// `OK`.
    pub const OK: RespReply = RespReply::Simple("OK");

    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        RespReply::Bulk(bytes.as_ref().to_vec())
    }

    /// A refusal in these words; what a peer sent is put on one line.
    pub fn error(words: impl AsRef<str>) -> Self {
        RespReply::Error(printable(words.as_ref(), LONG))
    }

    pub fn pack(self, protocol: Protocol, into: &mut BytesMut) {
        if let RespReply::Several(replies) = self {
            replies.into_iter().for_each(|reply| reply.pack(protocol, into));
            return;
        }
        let packed = match protocol {
            Protocol::Resp2 => resp2::encode::extend_encode(into, &self.resp2(), false),
            Protocol::Resp3 => resp3::encode::complete::extend_encode(into, &self.resp3(), false),
        };
        packed.expect("a buffer that grows has room for every frame");
    }

    fn resp2(self) -> Frame2 {
        match self {
            RespReply::Simple(word) => Frame2::SimpleString(word.into()),
            RespReply::Error(words) => Frame2::Error(words.into()),
            RespReply::Integer(number) => Frame2::Integer(number),
            RespReply::Bulk(bytes) => Frame2::BulkString(bytes.into()),
            RespReply::Text(text) => Frame2::BulkString(text.into()),
            RespReply::Nil => Frame2::Null,
            RespReply::Array(replies) | RespReply::Push(replies) | RespReply::Several(replies) => {
                Frame2::Array(replies.into_iter().map(RespReply::resp2).collect())
            }
            RespReply::Map(pairs) => {
                let flat = pairs.into_iter().flat_map(|(name, value)| [name, value]);
                Frame2::Array(flat.map(RespReply::resp2).collect())
            }
        }
    }

    fn resp3(self) -> Frame3 {
        let attributes = None;
        match self {
            RespReply::Simple(word) => Frame3::SimpleString { data: word.into(), attributes },
            RespReply::Error(data) => Frame3::SimpleError { data: data.into(), attributes },
            RespReply::Integer(data) => Frame3::Number { data, attributes },
            RespReply::Bulk(data) => Frame3::BlobString { data: data.into(), attributes },
            RespReply::Text(text) => Frame3::VerbatimString {
                data: text.into(),
                format: VerbatimStringFormat::Text,
                attributes,
            },
            RespReply::Nil => Frame3::Null,
            RespReply::Array(replies) | RespReply::Several(replies) => Frame3::Array {
                data: replies.into_iter().map(RespReply::resp3).collect(),
                attributes,
            },
            RespReply::Map(pairs) => Frame3::Map {
                data: pairs
                    .into_iter()
                    .map(|(name, value)| (name.resp3(), value.resp3()))
                    .collect(),
                attributes,
            },
            RespReply::Push(replies) => Frame3::Push {
                data: replies.into_iter().map(RespReply::resp3).collect(),
                attributes,
            },
        }
    }
}
