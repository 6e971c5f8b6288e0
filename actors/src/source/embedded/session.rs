//! The session of one client: from the bytes that it sends to chunks in the
//! queue and replies in the outbox. It does no I/O, so it can be tested with
//! bytes alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::command::{self, Answer, Command};
use super::outbox::Outbox;
use super::queue::{NoRoom, Room};
use super::reply::{Protocol, Reply};
use super::request::{Decoder, Event, Piece, ProtocolError};
use super::service::{Charge, Service};
use super::staged::Staged;
use super::transaction::{Queued, Transaction};
use crate::source::ErrorKind;

/// What a client may leave unfinished without it being charged to the budget.
const FREE_BYTES: usize = 16 * 1024;

/// Bytes kept of the arguments of commands that are no pushes.
const MAX_ARGUMENT_BYTES: usize = 64 * 1024;

/// What an argument costs besides its bytes.
const ARGUMENT_BYTES: usize = 32;

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

/// What a client has said about itself.
#[derive(Debug, Default)]
pub struct Profile {
    /// Its number.
    pub id: u64,
    /// The version that it speaks.
    pub protocol: Protocol,
    /// Whether it has logged in, or need not.
    pub is_known: bool,
    /// Its name, which may be empty.
    pub name: Vec<u8>,
    /// The database that it has selected.
    pub database: i64,
    /// Channels that it has subscribed to.
    pub channels: BTreeSet<Vec<u8>>,
    /// Patterns that it has subscribed to.
    pub patterns: BTreeSet<Vec<u8>>,
    /// Whether it wants replies.
    pub replies: Replies,
}

/// Which replies a client wants (`CLIENT REPLY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replies {
    /// All.
    #[default]
    On,
    /// None.
    Off,
    /// All but that to the command in hand and to the one that follows.
    SkipNext,
    /// All but that to the command in hand.
    Skip,
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

/// A command's name and arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// There was more than is kept.
    is_cut: bool,
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

    /// How the elements of a push are read, once its key is there.
    fn mode_of_push(&mut self) -> Mode {
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
            false => command::other_key(&self.service, key, self.profile.database),
        })
    }

    /// Gives the elements of the push in hand up; its rest is skipped.
    fn skip_push(&mut self, reply: Reply) {
        self.service.count(ErrorKind::Busy);
        self.staged.undo_command();
        self.request.mode = Mode::Skip(reply);
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

    /// A push to the queue whose elements are staged.
    fn push(&mut self, words: &Words) -> Next {
        let elements = self.staged.elements_of_command();
        let Some(Command::Push(push)) = command::find(words.name()) else { return Next::Read };
        if elements == 0 {
            self.refuse(command::wrong_number(words.name()));
            return Next::Read;
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.queue_push(push, elements);
            self.staged.keep();
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
    fn settle_now(&mut self, outcome: Result<Room, &str>) {
        match (self.waiting.take(), outcome) {
            (Some(Waiting::Push), Ok(room)) => self.commit_push(room),
            (Some(Waiting::Push), Err(words)) => self.refuse_push(words),
            (Some(Waiting::Transaction), Ok(room)) => self.commit_transaction(room),
            (Some(Waiting::Transaction), Err(words)) => self.abort_transaction(words),
            (None, _) => {}
        }
    }

    fn commit_push(&mut self, room: Room) {
        let elements = self.staged.uncommitted();
        self.staged.commit(room);
        let length = self.service.entry.announce(elements);
        self.reply_pushed(length);
    }

    fn refuse_push(&mut self, words: &str) {
        self.service.count(ErrorKind::Busy);
        self.staged.undo_all();
        self.reply(Reply::error(words));
    }

    fn execute_transaction(&mut self) -> Next {
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

    fn abort_transaction(&mut self, why: &str) {
        self.transaction = None;
        self.staged.undo_all();
        let because = if why.starts_with("OOM") { "of: " } else { "of " };
        self.reply(Reply::error(format!("EXECABORT Transaction discarded because {because}{why}")));
    }

    fn commit_transaction(&mut self, room: Room) {
        let Some(transaction) = self.transaction.take() else { return };
        self.staged.commit(room);
        if self.profile.replies == Replies::On {
            self.outbox.add_array_head(transaction.queued.len());
        }
        for queued in transaction.queued {
            match queued {
                Queued::Push { elements, .. } => {
                    let length = self.service.entry.announce(elements);
                    self.reply_pushed(length);
                }
                Queued::Other(words) => {
                    let reply = command::answer_in_transaction(self, words);
                    self.reply(reply);
                }
            }
        }
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

impl Profile {
    /// Whether it may only say what subscribers may: in RESP2, replies and what
    /// is published could not be told apart.
    pub fn is_subscriber_only(&self) -> bool {
        self.protocol == Protocol::Resp2 && self.subscriptions() > 0
    }

    /// Channels and patterns that it has subscribed to.
    pub fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }
}

impl Replies {
    /// What holds for the next command.
    fn next(self) -> Self {
        match self {
            Replies::On | Replies::Skip => Replies::On,
            Replies::Off => Replies::Off,
            Replies::SkipNext => Replies::Skip,
        }
    }
}

impl Words {
    /// How many there are, the name among them.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The command's name.
    pub fn name(&self) -> &[u8] {
        self.argument(0)
    }

    /// The argument of that number, the name being 0; empty where it is not
    /// there.
    pub fn argument(&self, number: usize) -> &[u8] {
        let begins = number.checked_sub(1).and_then(|before| self.ends.get(before));
        let begins = begins.copied().unwrap_or(0);
        self.ends.get(number).map_or(&[], |end| &self.bytes[begins..*end])
    }

    /// The arguments from that number on.
    pub fn from(&self, number: usize) -> impl Iterator<Item = &[u8]> {
        (number..self.len()).map(|number| self.argument(number))
    }

    /// Whether there was more than is kept.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Memory that they take up.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * ARGUMENT_BYTES
    }

    fn add(&mut self, piece: Piece<'_>) {
        if self.is_cut || self.bytes() + piece.bytes.len() + ARGUMENT_BYTES > MAX_ARGUMENT_BYTES {
            return self.cut();
        }
        self.bytes.extend_from_slice(piece.bytes);
        if piece.last {
            self.ends.push(self.bytes.len());
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.is_cut = false;
    }

    /// Keeps the name alone.
    fn cut(&mut self) {
        self.is_cut = true;
        self.ends.truncate(1);
        self.bytes.truncate(self.ends.first().copied().unwrap_or(0));
    }
}
