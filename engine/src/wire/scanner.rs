//! The scanner: a cursor that reads a document byte after byte.
//!
//! It says what is wrong and where, and takes what the index of tokens does not:
//! long payloads, and those with a fault.

use super::json::{Cursor, Expected, Scanned, skip};
use super::number::{number_length, parse_json_number};
use super::runs::{end_of_plain, end_of_space};
use crate::text::{Json, Text, Texts};

/// A cursor over a document.
///
/// What most payloads need is inlined into the caller, and what few need is
/// called by value, so that no call sees the cursor itself and its position can
/// live in a register.
///
/// Half a surrogate pair is a fault, unless `HALVES` says that it is passed over,
/// since somebody else will refuse it.
#[derive(Debug)]
pub(super) struct Scanner<'p, 'd, const HALVES: bool = false> {
    payload: &'p str,
    at: usize,
    is_ragged: bool,
    /// Receives the strings that had escapes.
    unescaped: &'d mut String,
}

impl<'p, 'd, const HALVES: bool> Scanner<'p, 'd, HALVES> {
    pub(super) fn new(payload: &'p str, unescaped: &'d mut String) -> Self {
        Self { payload, at: 0, is_ragged: false, unescaped }
    }

    #[inline(always)]
    fn bytes(&self) -> &'p [u8] {
        self.payload.as_bytes()
    }
}

impl<const HALVES: bool> Cursor for Scanner<'_, '_, HALVES> {
    #[inline(always)]
    fn at(&self) -> usize {
        self.at
    }

    /// It never passes over white space on its own.
    #[inline(always)]
    fn end(&self) -> usize {
        self.at
    }

    #[inline(always)]
    fn peek(&self) -> u8 {
        self.bytes().get(self.at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn space(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' {
            return byte;
        }
        self.at = end_of_space(self.bytes(), self.at);
        self.peek()
    }

    #[inline(always)]
    fn space_before_colon(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' {
            return byte;
        }
        self.is_ragged = true;
        self.space()
    }

    #[inline(always)]
    fn is_ragged(&self) -> bool {
        self.is_ragged
    }

    #[inline(always)]
    fn bump(&mut self) {
        self.at += 1;
    }

    #[inline(always)]
    fn string(&mut self) -> Scanned<Text> {
        if self.peek() != b'"' {
            return Err(self.expected("a string"));
        }
        let start = self.at + 1;
        let end = end_of_plain(self.bytes(), start);
        if self.bytes().get(end) != Some(&b'"') {
            let (text, after) = unescape::<HALVES>(self.payload, start, self.unescaped)?;
            self.at = after;
            return Ok(text);
        }
        self.at = end + 1;
        Ok(Text::in_payload(start, end))
    }

    #[inline(always)]
    fn number(&mut self) -> Scanned<f64> {
        let (value, length) =
            parse_json_number(&self.bytes()[self.at..]).ok_or(self.expected("a value"))?;
        self.at += length;
        Ok(value)
    }

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

    #[inline(always)]
    fn skip(&mut self, depth: u32) -> Scanned<Json> {
        let (json, at) = skip_from::<HALVES>(self.payload, self.at, self.unescaped, depth)?;
        self.at = at;
        Ok(json)
    }

    #[inline(always)]
    fn resolve(&self, text: Text) -> &str {
        Texts::new(self.payload, self.unescaped).get(text)
    }

    #[inline(always)]
    fn expected(&self, what: &'static str) -> Expected {
        Expected { what, at: self.at }
    }

    fn finish(&mut self) -> Scanned<()> {
        self.space();
        if self.at == self.payload.len() { Ok(()) } else { Err(self.expected("the end")) }
    }
}

/// As [`Cursor::skip`], from `at`; also returns where the value ends.
#[inline(never)]
fn skip_from<const HALVES: bool>(
    payload: &str,
    at: usize,
    unescaped: &mut String,
    depth: u32,
) -> Scanned<(Json, usize)> {
    let mut scanner = Scanner::<HALVES> { payload, at, is_ragged: false, unescaped };
    let json = skip(&mut scanner, depth)?;
    Ok((json, scanner.at))
}

/// Where the string from `start` on ends, which has an escape or a fault, and
/// what it says.
#[cold]
#[inline(never)]
pub(super) fn unescape<const HALVES: bool>(
    payload: &str,
    start: usize,
    unescaped: &mut String,
) -> Scanned<(Text, usize)> {
    let kept = unescaped.len();
    let mut scanner = Scanner::<HALVES> { payload, at: start, is_ragged: false, unescaped };
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
impl<const HALVES: bool> Scanner<'_, '_, HALVES> {
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
        let lone = match HALVES {
            false => Err(self.expected("both halves of a surrogate pair")),
            true => Ok(char::REPLACEMENT_CHARACTER),
        };
        let first = self.hex_digits()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).map_or(lone, Ok);
        }
        let behind = self.at;
        if !self.bytes()[behind..].starts_with(b"\\u") {
            return lone;
        }
        self.at += 1;
        let second = self.hex_digits()?;
        if !(0xdc00..0xe000).contains(&second) {
            self.at = behind;
            return lone;
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(code).map_or(lone, Ok)
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
