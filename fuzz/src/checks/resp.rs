//! Reply bytes: what the decoder finds does not depend on how they arrive, its
//! buffer stays small, and the redis crate's parser agrees.

use psg_actors::source::HEAD_BYTES;
use psg_actors::source::Slice;
use psg_actors::source::redis::decoder::{ProtocolError, Reply, ReplyDecoder};
use redis::Value;

/// What no reply without a length may pass: an error's words, and a bit.
const LONGEST_LINE: usize = 16 * 1024 + 64;

/// What a caller has seen: the bytes of elements (of skipped ones the head and
/// the length), and the ends of replies, each with the bytes fed until then.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Element(Vec<u8>),
    TooLarge(Vec<u8>, u64),
    Reply(Reply),
}

/// The first byte says how large an element may be, the second how many bytes
/// arrive at once, the rest is what arrives.
pub fn check(data: &[u8]) {
    let [bound, piece, bytes @ ..] = data else { return };
    let (bound, piece) = (usize::from(*bound) * 8, usize::from(*piece).max(1));
    let one_by_one = feed(bytes, 1, bound);
    let in_pieces = feed(bytes, piece, bound);
    let at_once = feed(bytes, bytes.len().max(1), bound);
    for other in [&in_pieces, &at_once] {
        assert_eq!(other.seen, one_by_one.seen, "left: in larger pieces");
        assert_eq!(other.error, one_by_one.error, "left: in larger pieces");
    }
    let most = bound.max(HEAD_BYTES).max(LONGEST_LINE) + 64 + piece;
    assert!(in_pieces.largest <= most, "the buffer grew to {}", in_pieces.largest);
    judge_what_was_found(bytes, &one_by_one, bound);
    judge_what_comes_next(&bytes[one_by_one.ended_at..], &one_by_one);
}

#[derive(Debug, Default)]
struct Fed {
    seen: Vec<Seen>,
    /// For each reply where it began and ended, as far as pieces tell.
    replies: Vec<std::ops::Range<usize>>,
    ended_at: usize,
    error: Option<ProtocolError>,
    largest: usize,
}

/// Feeds `bytes` in pieces of that size, as a read loop does.
fn feed(bytes: &[u8], piece: usize, bound: usize) -> Fed {
    let mut decoder = ReplyDecoder::new(bound);
    let (mut buffer, mut filled, mut fed) = (Vec::new(), 0, Fed::default());
    let (mut elements, mut arrived) = (Vec::new(), 0);
    for piece in bytes.chunks(piece) {
        filled = decoder.compact(&mut buffer, filled);
        buffer.truncate(filled);
        buffer.extend_from_slice(piece);
        filled = buffer.len();
        fed.largest = fed.largest.max(filled);
        arrived += piece.len();
        loop {
            elements.clear();
            let found = decoder.next(&buffer, &mut elements);
            fed.seen.extend(elements.iter().map(|element| copy(element, &buffer)));
            match found {
                Err(error) => {
                    fed.error = Some(error);
                    return fed;
                }
                Ok(None) => break,
                Ok(Some(reply)) => {
                    fed.replies.push(fed.ended_at..arrived);
                    fed.ended_at = arrived;
                    fed.seen.push(Seen::Reply(reply));
                }
            }
        }
    }
    fed
}

fn copy(element: &Slice, buffer: &[u8]) -> Seen {
    match element {
        Slice::Whole(range) => Seen::Element(buffer[range.clone()].to_vec()),
        Slice::TooLarge { head, length } => Seen::TooLarge(buffer[head.clone()].to_vec(), *length),
    }
}

/// Each reply that the decoder found, the crate finds in the same bytes.
fn judge_what_was_found(bytes: &[u8], found: &Fed, bound: usize) {
    let mut expected = Vec::new();
    for reply in &found.replies {
        let reply = &bytes[reply.clone()];
        match seen_by_the_crate(reply, bound) {
            Some(seen) => expected.extend(seen),
            None => panic!("the crate finds no pop's reply in {:?}", reply.escape_ascii()),
        }
    }
    let whole = found.seen.iter().rposition(|seen| matches!(seen, Seen::Reply(_)));
    let whole = &found.seen[..whole.map_or(0, |last| last + 1)];
    assert_eq!(whole, expected, "right: the crate");
}

/// What of `bytes` the decoder did not take for a reply is none that the crate
/// would write itself.
fn judge_what_comes_next(bytes: &[u8], found: &Fed) {
    // The crate makes room for as many elements as are announced.
    let is_modest = |run: &[u8]| run.len() <= 3;
    let modest = bytes.split(|byte| !byte.is_ascii_digit()).all(is_modest);
    if !modest || (bytes.is_empty() && found.error.is_none()) {
        return;
    }
    if let Ok(value) = redis::parse_redis_value(bytes)
        && let Some(canonical) = as_a_pop_s_reply(&value)
    {
        assert!(!bytes.starts_with(&canonical), "not found: {:?}", bytes.escape_ascii());
    }
}

/// What the crate makes of one reply; `None` where it is none that a pop gives.
fn seen_by_the_crate(bytes: &[u8], bound: usize) -> Option<Vec<Seen>> {
    let value = match redis::parse_redis_value(bytes) {
        Ok(value) => value,
        // The crate asks for UTF-8 there, which we do not need.
        Err(_) if bytes[0] == b'-' && str::from_utf8(bytes).is_err() => return Some(words(bytes)),
        Err(_) => return None,
    };
    let elements = elements_of(&value)?;
    let Some(elements) = elements else { return Some(words(bytes)) };
    let seen = elements.iter().map(|bytes| match bytes.len() > bound {
        true => Seen::TooLarge(bytes[..HEAD_BYTES.min(bytes.len())].to_vec(), bytes.len() as u64),
        false => Seen::Element(bytes.to_vec()),
    });
    let end = match elements.len() {
        0 => Reply::Nil,
        count => Reply::Elements(count),
    };
    Some(seen.chain([Seen::Reply(end)]).collect())
}

fn words(bytes: &[u8]) -> Vec<Seen> {
    let words = String::from_utf8_lossy(&bytes[1..bytes.len() - 2]).into_owned();
    vec![Seen::Reply(Reply::Error(words))]
}

/// The elements of a pop's reply, inner `None` where it is an error.
#[allow(clippy::wildcard_enum_match_arm, reason = "the crate's enum has many more")]
fn elements_of(value: &Value) -> Option<Option<Vec<&[u8]>>> {
    match value {
        Value::Nil => Some(Some(Vec::new())),
        Value::BulkString(bytes) => Some(Some(vec![bytes])),
        Value::ServerError(_) => Some(None),
        Value::Array(values) => {
            let mut elements = Vec::new();
            for value in values {
                match value {
                    Value::BulkString(bytes) => elements.push(bytes.as_slice()),
                    Value::Nil => {}
                    _ => return None,
                }
            }
            Some(Some(elements))
        }
        _ => None,
    }
}

/// The bytes by which a server says this; `None` where a pop does not get it,
/// or there are several ways.
#[allow(clippy::wildcard_enum_match_arm, reason = "the crate's enum has many more")]
fn as_a_pop_s_reply(value: &Value) -> Option<Vec<u8>> {
    let bulk =
        |bytes: &Vec<u8>| [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    match value {
        Value::BulkString(bytes) => Some(bulk(bytes)),
        Value::Array(values) => {
            let mut reply = format!("*{}\r\n", values.len()).into_bytes();
            for value in values {
                match value {
                    Value::BulkString(bytes) => reply.extend(bulk(bytes)),
                    _ => return None,
                }
            }
            Some(reply)
        }
        _ => None,
    }
}
