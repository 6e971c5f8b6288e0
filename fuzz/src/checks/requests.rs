//! Request bytes of producers: the commands found in them do not depend on how
//! they arrive, hold what the redis crate's parser finds, and are found again
//! where they are written anew.

use psg_actors::source::embedded::request::{
    MAX_INLINE_BYTES, RequestDecoder, RequestError, RequestEvent,
};
use redis::Value;

/// A command's name and arguments.
type Command = Vec<Vec<u8>>;

/// The first byte says whether the client has logged in, the second how many
/// bytes arrive at once, the rest is what arrives.
pub fn check(data: &[u8]) {
    let [login, piece, bytes @ ..] = data else { return };
    let is_stranger = login % 2 == 1;
    let expected = feed(bytes, 1, is_stranger);
    for piece in [usize::from(*piece).max(1), bytes.len().max(1)] {
        assert_eq!(feed(bytes, piece, is_stranger), expected, "right: byte by byte");
    }
    let (commands, error) = expected;
    let written: Vec<u8> = commands.iter().flat_map(written).collect();
    assert_eq!(feed(&written, 7, false), (commands.clone(), None), "right: as first found");
    if !is_stranger {
        let judged = found_by_the_crate(bytes);
        assert!(commands.starts_with(&judged), "{commands:?}, {error:?}, but {judged:?}");
    }
}

/// The commands in `bytes`, which arrive in pieces of that size, and what ended
/// them.
fn feed(bytes: &[u8], piece: usize, is_stranger: bool) -> (Vec<Command>, Option<RequestError>) {
    let (mut decoder, mut buffer, mut commands) =
        (RequestDecoder::default(), Vec::new(), Vec::new());
    let mut open = Open::default();
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            let (used, event) = match decoder.next(&buffer, is_stranger) {
                Ok(found) => found,
                Err(error) => return (commands, Some(error)),
            };
            let more = event.is_none();
            commands.extend(event.and_then(|event| open.take(event)));
            buffer.drain(..used);
            if more {
                break;
            }
        }
        assert!(buffer.len() <= MAX_INLINE_BYTES, "{} bytes wait", buffer.len());
    }
    (commands, None)
}

/// A command that is not complete yet.
#[derive(Default)]
struct Open {
    announced: u64,
    arguments: Command,
    is_within: bool,
}

impl Open {
    /// Takes what was found; a command where that completes one.
    fn take(&mut self, event: RequestEvent<'_>) -> Option<Command> {
        match event {
            RequestEvent::Begins(count) => {
                assert!(count > 0 && self.arguments.is_empty());
                self.announced = count;
                None
            }
            RequestEvent::Piece(piece) => {
                assert_eq!(piece.first, !self.is_within);
                if piece.first {
                    self.arguments.push(Vec::new());
                }
                let argument = self.arguments.last_mut().expect("one was begun");
                argument.extend_from_slice(piece.bytes);
                assert_eq!(argument.len() as u64 == piece.length, piece.last);
                self.is_within = !piece.last;
                None
            }
            RequestEvent::Ends => {
                assert_eq!(self.arguments.len() as u64, self.announced);
                Some(std::mem::take(&mut self.arguments))
            }
            RequestEvent::Inline(words) => {
                assert!(!words.is_empty() && self.arguments.is_empty());
                Some(words)
            }
        }
    }
}

fn written(command: &Command) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for argument in command {
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The commands that the crate finds in the beginning of `bytes`, as long as
/// they are written as clients do.
fn found_by_the_crate(mut bytes: &[u8]) -> Vec<Command> {
    let mut commands = Vec::new();
    // The crate makes room for as many elements as are announced.
    let is_modest = |run: &[u8]| run.len() <= 3;
    if !bytes.split(|byte| !byte.is_ascii_digit()).all(is_modest) {
        return commands;
    }
    while let Ok(Value::Array(values)) = redis::parse_redis_value(bytes) {
        let Some(command) = values.into_iter().map(argument).collect::<Option<Command>>() else {
            break;
        };
        let Some(rest) = bytes.strip_prefix(written(&command).as_slice()) else { break };
        bytes = rest;
        commands.extend(Some(command).filter(|command| !command.is_empty()));
    }
    commands
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the crate's enum has many more")]
fn argument(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}
