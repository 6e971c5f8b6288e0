//! JSON: a cursor over one document that accepts exactly RFC 8259, with at most
//! [`MAX_DEPTH`] levels and no half surrogate pairs.
//!
//! It builds nothing. The grammar of objects and arrays stands here once; what
//! to do with a member or an element is the caller's, who must move the cursor
//! over its value.

use super::number::{number_length, parse_json_number};
use super::text::{Text, Texts, end_of_plain, end_of_space};

/// How deep objects and arrays may nest; the outermost one is at depth 1.
pub(super) const MAX_DEPTH: u32 = 64;

/// The types of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

/// What the grammar asks for at byte `at`, where something else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) what: &'static str,
    pub(super) at: usize,
}

type Scanned<T> = Result<T, Expected>;

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

impl Json {
    /// The word for messages.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Boolean => "a boolean",
            Json::Number => "a number",
            Json::String => "a string",
            Json::Array => "an array",
            Json::Object => "an object",
        }
    }
}

impl<'p, 'd> Scanner<'p, 'd> {
    pub(super) fn new(payload: &'p str, unescaped: &'d mut String) -> Self {
        Self { payload, at: 0, unescaped }
    }

    /// Where the cursor stands, in bytes.
    #[inline(always)]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The string at `text`.
    #[inline(always)]
    pub(super) fn resolve(&self, text: Text) -> &str {
        Texts::new(self.payload, self.unescaped).get(text)
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

    /// Passes over white space, after which the document must end.
    pub(super) fn finish(&mut self) -> Scanned<()> {
        self.space();
        if self.at == self.payload.len() { Ok(()) } else { Err(self.expected("the end")) }
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
    /// and returns its type.
    #[inline(always)]
    pub(super) fn skip(&mut self, depth: u32) -> Scanned<Json> {
        let (json, at) = skip(self.payload, self.at, self.unescaped, depth)?;
        self.at = at;
        Ok(json)
    }

    #[inline(always)]
    fn expected(&self, what: &'static str) -> Expected {
        Expected { what, at: self.at }
    }

    #[inline(always)]
    fn bytes(&self) -> &'p [u8] {
        self.payload.as_bytes()
    }

    /// Enters a container and returns what comes first in it, as `peek`.
    #[inline(always)]
    fn open(&mut self, depth: u32) -> Scanned<u8> {
        if depth > MAX_DEPTH {
            return Err(self.expected("at most 64 levels"));
        }
        self.at += 1;
        Ok(self.space())
    }
}

/// As [`Scanner::skip`], from `at`; also returns where the value ends.
#[inline(never)]
fn skip(payload: &str, at: usize, unescaped: &mut String, depth: u32) -> Scanned<(Json, usize)> {
    let mut scanner = Scanner { payload, at, unescaped };
    let json = match scanner.peek() {
        b'"' => scanner.string().map(|_| Json::String),
        b'{' => {
            let member = |scanner: &mut Scanner<'_, '_>, _| scanner.skip(depth + 1).map(drop);
            scanner.object(depth + 1, member).map(|()| Json::Object)
        }
        b'[' => {
            let element = |scanner: &mut Scanner<'_, '_>| scanner.skip(depth + 1).map(drop);
            scanner.array(depth + 1, element).map(|()| Json::Array)
        }
        b'n' => scanner.literal("null", Json::Null),
        b't' => scanner.literal("true", Json::Boolean),
        b'f' => scanner.literal("false", Json::Boolean),
        _ => scanner.digits().map(|()| Json::Number),
    }?;
    Ok((json, scanner.at))
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

/// What only values need that are passed over, and strings with escapes.
impl Scanner<'_, '_> {
    /// Passes over the number under the cursor without finding its value, which
    /// may take long.
    fn digits(&mut self) -> Scanned<()> {
        let length = number_length(&self.bytes()[self.at..]);
        self.at += length.ok_or(self.expected("a value"))?;
        Ok(())
    }

    fn literal(&mut self, word: &'static str, json: Json) -> Scanned<Json> {
        if !self.bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(json)
    }

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
        let lone = self.expected("both halves of a surrogate pair");
        let first = self.hex_digits()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or(lone);
        }
        if !self.bytes()[self.at..].starts_with(b"\\u") {
            return Err(lone);
        }
        self.at += 1;
        let second = self.hex_digits()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(lone);
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(code).ok_or(lone)
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
