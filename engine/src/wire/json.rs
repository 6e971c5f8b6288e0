//! JSON: a cursor over one document that accepts exactly RFC 8259, with at most
//! [`MAX_DEPTH`] levels and no half surrogate pairs.
//!
//! It builds nothing. The grammar of objects and arrays stands here once; what
//! to do with a member or an element is the caller's, who must move the cursor
//! over its value.

use super::number::parse_json_number;
use super::text::{Text, Texts, end_of_plain};

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

/// What the grammar asks for where the cursor stands and something else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected(pub(super) &'static str);

type Scanned<T> = Result<T, Expected>;

/// A cursor over a document.
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
        if byte > b' ' { byte } else { self.long_space() }
    }

    /// Passes over white space, after which the document must end.
    pub(super) fn finish(&mut self) -> Scanned<()> {
        self.space();
        if self.at == self.payload.len() { Ok(()) } else { Err(Expected("the end")) }
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
                return Err(Expected("a colon"));
            }
            self.at += 1;
            self.space();
            member(self, name)?;
            match self.space() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(Expected("a comma or a closing brace")),
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
                _ => return Err(Expected("a comma or a closing bracket")),
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
            return Err(Expected("a string"));
        }
        let start = self.at + 1;
        let end = end_of_plain(self.bytes(), start);
        if self.bytes().get(end) != Some(&b'"') {
            return self.unescape(start);
        }
        self.at = end + 1;
        Ok(Text::in_payload(start, end))
    }

    /// Passes over the number under the cursor; infinite where it overflows.
    #[inline(always)]
    pub(super) fn number(&mut self) -> Scanned<f64> {
        let (value, length) =
            parse_json_number(&self.bytes()[self.at..]).ok_or(Expected("a value"))?;
        self.at += length;
        Ok(value)
    }

    /// Passes over the value under the cursor, which is within `depth` levels,
    /// and returns its type.
    pub(super) fn skip(&mut self, depth: u32) -> Scanned<Json> {
        match self.peek() {
            b'"' => {
                let kept = self.unescaped.len();
                self.string()?;
                self.unescaped.truncate(kept);
                Ok(Json::String)
            }
            b'{' => {
                let kept = self.unescaped.len();
                self.object(depth + 1, |scanner, _| scanner.skip(depth + 1).map(drop))?;
                self.unescaped.truncate(kept);
                Ok(Json::Object)
            }
            b'[' => {
                self.array(depth + 1, |scanner| scanner.skip(depth + 1).map(drop))?;
                Ok(Json::Array)
            }
            b'n' => self.literal("null", Json::Null),
            b't' => self.literal("true", Json::Boolean),
            b'f' => self.literal("false", Json::Boolean),
            _ => self.number().map(|_| Json::Number),
        }
    }

    #[inline(always)]
    fn bytes(&self) -> &'p [u8] {
        self.payload.as_bytes()
    }

    /// Enters a container and returns what comes first in it, as `peek`.
    #[inline(always)]
    fn open(&mut self, depth: u32) -> Scanned<u8> {
        if depth > MAX_DEPTH {
            return Err(Expected("at most 64 levels"));
        }
        self.at += 1;
        Ok(self.space())
    }

    #[inline(never)]
    fn long_space(&mut self) -> u8 {
        while let b' ' | b'\n' | b'\r' | b'\t' = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn literal(&mut self, word: &'static str, json: Json) -> Scanned<Json> {
        if !self.bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(Expected("a value"));
        }
        self.at += word.len();
        Ok(json)
    }

    /// Passes over the string that begins at `start` and writes it unescaped.
    #[cold]
    fn unescape(&mut self, start: usize) -> Scanned<Text> {
        let kept = self.unescaped.len();
        self.at = start;
        loop {
            let end = end_of_plain(self.bytes(), self.at);
            self.unescaped.push_str(&self.payload[self.at..end]);
            self.at = end;
            match self.bytes().get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    let character = self.escape()?;
                    self.unescaped.push(character);
                }
                Some(_) => return Err(Expected("no control character in a string")),
                None => return Err(Expected("a closing quote")),
            }
        }
        self.at += 1;
        Ok(Text::in_unescaped(kept, self.unescaped.len(), self.payload.len()))
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
            _ => return Err(Expected("an escape sequence")),
        };
        self.at += 1;
        Ok(character)
    }

    /// Passes over `u` and its four digits, and those of the pair's other half
    /// where they are half a surrogate pair (RFC 8259 section 7).
    fn unicode_escape(&mut self) -> Scanned<char> {
        const LONE: Expected = Expected("both halves of a surrogate pair");
        let first = self.hex_digits()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or(LONE);
        }
        if !self.bytes()[self.at..].starts_with(b"\\u") {
            return Err(LONE);
        }
        self.at += 1;
        let second = self.hex_digits()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(LONE);
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(code).ok_or(LONE)
    }

    /// Passes over `u` and four hexadecimal digits.
    fn hex_digits(&mut self) -> Scanned<u32> {
        let mut code = 0;
        for _ in 0..4 {
            self.at += 1;
            let digit = char::from(self.peek()).to_digit(16);
            code = code * 16 + digit.ok_or(Expected("a hexadecimal digit"))?;
        }
        self.at += 1;
        Ok(code)
    }
}
