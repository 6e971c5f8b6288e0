//! What a session makes us hold, and what becomes of it where there is no room
//! for that.

use super::super::clients::EvictionReason;
use super::super::reply::RespReply;
use super::super::transaction::Transaction;
use super::command;
use super::{ArgumentMode, Next, Session};
use crate::error_kind::ErrorKind;

/// An incomplete request of more bytes than this is a large one.
const LARGE_REQUEST_BYTES: usize = 16 * 1024;

impl Session {
    /// Charges what is kept until the next turn, `unused` bytes of input
    /// included; how to go on, which is `next` where there is room for
    /// it. Else what is not complete is refused, or the client has to leave.
    pub fn end_turn(&mut self, next: Next, unused: usize) -> Next {
        let has_spoken = self.client.is_known && self.answered > 0;
        self.slot.heard(has_spoken);
        if self.slot.hold(self.held() + unused) {
            return next;
        }
        let was_waiting = self.waiting.is_some();
        self.refuse_unfinished();
        if self.slot.hold(self.held() + unused) {
            return if was_waiting { Next::Send } else { next };
        }
        self.slot.evict_for_bytes();
        Next::Send
    }

    pub fn is_amid_large_request(&self) -> bool {
        self.held() - self.outbox.held() - self.client.held() > LARGE_REQUEST_BYTES
    }

    /// Leaves, so that others have room.
    pub fn give_way(self, reason: EvictionReason) {
        self.service.count(match reason {
            EvictionReason::Bytes => ErrorKind::Busy,
            EvictionReason::Connections => ErrorKind::Connection,
        });
        self.service.complaints.cut(self.client.address, self.slot.held(), reason);
    }

    /// Memory that it takes up.
    fn held(&self) -> usize {
        let transactions = [&self.transaction, &self.executing].into_iter().flatten();
        self.staged.held()
            + transactions.map(Transaction::held).sum::<usize>()
            + self.request.arguments.held()
            + self.outbox.held()
            + self.client.held()
    }

    /// Whether there is room for that many bytes more, beyond what fits a turn.
    pub fn may_grow(&self, bytes: usize) -> bool {
        bytes <= LARGE_REQUEST_BYTES || self.slot.hold(self.slot.held() + bytes)
    }

    /// What is not complete is given up, since there is no room for it.
    fn refuse_unfinished(&mut self) {
        let refusal = RespReply::error(command::TOO_MUCH_UNFINISHED);
        self.settle_in_turn(Err(command::TOO_MUCH_UNFINISHED));
        if let Some(transaction) = &mut self.transaction {
            transaction.spoil();
        }
        self.staged.undo_all();
        match &self.request.mode {
            ArgumentMode::Stage => self.request.mode = ArgumentMode::Skip(refusal),
            ArgumentMode::Keep if self.request.arguments.is_empty() => {}
            ArgumentMode::Keep => self.request.arguments.cut(),
            ArgumentMode::Skip(_) => {}
        }
    }
}
