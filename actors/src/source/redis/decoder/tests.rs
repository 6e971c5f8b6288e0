//! The decoder against byte streams split at any point, with the redis crate's
//! parser as judge.

use proptest::prelude::*;
use redis::Value;

use super::*;

const BOUND: usize = 2000;

/// What a caller would have seen: element bytes (for skipped ones the head and
/// the length), and the ends of replies.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Element(Vec<u8>),
    TooLarge(Vec<u8>, u64),
    Reply(Reply),
}

/// Feeds `bytes` in pieces of those sizes (the last one again and again), as a
/// read loop does, and says how large the buffer became.
fn feed(bytes: &[u8], pieces: &[usize], bound: usize) -> (Result<Vec<Seen>, ProtocolError>, usize) {
    let mut decoder = ReplyDecoder::new(bound);
    let (mut buffer, mut filled, mut largest) = (vec![0; 64], 0, 0);
    let (mut seen, mut elements, mut rest) = (Vec::new(), Vec::new(), bytes);
    let mut pieces = pieces.iter().chain(std::iter::repeat(pieces.last().unwrap_or(&1)));
    while !rest.is_empty() {
        filled = decoder.compact(&mut buffer, filled);
        let size = (*pieces.next().unwrap()).clamp(1, rest.len());
        if buffer.len() < filled + size {
            buffer.resize(filled + size, 0);
        }
        buffer[filled..filled + size].copy_from_slice(&rest[..size]);
        filled += size;
        largest = largest.max(filled);
        rest = &rest[size..];
        loop {
            elements.clear();
            let reply = match decoder.next(&buffer[..filled], &mut elements) {
                Ok(reply) => reply,
                Err(cause) => return (Err(cause), largest),
            };
            seen.extend(elements.iter().map(|element| match element {
                Slice::Whole(range) => Seen::Element(buffer[range.clone()].to_vec()),
                Slice::TooLarge { head, length } => {
                    Seen::TooLarge(buffer[head.clone()].to_vec(), *length)
                }
            }));
            match reply {
                Some(reply) => seen.push(Seen::Reply(reply)),
                None => break,
            }
        }
    }
    (Ok(seen), largest)
}

/// As [`feed`], but elements are looked at when their reply has ended, and the
/// buffer is compacted around them before reads that `compact` says.
fn feed_whole(bytes: &[u8], pieces: &[(usize, bool)], bound: usize) -> (Vec<Seen>, usize) {
    let mut decoder = ReplyDecoder::new(bound);
    let (mut buffer, mut filled, mut largest) = (Vec::new(), 0, 0);
    let (mut seen, mut elements, mut rest) = (Vec::new(), Vec::new(), bytes);
    let mut pieces = pieces.iter().cycle();
    while !rest.is_empty() {
        let (size, compact) = pieces.next().unwrap();
        if *compact {
            filled = decoder.compact_whole(&mut buffer, filled, &mut elements);
        }
        let size = (*size).clamp(1, rest.len());
        buffer.truncate(filled);
        buffer.extend_from_slice(&rest[..size]);
        filled += size;
        largest = largest.max(filled);
        rest = &rest[size..];
        while let Some(reply) = decoder.next(&buffer[..filled], &mut elements).unwrap() {
            seen.extend(elements.drain(..).map(|element| match element {
                Slice::Whole(range) => Seen::Element(buffer[range].to_vec()),
                Slice::TooLarge { head, length } => Seen::TooLarge(buffer[head].to_vec(), length),
            }));
            seen.push(Seen::Reply(reply));
        }
    }
    (seen, largest)
}

/// What the crate's parser makes of one reply.
#[expect(clippy::wildcard_enum_match_arm, reason = "the crate's enum has many more")]
fn judged(bytes: &[u8], bound: usize) -> Vec<Seen> {
    let element = |bytes: &Vec<u8>| {
        if bytes.len() > bound {
            Seen::TooLarge(bytes[..HEAD_BYTES.min(bytes.len())].to_vec(), bytes.len() as u64)
        } else {
            Seen::Element(bytes.clone())
        }
    };
    let elements: Vec<Seen> = match redis::parse_redis_value(bytes).unwrap() {
        Value::Nil => Vec::new(),
        Value::BulkString(bytes) => vec![element(&bytes)],
        Value::Array(values) => values
            .iter()
            .filter_map(|value| match value {
                Value::BulkString(bytes) => Some(element(bytes)),
                Value::Nil => None,
                other => panic!("not a pop's reply: {other:?}"),
            })
            .collect(),
        Value::ServerError(_) => {
            let words = String::from_utf8_lossy(&bytes[1..bytes.len() - 2]).into_owned();
            return vec![Seen::Reply(Reply::Error(words))];
        }
        other => panic!("not a pop's reply: {other:?}"),
    };
    let end = match elements.len() {
        0 => Reply::Nil,
        count => Reply::Elements(count),
    };
    elements.into_iter().chain([Seen::Reply(end)]).collect()
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [format!("*{}\r\n", items.len()).into_bytes(), items.concat()].concat()
}

fn item() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| bulk(&bytes)),
        1 => proptest::collection::vec(any::<u8>(), BOUND - 2..BOUND + 600)
            .prop_map(|bytes| bulk(&bytes)),
        1 => Just(b"$-1\r\n".to_vec()),
        1 => Just(b"_\r\n".to_vec()),
    ]
}

fn reply() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => proptest::collection::vec(item(), 0..12).prop_map(|items| array(&items)),
        3 => item(),
        1 => Just(b"*-1\r\n".to_vec()),
        1 => "[A-Z]{3,9} [ -~]{0,60}".prop_map(|words| format!("-{words}\r\n").into_bytes()),
    ]
}

proptest! {
    #[test]
    fn sees_what_the_crate_s_parser_sees(
        replies in proptest::collection::vec(reply(), 1..6),
        pieces in proptest::collection::vec(prop_oneof![1_usize..8, 1_usize..3000], 1..30),
    ) {
        let expected: Vec<Seen> =
            replies.iter().flat_map(|reply| judged(reply, BOUND)).collect();
        let (seen, largest) = feed(&replies.concat(), &pieces, BOUND);
        prop_assert_eq!(seen, Ok(expected));
        prop_assert!(largest <= BOUND + 64 + 3000, "the buffer grew to {}", largest);
    }

    #[test]
    fn whole_replies_hold_their_elements(
        replies in proptest::collection::vec(reply(), 1..6),
        pieces in proptest::collection::vec((prop_oneof![1_usize..8, 1_usize..3000], any::<bool>()), 1..30),
    ) {
        let expected: Vec<Seen> =
            replies.iter().flat_map(|reply| judged(reply, BOUND)).collect();
        let (seen, _) = feed_whole(&replies.concat(), &pieces, BOUND);
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn small_bounds_keep_heads_shorter_than_512_bytes(
        lengths in proptest::collection::vec(0_usize..1200, 1..6),
        bound in 0_usize..600,
        pieces in proptest::collection::vec(1_usize..700, 1..10),
    ) {
        let items: Vec<Vec<u8>> =
            lengths.iter().map(|length| bulk(&vec![b'x'; *length])).collect();
        let reply = array(&items);
        prop_assert_eq!(feed(&reply, &pieces, bound).0, Ok(judged(&reply, bound)));
    }

    #[test]
    fn hostile_bytes_neither_panic_nor_grow_the_buffer(
        valid in reply(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        noise in proptest::collection::vec(any::<u8>(), 0..50),
        pieces in proptest::collection::vec(1_usize..300, 1..10),
    ) {
        let mut bytes = valid;
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.extend(noise);
        let (_, largest) = feed(&bytes, &pieces, BOUND);
        prop_assert!(largest <= BOUND + 64 + 300, "the buffer grew to {}", largest);
    }
}

#[test]
fn broken_bytes_are_refused() {
    let check = |bytes: &[u8], expected: ProtocolError| {
        for size in [1, 3, 1000] {
            assert_eq!(feed(bytes, &[size], BOUND).0, Err(expected.clone()), "{bytes:?}");
        }
    };
    check(b"+OK\r\n", ProtocolError::UnexpectedType('+'));
    check(b":1\r\n", ProtocolError::UnexpectedType(':'));
    check(b"*1\r\n:1\r\n", ProtocolError::UnexpectedType(':'));
    check(b"*1\r\n*1\r\n$1\r\na\r\n", ProtocolError::UnexpectedType('*'));
    check(b"*-2\r\n", ProtocolError::BadLength);
    check(b"$-\r\n", ProtocolError::BadLength);
    check(b"$\r\n", ProtocolError::BadLength);
    check(b"$1x\r\n", ProtocolError::BadLength);
    check(b"$99999999999999999999\r\n", ProtocolError::BadLength);
    check(&[b"$".as_slice(), &[b'0'; 40]].concat(), ProtocolError::BadLength);
    check(b"$1\rx", ProtocolError::MissingLineEnd);
    check(b"$1\r\nabc", ProtocolError::MissingLineEnd);
    check(b"_x\r\n", ProtocolError::MissingLineEnd);
    check(b"-\n", ProtocolError::MissingLineEnd);
    check(&[b"-".as_slice(), &vec![b'e'; 20_000]].concat(), ProtocolError::MissingLineEnd);
}

#[test]
fn elements_come_before_their_reply_is_whole() {
    let (seen, _) = feed(b"*3\r\n$1\r\na\r\n$2\r\nbb\r\n$1", &[1000], BOUND);
    assert_eq!(seen, Ok(vec![Seen::Element(b"a".to_vec()), Seen::Element(b"bb".to_vec())]));
}

#[test]
fn what_is_skipped_of_a_whole_reply_is_not_held() {
    let reply = array(&[bulk(b"a"), bulk(&vec![b'x'; 1_000_000]), bulk(b"b")]);
    let (seen, largest) = feed_whole(&reply, &[(1000, true)], BOUND);
    assert_eq!(seen, judged(&reply, BOUND));
    assert!(largest < 3000, "the buffer grew to {largest}");
}

#[test]
fn huge_announcements_cost_nothing() {
    let announced = format!("*{}\r\n${}\r\n{}", u64::MAX, u64::MAX, "x".repeat(100_000));
    let (seen, largest) = feed(announced.as_bytes(), &[777], BOUND);
    assert_eq!(seen, Ok(Vec::new()));
    assert!(largest < 2000, "the buffer grew to {largest}");
}
