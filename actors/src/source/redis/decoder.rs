//! The decoder: finds list elements in the bytes of a pop's replies as they
//! arrive.
//!
//! It knows the reply shapes of `RPOP key [count]` and `BLMOVE` in RESP2 and
//! RESP3 and nothing else: an array of bulk strings, one bulk string, nil, an
//! error. Elements are given as ranges in the caller's buffer, so that payloads
//! are parsed where they lie. State is kept between calls: no byte of a payload
//! is looked at, and no element is waited for because a later one is missing.
//! Nothing is ever allocated by a length that the peer announces. `room` moves what
//! is kept to the front of the buffer.

use std::ops::Range;

use super::super::{HEAD_BYTES, Slice};

mod room;

/// The longest error reply that is read; a longer one breaks the protocol.
const MAX_ERROR_BYTES: usize = 16 * 1024;

/// The longest line that announces a length: a type byte, 20 characters, CRLF.
const MAX_LENGTH_LINE: usize = 23;

/// The end of one reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An array or a single bulk string ended, with this many elements.
    Elements(usize),
    /// There was nothing: a null, or an empty array.
    Nil,
    /// The server refused; its words without the leading `-`.
    Error(String),
}

/// The bytes break the protocol; no reply can be found in what follows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A reply, or an element of an array, of a type that a pop never answers.
    #[error("expected an array, a bulk string, a null or an error, got a reply of type {0:?}")]
    UnexpectedType(char),
    /// A length that is no number, negative, or too long.
    #[error("expected a length, got something that is none")]
    BadLength,
    /// An element that is not followed by CRLF, or a line that does not end.
    #[error("expected the end of a line, got other bytes")]
    MissingLineEnd,
}

/// Finds elements and the ends of replies; see the module's documentation.
#[derive(Debug)]
pub struct ReplyDecoder {
    max_element_bytes: u64,
    /// Where the next byte to look at lies in the caller's buffer.
    position: usize,
    /// How far beyond `position` a line end was already looked for.
    searched: usize,
    state: ReplyState,
    /// Elements that the current array still owes.
    owed: u64,
    /// Elements found in the current reply.
    found: usize,
    /// Where the current reply begins.
    reply_start: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ReplyState {
    /// Before the first byte of a reply.
    Reply,
    /// Before the length of an array's next element.
    Element,
    /// Before an element's first byte; this many bytes, then CRLF.
    Body(usize),
    /// Before the first byte of an element over the bound.
    Head(u64),
    /// Inside an element over the bound; this many bytes are left of it.
    Skip { head: Range<usize>, length: u64, left: u64 },
}

impl ReplyDecoder {
    /// A decoder that skips elements of more than `max_element_bytes`.
    pub fn new(max_element_bytes: usize) -> Self {
        Self {
            // Far below where adding to a position could overflow.
            max_element_bytes: max_element_bytes.min(usize::MAX / 4) as u64,
            position: 0,
            searched: 0,
            state: ReplyState::Reply,
            owed: 0,
            found: 0,
            reply_start: 0,
        }
    }

    /// Changes the bound on elements, between two replies.
    pub fn set_max_element_bytes(&mut self, bytes: usize) {
        self.max_element_bytes = bytes.min(usize::MAX / 4) as u64;
    }

    /// Appends the elements that are complete in `buffer` to `elements`, up to
    /// the end of one reply, which it returns; `None` asks for more bytes.
    /// `buffer` must start with what the last call saw of it.
    pub fn next(
        &mut self,
        buffer: &[u8],
        elements: &mut Vec<Slice>,
    ) -> Result<Option<Reply>, ProtocolError> {
        loop {
            let step = match self.state.clone() {
                ReplyState::Reply => self.reply(buffer)?,
                ReplyState::Element => self.element(buffer)?,
                ReplyState::Body(length) => self.body(buffer, length, elements)?,
                ReplyState::Head(length) => self.head(buffer, length),
                ReplyState::Skip { head, length, left } => {
                    self.skip(buffer, head, length, left, elements)?
                }
            };
            match step {
                DecodeStep::Go => {}
                DecodeStep::More => return Ok(None),
                DecodeStep::End(reply) => {
                    self.state = ReplyState::Reply;
                    self.found = 0;
                    self.reply_start = self.position;
                    return Ok(Some(reply));
                }
            }
        }
    }

    /// Between two replies: passes over one that is a status or an error; false
    /// asks for more bytes.
    pub fn skip_status(&mut self, buffer: &[u8]) -> Result<bool, ProtocolError> {
        match buffer.get(self.position) {
            None => return Ok(false),
            Some(b'+' | b'-') => {}
            Some(other) => return Err(ProtocolError::UnexpectedType(char::from(*other))),
        }
        let is_over = self.line(buffer, MAX_ERROR_BYTES)?.is_some();
        if is_over {
            self.reply_start = self.position;
        }
        Ok(is_over)
    }

    fn reply(&mut self, buffer: &[u8]) -> Result<DecodeStep, ProtocolError> {
        let Some(&kind) = buffer.get(self.position) else { return Ok(DecodeStep::More) };
        match kind {
            b'*' => match self.length_line(buffer)? {
                LengthLine::Incomplete => Ok(DecodeStep::More),
                LengthLine::Null | LengthLine::Length(0) => Ok(DecodeStep::End(Reply::Nil)),
                LengthLine::Length(count) => {
                    self.owed = count;
                    self.state = ReplyState::Element;
                    Ok(DecodeStep::Go)
                }
            },
            b'$' => match self.length_line(buffer)? {
                LengthLine::Incomplete => Ok(DecodeStep::More),
                LengthLine::Null => Ok(DecodeStep::End(Reply::Nil)),
                LengthLine::Length(length) => {
                    self.owed = 1;
                    self.expect_body(length);
                    Ok(DecodeStep::Go)
                }
            },
            b'_' if self.null(buffer)? => Ok(DecodeStep::End(Reply::Nil)),
            b'_' => Ok(DecodeStep::More),
            b'-' => Ok(match self.line(buffer, MAX_ERROR_BYTES)? {
                None => DecodeStep::More,
                Some(line) => DecodeStep::End(Reply::Error(
                    String::from_utf8_lossy(&buffer[line]).into_owned(),
                )),
            }),
            other => Err(ProtocolError::UnexpectedType(char::from(other))),
        }
    }

    fn element(&mut self, buffer: &[u8]) -> Result<DecodeStep, ProtocolError> {
        let Some(&kind) = buffer.get(self.position) else { return Ok(DecodeStep::More) };
        match kind {
            b'$' => match self.length_line(buffer)? {
                LengthLine::Incomplete => Ok(DecodeStep::More),
                LengthLine::Null => Ok(self.element_done()),
                LengthLine::Length(length) => {
                    self.expect_body(length);
                    Ok(DecodeStep::Go)
                }
            },
            b'_' if self.null(buffer)? => Ok(self.element_done()),
            b'_' => Ok(DecodeStep::More),
            other => Err(ProtocolError::UnexpectedType(char::from(other))),
        }
    }

    fn expect_body(&mut self, length: u64) {
        self.state = if length > self.max_element_bytes {
            ReplyState::Head(length)
        } else {
            ReplyState::Body(length as usize)
        };
    }

    fn body(
        &mut self,
        buffer: &[u8],
        length: usize,
        elements: &mut Vec<Slice>,
    ) -> Result<DecodeStep, ProtocolError> {
        let end = self.position + length;
        if buffer.len() < end + 2 {
            return Ok(DecodeStep::More);
        }
        check_line_end(&buffer[end..end + 2])?;
        elements.push(Slice::Whole(self.position..end));
        self.found += 1;
        self.position = end + 2;
        Ok(self.element_done())
    }

    fn head(&mut self, buffer: &[u8], length: u64) -> DecodeStep {
        let kept = length.min(HEAD_BYTES as u64) as usize;
        let end = self.position + kept;
        if buffer.len() < end {
            return DecodeStep::More;
        }
        self.state =
            ReplyState::Skip { head: self.position..end, length, left: length - kept as u64 };
        self.position = end;
        DecodeStep::Go
    }

    fn skip(
        &mut self,
        buffer: &[u8],
        head: Range<usize>,
        length: u64,
        left: u64,
        elements: &mut Vec<Slice>,
    ) -> Result<DecodeStep, ProtocolError> {
        let arrived = (buffer.len() - self.position) as u64;
        let skipped = arrived.min(left);
        self.position += skipped as usize;
        let left = left - skipped;
        self.state = ReplyState::Skip { head: head.clone(), length, left };
        let Some(line_end) = buffer.get(self.position..self.position + 2).filter(|_| left == 0)
        else {
            return Ok(DecodeStep::More);
        };
        check_line_end(line_end)?;
        elements.push(Slice::TooLarge { head, length });
        self.found += 1;
        self.position += 2;
        Ok(self.element_done())
    }

    fn element_done(&mut self) -> DecodeStep {
        self.owed -= 1;
        if self.owed == 0 {
            return DecodeStep::End(match self.found {
                0 => Reply::Nil,
                found => Reply::Elements(found),
            });
        }
        self.state = ReplyState::Element;
        DecodeStep::Go
    }

    /// The length on the line at `position`.
    fn length_line(&mut self, buffer: &[u8]) -> Result<LengthLine, ProtocolError> {
        let mut length: u64 = 0;
        let first = self.position + 1;
        for (index, &byte) in buffer[first..].iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    length = length
                        .checked_mul(10)
                        .and_then(|tens| tens.checked_add(u64::from(byte - b'0')))
                        .ok_or(ProtocolError::BadLength)?;
                }
                b'\r' if index > 0 => {
                    let end = first + index;
                    let Some(&newline) = buffer.get(end + 1) else {
                        return Ok(LengthLine::Incomplete);
                    };
                    check_line_end(&[byte, newline])?;
                    self.position = end + 2;
                    return Ok(LengthLine::Length(length));
                }
                b'-' if index == 0 => return self.minus_one(buffer),
                _ => return Err(ProtocolError::BadLength),
            }
            if index > MAX_LENGTH_LINE {
                return Err(ProtocolError::BadLength);
            }
        }
        Ok(LengthLine::Incomplete)
    }

    /// Passes over the null of RESP3; false asks for more bytes.
    fn null(&mut self, buffer: &[u8]) -> Result<bool, ProtocolError> {
        match self.line(buffer, MAX_LENGTH_LINE)? {
            None => Ok(false),
            Some(line) if line.is_empty() => Ok(true),
            Some(_) => Err(ProtocolError::MissingLineEnd),
        }
    }

    fn minus_one(&mut self, buffer: &[u8]) -> Result<LengthLine, ProtocolError> {
        match self.line(buffer, MAX_LENGTH_LINE)? {
            None => Ok(LengthLine::Incomplete),
            Some(line) if &buffer[line.clone()] == b"-1" => Ok(LengthLine::Null),
            Some(_) => Err(ProtocolError::BadLength),
        }
    }

    /// The rest of the line at `position`, without its type byte and its end.
    fn line(
        &mut self,
        buffer: &[u8],
        max_bytes: usize,
    ) -> Result<Option<Range<usize>>, ProtocolError> {
        let first = self.position + 1;
        let from = first + self.searched;
        let Some(found) = buffer[from..].iter().position(|byte| *byte == b'\n') else {
            self.searched = buffer.len() - first;
            if self.searched > max_bytes {
                return Err(ProtocolError::MissingLineEnd);
            }
            return Ok(None);
        };
        let newline = from + found;
        self.searched = 0;
        if newline == first || buffer[newline - 1] != b'\r' || newline - first > max_bytes {
            return Err(ProtocolError::MissingLineEnd);
        }
        self.position = newline + 1;
        Ok(Some(first..newline - 1))
    }
}

/// What a look at the buffer came to.
enum DecodeStep {
    /// Look again.
    Go,
    /// More bytes are needed.
    More,
    End(Reply),
}

/// What stands on a line that announces a length.
enum LengthLine {
    /// The line has not ended.
    Incomplete,
    /// -1 announces a null.
    Null,
    Length(u64),
}

fn check_line_end(bytes: &[u8]) -> Result<(), ProtocolError> {
    if bytes == b"\r\n" { Ok(()) } else { Err(ProtocolError::MissingLineEnd) }
}

#[cfg(test)]
mod tests;
