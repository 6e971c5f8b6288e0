//! Resuming: how an owner goes on after its connection broke. What it had asked for
//! is in doubt; the record, read under a new epoch, says what became of it.

use super::context::Context;
use super::interruption::Interruption;
use super::link::Link;
use super::loading::{begin_to_own, claimed_lists, lists};
use super::owned::Owned;
use super::record::Record;
use super::transition::{Outcome, Transition};
use super::verdict::Verdict;

impl Owned {
    /// Goes on, by the record as it is after the epoch was raised.
    pub(super) async fn resume(
        &mut self,
        context: &mut Context,
        link: &mut Link,
        record: &Record,
        head: &[u8],
    ) -> Outcome {
        if self.founding == Some(record.version) {
            let lists = claimed_lists(context, link, record).await?;
            self.own_from_memory(context, record, lists);
            context.resumed(&self.ledger, self.write_all);
            begin_to_own(context, link);
            return Ok(Transition::Stay);
        }
        match self.expected.verdict(record) {
            Verdict::Reload => Err(Interruption::Reload(format!(
                "redis is at version {} and tip {}, this gateway was at {} and {}",
                record.version, record.tip, self.expected.version, self.expected.tip
            ))),
            Verdict::GoOn { .. } if !self.has_written(context, record, head) => {
                let damage = "its base, index or head is not as it was written";
                Err(Interruption::RecordLost(Some(damage.to_owned())))
            }
            Verdict::GoOn { committed, claimed } => {
                self.go_on(context, link, record, committed, claimed).await
            }
        }
    }

    async fn go_on(
        &mut self,
        context: &mut Context,
        link: &mut Link,
        record: &Record,
        committed: bool,
        claimed: bool,
    ) -> Outcome {
        let tip = record.tip.number;
        let claimed_list = match claimed {
            true => lists(context, link, tip, tip).await?.first().copied(),
            false => None,
        };
        if claimed && claimed_list.is_none_or(|list| list.length == 0) {
            let why = "the list of the last claim is not there".to_owned();
            return Err(Interruption::Reload(why));
        }
        if committed {
            self.committed(context);
        } else if self.expected.commit.is_some() {
            context.memory.metrics().failed();
        }
        self.phase = std::mem::take(&mut self.phase).send_again();
        self.expected.commit = None;
        self.expected.claim = None;
        if let Some(list) = claimed_list {
            self.expected.tip = record.tip;
            self.ledger.claimed(list);
        }
        context.resumed(&self.ledger, self.write_all);
        begin_to_own(context, link);
        Ok(Transition::Stay)
    }
}
