//! The decoder of requests against the crate `redis-protocol` on the same
//! bytes: whole ones in any pieces, damaged ones, random ones.

use proptest::prelude::*;
use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;

use super::super::request::{MAX_INLINE_BYTES, RequestError, RequestEvent};
use super::{decoder, packed};

type Arguments = Vec<Vec<u8>>;

/// The commands in `bytes`, fed in pieces that end at `cuts`; where each ended,
/// and whether the rest broke the protocol.
fn commands(bytes: &[u8], cuts: &[usize]) -> (Vec<(usize, Arguments)>, Option<RequestError>) {
    let (mut decoder, mut found) = (decoder(), Vec::new());
    let (mut words, mut kept): (Arguments, Vec<u8>) = (Vec::new(), Vec::new());
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let mut position = 0;
    for piece in cuts.windows(2) {
        kept.extend(&bytes[piece[0]..piece[1]]);
        let mut used = 0;
        loop {
            let (more, event) = match decoder.next(&kept[used..], false) {
                Ok(step) => step,
                Err(cause) => return (found, Some(cause)),
            };
            used += more;
            match event {
                None => break,
                Some(RequestEvent::Begins(count)) => {
                    assert!(count > 0);
                    words.clear();
                }
                Some(RequestEvent::Piece(piece)) => {
                    if piece.first {
                        words.push(Vec::new());
                    }
                    let word = words.last_mut().unwrap();
                    word.extend(piece.bytes);
                    assert_eq!(piece.last, word.len() as u64 == piece.length);
                }
                Some(RequestEvent::Ends) => {
                    found.push((position + used, std::mem::take(&mut words)))
                }
                Some(RequestEvent::Inline(words)) => found.push((position + used, words)),
            }
        }
        kept.drain(..used);
        position += used;
        assert!(kept.len() <= MAX_INLINE_BYTES);
    }
    (found, None)
}

/// The words of a frame that is a command.
fn words_of(frame: OwnedFrame) -> Option<Arguments> {
    let OwnedFrame::Array(frames) = frame else { return None };
    let word = |frame| match frame {
        OwnedFrame::BulkString(bytes) => Some(bytes),
        OwnedFrame::SimpleString(_)
        | OwnedFrame::Error(_)
        | OwnedFrame::Integer(_)
        | OwnedFrame::Array(_)
        | OwnedFrame::Null => None,
    };
    frames.into_iter().map(word).collect()
}

fn any_commands() -> impl Strategy<Value = Vec<Arguments>> {
    let word = prop::collection::vec(any::<u8>(), 0..40);
    prop::collection::vec(prop::collection::vec(word, 1..6), 0..6)
}

fn any_cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(any::<usize>(), 0..20)
}

proptest! {
    #[test]
    fn commands_arrive_in_any_pieces(commands_sent in any_commands(), cuts in any_cuts()) {
        let bytes: Vec<u8> = commands_sent.iter().flat_map(|words| packed(words)).collect();
        let (found, cause) = commands(&bytes, &cuts);
        prop_assert_eq!(cause, None);
        let found: Vec<Arguments> = found.into_iter().map(|(_, words)| words).collect();
        prop_assert_eq!(found, commands_sent);
    }

    #[test]
    fn the_crate_finds_the_same(
        commands_sent in any_commands(),
        damages in prop::collection::vec((any::<usize>(), any::<u8>(), 0..3_u8), 0..4),
        cuts in any_cuts(),
    ) {
        let mut bytes: Vec<u8> = commands_sent.iter().flat_map(|words| packed(words)).collect();
        for (place, byte, how) in damages {
            let place = place % (bytes.len() + 1);
            match how {
                0 => bytes.insert(place, byte),
                1 if place < bytes.len() => bytes[place] = byte,
                _ if place < bytes.len() => { bytes.remove(place); }
                _ => {}
            }
        }
        let (found, cause) = commands(&bytes, &cuts);
        let mut begins = 0;
        for (ends, words) in &found {
            // Empty arrays and inline commands before it are ours alone.
            let own = &bytes[begins..*ends];
            if own.first() == Some(&b'*') && !own.starts_with(b"*0") && !own.starts_with(b"*-") {
                let (frame, length) = decode(own).unwrap().unwrap();
                prop_assert_eq!(length, own.len());
                prop_assert_eq!(&words_of(frame).unwrap(), words);
            }
            begins = *ends;
        }
        // What the crate takes for a command and we do not is looked at more
        // closely by us: the end of a line after an argument.
        // And it takes a sign before a length, which Redis does not.
        let rest = &bytes[begins..];
        let is_signed = rest.windows(2).any(|two| matches!(two, b"*+" | b"$+"));
        if !is_signed
            && cause.is_some_and(|cause| cause != RequestError::NoLineEnd)
            && let Ok(Some((frame, _))) = decode(&bytes[begins..])
        {
            let words = words_of(frame).filter(|words| !words.is_empty());
            prop_assert!(words.is_none(), "{:?}: {:?}", cause, words);
        }
    }

    #[test]
    fn bytes_in_any_pieces_mean_the_same(
        bytes in prop::collection::vec(prop::sample::select(b"*$-0123\r\nab\"'\\x ".to_vec()), 0..60),
        cuts in any_cuts(),
    ) {
        let (whole, cause) = commands(&bytes, &[]);
        let (pieces, cause_in_pieces) = commands(&bytes, &cuts);
        prop_assert_eq!(whole, pieces);
        prop_assert_eq!(cause, cause_in_pieces);
    }
}

#[track_caller]
fn broken(bytes: &[u8], expected: RequestError) {
    let (found, cause) = commands(bytes, &[]);
    assert_eq!((found.len(), cause), (0, Some(expected)), "{}", bytes.escape_ascii());
}

#[test]
fn what_breaks_the_protocol() {
    broken(b"*x\r\n", RequestError::ArgumentCount);
    broken(b"*1\rx", RequestError::ArgumentCount);
    broken(b"*99999999999999999999\r\n", RequestError::ArgumentCount);
    broken(b"*2147483648\r\n", RequestError::ArgumentCount);
    broken(b"*1\r\n:1\r\n", RequestError::NoArgument(b':'));
    broken(b"*1\r\n$-1\r\n", RequestError::ArgumentLength);
    broken(b"*1\r\n$536870913\r\n", RequestError::ArgumentLength);
    broken(b"*1\r\n$1\r\nabc\r\n", RequestError::NoLineEnd);
    broken(b"\"a\r\n", RequestError::Quotes);
    broken(b"\"a\"b\r\n", RequestError::Quotes);
    broken(&[b'a'; MAX_INLINE_BYTES], RequestError::InlineLength);
}

/// As Redis does since 3.2.7, before anything behind it is executed.
#[test]
fn what_a_browser_sends_breaks_the_protocol() {
    for line in [
        "POST / HTTP/1.1",
        "post /x HTTP/1.1",
        "PUT / HTTP/1.1",
        "OPTIONS / HTTP/1.1",
        "GET /it's HTTP/1.1",
        "get / HTTP/1.0",
        "Host: gateway.example:6379",
        "host:x",
        "Content-Type: text/plain",
        "Sec-Fetch-Mode: cors",
    ] {
        for line_end in ["\r\n", "\n"] {
            let body = format!("{line}{line_end}{line_end}LPUSH q x\r\n");
            broken(body.as_bytes(), RequestError::Http);
        }
    }
    let (found, cause) = commands(b"GET q\nLPUSH q HTTP/1.1\nECHO POST\nLPUSH q a:b\n", &[]);
    assert_eq!((found.len(), cause), (4, None), "commands of Redis");
}

#[test]
fn strangers_may_say_little() {
    let check = |bytes: &[u8], expected| {
        assert_eq!(decoder().next(bytes, true), Err(expected));
    };
    check(b"*11\r\n", RequestError::StrangersArguments);
    let mut stranger = decoder();
    assert_eq!(stranger.next(b"*1\r\n", true), Ok((4, Some(RequestEvent::Begins(1)))));
    assert_eq!(stranger.next(b"$16385\r\n", true), Err(RequestError::StrangersBytes));
}

#[test]
fn a_huge_length_allocates_nothing() {
    let (mut decoder, bytes) = (decoder(), b"*2147483647\r\n$536870912\r\nab");
    let mut used = 0;
    while let (more, Some(_)) = decoder.next(&bytes[used..], false).unwrap() {
        used += more;
    }
    assert_eq!(used, bytes.len());
}

#[test]
fn inline_commands_are_split_as_redis_does() {
    let check = |line: &str, expected: &[&[u8]]| {
        let (found, cause) = commands(format!("{line}\n").as_bytes(), &[]);
        assert_eq!(cause, None, "{line}");
        let expected: Arguments = expected.iter().map(|word| word.to_vec()).collect();
        let found: Vec<Arguments> = found.into_iter().map(|(_, words)| words).collect();
        assert_eq!(found, if expected.is_empty() { vec![] } else { vec![expected] }, "{line}");
    };
    check("", &[]);
    check(" \r", &[]);
    check("PING\r", &[b"PING"]);
    check(" a  b ", &[b"a", b"b"]);
    check(r#"a "b c" 'd e'"#, &[b"a", b"b c", b"d e"]);
    check(r#"a "\x41\n\"\\""#, &[b"a", b"A\n\"\\"]);
    check(r#"a '\x41\''"#, &[b"a", br"\x41'"]);
    check(r#"a '{"name":"n"}'"#, &[b"a", br#"{"name":"n"}"#]);
    check(r#"a """#, &[b"a", b""]);
}
