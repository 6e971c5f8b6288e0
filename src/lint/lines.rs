//! The lines of an input that may have one of any length.

use std::io::{self, BufRead};

/// Lines, of which no more is kept than a payload may have bytes.
pub struct LimitedLines<R> {
    input: R,
    largest: usize,
}

impl<R: BufRead> LimitedLines<R> {
    /// The lines of `input`, whose payloads may have `largest` bytes.
    pub fn new(input: R, largest: usize) -> Self {
        Self { input, largest }
    }

    /// Puts the next line into `line`, without its end and no more of it than
    /// tells that it is too long; how long it was, or `None` at the end of the input.
    pub fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<usize>> {
        line.clear();
        let mut length = 0;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok((length > 0).then_some(length));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            line.extend_from_slice(&part[..part.len().min(self.largest + 1 - line.len())]);
            length += part.len();
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(length));
            }
        }
    }
}
