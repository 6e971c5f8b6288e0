//! Pushes and transactions: from staged elements to room in the queue, or to
//! the refusal.

use super::super::command::{self, Command};
use super::super::profile::Replies;
use super::super::queue::{NoRoom, Room};
use super::super::reply::Reply;
use super::super::words::Words;
use super::{Mode, Next, Session, Waiting};
use crate::error_kind::ErrorKind;

impl Session {
    /// How the elements of a push are read, once its key is there.
    pub(super) fn mode_of_push(&mut self) -> Mode {
        let words = &self.request.words;
        let Some(Command::Push(_)) = command::find(words.name()) else { return Mode::Keep };
        let key = words.argument(1);
        if !self.profile.is_known {
            return Mode::Skip(command::no_auth());
        }
        if !self.profile.is_subscriber_only() && self.service.is_queue(key, self.profile.database) {
            return Mode::Stage;
        }
        Mode::Skip(match self.profile.is_subscriber_only() {
            true => command::not_while_subscribed(words.name()),
            false => {
                self.service.pushed_elsewhere(key, self.profile.database, self.profile.peer);
                command::other_key(&self.service, key, self.profile.database)
            }
        })
    }

    /// Gives the elements of the push in hand up; its rest is skipped.
    pub(super) fn skip_push(&mut self, reply: Reply) {
        self.service.count(ErrorKind::Busy);
        self.staged.undo_command();
        self.request.mode = Mode::Skip(reply);
    }

    /// A push to the queue whose elements are staged.
    pub(super) fn push(&mut self, words: &Words) -> Next {
        let elements = self.staged.elements_of_command();
        let Some(Command::Push(push)) = command::find(words.name()) else { return Next::Read };
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
            self.reply(Reply::Simple("QUEUED"));
            return Next::Read;
        }
        if push.only_if_exists && self.service.entry.length() <= 0 {
            self.staged.undo_command();
            self.reply(Reply::Integer(0));
            return Next::Read;
        }
        self.reserve(self.staged.cost(), Waiting::Push)
    }

    /// Takes room for the push or transaction in hand, or has it waited for.
    fn reserve(&mut self, cost: usize, waiting: Waiting) -> Next {
        self.waiting = Some(waiting);
        match self.service.entry.try_reserve(cost) {
            Ok(room) => self.settle_now(Ok(room)),
            Err(NoRoom::Never) => self.settle_now(Err(command::NEVER_FITS)),
            Err(NoRoom::Full) => return Next::Wait(cost),
        }
        Next::Read
    }

    /// As [`settle`](Self::settle), but the chunk may still grow.
    pub(super) fn settle_now(&mut self, outcome: Result<Room, &str>) {
        match (self.waiting.take(), outcome) {
            (Some(Waiting::Push), Ok(room)) => self.commit_push(room),
            (Some(Waiting::Push), Err(words)) => self.refuse_push(words),
            (Some(Waiting::Transaction), Ok(room)) => self.commit_transaction(room),
            (Some(Waiting::Transaction), Err(words)) => self.abort_transaction(words),
            (None, _) => {}
        }
    }

    pub(super) fn commit_push(&mut self, room: Room) {
        let elements = self.staged.uncommitted();
        self.staged.commit(room);
        let length = self.service.entry.announce(elements);
        self.reply_pushed(length);
    }

    pub(super) fn refuse_push(&mut self, words: &str) {
        self.service.count(ErrorKind::Busy);
        self.staged.undo_all();
        self.reply(Reply::error(words));
    }

    pub(super) fn execute_transaction(&mut self) -> Next {
        let Some(transaction) = &mut self.transaction else { return Next::Read };
        if transaction.is_spoilt {
            self.abort_transaction("previous errors.");
            return Next::Read;
        }
        if self.service.entry.length() <= 0 {
            self.staged.drop_first_kept(transaction.drop_vain_pushes());
        }
        if self.staged.uncommitted() == 0 {
            self.commit_transaction(Room::default());
            return Next::Read;
        }
        self.reserve(self.staged.cost(), Waiting::Transaction)
    }

    pub(super) fn abort_transaction(&mut self, why: &str) {
        self.transaction = None;
        self.staged.undo_all();
        let because = if why.starts_with("OOM") { "of: " } else { "of " };
        self.reply(Reply::error(format!("EXECABORT Transaction discarded because {because}{why}")));
    }

    /// Its pushes are in the queue together; what else it has is answered next.
    pub(super) fn commit_transaction(&mut self, room: Room) {
        let Some(mut transaction) = self.transaction.take() else { return };
        self.staged.commit(room);
        if self.profile.replies == Replies::On {
            self.outbox.add_array_head(transaction.len());
        }
        transaction.carry_out_pushes(|elements| self.service.entry.announce(elements));
        self.executing = Some(transaction);
    }
}
