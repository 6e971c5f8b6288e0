//! Pushes and transactions: from staged elements to room in the queue, or to
//! the refusal.

use super::super::super::push_queue::{Reservation, ReserveError};
use super::super::arguments::Arguments;
use super::super::client_state::ReplyMode;
use super::super::reply::RespReply;
use super::command::{self, RespCommand};
use super::{ArgumentMode, Next, PendingCommit, Session};
use crate::error_kind::ErrorKind;

impl Session {
    /// How the elements of a push are read, once its key is there.
    pub(super) fn mode_of_push(&mut self) -> ArgumentMode {
        let words = &self.request.arguments;
        let Some(RespCommand::Push(_)) = command::find(words.name()) else {
            return ArgumentMode::Keep;
        };
        let key = words.argument(1);
        if !self.client.is_known {
            return ArgumentMode::Skip(command::no_auth());
        }
        if !self.client.is_subscriber_only() && self.service.is_queue(key, self.client.database) {
            return ArgumentMode::Stage;
        }
        ArgumentMode::Skip(match self.client.is_subscriber_only() {
            true => command::not_while_subscribed(words.name()),
            false => {
                self.service.pushed_elsewhere(key, self.client.database, self.client.address);
                command::other_key(&self.service, key, self.client.database)
            }
        })
    }

    /// Gives up the elements of the current push; its rest is skipped.
    pub(super) fn skip_push(&mut self, reply: RespReply) {
        self.service.count(ErrorKind::Busy);
        self.staged.undo_command();
        self.request.mode = ArgumentMode::Skip(reply);
    }

    /// A push to the queue whose elements are staged.
    pub(super) fn push(&mut self, words: &Arguments) -> Next {
        let elements = self.staged.elements_of_command();
        let Some(RespCommand::Push(push)) = command::find(words.name()) else { return Next::Read };
        if elements == 0 {
            self.refuse(command::wrong_number(words.name()));
            return Next::Read;
        }
        if let Some(transaction) = &mut self.transaction {
            if transaction.is_spoilt {
                self.staged.undo_command();
            } else {
                transaction.queue_push(push, elements);
                self.staged.keep();
            }
            self.reply(RespReply::Simple("QUEUED"));
            return Next::Read;
        }
        if push.only_if_exists && self.service.queue.length() <= 0 {
            self.staged.undo_command();
            self.reply(RespReply::Integer(0));
            return Next::Read;
        }
        self.reserve(self.staged.cost(), PendingCommit::Push)
    }

    /// Takes room for the current push or transaction, or has it waited for.
    fn reserve(&mut self, cost: usize, waiting: PendingCommit) -> Next {
        self.waiting = Some(waiting);
        match self.service.queue.try_reserve(cost) {
            Ok(room) => self.settle_in_turn(Ok(room)),
            Err(ReserveError::Never) => self.settle_in_turn(Err(command::NEVER_FITS)),
            Err(ReserveError::Full) => return Next::Wait(cost),
        }
        Next::Read
    }

    /// As [`settle`](Self::settle), but the chunk may still grow.
    pub(super) fn settle_in_turn(&mut self, outcome: Result<Reservation, &str>) {
        match (self.waiting.take(), outcome) {
            (Some(PendingCommit::Push), Ok(room)) => self.commit_push(room),
            (Some(PendingCommit::Push), Err(words)) => self.refuse_push(words),
            (Some(PendingCommit::Transaction), Ok(room)) => self.commit_transaction(room),
            (Some(PendingCommit::Transaction), Err(words)) => self.abort_transaction(words),
            (None, _) => {}
        }
    }

    pub(super) fn commit_push(&mut self, room: Reservation) {
        let elements = self.staged.uncommitted();
        self.staged.commit(room);
        let length = self.service.queue.announce(elements);
        self.reply_pushed(length);
    }

    pub(super) fn refuse_push(&mut self, words: &str) {
        self.service.count(ErrorKind::Busy);
        self.staged.undo_all();
        self.reply(RespReply::error(words));
    }

    pub(super) fn execute_transaction(&mut self) -> Next {
        let Some(transaction) = &mut self.transaction else { return Next::Read };
        if transaction.is_spoilt {
            self.abort_transaction("previous errors.");
            return Next::Read;
        }
        if self.service.queue.length() <= 0 {
            self.staged.drop_first_kept(transaction.drop_vain_pushes());
        }
        if self.staged.uncommitted() == 0 {
            self.commit_transaction(Reservation::default());
            return Next::Read;
        }
        self.reserve(self.staged.cost(), PendingCommit::Transaction)
    }

    pub(super) fn abort_transaction(&mut self, why: &str) {
        self.transaction = None;
        self.staged.undo_all();
        let because = if why.starts_with("OOM") { "of: " } else { "of " };
        self.reply(RespReply::error(format!(
            "EXECABORT Transaction discarded because {because}{why}"
        )));
    }

    /// Its pushes are in the queue together; what else it has is answered next.
    pub(super) fn commit_transaction(&mut self, room: Reservation) {
        let Some(mut transaction) = self.transaction.take() else { return };
        self.staged.commit(room);
        if self.client.replies == ReplyMode::On {
            self.outbox.add_array_head(transaction.len());
        }
        transaction.carry_out_pushes(|elements| self.service.queue.announce(elements));
        self.executing = Some(transaction);
    }
}
