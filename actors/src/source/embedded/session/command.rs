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

use super::super::arguments::Arguments;
use super::super::client_state::ClientState;
use super::super::reply::{Protocol, RespReply};
use super::super::service::{ServedQueue, Service};
use super::super::transaction::{Push, Transaction};
use super::Session;

pub use table::{COMMANDS, CommandEntry, find};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RespCommand {
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

#[derive(Debug, PartialEq)]
pub enum CommandOutcome {
    Reply(RespReply),
    Packed(Bytes),
    /// With that; the command can't be, which spoils a transaction.
    Refusal(RespReply),
    Nothing,
    Close(RespReply),
    Execute,
}

/// Answers a command that is no push to the queue, or queues it.
pub fn answer(session: &mut Session, arguments: Arguments) -> CommandOutcome {
    let Some(entry) = find_entry(arguments.name()) else {
        let refusal = if session.client.is_known { unknown(&arguments) } else { no_auth() };
        return CommandOutcome::Refusal(refusal);
    };
    if let Some(refusal) = refusal(entry, session, &arguments) {
        return CommandOutcome::Refusal(refusal);
    }
    if session.transaction.is_some() {
        match in_transaction(entry.command) {
            InTransaction::Queued => return queue(session, &arguments),
            InTransaction::Refused => {
                return CommandOutcome::Refusal(RespReply::error(
                    "ERR Command not allowed inside a transaction",
                ));
            }
            InTransaction::AtOnce => {}
        }
    }
    run(entry.command, session, &arguments)
}

/// Queues a command for the end of the current transaction.
fn queue(session: &mut Session, arguments: &Arguments) -> CommandOutcome {
    let Some(transaction) = &mut session.transaction else { return CommandOutcome::Nothing };
    // What can't be executed any more need not be kept.
    if !transaction.is_spoilt {
        let growth = transaction.growth(arguments);
        if !session.may_grow(growth) {
            return CommandOutcome::Refusal(RespReply::error(TOO_MUCH_UNFINISHED));
        }
        session.transaction.iter_mut().for_each(|transaction| transaction.queue(arguments));
    }
    CommandOutcome::Reply(RespReply::Simple("QUEUED"))
}

/// Answers a command of a transaction that is being executed.
pub fn answer_in_transaction(session: &mut Session, arguments: &Arguments) -> CommandOutcome {
    let Some(command) = find(arguments.name()) else {
        return CommandOutcome::Reply(unknown(arguments));
    };
    match run(command, session, arguments) {
        CommandOutcome::Nothing | CommandOutcome::Execute => CommandOutcome::Reply(RespReply::OK),
        answer @ (CommandOutcome::Reply(_)
        | CommandOutcome::Packed(_)
        | CommandOutcome::Refusal(_)
        | CommandOutcome::Close(_)) => answer,
    }
}

/// Why a command can't be answered at all, if so.
fn refusal(entry: &CommandEntry, session: &Session, arguments: &Arguments) -> Option<RespReply> {
    if !session.client.is_known && !entry.flags.contains(&"no_auth") {
        return Some(no_auth());
    }
    if arguments.is_cut() {
        return Some(RespReply::error(format!(
            "ERR too many bytes of arguments for '{}' command",
            entry.name
        )));
    }
    let length = arguments.len() as i64;
    if length != entry.arity && (entry.arity > 0 || length < -entry.arity) {
        return Some(wrong_number(arguments.name()));
    }
    if session.client.is_subscriber_only() && !is_for_subscribers(entry.command) {
        return Some(not_while_subscribed(arguments.name()));
    }
    None
}

enum InTransaction {
    Queued,
    Refused,
    AtOnce,
}

fn in_transaction(command: RespCommand) -> InTransaction {
    match command {
        RespCommand::Push(_)
        | RespCommand::Llen
        | RespCommand::Del
        | RespCommand::Exists
        | RespCommand::Type
        | RespCommand::Get
        | RespCommand::Ping
        | RespCommand::Echo
        | RespCommand::Select
        | RespCommand::About
        | RespCommand::Config
        | RespCommand::Info
        | RespCommand::Role
        | RespCommand::Unwatch
        | RespCommand::Cluster => InTransaction::Queued,
        RespCommand::Hello
        | RespCommand::Auth
        | RespCommand::Client
        | RespCommand::Subscribe
        | RespCommand::Unsubscribe
        | RespCommand::Psubscribe
        | RespCommand::Punsubscribe => InTransaction::Refused,
        RespCommand::Multi
        | RespCommand::Exec
        | RespCommand::Discard
        | RespCommand::Quit
        | RespCommand::Reset => InTransaction::AtOnce,
    }
}

fn is_for_subscribers(command: RespCommand) -> bool {
    matches!(
        command,
        RespCommand::Subscribe
            | RespCommand::Unsubscribe
            | RespCommand::Psubscribe
            | RespCommand::Punsubscribe
            | RespCommand::Ping
            | RespCommand::Quit
            | RespCommand::Reset
    )
}

fn run(command: RespCommand, session: &mut Session, arguments: &Arguments) -> CommandOutcome {
    CommandOutcome::Reply(match command {
        RespCommand::Push(_) => wrong_number(arguments.name()),
        RespCommand::Llen => keys::llen(session, arguments),
        RespCommand::Del => keys::del(session, arguments),
        RespCommand::Exists => keys::exists(session, arguments),
        RespCommand::Type => keys::type_of(session, arguments),
        RespCommand::Get => keys::get(session, arguments),
        RespCommand::Ping => ping(&session.client, arguments),
        RespCommand::Echo => RespReply::bulk(arguments.argument(1)),
        RespCommand::Hello => login::hello(session, arguments),
        RespCommand::Auth => login::auth(session, arguments),
        RespCommand::Select => select(session, arguments),
        RespCommand::Client => return client::answer(session, arguments),
        RespCommand::About => return about::command(session.client.protocol, arguments),
        RespCommand::Config => about::config(&session.service, arguments),
        RespCommand::Info => about::info(&session.service, arguments),
        RespCommand::Role => about::role(),
        RespCommand::Multi => multi(session),
        RespCommand::Exec if session.transaction.is_some() => return CommandOutcome::Execute,
        RespCommand::Exec => RespReply::error("ERR EXEC without MULTI"),
        RespCommand::Discard => discard(session),
        RespCommand::Unwatch => RespReply::OK,
        RespCommand::Subscribe => {
            channels::subscribe(session, arguments, channels::SubscriptionKind::Channel)
        }
        RespCommand::Unsubscribe => {
            channels::unsubscribe(session, arguments, channels::SubscriptionKind::Channel)
        }
        RespCommand::Psubscribe => {
            channels::subscribe(session, arguments, channels::SubscriptionKind::Pattern)
        }
        RespCommand::Punsubscribe => {
            channels::unsubscribe(session, arguments, channels::SubscriptionKind::Pattern)
        }
        RespCommand::Cluster => RespReply::error("ERR This instance has cluster support disabled"),
        RespCommand::Quit => return CommandOutcome::Close(RespReply::OK),
        RespCommand::Reset => reset(session),
    })
}

fn ping(client: &ClientState, arguments: &Arguments) -> RespReply {
    match arguments.len() {
        1 | 2 if client.is_subscriber_only() => {
            RespReply::Array(vec![RespReply::bulk("pong"), RespReply::bulk(arguments.argument(1))])
        }
        1 => RespReply::Simple("PONG"),
        2 => RespReply::bulk(arguments.argument(1)),
        _ => wrong_number(arguments.name()),
    }
}

fn select(session: &mut Session, arguments: &Arguments) -> RespReply {
    let Some(number) = integer(arguments.argument(1)) else {
        return RespReply::error("ERR value is not an integer or out of range");
    };
    if !(0..session.service.databases()).contains(&number) {
        return RespReply::error("ERR DB index is out of range");
    }
    session.client.database = number;
    RespReply::OK
}

fn multi(session: &mut Session) -> RespReply {
    if session.transaction.is_some() {
        return RespReply::error("ERR MULTI calls can not be nested");
    }
    session.transaction = Some(Transaction::default());
    RespReply::OK
}

fn discard(session: &mut Session) -> RespReply {
    if session.transaction.take().is_none() {
        return RespReply::error("ERR DISCARD without MULTI");
    }
    session.staged.undo_all();
    RespReply::OK
}

fn reset(session: &mut Session) -> RespReply {
    session.transaction = None;
    session.staged.undo_all();
    session.client = ClientState {
        id: session.client.id,
        address: session.client.address,
        refused_logins: session.client.refused_logins,
        is_known: session.service.login.is_none(),
        ..ClientState::default()
    };
    RespReply::Simple("RESET")
}

fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

pub fn wrong_number(name: &[u8]) -> RespReply {
    let name = shown(name).to_ascii_lowercase();
    RespReply::error(format!("ERR wrong number of arguments for '{name}' command"))
}

/// A refusal since the client has not logged in.
pub fn no_auth() -> RespReply {
    RespReply::error("NOAUTH Authentication required.")
}

/// A refusal since only our queue is here.
pub fn other_key(service: &Service, key: &[u8], database: i64) -> RespReply {
    let ServedQueue { key: queue, database: its_database, .. } = &service.served;
    let (queue, key) = (shown(queue.as_bytes()), shown(key));
    RespReply::error(format!(
        "ERR the gateway's embedded queue takes elements under the key '{queue}' of database \
         {its_database} only, not under '{key}' of database {database}"
    ))
}

/// A refusal since a subscriber may not say that in RESP2.
pub fn not_while_subscribed(name: &[u8]) -> RespReply {
    let name = shown(name).to_ascii_lowercase();
    RespReply::error(format!(
        "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
         are allowed in this context"
    ))
}

fn unknown(arguments: &Arguments) -> RespReply {
    let mut beginning = String::new();
    for argument in arguments.from(1) {
        if beginning.len() > 128 {
            break;
        }
        beginning.push_str(&format!("'{}' ", shown(argument)));
    }
    let name = shown(arguments.name());
    RespReply::error(format!("ERR unknown command '{name}', with args beginning with: {beginning}"))
}

fn unknown_subcommand(arguments: &Arguments) -> RespReply {
    let (name, sub) = (shown(arguments.name()).to_ascii_uppercase(), shown(arguments.argument(1)));
    RespReply::error(format!("ERR unknown subcommand '{sub}'. Try {name} HELP."))
}

/// What a peer sent, cut to a readable length.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(128)]).into_owned()
}

/// Whether the client's version tells a value from another one by name.
fn is_resp3(session: &Session) -> bool {
    session.client.protocol == Protocol::Resp3
}
