//! The session of one client: from the bytes that it sends to chunks in the
//! queue and replies in the outbox. It does no I/O, so it can be tested with
//! bytes alone.

mod pushing;

use std::sync::Arc;

use super::command::{self, Answer};
use super::outbox::Outbox;
use super::profile::{Profile, Replies};
use super::queue::Room;
use super::reply::Reply;
use super::request::{Decoder, Event, Piece, ProtocolError};
use super::service::{Charge, Service};
use super::staged::Staged;
use super::transaction::Transaction;
use super::words::Words;
use crate::error_kind::ErrorKind;

/// What a client may leave unfinished without it being charged to the budget.
const FREE_BYTES: usize = 16 * 1024;

/// One client's side of the conversation.
#[derive(Debug)]
pub struct Session {
    pub(super) service: Arc<Service>,
    pub(super) outbox: Outbox,
    pub(super) profile: Profile,
    pub(super) transaction: Option<Transaction>,
    pub(super) staged: Staged,
    decoder: Decoder,
    request: Request,
    /// The push or transaction that waits for room.
    waiting: Option<Waiting>,
    charge: Charge,
}

/// How the caller has to go on, and how many bytes were used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Read more.
    Read,
    /// Send replies first.
    Send,
    /// Wait for room of that cost, then call [`Session::settle`].
    Wait(usize),
    /// Send the replies and close the connection.
    Close,
}

/// The command that is being read.
#[derive(Debug, Default)]
struct Request {
    words: Words,
    /// How the rest of it is read.
    mode: Mode,
}

#[derive(Debug, Default)]
enum Mode {
    /// Arguments are kept.
    #[default]
    Keep,
    /// A push: arguments are elements.
    Stage,
    /// Arguments are skipped; the reply is this.
    Skip(Reply),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Push,
    Transaction,
}

impl Session {
    /// The session of a client that has said nothing yet.
    pub fn new(service: Arc<Service>) -> Self {
        let profile = Profile {
            id: service.next_client(),
            is_known: service.login.is_none(),
            ..Profile::default()
        };
        Self {
            service,
            outbox: Outbox::default(),
            profile,
            transaction: None,
            staged: Staged::default(),
            decoder: Decoder::default(),
            request: Request::default(),
            waiting: None,
            charge: Charge::default(),
        }
    }

    /// Takes bytes in; how many, and how to go on. Bytes that were not used up
    /// have to come again, with more behind them where [`Next::Read`] is
    /// returned. What is pushed by them is in the queue on return.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Next) {
        let (used, next) = self.answer_all(bytes);
        self.hand_over();
        self.charge_unfinished();
        (used, next)
    }

    /// Replies that have not gone out.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Ends the wait for room: with room, or with the words of the refusal.
    pub fn settle(&mut self, outcome: Result<Room, &str>) {
        let Some(waiting) = self.waiting.take() else { return };
        match (waiting, outcome) {
            (Waiting::Push, Ok(room)) => self.commit_push(room),
            (Waiting::Push, Err(words)) => self.refuse_push(words),
            (Waiting::Transaction, Ok(room)) => self.commit_transaction(room),
            (Waiting::Transaction, Err(words)) => self.abort_transaction(words),
        }
        self.hand_over();
    }

    /// Whether what it keeps of unfinished requests is more than is free.
    pub fn is_charged(&self) -> bool {
        !self.charge.is_empty()
    }

    /// Adds a reply, unless the client wants none.
    pub(super) fn reply(&mut self, reply: Reply) {
        match self.profile.replies {
            Replies::On => self.outbox.add(reply, self.profile.protocol),
            Replies::Off | Replies::Skip | Replies::SkipNext => {}
        }
    }

    fn reply_pushed(&mut self, length: i64) {
        match self.profile.replies {
            Replies::On => self.outbox.add_pushed(length, self.profile.protocol),
            Replies::Off | Replies::Skip | Replies::SkipNext => {}
        }
    }

    fn answer_all(&mut self, bytes: &[u8]) -> (usize, Next) {
        let mut used = 0;
        loop {
            if self.outbox.is_full() {
                return (used, Next::Send);
            }
            match self.decoder.next(&bytes[used..], !self.profile.is_known) {
                Ok((more, None)) => return (used + more, Next::Read),
                Ok((more, Some(event))) => {
                    used += more;
                    let next = self.take(event);
                    if next != Next::Read {
                        return (used, next);
                    }
                }
                Err(cause) => {
                    self.break_off(cause);
                    return (used, Next::Close);
                }
            }
        }
    }

    fn take(&mut self, event: Event<'_>) -> Next {
        match event {
            Event::Begins(_) => Next::Read,
            Event::Piece(piece) => {
                self.take_piece(piece);
                Next::Read
            }
            Event::Ends => self.execute(),
            Event::Inline(words) => {
                for word in &words {
                    let length = word.len() as u64;
                    self.take_piece(Piece { bytes: word, length, first: true, last: true });
                }
                self.execute()
            }
        }
    }

    fn take_piece(&mut self, piece: Piece<'_>) {
        match &self.request.mode {
            Mode::Keep => {
                self.request.words.add(piece);
                if piece.last && self.request.words.len() == 2 {
                    self.request.mode = self.mode_of_push();
                }
            }
            Mode::Stage => {
                self.staged.add(piece, self.service.max_element_bytes);
                if self.service.entry.never_fits(self.staged.cost()) {
                    self.skip_push(Reply::error(command::NEVER_FITS));
                }
            }
            Mode::Skip(_) => {}
        }
    }

    fn execute(&mut self) -> Next {
        self.profile.replies = self.profile.replies.next();
        let mut request = std::mem::take(&mut self.request);
        match request.mode {
            Mode::Stage => {
                let next = self.push(&request.words);
                // The next command is mostly a push too: nothing is allocated anew.
                request.words.clear();
                self.request.words = request.words;
                next
            }
            Mode::Skip(refusal) => {
                self.refuse(refusal);
                Next::Read
            }
            Mode::Keep => self.command(request.words),
        }
    }

    /// A reply that says that a command can't be; it spoils a transaction.
    fn refuse(&mut self, refusal: Reply) {
        if let Some(transaction) = &mut self.transaction {
            transaction.is_spoilt = true;
        }
        self.reply(refusal);
    }

    fn command(&mut self, words: Words) -> Next {
        match command::answer(self, words) {
            Answer::Reply(reply) => self.reply(reply),
            Answer::Refusal(reply) => self.refuse(reply),
            Answer::Nothing => {}
            Answer::Close(reply) => {
                self.reply(reply);
                return Next::Close;
            }
            Answer::Execute => return self.execute_transaction(),
        }
        Next::Read
    }

    fn break_off(&mut self, cause: ProtocolError) {
        self.service.count(ErrorKind::Protocol);
        tracing::debug!(client = self.profile.id, %cause, "a client broke the protocol");
        self.reply(Reply::error(format!("ERR Protocol error: {cause}")));
    }

    /// What is committed goes into the queue.
    fn hand_over(&mut self) {
        if let Some(chunk) = self.staged.leave() {
            self.service.entry.push(chunk);
        }
    }

    /// What stays here until more bytes come is paid for by a budget that all
    /// clients share; where that is used up, what is unfinished is refused.
    fn charge_unfinished(&mut self) {
        if self.adjust_charge() {
            return;
        }
        let refusal = Reply::error(command::TOO_MUCH_UNFINISHED);
        if let Some(transaction) = &mut self.transaction {
            transaction.spoil();
        }
        self.staged.undo_all();
        match &self.request.mode {
            Mode::Stage => self.request.mode = Mode::Skip(refusal),
            Mode::Keep => self.request.words.cut(),
            Mode::Skip(_) => {}
        }
        // What is left is below what is free.
        let _ = self.adjust_charge();
    }

    fn adjust_charge(&mut self) -> bool {
        let staged = self.staged.cost();
        let queued = self.transaction.as_ref().map_or(0, Transaction::bytes);
        let kept = staged + queued + self.request.words.bytes();
        self.service.unfinished.adjust(&mut self.charge, kept.saturating_sub(FREE_BYTES))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Less than before always fits.
        let _ = self.service.unfinished.adjust(&mut self.charge, 0);
    }
}
