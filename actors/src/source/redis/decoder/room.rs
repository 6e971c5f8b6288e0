//! Room in the caller's buffer: what of it is still needed is moved to its front.

use super::super::super::Slice;
use super::{ReplyDecoder, ReplyState};

impl ReplyDecoder {
    /// Moves the bytes that are still needed to the front of the buffer, of
    /// which the first `filled` are in use, and returns how many those are.
    /// Ranges given out before no longer hold.
    pub fn compact(&mut self, buffer: &mut [u8], filled: usize) -> usize {
        let mut kept = 0;
        if let ReplyState::Skip { head, .. } = &mut self.state {
            buffer.copy_within(head.clone(), 0);
            kept = head.len();
            *head = 0..kept;
        }
        if self.position != kept {
            buffer.copy_within(self.position..filled, kept);
        }
        let remaining = filled - self.position;
        self.position = kept;
        self.reply_start = 0;
        kept + remaining
    }

    /// As [`compact`](Self::compact), but keeps the elements of the reply in
    /// hand, which `elements` are, and moves their ranges along. What was
    /// skipped of an element over the bound makes room.
    pub fn compact_whole(
        &mut self,
        buffer: &mut [u8],
        mut filled: usize,
        elements: &mut [Slice],
    ) -> usize {
        if let ReplyState::Skip { head, .. } = &self.state
            && head.end < self.position
        {
            buffer.copy_within(self.position..filled, head.end);
            filled -= self.position - head.end;
            self.position = head.end;
        }
        let start = std::mem::take(&mut self.reply_start);
        if start == 0 {
            return filled;
        }
        buffer.copy_within(start..filled, 0);
        self.position -= start;
        if let ReplyState::Skip { head, .. } = &mut self.state {
            *head = head.start - start..head.end - start;
        }
        elements.iter_mut().for_each(|element| element.shift(start, 0));
        filled - start
    }

    /// Keeps of the current reply what begins at `from` or later, or what has yet to come.
    pub fn let_go(&mut self, from: Option<usize>) {
        let unfinished = match &self.state {
            ReplyState::Skip { head, .. } => head.start,
            ReplyState::Reply | ReplyState::Element | ReplyState::Body(_) | ReplyState::Head(_) => {
                self.position
            }
        };
        self.reply_start = from.unwrap_or(unfinished);
    }

    /// Where the first byte lies that is kept of the current reply.
    pub fn kept_from(&self) -> usize {
        self.reply_start
    }
}
