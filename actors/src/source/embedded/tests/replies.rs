//! Replies as bytes, beside those of an independent encoder.

use bytes::BytesMut;
use redis_protocol::resp2::types::BytesFrame as Frame2;
use redis_protocol::resp3::types::{BytesFrame as Frame3, VerbatimStringFormat};
use redis_protocol::{resp2, resp3};

use super::super::reply::{Protocol, RespReply};

fn packed(reply: &RespReply, protocol: Protocol) -> String {
    let mut packed = BytesMut::new();
    reply.pack(protocol, &mut packed);
    String::from_utf8_lossy(&packed).into_owned()
}

fn frame2(reply: RespReply) -> Frame2 {
    let all = |replies: Vec<RespReply>| replies.into_iter().map(frame2).collect();
    match reply {
        RespReply::Simple(word) => Frame2::SimpleString(word.into()),
        RespReply::Error(words) => Frame2::Error(words.into()),
        RespReply::Integer(number) => Frame2::Integer(number),
        RespReply::Bulk(bytes) => Frame2::BulkString(bytes.into()),
        RespReply::Text(text) => Frame2::BulkString(text.into()),
        RespReply::Nil => Frame2::Null,
        RespReply::Array(replies) | RespReply::Push(replies) => Frame2::Array(all(replies)),
        RespReply::Map(pairs) => Frame2::Array(
            pairs.into_iter().flat_map(|(name, value)| [frame2(name), frame2(value)]).collect(),
        ),
        RespReply::Several(_) => panic!("no frame, but several"),
    }
}

fn frame3(reply: RespReply) -> Frame3 {
    let attributes = None;
    let all = |replies: Vec<RespReply>| replies.into_iter().map(frame3).collect();
    match reply {
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
        RespReply::Array(replies) => Frame3::Array { data: all(replies), attributes },
        RespReply::Push(replies) => Frame3::Push { data: all(replies), attributes },
        RespReply::Map(pairs) => Frame3::Map {
            data: pairs.into_iter().map(|(name, value)| (frame3(name), frame3(value))).collect(),
            attributes,
        },
        RespReply::Several(_) => panic!("no frame, but several"),
    }
}

#[test]
fn replies_are_packed_as_by_another_encoder() {
    let every = vec![
        RespReply::OK,
        RespReply::error("ERR no such\r\nthing"),
        RespReply::Integer(0),
        RespReply::Integer(i64::MIN),
        RespReply::bulk(""),
        RespReply::bulk(b"\0\r\n\xff"),
        RespReply::Text(String::new()),
        RespReply::Text("größe:1\r\n".into()),
        RespReply::Nil,
        RespReply::Array(Vec::new()),
        RespReply::Map(Vec::new()),
        RespReply::Map(vec![(RespReply::bulk("name"), RespReply::Nil)]),
        RespReply::Push(vec![RespReply::bulk("subscribe"), RespReply::Integer(1)]),
    ];
    let nested = RespReply::Array(vec![RespReply::Array(every.clone()), RespReply::Nil]);
    for reply in every.iter().chain([&nested]) {
        let mut expected = BytesMut::new();
        resp2::encode::extend_encode(&mut expected, &frame2(reply.clone()), false).unwrap();
        assert_eq!(packed(reply, Protocol::Resp2), String::from_utf8_lossy(&expected));
        let mut expected = BytesMut::new();
        let frame = frame3(reply.clone());
        resp3::encode::complete::extend_encode(&mut expected, &frame, false).unwrap();
        assert_eq!(packed(reply, Protocol::Resp3), String::from_utf8_lossy(&expected));
    }
    let several = RespReply::Several(vec![RespReply::OK, RespReply::Nil]);
    assert_eq!(packed(&several, Protocol::Resp2), "+OK\r\n$-1\r\n");
}
