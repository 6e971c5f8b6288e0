//! The decision, and what follows from it. Each step may be done again.

use psg_engine::partition::LANES_PER_HOME;
use redis::cmd;

use super::super::part::Duty;
use super::super::record::{Line, StreamPosition, fields_of_part};
use super::super::scripts;
use super::staging::expect_ok;
use super::{FROM, Held, RepartitionError, Work, next_key, sources_key};

/// Fields of a record that are not those of every one.
const OF_A_PART: [&str; 3] = ["layout", "at", "line"];

impl Work {
    /// Gives the record of partition 0 the new layout.
    pub(super) async fn decide(&mut self) -> Result<(), RepartitionError> {
        let from = self.plan.from.get().to_string();
        self.adopt_intake(0, &[(FROM, from)]).await
    }

    pub(super) async fn adopt(&mut self) -> Result<(), RepartitionError> {
        let (from, to) = (self.plan.from.get(), self.plan.to.get());
        for number in 0..self.slots.len() {
            if number >= to || to == 1 {
                self.delete(number).await?;
                continue;
            }
            if number > 0 && number < from {
                self.adopt_intake(number, &[]).await?;
            }
            self.adopt_home(number).await?;
        }
        Ok(())
    }

    /// All is of one layout.
    pub(super) async fn finish(&mut self) -> Result<(), RepartitionError> {
        let Some(at) = self.position(0, false) else { return Ok(()) };
        let names = [self.slots[0].intake.owner.clone()];
        self.rewrite(at, &names, &[FROM], &[]).await
    }

    /// The record of what producers push to: of a router without deltas, or of all that
    /// there is.
    async fn adopt_intake(
        &mut self,
        number: usize,
        more: &[(&'static str, String)],
    ) -> Result<(), RepartitionError> {
        let Some(at) = self.position(number, false) else { return Ok(()) };
        let held = &self.held[at];
        let becomes_router = self.plan.to.get() > 1;
        let stream = becomes_router.then(|| Self::stream_of(held));
        let mut fields = fields_of_part(self.plan.layout(), stream);
        fields.extend(more.iter().cloned());
        let mut gone: Vec<&str> = vec!["head"];
        let keys = &self.slots[number].intake;
        let mut names = vec![keys.owner.clone(), next_key(keys)];
        if becomes_router {
            fields.push(("index", String::new()));
            // What it has is at the homes.
            names.push(keys.state.clone());
        } else {
            gone.extend(OF_A_PART);
        }
        self.rewrite(at, &names, &gone, &fields).await
    }

    async fn adopt_home(&mut self, number: usize) -> Result<(), RepartitionError> {
        let Some(at) = self.position(number, true) else { return Ok(()) };
        self.place_sources(at, number).await?;
        let keys = &self.slots[number].home;
        let names = [keys.owner.clone(), next_key(keys)];
        let fields = fields_of_part(self.plan.layout(), None);
        self.rewrite(at, &names, &[], &fields).await
    }

    /// The home has all that routers ever claimed; who thinks otherwise is of before.
    async fn place_sources(&mut self, at: usize, number: usize) -> Result<(), RepartitionError> {
        let sources = sources_key(&self.slots[number].home);
        let owner = self.slots[number].home.owner.clone();
        let fence = self.held[at].fence(&self.token);
        let mut call = fence.call(scripts::NOTE, &[&owner, &sources]);
        for router in self.held.iter().filter(|held| held.part.duty != Duty::Home) {
            let StreamPosition { at, .. } = Self::stream_of(router);
            for lane in 0..LANES_PER_HOME {
                let field = format!("{}:{lane}", router.slot);
                call = call.arg(field).arg(format!("{} {} {at}", router.epoch, self.token));
            }
        }
        expect_ok("note", self.slots[number].link.run(call).await?)
    }

    /// Deletes what is of no partition any more. The queue itself is empty.
    async fn delete(&mut self, number: usize) -> Result<(), RepartitionError> {
        let slot = &mut self.slots[number];
        let mut keys = vec![
            slot.home.owner.clone(),
            slot.home.state.clone(),
            sources_key(&slot.home),
            next_key(&slot.home),
        ];
        if number > 0 {
            keys.extend([slot.intake.owner.clone(), slot.intake.state.clone()]);
        }
        Ok(slot.ask::<()>(cmd("UNLINK").arg(keys)).await?)
    }

    /// Where the stream of a record stands that is, or becomes, a router's: nothing was
    /// ever routed of what was totals before.
    fn stream_of(held: &Held) -> StreamPosition {
        let line = Line { epoch: held.epoch, place: 0 };
        held.stream.unwrap_or(StreamPosition { at: 0, line })
    }

    async fn rewrite(
        &mut self,
        at: usize,
        names: &[String],
        gone: &[&str],
        fields: &[(&'static str, String)],
    ) -> Result<(), RepartitionError> {
        let held = &self.held[at];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let call = held.fence(&self.token).call(scripts::REWRITE, &names);
        let call = call.arg(gone.len()).args(gone);
        let call = fields.iter().fold(call, |call, (field, value)| call.arg(field).arg(value));
        expect_ok("rewrite", self.slots[held.slot].link.run(call).await?)
    }
}
