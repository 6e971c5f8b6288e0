//! The scanner: a cursor over one document. It takes exactly RFC 8259, with at
//! most [`MAX_DEPTH`] levels. Half a surrogate pair, which the grammar allows and
//! which is no character, is read as U+FFFD, as most languages' readers do.
//!
//! It builds nothing: what to do with a member or an element is the caller's,
//! who must move the cursor over its value.

use super::number::{number_length, parse_json_number};
use super::runs::{end_of_plain, end_of_space};
use crate::text::{JsonType, Text, Texts};

/// How deep objects and arrays may nest; the outermost one is at depth 1.
const MAX_DEPTH: u32 = 64;

/// What the grammar asks for at byte `at`, where something else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) expected: &'static str,
    pub(super) at: usize,
}

pub(super) type Scanned<T> = Result<T, SyntaxError>;

/// A cursor over a document.
///
/// What most payloads need is inlined into the caller, and what few need is
/// called by value, so that no call sees the cursor itself and its position can
/// live in a register.
#[derive(Debug)]
pub(super) struct Scanner<'p, 'd> {
    payload: &'p str,
    at: usize,
    /// Receives the strings that had escapes.
    unescaped: &'d mut String,
}

impl<'p, 'd> Scanner<'p, 'd> {
    pub(super) fn new(payload: &'p str, unescaped: &'d mut String) -> Self {
        Self { payload, at: 0, unescaped }
    }

    /// The same that begins in the middle.
    pub(super) fn from(payload: &'p str, at: usize, unescaped: &'d mut String) -> Self {
        Self { payload, at, unescaped }
    }

    #[inline(always)]
    fn bytes(&self) -> &'p [u8] {
        self.payload.as_bytes()
    }

    /// Where the cursor stands, in bytes. It never passes over white space on
    /// its own, so after a value this is where the value ends.
    #[inline(always)]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The byte under the cursor; 0, which no token begins with, at the end.
    #[inline(always)]
    pub(super) fn peek(&self) -> u8 {
        self.bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Passes over white space and returns the byte after it, as `peek`.
    #[inline(always)]
    pub(super) fn space(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' {
            return byte;
        }
        self.at = end_of_space(self.bytes(), self.at);
        self.peek()
    }

    /// Passes over the object under the cursor, `depth` levels deep. `member`
    /// is called with each name, the cursor at the value.
    #[inline(always)]
    pub(super) fn object(
        &mut self,
        depth: u32,
        mut member: impl FnMut(&mut Self, Text) -> Scanned<()>,
    ) -> Scanned<()> {
        if self.open(depth)? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            let name = self.string()?;
            if self.space() != b':' {
                return Err(self.expected("a colon"));
            }
            self.at += 1;
            self.space();
            member(self, name)?;
            match self.space() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(self.expected("a comma or a closing brace")),
            }
            self.space();
        }
        self.at += 1;
        Ok(())
    }

    /// Passes over the array under the cursor, `depth` levels deep. `element`
    /// is called for each element, the cursor at it.
    #[inline(always)]
    pub(super) fn array(
        &mut self,
        depth: u32,
        mut element: impl FnMut(&mut Self) -> Scanned<()>,
    ) -> Scanned<()> {
        if self.open(depth)? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            element(self)?;
            match self.space() {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(self.expected("a comma or a closing bracket")),
            }
            self.space();
        }
        self.at += 1;
        Ok(())
    }

    /// Enters an object or array and returns what comes first in it, as `peek`.
    #[inline(always)]
    fn open(&mut self, depth: u32) -> Scanned<u8> {
        if depth > MAX_DEPTH {
            return Err(self.expected("at most 64 levels"));
        }
        self.at += 1;
        Ok(self.space())
    }

    /// Passes over the string under the cursor.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Scanned<Text> {
        if self.peek() != b'"' {
            return Err(self.expected("a string"));
        }
        let start = self.at + 1;
        let end = end_of_plain(self.bytes(), start);
        if self.bytes().get(end) != Some(&b'"') {
            let (text, after) = unescape(self.payload, start, self.unescaped)?;
            self.at = after;
            return Ok(text);
        }
        self.at = end + 1;
        Ok(Text::in_payload(start, end))
    }

    /// Passes over the number under the cursor; infinite where it overflows.
    #[inline(always)]
    pub(super) fn number(&mut self) -> Scanned<f64> {
        let (value, length) =
            parse_json_number(&self.bytes()[self.at..]).ok_or(self.expected("a value"))?;
        self.at += length;
        Ok(value)
    }

    /// Passes over the value under the cursor, which is within `depth` levels,
    /// and returns its type. Not inlined.
    #[inline(always)]
    pub(super) fn skip(&mut self, depth: u32) -> Scanned<JsonType> {
        let (found, at) = skip_from(self.payload, self.at, self.unescaped, depth)?;
        self.at = at;
        Ok(found)
    }

    /// What `read` returns, with a cursor of its own, after which this one goes on:
    /// for what is not inlined.
    #[inline(always)]
    pub(super) fn apart<T>(
        &mut self,
        read: impl FnOnce(&mut Scanner<'p, '_>) -> Scanned<T>,
    ) -> Scanned<T> {
        let Self { payload, at, unescaped } = self;
        let mut other = Scanner { payload, at: *at, unescaped };
        let found = read(&mut other)?;
        *at = other.at;
        Ok(found)
    }

    #[inline(always)]
    fn skip_value(&mut self, depth: u32) -> Scanned<JsonType> {
        match self.peek() {
            b'"' => self.string().map(|_| JsonType::String),
            b'{' => {
                self.object(depth + 1, |scanner, _| scanner.skip(depth + 1).map(drop))?;
                Ok(JsonType::Object)
            }
            b'[' => {
                self.array(depth + 1, |scanner| scanner.skip(depth + 1).map(drop))?;
                Ok(JsonType::Array)
            }
            b'n' => self.word("null").map(|()| JsonType::Null),
            b't' => self.word("true").map(|()| JsonType::Boolean),
            b'f' => self.word("false").map(|()| JsonType::Boolean),
            _ => self.digits().map(|()| JsonType::Number),
        }
    }

    /// As [`Scanner::number`], without finding its value, which may take long.
    fn digits(&mut self) -> Scanned<()> {
        let length = number_length(&self.bytes()[self.at..]);
        self.at += length.ok_or(self.expected("a value"))?;
        Ok(())
    }

    fn word(&mut self, word: &'static str) -> Scanned<()> {
        if !self.bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// The string at `text`.
    #[inline(always)]
    pub(super) fn resolve(&self, text: Text) -> &str {
        Texts::new(self.payload, self.unescaped).get(text)
    }

    /// That something else is under the cursor.
    #[inline(always)]
    fn expected(&self, expected: &'static str) -> SyntaxError {
        SyntaxError { expected, at: self.at }
    }

    /// Passes over white space, after which the document must end.
    pub(super) fn finish(&mut self) -> Scanned<()> {
        self.space();
        if self.at == self.payload.len() { Ok(()) } else { Err(self.expected("the end")) }
    }
}

/// As [`Scanner::skip`], from `at`; also returns where the value ends.
#[inline(never)]
fn skip_from(
    payload: &str,
    at: usize,
    unescaped: &mut String,
    depth: u32,
) -> Scanned<(JsonType, usize)> {
    let mut scanner = Scanner { payload, at, unescaped };
    let found = scanner.skip_value(depth)?;
    Ok((found, scanner.at))
}

/// Where the string from `start` on ends, which has an escape or a fault, and
/// what it says.
#[cold]
#[inline(never)]
fn unescape(payload: &str, start: usize, unescaped: &mut String) -> Scanned<(Text, usize)> {
    let kept = unescaped.len();
    let mut scanner = Scanner { payload, at: start, unescaped };
    loop {
        let end = end_of_plain(scanner.bytes(), scanner.at);
        scanner.unescaped.push_str(&payload[scanner.at..end]);
        scanner.at = end;
        match payload.as_bytes().get(end) {
            Some(b'"') => break,
            Some(b'\\') => {
                let character = scanner.escape()?;
                scanner.unescaped.push(character);
            }
            Some(_) => return Err(scanner.expected("no control character in a string")),
            None => return Err(scanner.expected("a closing quote")),
        }
    }
    let after = scanner.at + 1;
    Ok((Text::in_unescaped(kept, unescaped.len(), payload.len()), after))
}

/// What only strings with escapes need.
impl Scanner<'_, '_> {
    /// Passes over the escape sequence under the cursor.
    fn escape(&mut self) -> Scanned<char> {
        self.at += 1;
        let character = match self.peek() {
            b'u' => return self.unicode_escape(),
            plain @ (b'"' | b'\\' | b'/') => char::from(plain),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            _ => return Err(self.expected("an escape sequence")),
        };
        self.at += 1;
        Ok(character)
    }

    /// Passes over `u` and its four digits, and those of the pair's other half
    /// where they are half a surrogate pair (RFC 8259 section 7).
    fn unicode_escape(&mut self) -> Scanned<char> {
        let lone = char::REPLACEMENT_CHARACTER;
        let first = self.hex_digits()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(lone));
        }
        let after_first = self.at;
        if !self.bytes()[after_first..].starts_with(b"\\u") {
            return Ok(lone);
        }
        self.at += 1;
        let second = self.hex_digits()?;
        if !(0xdc00..0xe000).contains(&second) {
            // What follows is a character of its own.
            self.at = after_first;
            return Ok(lone);
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        Ok(char::from_u32(code).unwrap_or(lone))
    }

    /// Passes over `u` and four hexadecimal digits.
    fn hex_digits(&mut self) -> Scanned<u32> {
        let mut code = 0;
        for _ in 0..4 {
            self.at += 1;
            let digit = char::from(self.peek()).to_digit(16);
            code = code * 16 + digit.ok_or(self.expected("a hexadecimal digit"))?;
        }
        self.at += 1;
        Ok(code)
    }
}
