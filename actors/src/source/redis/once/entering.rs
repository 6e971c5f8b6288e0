//! Entering: how a process becomes the owner, and how it comes back after its
//! connection broke.

use std::time::{Duration, Instant};

use super::super::super::SourceError;
use super::super::error::error;
use super::link::Answer;
use super::loading::values_of;
use super::preflight::Server;
use super::record::{Record, Unreadable, new_nonce};
use super::scripts;
use super::source::{OnceSource, Stage, Step};
use super::verdict::Verdict;
use super::watch::Owner;
use crate::boot_clock::BootInstant;
use crate::doom::End;
use crate::error_kind::ErrorKind;
use redis::cmd;

/// The latest format of the record that this version can read.
const FORMAT: u32 = 1;
/// How often a standby looks, at least.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// What became of an attempt to raise the epoch.
pub(super) enum Raised {
    Record(Box<Record>, Vec<u8>),
    /// Epoch or token that are there are others; the epoch, empty where there is
    /// no record.
    Lost(String),
    Unreadable(String),
}

impl OnceSource {
    /// Looks who owns the queue, and takes it over where that is right.
    pub(super) async fn enter(&mut self) -> Result<Step, SourceError> {
        if self.stop.is_stopped() {
            self.stage = Stage::Ended;
            return Ok(Step::Ended);
        }
        if self.link.is_none()
            && let Some(end) = self.connect_and_check().await?
        {
            return Ok(end);
        }
        let owner = match self.look().await? {
            Ok(owner) => owner,
            Err(newer) => return Ok(self.unreadable(newer)),
        };
        self.works();
        let lease = self.settings.lease;
        let Stage::Outside(watch) = &mut self.stage else { return Ok(Step::Again) };
        if watch.may_take(&owner, BootInstant::now(), lease) {
            return self.take_over(&owner).await;
        }
        self.settings.gate.stand_by();
        self.pause((lease / 4).min(LONGEST_LOOK)).await;
        Ok(Step::Again)
    }

    async fn take_over(&mut self, seen: &Owner) -> Result<Step, SourceError> {
        let (epoch, token) = match seen {
            Owner::Nobody => ("", ""),
            Owner::Released { epoch } => (epoch.as_str(), ""),
            Owner::Holder { epoch, token, .. } => (epoch.as_str(), token.as_str()),
        };
        match self.raise(epoch, token).await? {
            // Another standby was faster.
            Raised::Lost(_) => Ok(Step::Again),
            Raised::Unreadable(cause) => Ok(self.unreadable(cause)),
            Raised::Record(record, _) => {
                tracing::info!(epoch = record.epoch, "this gateway owns the queue");
                self.settings.gate.close("the last checkpoint is being loaded");
                self.stage = Stage::Loading(None);
                Ok(Step::Forget)
            }
        }
    }

    /// Connects again as the owner and finds out what became of what was in
    /// doubt.
    pub(super) async fn resume(&mut self) -> Result<Step, SourceError> {
        if self.stop.is_stopped() {
            self.end_unsaved();
            return Ok(Step::Ended);
        }
        if let Some(end) = self.connect_and_check().await? {
            return Ok(end);
        }
        let record = match self.raise_own().await? {
            Ok(record) => record,
            Err(step) => return step,
        };
        let Stage::Owning(owned) = &mut self.stage else { return Ok(Step::Again) };
        if owned.founding == Some(record.version) {
            let lengths = self.claimed_lengths(&record).await?;
            self.own_anew(&record, lengths);
            return Ok(Step::Again);
        }
        match owned.expected.verdict(&record) {
            Verdict::Reload => {
                let why = format!(
                    "redis is at version {} and tip {}, this gateway was at {} and {}",
                    record.version, record.tip, owned.expected.version, owned.expected.tip
                );
                Ok(self.reload(&why))
            }
            Verdict::GoOn { committed, claimed } => self.go_on(&record, committed, claimed).await,
        }
    }

    async fn go_on(
        &mut self,
        record: &Record,
        committed: bool,
        claimed: bool,
    ) -> Result<Step, SourceError> {
        let length = match claimed {
            true => self.lengths(record.tip.number, record.tip.number).await?.first().copied(),
            false => None,
        };
        if claimed && length.is_none_or(|length| length == 0) {
            return Ok(self.reload("the list of the last claim is not there"));
        }
        let Stage::Owning(owned) = &mut self.stage else { return Ok(Step::Again) };
        if owned.expected.commit.is_some() && !committed {
            self.settings.checkpoints.metrics().failed();
        }
        if committed {
            owned.committed(&self.settings.checkpoints, &self.settings.supply);
        }
        let phase = std::mem::take(&mut owned.phase);
        owned.phase = phase.send_again();
        owned.expected.commit = None;
        owned.expected.claim = None;
        if let Some(length) = length {
            owned.expected.tip = record.tip;
            owned.ledger.claimed(length);
        }
        owned.last_heard = Instant::now();
        self.begin_to_own();
        Ok(Step::Again)
    }

    pub(super) fn begin_to_own(&mut self) {
        if let Some(link) = &mut self.link {
            link.expect_elements();
        }
        self.works();
    }

    /// Raises the epoch as its holder. Else tells the step that follows.
    async fn raise_own(
        &mut self,
    ) -> Result<Result<Box<Record>, Result<Step, SourceError>>, SourceError> {
        match self.raise("*", &self.token.clone()).await? {
            Raised::Record(record, _) => Ok(Ok(record)),
            Raised::Lost(epoch) if epoch.is_empty() => Ok(Err(self.recover().await)),
            Raised::Lost(_) => Ok(Err(Ok(self.displaced()))),
            Raised::Unreadable(cause) => Ok(Err(Ok(self.unreadable(cause)))),
        }
    }

    pub(super) async fn connect_and_check(&mut self) -> Result<Option<Step>, SourceError> {
        let stop = &mut self.stop.clone();
        let connected = tokio::select! {
            biased;
            () = stop.stopped() => return Ok(Some(Step::Again)),
            connected = self.connect() => connected,
        };
        let link = connected?;
        let info = cmd("INFO").get_packed_command();
        link.expect_values();
        let reply = link.exchange(&info).await?;
        let info = values_of(link.values(), "INFO", reply)?.pop().unwrap_or_default();
        match Server::from_info(&String::from_utf8_lossy(&info)).check(&self.keys) {
            Err(refusal) => Ok(Some(self.doom(End::BadConfiguration(refusal)))),
            Ok(warning) => {
                if let Some(warning) = warning
                    && !std::mem::replace(&mut self.has_warned, true)
                {
                    tracing::warn!("{warning}");
                }
                Ok(None)
            }
        }
    }

    /// Who owns the queue; or that the record is of a newer version.
    async fn look(&mut self) -> Result<Result<Owner, String>, SourceError> {
        let call = scripts::LOOK.call(&[&self.keys.owner]);
        let Some(link) = &mut self.link else { return Ok(Ok(Owner::Nobody)) };
        let Answer::Ok(words) = link.run(call).await? else { return Err(odd_answer("look")) };
        let [epoch, token, deadline, format] = &words[..] else { return Err(odd_answer("look")) };
        if !format.is_empty() && format.parse::<u32>().map_or(true, |format| format > FORMAT) {
            let message = format!("its format is {format:?}, this version reads {FORMAT}");
            return Ok(Err(message));
        }
        Ok(Ok(match (epoch.as_str(), token.as_str()) {
            ("", _) => Owner::Nobody,
            (epoch, "") => Owner::Released { epoch: epoch.to_owned() },
            (epoch, token) => Owner::Holder {
                epoch: epoch.to_owned(),
                token: token.to_owned(),
                deadline: deadline.clone(),
            },
        }))
    }

    /// Raises the epoch where that epoch and token are still there.
    pub(super) async fn raise(&mut self, epoch: &str, token: &str) -> Result<Raised, SourceError> {
        let (keys, first) = (&self.keys, self.keys.list(1));
        let call = scripts::ACQUIRE.call(&[&keys.owner, &keys.state, &first]);
        let call = call.arg(epoch).arg(token);
        let call = call.arg(&self.token).arg(self.settings.lease.as_millis());
        let call = call.arg(self.epoch).arg(format!("{:x}", new_nonce()));
        let sent = BootInstant::now();
        let Some(link) = &mut self.link else { return Err(odd_answer("acquire")) };
        link.request(&call.pack());
        let reply = link.reply_in_time().await?;
        let bytes = link.values();
        match link.answer("acquire", reply)? {
            Answer::Lost { epoch, .. } => Ok(Raised::Lost(epoch)),
            Answer::Other(word, _) if word == "orphans" => Ok(Raised::Unreadable(self.orphans())),
            Answer::Other(..) => Err(odd_answer("acquire")),
            Answer::Ok(words) => {
                self.settings.gate.lease_until(sent.after(self.settings.lease));
                let head = bytes.into_iter().nth(6).unwrap_or_default();
                Ok(match read_record(&words) {
                    Ok(record) => {
                        self.epoch = record.epoch;
                        self.settings.holding.hold(self.epoch, &self.token, sent);
                        Raised::Record(Box::new(record), head)
                    }
                    Err(cause) => Raised::Unreadable(cause),
                })
            }
        }
    }

    /// Why nobody can go on where the owner hash alone is missing.
    fn orphans(&self) -> String {
        let (state, work) = (&self.keys.state, &self.keys.work);
        format!(
            "it is missing, but {state} or {work}1 is there, which only it can explain: somebody \
             has deleted it. Restore it from a copy of Redis' data; or, to begin at 0, rename the \
             lists {work}* back to {}, one by one, and delete {state}",
            self.keys.queue
        )
    }

    pub(super) async fn pause(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.stop.stopped() => {}
        }
    }
}

fn read_record(words: &[String]) -> Result<Record, String> {
    let [epoch, version, tip, base, index, ..] = words else {
        return Err("it is not whole".to_owned());
    };
    let text = |cause: Unreadable| cause.to_string();
    Ok(Record {
        epoch: epoch.parse().map_err(|_| format!("its epoch can't be read: {epoch:?}"))?,
        version: version.parse().map_err(text)?,
        tip: tip.parse().map_err(text)?,
        base: base.parse().map_err(text)?,
        index: index.parse().map_err(text)?,
    })
}

/// A script's answer that makes no sense.
pub(super) fn odd_answer(name: &str) -> SourceError {
    error(ErrorKind::Protocol, format!("{name} answered something unexpected"))
}
