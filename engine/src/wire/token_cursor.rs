//! The token cursor: goes over a document from token to token, by the places that
//! [`super::tokens`] has found.
//!
//! It accepts what the scanner accepts and finds the same in it, which a property
//! test compares; where something is wrong it only says so, and the scanner is
//! asked what.

use super::json::{Cursor, Expected, Scanned, skip};
use super::number::{number_length, parse_json_number};
use super::scanner::unescape;
use super::tokens::{BLOCK, Tokens};
use crate::text::{Json, Text, Texts};

/// A cursor over a document.
#[derive(Debug)]
pub(super) struct TokenCursor<'p, 'd> {
    document: Document<'p>,
    place: Place,
    end: usize,
    is_ragged: bool,
    /// Receives the strings that had escapes.
    unescaped: &'d mut String,
}

#[derive(Debug, Clone, Copy)]
struct Document<'p> {
    payload: &'p str,
    blocks: &'p [u64],
    has_escapes: bool,
}

/// Which token is under the cursor.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Where it stands; the length of the payload behind the last.
    at: usize,
    /// The tokens behind it in its block,
    bits: u64,
    /// and which block follows that.
    next_block: usize,
}

impl<'p, 'd> TokenCursor<'p, 'd> {
    /// A cursor over `payload`, in which `tokens` were found.
    #[inline(always)]
    pub(super) fn new(payload: &'p str, tokens: &'p Tokens, unescaped: &'d mut String) -> Self {
        let has_escapes = tokens.has_escapes();
        let document = Document { payload, blocks: tokens.blocks(), has_escapes };
        let place = Place { at: 0, bits: 0, next_block: 0 };
        let mut cursor = Self { document, place, end: 0, is_ragged: false, unescaped };
        cursor.next();
        cursor
    }

    /// Moves on to the next token.
    #[inline(always)]
    fn next(&mut self) {
        let Place { at, bits, next_block } = &mut self.place;
        while *bits == 0 {
            let Some(block) = self.document.blocks.get(*next_block) else {
                *at = self.document.payload.len();
                return;
            };
            *bits = *block;
            *next_block += 1;
        }
        *at = (*next_block - 1) * BLOCK + bits.trailing_zeros() as usize;
        *bits &= *bits - 1;
    }

    #[inline(always)]
    fn bytes(&self) -> &'p [u8] {
        self.document.payload.as_bytes()
    }

    /// Passes over a number or a word that ends at `end`, which must be all of
    /// the token.
    #[inline(always)]
    fn scalar(&mut self, end: usize) -> Scanned<()> {
        const DELIMITERS: &[u8] = b" \n\r\t{}[]:,";
        let ends = self.bytes().get(end).is_none_or(|byte| DELIMITERS.contains(byte));
        if !ends {
            return Err(self.expected("a value"));
        }
        self.end = end;
        self.next();
        Ok(())
    }
}

impl Cursor for TokenCursor<'_, '_> {
    #[inline(always)]
    fn at(&self) -> usize {
        self.place.at
    }

    #[inline(always)]
    fn end(&self) -> usize {
        self.end
    }

    #[inline(always)]
    fn peek(&self) -> u8 {
        self.bytes().get(self.at()).copied().unwrap_or(0)
    }

    /// It never stands on white space.
    #[inline(always)]
    fn space(&mut self) -> u8 {
        self.peek()
    }

    #[inline(always)]
    fn space_before_colon(&mut self) -> u8 {
        self.is_ragged |= self.at() != self.end;
        self.peek()
    }

    #[inline(always)]
    fn is_ragged(&self) -> bool {
        self.is_ragged
    }

    #[inline(always)]
    fn bump(&mut self) {
        self.end = self.at() + 1;
        self.next();
    }

    #[inline(always)]
    fn string(&mut self) -> Scanned<Text> {
        if self.peek() != b'"' {
            return Err(self.expected("a string"));
        }
        // Quotes come in pairs, with nothing between them.
        let start = self.at() + 1;
        self.next();
        let close = self.at();
        let text = match self.document.has_escapes {
            true if self.bytes()[start..close].contains(&b'\\') => {
                unescape::<false>(self.document.payload, start, self.unescaped)?.0
            }
            true | false => Text::in_payload(start, close),
        };
        self.end = close + 1;
        self.next();
        Ok(text)
    }

    #[inline(always)]
    fn number(&mut self) -> Scanned<f64> {
        let at = self.at();
        let (value, length) =
            parse_json_number(&self.bytes()[at..]).ok_or(self.expected("a value"))?;
        self.scalar(at + length)?;
        Ok(value)
    }

    fn digits(&mut self) -> Scanned<()> {
        let at = self.at();
        let length = number_length(&self.bytes()[at..]).ok_or(self.expected("a value"))?;
        self.scalar(at + length)
    }

    fn word(&mut self, word: &'static str) -> Scanned<()> {
        let at = self.at();
        if !self.bytes()[at..].starts_with(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.scalar(at + word.len())
    }

    #[inline(always)]
    fn skip(&mut self, depth: u32) -> Scanned<Json> {
        let (json, place, end) = skip_from(self.document, self.place, self.unescaped, depth)?;
        (self.place, self.end) = (place, end);
        Ok(json)
    }

    #[inline(always)]
    fn resolve(&self, text: Text) -> &str {
        Texts::new(self.document.payload, self.unescaped).get(text)
    }

    #[inline(always)]
    fn expected(&self, what: &'static str) -> Expected {
        Expected { what, at: self.at() }
    }

    #[inline(always)]
    fn finish(&mut self) -> Scanned<()> {
        if self.at() == self.document.payload.len() {
            Ok(())
        } else {
            Err(self.expected("the end"))
        }
    }
}

/// As [`Cursor::skip`], from a token on; also returns which one follows the
/// value, and where the value ends.
#[inline(never)]
fn skip_from(
    document: Document<'_>,
    place: Place,
    unescaped: &mut String,
    depth: u32,
) -> Scanned<(Json, Place, usize)> {
    let mut cursor = TokenCursor { document, place, end: 0, is_ragged: false, unescaped };
    let json = skip(&mut cursor, depth)?;
    Ok((json, cursor.place, cursor.end))
}
