//! Replies: what they can be, and their bytes in either version of the
//! protocol. The crate `redis-protocol` is the oracle of the tests.

use std::fmt::Write;

use bytes::BytesMut;
use psg_engine::printable::{LONG, printable};

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
    /// A refusal on one line, its code first.
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

    /// Appends its bytes. RESP2 knows neither maps nor pushes nor texts: there
    /// they are arrays and strings.
    pub fn pack(&self, protocol: Protocol, into: &mut BytesMut) {
        let (text, nil, push, map, flat) = match protocol {
            Protocol::Resp2 => ("$", "$-1", '*', '*', 2),
            Protocol::Resp3 => ("=", "_", '>', '%', 1),
        };
        match self {
            RespReply::Simple(word) => line(into, format_args!("+{word}")),
            RespReply::Error(words) => line(into, format_args!("-{words}")),
            RespReply::Integer(number) => line(into, format_args!(":{number}")),
            RespReply::Bulk(bytes) => blob(into, "$", &[bytes]),
            RespReply::Text(words) if protocol == Protocol::Resp3 => {
                blob(into, text, &[b"txt:", words.as_bytes()]);
            }
            RespReply::Text(words) => blob(into, text, &[words.as_bytes()]),
            RespReply::Nil => line(into, format_args!("{nil}")),
            RespReply::Array(replies) => {
                line(into, format_args!("*{}", replies.len()));
                replies.iter().for_each(|reply| reply.pack(protocol, into));
            }
            RespReply::Push(replies) => {
                line(into, format_args!("{push}{}", replies.len()));
                replies.iter().for_each(|reply| reply.pack(protocol, into));
            }
            RespReply::Map(pairs) => {
                line(into, format_args!("{map}{}", pairs.len() * flat));
                for (name, value) in pairs {
                    name.pack(protocol, into);
                    value.pack(protocol, into);
                }
            }
            RespReply::Several(replies) => {
                replies.iter().for_each(|reply| reply.pack(protocol, into));
            }
        }
    }
}

fn line(into: &mut BytesMut, line: std::fmt::Arguments<'_>) {
    into.write_fmt(line).expect("a buffer that grows has room for every line");
    into.extend_from_slice(b"\r\n");
}

/// Bytes after their type and length, in parts.
fn blob(into: &mut BytesMut, kind: &str, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    line(into, format_args!("{kind}{length}"));
    parts.iter().for_each(|part| into.extend_from_slice(part));
    into.extend_from_slice(b"\r\n");
}
