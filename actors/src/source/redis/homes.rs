//! A home as a router sees it: two scripts, `enter` and `deliver`, over a connection to
//! the node that has the home's queue. What they compare and write stands at the top of
//! `homes/enter.lua` and `homes/deliver.lua`.
//!
//! Beside the home's queue, in its cluster slot, lies the hash of its *sources*: under
//! `<partition>:<lane>` it says `<epoch> <token> <place>`, who may add deltas of that
//! lane, and up to which place of the partition's stream the queue has them.

use std::rc::Rc;

use psg_engine::partition::{Chunk, Lane};
use redis::{Cmd, RedisError, cmd};

use super::command_connection::CommandConnection;
use super::connect::Connector;
use super::error::{crate_failed, error, reply_words};
use super::once::Line;
use crate::cluster_key::key_beside;
use crate::error_kind::ErrorKind;
use crate::settings::RedisTarget;
use crate::source::SourceError;

const ENTER: &str = concat!("#!lua flags=allow-oom\n", include_str!("homes/enter.lua"));
const DELIVER: &str = concat!("#!lua\n", include_str!("homes/deliver.lua"));

/// A place in the stream of a partition: so many elements were ever claimed before it.
pub type Place = u64;
/// No place and no epoch is as high: beyond it a script's numbers are not exact.
const BEYOND: u64 = 1 << 52;

/// Asks to be told the places of all lanes that a partition has at a home, and to be
/// the only one who moves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterRequest {
    /// The number of the partition.
    pub partition: usize,
    /// The epoch and the token of its owner.
    pub epoch: u64,
    #[expect(missing_docs, reason = "said above")]
    pub token: String,
    /// Up to where the partition's stream is what it was under an earlier epoch.
    pub line: Line,
    /// One for each lane of the home.
    pub lanes: Vec<LaneBounds>,
}

/// Between what a lane's place has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneBounds {
    /// The lowest place that can still be sent from.
    pub least: Place,
    /// The place that is known here, for a home that has none.
    pub known: Option<Place>,
}

/// What a home says to being entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnterAnswer {
    /// The places, one for each lane.
    Entered(Vec<EnteredLane>),
    /// Somebody has entered it under this epoch, which is higher, or the same.
    Newer(u64),
}

/// The place of a lane as it was, if there was one, and as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "said above")]
pub struct EnteredLane {
    pub was: Option<Place>,
    pub is: Place,
}

/// Asks to put a chunk on a home's queue, where the lane's place is what it is taken to
/// be.
#[derive(Debug, Clone)]
pub struct DeliverRequest {
    /// The number of the partition.
    pub partition: usize,
    /// To which lane of which home.
    pub lane: Lane,
    /// The epoch and the token under which the home was entered.
    pub epoch: u64,
    #[expect(missing_docs, reason = "said above")]
    pub token: String,
    /// Where the lane is.
    pub from: Place,
    /// Where it will be.
    pub to: Place,
    /// What is between these.
    pub chunk: Rc<Chunk>,
}

/// What a home says to a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliverAnswer {
    /// It is on the queue.
    Done,
    /// Nothing was done: the lane's field says this.
    Other(String),
}

/// One home, reached over a connection of its own, so that a node which does not answer
/// holds up nobody else.
pub struct Home {
    queue: String,
    sources: String,
    connector: Connector,
    connection: Option<CommandConnection>,
}

impl DeliverRequest {
    /// What the lane's field says once it is done.
    pub fn then(&self) -> String {
        self.field_at(self.to)
    }

    fn field_at(&self, place: Place) -> String {
        format!("{} {} {place}", self.epoch, self.token)
    }

    fn field(&self) -> String {
        format!("{}:{}", self.partition, self.lane.within_home())
    }
}

impl Home {
    /// The home with that queue. Opens nothing yet.
    pub fn new(target: RedisTarget, queue: String) -> Self {
        Self {
            sources: key_beside(&queue, "sources"),
            connector: Connector::new(target, &queue),
            queue,
            connection: None,
        }
    }

    /// The key of its queue.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// Enters it.
    pub async fn enter(&mut self, request: &EnterRequest) -> Result<EnterAnswer, SourceError> {
        let EnterRequest { partition, epoch, token, line, lanes } = request;
        let mut call = cmd("EVAL");
        call.arg(ENTER).arg(1).arg(&self.sources).arg(partition).arg(epoch).arg(token);
        call.arg(line.epoch).arg(line.place);
        for LaneBounds { least, known } in lanes {
            call.arg(least).arg(known.map(|place| place.to_string()).unwrap_or_default());
        }
        let words = self.ask("enter", &call).await?;
        entered(&words, lanes.len()).ok_or_else(|| odd_answer("enter"))
    }

    /// Delivers a chunk to it.
    pub async fn deliver(
        &mut self,
        request: &DeliverRequest,
    ) -> Result<DeliverAnswer, SourceError> {
        let mut call = cmd("EVAL");
        call.arg(DELIVER).arg(2).arg(&self.sources).arg(&self.queue).arg(request.field());
        call.arg(request.field_at(request.from)).arg(request.then());
        call.arg(&request.chunk.frames);
        let words = self.ask("deliver", &call).await?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["ok"] => Ok(DeliverAnswer::Done),
            ["other", seen] => Ok(DeliverAnswer::Other(seen.to_owned())),
            _ => Err(odd_answer("deliver")),
        }
    }

    /// Asks over the connection, which is made where there is none, and left where no
    /// answer comes. Each wait is bounded: that for a connection by
    /// `Redis.ConnectTimeout`, that for an answer by [`CommandConnection`].
    async fn ask(&mut self, name: &str, call: &Cmd) -> Result<Vec<String>, SourceError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => CommandConnection::open(&self.connector).await?,
        };
        match connection.ask::<Vec<Vec<u8>>>(call).await {
            Ok(words) => {
                self.connection = Some(connection);
                let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
                Ok(words.iter().map(text).collect())
            }
            Err(cause) => {
                let is_elsewhere = self.note_refusal(&connection, &cause);
                if reply_words(&cause).is_some() && !is_elsewhere {
                    self.connection = Some(connection);
                }
                Err(crate_failed(name, &cause))
            }
        }
    }

    /// In a cluster another node may have it: the next connection goes where the
    /// refusal points. Whether it is about that.
    fn note_refusal(&self, connection: &CommandConnection, cause: &RedisError) -> bool {
        reply_words(cause)
            .is_some_and(|words| self.connector.note_refusal(&connection.endpoint, &words))
    }
}

/// The answer of `enter` for so many lanes; `None` where it makes no sense.
fn entered(words: &[String], lanes: usize) -> Option<EnterAnswer> {
    let number = |word: &String| word.parse().ok().filter(|number| *number < BEYOND);
    match words.split_first()? {
        (word, [epoch]) if word == "newer" => Some(EnterAnswer::Newer(number(epoch)?)),
        (word, places) if word == "ok" && places.len() == 2 * lanes => {
            let lane = |pair: &[String]| {
                let was = if pair[0].is_empty() { None } else { Some(number(&pair[0])?) };
                Some(EnteredLane { was, is: number(&pair[1])? })
            };
            let lanes: Option<_> = places.chunks_exact(2).map(lane).collect();
            Some(EnterAnswer::Entered(lanes?))
        }
        _ => None,
    }
}

/// A script's answer that makes no sense.
fn odd_answer(name: &str) -> SourceError {
    error(ErrorKind::Protocol, format!("{name} answered something unexpected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn answers_of_enter_are_judged() {
        let check = |text: &str, expected: Option<EnterAnswer>| {
            assert_eq!(entered(&words(text), 2), expected, "{text}");
        };
        let lane = |was, is| EnteredLane { was, is };
        let both = vec![lane(None, 7), lane(Some(9), 8)];
        check("ok,,7,9,8", Some(EnterAnswer::Entered(both)));
        check("newer,12", Some(EnterAnswer::Newer(12)));
        for odd in ["ok", "ok,1,2", "ok,1,2,3", "ok,1,2,3,x", "ok,1,2,3,", "ok,,-1,,1", "newer"] {
            check(odd, None);
        }
        // What somebody else has written there is no number that we would go on from.
        check("newer,9007199254740993", None);
        check("ok,,9007199254740993,,1", None);
        check("newer,inf", None);
        check("other,1", None);
    }

    #[test]
    fn only_what_frees_or_keeps_room_runs_at_maxmemory() {
        assert!(ENTER.starts_with("#!lua flags=allow-oom\n"));
        assert!(DELIVER.starts_with("#!lua\n"));
    }
}
