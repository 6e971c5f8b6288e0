//! The decoder of requests: finds commands and their arguments in the bytes
//! that a client sends, as they arrive.
//!
//! A request is an array of bulk strings, or a line of words (an *inline*
//! command). Arguments are handed on in pieces where they lie, so that nothing
//! has to be kept until a request is complete, and nothing is ever allocated by
//! a length that the peer announces. Replies are packed by the crate
//! `redis-protocol`; its decoder is the oracle of the tests, and is not used
//! here since it starts over with every read, allocates for each argument,
//! recurses as deep as the peer likes and knows no inline commands.

use memchr::memchr;

/// The longest line of an inline command.
pub const MAX_INLINE_BYTES: usize = 64 * 1024;

/// The longest argument, as in Redis (`proto-max-bulk-len`).
const MAX_ARGUMENT_BYTES: u64 = 512 * 1024 * 1024;

/// The most arguments, as in Redis.
const MAX_ARGUMENTS: u64 = i32::MAX as u64;

/// Methods of HTTP that are no commands of Redis.
const HTTP_METHODS: [&[u8]; 8] =
    [b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS", b"CONNECT", b"TRACE"];

/// What a client that has not logged in may send, as in Redis.
const MAX_STRANGERS_ARGUMENTS: u64 = 10;
const MAX_STRANGERS_BYTES: u64 = 16 * 1024;

/// The longest line that announces a length: a type byte, 20 characters, CRLF.
const MAX_LENGTH_LINE: usize = 23;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestEvent<'a> {
    /// A command begins; its number of arguments, its name among them.
    Begins(u64),
    /// A piece of an argument.
    Piece(Piece<'a>),
    /// The command is complete.
    Ends,
    /// A whole inline command, its words.
    Inline(Vec<Vec<u8>>),
}

/// Consecutive bytes of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// They may be none.
    pub bytes: &'a [u8],
    /// Length of the whole argument.
    pub length: u64,
    /// Whether the argument begins with this piece.
    pub first: bool,
    /// Whether the argument ends with this piece.
    pub last: bool,
}

/// The bytes break the protocol; no command can be found in what follows. The
/// words are those of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RequestError {
    /// A number of arguments that is none, or too large.
    #[error("invalid multibulk length")]
    ArgumentCount,
    /// A length that is none, or too large.
    #[error("invalid bulk length")]
    ArgumentLength,
    #[error("expected '$', got '{}'", char::from(*.0).escape_default())]
    NoArgument(u8),
    #[error("expected the end of a line after an argument")]
    NoLineEnd,
    #[error("too big inline request")]
    InlineLength,
    #[error("unbalanced quotes in request")]
    Quotes,
    #[error("expected Redis commands, got an HTTP request")]
    Http,
    #[error("unauthenticated multibulk length")]
    StrangersArguments,
    #[error("unauthenticated bulk length")]
    StrangersBytes,
}

/// Finds commands; see the module's words.
#[derive(Debug, Default)]
pub struct RequestDecoder {
    state: RequestState,
    /// Arguments that the current command still lacks.
    owed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum RequestState {
    /// Before the first byte of a command.
    #[default]
    RespCommand,
    /// Before the length of an argument.
    Argument,
    /// In an argument, of which `left` bytes are missing.
    Body { length: u64, left: u64 },
}

impl RequestDecoder {
    /// What comes next in `bytes`, and how many of them it used up; without an
    /// event more bytes have to follow what was not used up, which is never
    /// more than [`MAX_INLINE_BYTES`]. A stranger has not logged in.
    pub fn next<'a>(
        &mut self,
        bytes: &'a [u8],
        is_stranger: bool,
    ) -> Result<(usize, Option<RequestEvent<'a>>), RequestError> {
        match self.state {
            RequestState::RespCommand => self.command(bytes, is_stranger),
            RequestState::Argument => self.argument(bytes, is_stranger),
            RequestState::Body { length, left } => self.body(bytes, length, left),
        }
    }

    fn command<'a>(
        &mut self,
        bytes: &'a [u8],
        is_stranger: bool,
    ) -> Result<(usize, Option<RequestEvent<'a>>), RequestError> {
        let mut used = 0;
        // As in Redis, an empty line and an empty or null array are no commands.
        while let Some(first) = bytes.get(used) {
            let found = match first {
                b'*' => self.array(&bytes[used..], is_stranger)?,
                _ => inline(&bytes[used..])?,
            };
            let Some((more, event)) = found else { break };
            used += more;
            if event.is_some() {
                return Ok((used, event));
            }
        }
        Ok((used, None))
    }

    /// The head of an array; `None` where its line has not ended.
    fn array<'a>(
        &mut self,
        bytes: &'a [u8],
        is_stranger: bool,
    ) -> Result<Option<(usize, Option<RequestEvent<'a>>)>, RequestError> {
        let line = length_line(bytes, RequestError::ArgumentCount)?;
        let Some((used, count)) = line else { return Ok(None) };
        let count = u64::try_from(count).unwrap_or(0);
        if count > MAX_ARGUMENTS {
            return Err(RequestError::ArgumentCount);
        }
        if is_stranger && count > MAX_STRANGERS_ARGUMENTS {
            return Err(RequestError::StrangersArguments);
        }
        if count == 0 {
            return Ok(Some((used, None)));
        }
        self.owed = count;
        self.state = RequestState::Argument;
        Ok(Some((used, Some(RequestEvent::Begins(count)))))
    }

    fn argument<'a>(
        &mut self,
        bytes: &'a [u8],
        is_stranger: bool,
    ) -> Result<(usize, Option<RequestEvent<'a>>), RequestError> {
        if self.owed == 0 {
            self.state = RequestState::RespCommand;
            return Ok((0, Some(RequestEvent::Ends)));
        }
        match bytes.first() {
            None => return Ok((0, None)),
            Some(b'$') => {}
            Some(other) => return Err(RequestError::NoArgument(*other)),
        }
        let line = length_line(bytes, RequestError::ArgumentLength)?;
        let Some((used, length)) = line else { return Ok((0, None)) };
        let length = u64::try_from(length).map_err(|_| RequestError::ArgumentLength)?;
        if length > MAX_ARGUMENT_BYTES {
            return Err(RequestError::ArgumentLength);
        }
        if is_stranger && length > MAX_STRANGERS_BYTES {
            return Err(RequestError::StrangersBytes);
        }
        let (more, event) = self.body(&bytes[used..], length, length)?;
        if event.is_none() {
            self.state = RequestState::Body { length, left: length };
        }
        Ok((used + more, event))
    }

    fn body<'a>(
        &mut self,
        bytes: &'a [u8],
        length: u64,
        left: u64,
    ) -> Result<(usize, Option<RequestEvent<'a>>), RequestError> {
        let first = left == length;
        let Some((piece, line_end)) = whole(bytes, left) else {
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            // The last byte waits for its line end, so that the last piece can
            // say that it is the last.
            let given = bytes.len().min(most.saturating_sub(1));
            if given == 0 {
                return Ok((0, None));
            }
            self.state = RequestState::Body { length, left: left - given as u64 };
            let piece = Piece { bytes: &bytes[..given], length, first, last: false };
            return Ok((given, Some(RequestEvent::Piece(piece))));
        };
        if line_end != b"\r\n" {
            return Err(RequestError::NoLineEnd);
        }
        self.owed -= 1;
        self.state = RequestState::Argument;
        let used = piece.len() + line_end.len();
        Ok((used, Some(RequestEvent::Piece(Piece { bytes: piece, length, first, last: true }))))
    }
}

/// An inline command; `None` where its line has not ended.
fn inline(bytes: &[u8]) -> Result<Option<(usize, Option<RequestEvent<'_>>)>, RequestError> {
    let Some(end) = memchr(b'\n', &bytes[..bytes.len().min(MAX_INLINE_BYTES)]) else {
        return match bytes.len() >= MAX_INLINE_BYTES {
            true => Err(RequestError::InlineLength),
            false => Ok(None),
        };
    };
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    if is_http(line) {
        return Err(RequestError::Http);
    }
    let words = words(line).ok_or(RequestError::Quotes)?;
    let event = (!words.is_empty()).then_some(RequestEvent::Inline(words));
    Ok(Some((end + 1, event)))
}

/// Whether that is the first line of a request of HTTP, or one of its headers.
/// A web page can have a browser send these to us, with commands after them.
fn is_http(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return false };
    let is = |word: &[u8]| first.eq_ignore_ascii_case(word);
    first.contains(&b':')
        || HTTP_METHODS.into_iter().any(is)
        || is(b"GET") && words.next_back().is_some_and(|last| last.starts_with(b"HTTP/"))
}

/// The next `left` bytes and the two after them, where all are there.
fn whole(bytes: &[u8], left: u64) -> Option<(&[u8], &[u8])> {
    let left = usize::try_from(left).ok()?;
    let end = bytes.get(left..left.checked_add(2)?)?;
    Some((&bytes[..left], end))
}

/// The number on the first line of `bytes`, after its type byte, and the
/// length of the line; `None` where it has not ended.
fn length_line(bytes: &[u8], wrong: RequestError) -> Result<Option<(usize, i64)>, RequestError> {
    let mut number: i64 = 0;
    let is_negative = bytes.get(1) == Some(&b'-');
    let first = if is_negative { 2 } else { 1 };
    for (index, &byte) in bytes.iter().enumerate().skip(first) {
        match byte {
            b'0'..=b'9' if index < MAX_LENGTH_LINE => {
                let digit = i64::from(byte - b'0');
                let ten = number.checked_mul(10).and_then(|tens| tens.checked_add(digit));
                number = ten.ok_or(wrong)?;
            }
            b'\r' if index > first => {
                return match bytes.get(index + 1) {
                    None => Ok(None),
                    Some(b'\n') if is_negative => Ok(Some((index + 2, -number))),
                    Some(b'\n') => Ok(Some((index + 2, number))),
                    Some(_) => Err(wrong),
                };
            }
            _ => return Err(wrong),
        }
    }
    Ok(None)
}

/// The words of a line, as Redis splits them: quotes hold words together,
/// double ones with escapes. `None` where a quote is not closed.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(words);
        }
        let (word, behind) = word(rest)?;
        words.push(word);
        rest = behind;
    }
}

/// The first word of `rest`, and what follows it.
fn word(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match rest {
            [] => return Some((word, rest)),
            [first, ..] if first.is_ascii_whitespace() => return Some((word, rest)),
            [quote @ (b'"' | b'\''), behind @ ..] => {
                rest = quoted(*quote, behind, &mut word)?;
                let is_apart = rest.first().is_none_or(u8::is_ascii_whitespace);
                return is_apart.then_some((word, rest));
            }
            [first, behind @ ..] => {
                word.push(*first);
                rest = behind;
            }
        }
    }
}

/// Adds what stands up to the closing quote to `word`; returns what follows.
fn quoted<'a>(quote: u8, mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return None,
            [first, behind @ ..] if *first == quote => return Some(behind),
            [b'\\', b'x', high, low, behind @ ..] if quote == b'"' && is_hex(*high, *low) => {
                word.push(hex(*high) << 4 | hex(*low));
                rest = behind;
            }
            [b'\\', escaped, behind @ ..] if quote == b'"' => {
                word.push(unescaped(*escaped));
                rest = behind;
            }
            [b'\\', b'\'', behind @ ..] => {
                word.push(b'\'');
                rest = behind;
            }
            [first, behind @ ..] => {
                word.push(*first);
                rest = behind;
            }
        }
    }
}

fn is_hex(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).map_or(0, |value| value as u8)
}

fn unescaped(escaped: u8) -> u8 {
    match escaped {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}
