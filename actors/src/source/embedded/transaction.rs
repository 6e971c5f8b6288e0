//! A transaction: what came between MULTI and EXEC. Its pushes are staged and
//! go into the queue together, or not at all.

use super::command::Push;
use super::words::Words;

/// What a queued command costs besides its words.
const QUEUED_BYTES: usize = 64;

/// Queued commands.
#[derive(Debug, Default)]
pub struct Transaction {
    /// In their order.
    pub queued: Vec<Queued>,
    /// A command was refused: EXEC will be too.
    pub is_spoilt: bool,
    other_bytes: usize,
}

/// One queued command.
#[derive(Debug)]
pub enum Queued {
    /// A push to the queue, of so many elements.
    Push {
        /// How many; none where the push turned out to have no effect.
        elements: usize,
        /// Whether it is to a queue that is there only.
        only_if_exists: bool,
    },
    /// Any other.
    Other(Words),
}

impl Transaction {
    /// Queues a push whose elements are staged.
    pub fn queue_push(&mut self, push: Push, elements: usize) {
        let only_if_exists = push.only_if_exists;
        self.queued.push(Queued::Push { elements, only_if_exists });
    }

    /// Queues any other command.
    pub fn queue(&mut self, words: Words) {
        self.other_bytes += words.bytes();
        self.queued.push(Queued::Other(words));
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
                Queued::Other(_) => {}
            }
        }
        dropped
    }

    /// Forgets what is queued: it can't be carried out any more.
    pub fn spoil(&mut self) {
        self.is_spoilt = true;
        self.queued = Vec::new();
        self.other_bytes = 0;
    }

    /// Memory that it takes up, but for staged elements.
    pub fn bytes(&self) -> usize {
        self.queued.len() * QUEUED_BYTES + self.other_bytes
    }
}
