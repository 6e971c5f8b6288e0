//! The writer of dead letters: from the queue of letters to the list in Redis,
//! of which it keeps the newest within a length and a number of bytes.
//!
//! Redis does not say how many bytes a list holds, so a hash beside it keeps
//! its length and its bytes, for all gateways that write to it and over their
//! restarts. One script pushes, pops what is too much, and keeps the account.
//! Where the list's length is not the noted one, somebody else has changed it:
//! then it is measured again, in slices.

use redis::{RedisError, cmd};
use tokio::time::{Instant, sleep};

use super::super::SourceError;
use super::command_connection::CommandConnection;
use super::connect::Connector;
use super::error::{crate_failed, reply_words};
use crate::backoff::Backoff;
use crate::cluster_key::key_beside;
use crate::dead_letters::{ACCOUNT, DeadLetterQueue};
use crate::error_kind::ErrorKind;
use crate::settings::{DeadLetterSettings, RedisTarget};

/// KEYS: list, account. ARGV: most letters, most bytes, a length and the bytes
/// that were measured at it (-1: none were; -2: take them for the present
/// ones), letters. Answers 0 where the list has to be measured first, else 1.
/// What is far too much is popped over several calls.
const PUSH: &str = "
local list, account = KEYS[1], KEYS[2]
local most, most_bytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local measured, bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local length = redis.call('LLEN', list)
if length == 0 then
  bytes = 0
elseif measured ~= -2 and measured ~= length then
  local noted = redis.call('HMGET', account, 'length', 'bytes')
  if tonumber(noted[1]) ~= length then return 0 end
  bytes = tonumber(noted[2])
end
for i = 5, #ARGV do
  redis.call('LPUSH', list, ARGV[i])
  bytes = bytes + #ARGV[i]
end
length = length + #ARGV - 4
local left = #ARGV + 1000
while left > 0 and length > 0 and (length > most or bytes > most_bytes) do
  bytes = bytes - #redis.call('RPOP', list)
  length = length - 1
  left = left - 1
end
redis.call('HSET', account, 'length', length, 'bytes', bytes)
return 1
";

/// KEYS: list. ARGV: first and last letter. Answers how many there are in this
/// range, and their bytes.
const MEASURE: &str = "
local letters = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])
local bytes = 0
for _, letter in ipairs(letters) do bytes = bytes + #letter end
return {#letters, bytes}
";

/// Letters that are measured at once.
const SLICE: i64 = 64;
/// Measurements that are tried while others keep changing the list.
const MEASUREMENTS: usize = 3;
/// After each batch the writer stays away for this many times what it took, so
/// that Redis has most of its time for others.
const PAUSES: u32 = 3;

pub fn account_of(letters: &str) -> String {
    key_beside(letters, ACCOUNT)
}

/// Writes dead letters; one for the pipeline.
pub struct DeadLetterWriter {
    letters: DeadLetterQueue,
    settings: DeadLetterSettings,
    account: String,
    connector: Connector,
    link: Option<CommandConnection>,
    /// Whether the last batch was not taken.
    in_trouble: bool,
}

/// What is known of the list's bytes: a length, and the bytes at that.
#[derive(Clone, Copy)]
struct Measured(i64, i64);

impl Measured {
    const NOT: Measured = Measured(-1, 0);

    /// The best that can be known of a list that others keep changing.
    fn as_present(self) -> Self {
        Self(-2, self.1)
    }
}

impl DeadLetterWriter {
    /// A writer to `settings.key` at the target. Opens nothing before there is
    /// a letter.
    pub fn new(
        letters: DeadLetterQueue,
        settings: DeadLetterSettings,
        target: RedisTarget,
    ) -> Self {
        Self {
            account: account_of(&settings.key),
            connector: Connector::new(target, &settings.key),
            letters,
            settings,
            link: None,
            in_trouble: false,
        }
    }

    /// Writes for as long as it is let.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let batch = self.letters.take().await;
            loop {
                let before = Instant::now();
                let pause = match self.write(&batch).await {
                    Ok(()) => {
                        self.works();
                        self.letters.taken_were_written();
                        backoff.reset();
                        before.elapsed() * PAUSES
                    }
                    Err(cause) => {
                        self.say(&cause);
                        if is_worth_another_try(cause.kind) {
                            self.link = None;
                            sleep(backoff.delay()).await;
                            continue;
                        }
                        self.letters.taken_were_dropped();
                        backoff.delay()
                    }
                };
                sleep(pause).await;
                break;
            }
        }
    }

    async fn write(&mut self, batch: &[Vec<u8>]) -> Result<(), SourceError> {
        let mut measured = Measured::NOT;
        for _ in 0..MEASUREMENTS {
            if self.push(batch, measured).await? {
                return Ok(());
            }
            measured = self.measure().await?;
        }
        self.push(batch, measured.as_present()).await.map(drop)
    }

    /// Whether the letters were taken; if not, the list has to be measured.
    async fn push(&mut self, batch: &[Vec<u8>], measured: Measured) -> Result<bool, SourceError> {
        let mut push = cmd("EVAL");
        push.arg(PUSH).arg(2).arg(&self.settings.key).arg(&self.account);
        push.arg(self.settings.max_length).arg(self.settings.max_bytes);
        push.arg(measured.0).arg(measured.1).arg(batch);
        let link = self.link().await?;
        let taken: Result<i64, _> = push.query_async(&mut link.connection).await;
        taken.map(|taken| taken == 1).map_err(|cause| self.refused(&cause))
    }

    async fn measure(&mut self) -> Result<Measured, SourceError> {
        let key = self.settings.key.clone();
        let (mut length, mut bytes) = (0, 0);
        loop {
            let link = self.link().await?;
            let mut measure = cmd("EVAL");
            measure.arg(MEASURE).arg(1).arg(&key).arg(length).arg(length + SLICE - 1);
            let slice: Result<(i64, i64), _> = measure.query_async(&mut link.connection).await;
            let (more, more_bytes) = slice.map_err(|cause| self.refused(&cause))?;
            (length, bytes) = (length + more, bytes + more_bytes);
            if more < SLICE {
                return Ok(Measured(length, bytes));
            }
        }
    }

    async fn link(&mut self) -> Result<&mut CommandConnection, SourceError> {
        let link = match self.link.take() {
            Some(link) => link,
            None => CommandConnection::open(&self.connector).await?,
        };
        Ok(self.link.insert(link))
    }

    /// In a cluster the list may be another node's than the queue: the next
    /// connection goes where the refusal points.
    fn refused(&self, cause: &RedisError) -> SourceError {
        if let (Some(link), Some(words)) = (&self.link, reply_words(cause)) {
            self.connector.note_refusal(&link.endpoint, &words);
        }
        crate_failed("EVAL", cause)
    }

    fn say(&mut self, cause: &SourceError) {
        if !self.in_trouble {
            tracing::warn!(key = self.settings.key, "dead letters can't be written: {cause}");
        }
        self.in_trouble = true;
    }

    fn works(&mut self) {
        if self.in_trouble {
            tracing::info!(key = self.settings.key, "dead letters are written again");
        }
        self.in_trouble = false;
    }
}

/// Whether the letters may still be taken later; what the server refuses, it
/// would refuse again.
fn is_worth_another_try(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Connection
        | ErrorKind::Timeout
        | ErrorKind::Tls
        | ErrorKind::Auth
        | ErrorKind::NotPrimary
        | ErrorKind::Protocol => true,
        ErrorKind::Permission
        | ErrorKind::WrongType
        | ErrorKind::WrongKey
        | ErrorKind::Busy
        | ErrorKind::Other => false,
    }
}
