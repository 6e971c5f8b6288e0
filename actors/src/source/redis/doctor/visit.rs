//! The visit: a connection to the server that has the queue, found in the
//! gateway's own way.

use redis::{Cmd, FromRedisValue, RedisError, cmd};

use super::super::super::SourceError;
use super::super::command_connection::CommandConnection;
use super::super::connect::Connector;
use super::super::error::{crate_failed, is_unknown_command, kind_of_reply, reply_words};
use super::diagnosis::Diagnosis;
use crate::error_kind::ErrorKind;
use crate::settings::QueueSettings;

/// Bytes of an answer: an element of the queue, or a thousand keys of SCAN.
const LARGEST_ANSWER: usize = 64 << 20;

/// Nodes of a cluster that may point at each other before it is given up.
const MOVES: usize = 5;

/// A connection, and what is asked about.
pub struct Visit<'a> {
    /// What is in force.
    pub settings: &'a QueueSettings,
    /// To the server that has the queue.
    pub link: CommandConnection,
}

impl<'a> Visit<'a> {
    /// Connects to the primary, and in a cluster to the node with the queue.
    pub async fn open(settings: &'a QueueSettings) -> Result<Self, SourceError> {
        let connector = Connector::new(settings.redis.clone(), &settings.key)
            .following_ask(settings.once.is_none());
        let mut moved = None;
        for _ in 0..MOVES {
            let link = CommandConnection::open_for(&connector, LARGEST_ANSWER).await?;
            let mut visit = Self { settings, link };
            let length = visit.ask::<i64>(cmd("LLEN").arg(&settings.key)).await;
            let Some(cause) = length.err() else { return Ok(visit) };
            let words = reply_words(&cause).unwrap_or_default();
            if !connector.note_refusal(&visit.link.endpoint, &words) {
                return Ok(visit);
            }
            moved = Some(crate_failed("LLEN", &cause));
        }
        Err(moved.unwrap_or_else(|| unreachable!("each round but the last has failed")))
    }

    pub async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, RedisError> {
        self.link.ask(command).await
    }
}

/// What a question comes to that was not answered: without the right to ask it
/// stays open, anything else is trouble.
pub fn unanswered(topic: &'static str, question: &str, cause: &RedisError) -> Diagnosis {
    if is_denied(cause) {
        let command = question.to_ascii_lowercase();
        let text = if is_unknown(cause) {
            format!("not looked at: this server does not know {command}")
        } else {
            format!("not looked at: this user has no right to {command}")
        };
        return Diagnosis::skipped(topic, text);
    }
    let cause = crate_failed(question, cause);
    Diagnosis::fail(topic, cause.to_string(), "see what the server says")
}

/// Whether the server does not know the command.
pub fn is_unknown(cause: &RedisError) -> bool {
    reply_words(cause).is_some_and(|words| is_unknown_command(&words))
}

/// Whether the user may not do that, or nobody may.
pub fn is_denied(cause: &RedisError) -> bool {
    reply_words(cause).is_some_and(|words| kind_of_reply(&words) == ErrorKind::Permission)
}
