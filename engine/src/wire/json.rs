//! JSON: exactly RFC 8259, with at most [`MAX_DEPTH`] levels and no half
//! surrogate pairs.
//!
//! It builds nothing. The grammar of objects and arrays stands here once; what
//! to do with a member or an element is the caller's, who must move the cursor
//! over its value. What moves over a document is a [`Cursor`], of which there
//! are two: [`super::scanner`] reads byte after byte and knows what is wrong
//! where; [`super::token_cursor`] goes from token to token and only knows that
//! something is.

use crate::text::{Json, Text};

/// How deep objects and arrays may nest; the outermost one is at depth 1.
pub(super) const MAX_DEPTH: u32 = 64;

/// What the grammar asks for at byte `at`, where something else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) what: &'static str,
    pub(super) at: usize,
}

pub(super) type Scanned<T> = Result<T, Expected>;

/// A cursor over one document.
///
/// What most payloads need is inlined into the caller.
pub(super) trait Cursor: Sized {
    /// Where the cursor stands, in bytes.
    fn at(&self) -> usize;

    /// Where the token ends that it passed over last; no white space belongs to
    /// it.
    fn end(&self) -> usize;

    /// The byte under the cursor; 0, which no token begins with, at the end.
    fn peek(&self) -> u8;

    /// Passes over white space and returns the byte after it, as `peek`.
    fn space(&mut self) -> u8;

    /// The same where a colon should follow, which serializers write without
    /// white space before it: noted for [`Cursor::is_ragged`].
    fn space_before_colon(&mut self) -> u8;

    /// Whether there was white space before a colon, but for values that were
    /// skipped.
    fn is_ragged(&self) -> bool;

    /// Passes over the bracket, brace, colon or comma under the cursor.
    fn bump(&mut self);

    /// Passes over the string under the cursor.
    fn string(&mut self) -> Scanned<Text>;

    /// Passes over the number under the cursor; infinite where it overflows.
    fn number(&mut self) -> Scanned<f64>;

    /// The same without finding its value, which may take long.
    fn digits(&mut self) -> Scanned<()>;

    /// Passes over `word`.
    fn word(&mut self, word: &'static str) -> Scanned<()>;

    /// Passes over the value under the cursor, which is within `depth` levels,
    /// and returns its type. Not inlined; else as [`skip`].
    fn skip(&mut self, depth: u32) -> Scanned<Json>;

    /// The string at `text`.
    fn resolve(&self, text: Text) -> &str;

    /// That something else is under the cursor.
    fn expected(&self, what: &'static str) -> Expected;

    /// Passes over white space, after which the document must end.
    fn finish(&mut self) -> Scanned<()>;

    /// Passes over the object under the cursor, `depth` levels deep. `member`
    /// is called with each name, the cursor at the value.
    #[inline(always)]
    fn object(
        &mut self,
        depth: u32,
        mut member: impl FnMut(&mut Self, Text) -> Scanned<()>,
    ) -> Scanned<()> {
        if open(self, depth)? == b'}' {
            self.bump();
            return Ok(());
        }
        loop {
            let name = self.string()?;
            if self.space_before_colon() != b':' {
                return Err(self.expected("a colon"));
            }
            self.bump();
            self.space();
            member(self, name)?;
            match self.space() {
                b',' => self.bump(),
                b'}' => break,
                _ => return Err(self.expected("a comma or a closing brace")),
            }
            self.space();
        }
        self.bump();
        Ok(())
    }

    /// Passes over the array under the cursor, `depth` levels deep. `element`
    /// is called for each element, the cursor at it.
    #[inline(always)]
    fn array(
        &mut self,
        depth: u32,
        mut element: impl FnMut(&mut Self) -> Scanned<()>,
    ) -> Scanned<()> {
        if open(self, depth)? == b']' {
            self.bump();
            return Ok(());
        }
        loop {
            element(self)?;
            match self.space() {
                b',' => self.bump(),
                b']' => break,
                _ => return Err(self.expected("a comma or a closing bracket")),
            }
            self.space();
        }
        self.bump();
        Ok(())
    }
}

/// Enters a container and returns what comes first in it, as `peek`.
#[inline(always)]
fn open(cursor: &mut impl Cursor, depth: u32) -> Scanned<u8> {
    if depth > MAX_DEPTH {
        return Err(cursor.expected("at most 64 levels"));
    }
    cursor.bump();
    Ok(cursor.space())
}

/// Passes over the value under the cursor, which is within `depth` levels, and
/// returns its type.
#[inline(always)]
pub(super) fn skip(cursor: &mut impl Cursor, depth: u32) -> Scanned<Json> {
    match cursor.peek() {
        b'"' => cursor.string().map(|_| Json::String),
        b'{' => {
            let member = |cursor: &mut _, _| Cursor::skip(cursor, depth + 1).map(drop);
            cursor.object(depth + 1, member).map(|()| Json::Object)
        }
        b'[' => {
            let element = |cursor: &mut _| Cursor::skip(cursor, depth + 1).map(drop);
            cursor.array(depth + 1, element).map(|()| Json::Array)
        }
        b'n' => cursor.word("null").map(|()| Json::Null),
        b't' => cursor.word("true").map(|()| Json::Boolean),
        b'f' => cursor.word("false").map(|()| Json::Boolean),
        _ => cursor.digits().map(|()| Json::Number),
    }
}
