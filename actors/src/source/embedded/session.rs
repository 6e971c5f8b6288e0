//! The session of one client: from the bytes that it sends to chunks in the
//! queue and replies in the outbox. It does no I/O, so it can be tested with
//! bytes alone.

mod charging;
mod pushing;
pub(super) mod command;

use std::sync::Arc;
use std::time::Duration;

use super::super::push_queue::Reservation;
use super::arguments::Arguments;
use super::client_state::{ClientAddress, ClientState, ReplyMode};
use super::clients::{ClientSlot, Eviction};
use super::outbox::Outbox;
use super::reply::RespReply;
use super::request::{Piece, RequestDecoder, RequestError, RequestEvent};
use super::service::Service;
use super::staged::Staged;
use super::transaction::{NextQueued, Transaction};
use crate::error_kind::ErrorKind;

use command::CommandOutcome;

/// Effort of one turn, in bytes of replies: then it is the others' turn.
const TURN: u64 = 16 * 1024;

/// The effort of any command besides that for its reply.
const COMMAND_EFFORT: u64 = 64;

/// How long a client waits for the answer to its first wrong password; for each
/// further one twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Wrong passwords that a client may give.
const MOST_GUESSES: u32 = 6;

/// One client's side of the conversation.
#[derive(Debug)]
pub struct Session {
    pub(super) service: Arc<Service>,
    pub(super) outbox: Outbox,
    pub(super) client: ClientState,
    pub(super) transaction: Option<Transaction>,
    executing: Option<Transaction>,
    pub(super) staged: Staged,
    decoder: RequestDecoder,
    request: PartialRequest,
    /// The push or transaction that waits for room.
    waiting: Option<PendingCommit>,
    slot: ClientSlot,
    /// Commands that were answered in this turn.
    answered: u64,
}

/// How the caller has to go on, and how many bytes were used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Read,
    /// Send replies first, and let others have their turn.
    Send,
    /// Do nothing for that long, nor send anything.
    Pause(Duration),
    /// Wait for room of that cost, then call [`Session::settle`].
    Wait(usize),
    Close,
}

#[derive(Debug, Default)]
struct PartialRequest {
    arguments: Arguments,
    mode: ArgumentMode,
}

#[derive(Debug, Default)]
enum ArgumentMode {
    #[default]
    Keep,
    /// A push: arguments are elements.
    Stage,
    /// Arguments are skipped; the reply is this.
    Skip(RespReply),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PendingCommit {
    Push,
    Transaction,
}

impl Session {
    /// The session of a client that has said nothing yet.
    pub fn new(service: Arc<Service>, slot: ClientSlot, address: ClientAddress) -> Self {
        let client = ClientState {
            id: slot.id(),
            address,
            is_known: service.login.is_none(),
            ..ClientState::default()
        };
        Self {
            service,
            outbox: Outbox::default(),
            client,
            transaction: None,
            executing: None,
            staged: Staged::default(),
            decoder: RequestDecoder::default(),
            request: PartialRequest::default(),
            waiting: None,
            slot,
            answered: 0,
        }
    }

    /// Takes bytes in; how many, and how to go on. Bytes that were not used up
    /// have to come again, with more after them where [`Next::Read`] is
    /// returned. What is pushed by them is in the queue on return.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Next) {
        let (used, next) = self.answer_all(bytes);
        self.hand_over();
        (used, next)
    }

    /// Replies that have not gone out.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Ends the wait for room: with room, or with the words of the refusal.
    pub fn settle(&mut self, outcome: Result<Reservation, &str>) {
        self.settle_in_turn(outcome);
        self.hand_over();
    }

    pub fn is_stranger(&self) -> bool {
        !self.client.is_known
    }

    /// Tells when this client has to make room for others.
    pub fn eviction(&self) -> Eviction {
        self.slot.eviction()
    }

    /// Its last replies, and what they are charged to.
    pub fn into_last_words(self) -> (Outbox, ClientSlot) {
        (self.outbox, self.slot)
    }

    /// Adds a reply, unless the client wants none.
    pub(super) fn reply(&mut self, reply: RespReply) {
        match self.client.replies {
            ReplyMode::On => self.outbox.add(reply, self.client.protocol),
            ReplyMode::Off | ReplyMode::Skip | ReplyMode::SkipNext => {}
        }
    }

    fn reply_pushed(&mut self, length: i64) {
        match self.client.replies {
            ReplyMode::On => self.outbox.add_pushed(length, self.client.protocol),
            ReplyMode::Off | ReplyMode::Skip | ReplyMode::SkipNext => {}
        }
    }

    fn answer_all(&mut self, bytes: &[u8]) -> (usize, Next) {
        let (mut used, before, answered) = (0, self.outbox.added(), self.answered);
        loop {
            let effort = (self.answered - answered) * COMMAND_EFFORT;
            if self.outbox.is_full() || self.outbox.added() - before + effort > TURN {
                return (used, Next::Send);
            }
            if self.answer_queued() {
                continue;
            }
            match self.decoder.next(&bytes[used..], !self.client.is_known) {
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

    fn take(&mut self, event: RequestEvent<'_>) -> Next {
        match event {
            RequestEvent::Begins(_) => Next::Read,
            RequestEvent::Piece(piece) => {
                self.take_piece(piece);
                Next::Read
            }
            RequestEvent::Ends => self.execute(),
            RequestEvent::Inline(words) => {
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
            ArgumentMode::Keep => {
                self.request.arguments.add(piece);
                if piece.last && self.request.arguments.len() == 2 {
                    self.request.mode = self.mode_of_push();
                }
            }
            ArgumentMode::Stage => {
                if !self.may_grow(self.staged.growth(piece.bytes.len())) {
                    return self.skip_push(RespReply::error(command::TOO_MUCH_UNFINISHED));
                }
                self.staged.add(piece, self.service.max_element_bytes);
                if self.service.queue.never_fits(self.staged.cost()) {
                    self.skip_push(RespReply::error(command::NEVER_FITS));
                }
            }
            ArgumentMode::Skip(_) => {}
        }
    }

    fn execute(&mut self) -> Next {
        self.answered += 1;
        self.client.replies = self.client.replies.next();
        let mut request = std::mem::take(&mut self.request);
        match request.mode {
            ArgumentMode::Stage => {
                let next = self.push(&request.arguments);
                // The next command is mostly a push too: nothing is allocated again.
                request.arguments.clear();
                self.request.arguments = request.arguments;
                next
            }
            ArgumentMode::Skip(refusal) => {
                self.refuse(refusal);
                Next::Read
            }
            ArgumentMode::Keep => self.command(request.arguments),
        }
    }

    /// A reply that says that a command can't be; it spoils a transaction.
    fn refuse(&mut self, refusal: RespReply) {
        if let Some(transaction) = &mut self.transaction {
            transaction.is_spoilt = true;
        }
        self.reply(refusal);
    }

    fn command(&mut self, words: Arguments) -> Next {
        let refused_logins = self.client.refused_logins;
        let next = match command::answer(self, words) {
            CommandOutcome::Close(reply) => {
                self.reply(reply);
                return Next::Close;
            }
            CommandOutcome::Execute => return self.execute_transaction(),
            answer @ (CommandOutcome::Reply(_)
            | CommandOutcome::Packed(_)
            | CommandOutcome::Nothing) => {
                self.tell(answer);
                Next::Read
            }
            CommandOutcome::Refusal(reply) => {
                self.refuse(reply);
                Next::Read
            }
        };
        if self.client.refused_logins > refused_logins { self.slow_down() } else { next }
    }

    /// Tells the answer to a command, in a transaction too.
    fn tell(&mut self, answer: CommandOutcome) {
        match answer {
            CommandOutcome::Reply(reply)
            | CommandOutcome::Refusal(reply)
            | CommandOutcome::Close(reply) => {
                self.reply(reply);
            }
            CommandOutcome::Packed(packed) => match self.client.replies {
                ReplyMode::On => self.outbox.add_packed(packed),
                ReplyMode::Off | ReplyMode::Skip | ReplyMode::SkipNext => {}
            },
            CommandOutcome::Nothing | CommandOutcome::Execute => {}
        }
    }

    /// Who guesses passwords waits, longer each time, and has to go at last.
    fn slow_down(&mut self) -> Next {
        self.service.complaints.wrong_password(self.client.address);
        match self.client.refused_logins {
            MOST_GUESSES.. => Next::Close,
            guesses => Next::Pause(FIRST_PAUSE * 2_u32.pow(guesses.saturating_sub(1))),
        }
    }

    /// Answers the next command of a transaction that is executed, if there is
    /// one.
    fn answer_queued(&mut self) -> bool {
        let Some(due) = self.executing.as_mut().and_then(Transaction::next) else {
            self.executing = None;
            return false;
        };
        match due {
            NextQueued::Pushed(length) => self.reply_pushed(length),
            NextQueued::Other(words) => {
                let answer = command::answer_in_transaction(self, &words);
                self.tell(answer);
            }
        }
        self.answered += 1;
        true
    }

    fn break_off(&mut self, cause: RequestError) {
        self.service.count(ErrorKind::Protocol);
        self.service.complaints.broke_protocol(self.client.address, cause);
        self.reply(RespReply::error(format!("ERR Protocol error: {cause}")));
    }

    /// What is committed goes into the queue.
    fn hand_over(&mut self) {
        if let Some(chunk) = self.staged.leave() {
            self.service.queue.push(chunk);
        }
    }
}
