//! Commands: the closed list of those that are answered, and what each needs.
//!
//! They are what producers and their libraries send to a Redis that has nothing
//! but our queue in it. The words of refusals are those of Redis 7.0, since
//! libraries look at them.

mod about;
mod channels;
mod client;
mod keys;
mod login;
mod table;

use bytes::Bytes;

use super::profile::Profile;
use super::reply::{Protocol, Reply};
use super::service::Service;
use super::session::Session;
use super::transaction::Transaction;
use super::words::Words;

pub use table::{COMMANDS, Entry, find};

use table::find_entry;

/// A push that is larger than the queue.
pub const NEVER_FITS: &str =
    "OOM command not allowed: the push is larger than the queue (Embedded.MaxQueueBytes)";

/// A push that found no room in time.
pub const NO_ROOM: &str =
    "OOM command not allowed: the queue is full (Embedded.MaxQueueBytes), try again later";

/// A request that is not complete and too large to wait for the rest of it.
pub const TOO_MUCH_UNFINISHED: &str = "OOM command not allowed: requests and replies of all clients take up too much memory \
     (Embedded.MaxClientBytes), try again later";

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Pushes elements.
    Push(Push),
    Llen,
    Del,
    Exists,
    Type,
    Get,
    Ping,
    Echo,
    Hello,
    Auth,
    Select,
    Client,
    About,
    Config,
    Info,
    Role,
    Multi,
    Exec,
    Discard,
    Unwatch,
    Subscribe,
    Unsubscribe,
    Psubscribe,
    Punsubscribe,
    Cluster,
    Quit,
    Reset,
}

/// Both ends are one here: elements are taken in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    /// Whether it takes nothing where the queue is empty.
    pub only_if_exists: bool,
}

/// How a command is answered.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// With that.
    Reply(Reply),
    /// With these bytes.
    Packed(Bytes),
    /// With that; the command can't be, which spoils a transaction.
    Refusal(Reply),
    /// Not at all.
    Nothing,
    /// With that, and then the connection is closed.
    Close(Reply),
    /// By executing the transaction.
    Execute,
}

/// Answers a command that is no push to the queue, or queues it.
pub fn answer(session: &mut Session, words: Words) -> Answer {
    let Some(entry) = find_entry(words.name()) else {
        let refusal = if session.profile.is_known { unknown(&words) } else { no_auth() };
        return Answer::Refusal(refusal);
    };
    if let Some(refusal) = refusal(entry, session, &words) {
        return Answer::Refusal(refusal);
    }
    if session.transaction.is_some() {
        match in_transaction(entry.command) {
            InTransaction::Queued => return queue(session, &words),
            InTransaction::Refused => {
                return Answer::Refusal(Reply::error(
                    "ERR Command not allowed inside a transaction",
                ));
            }
            InTransaction::AtOnce => {}
        }
    }
    run(entry.command, session, &words)
}

/// Queues a command for the end of the transaction in hand.
fn queue(session: &mut Session, words: &Words) -> Answer {
    let Some(transaction) = &mut session.transaction else { return Answer::Nothing };
    // What can't be executed any more need not be kept.
    if !transaction.is_spoilt {
        let growth = transaction.growth(words);
        if !session.may_grow(growth) {
            return Answer::Refusal(Reply::error(TOO_MUCH_UNFINISHED));
        }
        session.transaction.iter_mut().for_each(|transaction| transaction.queue(words));
    }
    Answer::Reply(Reply::Simple("QUEUED"))
}

/// Answers a command of a transaction that is being executed.
pub fn answer_in_transaction(session: &mut Session, words: &Words) -> Answer {
    let Some(command) = find(words.name()) else { return Answer::Reply(unknown(words)) };
    match run(command, session, words) {
        Answer::Nothing | Answer::Execute => Answer::Reply(Reply::OK),
        answer @ (Answer::Reply(_) | Answer::Packed(_) | Answer::Refusal(_) | Answer::Close(_)) => {
            answer
        }
    }
}

/// Why a command can't be answered at all, if so.
fn refusal(entry: &Entry, session: &Session, words: &Words) -> Option<Reply> {
    if !session.profile.is_known && !entry.flags.contains(&"no_auth") {
        return Some(no_auth());
    }
    if words.is_cut() {
        return Some(Reply::error(format!(
            "ERR too many bytes of arguments for '{}' command",
            entry.name
        )));
    }
    let length = words.len() as i64;
    if length != entry.arity && (entry.arity > 0 || length < -entry.arity) {
        return Some(wrong_number(words.name()));
    }
    if session.profile.is_subscriber_only() && !is_for_subscribers(entry.command) {
        return Some(not_while_subscribed(words.name()));
    }
    None
}

enum InTransaction {
    Queued,
    Refused,
    AtOnce,
}

fn in_transaction(command: Command) -> InTransaction {
    match command {
        Command::Push(_)
        | Command::Llen
        | Command::Del
        | Command::Exists
        | Command::Type
        | Command::Get
        | Command::Ping
        | Command::Echo
        | Command::Select
        | Command::About
        | Command::Config
        | Command::Info
        | Command::Role
        | Command::Unwatch
        | Command::Cluster => InTransaction::Queued,
        Command::Hello
        | Command::Auth
        | Command::Client
        | Command::Subscribe
        | Command::Unsubscribe
        | Command::Psubscribe
        | Command::Punsubscribe => InTransaction::Refused,
        Command::Multi | Command::Exec | Command::Discard | Command::Quit | Command::Reset => {
            InTransaction::AtOnce
        }
    }
}

fn is_for_subscribers(command: Command) -> bool {
    matches!(
        command,
        Command::Subscribe
            | Command::Unsubscribe
            | Command::Psubscribe
            | Command::Punsubscribe
            | Command::Ping
            | Command::Quit
            | Command::Reset
    )
}

fn run(command: Command, session: &mut Session, words: &Words) -> Answer {
    Answer::Reply(match command {
        Command::Push(_) => wrong_number(words.name()),
        Command::Llen => keys::llen(session, words),
        Command::Del => keys::del(session, words),
        Command::Exists => keys::exists(session, words),
        Command::Type => keys::type_of(session, words),
        Command::Get => keys::get(session, words),
        Command::Ping => ping(&session.profile, words),
        Command::Echo => Reply::bulk(words.argument(1)),
        Command::Hello => login::hello(session, words),
        Command::Auth => login::auth(session, words),
        Command::Select => select(session, words),
        Command::Client => return client::answer(session, words),
        Command::About => return about::command(session.profile.protocol, words),
        Command::Config => about::config(&session.service, words),
        Command::Info => about::info(&session.service, words),
        Command::Role => about::role(),
        Command::Multi => multi(session),
        Command::Exec if session.transaction.is_some() => return Answer::Execute,
        Command::Exec => Reply::error("ERR EXEC without MULTI"),
        Command::Discard => discard(session),
        Command::Unwatch => Reply::OK,
        Command::Subscribe => channels::subscribe(session, words, channels::Sort::Channel),
        Command::Unsubscribe => channels::unsubscribe(session, words, channels::Sort::Channel),
        Command::Psubscribe => channels::subscribe(session, words, channels::Sort::Pattern),
        Command::Punsubscribe => channels::unsubscribe(session, words, channels::Sort::Pattern),
        Command::Cluster => Reply::error("ERR This instance has cluster support disabled"),
        Command::Quit => return Answer::Close(Reply::OK),
        Command::Reset => reset(session),
    })
}

fn ping(profile: &Profile, words: &Words) -> Reply {
    match words.len() {
        1 | 2 if profile.is_subscriber_only() => {
            Reply::Array(vec![Reply::bulk("pong"), Reply::bulk(words.argument(1))])
        }
        1 => Reply::Simple("PONG"),
        2 => Reply::bulk(words.argument(1)),
        _ => wrong_number(words.name()),
    }
}

fn select(session: &mut Session, words: &Words) -> Reply {
    let Some(number) = integer(words.argument(1)) else {
        return Reply::error("ERR value is not an integer or out of range");
    };
    if !(0..session.service.databases()).contains(&number) {
        return Reply::error("ERR DB index is out of range");
    }
    session.profile.database = number;
    Reply::OK
}

fn multi(session: &mut Session) -> Reply {
    if session.transaction.is_some() {
        return Reply::error("ERR MULTI calls can not be nested");
    }
    session.transaction = Some(Transaction::default());
    Reply::OK
}

fn discard(session: &mut Session) -> Reply {
    if session.transaction.take().is_none() {
        return Reply::error("ERR DISCARD without MULTI");
    }
    session.staged.undo_all();
    Reply::OK
}

fn reset(session: &mut Session) -> Reply {
    session.transaction = None;
    session.staged.undo_all();
    session.profile = Profile {
        id: session.profile.id,
        peer: session.profile.peer,
        refused_logins: session.profile.refused_logins,
        is_known: session.service.login.is_none(),
        ..Profile::default()
    };
    Reply::Simple("RESET")
}

/// A whole number in decimal.
fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A refusal by the number of arguments.
pub fn wrong_number(name: &[u8]) -> Reply {
    let name = shown(name).to_ascii_lowercase();
    Reply::error(format!("ERR wrong number of arguments for '{name}' command"))
}

/// A refusal since the client has not logged in.
pub fn no_auth() -> Reply {
    Reply::error("NOAUTH Authentication required.")
}

/// A refusal since only our queue is here.
pub fn other_key(service: &Service, key: &[u8], database: i64) -> Reply {
    let (queue, its_database) = (shown(&service.key), service.database);
    let key = shown(key);
    Reply::error(format!(
        "ERR the gateway's embedded queue takes elements under the key '{queue}' of database \
         {its_database} only, not under '{key}' of database {database}"
    ))
}

/// A refusal since a subscriber may not say that in RESP2.
pub fn not_while_subscribed(name: &[u8]) -> Reply {
    let name = shown(name).to_ascii_lowercase();
    Reply::error(format!(
        "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
         are allowed in this context"
    ))
}

fn unknown(words: &Words) -> Reply {
    let mut arguments = String::new();
    for argument in words.from(1) {
        if arguments.len() > 128 {
            break;
        }
        arguments.push_str(&format!("'{}' ", shown(argument)));
    }
    let name = shown(words.name());
    Reply::error(format!("ERR unknown command '{name}', with args beginning with: {arguments}"))
}

fn unknown_subcommand(words: &Words) -> Reply {
    let (name, sub) = (shown(words.name()).to_ascii_uppercase(), shown(words.argument(1)));
    Reply::error(format!("ERR unknown subcommand '{sub}'. Try {name} HELP."))
}

/// A peer's words, cut to a readable length.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(128)]).into_owned()
}

/// Whether the client's version tells a value from another one by name.
fn is_resp3(session: &Session) -> bool {
    session.profile.protocol == Protocol::Resp3
}
