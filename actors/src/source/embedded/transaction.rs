//! A transaction: what came between MULTI and EXEC. Its pushes are staged and
//! go into the queue together, or not at all; what else there is, is answered
//! one command after the other, as fast as the client takes the replies.

use std::collections::VecDeque;

use super::arguments::Arguments;

/// Both ends are one here: elements are taken in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    /// Whether it takes nothing where the queue is empty.
    pub only_if_exists: bool,
}

#[derive(Debug, Default)]
pub struct Transaction {
    /// A command was refused: EXEC will be too.
    pub is_spoilt: bool,
    /// In their order.
    queued: VecDeque<Queued>,
    /// The arguments of commands that are no pushes, in the same order.
    arguments: VecDeque<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Queued {
    /// A push to the queue; of no elements where it turned out to
    /// have no effect.
    Push { elements: usize, only_if_exists: bool },
    /// One that has been carried out, after which the queue had that length.
    Pushed { length: i64 },
    /// Any other; its arguments each have their length before them.
    Other { arguments: u32 },
}

/// A command whose turn it is.
#[derive(Debug, PartialEq)]
pub enum NextQueued {
    /// A push that has been carried out, after which the queue had that length.
    Pushed(i64),
    Other(Arguments),
}

impl Transaction {
    pub fn len(&self) -> usize {
        self.queued.len()
    }

    pub fn queue_push(&mut self, push: Push, elements: usize) {
        let only_if_exists = push.only_if_exists;
        self.queued.push_back(Queued::Push { elements, only_if_exists });
    }

    pub fn queue(&mut self, arguments: &Arguments) {
        for word in arguments.from(0) {
            self.arguments.extend((word.len() as u32).to_le_bytes());
            self.arguments.extend(word);
        }
        self.queued.push_back(Queued::Other { arguments: arguments.len() as u32 });
    }

    /// By how much it would grow at once if that were queued: what is there is
    /// copied into twice the room.
    pub fn growth(&self, arguments: &Arguments) -> usize {
        let bytes = arguments.held() + arguments.len() * size_of::<u32>();
        let more = |used: usize, more: usize, room: usize| {
            if used + more > room { room.max(more) } else { 0 }
        };
        more(self.arguments.len(), bytes, self.arguments.capacity())
            + more(self.queued.len(), 1, self.queued.capacity()) * size_of::<Queued>()
    }

    /// Of an empty queue: the pushes that would have needed one that is not,
    /// since they come before the first that makes it so, have no effect. How
    /// many elements they had, the first ones that are staged.
    pub fn drop_vain_pushes(&mut self) -> usize {
        let mut dropped = 0;
        for queued in &mut self.queued {
            match queued {
                Queued::Push { elements, only_if_exists: true } => {
                    dropped += std::mem::take(elements)
                }
                Queued::Push { only_if_exists: false, .. } => break,
                Queued::Pushed { .. } | Queued::Other { .. } => {}
            }
        }
        dropped
    }

    /// Carries the pushes out: `announce` is given the elements of each, and
    /// returns the length of the queue with them.
    pub fn carry_out_pushes(&mut self, mut announce: impl FnMut(usize) -> i64) {
        for queued in &mut self.queued {
            if let Queued::Push { elements, .. } = *queued {
                *queued = Queued::Pushed { length: announce(elements) };
            }
        }
    }

    pub fn next(&mut self) -> Option<NextQueued> {
        Some(match self.queued.pop_front()? {
            Queued::Pushed { length } => NextQueued::Pushed(length),
            // Nothing was announced for it.
            Queued::Push { .. } => NextQueued::Pushed(0),
            Queued::Other { arguments } => NextQueued::Other(self.take_words(arguments)),
        })
    }

    /// Forgets what is queued: it can't be carried out any more.
    pub fn spoil(&mut self) {
        *self = Self { is_spoilt: true, ..Self::default() };
    }

    /// Memory that it takes up, but for staged elements.
    pub fn held(&self) -> usize {
        self.queued.capacity() * size_of::<Queued>() + self.arguments.capacity()
    }

    fn take_words(&mut self, count: u32) -> Arguments {
        let mut arguments = Arguments::default();
        for _ in 0..count {
            let mut length = [0; size_of::<u32>()];
            length.fill_with(|| self.arguments.pop_front().unwrap_or_default());
            let word: Vec<u8> =
                self.arguments.drain(..u32::from_le_bytes(length) as usize).collect();
            arguments.push(&word);
        }
        arguments
    }
}
